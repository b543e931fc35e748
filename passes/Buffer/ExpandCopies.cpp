//===- ExpandCopies.cpp - strided copies become loops ------------------------------------------------------------===//
//
// Copies of contiguous buffers stay `memref.copy` and become memcpy; what is strided becomes a linalg.generic, since
// the upstream lowering of it calls a function of MLIR's own runtime.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFEREXPANDCOPIESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct ExpandCopies final : mlc::impl::BufferExpandCopiesPassBase<ExpandCopies> {
  void runOnOperation() override {
    getOperation().walk([&](memref::CopyOp copy) {
      // What was computed in place is there already: equal views are one value after CSE.
      if (copy.getSource() == copy.getTarget()) {
        copy.erase();
        return;
      }
      auto from = cast<MemRefType>(copy.getSource().getType()), to = cast<MemRefType>(copy.getTarget().getType());
      if (from.getLayout().isIdentity() && to.getLayout().isIdentity())
        return;
      OpBuilder b(copy);
      SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(from.getRank()));
      SmallVector<utils::IteratorType> iterators(from.getRank(), utils::IteratorType::parallel);
      linalg::GenericOp::create(
          b, copy.getLoc(), copy.getSource(), copy.getTarget(), maps, iterators,
          [](OpBuilder &b, Location loc, ValueRange args) { linalg::YieldOp::create(b, loc, args[0]); });
      copy.erase();
      ++numExpanded;
    });
  }
};

} // namespace
