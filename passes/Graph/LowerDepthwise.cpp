//===- LowerDepthwise.cpp - depthwise convolutions of images ------------------------------------------------------===//
//
// They become contractions that read their input where it is: what lies outside of it counts as zero, and no padded
// copy is made. With the channels first vectors lie along the lines of the image, with the channels last along the
// channels (passes/Vector/Depthwise.h). What is not covered (half types, sizes of a run, large windows) stays.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Graph/LayoutRegions.h"
#include "passes/Graph/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHLOWERDEPTHWISEPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

struct LowerDepthwise final : mlc::impl::GraphLowerDepthwisePassBase<LowerDepthwise> {
  void runOnOperation() override {
    SmallVector<ConvOp> ops;
    getOperation().walk([&](ConvOp op) {
      if (op.getChannelsLast() ? isDepthwiseAlongChannels(op) : isDepthwiseAlongLines(op))
        ops.push_back(op);
    });
    for (ConvOp op : ops) {
      lower(op);
      ++numLowered;
    }
  }

  /// Loops: those of the result, then the window's.
  static void lower(ConvOp op) {
    OpBuilder b(op);
    auto type = cast<RankedTensorType>(op.getType());
    ArrayRef<int64_t> filter = cast<RankedTensorType>(op.getFilter().getType()).getShape();
    auto dim = [&](unsigned loop) { return b.getAffineDimExpr(loop); };
    unsigned first = op.getChannelsLast() ? 1 : 2;
    AffineExpr channel = dim(op.getChannelsLast() ? 3 : 1);
    SmallVector<AffineExpr> out{dim(0), dim(1), dim(2), dim(3)}, in(out), taps{channel, b.getAffineConstantExpr(0)};
    SmallVector<int64_t> sizes(type.getShape());
    for (unsigned axis = 0; axis < 2; ++axis) {
      in[first + axis] =
          dim(first + axis) * op.getStrides()[axis] + dim(4 + axis) * op.getDilations()[axis] - op.getPads()[axis];
      taps.push_back(dim(4 + axis));
      sizes.push_back(filter[2 + axis]);
    }
    auto mapOf = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(6, 0, exprs, b.getContext()); };
    Value init = tensor::EmptyOp::create(b, op.getLoc(), type.getShape(), type.getElementType());
    auto contract = mlc::kernel::ContractOp::create(
        b, op.getLoc(), TypeRange{type}, op.getInput(), op.getFilter(), ValueRange{}, init,
        b.getAffineMapArrayAttr({mapOf(in), mapOf(taps), mapOf(out)}), /*parallel=*/4, sizes,
        /*tile=*/DenseI64ArrayAttr(), /*packed=*/false, /*granule=*/1,
        /*lhs_unsigned=*/false, /*rhs_unsigned=*/false, /*lhs_flipped=*/false, /*bounded=*/true,
        /*triangle=*/{});
    Block *body = b.createBlock(&contract.getEpilogue());
    Value sum = body->addArgument(type.getElementType(), op.getLoc());
    mlc::kernel::YieldOp::create(b, op.getLoc(), sum);
    op.getResult().replaceAllUsesWith(contract.getResult(0));
    op.erase();
  }
};

} // namespace
