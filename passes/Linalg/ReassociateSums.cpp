//===- ReassociateSums.cpp - sums along the innermost loop may be split into lanes --------------------------------===//
//
// A sum whose innermost loop is a reduction has one chain of dependent additions; LLVM keeps its order unless told that
// it may not matter. Only the op that combines with the accumulator is relaxed: what it adds up is computed as written.
// The order is chosen at compile time, so results do not depend on threads. Runs after linalg-interchange-loops.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGREASSOCIATESUMSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct ReassociateSums final : mlc::impl::LinalgReassociateSumsPassBase<ReassociateSums> {
  void runOnOperation() override {
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.getNumLoops() == 0 || op.getIteratorTypesArray().back() != utils::IteratorType::reduction)
        return;
      for (Value yielded : op.getBody()->getTerminator()->getOperands())
        if (Operation *combiner = yielded.getDefiningOp();
            isa_and_present<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp>(combiner)) {
          combiner->setAttr("fastmath", arith::FastMathFlagsAttr::get(&getContext(), arith::FastMathFlags::reassoc));
          ++numRelaxed;
        }
    });
  }
};

} // namespace
