//===- Resize.cpp - resampling -----------------------------------------------------------------------------------===//
//
// A place of the result maps to a coordinate of the input, axis by axis. `nearest` is one gather over all axes; linear
// and cubic filters are separable, so every axis is one pass. With left = ceil(x) - 1 and ratio = x - left in (0, 1],
// tap t of a filter of radius r and scale s weighs kernel(s (t - ratio)), t from floor(-r / s) + 1 to -floor(-r / s); s
// is below 1 only for an antialiased shrinking. The weights are normalised.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Short names for scalar f64 and index arithmetic at one place.
struct Scalars final {
  OpBuilder &b;
  Location loc;
  Value real(double value) { return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(value)); }
  Value place(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value compare(arith::CmpFPredicate p, Value x, Value y) { return arith::CmpFOp::create(b, loc, p, x, y); }
  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, loc, condition, x, y); }
  Value ceil(Value x) { return math::CeilOp::create(b, loc, x); }
  Value floor(Value x) { return math::FloorOp::create(b, loc, x); }
  Value toIndex(Value x) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                      Value(arith::FPToSIOp::create(b, loc, b.getI64Type(), x)));
  }
  Value toReal(Value i) {
    return arith::SIToFPOp::create(b, loc, b.getF64Type(),
                                   Value(arith::IndexCastOp::create(b, loc, b.getI64Type(), i)));
  }
  Value clampIndex(Value i, Value size) {
    Value last = arith::SubIOp::create(b, loc, size, place(1));
    return arith::MaxSIOp::create(b, loc, place(0), Value(arith::MinSIOp::create(b, loc, i, last)));
  }
};

/// One axis of a resize: sizes as f64 and index, scale, and the part of the input that a crop takes.
struct Axis final {
  Value inputSize, inputReal, outputReal, scale, cropStart, cropEnd;
};

/// The coordinate in the input of place `i` of the result.
Value coordinate(Scalars s, CoordinateMode mode, const Axis &axis, Value i) {
  Value x = s.toReal(i), half = s.real(0.5), one = s.real(1), zero = s.real(0);
  Value exactSize = s.mul(axis.scale, axis.inputReal);
  auto halfPixel = [&] { return s.sub(s.div(s.add(x, half), axis.scale), half); };
  auto isOne = [&] { return s.compare(arith::CmpFPredicate::OEQ, axis.outputReal, one); };
  switch (mode) {
  case CoordinateMode::half_pixel:
    return halfPixel();
  case CoordinateMode::pytorch_half_pixel:
    return s.select(isOne(), s.real(-0.5), halfPixel());
  case CoordinateMode::half_pixel_symmetric: {
    Value adjustment = s.div(axis.outputReal, exactSize);
    Value offset = s.mul(s.mul(axis.inputReal, half), s.sub(one, adjustment));
    return s.add(offset, halfPixel());
  }
  case CoordinateMode::asymmetric:
    return s.div(x, axis.scale);
  case CoordinateMode::align_corners: {
    Value ratio = s.div(s.mul(x, s.sub(axis.inputReal, one)), s.sub(exactSize, one));
    return s.select(s.compare(arith::CmpFPredicate::OEQ, exactSize, one), zero, ratio);
  }
  case CoordinateMode::tf_crop_and_resize: {
    Value last = s.sub(axis.inputReal, one), span = s.mul(s.sub(axis.cropEnd, axis.cropStart), last);
    Value inside = s.select(isOne(), s.mul(span, half), s.div(s.mul(x, span), s.sub(axis.outputReal, one)));
    return s.add(s.mul(axis.cropStart, last), inside);
  }
  }
  llvm_unreachable("a coordinate mode");
}

/// Whether a cropped coordinate is outside of the input.
Value isOutside(Scalars s, const Axis &axis, Value x) {
  Value below = s.compare(arith::CmpFPredicate::OLT, x, s.real(0));
  Value above = s.compare(arith::CmpFPredicate::OGT, x, s.sub(axis.inputReal, s.real(1)));
  return arith::OrIOp::create(s.b, s.loc, below, above);
}

Value nearestPlace(Scalars s, NearestMode mode, Value x) {
  using P = arith::CmpFPredicate;
  Value left = s.sub(s.ceil(x), s.real(1)), right = s.ceil(x), ratio = s.sub(x, left);
  switch (mode) {
  case NearestMode::round_prefer_floor:
    return s.select(s.compare(P::OLE, ratio, s.real(0.5)), left, right);
  case NearestMode::round_prefer_ceil:
    return s.select(s.compare(P::OLT, ratio, s.real(0.5)), left, right);
  case NearestMode::floor:
    return s.floor(x);
  case NearestMode::ceil:
    return right;
  }
  llvm_unreachable("a rounding mode");
}

/// The filter at distance `x`.
Value kernelAt(Scalars s, ResizeMode mode, double a, Value x) {
  using P = arith::CmpFPredicate;
  Value d = math::AbsFOp::create(s.b, s.loc, x), zero = s.real(0), one = s.real(1);
  if (mode == ResizeMode::linear)
    return arith::MaximumFOp::create(s.b, s.loc, s.sub(one, d), zero);
  // |x| <= 1: (a+2)|x|³ - (a+3)|x|² + 1; |x| < 2: a|x|³ - 5a|x|² + 8a|x| - 4a
  Value near = s.add(s.mul(s.mul(s.sub(s.mul(s.real(a + 2), d), s.real(a + 3)), d), d), one);
  Value far = s.sub(s.mul(s.add(s.mul(s.sub(s.mul(s.real(a), d), s.real(5 * a)), d), s.real(8 * a)), d), s.real(4 * a));
  Value value = s.select(s.compare(P::OLT, d, s.real(2)), far, zero);
  return s.select(s.compare(P::OLE, d, one), near, value);
}

/// An integer or float scalar as f64, and back.
Value toF64(OpBuilder &b, Location loc, Value value, bool isUnsigned) {
  Type f64 = b.getF64Type();
  if (value.getType() == f64)
    return value;
  if (isa<FloatType>(value.getType()))
    return arith::ExtFOp::create(b, loc, f64, value);
  return isUnsigned ? Value(arith::UIToFPOp::create(b, loc, f64, value))
                    : Value(arith::SIToFPOp::create(b, loc, f64, value));
}
Value fromF64(OpBuilder &b, Location loc, Value value, Type type, bool isUnsigned) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::TruncFOp::create(b, loc, type, value);
  return isUnsigned ? Value(arith::FPToUIOp::create(b, loc, type, value))
                    : Value(arith::FPToSIOp::create(b, loc, type, value));
}

struct LowerResize final : GraphPattern<ResizeOp> {
  using GraphPattern::GraphPattern;

  LogicalResult matchAndRewrite(ResizeOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    int64_t rank = type.getRank();
    bool crops = op.getCoordinates() == CoordinateMode::tf_crop_and_resize;
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), shape = shapeOf(op);
    SmallVector<Axis> axes;
    SmallVector<bool> changes;
    DenseElementsAttr known;
    matchPattern(op.getScales(), m_Constant(&known));
    Scalars s{rewriter, op.getLoc()};
    for (int64_t i = 0; i < rank; ++i) {
      Axis axis;
      axis.inputSize = lower.index(inputShape[i]);
      axis.inputReal = s.toReal(axis.inputSize);
      axis.outputReal = s.toReal(lower.index(shape[i]));
      axis.scale = tensor::ExtractOp::create(rewriter, op.getLoc(), adaptor.getScales(), s.place(i));
      if (crops) {
        axis.cropStart = tensor::ExtractOp::create(rewriter, op.getLoc(), adaptor.getRoi(), s.place(i));
        axis.cropEnd = tensor::ExtractOp::create(rewriter, op.getLoc(), adaptor.getRoi(), s.place(rank + i));
      }
      axes.push_back(axis);
      changes.push_back(crops || !known || known.getValues<double>()[i] != 1.0 || inputShape[i] != shape[i]);
    }
    rewriter.replaceOp(op, op.getMode() == ResizeMode::nearest
                               ? nearest(op, lower, adaptor.getInput(), axes, changes)
                               : filtered(op, lower, adaptor.getInput(), axes, changes));
    return success();
  }

  Value nearest(ResizeOp op, Lowering &lower, Value input, ArrayRef<Axis> axes, ArrayRef<bool> changes) const {
    bool crops = op.getCoordinates() == CoordinateMode::tf_crop_and_resize,
         isUnsigned = isUnsignedElement(op.getType());
    RankedTensorType type = convertedType(op);
    return lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      Scalars s{b, loc};
      SmallVector<Value> from(indices);
      Value outside;
      for (size_t i = 0; i < axes.size(); ++i) {
        if (!changes[i])
          continue;
        Value x = coordinate(s, op.getCoordinates(), axes[i], indices[i]);
        from[i] = s.clampIndex(s.toIndex(nearestPlace(s, op.getNearest(), x)), axes[i].inputSize);
        if (crops) {
          Value here = isOutside(s, axes[i], x);
          outside = outside ? Value(arith::OrIOp::create(b, loc, outside, here)) : here;
        }
      }
      Value value = tensor::ExtractOp::create(b, loc, input, from);
      if (!outside)
        return value;
      Value fill = s.real(op.getExtrapolation().convertToDouble());
      return s.select(outside, fromF64(b, loc, fill, type.getElementType(), isUnsigned), value);
    });
  }

  Value filtered(ResizeOp op, Lowering &lower, Value value, ArrayRef<Axis> axes, ArrayRef<bool> changes) const {
    bool crops = op.getCoordinates() == CoordinateMode::tf_crop_and_resize,
         isUnsigned = isUnsignedElement(op.getType());
    RankedTensorType type = convertedType(op);
    double radius = op.getMode() == ResizeMode::linear ? 1 : 2, a = op.getCubicCoefficient().convertToDouble();
    Shape shape(shapeOf(op.getInput()));
    Type intermediate = type.getElementType().isF64() ? lower.b.getF64Type() : Type(lower.b.getF32Type());
    for (size_t i = 0; i < axes.size(); ++i) {
      if (!changes[i])
        continue;
      const Axis &axis = axes[i];
      shape[i] = shapeOf(op)[i];
      Value source = value;
      value = lower.compute(
          RankedTensorType::get(getStaticSizes(shape), intermediate), shape,
          [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
            Scalars s{b, loc};
            Value x = coordinate(s, op.getCoordinates(), axis, indices[i]);
            Value left = s.sub(s.ceil(x), s.real(1)), ratio = s.sub(x, left), start = s.toIndex(left);
            Value narrowing = s.real(1);
            if (op.getAntialias())
              narrowing = arith::MinimumFOp::create(b, loc, axis.scale, narrowing);
            Value reach = s.toIndex(s.floor(s.div(s.real(-radius), narrowing)));
            Value first = arith::AddIOp::create(b, loc, reach, s.place(1));
            Value taps = arith::SubIOp::create(b, loc, s.place(1), Value(arith::AddIOp::create(b, loc, first, first)));
            taps = arith::AddIOp::create(b, loc, taps, s.place(1));
            Value zero = s.real(0);
            auto loop = scf::ForOp::create(
                b, loc, s.place(0), taps, s.place(1), ValueRange{zero, zero},
                [&](OpBuilder &b, Location loc, Value step, ValueRange sums) {
                  Scalars s{b, loc};
                  Value tap = arith::AddIOp::create(b, loc, first, step);
                  Value weight = kernelAt(s, op.getMode(), a, s.mul(narrowing, s.sub(s.toReal(tap), ratio)));
                  Value place = arith::AddIOp::create(b, loc, start, tap);
                  if (op.getExcludeOutside())
                    weight = s.select(isInside(b, loc, place, axis.inputSize), weight, s.real(0));
                  SmallVector<Value> from(indices);
                  from[i] = s.clampIndex(place, axis.inputSize);
                  Value element = widen(b, loc, tensor::ExtractOp::create(b, loc, source, from));
                  element = toF64(b, loc, element, isUnsigned);
                  scf::YieldOp::create(b, loc,
                                       ValueRange{s.add(sums[0], s.mul(weight, element)), s.add(sums[1], weight)});
                });
            Value result = s.div(loop.getResult(0), loop.getResult(1));
            if (crops)
              result = s.select(isOutside(s, axis, x), s.real(op.getExtrapolation().convertToDouble()), result);
            return fromF64(b, loc, result, intermediate, false);
          });
    }
    if (value.getType() == type)
      return value;
    auto from = cast<RankedTensorType>(value.getType());
    if (from.getElementType() == type.getElementType())
      return tensor::CastOp::create(lower.b, lower.loc, type, value);
    return lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      Value element = toF64(b, loc, tensor::ExtractOp::create(b, loc, value, indices), isUnsigned);
      return fromF64(b, loc, element, type.getElementType(), isUnsigned);
    });
  }
};

} // namespace

void mlc::graph::populateResizeLowering(RewritePatternSet &patterns, const TypeConverter &converter,
                                        const ResolvedShapes &shapes) {
  patterns.add<LowerResize>(converter, patterns.getContext(), shapes);
}
