//===- Winograd.cpp - convolutions by tiles become five contractions ----------------------------------------------===//
//
// With B, A of F(4×4, 3×3) and tiles d of 6×6 elements that overlap by two:
//   rows     t[n, y, i, x c]     = sum over a of B[i, a] d[n, 4 y + a, x c]
//   columns  v[i, j, n, y, x, c] = sum over b of B[j, b] t[n, y, i, 4 x + b, c]
//   products m[i, j, t, f]       = sum over c of v[i, j, t, c] u[i, j, c, f]
//   rows     r[p, j t f]         = sum over i of A[p, i] m[i, j t f]
//   columns  o[n, y, p, x, q, f] = sum over j of A[q, j] r[p, j, n, y, x, f]
// Each is a sum of products, so register tiles do the transformations too.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

constexpr float kInput[36] = {4, 0,  -5, 0, 1, 0, 0, -4, -4, 1,  1, 0, 0, 4, -4, -1, 1, 0,
                              0, -2, -1, 2, 1, 0, 0, 2,  -1, -2, 1, 0, 0, 4, 0,  -5, 0, 1};
constexpr float kOutput[24] = {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1};

struct LowerWinogradConv final : GraphPattern<WinogradConvOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(WinogradConvOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    SizeBuilder &sizes = lower.sizes;
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), shape = shapeOf(op);
    Size images = inputShape[0], inner = inputShape[3], outer = shape[3], zero = sizes.constant(0);
    auto number = [&](int64_t value) { return sizes.constant(value); };
    Size high = sizes.ceilDiv(shape[1], number(4)), wide = sizes.ceilDiv(shape[2], number(4));
    Size height = sizes.add(sizes.mul(high, number(4)), number(2)),
         width = sizes.add(sizes.mul(wide, number(4)), number(2));
    ArrayRef<int64_t> pads = op.getPads();
    Shape low{zero, number(pads[0]), number(pads[1]), zero};
    Shape above{zero, sizes.sub(sizes.sub(height, inputShape[1]), low[1]),
                sizes.sub(sizes.sub(width, inputShape[2]), low[2]), zero};
    Shape padded;
    Value zeroValue = lower.scalar(rewriter.getF32Type(), 0);
    Value d = surround(lower, adaptor.getInput(), inputShape, low, above, zeroValue, padded);
    Value input = matrix(lower, {6, 6}, kInput), output = matrix(lower, {4, 6}, kOutput);

    auto dim = [&](int64_t i) { return rewriter.getAffineDimExpr(i); };
    auto number6 = number(6), number4 = number(4);
    Size count = sizes.mul(sizes.mul(images, high), wide);
    d = collapse(lower, d, {{0}, {1}, {2, 3}});
    Value t = contract(lower, input, {dim(2), dim(4)}, d, {dim(0), dim(1) * 4 + dim(4), dim(3)},
                       {images, high, number6, sizes.mul(width, inner)}, 5);
    t = expand(lower, t, {{0}, {1}, {2}, {3, 4}}, {images, high, number6, width, inner});
    Value v = contract(lower, input, {dim(1), dim(6)}, t, {dim(2), dim(3), dim(0), dim(4) * 4 + dim(6), dim(5)},
                       {number6, number6, images, high, wide, inner}, 7);
    v = collapse(lower, v, {{0}, {1}, {2, 3, 4}, {5}});
    Value m = contract(lower, v, {dim(0), dim(1), dim(2), dim(4)}, adaptor.getFilter(),
                       {dim(0), dim(1), dim(4), dim(3)}, {number6, number6, count, outer}, 5);
    m = collapse(lower, m, {{0}, {1, 2, 3}});
    Size rest = sizes.mul(sizes.mul(number6, count), outer);
    Value r = contract(lower, output, {dim(0), dim(2)}, m, {dim(2), dim(1)}, {number4, rest}, 3);
    r = expand(lower, r, {{0}, {1, 2, 3, 4, 5}}, {number4, number6, images, high, wide, outer});
    Value o = contract(lower, output, {dim(4), dim(6)}, r, {dim(2), dim(6), dim(0), dim(1), dim(3), dim(5)},
                       {images, high, number4, wide, number4, outer}, 7);
    o = collapse(lower, o, {{0}, {1, 2}, {3, 4}, {5}});
    RankedTensorType type = convertedType(op);
    if (o.getType() != type) {
      SmallVector<OpFoldResult> offsets(4, zero), extents(shape.begin(), shape.end()), steps(4, number(1));
      o = tensor::ExtractSliceOp::create(rewriter, op.getLoc(), type, o, offsets, extents, steps);
    }
    rewriter.replaceOp(op, o);
    return success();
  }

private:
  static Value matrix(Lowering &lower, ArrayRef<int64_t> shape, ArrayRef<float> values) {
    auto type = RankedTensorType::get(shape, lower.b.getF32Type());
    return arith::ConstantOp::create(lower.b, lower.loc, DenseElementsAttr::get(type, values));
  }

  static Value collapse(Lowering &lower, Value value, ArrayRef<ReassociationIndices> groups) {
    return tensor::CollapseShapeOp::create(lower.b, lower.loc, value, groups);
  }

  static Value expand(Lowering &lower, Value value, ArrayRef<ReassociationIndices> groups, ArrayRef<Size> shape) {
    auto type = RankedTensorType::get(getStaticSizes(shape), lower.b.getF32Type());
    return tensor::ExpandShapeOp::create(lower.b, lower.loc, type, value, groups,
                                         SmallVector<OpFoldResult>(shape.begin(), shape.end()));
  }

  /// result[loops but the last] = sum over the last of `loops` loops of lhs * rhs
  static Value contract(Lowering &lower, Value lhs, ArrayRef<AffineExpr> lhsAxes, Value rhs,
                        ArrayRef<AffineExpr> rhsAxes, ArrayRef<Size> shape, int64_t loops) {
    OpBuilder &b = lower.b;
    auto type = RankedTensorType::get(getStaticSizes(shape), b.getF32Type());
    SmallVector<AffineMap> maps{AffineMap::get(loops, 0, lhsAxes, b.getContext()),
                                AffineMap::get(loops, 0, rhsAxes, b.getContext()),
                                b.getMultiDimIdentityMap(loops).getMajorSubMap(loops - 1)};
    SmallVector<utils::IteratorType> iterators(loops - 1, utils::IteratorType::parallel);
    iterators.push_back(utils::IteratorType::reduction);
    Value init = lower.filled(type, shape, lower.scalar(b.getF32Type(), 0));
    return linalg::GenericOp::create(b, lower.loc, type, ValueRange{lhs, rhs}, init, maps, iterators,
                                     [](OpBuilder &b, Location loc, ValueRange args) {
                                       Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                                       linalg::YieldOp::create(b, loc,
                                                               Value(arith::AddFOp::create(b, loc, args[2], product)));
                                     })
        .getResult(0);
  }
};

} // namespace

void mlc::graph::populateWinogradLowering(RewritePatternSet &patterns, const TypeConverter &converter,
                                          const ResolvedShapes &shapes) {
  patterns.add<LowerWinogradConv>(converter, patterns.getContext(), shapes);
}
