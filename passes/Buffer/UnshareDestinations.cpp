//===- UnshareDestinations.cpp - a destination of its own for every result
//-----------------------------------------===//
//
// On tensors, right before bufferization: CSE must not run in between. Without it a sum would be written where another
// result belongs, too: the zeros that both start at would be one place.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
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
  }
};

} // namespace
