//===- TrainingConfig.cpp - what is said about training, between command line, IR and runtime ---------------------===//
#include "lib/Driver/TrainingConfig.h"

#include "dialects/Train/TrainDialect.h"
#include "passes/Train/Losses.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/GlobPattern.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using nlohmann::ordered_json;

namespace mlc {

namespace {

ordered_json convert(Attribute attribute) {
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    ordered_json result = ordered_json::object();
    for (NamedAttribute entry : dictionary)
      result[entry.getName().str()] = convert(entry.getValue());
    return result;
  }
  if (auto array = dyn_cast<ArrayAttr>(attribute)) {
    ordered_json result = ordered_json::array();
    for (Attribute element : array)
      result.push_back(convert(element));
    return result;
  }
  if (auto text = dyn_cast<StringAttr>(attribute))
    return text.getValue().str();
  if (auto flag = dyn_cast<BoolAttr>(attribute))
    return flag.getValue();
  if (auto integer = dyn_cast<IntegerAttr>(attribute))
    return integer.getValue().getSExtValue();
  if (auto number = dyn_cast<FloatAttr>(attribute))
    return number.getValueAsDouble();
  return nullptr;
}

Attribute parseValue(Builder &b, StringRef text) {
  int64_t integer;
  double number;
  if (text == "true" || text == "false")
    return b.getBoolAttr(text == "true");
  if (!text.getAsInteger(10, integer))
    return b.getI64IntegerAttr(integer);
  if (!text.getAsDouble(number))
    return b.getF64FloatAttr(number);
  return b.getStringAttr(text);
}

/// "adam,beta1=0.95" as {kind = "adam", beta1 = 0.95}; a key without a value is true.
DictionaryAttr parseKind(Builder &b, StringRef text) {
  NamedAttrList entries;
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  for (auto [i, part] : llvm::enumerate(parts)) {
    auto [key, value] = part.split('=');
    if (i == 0 && !part.contains('='))
      entries.set("kind", b.getStringAttr(key));
    else
      entries.set(key, value.empty() ? b.getBoolAttr(true) : parseValue(b, value));
  }
  return entries.getDictionary(b.getContext());
}

/// Glorot's uniform distribution for matrices and filters; vectors keep their bytes, which are biases and scales.
DictionaryAttr initializerFor(Builder &b, RankedTensorType type) {
  if (type.getRank() < 2)
    return nullptr;
  // Filters are [F, C, k…]; what a matrix multiplies is its first axis.
  int64_t window = type.getNumElements() / std::max<int64_t>(1, type.getDimSize(0) * type.getDimSize(1));
  int64_t fanIn = type.getDimSize(type.getRank() == 2 ? 0 : 1) * window,
          fanOut = type.getDimSize(type.getRank() == 2 ? 1 : 0) * window;
  return b.getDictionaryAttr({b.getNamedAttr("kind", b.getStringAttr("glorot_uniform")),
                              b.getNamedAttr("fan_in", b.getI64IntegerAttr(fanIn)),
                              b.getNamedAttr("fan_out", b.getI64IntegerAttr(fanOut))});
}

} // namespace

std::string toJson(Attribute attribute) { return convert(attribute).dump(); }

llvm::Error configureTraining(ModuleOp module, func::FuncOp model, const CompileOptions &options) {
  Builder b(module.getContext());
  auto programs = module.getOps<train::ProgramOp>();
  train::ProgramOp program = programs.empty() ? nullptr : *programs.begin();
  NamedAttrList config;
  if (program)
    config = NamedAttrList(program.getConfig());
  NamedAttrList optimizer;
  if (auto given = dyn_cast_if_present<DictionaryAttr>(config.get("optimizer")))
    optimizer = NamedAttrList(given);
  for (const auto &[key, values] : options.trainingConfig) {
    StringRef last = values.back();
    if (key == "optimizer") {
      std::optional<NamedAttribute> rate = optimizer.getNamed("learning_rate");
      optimizer = NamedAttrList(parseKind(b, last));
      if (rate && !optimizer.get("learning_rate"))
        optimizer.push_back(*rate);
    } else if (key == "lr") {
      continue; // below, whatever optimizer it is
    } else if (key == "metric") {
      SmallVector<Attribute> metrics;
      for (const std::string &value : values)
        metrics.push_back(parseKind(b, value));
      config.set("metrics", b.getArrayAttr(metrics));
    } else if (key == "batch" || key == "epochs") {
      config.set(key, parseValue(b, last));
    } else {
      config.set(key, parseKind(b, last));
    }
  }
  if (auto rate = options.trainingConfig.find("lr"); rate != options.trainingConfig.end()) {
    double number;
    if (StringRef(rate->second.back()).getAsDouble(number) || !(number > 0))
      return llvm::createStringError("expected a positive number in --lr, but got '" + rate->second.back() + "'");
    optimizer.set("learning_rate", b.getF64FloatAttr(number));
  }
  if (optimizer.empty() || !config.get("loss"))
    return llvm::createStringError(
        "how the model is trained is not said; write a train block, or give --loss and --optimizer");
  config.set("optimizer", optimizer.getDictionary(module.getContext()));
  config.set("model", b.getStringAttr(model.getName()));
  if (!config.get("label") && model.getNumResults())
    config.set("label", describeLabel("label", Config(cast<DictionaryAttr>(config.get("loss"))).text("kind"),
                                      cast<RankedTensorType>(model.getResultTypes()[0])));
  if (program) {
    program.setConfigAttr(config.getDictionary(module.getContext()));
  } else {
    OpBuilder before(model);
    train::ProgramOp::create(before, model.getLoc(), model.getName(), config.getDictionary(module.getContext()));
  }
  for (const std::string &text : options.frozen) {
    llvm::Expected<llvm::GlobPattern> pattern = llvm::GlobPattern::create(text);
    if (!pattern)
      return pattern.takeError();
    bool matches = false;
    for (auto parameter : module.getOps<graph::ParameterOp>())
      if (pattern->match(parameter.getSymName())) {
        parameter.setFrozen(true);
        matches = true;
      }
    if (!matches)
      return llvm::createStringError("no parameter matches --freeze '" + text + "'");
  }
  if (options.reinitialize)
    for (auto parameter : module.getOps<graph::ParameterOp>()) {
      auto type = cast<RankedTensorType>(parameter.getType());
      if (!parameter.getFrozen() && isa<FloatType>(type.getElementType()) && !parameter.getInitializer())
        if (DictionaryAttr initializer = initializerFor(b, type))
          parameter.setInitializerAttr(initializer);
    }
  return llvm::Error::success();
}

} // namespace mlc
