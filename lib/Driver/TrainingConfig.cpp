//===- TrainingConfig.cpp - what is said about training, between command line, IR and runtime ---------------------===//
#include "lib/Driver/TrainingConfig.h"

#include "dialects/Train/TrainDialect.h"
#include "lib/Driver/Report.h"
#include "lib/Import/Dsl/ImportDsl.h"
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
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto &[key, text] : options.trainingConfig)
    if (key != "lr")
      settings.emplace_back(key, text);
  std::vector<ImportProblem> problems;
  DictionaryAttr given = importTrainSettings(*module.getContext(), settings, problems);
  if (!given) {
    std::string text;
    for (const ImportProblem &problem : problems)
      text += (text.empty() ? "" : "\n") + formatProblem("the command line", problem);
    return llvm::createStringError(text);
  }
  for (NamedAttribute setting : given)
    config.set(setting.getName(), setting.getValue());
  if (!config.get("optimizer") || !config.get("loss"))
    return llvm::createStringError(
        "how the model is trained is not said; write a train block, or give --loss and --optimizer");
  NamedAttrList optimizer(cast<DictionaryAttr>(config.get("optimizer")));
  if (auto rate = options.trainingConfig.find("lr"); rate != options.trainingConfig.end()) {
    double number;
    if (StringRef(rate->second).getAsDouble(number) || !(number > 0))
      return llvm::createStringError("expected a positive number in --lr, but got '" + rate->second + "'");
    optimizer.set("learning_rate", b.getF64FloatAttr(number));
  }
  config.set("optimizer", optimizer.getDictionary(module.getContext()));
  config.set("model", b.getStringAttr(model.getName()));
  if (model.getNumResults() && (given.get("loss") || !config.get("label")))
    config.set("label",
               describeLabel(Config(config.getDictionary(module.getContext())).get("label").text("name", "label"),
                             Config(cast<DictionaryAttr>(config.get("loss"))).text("kind"),
                             cast<RankedTensorType>(model.getResultTypes()[0])));
  if (program) {
    program.setConfigAttr(config.getDictionary(module.getContext()));
  } else {
    OpBuilder before(model);
    train::ProgramOp::create(before, model.getLoc(), model.getName(), /*preprocess=*/nullptr,
                             config.getDictionary(module.getContext()));
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

int64_t samplesOfStep(ModuleOp module) {
  auto programs = module.getOps<train::ProgramOp>();
  // The default is that of the key `batch` in a train block.
  return programs.empty() ? 0 : static_cast<int64_t>(Config((*programs.begin()).getConfig()).number("batch", 32));
}

} // namespace mlc
