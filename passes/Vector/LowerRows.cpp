//===- LowerRows.cpp - kernels over rows as loops over vectors ----------------------------------------------------===//
//
// A row passes once for each reduction that waits for another, and once more for the result: while it does it is in the
// first cache. Short rows (kShortRow vectors) stay in registers altogether. Sums are of several vectors, which are
// added in a fixed order, so results do not depend on threads: those take ranges of rows.
//
// A value that a later pass needs again is computed again where that costs less than kWorthKeeping instructions;
// otherwise it is written to memory in the first pass: into the row of a result that is written later anyway, or onto
// the stack.
//
// Preconditions: the op is alone in a kernel function (buffer-outline-kernels) on memory.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/Passes.h"
#include "passes/Vector/RowBuilder.h"
#include "passes/Vector/Tasks.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORLOWERROWSPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;
using mlc::kernel::RowsOp;

namespace {

/// Instructions on elements that a range of rows should have, some ten microseconds of work.
constexpr int64_t kWorkOfRange = 1 << 18;

struct LowerRows final : mlc::impl::VectorLowerRowsPassBase<LowerRows> {
  using VectorLowerRowsPassBase::VectorLowerRowsPassBase;

  void runOnOperation() override {
    auto calls = callsOf(getOperation());
    SmallVector<RowsOp> ops;
    getOperation().walk([&](RowsOp op) { ops.push_back(op); });
    for (RowsOp op : ops) {
      auto function = op->getParentOfType<func::FuncOp>();
      lower(op, {function, calls.lookup(function)});
      ++numLowered;
    }
  }

  void lower(RowsOp op, const Kernel &kernel) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    RowBuilder builder(a, op, vectorBits);
    Index begin = 0, end = builder.rowCount();
    int64_t grain = std::max<int64_t>(1, kWorkOfRange / std::max<int64_t>(1, builder.workOfRow()));
    bool isSmall = end.isConstant() && end.constant() < 2 * grain;
    if (!isSmall && canRunAsTasks(op, kernel)) {
      std::tie(begin, end) = runAsTasks(op, kernel, grain, [&](Arithmetic &outside, ValueRange operands) {
        return countRows(outside, op, operands);
      });
      ++numParallel;
    }
    a.forEach(begin, end, 1, [&](Index row) { builder.build(row); });
    op.erase();
  }
};

} // namespace
