//===- RecomputeElementwise.cpp - cheap element-wise values are computed where they are read ----------------------===//
//
//   h ─┬─ a = h * c ──┬─ y = a * b        =>      y = (h * c) * (erf(h) + 1)
//      └─ b = erf(h)+1┴─ dx = dy * b + a          dx = dy * (erf(h) + 1) + (h * c)
//
// A derivative reads what the forward part computed on the way, so each of those values has two readers and would go
// through memory: written once, read twice. If all of them follow from one tensor that is in memory anyway, its readers
// compute them again, and linalg-fuse-elementwise makes one loop of each. The cost is arithmetic, at most
// kMostInstructions a vector, which is less than what a vector costs on its way to the last cache and back.
//
// Values that somebody else needs as a tensor (products, reductions) stay: to read them costs no more than to read what
// they follow from.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGRECOMPUTEELEMENTWISEPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// Instructions on a vector, elementary functions counted as polynomials.
constexpr int64_t kMostInstructions = 64, kInstructionsOfFunction = 24;

/// An op on all elements of its result in order, without a memory of its own.
bool isElementwise(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumReductionLoops() || op.getNumDpsInits() != 1 || op.hasIndexSemantics() ||
      !op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>() || !op.getIndexingMapsArray().back().isIdentity() ||
      !op.getBody()->getArguments().back().use_empty())
    return false;
  return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isa_and_present<arith::ArithDialect, math::MathDialect>(inner.getDialect()) && !inner.getNumRegions();
  });
}

struct RecomputeElementwise final : mlc::impl::LinalgRecomputeElementwisePassBase<RecomputeElementwise> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops(getOperation().getOps<linalg::GenericOp>());
    // Readers first: what they compute again needs its own operands again.
    for (linalg::GenericOp op : llvm::reverse(ops))
      if (isWorthRecomputing(op)) {
        recompute(op);
        ++numRecomputed;
      }
  }

  /// The only operand of an element-wise op but for constants, if it has the elements of the result.
  static Value operandOf(linalg::GenericOp op) {
    if (!isElementwise(op))
      return nullptr;
    Value found;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      if (matchPattern(operand->get(), m_Constant()))
        continue;
      if (found || !op.getMatchingIndexingMap(operand).isIdentity())
        return nullptr;
      found = operand->get();
    }
    return found;
  }

  static int64_t instructionsOf(linalg::GenericOp op) {
    int64_t count = 0;
    for (Operation &inner : op.getBody()->without_terminator())
      count += isa<math::MathDialect>(inner.getDialect()) ? kInstructionsOfFunction : 1;
    return count;
  }

  /// Whether every reader is an element-wise op in the same block that reads it in order.
  static bool hasElementwiseReaders(linalg::GenericOp op) {
    return llvm::all_of(op.getResult(0).getUses(), [&](OpOperand &use) {
      auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
      return reader && reader->getBlock() == op->getBlock() && isElementwise(reader) && !reader.isDpsInit(&use) &&
             reader.getMatchingIndexingMap(&use).isIdentity();
    });
  }

  static bool hasSeveralReaders(Value value) { return !value.use_empty() && !llvm::all_equal(value.getUsers()); }

  static bool isWorthRecomputing(linalg::GenericOp op) {
    if (!operandOf(op) || !hasSeveralReaders(op.getResult(0)) || !hasElementwiseReaders(op))
      return false;
    // What it follows from by ops that are computed again as well.
    int64_t cost = 0;
    for (linalg::GenericOp step = op;;) {
      cost += instructionsOf(step);
      Value operand = operandOf(step);
      auto before = operand.getDefiningOp<linalg::GenericOp>();
      if (!before || before->getBlock() != op->getBlock() || !operandOf(before) || !hasElementwiseReaders(before))
        // With one reader it would be part of the op that computes it, and not in memory.
        return cost <= kMostInstructions && hasSeveralReaders(operand);
      step = before;
    }
  }

  /// A copy of `op` for each reader but the last.
  static void recompute(linalg::GenericOp op) {
    llvm::SmallSetVector<Operation *, 4> readers(op->user_begin(), op->user_end());
    for (Operation *reader : ArrayRef(readers.getArrayRef()).drop_back()) {
      OpBuilder b(reader);
      Operation *copy = b.clone(*op);
      reader->replaceUsesOfWith(op.getResult(0), copy->getResult(0));
    }
    op->moveBefore(readers.back());
  }
};

} // namespace
