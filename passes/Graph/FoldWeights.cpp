//===- FoldWeights.cpp - what depends on weights alone is computed at compile time --------------------------------===//
//
// Ops are visited in order. One is foldable if the compiler can evaluate it, each operand is a weight, a constant or
// foldable, and its result is not much larger than what is behind it: a broadcast is cheaper than its bytes. A
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
      small.clear();
      foldable.clear();
      roots.clear();
      dead.clear();
    }
  }

private:
  /// Weights, constants and foldable ops get the bytes of what they are computed from.
  void findFoldable(func::FuncOp function) {
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->getNumResults() != 1 || !isEvaluable(op))
        return;
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      int64_t result = getByteSize(type), behind = 0;
      for (Value operand : op->getOperands()) {
        auto it = weightBytes.find(operand.getDefiningOp());
        if (it == weightBytes.end())
          return;
        behind += it->second;
      }
      // Integers that no weight is behind are sizes; other folds know them.
      if (isa<WeightOp>(op) || (isa<ConstantOp>(op) && isa<FloatType>(type.getElementType())))
        behind = result;
      weightBytes[op] = behind;
      // A weight must not grow by much. Dequantized ones do: as floats they can be packed, and are read as they are.
      if (isa<WeightOp, ConstantOp>(op) || result <= 2 * behind || isa<DequantizeOp>(op))
        small.insert(op);
    });
  }

  /// Whether a weight is made of `op`, or of all that it is read for: what is large by itself may end in a sum.
  bool isFoldable(Operation *op) {
    if (isa<WeightOp, ConstantOp>(op) || !weightBytes.contains(op))
      return false;
    auto [it, isNew] = foldable.try_emplace(op, false);
    if (isNew) {
      bool result =
          small.contains(op) || llvm::all_of(op->getUsers(), [&](Operation *user) { return isFoldable(user); });
      foldable[op] = result;
    }
    return foldable.lookup(op);
  }

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
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    if (first)
      builder.setInsertionPointAfter(first);
    else
      name = "constant.folded";
    auto type = cast<RankedTensorType>(root->getResult(0).getType());
    auto parameter = ParameterOp::create(builder, root->getLoc(), name, type);
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

  /// What can be evaluated, with the bytes of the weights behind it.
  llvm::DenseMap<Operation *, int64_t> weightBytes;
  /// Of these, what is not much larger than what is behind it.
  llvm::DenseSet<Operation *> small;
  llvm::DenseMap<Operation *, bool> foldable;
  SmallVector<Operation *> roots;
  llvm::SetVector<Operation *> dead;
};

} // namespace
