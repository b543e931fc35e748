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

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

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
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> calls;
    for (auto function : module.getOps<func::FuncOp>())
      function.walk([&](func::CallOp call) {
        if (auto kernel = symbols.lookup<func::FuncOp>(call.getCallee()))
          calls[kernel].push_back(call);
      });
    SmallVector<RowsOp> ops;
    module.walk([&](RowsOp op) { ops.push_back(op); });
    for (RowsOp op : ops) {
      auto kernel = op->getParentOfType<func::FuncOp>();
      lower(op, kernel.isPrivate() ? kernel : nullptr, calls.lookup(kernel));
      ++numLowered;
    }
  }

  void lower(RowsOp op, func::FuncOp kernel, ArrayRef<func::CallOp> calls) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    RowBuilder builder(a, op, vectorBits);
    Index begin = 0, end = builder.rowCount();
    int64_t grain = std::max<int64_t>(1, kWorkOfRange / std::max<int64_t>(1, builder.workOfRow()));
    bool parallel = kernel && !(end.isConstant() && end.constant() < 2 * grain) &&
                    llvm::all_of(op.getOperands(), llvm::IsaPred<BlockArgument>);
    if (parallel) {
      auto index = b.getIndexType();
      unsigned first = kernel.getNumArguments();
      (void)kernel.insertArguments({first, first}, {index, index}, {DictionaryAttr(), DictionaryAttr()},
                                   {kernel.getLoc(), kernel.getLoc()});
      begin = Value(kernel.getArgument(first));
      end = Value(kernel.getArgument(first + 1));
      for (func::CallOp call : calls) {
        OpBuilder caller(call);
        Arithmetic outside(caller, call.getLoc());
        SmallVector<Value> operands;
        for (Value operand : op.getOperands())
          operands.push_back(call.getOperand(cast<BlockArgument>(operand).getArgNumber()));
        Value count = outside.value(countRows(outside, op, operands));
        Value frame = call->getParentOfType<func::FuncOp>().getArgument(0);
        mlc::rt::ParallelForOp::create(caller, call.getLoc(), frame, call.getCalleeAttr().getLeafReference(),
                                       call.getOperands(), count, static_cast<uint64_t>(grain));
        call.erase();
      }
      ++numParallel;
    }
    a.forEach(begin, end, 1, [&](Index row) { builder.build(row); });
    op.erase();
  }
};

} // namespace
