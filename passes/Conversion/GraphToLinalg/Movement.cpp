//===- Movement.cpp - reshape, expand, transpose, concat, slice and pad ------------------------------------------===//
//
// Views stay views (reshape); the rest copies, element by element where upstream tensor ops cannot say it.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

Value castTo(OpBuilder &b, Location loc, Value tensor, RankedTensorType type) {
  return tensor.getType() == type ? tensor : Value(tensor::CastOp::create(b, loc, type, tensor));
}

struct LowerReshape final : GraphPattern<ReshapeOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ReshapeOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    Value value = adaptor.getInput();
    auto from = cast<RankedTensorType>(value.getType());
    ArrayRef<Size> shape = shapeOf(op);
    if (!from.hasStaticShape() || !type.hasStaticShape()) {
      Value had = lower.index(lower.sizes.product(shapeOf(op.getInput())));
      Value wanted = lower.index(lower.sizes.product(shape));
      lower.check(arith::CmpIOp::create(rewriter, op.getLoc(), arith::CmpIPredicate::eq, had, wanted),
                  "the shape asked for has another number of elements");
    }
    // Several computed sizes, or one over a static tensor, are more than tensor.expand_shape can say.
    if (type.getNumDynamicDims() > 1 || (from.hasStaticShape() && !type.hasStaticShape())) {
      SmallVector<Value> extents;
      for (Size size : shape)
        extents.push_back(lower.index(size));
      Value extent = tensor::FromElementsOp::create(rewriter, op.getLoc(), extents);
      rewriter.replaceOpWithNewOp<tensor::ReshapeOp>(op, type, value, extent);
      return success();
    }
    // Through one axis: collapse all, then expand all.
    int64_t count = from.hasStaticShape() ? from.getNumElements() : ShapedType::kDynamic;
    auto flat = RankedTensorType::get({count}, from.getElementType());
    auto all = [](int64_t rank) {
      SmallVector<ReassociationIndices> groups(1);
      llvm::append_range(groups[0], llvm::seq<int64_t>(0, rank));
      return groups;
    };
    if (from.getRank() == 0)
      value = tensor::ExpandShapeOp::create(rewriter, op.getLoc(), flat, value, SmallVector<ReassociationIndices>{});
    else if (from.getRank() > 1)
      value = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), flat, value, all(from.getRank()));
    if (type.hasStaticShape())
      value =
          castTo(rewriter, op.getLoc(), value, RankedTensorType::get({type.getNumElements()}, type.getElementType()));
    if (type.getRank() == 0) {
      value = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), type, value, SmallVector<ReassociationIndices>{});
    } else if (type.getRank() == 1) {
      value = castTo(rewriter, op.getLoc(), value, type);
    } else {
      SmallVector<OpFoldResult> output;
      for (auto [axis, size] : llvm::enumerate(shape))
        output.push_back(type.isDynamicDim(axis) ? OpFoldResult(lower.index(size))
                                                 : OpFoldResult(rewriter.getIndexAttr(type.getDimSize(axis))));
      value = tensor::ExpandShapeOp::create(rewriter, op.getLoc(), type, value, all(type.getRank()), output);
    }
    rewriter.replaceOp(op, value);
    return success();
  }
};

struct LowerExpand final : GraphPattern<ExpandOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ExpandOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    Value input = lower.alignForBroadcast(adaptor.getInput(), shapeOf(op.getInput()), shape);
    SmallVector<AffineMap> maps{lower.broadcastMap(cast<RankedTensorType>(input.getType()), type.getShape()),
                                rewriter.getMultiDimIdentityMap(type.getRank())};
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, op.getLoc(), type, input, lower.empty(type, shape), maps, iterators,
        [](OpBuilder &b, Location loc, ValueRange args) { linalg::YieldOp::create(b, loc, args[0]); });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
};

struct LowerTranspose final : GraphPattern<TransposeOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(TransposeOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    SmallVector<AffineExpr> from(type.getRank());
    for (auto [axis, source] : llvm::enumerate(op.getPermutation()))
      from[source] = rewriter.getAffineDimExpr(axis);
    SmallVector<AffineMap> maps{AffineMap::get(type.getRank(), 0, from, rewriter.getContext()),
                                rewriter.getMultiDimIdentityMap(type.getRank())};
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, op.getLoc(), type, adaptor.getInput(), lower.empty(type, shapeOf(op)), maps, iterators,
        [](OpBuilder &b, Location loc, ValueRange args) { linalg::YieldOp::create(b, loc, args[0]); });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
};

struct LowerConcat final : GraphPattern<ConcatOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ConcatOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    int64_t axis = op.getAxis(), rank = type.getRank();
    Value result = lower.empty(type, shape);
    Size offset = lower.sizes.constant(0);
    for (auto [input, original] : llvm::zip(adaptor.getInputs(), op.getInputs())) {
      ArrayRef<Size> part = shapeOf(original);
      if (getConstant(part[axis]) == 0)
        continue;
      for (int64_t i = 0; i < rank; ++i)
        if (i != axis && part[i] != shape[i])
          lower.check(arith::CmpIOp::create(rewriter, op.getLoc(), arith::CmpIPredicate::eq, lower.index(part[i]),
                                            lower.index(shape[i])),
                      "tensors to join differ in another axis");
      SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0)), steps(rank, rewriter.getIndexAttr(1));
      offsets[axis] = offset;
      SmallVector<OpFoldResult> partSizes(part.begin(), part.end());
      auto inputType = cast<RankedTensorType>(input.getType());
      for (int64_t i = 0; i < rank; ++i)
        if (!inputType.isDynamicDim(i))
          partSizes[i] = rewriter.getIndexAttr(inputType.getDimSize(i));
        else if (auto value = dyn_cast<Attribute>(partSizes[i]))
          partSizes[i] = lower.index(Size(value));
      result = tensor::InsertSliceOp::create(rewriter, op.getLoc(), input, result, offsets, partSizes, steps);
      offset = lower.sizes.add(offset, part[axis]);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Views, which cost nothing, where all steps are known and go forward and lines stay contiguous: kernels read vectors
/// along them. Else a copy, element by element.
struct LowerSlice final : GraphPattern<SliceOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(SliceOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    if (isWhole(op)) {
      rewriter.replaceOp(op, adaptor.getInput());
      return success();
    }
    if (llvm::is_contained(op.getInput().getType().getShape(), 0) || llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(op, lower.empty(type, shapeOf(op)));
      return success();
    }
    if (keepsLines(op) &&
        llvm::all_of(op.getMixedSteps(), [](Size step) { return getConstant(step).value_or(0) > 0; })) {
      SmallVector<OpFoldResult> extents;
      for (auto [axis, size] : llvm::enumerate(shapeOf(op)))
        extents.push_back(type.isDynamicDim(axis) ? OpFoldResult(lower.index(size))
                                                  : OpFoldResult(rewriter.getIndexAttr(type.getDimSize(axis))));
      rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(op, type, adaptor.getInput(), op.getMixedOffsets(), extents,
                                                          op.getMixedSteps());
      return success();
    }
    SmallVector<Value> offsets, steps;
    for (Size offset : op.getMixedOffsets())
      offsets.push_back(lower.index(offset));
    for (Size step : op.getMixedSteps())
      steps.push_back(lower.index(step));
    rewriter.replaceOp(
        op, lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> from;
          for (auto [index, offset, step] : llvm::zip(indices, offsets, steps))
            from.push_back(b.createOrFold<arith::AddIOp>(loc, offset, b.createOrFold<arith::MulIOp>(loc, index, step)));
          return tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
        }));
    return success();
  }

  /// Whether the last axis moves by single elements, also where it is seen as one with those before it: it has several,
  /// or it always had one.
  static bool keepsLines(SliceOp op) {
    ArrayRef<int64_t> from = op.getInput().getType().getShape(), to = op.getType().getShape();
    return getConstant(op.getMixedSteps().back()) == 1 && (to.back() != 1 || from.back() == 1);
  }

  /// Whether all of the input is taken.
  bool isWhole(SliceOp op) const {
    ArrayRef<Size> from = shapeOf(op.getInput()), to = shapeOf(op);
    return op.getInput().getType() == op.getType() && llvm::equal(from, to) &&
           llvm::all_of(op.getMixedOffsets(), [](Size offset) { return getConstant(offset) == 0; }) &&
           llvm::all_of(op.getMixedSteps(), [](Size step) { return getConstant(step) == 1; });
  }
};

struct LowerPad final : GraphPattern<PadOp> {
  using GraphPattern::GraphPattern;

  /// The place in an axis of size `size` that place `i` before or behind it repeats.
  static Value source(OpBuilder &b, Location loc, PadMode mode, Value i, Value size) {
    Value zero = arith::ConstantIndexOp::create(b, loc, 0), one = arith::ConstantIndexOp::create(b, loc, 1);
    Value last = arith::SubIOp::create(b, loc, size, one);
    auto floorMod = [&](Value value, Value divisor) -> Value {
      Value rest = arith::RemSIOp::create(b, loc, value, divisor);
      Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, rest, zero);
      return arith::SelectOp::create(b, loc, negative, Value(arith::AddIOp::create(b, loc, rest, divisor)), rest);
    };
    if (mode == PadMode::edge)
      return arith::MaxSIOp::create(b, loc, zero, Value(arith::MinSIOp::create(b, loc, i, last)));
    if (mode == PadMode::wrap)
      return floorMod(i, arith::MaxSIOp::create(b, loc, size, one));
    // reflect: the period is 2 (size - 1), the second half runs back.
    Value period = arith::MaxSIOp::create(b, loc, Value(arith::AddIOp::create(b, loc, last, last)), one);
    Value place = floorMod(i, period);
    Value back = arith::SubIOp::create(b, loc, period, place);
    return arith::MaxSIOp::create(
        b, loc, zero, Value(arith::MinSIOp::create(b, loc, Value(arith::MinSIOp::create(b, loc, place, back)), last)));
  }

  LogicalResult matchAndRewrite(PadOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    SmallVector<Size> low(op.getMixedLow()), high(op.getMixedHigh());
    if (op.getMode() == PadMode::constant) {
      Value value = tensor::ExtractOp::create(rewriter, op.getLoc(), adaptor.getValue(), ValueRange{});
      Shape shape;
      Value padded = surround(lower, adaptor.getInput(), shapeOf(op.getInput()), low, high, value, shape);
      if (padded.getType() != type)
        padded = tensor::CastOp::create(rewriter, op.getLoc(), type, padded);
      rewriter.replaceOp(op, padded);
      return success();
    }
    // One axis after the other; what lies inside is copied as a whole where its size is not cropped.
    Value padded = adaptor.getInput();
    Shape shape(shapeOf(op.getInput()));
    for (size_t axis = 0; axis < low.size(); ++axis)
      if (getConstant(low[axis]) != 0 || getConstant(high[axis]) != 0)
        padded = padAxis(lower, op.getMode(), padded, shape, axis, low[axis], high[axis]);
    if (padded.getType() != type)
      padded = tensor::CastOp::create(rewriter, op.getLoc(), type, padded);
    rewriter.replaceOp(op, padded);
    return success();
  }

  /// Repeats what lies in one axis before and behind it; `shape` becomes that of the result.
  static Value padAxis(Lowering &lower, PadMode mode, Value input, Shape &shape, size_t axis, Size low, Size high) {
    SizeBuilder &sizes = lower.sizes;
    OpBuilder &b = lower.b;
    Size inner = shape[axis], zero = sizes.constant(0), one = sizes.constant(1);
    Value lowest = lower.index(low), size = lower.index(inner);
    // The elements of the result from `first` on.
    auto compute = [&](Size first, Size count) {
      Shape part(shape);
      part[axis] = count;
      Value begin = lower.index(first);
      auto type = cast<RankedTensorType>(input.getType()).clone(getStaticSizes(part));
      return lower.compute(type, part, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
        SmallVector<Value> from(indices);
        Value i = arith::SubIOp::create(b, loc, Value(arith::AddIOp::create(b, loc, indices[axis], begin)), lowest);
        from[axis] = source(b, loc, mode, i, size);
        return tensor::ExtractOp::create(b, loc, input, from);
      });
    };
    Size total = sizes.max(sizes.add(sizes.add(inner, low), high), zero);
    Value result;
    if (getConstant(low).value_or(-1) < 0 || getConstant(high).value_or(-1) < 0) {
      result = compute(zero, total); // may crop
      shape[axis] = total;
      return result;
    }
    Shape padded(shape);
    padded[axis] = total;
    result = lower.empty(cast<RankedTensorType>(input.getType()).clone(getStaticSizes(padded)), padded);
    SmallVector<OpFoldResult> steps(shape.size(), one);
    auto insert = [&](Value part, Size offset, Size count) {
      if (getConstant(count) == 0)
        return;
      SmallVector<OpFoldResult> offsets(shape.size(), zero), extents(shape.begin(), shape.end());
      offsets[axis] = offset;
      extents[axis] = count;
      result = tensor::InsertSliceOp::create(b, lower.loc, part, result, offsets, extents, steps);
    };
    insert(input, low, inner);
    insert(compute(zero, low), zero, low);
    insert(compute(sizes.add(low, inner), high), sizes.add(low, inner), high);
    shape[axis] = total;
    return result;
  }
};

} // namespace

void mlc::graph::populateMovementLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                           const ResolvedShapes &shapes) {
  patterns.add<LowerReshape, LowerExpand, LowerTranspose, LowerConcat, LowerSlice, LowerPad>(
      converter, patterns.getContext(), shapes);
}
