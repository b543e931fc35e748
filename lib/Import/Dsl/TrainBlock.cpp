//===- TrainBlock.cpp - a train block becomes a train.program ----------------------------------------------------===//
//
// The keys are the parameters of the table in Layers/Training.cpp. What the loss says of the labels is added, so that
// who reads the data knows their form.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Dsl/TrainBlock.h"

#include "dialects/Train/TrainDialect.h"
#include "lib/Import/Dsl/Kinds.h"
#include "passes/Train/Losses.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// Makes the ops of one step of the preprocessing.
class StepMaker final : public CheckedBuilder {
public:
  StepMaker(Elaborator &elaborator, Range range)
      : CheckedBuilder(elaborator.b, elaborator.locate(range, "preprocess"), elaborator.shapes), elaborator(elaborator),
        range(range) {}
  [[noreturn]] void fail(const Twine &reason, StringRef = "") override { throw Error{range, reason.str(), ""}; }

  Elaborator &elaborator;

private:
  Range range;
};

StringRef kindOf(DictionaryAttr settings) { return cast<StringAttr>(settings.get("kind")).getValue(); }
double numberOf(DictionaryAttr settings, StringRef key) {
  return cast<FloatAttr>(settings.get(key)).getValueAsDouble();
}

/// A number, or one for each channel.
mlir::Value perChannel(StepMaker &n, DictionaryAttr settings, StringRef key, mlir::Value x) {
  Type element = n.element(x);
  if (auto one = dyn_cast<FloatAttr>(settings.get(key)))
    return n.scalar(element, one.getValueAsDouble());
  auto list = cast<ArrayAttr>(settings.get(key));
  int64_t count = static_cast<int64_t>(list.size());
  if (n.rank(x) < 1 || n.type(x).getShape().back() != count)
    n.fail("expected one number a channel of " + n.elaborator.describe(x) + " for '" + key + "', but got " +
           Twine(count));
  SmallVector<mlir::Value> parts;
  for (Attribute one : list) {
    double number = cast<FloatAttr>(one).getValueAsDouble();
    if (key == "std" && !(number > 0))
      n.fail("expected numbers above 0 for 'std'");
    parts.push_back(n.unsqueeze(n.scalar(element, number), {0}));
  }
  return parts.size() == 1 ? parts[0] : n.concat(parts, 0);
}

mlir::Value applyStep(StepMaker &n, DictionaryAttr settings, mlir::Value x) {
  StringRef kind = kindOf(settings);
  if (kind == "one_hot") {
    int64_t classes = cast<IntegerAttr>(settings.get("classes")).getInt();
    mlir::Value places = n.iota(0, {n.constantSize(classes)}, n.b.getI32Type());
    return n.cast(n.compare(CompareDirection::eq, n.unsqueeze(x, {n.rank(x)}), places), n.b.getF32Type());
  }
  if (!n.isFloat(x))
    n.fail("expected a tensor of floating-point numbers for '" + kind + "', but got " + n.elaborator.describe(x));
  if (kind == "scale") {
    mlir::Value y = n.mul(x, n.scalarLike(x, numberOf(settings, "factor")));
    double offset = numberOf(settings, "offset");
    return offset == 0 ? y : n.add(y, n.scalarLike(y, offset));
  }
  if (kind == "normalize")
    return n.div(n.sub(x, perChannel(n, settings, "mean", x)), perChannel(n, settings, "std", x));
  if (n.rank(x) != 4)
    n.fail("expected images [N, height, width, channels] for '" + kind + "', but got " + n.elaborator.describe(x));
  mlir::Value y;
  if (kind == "random_flip") {
    bool vertical = cast<StringAttr>(settings.get("direction")).getValue() == "vertical";
    y = train::RandomFlipOp::create(n.b, n.loc, x.getType(), x, n.b.getI64IntegerAttr(vertical ? 1 : 2));
  } else {
    y = train::RandomCropOp::create(n.b, n.loc, x.getType(), x, n.b.getDenseI64ArrayAttr({1, 2}),
                                    cast<IntegerAttr>(settings.get("padding")));
  }
  n.elaborator.shapes[y] = n.shape(x);
  return y;
}

/// The function from the inputs as the data has them to those of the model. The data has the model's element types and
/// shapes, but for `one_hot`, which comes from class numbers (i32) without the last axis.
FlatSymbolRefAttr makePreprocess(const List &steps, const Expr &expr, const Model &model, func::FuncOp entry,
                                 Elaborator &elaborator) {
  OpBuilder &b = elaborator.b;
  OpBuilder::InsertionGuard guard(b);
  auto place = [&](size_t i) { return expr.kind == ExprKind::list ? expr.operands[i]->range : expr.range; };
  std::vector<std::vector<size_t>> ofInput(model.inputs.size());
  std::vector<std::string> names;
  for (const TensorDeclaration &input : model.inputs)
    names.push_back(input.name.text);
  for (auto [i, step] : llvm::enumerate(steps)) {
    auto input = step.get<Choice>()->settings.getAs<StringAttr>("input");
    if (!input && model.inputs.size() != 1)
      elaborator.fail(place(i), "the model has several inputs",
                      "name the one that is meant: input=\"" + names[0] + "\"");
    size_t index = 0;
    if (input) {
      auto found = llvm::find(names, input.getValue());
      if (found == names.end())
        elaborator.fail(place(i), "unknown input '" + input.getValue() + "'", suggestName(input.getValue(), names));
      index = found - names.begin();
    }
    ofInput[index].push_back(i);
  }
  SmallVector<Type> rawTypes, types(entry.getArgumentTypes());
  for (auto [index, type] : llvm::enumerate(types)) {
    auto raw = cast<RankedTensorType>(type);
    for (size_t i : ofInput[index])
      if (kindOf(steps[i].get<Choice>()->settings) == "one_hot") {
        if (i != ofInput[index][0] || raw.getRank() < 1)
          elaborator.fail(place(i), "expected 'one_hot' as the first step of its input");
        raw = RankedTensorType::get(raw.getShape().drop_back(), b.getI32Type());
      }
    rawTypes.push_back(raw);
  }
  b.setInsertionPointToEnd(entry->getParentOfType<ModuleOp>().getBody());
  auto function = func::FuncOp::create(b, entry.getLoc(), entry.getName().str() + ".preprocess",
                                       b.getFunctionType(rawTypes, types));
  function.setPrivate();
  // The data's arrays have the names and sizes of the model's inputs.
  for (auto [index, type] : llvm::enumerate(rawTypes)) {
    NamedAttrList attributes(entry.getArgAttrDict(index));
    if (auto symbols = attributes.get("mlc.symbols"))
      attributes.set("mlc.symbols", b.getArrayAttr(cast<ArrayAttr>(symbols).getValue().take_front(
                                        cast<RankedTensorType>(type).getRank())));
    function.setArgAttrs(index, attributes);
  }
  mlir::Block *body = function.addEntryBlock();
  b.setInsertionPointToEnd(body);
  SmallVector<mlir::Value> results;
  for (auto [index, argument] : llvm::enumerate(body->getArguments())) {
    mlir::Value x = argument;
    for (size_t i : ofInput[index]) {
      StepMaker n(elaborator, place(i));
      x = applyStep(n, steps[i].get<Choice>()->settings, x);
    }
    if (x.getType() != types[index])
      elaborator.fail(expr.range, "expected " + elaborator.describe(cast<RankedTensorType>(types[index])) +
                                      " for the input '" + names[index] + "', but the steps give " +
                                      elaborator.describe(cast<RankedTensorType>(x.getType())));
    results.push_back(x);
  }
  func::ReturnOp::create(b, entry.getLoc(), results);
  return FlatSymbolRefAttr::get(function.getSymNameAttr());
}

/// The value of a key as the program has it.
Attribute toSetting(const Datum &value, const Parameter &parameter, Builder &b) {
  Attribute attribute = toAttribute(value, parameter, b);
  if (!attribute || (parameter.name.text != "ema" && parameter.name.text != "early_stopping"))
    return attribute;
  NamedAttrList settings(cast<DictionaryAttr>(attribute));
  settings.erase("kind"); // which is that of the key
  return settings.getDictionary(b.getContext());
}

/// What of a schedule goes together.
void checkSchedule(DictionaryAttr settings, Range range, Elaborator &elaborator) {
  auto warmup = settings.getAs<IntegerAttr>("warmup_steps");
  if (warmup && warmup.getInt() > 0 && !settings.getAs<FloatAttr>("warmup_target"))
    elaborator.fail(range, "expected a rate that the warm-up ends with", "give warmup_target as well");
  auto boundaries = settings.getAs<ArrayAttr>("boundaries"), values = settings.getAs<ArrayAttr>("values");
  if (boundaries && values && values.size() != boundaries.size() + 1)
    elaborator.fail(range, "expected a value before, between and behind the boundaries (" +
                               Twine(boundaries.size() + 1) + "), but got " + Twine(values.size()));
}

/// The settings of a block, evaluated; what is wrong with one is reported.
std::map<std::string, std::pair<Datum, const Expr *>> evaluateSettings(const Train &train, Elaborator &elaborator) {
  const Member &keys = *Builtins::get().find("train", "settings");
  std::map<std::string, std::pair<Datum, const Expr *>> values;
  for (const Setting &setting : train.settings) {
    try {
      auto parameter =
          llvm::find_if(keys.parameters, [&](const Parameter &one) { return one.name.text == setting.key.text; });
      if (parameter == keys.parameters.end()) {
        std::vector<std::string> names;
        for (const Parameter &one : keys.parameters)
          names.push_back(one.name.text);
        elaborator.fail(setting.key.range, "unknown key '" + setting.key.text + "' of a train block",
                        suggestName(setting.key.text, names));
      }
      auto [place, isNew] = values.try_emplace(setting.key.text, Datum(None{}), setting.value.get());
      if (!isNew)
        elaborator.fail(setting.key.range, "the key '" + setting.key.text + "' is given twice");
      Datum value = elaborator.evaluateAs(*setting.value, parameter->kinds);
      place->second.first = elaborator.coerce(std::move(value), *parameter, setting.value->range, "train");
      if (const Choice *schedule = place->second.first.get<Choice>(); schedule && setting.key.text == "schedule")
        checkSchedule(schedule->settings, setting.value->range, elaborator);
    } catch (const Error &error) {
      elaborator.diagnostics.error(error, {});
    } catch (const AlreadyReported &) {
    }
  }
  return values;
}

} // namespace

void importTrain(const Train &train, const Model &model, func::FuncOp entry, Elaborator &elaborator) {
  const Member &keys = *Builtins::get().find("train", "settings");
  Diagnostics &diagnostics = elaborator.diagnostics;
  OpBuilder &b = elaborator.b;
  auto values = evaluateSettings(train, elaborator);
  for (StringRef key : {"loss", "optimizer"})
    if (!values.count(key.str()))
      diagnostics.error(train.model.range, "the train block of '" + train.model.text + "' needs the key '" + key + "'");
  if (diagnostics.count() || entry.getNumResults() == 0)
    return;
  try {
    SmallVector<NamedAttribute> config{b.getNamedAttr("model", b.getStringAttr(entry.getName()))};
    FlatSymbolRefAttr preprocess;
    for (const Parameter &parameter : keys.parameters) {
      const std::string &key = parameter.name.text;
      auto it = values.find(key);
      Datum value = it != values.end() ? it->second.first
                    : parameter.otherwise
                        ? elaborator.coerce(elaborator.evaluateAs(*parameter.otherwise, parameter.kinds), parameter,
                                            train.model.range, "train")
                        : Datum(None{});
      if (key == "preprocess") {
        if (!value.list()->empty())
          preprocess = makePreprocess(*value.list(), *it->second.second, model, entry, elaborator);
        continue;
      }
      Attribute attribute = toSetting(value, parameter, b);
      if (key == "label")
        if (auto prediction = dyn_cast<RankedTensorType>(entry.getResultTypes()[0]))
          attribute = describeLabel(*value.text(), kindOf(values.at("loss").first.get<Choice>()->settings), prediction);
      if (attribute)
        config.push_back(b.getNamedAttr(key, attribute));
    }
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(elaborator.module.getBody());
    train::ProgramOp::create(b, elaborator.locate(train.model.range, train.model.text), entry.getName(), preprocess,
                             b.getDictionaryAttr(config));
  } catch (const Error &error) {
    diagnostics.error(error, {});
  } catch (const AlreadyReported &) {
  }
}

DictionaryAttr importSettings(const Train &train, Elaborator &elaborator) {
  const Member &keys = *Builtins::get().find("train", "settings");
  auto values = evaluateSettings(train, elaborator);
  if (elaborator.diagnostics.count())
    return nullptr;
  NamedAttrList config;
  for (const Parameter &parameter : keys.parameters)
    if (auto it = values.find(parameter.name.text); it != values.end())
      if (Attribute attribute = toSetting(it->second.first, parameter, elaborator.b))
        config.set(parameter.name.text, attribute);
  return config.getDictionary(elaborator.b.getContext());
}

} // namespace mlc::dsl
