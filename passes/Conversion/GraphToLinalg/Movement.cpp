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

/// Slices read element by element: unlike tensor.extract_slice they allow negative steps.
struct LowerSlice final : GraphPattern<SliceOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(SliceOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
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
    ArrayRef<Size> inputShape = shapeOf(op.getInput());
    SmallVector<Value> low, limits;
    SmallVector<bool> unchanged;
    for (auto [axis, amount] : llvm::enumerate(op.getMixedLow())) {
      low.push_back(lower.index(amount));
      limits.push_back(lower.index(inputShape[axis]));
      unchanged.push_back(getConstant(amount) == 0 && getConstant(op.getMixedHigh()[axis]) == 0);
    }
    PadMode mode = op.getMode();
    Value fill = op.getValue()
                     ? Value(tensor::ExtractOp::create(rewriter, op.getLoc(), adaptor.getValue(), ValueRange{}))
                     : Value();
    rewriter.replaceOp(
        op, lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> from(indices);
          Value inside = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
          for (size_t axis = 0; axis < from.size(); ++axis) {
            if (unchanged[axis])
              continue;
            from[axis] = arith::SubIOp::create(b, loc, indices[axis], low[axis]);
            if (mode == PadMode::constant)
              inside = arith::AndIOp::create(b, loc, inside, isInside(b, loc, from[axis], limits[axis]));
            else
              from[axis] = source(b, loc, mode, from[axis], limits[axis]);
          }
          if (mode != PadMode::constant)
            return tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
          auto branch = scf::IfOp::create(
              b, loc, inside,
              [&](OpBuilder &b, Location loc) {
                scf::YieldOp::create(b, loc, Value(tensor::ExtractOp::create(b, loc, adaptor.getInput(), from)));
              },
              [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, fill); });
          return branch.getResult(0);
        }));
    return success();
  }
};

} // namespace

void mlc::graph::populateMovementLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                           const ResolvedShapes &shapes) {
  patterns.add<LowerReshape, LowerExpand, LowerTranspose, LowerConcat, LowerSlice, LowerPad>(
      converter, patterns.getContext(), shapes);
}
