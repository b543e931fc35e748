//===- ImportDsl.cpp - a model in the language becomes a module of graph ops -------------------------------------===//
#include "lib/Import/Dsl/ImportDsl.h"

#include "dialects/Train/TrainDialect.h"
#include "lib/Import/Dsl/Elaborator.h"
#include "lib/Import/Dsl/Names.h"
#include "lib/Import/Dsl/Parser.h"
#include "lib/Import/Dsl/TrainBlock.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/MemoryBuffer.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

constexpr uint64_t kMaxText = 1 << 24;
constexpr int64_t kMaxRank = 8;

class ModelImporter final {
public:
  ModelImporter(const File &file, const Model &model, const ImportOptions &options, Diagnostics &diagnostics,
                ModuleOp module)
      : file(file), model(model), options(options), diagnostics(diagnostics), module(module),
        elaborator(file, diagnostics, module) {}

  void run();

private:
  RankedTensorType inputType(const TensorDeclaration &declared, std::vector<std::string> &symbols);
  void declareInputs();
  void checkOutput(const TensorDeclaration &declared, const Datum &value, Range range);
  void finish(const Datum &result);

  const File &file;
  const Model &model;
  const ImportOptions &options;
  Diagnostics &diagnostics;
  ModuleOp module;
  Elaborator elaborator;
  func::FuncOp entry;
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> inputAttributes;
};

/// A size is a number, an expression of constants, or a name that stands for one the caller chooses.
RankedTensorType ModelImporter::inputType(const TensorDeclaration &declared, std::vector<std::string> &symbols) {
  const TensorType &type = declared.type;
  Type element = elementType(module.getContext(), type.element.text);
  if (!element)
    elaborator.fail(type.element.range, "unknown element type '" + type.element.text + "'",
                    suggestName(type.element.text, elementTypeNames()));
  if (static_cast<int64_t>(type.sizes.size()) > kMaxRank)
    elaborator.fail(type.range, "expected at most " + Twine(kMaxRank) + " sizes, but got " + Twine(type.sizes.size()));
  SmallVector<int64_t> sizes;
  auto fixed = options.shapes.find(declared.name.text);
  if (fixed != options.shapes.end() && fixed->second.size() != type.sizes.size())
    elaborator.fail(declared.name.range, "--shape gives '" + declared.name.text + "' " + Twine(fixed->second.size()) +
                                             " sizes, but it has " + Twine(type.sizes.size()));
  for (auto [axis, size] : llvm::enumerate(type.sizes)) {
    int64_t known = ShapedType::kDynamic;
    std::string symbol;
    bool isConstant = size->kind != ExprKind::name || elaborator.scopes.front().names.count(size->text);
    if (isConstant) {
      Datum value = elaborator.evaluate(*size);
      if (value.isPoison())
        throw AlreadyReported{};
      if (!value.integer() || *value.integer() < 0 || *value.integer() > (int64_t(1) << 40))
        elaborator.fail(size->range, "expected a size from 0 to 2^40 or a name, but got " + elaborator.describe(value));
      known = *value.integer();
    } else if (auto it = options.dims.find(size->text); it != options.dims.end()) {
      known = it->second;
    } else {
      symbol = size->text;
    }
    if (fixed != options.shapes.end() && fixed->second[axis] >= 0) {
      if (known != ShapedType::kDynamic && known != fixed->second[axis])
        elaborator.fail(size->range, "--shape gives axis " + Twine(axis) + " of '" + declared.name.text +
                                         "' the size " + Twine(fixed->second[axis]) + ", but the model says " +
                                         Twine(known));
      known = fixed->second[axis];
      symbol.clear();
    }
    sizes.push_back(known);
    symbols.push_back(symbol);
  }
  return RankedTensorType::get(sizes, element);
}

void ModelImporter::declareInputs() {
  Builder attributes(module.getContext());
  std::set<std::string> names;
  for (const TensorDeclaration &declared : model.inputs) {
    std::vector<std::string> symbols;
    RankedTensorType type;
    try {
      if (!names.insert(declared.name.text).second)
        elaborator.fail(declared.name.range, "the input '" + declared.name.text + "' is defined twice");
      type = inputType(declared, symbols);
    } catch (const Error &error) {
      diagnostics.error(error, {});
    } catch (const AlreadyReported &) {
    }
    if (!type) { // so that the body is checked as well
      symbols.clear();
      type = RankedTensorType::get({}, attributes.getF32Type());
      elaborator.scope().names[declared.name.text] = Poison{};
    }
    types.push_back(type);
    SmallVector<Attribute> symbolNames;
    for (const std::string &symbol : symbols)
      symbolNames.push_back(attributes.getStringAttr(symbol));
    inputAttributes.push_back(
        attributes.getDictionaryAttr({attributes.getNamedAttr("mlc.name", attributes.getStringAttr(declared.name.text)),
                                      attributes.getNamedAttr("mlc.symbols", attributes.getArrayAttr(symbolNames))}));
  }
  for (const auto &[name, sizes] : options.shapes)
    if (!names.count(name))
      diagnostics.error(model.name.range, "--shape names '" + name + "', which is not an input of the model",
                        suggestName(name, std::vector<std::string>(names.begin(), names.end())));

  OpBuilder top = OpBuilder::atBlockEnd(module.getBody());
  std::string name = options.name.empty() ? model.name.text : options.name;
  entry = func::FuncOp::create(top, elaborator.locate(model.name.range, model.name.text), name,
                               top.getFunctionType(types, {}));
  mlir::Block *body = entry.addEntryBlock();
  elaborator.b.setInsertionPointToEnd(body);
  std::map<std::string, graph::Size> sizes;
  for (auto [declared, argument] : llvm::zip(model.inputs, body->getArguments())) {
    argument.setLoc(elaborator.locate(declared.name.range, declared.name.text));
    if (!elaborator.scope().names.count(declared.name.text))
      elaborator.scope().names[declared.name.text] = mlir::Value(argument);
    graph::Shape shape = graph::SizeBuilder(elaborator.b, argument.getLoc()).shape(argument);
    auto symbols = cast<ArrayAttr>(inputAttributes[argument.getArgNumber()].get("mlc.symbols"));
    for (auto [axis, symbol] : llvm::enumerate(symbols.getAsRange<StringAttr>())) {
      if (symbol.empty())
        continue;
      auto [it, isNew] = sizes.try_emplace(symbol.str(), shape[axis]);
      shape[axis] = it->second;
      if (isNew)
        elaborator.symbolNames[cast<mlir::Value>(it->second)] = symbol.str();
    }
    elaborator.shapes[argument] = std::move(shape);
  }
  // The names of sizes are values too; a tensor of the same name is meant first.
  for (auto &[symbol, size] : sizes)
    elaborator.scope().names.try_emplace(symbol, Symbol{size});
  for (const TensorDeclaration &declared : model.inputs)
    for (const ExprPtr &size : declared.type.sizes)
      if (size->kind == ExprKind::name)
        if (auto it = options.dims.find(size->text); it != options.dims.end())
          elaborator.scope().names.try_emplace(size->text, it->second);
}

/// The declared type agrees with what was computed, as far as both are known.
void ModelImporter::checkOutput(const TensorDeclaration &declared, const Datum &value, Range range) {
  mlir::Value tensor = value.tensor();
  if (!tensor)
    elaborator.fail(range, "expected a tensor for the output '" + declared.name.text + "', but got " +
                               elaborator.describe(value));
  const TensorType &type = declared.type;
  Type element = elementType(module.getContext(), type.element.text);
  if (!element)
    elaborator.fail(type.element.range, "unknown element type '" + type.element.text + "'",
                    suggestName(type.element.text, elementTypeNames()));
  auto computed = cast<RankedTensorType>(tensor.getType());
  StringRef text = StringRef(diagnostics.source.text).slice(type.range.begin, type.range.end);
  auto wrong = [&](const Twine &why) {
    elaborator.fail(range, "expected " + text + " for the output '" + declared.name.text + "', but got " +
                               elaborator.describe(tensor) + why);
  };
  if (computed.getElementType() != element || computed.getRank() != static_cast<int64_t>(type.sizes.size()))
    wrong("");
  graph::Shape shape = elaborator.shapes.lookup(tensor);
  if (shape.empty())
    shape = graph::SizeBuilder(elaborator.b, tensor.getLoc()).shape(tensor);
  for (auto [axis, size] : llvm::enumerate(type.sizes)) {
    Datum wanted;
    if (size->kind == ExprKind::name && !elaborator.scope().names.count(size->text) &&
        !elaborator.scopes.front().names.count(size->text))
      continue; // a name for what comes out
    wanted = elaborator.evaluate(*size);
    if (wanted.isPoison())
      throw AlreadyReported{};
    std::optional<int64_t> known = graph::getConstant(shape[axis]), number = wanted.integer();
    if (!number && !wanted.is<Symbol>())
      elaborator.fail(size->range, "expected a size, but got " + elaborator.describe(wanted));
    // Two names are two sizes; what is computed from them may be anything.
    std::string said = wanted.is<Symbol>() ? elaborator.describe(wanted.get<Symbol>()->size) : "",
                is = elaborator.describe(shape[axis]);
    if ((known && number && *known != *number) || (known && !number) || (!known && number && is != "?") ||
        (!known && !number && said != is && said != "?" && is != "?"))
      wrong(": they differ in axis " + Twine(axis));
  }
}

void ModelImporter::finish(const Datum &result) {
  if (result.isPoison())
    return;
  std::vector<Datum> values;
  if (result.list() && model.outputs.size() != 1)
    values = *result.list();
  else
    values = {result};
  OpBuilder &b = elaborator.b;
  Range range = model.name.range;
  for (const Statement &statement : model.body)
    if (statement.kind == StatementKind::giveBack)
      range = statement.range;
  if (values.size() != model.outputs.size())
    elaborator.fail(range, "expected " + Twine(model.outputs.size()) +
                               (model.outputs.size() == 1 ? " output" : " outputs") + ", but got " +
                               Twine(values.size()));
  SmallVector<mlir::Value> results;
  SmallVector<DictionaryAttr> attributes;
  std::set<std::string> names;
  for (auto [declared, value] : llvm::zip(model.outputs, values)) {
    if (value.isPoison())
      return;
    if (!names.insert(declared.name.text).second)
      elaborator.fail(declared.name.range, "the output '" + declared.name.text + "' is defined twice");
    checkOutput(declared, value, range);
    results.push_back(value.tensor());
    attributes.push_back(b.getDictionaryAttr(b.getNamedAttr("mlc.name", b.getStringAttr(declared.name.text))));
  }
  func::ReturnOp::create(b, entry.getLoc(), results);
  entry.setFunctionType(b.getFunctionType(types, llvm::to_vector(ValueRange(results).getTypes())));
  entry.setAllArgAttrs(inputAttributes);
  entry.setAllResultAttrs(attributes);
}

void ModelImporter::run() {
  try {
    elaborator.defineConstants();
    elaborator.scopes.emplace_back();
    declareInputs();
    std::optional<Datum> result = elaborator.execute(model.body);
    try {
      if (!result)
        elaborator.fail(model.name.range, "the model '" + model.name.text + "' does not return anything");
      finish(*result);
    } catch (const Error &error) {
      diagnostics.error(error, {});
    } catch (const AlreadyReported &) {
    }
    // What no call has reached is checked for its names.
    for (const mlc::dsl::Block &block : file.blocks)
      if (!elaborator.called.count(&block))
        checkNames(file, block, diagnostics);
    for (const Train &train : file.trains)
      importTrain(train, model, entry, elaborator);
  } catch (const Error &error) {
    diagnostics.error(error, {});
  } catch (const AlreadyReported &) {
  } catch (const TooLong &error) {
    diagnostics.error(error.range, "the model is too large: more than 200000 statements and calls when it is expanded");
  }
}

void checkItems(const File &file, Diagnostics &diagnostics) {
  std::set<std::string> names;
  for (const mlc::dsl::Block &block : file.blocks) {
    if (!names.insert(block.name.text).second)
      diagnostics.error(block.name.range, "the block '" + block.name.text + "' is defined twice");
    else if (Builtins::get().isWord(block.name.text))
      diagnostics.error(block.name.range, "the name '" + block.name.text + "' is built in");
    std::set<std::string> parameters;
    for (const Parameter &parameter : block.parameters) {
      if (!parameters.insert(parameter.name.text).second)
        diagnostics.error(parameter.name.range, "the parameter '" + parameter.name.text + "' is defined twice");
      if (parameter.name.text == "name")
        diagnostics.error(parameter.name.range, "the parameter 'name' is one that every block has");
    }
  }
  if (file.models.empty() && !diagnostics.count())
    diagnostics.error({0, 0}, "the file has no model");
  for (const Model &model : llvm::drop_begin(file.models, file.models.empty() ? 0 : 1))
    diagnostics.error(model.name.range, "expected one model in a file, but got a second one",
                      "put it into a file of its own, or make it a block");
  std::set<std::string> trained;
  for (const Train &train : file.trains) {
    if (!file.models.empty() && train.model.text != file.models[0].name.text)
      diagnostics.error(train.model.range, "unknown model '" + train.model.text + "'",
                        suggestName(train.model.text, {file.models[0].name.text}));
    else if (!trained.insert(train.model.text).second)
      diagnostics.error(train.model.range, "the model '" + train.model.text + "' has a second train block");
  }
}

} // namespace

} // namespace mlc::dsl

OwningOpRef<ModuleOp> mlc::importDsl(MLIRContext &context, StringRef path, const ImportOptions &options,
                                     std::vector<ImportProblem> &problems) {
  using namespace mlc::dsl;
  context.loadDialect<graph::GraphDialect, train::TrainDialect, func::FuncDialect, arith::ArithDialect,
                      tensor::TensorDialect>();
  auto whole = [&](const Twine &reason) {
    ImportProblem &problem = problems.emplace_back();
    problem.reason = reason.str();
  };
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) {
    whole("cannot read '" + path + "': " + buffer.getError().message());
    return nullptr;
  }
  if ((*buffer)->getBufferSize() > kMaxText) {
    whole("expected at most " + Twine(kMaxText) + " bytes of text, but got " + Twine((*buffer)->getBufferSize()));
    return nullptr;
  }
  Source source(path.str(), (*buffer)->getBuffer().str());
  Diagnostics diagnostics(source, problems);
  File file = parse(source, diagnostics);
  checkItems(file, diagnostics);
  if (file.models.empty())
    return nullptr;
  const Model &model = file.models[0];
  Builder b(&context);
  OwningOpRef<ModuleOp> module(ModuleOp::create(NameLoc::get(b.getStringAttr(model.name.text))));
  nlohmann::json metadata{{"format", "mlc"}, {"graph", model.name.text}, {"producer", "mlc"}};
  (*module)->setAttr("mlc.metadata", b.getStringAttr(metadata.dump()));
  ModelImporter(file, model, options, diagnostics, *module).run();
  if (!problems.empty()) {
    module->walk([](Operation *op) { op->dropAllReferences(); });
    return nullptr;
  }
  if (failed(verify(*module))) {
    whole("a bug of mlc: the importer built an invalid module");
    return nullptr;
  }
  return module;
}

DictionaryAttr mlc::importTrainSettings(MLIRContext &context, ArrayRef<std::pair<std::string, std::string>> settings,
                                        std::vector<ImportProblem> &problems) {
  using namespace mlc::dsl;
  context.loadDialect<graph::GraphDialect, func::FuncDialect>();
  std::string text = "train it {\n";
  for (const auto &[key, value] : settings)
    text += key + " = " + value + "\n";
  Source source("the command line", text + "}\n");
  Diagnostics diagnostics(source, problems);
  File file = parse(source, diagnostics);
  if (!problems.empty())
    return nullptr;
  if (file.trains.size() != 1 || file.trains[0].settings.size() != settings.size()) {
    diagnostics.error({0, 0}, "expected one value for each setting");
    return nullptr;
  }
  OwningOpRef<ModuleOp> module(ModuleOp::create(UnknownLoc::get(&context)));
  Elaborator elaborator(file, diagnostics, *module);
  elaborator.scopes.emplace_back();
  return importSettings(file.trains[0], elaborator);
}
