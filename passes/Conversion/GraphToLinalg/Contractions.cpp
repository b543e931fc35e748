//===- Contractions.cpp - matmul, convolutions and their gradients become linalg.generic
//-----------------------------------===//
//
// Loops: those of the result, then those of the sum. Halves and their products are summed in f32. Padding is
// materialised before a convolution, zeros between elements before a transposed one.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Builds accumulator + lhs * rhs in the accumulator's type; the signs of 8-bit factors are asked from the op.
struct MultiplyAdd final {
  explicit MultiplyAdd(Operation *op)
      : isUnsigned{isUnsignedElement(op->getOperand(0).getType()), isUnsignedElement(op->getOperand(1).getType())} {}

  void operator()(OpBuilder &b, Location loc, ValueRange args) const {
    Type sum = args[2].getType();
    Value factors[2];
    for (unsigned i : {0u, 1u}) {
      factors[i] = widen(b, loc, args[i]);
      if (factors[i].getType() == sum)
        continue;
      if (isUnsigned[i])
        factors[i] = arith::ExtUIOp::create(b, loc, sum, factors[i]);
      else
        factors[i] = arith::ExtSIOp::create(b, loc, sum, factors[i]);
    }
    Value result;
    if (isa<FloatType>(sum))
      result = arith::AddFOp::create(b, loc, args[2], Value(arith::MulFOp::create(b, loc, factors[0], factors[1])));
    else
      result = arith::AddIOp::create(b, loc, args[2], Value(arith::MulIOp::create(b, loc, factors[0], factors[1])));
    linalg::YieldOp::create(b, loc, result);
  }

  bool isUnsigned[2];
};

/// Converts a tensor of the compute type back to `type`.
Value narrowTensor(Lowering &lower, Value tensor, RankedTensorType type, ArrayRef<Size> shape) {
  if (tensor.getType() == type)
    return tensor;
  SmallVector<AffineMap> maps(2, lower.b.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(lower.b, lower.loc, type, tensor, lower.empty(type, shape), maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     linalg::YieldOp::create(b, loc, narrow(b, loc, args[0], type.getElementType()));
                                   })
      .getResult(0);
}

struct LowerMatMul final : GraphPattern<MatMulOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(MatMulOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op), lhsShape = shapeOf(op.getLhs()), rhsShape = shapeOf(op.getRhs());
    Size inner = lhsShape.back(), other = rhsShape[rhsShape.size() - 2];
    if (inner != other && !(getConstant(inner) && getConstant(other)))
      lower.check(arith::CmpIOp::create(rewriter, op.getLoc(), arith::CmpIPredicate::eq, lower.index(inner),
                                        lower.index(other)),
                  "the inner sizes of the matrices differ");
    // The batch axes broadcast; the matrix axes are what they are.
    auto align = [&](Value operand, ArrayRef<Size> own) {
      Shape target(shape.drop_back(2));
      target.push_back(own[own.size() - 2]);
      target.push_back(own.back());
      return lower.alignForBroadcast(operand, own, target);
    };
    Value lhs = align(adaptor.getLhs(), lhsShape), rhs = align(adaptor.getRhs(), rhsShape);
    int64_t batch = type.getRank() - 2, loops = batch + 3;
    auto map = [&](Value operand, int64_t row, int64_t column) {
      auto operandType = cast<RankedTensorType>(operand.getType());
      SmallVector<AffineExpr> exprs;
      int64_t own = operandType.getRank() - 2;
      for (int64_t i = 0; i < own; ++i)
        exprs.push_back(operandType.getDimSize(i) == 1 ? rewriter.getAffineConstantExpr(0)
                                                       : rewriter.getAffineDimExpr(batch - own + i));
      exprs.push_back(rewriter.getAffineDimExpr(row));
      exprs.push_back(rewriter.getAffineDimExpr(column));
      return AffineMap::get(loops, 0, exprs, rewriter.getContext());
    };
    SmallVector<AffineExpr> result;
    for (int64_t i = 0; i < batch + 2; ++i)
      result.push_back(rewriter.getAffineDimExpr(i));
    SmallVector<AffineMap> maps{map(lhs, batch, batch + 2), map(rhs, batch + 2, batch + 1),
                                AffineMap::get(loops, 0, result, rewriter.getContext())};
    SmallVector<utils::IteratorType> iterators(batch + 2, utils::IteratorType::parallel);
    iterators.push_back(utils::IteratorType::reduction);
    Type compute = getComputeType(type.getElementType());
    Value init = lower.filled(type.clone(compute), shape, lower.scalar(compute, 0));
    auto generic = linalg::GenericOp::create(rewriter, op.getLoc(), init.getType(), ValueRange{lhs, rhs}, init, maps,
                                             iterators, MultiplyAdd(op));
    rewriter.replaceOp(op, narrowTensor(lower, generic.getResult(0), type, shape));
    return success();
  }
};

/// The input with zeros around (negative amounts crop) and between the elements of the spatial axes.
Value spread(Lowering &lower, Value input, ArrayRef<Size> inputShape, ArrayRef<Size> low, ArrayRef<Size> high,
             ArrayRef<int64_t> strides, Shape &shape) {
  auto type = cast<RankedTensorType>(input.getType());
  shape.assign(inputShape.begin(), inputShape.end());
  bool same = true;
  for (size_t i = 0; i < strides.size(); ++i) {
    Size one = lower.sizes.constant(1), step = lower.sizes.constant(strides[i]);
    Size span = lower.sizes.add(lower.sizes.mul(lower.sizes.sub(shape[2 + i], one), step), one);
    shape[2 + i] = lower.sizes.max(lower.sizes.add(lower.sizes.add(span, low[i]), high[i]), lower.sizes.constant(0));
    same &= getConstant(low[i]) == 0 && getConstant(high[i]) == 0 && strides[i] == 1;
  }
  if (same) {
    shape.assign(inputShape.begin(), inputShape.end());
    return input;
  }
  Value zero = lower.scalar(type.getElementType(), 0);
  SmallVector<Value> lows, limits;
  for (size_t i = 0; i < strides.size(); ++i) {
    lows.push_back(lower.index(low[i]));
    limits.push_back(lower.index(inputShape[2 + i]));
  }
  return lower.compute(
      type.clone(getStaticSizes(shape)), shape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
        SmallVector<Value> from(indices);
        Value inside = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
        for (size_t i = 0; i < strides.size(); ++i) {
          Value place = arith::SubIOp::create(b, loc, indices[2 + i], lows[i]);
          if (strides[i] != 1) {
            Value step = arith::ConstantIndexOp::create(b, loc, strides[i]);
            Value none = arith::ConstantIndexOp::create(b, loc, 0);
            Value rest = arith::RemSIOp::create(b, loc, place, step);
            inside = arith::AndIOp::create(b, loc, inside,
                                           Value(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, rest, none)));
            place = arith::DivSIOp::create(b, loc, place, step);
            // A negative place above -step divides to 0.
            Value original = arith::SubIOp::create(b, loc, indices[2 + i], lows[i]);
            inside = arith::AndIOp::create(
                b, loc, inside, Value(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, original, none)));
          }
          inside = arith::AndIOp::create(b, loc, inside, isInside(b, loc, place, limits[i]));
          from[2 + i] = place;
        }
        auto branch = scf::IfOp::create(
            b, loc, inside,
            [&](OpBuilder &b, Location loc) {
              scf::YieldOp::create(b, loc, Value(tensor::ExtractOp::create(b, loc, input, from)));
            },
            [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, zero); });
        return branch.getResult(0);
      });
}

/// Splits axis `axis` of a tensor into `groups` and the rest.
Value splitAxis(Lowering &lower, Value tensor, ArrayRef<Size> shape, int64_t axis, int64_t groups, Shape &result) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<ReassociationIndices> groupsOf;
  SmallVector<int64_t> statics;
  result.clear();
  for (int64_t i = 0, next = 0; i < type.getRank(); ++i) {
    ReassociationIndices indices{next++};
    if (i == axis) {
      indices.push_back(next++);
      result.push_back(lower.sizes.constant(groups));
      result.push_back(lower.sizes.floorDiv(shape[i], lower.sizes.constant(groups)));
    } else {
      result.push_back(shape[i]);
    }
    groupsOf.push_back(indices);
  }
  SmallVector<OpFoldResult> sizes(result.begin(), result.end());
  statics = getStaticSizes(result);
  for (int64_t i = 0, j = 0; i < type.getRank(); ++i, ++j) {
    if (i == axis)
      ++j;
    else if (type.isDynamicDim(i) != ShapedType::isDynamic(statics[j])) {
      statics[j] = type.getDimSize(i);
      sizes[j] =
          type.isDynamicDim(i) ? OpFoldResult(lower.index(result[j])) : OpFoldResult(lower.b.getIndexAttr(statics[j]));
    }
  }
  return tensor::ExpandShapeOp::create(lower.b, lower.loc, type.clone(statics), tensor, groupsOf, sizes);
}

/// A convolution without padding. With `groups` the loops are n, g, f, y…, c, k…, otherwise n, f, y…, c, k….
/// With `transposed` the filter's first axis is summed, not its second.
Value convolve(Lowering &lower, Value input, ArrayRef<Size> inputShape, Value filter, ArrayRef<Size> filterShape,
               RankedTensorType type, ArrayRef<Size> shape, ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
               int64_t groups, const MultiplyAdd &multiplyAdd, bool transposed) {
  OpBuilder &b = lower.b;
  int64_t spatial = strides.size();
  bool grouped = groups != 1;
  Shape inputSizes(inputShape), filterSizes(filterShape), outputSizes(shape);
  RankedTensorType outputType = type;
  if (grouped) {
    input = splitAxis(lower, input, inputShape, 1, groups, inputSizes);
    filter = splitAxis(lower, filter, filterShape, 0, groups, filterSizes);
    outputSizes.assign(
        {shape[0], lower.sizes.constant(groups),
         transposed ? filterShape[1] : lower.sizes.floorDiv(filterShape[0], lower.sizes.constant(groups))});
    outputSizes.append(shape.begin() + 2, shape.end());
    outputType = type.clone(getStaticSizes(outputSizes));
  }
  int64_t outer = 2 + grouped, loops = outer + spatial + 1 + spatial, sum = outer + spatial;
  auto dim = [&](int64_t i) { return b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> in{dim(0)}, weight, out;
  if (grouped) {
    in.push_back(dim(1));
    weight.push_back(dim(1));
  }
  in.push_back(dim(sum));
  weight.push_back(transposed ? dim(sum) : dim(outer - 1));
  weight.push_back(transposed ? dim(outer - 1) : dim(sum));
  for (int64_t i = 0; i < spatial; ++i) {
    AffineExpr tap = dim(sum + 1 + i);
    in.push_back(dim(outer + i) * strides[i] + tap * dilations[i]);
    weight.push_back(tap);
  }
  for (int64_t i = 0; i < outer + spatial; ++i)
    out.push_back(dim(i));
  SmallVector<AffineMap> maps{AffineMap::get(loops, 0, in, b.getContext()),
                              AffineMap::get(loops, 0, weight, b.getContext()),
                              AffineMap::get(loops, 0, out, b.getContext())};
  SmallVector<utils::IteratorType> iterators(outer + spatial, utils::IteratorType::parallel);
  iterators.append(1 + spatial, utils::IteratorType::reduction);
  Type compute = getComputeType(type.getElementType());
  Value init = lower.filled(outputType.clone(compute), outputSizes, lower.scalar(compute, 0));
  Value result = linalg::GenericOp::create(b, lower.loc, init.getType(), ValueRange{input, filter}, init, maps,
                                           iterators, multiplyAdd)
                     .getResult(0);
  result = narrowTensor(lower, result, outputType, outputSizes);
  if (!grouped)
    return result;
  SmallVector<ReassociationIndices> join;
  for (int64_t i = 0, next = 0; i < 2 + spatial; ++i) {
    join.push_back({next++});
    if (i == 1)
      join.back().push_back(next++);
  }
  auto joined = tensor::CollapseShapeOp::create(b, lower.loc, result, join);
  return joined.getType() == type ? Value(joined) : Value(tensor::CastOp::create(b, lower.loc, type, joined));
}

/// The input of a channels-last convolution with zeros around: whole rows are copied. Negative amounts crop.
Value padChannelsLast(Lowering &lower, Value input, ArrayRef<Size> inputShape, ArrayRef<int64_t> pads, Shape &shape) {
  size_t spatial = pads.size() / 2;
  Shape low(inputShape.size(), lower.sizes.constant(0)), high(low);
  for (size_t i = 0; i < spatial; ++i) {
    low[1 + i] = lower.sizes.constant(pads[i]);
    high[1 + i] = lower.sizes.constant(pads[spatial + i]);
  }
  auto type = cast<RankedTensorType>(input.getType());
  return surround(lower, input, inputShape, low, high, lower.scalar(type.getElementType(), 0), shape);
}

/// A channels-last convolution without padding. Loops: n, y…, (g,) f, k…, c; of a depthwise one n, y…, c, k….
Value convolveChannelsLast(Lowering &lower, Value input, ArrayRef<Size> inputShape, Value filter,
                           ArrayRef<Size> filterShape, RankedTensorType type, ArrayRef<Size> shape, ConvOp op) {
  OpBuilder &b = lower.b;
  int64_t spatial = op.getStrides().size(), groups = op.getGroups();
  bool depthwise = groups > 1 && getConstant(filterShape[0]) == groups && getConstant(filterShape[1]) == 1;
  bool grouped = groups != 1 && !depthwise;
  Shape inputSizes(inputShape), filterSizes(filterShape), outputSizes(shape);
  RankedTensorType outputType = type;
  if (grouped) {
    input = splitAxis(lower, input, inputShape, 1 + spatial, groups, inputSizes);
    filter = splitAxis(lower, filter, filterShape, 0, groups, filterSizes);
    outputSizes.pop_back();
    outputSizes.push_back(lower.sizes.constant(groups));
    outputSizes.push_back(lower.sizes.floorDiv(filterShape[0], lower.sizes.constant(groups)));
    outputType = type.clone(getStaticSizes(outputSizes));
  }
  int64_t channel = 1 + spatial, outer = channel + 1 + grouped, loops = outer + spatial + !depthwise;
  auto dim = [&](int64_t i) { return b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> in{dim(0)}, weight, out;
  for (int64_t i = 0; i < spatial; ++i)
    in.push_back(dim(1 + i) * op.getStrides()[i] + dim(outer + i) * op.getDilations()[i]);
  if (grouped) {
    in.push_back(dim(channel));
    weight.push_back(dim(channel));
  }
  in.push_back(depthwise ? dim(channel) : dim(loops - 1));
  weight.push_back(dim(outer - 1));
  weight.push_back(depthwise ? b.getAffineConstantExpr(0) : dim(loops - 1));
  for (int64_t i = 0; i < spatial; ++i)
    weight.push_back(dim(outer + i));
  for (int64_t i = 0; i < outer; ++i)
    out.push_back(dim(i));
  SmallVector<AffineMap> maps{AffineMap::get(loops, 0, in, b.getContext()),
                              AffineMap::get(loops, 0, weight, b.getContext()),
                              AffineMap::get(loops, 0, out, b.getContext())};
  SmallVector<utils::IteratorType> iterators(outer, utils::IteratorType::parallel);
  iterators.append(loops - outer, utils::IteratorType::reduction);
  Type compute = getComputeType(type.getElementType());
  Value init = lower.filled(outputType.clone(compute), outputSizes, lower.scalar(compute, 0));
  Value result = linalg::GenericOp::create(b, lower.loc, init.getType(), ValueRange{input, filter}, init, maps,
                                           iterators, MultiplyAdd(op))
                     .getResult(0);
  result = narrowTensor(lower, result, outputType, outputSizes);
  if (!grouped)
    return result;
  SmallVector<ReassociationIndices> join;
  for (int64_t i = 0; i <= channel; ++i)
    join.push_back({i});
  join.back().push_back(channel + 1);
  auto joined = tensor::CollapseShapeOp::create(b, lower.loc, result, join);
  return joined.getType() == type ? Value(joined) : Value(tensor::CastOp::create(b, lower.loc, type, joined));
}

/// Ends the run where the channels do not fit; nothing is built where types say that they do.
void checkChannels(Lowering &lower, Size channels, Size expected) {
  if (channels == expected || (getConstant(channels) && getConstant(expected)))
    return;
  lower.check(
      arith::CmpIOp::create(lower.b, lower.loc, arith::CmpIPredicate::eq, lower.index(channels), lower.index(expected)),
      "the channels of input and filter do not fit");
}

struct LowerConv final : GraphPattern<ConvOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ConvOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    size_t spatial = op.getStrides().size();
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), filterShape = shapeOf(op.getFilter());
    checkChannels(lower, op.getChannelsLast() ? inputShape.back() : inputShape[1],
                  lower.sizes.mul(filterShape[1], lower.sizes.constant(op.getGroups())));
    Shape low, high, padded;
    if (op.getChannelsLast()) {
      Value input = padChannelsLast(lower, adaptor.getInput(), inputShape, op.getPads(), padded);
      rewriter.replaceOp(op, convolveChannelsLast(lower, input, padded, adaptor.getFilter(), filterShape,
                                                  convertedType(op), shapeOf(op), op));
      return success();
    }
    for (size_t i = 0; i < spatial; ++i) {
      low.push_back(lower.sizes.constant(op.getPads()[i]));
      high.push_back(lower.sizes.constant(op.getPads()[spatial + i]));
    }
    SmallVector<int64_t> ones(spatial, 1);
    Value input = spread(lower, adaptor.getInput(), inputShape, low, high, ones, padded);
    rewriter.replaceOp(op, convolve(lower, input, padded, adaptor.getFilter(), filterShape, convertedType(op),
                                    shapeOf(op), op.getStrides(), op.getDilations(), op.getGroups(), MultiplyAdd(op),
                                    /*transposed=*/false));
    return success();
  }
};

/// y = conv(input spread by the strides and padded by reach - 1 - pad, flipped filter)
struct LowerConvTranspose final : GraphPattern<ConvTransposeOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ConvTransposeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    size_t spatial = op.getStrides().size();
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), filterShape = shapeOf(op.getFilter());
    checkChannels(lower, inputShape[1], filterShape[0]);
    auto filterType = cast<RankedTensorType>(adaptor.getFilter().getType());
    Value filter = lower.compute(filterType, filterShape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      SmallVector<Value> from(indices);
      for (size_t i = 2; i < from.size(); ++i) {
        Value size = tensor::DimOp::create(b, loc, adaptor.getFilter(), static_cast<int64_t>(i));
        Value last = arith::SubIOp::create(b, loc, size, Value(arith::ConstantIndexOp::create(b, loc, 1)));
        from[i] = arith::SubIOp::create(b, loc, last, indices[i]);
      }
      return tensor::ExtractOp::create(b, loc, adaptor.getFilter(), from);
    });
    Shape low, high, padded;
    for (size_t i = 0; i < spatial; ++i) {
      Size reach = lower.sizes.mul(lower.sizes.sub(filterShape[2 + i], lower.sizes.constant(1)),
                                   lower.sizes.constant(op.getDilations()[i]));
      low.push_back(lower.sizes.sub(reach, lower.sizes.constant(op.getPads()[i])));
      high.push_back(lower.sizes.sub(lower.sizes.add(reach, lower.sizes.constant(op.getOutputPadding()[i])),
                                     lower.sizes.constant(op.getPads()[spatial + i])));
    }
    SmallVector<int64_t> ones(spatial, 1);
    Value input = spread(lower, adaptor.getInput(), inputShape, low, high, op.getStrides(), padded);
    rewriter.replaceOp(op, convolve(lower, input, padded, filter, filterShape, convertedType(op), shapeOf(op), ones,
                                    op.getDilations(), op.getGroups(), MultiplyAdd(op), /*transposed=*/true));
    return success();
  }
};

/// Sums over images and places. Loops: k…, (g,) c, f, then n, y…, so that the vectorised loop is one of the cotangent
/// alone, whose channels lie side by side; a transposition gives the filter's own order. With the channels first the
/// places are what lies side by side, and the loops those of the filter. A depthwise one has k…, c, then n, y….
struct LowerConvFilterGradient final : GraphPattern<ConvFilterGradientOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ConvFilterGradientOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    int64_t spatial = op.getStrides().size(), groups = op.getGroups();
    bool last = op.getChannelsLast();
    Shape inputShape(shapeOf(op.getInput())), cotangentShape(shapeOf(op.getCotangent())), padded;
    Value input = adaptor.getInput(), cotangent = adaptor.getCotangent();
    if (last) {
      input = padChannelsLast(lower, input, inputShape, op.getPads(), padded);
    } else {
      Shape low, high;
      for (int64_t i = 0; i < spatial; ++i) {
        low.push_back(lower.sizes.constant(op.getPads()[i]));
        high.push_back(lower.sizes.constant(op.getPads()[spatial + i]));
      }
      input = spread(lower, input, inputShape, low, high, SmallVector<int64_t>(spatial, 1), padded);
    }
    checkPlaces(lower, op, padded, cotangentShape);
    int64_t channel = last ? 1 + spatial : 1;
    bool depthwise =
        last && groups > 1 && getConstant(padded[channel]) == groups && getConstant(cotangentShape[channel]) == groups;
    bool grouped = groups > 1 && !depthwise;
    Shape inputSizes(padded), cotangentSizes(cotangentShape);
    if (grouped) {
      input = splitAxis(lower, input, padded, channel, groups, inputSizes);
      cotangent = splitAxis(lower, cotangent, cotangentShape, channel, groups, cotangentSizes);
    }
    int64_t own = channel + grouped, parallel = spatial + (depthwise ? 1 : 2 + grouped), loops = parallel + 1 + spatial;
    // Where the loops of the result are: taps first with the channels last, otherwise behind the channels.
    int64_t taps = last ? 0 : parallel - spatial, group = last ? spatial : 0;
    int64_t inner = depthwise ? group : group + grouped + !last, outer = depthwise ? group : group + grouped + last;
    auto dim = [&](int64_t i) { return rewriter.getAffineDimExpr(i); };
    SmallVector<AffineExpr> in{dim(parallel)}, of{dim(parallel)}, out;
    SmallVector<AffineExpr> places, results;
    for (int64_t i = 0; i < spatial; ++i) {
      AffineExpr place = dim(parallel + 1 + i);
      places.push_back(place * op.getStrides()[i] + dim(taps + i) * op.getDilations()[i]);
      results.push_back(place);
    }
    SmallVector<AffineExpr> inChannels, ofChannels;
    if (grouped) {
      inChannels.push_back(dim(group));
      ofChannels.push_back(dim(group));
    }
    inChannels.push_back(dim(inner));
    ofChannels.push_back(dim(outer));
    in.append(last ? places : inChannels);
    in.append(last ? inChannels : places);
    of.append(last ? results : ofChannels);
    of.append(last ? ofChannels : results);
    Shape shape(parallel);
    for (int64_t i = 0; i < parallel; ++i)
      out.push_back(dim(i));
    for (int64_t i = 0; i < spatial; ++i)
      shape[taps + i] = lower.sizes.constant(op.getKernel()[i]);
    if (grouped)
      shape[group] = lower.sizes.constant(groups);
    shape[inner] = inputSizes[own];
    shape[outer] = cotangentSizes[own];
    RankedTensorType type = convertedType(op), loopType = type.clone(getStaticSizes(shape));
    Type compute = getComputeType(type.getElementType());
    Value init = lower.filled(loopType.clone(compute), shape, lower.scalar(compute, 0));
    SmallVector<AffineMap> maps{AffineMap::get(loops, 0, in, rewriter.getContext()),
                                AffineMap::get(loops, 0, of, rewriter.getContext()),
                                AffineMap::get(loops, 0, out, rewriter.getContext())};
    SmallVector<utils::IteratorType> iterators(parallel, utils::IteratorType::parallel);
    iterators.append(1 + spatial, utils::IteratorType::reduction);
    Value result = linalg::GenericOp::create(rewriter, op.getLoc(), init.getType(), ValueRange{input, cotangent}, init,
                                             maps, iterators, MultiplyAdd(op))
                       .getResult(0);
    result = narrowTensor(lower, result, loopType, shape);
    if (last) { // [k…, (g,) c, f] -> [(g,) f, c, k…]
      SmallVector<int64_t> order;
      if (grouped)
        order.push_back(group);
      order.push_back(outer);
      if (!depthwise)
        order.push_back(inner);
      for (int64_t i = 0; i < spatial; ++i)
        order.push_back(i);
      Shape turned = llvm::map_to_vector<4>(order, [&](int64_t axis) { return shape[axis]; });
      Value empty = lower.empty(type.clone(getStaticSizes(turned)), turned);
      result = linalg::TransposeOp::create(rewriter, op.getLoc(), result, empty, order).getResult()[0];
    }
    rewriter.replaceOp(op, finish(lower, result, type, grouped, depthwise));
    return success();
  }

private:
  /// Ends the run where a place of the cotangent would read behind the padded input.
  static void checkPlaces(Lowering &lower, ConvFilterGradientOp op, ArrayRef<Size> padded, ArrayRef<Size> cotangent) {
    SizeBuilder &sizes = lower.sizes;
    auto require = [&](arith::CmpIPredicate predicate, Size size, Size limit) {
      if (size == limit || (getConstant(size) && getConstant(limit)))
        return;
      lower.check(arith::CmpIOp::create(lower.b, lower.loc, predicate, lower.index(size), lower.index(limit)),
                  "the sizes of input and cotangent do not fit");
    };
    require(arith::CmpIPredicate::eq, cotangent[0], padded[0]);
    for (int64_t i = 0, first = op.getChannelsLast() ? 1 : 2; i < static_cast<int64_t>(op.getKernel().size()); ++i) {
      Size last = sizes.mul(sizes.sub(cotangent[first + i], sizes.constant(1)), sizes.constant(op.getStrides()[i]));
      Size reach = sizes.constant((op.getKernel()[i] - 1) * op.getDilations()[i] + 1);
      require(arith::CmpIPredicate::sle, sizes.add(last, reach), padded[first + i]);
    }
  }

  /// [(g, f), c, k…], with an axis of one channel where depthwise ones have none yet.
  static Value finish(Lowering &lower, Value result, RankedTensorType type, bool grouped, bool depthwise) {
    if (!grouped && !depthwise)
      return result;
    SmallVector<ReassociationIndices> axes{{0, 1}};
    for (int64_t i = 1; i < type.getRank() - depthwise; ++i)
      axes.push_back({i + 1});
    if (depthwise)
      return tensor::ExpandShapeOp::create(lower.b, lower.loc, type, result, axes);
    auto joined = tensor::CollapseShapeOp::create(lower.b, lower.loc, result, axes);
    return joined.getType() == type ? Value(joined) : Value(tensor::CastOp::create(lower.b, lower.loc, type, joined));
  }
};

} // namespace

void mlc::graph::populateContractionLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                              const ResolvedShapes &shapes) {
  patterns.add<LowerMatMul, LowerConv, LowerConvTranspose, LowerConvFilterGradient>(converter, patterns.getContext(),
                                                                                    shapes);
}
