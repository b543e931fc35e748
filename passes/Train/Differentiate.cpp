//===- Differentiate.cpp - gradients become the ops that compute them --------------------------------------------===//
//
// From the loss back through the ops of the block (`Reverse`); only what lies between a `wrt` value and the loss is
// visited. Cost: linear in the ops of the block.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/Reverse.h"
#include "dialects/Graph/ScanBuilder.h"
#include "passes/Train/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINDIFFERENTIATEPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;
using mlc::train::GradientOp;
namespace train = mlc::train;

namespace {

struct Differentiate final : mlc::impl::TrainDifferentiatePassBase<Differentiate> {
  void runOnOperation() override {
    SmallVector<GradientOp> ops;
    getOperation().walk([&](GradientOp op) { ops.push_back(op); });
    if (ops.empty())
      return markAllAnalysesPreserved();
    for (GradientOp op : ops) {
      // Anew each time: what a gradient of a gradient walks through was just made.
      ResolvedShapes shapes = resolveShapes(getOperation());
      if (failed(expand(op, shapes)))
        return signalPassFailure();
      ++numExpanded;
    }
    isolateScans(getOperation());
  }

  static LogicalResult expand(GradientOp op, ResolvedShapes &shapes) {
    OpBuilder b(op);
    Reverse reverse(b, shapes);
    GraphBuilder graph(b, op.getLoc(), shapes);
    reverse.add(op.getLoss(), graph.scalarLike(op.getLoss(), 1), op.getLoc());
    if (failed(reverse.run(op->getBlock(), op->getIterator(), op.getWrt())))
      return failure();
    for (auto [wrt, result] : llvm::zip(op.getWrt(), op.getGradients())) {
      SmallVector<Operation *> users(result.getUsers());
      result.replaceAllUsesWith(reverse.finish(wrt, op.getLoc()));
      for (Operation *user : users)
        if (train::WriteOp write = writeOf(user)) {
          moveUp(user);
          write->moveAfter(user);
        }
    }
    op.erase();
    return success();
  }

  /// The write of a state that `op` computes from the old one and nobody else reads; null otherwise.
  static train::WriteOp writeOf(Operation *op) {
    auto write =
        isMemoryEffectFree(op) && op->hasOneUse() ? dyn_cast<train::WriteOp>(*op->user_begin()) : train::WriteOp();
    if (!write)
      return nullptr;
    auto isOther = [&](train::ReadOp read) {
      return read.getState() == write.getState() &&
             llvm::any_of(read->getUsers(), [&](Operation *user) { return user != op; });
    };
    return llvm::any_of(op->getBlock()->getOps<train::ReadOp>(), isOther) ? train::WriteOp() : write;
  }

  /// To behind the operand that is computed last: a sum of gradients is complete when its gradient is, and neither it
  /// nor what it is computed of has to be kept until the others are.
  static void moveUp(Operation *op) {
    Operation *last = nullptr;
    for (Value operand : op->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      if (definition && definition->getBlock() == op->getBlock() && (!last || last->isBeforeInBlock(definition)))
        last = definition;
    }
    if (last)
      op->moveAfter(last);
  }
};

} // namespace
