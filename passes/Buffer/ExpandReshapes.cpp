//===- ExpandReshapes.cpp - views with several computed sizes become casts of their strides ----------------------===//
//
// A `memref.expand_shape` that splits one axis into several of dynamic size is more than the upstream lowering can
// take; its sizes stand beside it, so of a contiguous buffer the strides follow. Precondition: the buffer is
// contiguous.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFEREXPANDRESHAPESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct ExpandReshapes final : mlc::impl::BufferExpandReshapesPassBase<ExpandReshapes> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([&](memref::ExpandShapeOp op) {
      auto type = cast<MemRefType>(op.getResult().getType());
      bool several = llvm::any_of(op.getReassociationIndices(), [&](const ReassociationIndices &group) {
        return llvm::count_if(group, [&](int64_t axis) { return type.isDynamicDim(axis); }) > 1;
      });
      if (!several)
        return WalkResult::advance();
      if (!cast<MemRefType>(op.getSrc().getType()).getLayout().isIdentity()) {
        op.emitOpError("cannot expand a strided buffer into several dynamic sizes");
        return WalkResult::interrupt();
      }
      OpBuilder b(op);
      SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(), strides(sizes.size());
      // Row-major: each stride is the product of the sizes behind it.
      OpFoldResult stride = b.getIndexAttr(1);
      for (size_t axis = sizes.size(); axis-- > 0;) {
        strides[axis] = stride;
        auto known = dyn_cast<Attribute>(stride), size = dyn_cast<Attribute>(sizes[axis]);
        if (known && size)
          stride = b.getIndexAttr(cast<IntegerAttr>(known).getInt() * cast<IntegerAttr>(size).getInt());
        else
          stride = b.createOrFold<arith::MulIOp>(op.getLoc(), getValueOrCreateConstantIndexOp(b, op.getLoc(), stride),
                                                 getValueOrCreateConstantIndexOp(b, op.getLoc(), sizes[axis]));
      }
      Value cast = memref::ReinterpretCastOp::create(b, op.getLoc(), op.getSrc(), OpFoldResult(b.getIndexAttr(0)),
                                                     sizes, strides);
      if (cast.getType() != type)
        cast = memref::CastOp::create(b, op.getLoc(), type, cast);
      op.getResult().replaceAllUsesWith(cast);
      op.erase();
      ++numExpanded;
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
