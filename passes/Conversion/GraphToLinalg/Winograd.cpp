//===- Winograd.cpp - convolutions by tiles, and their gradients, become contractions -----------------------------===//
//
// With B, A of F(4×4, 3×3) and tiles d of 6×6 elements that overlap by two:
//   rows     t[n, y, i, x c]     = sum over a of B[i, a] d[n, 4 y + a, x c]
//   columns  v[i, j, n, y, x, c] = sum over b of B[j, b] t[n, y, i, 4 x + b, c]
//   products m[i, j, t, f]       = sum over c of v[i, j, t, c] u[i, j, c, f]
//   rows     r[p, j t f]         = sum over i of A[p, i] m[i, j t f]
//   columns  o[n, y, p, x, q, f] = sum over j of A[q, j] r[p, j, n, y, x, f]
// The filter u is made of w in the same way: u[i, j, c, f] = sum over a, b of G[i, a] G[j, b] w[f, c, a, b].
// Its gradient is a correlation of the tiles d with tiles of the cotangent, 4×4 that do not overlap: with the same B,
// K and P of F(3×3, 4×4) in the place of G and A,
//   rows, columns  z[i, j, n, y, x, f] = sum over p, q of K[i, p] K[j, q] dy[n, 4 y + p, 4 x + q, f]
//   products       m[i, j, c, f]       = sum over t of v[i, j, t, c] z[i, j, t, f]
//   rows, columns  dw[c, a, b, f]      = sum over i, j of P[a, i] P[b, j] m[i, j, c, f]
// In a training program a convolution whose filter is small takes a block of images at a time through all steps, so
// that the transformed tiles stay in the second cache. But where the gradient of the filter reads the same v, it is
// made once, for all images. Each is a sum of products, so register tiles do the transformations too. Filters have the
// channels that lanes run over innermost, so they are turned by two axes alone, which takes squares of vectors.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

// For the points 0, 1, -1, 2, -2 and infinity.
constexpr float kInput[36] = {4, 0,  -5, 0, 1, 0, 0, -4, -4, 1,  1, 0, 0, 4, -4, -1, 1, 0,
                              0, -2, -1, 2, 1, 0, 0, 2,  -1, -2, 1, 0, 0, 4, 0,  -5, 0, 1};
constexpr float kOutput[24] = {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1};
constexpr float kFilter[18] = {1 / 4.0f,  0,          0,         -1 / 6.0f, -1 / 6.0f, -1 / 6.0f,
                               -1 / 6.0f, 1 / 6.0f,   -1 / 6.0f, 1 / 24.0f, 1 / 12.0f, 1 / 6.0f,
                               1 / 24.0f, -1 / 12.0f, 1 / 6.0f,  0,         0,         1};
constexpr float kCotangent[24] = {1 / 4.0f,  0,         0,         0,        -1 / 6.0f, -1 / 6.0f,
                                  -1 / 6.0f, -1 / 6.0f, -1 / 6.0f, 1 / 6.0f, -1 / 6.0f, 1 / 6.0f,
                                  1 / 24.0f, 1 / 12.0f, 1 / 6.0f,  1 / 3.0f, 1 / 24.0f, -1 / 12.0f,
                                  1 / 6.0f,  -1 / 3.0f, 0,         0,        0,         1};
constexpr float kFilterGradient[18] = {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 1};

Value matrix(Lowering &lower, ArrayRef<int64_t> shape, ArrayRef<float> values) {
  auto type = RankedTensorType::get(shape, lower.b.getF32Type());
  return arith::ConstantOp::create(lower.b, lower.loc, DenseElementsAttr::get(type, values));
}

Value collapse(Lowering &lower, Value value, ArrayRef<ReassociationIndices> groups) {
  return tensor::CollapseShapeOp::create(lower.b, lower.loc, value, groups);
}

Value expand(Lowering &lower, Value value, ArrayRef<ReassociationIndices> groups, ArrayRef<Size> shape) {
  auto type = RankedTensorType::get(getStaticSizes(shape), lower.b.getF32Type());
  return tensor::ExpandShapeOp::create(lower.b, lower.loc, type, value, groups,
                                       SmallVector<OpFoldResult>(shape.begin(), shape.end()));
}

/// result[loops but the last] = sum over the last of `loops` loops of lhs * rhs
Value contract(Lowering &lower, Value lhs, ArrayRef<AffineExpr> lhsAxes, Value rhs, ArrayRef<AffineExpr> rhsAxes,
               ArrayRef<Size> shape, int64_t loops) {
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

/// `shape` are the sizes of the result.
Value transpose(Lowering &lower, Value value, ArrayRef<int64_t> order, ArrayRef<Size> shape) {
  auto type = RankedTensorType::get(getStaticSizes(shape), lower.b.getF32Type());
  return linalg::TransposeOp::create(lower.b, lower.loc, value, lower.empty(type, shape), order).getResult()[0];
}

/// The transformed tiles v of an input, for results of `high` by `wide` tiles.
Value transformInput(Lowering &lower, Value input, ArrayRef<Size> inputShape, ArrayRef<int64_t> pads, Size high,
                     Size wide) {
  SizeBuilder &sizes = lower.sizes;
  auto number = [&](int64_t value) { return sizes.constant(value); };
  auto dim = [&](int64_t i) { return lower.b.getAffineDimExpr(i); };
  Size images = inputShape[0], inner = inputShape[3], zero = number(0), six = number(6);
  Size height = sizes.add(sizes.mul(high, number(4)), number(2)),
       width = sizes.add(sizes.mul(wide, number(4)), number(2));
  Shape low{zero, number(pads[0]), number(pads[1]), zero}, padded;
  Shape above{zero, sizes.sub(sizes.sub(height, inputShape[1]), low[1]),
              sizes.sub(sizes.sub(width, inputShape[2]), low[2]), zero};
  Value d = surround(lower, input, inputShape, low, above, lower.scalar(lower.b.getF32Type(), 0), padded);
  Value transform = matrix(lower, {6, 6}, kInput);
  d = collapse(lower, d, {{0}, {1}, {2, 3}});
  Value t = contract(lower, transform, {dim(2), dim(4)}, d, {dim(0), dim(1) * 4 + dim(4), dim(3)},
                     {images, high, six, sizes.mul(width, inner)}, 5);
  t = expand(lower, t, {{0}, {1}, {2}, {3, 4}}, {images, high, six, width, inner});
  Value v = contract(lower, transform, {dim(1), dim(6)}, t, {dim(2), dim(3), dim(0), dim(4) * 4 + dim(6), dim(5)},
                     {six, six, images, high, wide, inner}, 7);
  return collapse(lower, v, {{0}, {1}, {2, 3, 4}, {5}});
}

/// The result of the sizes `shape` of a convolution, from the transformed tiles v of its input and its filter.
Value multiplyTiles(Lowering &lower, Value v, Value filter, ArrayRef<Size> shape) {
  OpBuilder &b = lower.b;
  SizeBuilder &sizes = lower.sizes;
  auto number = [&](int64_t value) { return sizes.constant(value); };
  auto dim = [&](int64_t i) { return b.getAffineDimExpr(i); };
  Size images = shape[0], outer = shape[3], number6 = number(6), number4 = number(4);
  Size high = sizes.ceilDiv(shape[1], number4), wide = sizes.ceilDiv(shape[2], number4);
  Size count = sizes.mul(sizes.mul(images, high), wide);
  Value output = matrix(lower, {4, 6}, kOutput);
  Value m = contract(lower, v, {dim(0), dim(1), dim(2), dim(4)}, filter, {dim(0), dim(1), dim(4), dim(3)},
                     {number6, number6, count, outer}, 5);
  m = collapse(lower, m, {{0}, {1, 2, 3}});
  Size rest = sizes.mul(sizes.mul(number6, count), outer);
  Value r = contract(lower, output, {dim(0), dim(2)}, m, {dim(2), dim(1)}, {number4, rest}, 3);
  r = expand(lower, r, {{0}, {1, 2, 3, 4, 5}}, {number4, number6, images, high, wide, outer});
  Value o = contract(lower, output, {dim(4), dim(6)}, r, {dim(2), dim(6), dim(0), dim(1), dim(3), dim(5)},
                     {images, high, number4, wide, number4, outer}, 7);
  o = collapse(lower, o, {{0}, {1, 2}, {3, 4}, {5}});
  auto type = RankedTensorType::get(getStaticSizes(shape), b.getF32Type());
  if (o.getType() == type)
    return o;
  SmallVector<OpFoldResult> offsets(4, number(0)), extents(shape.begin(), shape.end()), steps(4, number(1));
  return tensor::ExtractSliceOp::create(b, lower.loc, type, o, offsets, extents, steps);
}

/// What the transformed tiles of a block may take, so that they stay in the second cache until they are summed; and the
/// largest filter that is read once for each of them.
constexpr int64_t kBytesOfBlock = 3 << 18, kBytesOfFilter = 1 << 20;
/// Tiles that read a filter once.
constexpr int64_t kTilesOfBlock = 64;

struct LowerWinogradConv final : GraphPattern<WinogradConvOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(WinogradConvOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    SizeBuilder &sizes = lower.sizes;
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), shape = shapeOf(op);
    Size four = sizes.constant(4), high = sizes.ceilDiv(shape[1], four), wide = sizes.ceilDiv(shape[2], four);
    auto transform = [&](Lowering &here, Value input, ArrayRef<Size> sizesOfInput) {
      return transformInput(here, input, sizesOfInput, op.getPads(), high, wide);
    };
    bool keepsTiles = isReadByFilterGradient(op);
    std::optional<int64_t> block = imagesOfBlock(op, keepsTiles);
    if (!block) {
      Value v = transform(lower, adaptor.getInput(), inputShape);
      rewriter.replaceOp(op, multiplyTiles(lower, v, adaptor.getFilter(), shape));
      return success();
    }
    Value all = keepsTiles ? transform(lower, adaptor.getInput(), inputShape) : adaptor.getInput();
    rewriter.replaceOp(op, overBlocks(lower, op, *block, [&](Lowering &inside, Size first, ArrayRef<Size> part) {
                         Value v;
                         if (keepsTiles) {
                           Size tiles = inside.sizes.mul(high, wide);
                           v = slice(inside, all, 2, inside.sizes.mul(first, tiles), inside.sizes.mul(part[0], tiles));
                         } else {
                           Shape images(inputShape);
                           images[0] = part[0];
                           v = transform(inside, slice(inside, all, 0, first, part[0]), images);
                         }
                         return multiplyTiles(inside, v, adaptor.getFilter(), part);
                       }));
    return success();
  }

private:
  /// Whether a filter's gradient takes the same transformed tiles of the input, which then are kept for it.
  static bool isReadByFilterGradient(WinogradConvOp op) {
    return llvm::any_of(op.getInput().getUsers(), [&](Operation *user) {
      auto gradient = dyn_cast<WinogradFilterGradientOp>(user);
      return gradient && gradient.getInput() == op.getInput() && gradient.getPads() == op.getPads();
    });
  }

  /// Images that go through the steps together; nothing where all of them do. Only in training programs: others run
  /// their batches on many threads.
  std::optional<int64_t> imagesOfBlock(WinogradConvOp op, bool keepsTiles) const {
    ArrayRef<Size> shape = shapeOf(op);
    auto height = getConstant(shape[1]), width = getConstant(shape[2]), out = getConstant(shape[3]),
         in = getConstant(shapeOf(op.getInput())[3]), images = getConstant(shape[0]);
    if (!op.getFilter().getDefiningOp<WinogradFilterOp>() || !height || !width || !in || !out ||
        36 * 4 * *in * *out > kBytesOfFilter)
      return std::nullopt;
    int64_t tiles = static_cast<int64_t>(llvm::divideCeil(*height, 4) * llvm::divideCeil(*width, 4));
    int64_t bytes = tiles * 36 * 4 * (keepsTiles ? *out : *in + *out);
    int64_t block = std::max(static_cast<int64_t>(llvm::divideCeil(kTilesOfBlock, tiles)), kBytesOfBlock / bytes);
    if (images && *images < 2 * block)
      return std::nullopt;
    return block;
  }

  /// The part of `value` from `first` on, of `count` elements of `axis`.
  static Value slice(Lowering &lower, Value value, int64_t axis, Size first, Size count) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), lower.b.getIndexAttr(0)),
        steps(offsets.size(), lower.b.getIndexAttr(1));
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(lower.b, lower.loc, value);
    offsets[axis] = first;
    extents[axis] = count;
    return tensor::ExtractSliceOp::create(lower.b, lower.loc, value, offsets, extents, steps);
  }

  /// The result of `op` by blocks of images, one after the other; what is left of them, one by one where only a run
  /// knows how many. `build` gives the result of the images from `first` on, of the sizes `part`.
  Value overBlocks(Lowering &lower, WinogradConvOp op, int64_t block,
                   llvm::function_ref<Value(Lowering &, Size first, ArrayRef<Size> part)> build) const {
    OpBuilder &b = lower.b;
    SizeBuilder &sizes = lower.sizes;
    ArrayRef<Size> shape = shapeOf(op);
    auto insert = [&](Value all, Size first, int64_t images) -> Value {
      Lowering inside(b, lower.loc);
      Shape part(shape);
      part[0] = inside.sizes.constant(images);
      Value result = build(inside, first, part);
      SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0)), steps(4, b.getIndexAttr(1));
      offsets[0] = first;
      return tensor::InsertSliceOp::create(b, lower.loc, result, all, offsets,
                                           SmallVector<OpFoldResult>(part.begin(), part.end()), steps);
    };
    auto loop = [&](Value all, Size begin, Size end, int64_t images) -> Value {
      return scf::ForOp::create(b, lower.loc, lower.index(begin), lower.index(end), lower.index(images), all,
                                [&](OpBuilder &, Location loc, Value first, ValueRange carried) {
                                  scf::YieldOp::create(b, loc, insert(carried[0], Size(first), images));
                                })
          .getResult(0);
    };
    Size size = sizes.constant(block), whole = sizes.mul(sizes.floorDiv(shape[0], size), size);
    Value all = loop(lower.empty(convertedType(op), shape), sizes.constant(0), whole, block);
    if (auto images = getConstant(shape[0])) {
      int64_t rest = *images % block;
      return rest ? insert(all, whole, rest) : all;
    }
    return loop(all, whole, shape[0], 1);
  }
};

struct LowerWinogradFilter final : GraphPattern<WinogradFilterOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(WinogradFilterOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    bool turned = op.getTurned();
    ArrayRef<Size> shape = shapeOf(op.getFilter());
    auto dim = [&](int64_t i) { return rewriter.getAffineDimExpr(i); };
    Size three = lower.sizes.constant(3), six = lower.sizes.constant(6), rows = shape[turned ? 0 : 1],
         lanes = shape[turned ? 1 : 0];
    // Taps in reverse order are columns of the matrix in reverse order.
    SmallVector<float> taps(kFilter, kFilter + 18);
    for (int64_t i = 0; turned && i < 6; ++i)
      std::swap(taps[3 * i], taps[3 * i + 2]);
    Value transform = matrix(lower, {6, 3}, taps);
    SmallVector<int64_t> order{1, 2, 3, 0};
    if (turned)
      order = {0, 2, 3, 1};
    Value w = transpose(lower, adaptor.getFilter(), order, {rows, three, three, lanes});
    Value t =
        contract(lower, transform, {dim(0), dim(4)}, w, {dim(1), dim(4), dim(2), dim(3)}, {six, rows, three, lanes}, 5);
    rewriter.replaceOp(op, contract(lower, transform, {dim(1), dim(4)}, t, {dim(0), dim(2), dim(4), dim(3)},
                                    {six, six, rows, lanes}, 5));
    return success();
  }
};

struct LowerWinogradFilterGradient final : GraphPattern<WinogradFilterGradientOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(WinogradFilterGradientOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    SizeBuilder &sizes = lower.sizes;
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), shape = shapeOf(op.getCotangent());
    auto number = [&](int64_t value) { return sizes.constant(value); };
    auto dim = [&](int64_t i) { return rewriter.getAffineDimExpr(i); };
    Size images = inputShape[0], inner = inputShape[3], outer = shape[3], zero = number(0), three = number(3),
         four = number(4), six = number(6);
    if (images != shape[0] && !(getConstant(images) && getConstant(shape[0])))
      lower.check(arith::CmpIOp::create(rewriter, op.getLoc(), arith::CmpIPredicate::eq, lower.index(images),
                                        lower.index(shape[0])),
                  "the sizes of input and cotangent do not fit");
    Size high = sizes.ceilDiv(shape[1], four), wide = sizes.ceilDiv(shape[2], four);
    Value v = transformInput(lower, adaptor.getInput(), inputShape, op.getPads(), high, wide);

    Size height = sizes.mul(high, four), width = sizes.mul(wide, four);
    Shape padded, above{zero, sizes.sub(height, shape[1]), sizes.sub(width, shape[2]), zero};
    Value dy = surround(lower, adaptor.getCotangent(), shape, Shape(4, zero), above,
                        lower.scalar(rewriter.getF32Type(), 0), padded);
    Value transform = matrix(lower, {6, 4}, kCotangent);
    dy = collapse(lower, dy, {{0}, {1}, {2, 3}});
    Value z = contract(lower, transform, {dim(2), dim(4)}, dy, {dim(0), dim(1) * 4 + dim(4), dim(3)},
                       {images, high, six, sizes.mul(width, outer)}, 5);
    z = expand(lower, z, {{0}, {1}, {2}, {3, 4}}, {images, high, six, width, outer});
    z = contract(lower, transform, {dim(1), dim(6)}, z, {dim(2), dim(3), dim(0), dim(4) * 4 + dim(6), dim(5)},
                 {six, six, images, high, wide, outer}, 7);
    z = collapse(lower, z, {{0}, {1}, {2, 3, 4}, {5}});

    Value m = contract(lower, v, {dim(0), dim(1), dim(4), dim(2)}, z, {dim(0), dim(1), dim(4), dim(3)},
                       {six, six, inner, outer}, 5);
    Value result = matrix(lower, {3, 6}, kFilterGradient);
    m = collapse(lower, m, {{0}, {1, 2, 3}});
    Value r = contract(lower, result, {dim(0), dim(2)}, m, {dim(2), dim(1)},
                       {three, sizes.mul(sizes.mul(six, inner), outer)}, 3);
    r = expand(lower, r, {{0}, {1, 2, 3}}, {three, six, inner, outer});
    Value dw =
        contract(lower, result, {dim(2), dim(4)}, r, {dim(1), dim(4), dim(0), dim(3)}, {inner, three, three, outer}, 5);
    rewriter.replaceOp(op, transpose(lower, dw, {3, 0, 1, 2}, {outer, inner, three, three}));
    return success();
  }
};

} // namespace

void mlc::graph::populateWinogradLowering(RewritePatternSet &patterns, const TypeConverter &converter,
                                          const ResolvedShapes &shapes) {
  patterns.add<LowerWinogradConv, LowerWinogradFilter, LowerWinogradFilterGradient>(converter, patterns.getContext(),
                                                                                    shapes);
}
