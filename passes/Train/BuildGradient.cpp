//===- BuildGradient.cpp - the gradients of a model's outputs by its inputs --------------------------------------===//
//
// Next to the model's function f comes one that computes its vector-Jacobian product, which explanations of predictions
// (saliency, integrated gradients) are made of: (inputs…, one cotangent a float output…) -> one gradient a float input.
// What nobody needs of f's outputs is not computed there.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphBuilder.h"
#include "dialects/Graph/ResolvedShapes.h"
#include "passes/Train/Passes.h"

#include "mlir/IR/IRMapping.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINBUILDGRADIENTPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

bool isFloatTensor(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }

/// The name of an argument or a result of the model, behind a prefix.
DictionaryAttr prefixed(OpBuilder &b, StringRef prefix, DictionaryAttr attributes, StringRef otherwise) {
  NamedAttrList list(attributes);
  auto name = dyn_cast_or_null<StringAttr>(list.get("mlc.name"));
  list.set("mlc.name", b.getStringAttr(prefix + (name ? name.getValue() : otherwise)));
  return list.getDictionary(b.getContext());
}

struct BuildGradient final : mlc::impl::TrainBuildGradientPassBase<BuildGradient> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> models;
    for (auto function : module.getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        models.push_back(function);
    if (models.size() != 1 || !llvm::hasSingleElement(models[0].getBody())) {
      module.emitError("requires one public function of one block to differentiate");
      return signalPassFailure();
    }
    if (!build(models[0]))
      signalPassFailure();
  }

  bool build(func::FuncOp model) {
    if (llvm::none_of(model.getArgumentTypes(), isFloatTensor) ||
        llvm::none_of(model.getResultTypes(), isFloatTensor)) {
      model.emitError("requires an input and an output of floats, between which there are gradients");
      return false;
    }
    OpBuilder module(model);
    module.setInsertionPointAfter(model);
    func::FuncOp function = cast<func::FuncOp>(module.clone(*model));
    function.setName("gradient");
    Operation *end = function.front().getTerminator();
    SmallVector<Value> outputs(end->getOperands()), inputs;
    llvm::copy_if(function.getArguments(), std::back_inserter(inputs),
                  [](Value value) { return isFloatTensor(value.getType()); });
    graph::ResolvedShapes shapes = graph::resolveShapes(function);

    // loss = sum(output * cotangent) + …, whose gradient is the vector-Jacobian product.
    OpBuilder b(end);
    graph::GraphBuilder g(b, model.getLoc(), shapes);
    Value loss;
    for (auto [i, output] : llvm::enumerate(outputs)) {
      if (!isFloatTensor(output.getType()))
        continue;
      NamedAttrList named(prefixed(b, "cotangent/", model.getResultAttrDict(i), "output" + std::to_string(i)));
      named.set("mlc.symbols", graph::getSymbols(function, output, shapes));
      unsigned index = function.getNumArguments();
      (void)function.insertArgument(index, output.getType(), named.getDictionary(&getContext()), model.getLoc());
      Value cotangent = function.getArgument(index);
      shapes[cotangent] = g.shape(output); // the runtime checks that they agree
      SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, g.rank(output)));
      Value sum = g.reduce(graph::ReduceKind::sum, g.cast(g.mul(output, cotangent), b.getF32Type()), axes, false);
      loss = loss ? g.add(loss, sum) : sum;
    }
    ValueRange gradients =
        train::GradientOp::create(b, model.getLoc(), ValueRange(inputs).getTypes(), loss, inputs).getResults();
    end->setOperands(gradients);
    function.setFunctionType(
        FunctionType::get(&getContext(), function.getArgumentTypes(), ValueRange(inputs).getTypes()));
    SmallVector<Attribute> results;
    for (auto [i, type] : llvm::enumerate(model.getArgumentTypes()))
      if (isFloatTensor(type))
        results.push_back(prefixed(b, "gradient/", model.getArgAttrDict(i), "input" + std::to_string(i)));
    function.setAllResultAttrs(results);
    return true;
  }
};

} // namespace
