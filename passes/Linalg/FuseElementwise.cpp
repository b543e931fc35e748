//===- FuseElementwise.cpp - element-wise chains in one loop -----------------------------------------------------===//
//
// A producer moves into its only consumer when each of its elements is read once there, so that nothing is computed
// twice: the consumer's map of the operand is a permutation of its loops. A chain into a reduction of the same elements
// fuses, one into a matmul, which reads every element many times, does not. Nothing moves into a loop.
//
// The steps of a loop are short, and what they compute is read by the next one too: there a producer that has other
// readers behind the consumer moves as well, and the fused op gives its result besides.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGFUSEELEMENTWISEPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// An op that only moves or repeats elements costs nothing to compute again. Into a reduction a transposition does not
/// move: its strided reads would be repeated there, while a copy in the right order is read contiguously.
bool isCheapIn(linalg::GenericOp producer, linalg::GenericOp consumer) {
  if (producer.getNumDpsInputs() != 1 || producer.getBody()->getOperations().size() != 1)
    return false;
  AffineMap map = producer.getMatchingIndexingMap(producer.getDpsInputOperand(0));
  bool transposes = map.isPermutation() && !map.isIdentity();
  return !transposes || consumer.getNumReductionLoops() == 0;
}

/// Whether the producer can be computed where the consumer is, in a step of a loop: the same elements, and every other
/// reader comes later.
bool canJoinInStep(OpOperand *operand) {
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  if (!consumer || !producer || producer->getBlock() != consumer->getBlock() ||
      !isa<scf::ForOp>(consumer->getParentOp()) || consumer.getNumReductionLoops() ||
      !consumer.getMatchingIndexingMap(operand).isIdentity())
    return false;
  for (OpOperand &init : producer.getDpsInitsMutable())
    if (!producer.getMatchingIndexingMap(&init).isIdentity())
      return false;
  return llvm::all_of(producer->getUsers(), [&](Operation *user) {
    return user == consumer || consumer->isBeforeInBlock(consumer->getBlock()->findAncestorOpInBlock(*user));
  });
}

bool readsOnce(OpOperand *operand) {
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  if (!consumer || !producer || producer->getBlock() != consumer->getBlock() || !operand->get().hasOneUse())
    return false;
  return consumer.getMatchingIndexingMap(operand).isPermutation() || isCheapIn(producer, consumer);
}

/// Fuses as upstream's pattern does, and gives the result the names of both.
struct FuseProducer final : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::GenericOp consumer, PatternRewriter &rewriter) const override {
    for (OpOperand &operand : consumer->getOpOperands()) {
      bool joins = canJoinInStep(&operand);
      if (!linalg::areElementwiseOpsFusable(&operand) || (!joins && !readsOnce(&operand)))
        continue;
      Operation *producer = operand.get().getDefiningOp();
      Location both = rewriter.getFusedLoc({producer->getLoc(), consumer.getLoc()});
      FailureOr<linalg::ElementwiseOpFusionResult> fused = linalg::fuseElementwiseOps(rewriter, &operand);
      if (failed(fused))
        return rewriter.notifyMatchFailure(consumer, "cannot be fused with its producer");
      fused->fusedOp->setLoc(both);
      for (auto [value, replacement] : fused->replacements)
        rewriter.replaceUsesWithIf(value, replacement, [&](OpOperand &use) {
          bool isOfProducer = use.get().getDefiningOp() == producer;
          return !isOfProducer || (joins && use.getOwner() != fused->fusedOp);
        });
      rewriter.eraseOp(consumer);
      if (joins && producer->use_empty())
        rewriter.eraseOp(producer);
      return success();
    }
    return rewriter.notifyMatchFailure(consumer, "no producer that is read once");
  }
};

struct FuseElementwise final : mlc::impl::LinalgFuseElementwisePassBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseProducer>(&getContext(), /*benefit=*/2);
    linalg::populateElementwiseOpsFusionPatterns(patterns, readsOnce);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
