//===- UnshareDestinations.cpp - a destination of its own for every result
//-----------------------------------------===//
//
// On tensors, right before bufferization: CSE must not run in between.
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
    SmallVector<tensor::InsertSliceOp> inserts;
    getOperation().walk([&](tensor::InsertSliceOp op) { inserts.push_back(op); });
    for (tensor::InsertSliceOp op : inserts) {
      llvm::SetVector<Operation *> own, destination;
      Value value = op.getDest();
      if (succeeded(collect(op.getResult(), own)) || value.hasOneUse() || failed(collect(value, destination)))
        continue;
      OpBuilder b(op);
      IRMapping mapping;
      for (Operation *built : destination)
        b.clone(*built, mapping);
      op.getDestMutable().assign(mapping.lookup(value));
      ++numUnshared;
    }
  }
};

} // namespace
