//===- InterchangeLoops.cpp - a parallel loop over contiguous elements goes innermost ----------------------------===//
//
// For ops with reductions only: what is all parallel is contiguous in its result already. The order of the reduction
// loops among themselves stays, so results do not change by a bit. What is read along its last reduction stays: it is
// vectorised there.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGINTERCHANGELOOPSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// Below this size a loop is not worth to be the vectorised one.
constexpr int64_t kSmallestInnerLoop = 4;

/// How an operand moves when loop `dim` advances by one: by nothing or one element (2), by a larger constant in its
/// last axis (1), or across rows (0).
int contiguity(AffineMap map, unsigned dim) {
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(dim))
      continue;
    if (axis + 1 != map.getNumResults())
      return 0;
    AffineExpr zero = getAffineConstantExpr(0, map.getContext()), one = getAffineConstantExpr(1, map.getContext());
    AffineExpr step = simplifyAffineExpr(expr.replace(getAffineDimExpr(dim, map.getContext()), one) -
                                             expr.replace(getAffineDimExpr(dim, map.getContext()), zero),
                                         map.getNumDims(), 0);
    auto constant = dyn_cast<AffineConstantExpr>(step);
    return constant && constant.getValue() == 1 ? 2 : 1;
  }
  return 2;
}

struct InterchangeLoops final : mlc::impl::LinalgInterchangeLoopsPassBase<InterchangeLoops> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.getNumReductionLoops() && op.getNumParallelLoops())
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      std::optional<unsigned> inner = chooseInner(op);
      if (!inner || readsAlongReduction(op, *inner))
        continue;
      // Parallel loops, then reductions, then the chosen one.
      SmallVector<unsigned> order;
      for (auto kind : {utils::IteratorType::parallel, utils::IteratorType::reduction})
        for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
          if (iterator == kind && dim != *inner)
            order.push_back(dim);
      order.push_back(*inner);
      rewriter.setInsertionPoint(op);
      if (succeeded(linalg::interchangeGenericOp(rewriter, op, order)))
        ++numInterchanged;
    }
  }

  /// Whether every input lies along the last reduction, while some would be read across rows in loop `inner`: such sums
  /// are split into lanes where they are (linalg-reassociate-sums).
  static bool readsAlongReduction(linalg::GenericOp op, unsigned inner) {
    unsigned last = op.getNumLoops() - 1;
    if (op.getIteratorTypesArray()[last] != utils::IteratorType::reduction)
      return false;
    auto all = [&](unsigned loop) {
      return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
        return contiguity(op.getMatchingIndexingMap(operand), loop) == 2;
      });
    };
    Type element = getElementTypeOrSelf(op.getDpsInits()[0].getType());
    return isa<FloatType>(element) && !op.hasIndexSemantics() && all(last) && !all(inner);
  }

  static std::optional<unsigned> chooseInner(linalg::GenericOp op) {
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    std::optional<unsigned> best;
    int bestScore = -1;
    for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
      if (iterator != utils::IteratorType::parallel ||
          (!ShapedType::isDynamic(sizes[dim]) && sizes[dim] < kSmallestInnerLoop))
        continue;
      int score = 0;
      bool writesContiguously = true;
      for (OpOperand &operand : op->getOpOperands()) {
        int way = contiguity(op.getMatchingIndexingMap(&operand), dim);
        score += way;
        if (op.isDpsInit(&operand))
          writesContiguously &= way == 2;
      }
      if (writesContiguously && score >= bestScore) {
        bestScore = score;
        best = dim;
      }
    }
    return best;
  }
};

} // namespace
