//===- BuildProgram.cpp - the functions of a training executable
//---------------------------------------------------===//
//
// Parameters become states, and the model's function becomes five, which an executable's runtime calls by name:
//   step       one batch: loss, gradients, update        gradients  the same, but gradients are only added up
//   apply      updates by the sum of gradients           evaluate, predict
// What they take and give is in mlc/abi.h (mlc_train_info). Gradients are asked for by train.gradient.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphBuilder.h"
#include "dialects/Graph/ResolvedShapes.h"
#include "dialects/Graph/ScanBuilder.h"
#include "passes/Train/Losses.h"
#include "passes/Train/Optimizers.h"
#include "passes/Train/Passes.h"
#include "passes/Train/TrainingLayers.h"

#include "mlir/IR/IRMapping.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINBUILDPROGRAMPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

/// A weight of the model, and the names of the states that belong to it.
struct Weight final {
  FlatSymbolRefAttr name;
  RankedTensorType type;
  train::Role role;
  SmallVector<FlatSymbolRefAttr> slots;
  FlatSymbolRefAttr average, gradient;
};

/// A function that is being built: its arguments by name, and the states that it reads.
struct Entry final {
  Entry(OpBuilder &module, Location loc, StringRef name) : loc(loc), b(module.getContext()) {
    function = func::FuncOp::create(module, loc, name, FunctionType::get(module.getContext(), {}, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
  }

  Value addArgument(Type type, DictionaryAttr attributes) {
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, type, attributes, loc);
    return function.getArgument(index);
  }
  Value addScalar(Type element, StringRef name) {
    return addArgument(RankedTensorType::get({}, element), nameOf(name));
  }
  DictionaryAttr nameOf(StringRef name) {
    return b.getDictionaryAttr(b.getNamedAttr("mlc.name", b.getStringAttr(name)));
  }

  Value read(FlatSymbolRefAttr state, Type type) {
    Value &value = reads[state.getAttr()];
    if (!value) {
      OpBuilder first = OpBuilder::atBlockBegin(&function.front());
      value = train::ReadOp::create(first, loc, type, state);
    }
    return value;
  }
  void write(FlatSymbolRefAttr state, Value value) { writes.push_back({state, value}); }
  void addResult(Value value, DictionaryAttr attributes) {
    results.push_back(value);
    resultAttributes.push_back(attributes);
  }

  /// Writes come last, so that all they are computed of is read before.
  void finish() {
    b.setInsertionPointToEnd(&function.front());
    for (auto [state, value] : writes)
      train::WriteOp::create(b, loc, state, value);
    func::ReturnOp::create(b, loc, results);
    graph::isolateScans(function); // which resolving shapes has opened
    function.setFunctionType(
        FunctionType::get(b.getContext(), function.getArgumentTypes(), ValueRange(results).getTypes()));
    SmallVector<Attribute> attributes(resultAttributes.begin(), resultAttributes.end());
    function.setAllResultAttrs(attributes);
  }

  Location loc;
  OpBuilder b;
  func::FuncOp function;
  llvm::DenseMap<Value, graph::Shape> shapes;
  llvm::DenseMap<StringAttr, Value> reads;
  SmallVector<std::pair<FlatSymbolRefAttr, Value>> writes;
  SmallVector<Value> results;
  SmallVector<DictionaryAttr> resultAttributes;
};

struct BuildProgram final : mlc::impl::TrainBuildProgramPassBase<BuildProgram> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto programs = module.getOps<train::ProgramOp>();
    if (programs.empty())
      return;
    program = *programs.begin();
    auto lookup = [&](FlatSymbolRefAttr name) {
      auto function = module.lookupSymbol<func::FuncOp>(name);
      if (!function || !llvm::hasSingleElement(function.getBody())) {
        program.emitError("requires a function of one block named ") << name;
        signalPassFailure();
        return func::FuncOp();
      }
      return function;
    };
    model = lookup(program.getModelAttr());
    if (!model)
      return;
    if (FlatSymbolRefAttr name = program.getPreprocessAttr()) {
      prepare = lookup(name);
      if (!prepare)
        return;
    }
    config = Config(program.getConfig());
    optimizer = config.get("optimizer");
    FailureOr<SmallVector<OptimizerSlot>> known = getOptimizerSlots(optimizer);
    if (failed(known)) {
      program.emitError("unknown optimizer '") << optimizer.text("kind") << "'";
      return signalPassFailure();
    }
    slots = std::move(*known);
    if (model.getNumResults() == 0 || !isa<FloatType>(getElementTypeOrSelf(model.getResultTypes()[0]))) {
      program.emitError("requires a model whose first output is of floats, which the loss is computed of");
      return signalPassFailure();
    }
    trainNormalizations(module);
    declareStates(module);
    OpBuilder b(&getContext());
    b.setInsertionPointToEnd(module.getBody());
    bool isBuilt = buildStep(b) && buildGradients(b);
    if (!isBuilt) {
      program.emitError("unknown loss '") << config.get("loss").text("kind") << "'";
      return signalPassFailure();
    }
    buildApply(b);
    buildEvaluate(b);
    buildPredict(b);
    if (prepare)
      prepare.erase();
    model.erase();
    program.erase();
  }

  /// Batch normalizations of a model for inference train as those of a model for training, with the momentum that ONNX
  /// gives them.
  void trainNormalizations(ModuleOp module) {
    for (auto op : llvm::make_early_inc_range(model.getOps<graph::BatchNormOp>())) {
      auto mean = op.getMean().getDefiningOp<graph::WeightOp>(),
           variance = op.getVariance().getDefiningOp<graph::WeightOp>();
      if (!mean || !variance)
        continue;
      for (graph::WeightOp statistic : {mean, variance})
        module.lookupSymbol<graph::ParameterOp>(statistic.getParameter()).setStatistic(true);
      OpBuilder b(op);
      Value trained =
          train::BatchNormOp::create(b, op.getLoc(), op.getType(), op.getInput(), op.getScale(), op.getBias(), mean,
                                     variance, b.getI64IntegerAttr(1), b.getF64FloatAttr(0.9), op.getEpsilonAttr());
      op.replaceAllUsesWith(trained);
      op.erase();
    }
  }

  /// States in the place of parameters, then those of the optimizer, averages and sums of gradients.
  void declareStates(ModuleOp module) {
    OpBuilder b(&getContext());
    auto declare = [&](const Twine &name, RankedTensorType type, train::Role role, DictionaryAttr initializer) {
      b.setInsertionPointAfter(train::StateOp::create(b, program.getLoc(), name.str(), type, role, initializer));
      return FlatSymbolRefAttr::get(&getContext(), name.str());
    };
    auto filled = [&](double value) {
      return b.getDictionaryAttr(
          {b.getNamedAttr("kind", b.getStringAttr("constant")), b.getNamedAttr("value", b.getF64FloatAttr(value))});
    };
    for (auto parameter : llvm::make_early_inc_range(module.getOps<graph::ParameterOp>())) {
      auto type = cast<RankedTensorType>(parameter.getType());
      train::Role role = parameter.getStatistic()                                          ? train::Role::statistic
                         : parameter.getFrozen() || !isa<FloatType>(type.getElementType()) ? train::Role::frozen
                                                                                           : train::Role::parameter;
      b.setInsertionPoint(parameter);
      StringRef name = parameter.getSymName();
      weights.push_back({declare(name, type, role, parameter.getInitializerAttr()), type, role, {}, {}, {}});
      Operation *state = parameter->getPrevNode();
      parameter.erase();
      b.setInsertionPointAfter(state); // it was before the parameter
    }
    if (weights.empty())
      b.setInsertionPointAfter(program);
    for (Weight &weight : weights)
      if (weight.role == train::Role::parameter)
        for (const OptimizerSlot &slot : slots)
          weight.slots.push_back(declare(slot.name + "/" + weight.name.getValue(), weight.type, train::Role::optimizer,
                                         filled(slot.initial)));
    if (config.get("ema"))
      for (Weight &weight : weights)
        if (weight.role == train::Role::parameter)
          weight.average =
              declare("average/" + weight.name.getValue(), weight.type, train::Role::average,
                      b.getDictionaryAttr({b.getNamedAttr("kind", b.getStringAttr("copy")),
                                           b.getNamedAttr("of", b.getStringAttr(weight.name.getValue()))}));
    for (Weight &weight : weights)
      if (weight.role != train::Role::frozen)
        weight.gradient = declare("gradient/" + weight.name.getValue(), weight.type, train::Role::gradient, filled(0));
  }

  /// Adds the arguments of `source` and copies its body; gives what it returns. `inputs` are its arguments already.
  SmallVector<Value> inlineBody(Entry &entry, func::FuncOp source, ValueRange inputs, bool ofAverages) {
    IRMapping mapping;
    mapping.map(source.getArguments(), inputs);
    for (Operation &op : source.front().without_terminator()) {
      if (auto read = dyn_cast<graph::WeightOp>(op)) {
        FlatSymbolRefAttr state = read.getParameterAttr();
        if (ofAverages)
          for (const Weight &weight : weights)
            if (weight.name == state && weight.average)
              state = weight.average;
        mapping.map(read.getResult(), entry.read(state, read.getType()));
        continue;
      }
      entry.b.clone(op, mapping);
    }
    return llvm::map_to_vector(source.front().getTerminator()->getOperands(),
                               [&](Value value) { return mapping.lookup(value); });
  }

  /// The model on the inputs that the data has.
  SmallVector<Value> inlineModel(Entry &entry, bool ofAverages) {
    func::FuncOp first = prepare ? prepare : model;
    SmallVector<Value> values;
    for (unsigned i = 0; i < first.getNumArguments(); ++i)
      values.push_back(entry.addArgument(first.getArgumentTypes()[i], first.getArgAttrDict(i)));
    if (prepare)
      values = inlineBody(entry, prepare, values, ofAverages);
    return inlineBody(entry, model, values, ofAverages);
  }

  /// The labels of a prediction, with the symbols of its sizes.
  Value addLabel(Entry &entry, Value prediction) {
    RankedTensorType type = getLabelType(config.get("loss"), cast<RankedTensorType>(prediction.getType()));
    entry.shapes =
        graph::resolveShapes(entry.function); // sizes as those of the inputs, so that "the same N" is one value
    const graph::ResolvedShapes &shapes = entry.shapes;
    auto known = shapes.find(prediction);
    // A label has all axes of the prediction, or all but the last.
    ArrayRef<Attribute> symbols =
        graph::getSymbols(entry.function, prediction, shapes).getValue().take_front(type.getRank());
    StringRef name = config.get("label").text("name", "label");
    graph::Shape shape = known == shapes.end() ? graph::Shape() : known->second;
    Value label = entry.addArgument(
        type, entry.b.getDictionaryAttr({entry.b.getNamedAttr("mlc.name", entry.b.getStringAttr(name)),
                                         entry.b.getNamedAttr("mlc.symbols", entry.b.getArrayAttr(symbols))}));
    // The runtime has checked that sizes of the same symbol agree.
    if (!shape.empty()) {
      shape.truncate(type.getRank());
      entry.shapes[label] = shape;
    }
    return label;
  }

  Value addLoss(Entry &entry, Value prediction, Value label) {
    graph::GraphBuilder g(entry.b, entry.loc, entry.shapes);
    return buildLoss(g, config.get("loss"), prediction, label);
  }

  void addResults(Entry &entry, Value loss, ValueRange outputs) {
    if (loss)
      entry.addResult(loss, entry.nameOf("loss"));
    for (auto [i, output] : llvm::enumerate(outputs)) {
      DictionaryAttr attributes = model.getResultAttrDict(i);
      entry.addResult(output, attributes ? attributes : entry.nameOf("output" + std::to_string(i)));
    }
  }

  /// The seed of a step: no two steps of a run have the same.
  Value seedOfStep(Entry &entry, Value seed, Value iteration) {
    OpBuilder first = OpBuilder::atBlockBegin(&entry.function.front());
    graph::GraphBuilder g(first, entry.loc, entry.shapes);
    return g.add(g.mul(seed, g.scalar(first.getI64Type(), 1000003)), iteration);
  }

  SmallVector<Value> gradientsOf(Entry &entry, Value loss) {
    SmallVector<Value> parameters;
    for (const Weight &weight : weights)
      if (weight.role == train::Role::parameter)
        parameters.push_back(entry.read(weight.name, weight.type));
    if (parameters.empty())
      return {};
    ValueRange gradients =
        train::GradientOp::create(entry.b, entry.loc, ValueRange(parameters).getTypes(), loss, parameters).getResults();
    return SmallVector<Value>(gradients);
  }

  /// New values for all parameters, slots and averages.
  void update(Entry &entry, MutableArrayRef<Value> gradients, const OptimizerStep &step) {
    graph::GraphBuilder g(entry.b, entry.loc, entry.shapes);
    buildClipping(g, config.get("clip"), gradients);
    unsigned next = 0;
    for (const Weight &weight : weights) {
      if (weight.role != train::Role::parameter)
        continue;
      SmallVector<Value> states;
      for (FlatSymbolRefAttr slot : weight.slots)
        states.push_back(entry.read(slot, weight.type));
      Value parameter =
          buildUpdate(g, optimizer, step, entry.read(weight.name, weight.type), gradients[next++], states);
      entry.write(weight.name, parameter);
      for (auto [slot, state] : llvm::zip(weight.slots, states))
        entry.write(slot, state);
      if (weight.average) {
        double decay = config.get("ema").number("decay", 0.99);
        entry.write(weight.average, moved(g, decay, entry.read(weight.average, weight.type), parameter));
      }
    }
  }

  /// momentum * old + (1 - momentum) * batch
  Value moved(graph::GraphBuilder &g, double momentum, Value old, Value batch) {
    return g.add(g.mul(old, g.scalarLike(old, momentum)), g.mul(batch, g.scalarLike(old, 1 - momentum)));
  }

  /// A function that trains on one batch. `learn` does something with the loss, `remember` with the statistics that
  /// batch normalizations saw; both get the scalar argument `factor`. Fails for a loss that is not known.
  bool buildBatch(OpBuilder &module, StringRef name, StringRef factorName,
                  function_ref<void(Entry &, Value loss, Value factor, Value iteration)> learn,
                  function_ref<void(Entry &, OpBuilder &, const BatchStatistic &, Value factor)> remember) {
    Entry entry(module, model.getLoc(), name);
    SmallVector<Value> outputs = inlineModel(entry, /*ofAverages=*/false);
    Value label = addLabel(entry, outputs[0]), factor = entry.addScalar(entry.b.getF32Type(), factorName);
    Value iteration = entry.addScalar(entry.b.getI64Type(), "iteration"),
          seed = entry.addScalar(entry.b.getI64Type(), "seed");
    Value loss = addLoss(entry, outputs[0], label);
    if (!loss)
      return false;
    learn(entry, loss, factor, iteration);
    addResults(entry, loss, outputs);
    entry.finish();
    SmallVector<BatchStatistic> statistics = expandTrainingLayers(entry.function, seedOfStep(entry, seed, iteration));
    OpBuilder last(entry.function.front().getTerminator());
    for (const BatchStatistic &statistic : statistics)
      remember(entry, last, statistic, factor);
    return true;
  }

  bool buildStep(OpBuilder &module) {
    return buildBatch(
        module, "step", "learning_rate",
        [&](Entry &entry, Value loss, Value learningRate, Value iteration) {
          SmallVector<Value> gradients = gradientsOf(entry, loss);
          update(entry, gradients, {learningRate, iteration});
        },
        [&](Entry &entry, OpBuilder &b, const BatchStatistic &statistic, Value) {
          graph::GraphBuilder g(b, entry.loc, entry.shapes);
          Value old = entry.read(statistic.state, statistic.batch.getType());
          train::WriteOp::create(b, entry.loc, statistic.state, moved(g, statistic.momentum, old, statistic.batch));
          momenta[statistic.state.getAttr()] = statistic.momentum;
        });
  }

  /// Sums of gradients, and of statistics alike, each weighted by the share of its slice in the batch.
  bool buildGradients(OpBuilder &module) {
    return buildBatch(
        module, "gradients", "weight",
        [&](Entry &entry, Value loss, Value share, Value) {
          graph::GraphBuilder g(entry.b, entry.loc, entry.shapes);
          SmallVector<Value> gradients = gradientsOf(entry, g.mul(loss, share));
          unsigned next = 0;
          for (const Weight &weight : weights)
            if (weight.role == train::Role::parameter)
              entry.write(weight.gradient, g.add(entry.read(weight.gradient, weight.type), gradients[next++]));
        },
        [&](Entry &entry, OpBuilder &b, const BatchStatistic &statistic, Value share) {
          // Right where it is known: the exchange between processes need not wait for the end.
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointAfterValue(statistic.batch);
          graph::GraphBuilder g(b, entry.loc, entry.shapes);
          auto *weight = llvm::find_if(weights, [&](const Weight &one) { return one.name == statistic.state; });
          Value old = entry.read(weight->gradient, weight->type);
          Value batch = g.mul(statistic.batch, g.cast(share, g.element(old)));
          train::WriteOp::create(b, entry.loc, weight->gradient, g.add(old, batch));
        });
  }

  void buildApply(OpBuilder &module) {
    Entry entry(module, model.getLoc(), "apply");
    Value learningRate = entry.addScalar(entry.b.getF32Type(), "learning_rate");
    Value iteration = entry.addScalar(entry.b.getI64Type(), "iteration");
    SmallVector<Value> gradients;
    for (const Weight &weight : weights)
      if (weight.role == train::Role::parameter)
        gradients.push_back(entry.read(weight.gradient, weight.type));
    update(entry, gradients, {learningRate, iteration});
    graph::GraphBuilder g(entry.b, entry.loc, entry.shapes);
    for (const Weight &weight : weights) {
      if (!weight.gradient)
        continue;
      if (auto momentum = momenta.find(weight.name.getAttr()); momentum != momenta.end())
        entry.write(weight.name, moved(g, momentum->second, entry.read(weight.name, weight.type),
                                       entry.read(weight.gradient, weight.type)));
      Value zero = g.scalar(weight.type.getElementType(), 0);
      entry.write(weight.gradient, g.expand(zero, g.shape(entry.read(weight.gradient, weight.type))));
    }
    entry.finish();
  }

  void buildEvaluate(OpBuilder &module) {
    Entry entry(module, model.getLoc(), "evaluate");
    SmallVector<Value> outputs = inlineModel(entry, /*ofAverages=*/true);
    Value label = addLabel(entry, outputs[0]);
    Value loss = addLoss(entry, outputs[0], label);
    addResults(entry, loss, outputs);
    entry.finish();
  }

  void buildPredict(OpBuilder &module) {
    Entry entry(module, model.getLoc(), "predict");
    SmallVector<Value> outputs = inlineModel(entry, /*ofAverages=*/true);
    addResults(entry, nullptr, outputs);
    entry.finish();
  }

  train::ProgramOp program;
  func::FuncOp model, prepare;
  Config config{nullptr}, optimizer{nullptr};
  SmallVector<OptimizerSlot> slots;
  SmallVector<Weight> weights;
  /// Of the statistics that a step updates.
  llvm::DenseMap<StringAttr, double> momenta;
};

} // namespace
