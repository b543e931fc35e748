//===- UnshareDestinations.cpp - a destination of its own for every result
//-----------------------------------------===//
//
// On tensors, right before bufferization: CSE must not run in between. Without it a sum would be written where another
// result belongs, too: the zeros that both start at would be one place. A destination before a loop of which every step
// writes the same part (padding whose borders were filled once) is carried: a copy in each step would be as long as it.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERUNSHAREDESTINATIONSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// Appends the ops that build `value` to `ops`, operands first; fails where something else than a scalar goes into it.
LogicalResult collect(Value value, llvm::SetVector<Operation *> &ops) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<tensor::EmptyOp, linalg::FillOp, tensor::InsertSliceOp, tensor::ExtractSliceOp>(op))
    return failure();
  if (ops.contains(op))
    return success();
  for (Value operand : op->getOperands())
    if (isa<TensorType>(operand.getType()) && failed(collect(operand, ops)))
      return failure();
  ops.insert(op);
  return success();
}

struct UnshareDestinations final : mlc::impl::BufferUnshareDestinationsPassBase<UnshareDestinations> {
  void runOnOperation() override {
    // The last op of a destination is the one that others than destinations use.
    SmallVector<OpOperand *> uses;
    getOperation().walk([&](Operation *op) {
      llvm::SetVector<Operation *> own;
      if (op->getNumResults() == 1 && isa<RankedTensorType>(op->getResult(0).getType()) &&
          succeeded(collect(op->getResult(0), own)))
        return;
      if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
        uses.push_back(&insert.getDestMutable());
      else if (auto structured = dyn_cast<DestinationStyleOpInterface>(op))
        for (OpOperand &init : structured.getDpsInitsMutable())
          uses.push_back(&init);
    });
    for (OpOperand *use : uses) {
      llvm::SetVector<Operation *> destination;
      if (use->get().hasOneUse() || failed(collect(use->get(), destination)))
        continue;
      OpBuilder b(use->getOwner());
      IRMapping mapping;
      for (Operation *built : destination)
        b.clone(*built, mapping);
      use->assign(mapping.lookup(use->get()));
      ++numUnshared;
    }
    SmallVector<tensor::InsertSliceOp> inserts;
    getOperation().walk([&](tensor::InsertSliceOp insert) { inserts.push_back(insert); });
    for (tensor::InsertSliceOp insert : inserts)
      if (isCarriable(insert))
        carry(insert);
  }

  /// Whether every step of a loop writes the same part of a destination that is built before it, for this alone.
  static bool isCarriable(tensor::InsertSliceOp insert) {
    auto loop = dyn_cast<scf::ForOp>(insert->getParentOp());
    llvm::SetVector<Operation *> destination;
    auto isOutside = [&](Value value) { return loop.isDefinedOutsideOfLoop(value); };
    auto writes = [](OpOperand &use) {
      auto structured = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
      return structured && structured.isDpsInit(&use);
    };
    return loop && isOutside(insert.getDest()) && insert.getDest().hasOneUse() &&
           succeeded(collect(insert.getDest(), destination)) && !isa<tensor::EmptyOp>(destination.back()) &&
           llvm::none_of(insert->getUses(), writes) && llvm::all_of(insert.getOffsets(), isOutside) &&
           llvm::all_of(insert.getSizes(), isOutside) && llvm::all_of(insert.getStrides(), isOutside);
  }

  void carry(tensor::InsertSliceOp insert) {
    auto loop = cast<scf::ForOp>(insert->getParentOp());
    IRRewriter rewriter(loop);
    Value result = insert.getResult();
    auto yields = [&](OpBuilder &, Location, ArrayRef<BlockArgument>) { return SmallVector<Value>{result}; };
    if (succeeded(loop.replaceWithAdditionalYields(rewriter, insert.getDest(), /*replaceInitOperandUsesInLoop=*/true,
                                                   yields)))
      ++numCarried;
  }
};

} // namespace
