//===- Reductions.cpp - reductions, softmax and normalizations become linalg.generic ------------------------------===//
//
// A reduction runs over the input's axes with the kept ones in the result; statistics stay without the reduced axes and
// are read through indexing maps. Halves are reduced in f32.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// The map from all axes of a tensor of `rank` to those that are not in `axes`.
AffineMap keptAxes(Lowering &lower, int64_t rank, ArrayRef<int64_t> axes) {
  SmallVector<AffineExpr> exprs;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (!llvm::is_contained(axes, axis))
      exprs.push_back(lower.b.getAffineDimExpr(axis));
  return AffineMap::get(rank, 0, exprs, lower.b.getContext());
}

Shape keptSizes(ArrayRef<Size> shape, ArrayRef<int64_t> axes) {
  Shape kept;
  for (auto [axis, size] : llvm::enumerate(shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      kept.push_back(size);
  return kept;
}

RankedTensorType keptType(RankedTensorType type, ArrayRef<int64_t> axes, Type element) {
  SmallVector<int64_t> kept;
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      kept.push_back(size);
  return RankedTensorType::get(kept, element);
}

/// A function of one element, and of the statistics at its place.
using Transform = llvm::function_ref<Value(OpBuilder &, Location, Value element, ValueRange statistics)>;

/// Reduces `axes` of `input` after `transform`; the result has the compute type and no reduced axes.
Value reduceAxes(Lowering &lower, Value input, ArrayRef<Size> shape, ReduceKind kind, ArrayRef<int64_t> axes,
                 Type element, ValueRange statistics = {}, Transform transform = nullptr) {
  auto type = cast<RankedTensorType>(input.getType());
  bool isUnsigned = element.isUnsignedInteger() || element.isInteger(1);
  RankedTensorType resultType = keptType(type, axes, getComputeType(element));
  Value init = lower.filled(resultType, keptSizes(shape, axes), neutral(lower.b, lower.loc, kind, element));
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  for (int64_t axis : axes)
    iterators[axis] = utils::IteratorType::reduction;
  AffineMap kept = keptAxes(lower, type.getRank(), axes);
  SmallVector<AffineMap> maps{lower.b.getMultiDimIdentityMap(type.getRank())};
  maps.append(statistics.size() + 1, kept);
  SmallVector<Value> inputs{input};
  llvm::append_range(inputs, statistics);
  return linalg::GenericOp::create(lower.b, lower.loc, resultType, inputs, init, maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     Value value = widen(b, loc, args[0]);
                                     if (transform)
                                       value = transform(b, loc, value, args.slice(1, statistics.size()));
                                     linalg::YieldOp::create(b, loc,
                                                             combine(b, loc, kind, args.back(), value, isUnsigned));
                                   })
      .getResult(0);
}

/// Applies `transform` to every element of `input` and the statistics, which lack `axes`.
Value mapWithStatistics(Lowering &lower, Value input, RankedTensorType type, ArrayRef<Size> shape,
                        ArrayRef<int64_t> axes, ValueRange statistics, Transform transform) {
  SmallVector<AffineMap> maps{lower.b.getMultiDimIdentityMap(type.getRank())};
  maps.append(statistics.size(), keptAxes(lower, type.getRank(), axes));
  maps.push_back(maps[0]);
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  SmallVector<Value> inputs{input};
  llvm::append_range(inputs, statistics);
  return linalg::GenericOp::create(lower.b, lower.loc, type, inputs, lower.empty(type, shape), maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     Value value =
                                         transform(b, loc, widen(b, loc, args[0]), args.slice(1, statistics.size()));
                                     linalg::YieldOp::create(b, loc, narrow(b, loc, value, type.getElementType()));
                                   })
      .getResult(0);
}

/// Converts a reduced tensor to the result's element type and puts sizes of 1 where `axes` were, if they are kept.
Value finish(Lowering &lower, Value reduced, RankedTensorType type, ArrayRef<Size> shape, ArrayRef<int64_t> axes,
             bool keepDims) {
  auto from = cast<RankedTensorType>(reduced.getType());
  auto plain = RankedTensorType::get(from.getShape(), type.getElementType());
  Shape kept = keepDims ? keptSizes(shape, axes) : Shape(shape);
  if (from != plain)
    reduced = mapWithStatistics(lower, reduced, plain, kept, {}, {},
                                [](OpBuilder &, Location, Value value, ValueRange) { return value; });
  if (!keepDims || axes.empty())
    return reduced;
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices pending;
  SmallVector<int64_t> statics;
  SmallVector<OpFoldResult> sizes;
  for (int64_t axis = 0, next = 0; axis < type.getRank(); ++axis) {
    pending.push_back(axis);
    if (llvm::is_contained(axes, axis)) {
      statics.push_back(1);
      sizes.push_back(lower.b.getIndexAttr(1));
      continue;
    }
    int64_t size = plain.getDimSize(next++);
    statics.push_back(size);
    sizes.push_back(ShapedType::isDynamic(size) ? OpFoldResult(lower.index(shape[axis]))
                                                : OpFoldResult(lower.b.getIndexAttr(size)));
    groups.push_back(pending);
    pending.clear();
  }
  if (!groups.empty())
    llvm::append_range(groups.back(), pending);
  return tensor::ExpandShapeOp::create(lower.b, lower.loc, type.clone(statics), reduced, groups, sizes);
}

struct LowerReduce final : GraphPattern<ReduceOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ReduceOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Type element = getElementTypeOrSelf(op.getInput().getType());
    Value reduced = reduceAxes(lower, adaptor.getInput(), shapeOf(op.getInput()), op.getKind(), op.getAxes(), element);
    rewriter.replaceOp(op, finish(lower, reduced, convertedType(op), shapeOf(op), op.getAxes(), op.getKeepDims()));
    return success();
  }
};

/// Loops over the result and, for every axis, over what the mask lets it reduce; of the two places one is 0.
struct LowerReduceByMask final : GraphPattern<ReduceByMaskOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ReduceByMaskOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    RankedTensorType type = convertedType(op);
    Type element = getElementTypeOrSelf(op.getInput().getType());
    bool isUnsigned = isUnsignedElement(op.getInput().getType());
    Shape inner;
    for (auto [axis, size] : llvm::enumerate(shapeOf(op.getInput()))) {
      Value reduced = tensor::ExtractOp::create(rewriter, loc, adaptor.getMask(), lower.index(int64_t(axis)));
      inner.push_back(Value(arith::SelectOp::create(rewriter, loc, reduced, lower.index(size), lower.index(1))));
    }
    Value init =
        lower.filled(type.clone(getComputeType(element)), shapeOf(op), neutral(rewriter, loc, op.getKind(), element));
    Value reduced = lower.reduce(init, inner, [&](OpBuilder &b, Location loc, ValueRange indices, Value old) -> Value {
      SmallVector<Value> from;
      for (size_t axis = 0; axis < inner.size(); ++axis)
        from.push_back(arith::AddIOp::create(b, loc, indices[axis], indices[inner.size() + axis]));
      Value value = tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
      return combine(b, loc, op.getKind(), old, widen(b, loc, value), isUnsigned);
    });
    rewriter.replaceOp(op, finish(lower, reduced, type, shapeOf(op), {}, true));
    return success();
  }
};

struct LowerArgReduce final : GraphPattern<ArgReduceOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ArgReduceOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    Value input = adaptor.getInput();
    auto inputType = cast<RankedTensorType>(input.getType());
    int64_t axis = op.getAxis();
    bool isUnsigned = isUnsignedElement(op.getInput().getType()), isMax = op.getKind() == ReduceKind::max;
    ArrayRef<Size> inputShape = shapeOf(op.getInput());
    Value init = lower.filled(keptType(inputType, axis, rewriter.getI64Type()), keptSizes(inputShape, axis),
                              lower.scalar(rewriter.getI64Type(), 0));
    Value places =
        lower.reduce(init, inputShape[axis], [&](OpBuilder &b, Location loc, ValueRange indices, Value best) -> Value {
          auto read = [&](Value place) {
            SmallVector<Value> from(indices.drop_back());
            from.insert(from.begin() + axis, place);
            return widen(b, loc, tensor::ExtractOp::create(b, loc, input, from));
          };
          Value old = read(arith::IndexCastOp::create(b, loc, b.getIndexType(), best)), value = read(indices.back());
          Value better;
          if (isa<FloatType>(value.getType())) {
            using P = arith::CmpFPredicate;
            P predicate = isMax ? (op.getLast() ? P::OGE : P::OGT) : (op.getLast() ? P::OLE : P::OLT);
            better = arith::CmpFOp::create(b, loc, predicate, value, old);
            Value isNaN = arith::CmpFOp::create(b, loc, P::UNO, value, value);
            if (!op.getLast())
              isNaN = arith::AndIOp::create(b, loc, isNaN, Value(arith::CmpFOp::create(b, loc, P::ORD, old, old)));
            better = arith::OrIOp::create(b, loc, better, isNaN);
          } else {
            using P = arith::CmpIPredicate;
            P predicate = isMax ? (op.getLast() ? (isUnsigned ? P::uge : P::sge) : (isUnsigned ? P::ugt : P::sgt))
                                : (op.getLast() ? (isUnsigned ? P::ule : P::sle) : (isUnsigned ? P::ult : P::slt));
            better = arith::CmpIOp::create(b, loc, predicate, value, old);
          }
          Value here = arith::IndexCastOp::create(b, loc, b.getI64Type(), indices.back());
          return arith::SelectOp::create(b, loc, better, here, best);
        });
    rewriter.replaceOp(op, finish(lower, places, type, shapeOf(op), axis, op.getKeepDims()));
    return success();
  }
};

struct LowerSoftmax final : GraphPattern<SoftmaxOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(SoftmaxOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    int64_t axis = op.getAxis();
    auto shifted = [](OpBuilder &b, Location loc, Value x, Value max) -> Value {
      return arith::SubFOp::create(b, loc, x, max);
    };
    Value max = reduceAxes(lower, adaptor.getInput(), shape, ReduceKind::max, axis, type.getElementType());
    if (op.getLog()) {
      Value sum = reduceAxes(lower, adaptor.getInput(), shape, ReduceKind::sum, axis, type.getElementType(), max,
                             [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                               return math::ExpOp::create(b, loc, shifted(b, loc, x, statistics[0]));
                             });
      rewriter.replaceOp(
          op, mapWithStatistics(lower, adaptor.getInput(), type, shape, axis, {max, sum},
                                [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                                  Value log = math::LogOp::create(b, loc, statistics[1]);
                                  return arith::SubFOp::create(b, loc, shifted(b, loc, x, statistics[0]), log);
                                }));
      return success();
    }
    Type compute = getComputeType(type.getElementType());
    Value exponentials = mapWithStatistics(lower, adaptor.getInput(), type.clone(compute), shape, axis, max,
                                           [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                                             return math::ExpOp::create(b, loc, shifted(b, loc, x, statistics[0]));
                                           });
    Value sum = reduceAxes(lower, exponentials, shape, ReduceKind::sum, axis, compute);
    rewriter.replaceOp(op, mapWithStatistics(lower, exponentials, type, shape, axis, sum,
                                             [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                                               return arith::DivFOp::create(b, loc, x, statistics[0]);
                                             }));
    return success();
  }
};

struct LowerNormalize final : GraphPattern<NormalizeOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(NormalizeOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    Type element = type.getElementType(), compute = getComputeType(element);
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(op.getAxis(), type.getRank()));
    Value count = lower.index(lower.sizes.product(shape.drop_front(op.getAxis())));
    count = arith::IndexCastOp::create(rewriter, loc, rewriter.getI64Type(), count);
    count = arith::SIToFPOp::create(rewriter, loc, compute, count);
    Value input = adaptor.getInput();
    bool centered = !op.getUncentered();
    SmallVector<Value> statistics;
    auto center = [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
      if (!centered)
        return x;
      Value mean = arith::DivFOp::create(b, loc, statistics[0], count);
      return arith::SubFOp::create(b, loc, x, mean);
    };
    if (centered)
      statistics.push_back(reduceAxes(lower, input, shape, ReduceKind::sum, axes, element));
    Value squares = reduceAxes(lower, input, shape, ReduceKind::sum, axes, element, statistics,
                               [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                                 Value y = center(b, loc, x, statistics);
                                 return arith::MulFOp::create(b, loc, y, y);
                               });
    statistics.push_back(squares);
    Value epsilon = lower.scalar(compute, op.getEpsilon().convertToDouble());
    rewriter.replaceOp(op, mapWithStatistics(lower, input, type, shape, axes, statistics,
                                             [&](OpBuilder &b, Location loc, Value x, ValueRange statistics) -> Value {
                                               Value variance = arith::DivFOp::create(b, loc, statistics.back(), count);
                                               variance = arith::AddFOp::create(b, loc, variance, epsilon);
                                               Value deviation = math::SqrtOp::create(b, loc, variance);
                                               return arith::DivFOp::create(b, loc, center(b, loc, x, statistics),
                                                                            deviation);
                                             }));
    return success();
  }
};

struct LowerBatchNorm final : GraphPattern<BatchNormOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(BatchNormOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    for (Value statistic : op.getOperands().drop_front())
      if (Size size = shapeOf(statistic)[0]; size != shape[1] && !(getConstant(size) && getConstant(shape[1])))
        lower.check(
            arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq, lower.index(size), lower.index(shape[1])),
            "a statistic has another size than the channels");
    SmallVector<AffineMap> maps{rewriter.getMultiDimIdentityMap(type.getRank())};
    maps.append(4, AffineMap::get(type.getRank(), 0, rewriter.getAffineDimExpr(1)));
    maps.push_back(maps[0]);
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    Type compute = getComputeType(type.getElementType());
    auto generic = linalg::GenericOp::create(
        rewriter, loc, type, adaptor.getOperands(), lower.empty(type, shape), maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          // Statistics may be of another precision than the input: f32 beside halves.
          auto read = [&](Value value) -> Value {
            value = widen(b, loc, value);
            if (value.getType() == compute)
              return value;
            if (compute.isF64())
              return arith::ExtFOp::create(b, loc, compute, value);
            return arith::TruncFOp::create(b, loc, compute, value);
          };
          Value x = read(args[0]), scale = read(args[1]), bias = read(args[2]), mean = read(args[3]),
                variance = read(args[4]);
          Value epsilon = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, op.getEpsilon().convertToDouble()));
          Value deviation = math::SqrtOp::create(b, loc, arith::AddFOp::create(b, loc, variance, epsilon));
          Value y = arith::DivFOp::create(b, loc, arith::SubFOp::create(b, loc, x, mean), deviation);
          y = arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, y, scale), bias);
          linalg::YieldOp::create(b, loc, narrow(b, loc, y, type.getElementType()));
        });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
};

} // namespace

void mlc::graph::populateReductionLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                            const ResolvedShapes &shapes) {
  patterns.add<LowerReduce, LowerReduceByMask, LowerArgReduce, LowerSoftmax, LowerNormalize, LowerBatchNorm>(
      converter, patterns.getContext(), shapes);
}
