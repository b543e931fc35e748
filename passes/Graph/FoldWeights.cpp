//===- FoldWeights.cpp - what depends on weights alone is computed at compile time
//---------------------------------===//
//
// Ops are visited in order. One is foldable if the compiler can evaluate it, each operand is a weight, a constant or
// foldable, and its result is not much larger than the weights behind it: a broadcast is cheaper than its bytes. A
// foldable op with a user that is not becomes a parameter, with a copy of all that it needs as its body. It then counts
// as a weight itself, so that nothing is evaluated twice.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "passes/Graph/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/IRMapping.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHFOLDWEIGHTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

struct FoldWeights final : mlc::impl::GraphFoldWeightsPassBase<FoldWeights> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      findFoldable(function);
      function.walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (isRoot(op))
          roots.push_back(op);
      });
      for (Operation *op : roots)
        fold(op, symbols);
      for (Operation *op : llvm::reverse(dead))
        if (op->use_empty())
          op->erase();
      weightBytes.clear();
      roots.clear();
      dead.clear();
    }
  }

private:
  /// Weights, constants and foldable ops get the bytes of the weights that they are computed from.
  void findFoldable(func::FuncOp function) {
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->getNumResults() != 1 || !isEvaluable(op))
        return;
      int64_t result = getByteSize(cast<RankedTensorType>(op->getResult(0).getType())), behind = 0;
      for (Value operand : op->getOperands()) {
        auto it = weightBytes.find(operand.getDefiningOp());
        if (it == weightBytes.end())
          return;
        behind += it->second;
      }
      if (isa<WeightOp>(op))
        behind = result;
      if (!isa<WeightOp, ConstantOp>(op) && result > 2 * behind)
        return;
      weightBytes[op] = behind;
    });
  }

  bool isFoldable(Operation *op) { return weightBytes.contains(op) && !isa<WeightOp, ConstantOp>(op); }

  bool isRoot(Operation *op) {
    return isFoldable(op) && llvm::any_of(op->getUsers(), [&](Operation *user) { return !isFoldable(user); });
  }

  void fold(Operation *root, SymbolTable &symbols) {
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true;
    llvm::SetVector<Operation *> ops; // in an order in which each stands behind its operands
    (void)getBackwardSlice(root, &ops, options);
    ParameterOp first; // of the weights, the one whose name the result gets; the last declared, to stand behind all
    std::string name;
    for (Operation *op : ops)
      if (auto weight = dyn_cast<WeightOp>(op)) {
        auto parameter = symbols.lookup<ParameterOp>(weight.getParameter());
        if (!first)
          name = (parameter.getSymName() + (parameter.getBody().empty() ? ".folded" : "")).str();
        if (!first || first->isBeforeInBlock(parameter))
          first = parameter;
      }
    OpBuilder builder(first);
    builder.setInsertionPointAfter(first);
    Type type = root->getResult(0).getType();
    auto parameter = ParameterOp::create(builder, root->getLoc(), builder.getStringAttr(name), TypeAttr::get(type),
                                         nullptr, nullptr);
    FlatSymbolRefAttr symbol = FlatSymbolRefAttr::get(symbols.insert(parameter));
    OpBuilder inside = OpBuilder::atBlockBegin(&parameter.getBody().emplaceBlock());
    IRMapping copies;
    for (Operation *op : ops)
      inside.clone(*op, copies);
    YieldOp::create(inside, root->getLoc(), copies.lookup(root->getResult(0)));

    builder.setInsertionPoint(root);
    auto weight = WeightOp::create(builder, root->getLoc(), type, symbol);
    root->getResult(0).replaceAllUsesWith(weight);
    dead.insert(ops.begin(), ops.end());
    ++numFolded;
  }

  llvm::DenseMap<Operation *, int64_t> weightBytes;
  SmallVector<Operation *> roots;
  llvm::SetVector<Operation *> dead;
};

} // namespace
