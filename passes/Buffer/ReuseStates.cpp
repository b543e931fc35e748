//===- ReuseStates.cpp - the new state of a loop is computed where the old one is
//-----------------------------------===//
//
// A loop that keeps a state copies the new one over the old one. Where an element-wise op computes the new state, it
// writes it there itself, if nothing reads the old one later and the op itself reads it element by element.
//
// On tensors, right before bufferization, which copies again where this is not enough.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERREUSESTATESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct ReuseStates final : mlc::impl::BufferReuseStatesPassBase<ReuseStates> {
  void runOnOperation() override {
    SmallVector<linalg::CopyOp> copies;
    getOperation().walk([&](linalg::CopyOp copy) {
      if (auto state = dyn_cast<BlockArgument>(copy.getOutputs()[0]);
          state && isa<scf::ForOp>(state.getOwner()->getParentOp()) && copy->getBlock() == state.getOwner())
        copies.push_back(copy);
    });
    for (linalg::CopyOp copy : copies)
      reuse(copy, cast<BlockArgument>(copy.getOutputs()[0]));
  }

  void reuse(linalg::CopyOp copy, BlockArgument state) {
    auto result = dyn_cast<OpResult>(copy.getInputs()[0]);
    auto op = result ? dyn_cast<linalg::GenericOp>(result.getOwner()) : linalg::GenericOp();
    if (!op || op->getBlock() != state.getOwner() || op.getNumReductionLoops() || op.hasIndexSemantics() ||
        result.getType() != state.getType())
      return;
    OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
    if (!init->get().getDefiningOp<tensor::EmptyOp>() || !op.getMatchingIndexingMap(init).isIdentity())
      return;
    for (OpOperand &use : state.getUses()) {
      Operation *user = use.getOwner();
      if (user == copy)
        continue;
      if (user == op) {
        if (!op.isDpsInput(&use) || !op.getMatchingIndexingMap(&use).isIdentity())
          return;
        continue;
      }
      // A view could be read behind the op.
      if (!isa<linalg::LinalgOp, mlc::kernel::ContractOp, mlc::kernel::RowsOp>(user) ||
          user->getBlock() != op->getBlock() || !user->isBeforeInBlock(op))
        return;
    }
    init->set(state);
    copy.getResult(0).replaceAllUsesWith(result);
    copy.erase();
    ++numReused;
  }
};

} // namespace
