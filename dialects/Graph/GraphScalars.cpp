//===- GraphScalars.cpp - what element-wise ops compute for one element ------------------------------------------===//
//
// The meaning of each element-wise op on scalars, as arith and math ops. Used by the lowering, by constant folding and
// by shape arithmetic. Integers are signless here; the sign is asked from the op's own type.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlc::graph;

namespace {

Value constant(OpBuilder &b, Location loc, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

bool isFloat(Value value) { return isa<FloatType>(value.getType()); }

bool isUnsigned(Operation *op) {
  Type type = getElementTypeOrSelf(op->getOperand(0).getType());
  return type.isUnsignedInteger() || type.isInteger(1);
}

Value compare(OpBuilder &b, Location loc, arith::CmpFPredicate predicate, Value lhs, Value rhs) {
  return arith::CmpFOp::create(b, loc, predicate, lhs, rhs);
}
Value compare(OpBuilder &b, Location loc, arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
}

Value select(OpBuilder &b, Location loc, Value condition, Value onTrue, Value onFalse) {
  return arith::SelectOp::create(b, loc, condition, onTrue, onFalse);
}

/// Integer division that gives 0 for a zero divisor and wraps for the lowest value by -1, where hardware traps.
/// With `remainder` the rest instead.
Value divideSafely(OpBuilder &b, Location loc, Value lhs, Value rhs, bool isUnsigned, bool remainder) {
  Type type = lhs.getType();
  Value zero = constant(b, loc, type, 0), one = constant(b, loc, type, 1);
  Value isZero = compare(b, loc, arith::CmpIPredicate::eq, rhs, zero);
  if (isUnsigned) {
    Value divisor = select(b, loc, isZero, one, rhs);
    Value result = remainder ? Value(arith::RemUIOp::create(b, loc, lhs, divisor))
                             : Value(arith::DivUIOp::create(b, loc, lhs, divisor));
    return select(b, loc, isZero, zero, result);
  }
  Value isMinusOne = compare(b, loc, arith::CmpIPredicate::eq, rhs, constant(b, loc, type, -1));
  Value divisor = select(b, loc, arith::OrIOp::create(b, loc, isZero, isMinusOne), one, rhs);
  Value result = remainder ? Value(arith::RemSIOp::create(b, loc, lhs, divisor))
                           : Value(arith::DivSIOp::create(b, loc, lhs, divisor));
  Value negated = remainder ? zero : Value(arith::SubIOp::create(b, loc, zero, lhs));
  return select(b, loc, isZero, zero, select(b, loc, isMinusOne, negated, result));
}

} // namespace

Value AbsOp::buildScalar(OpBuilder &b, ValueRange args) {
  if (isFloat(args[0]))
    return math::AbsFOp::create(b, getLoc(), args[0]);
  return isUnsigned(*this) ? args[0] : Value(math::AbsIOp::create(b, getLoc(), args[0]));
}

Value NegOp::buildScalar(OpBuilder &b, ValueRange args) {
  if (isFloat(args[0]))
    return arith::NegFOp::create(b, getLoc(), args[0]);
  return arith::SubIOp::create(b, getLoc(), constant(b, getLoc(), args[0].getType(), 0), args[0]);
}

Value SignOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Value x = args[0], zero = constant(b, loc, x.getType(), 0), one = constant(b, loc, x.getType(), 1);
  if (isFloat(x)) {
    Value minusOne = constant(b, loc, x.getType(), -1);
    // Zero and NaN stay what they are.
    Value below = select(b, loc, compare(b, loc, arith::CmpFPredicate::OLT, x, zero), minusOne, x);
    return select(b, loc, compare(b, loc, arith::CmpFPredicate::OGT, x, zero), one, below);
  }
  Value positive = select(b, loc, compare(b, loc, arith::CmpIPredicate::ne, x, zero), one, zero);
  if (isUnsigned(*this))
    return positive;
  Value minusOne = constant(b, loc, x.getType(), -1);
  return select(b, loc, compare(b, loc, arith::CmpIPredicate::slt, x, zero), minusOne, positive);
}

#define MLC_FLOAT_UNARY(OP, MATH)                                                                                      \
  Value OP::buildScalar(OpBuilder &b, ValueRange args) { return MATH::create(b, getLoc(), args[0]); }
MLC_FLOAT_UNARY(CeilOp, math::CeilOp)
MLC_FLOAT_UNARY(FloorOp, math::FloorOp)
MLC_FLOAT_UNARY(RoundOp, math::RoundEvenOp)
MLC_FLOAT_UNARY(SqrtOp, math::SqrtOp)
MLC_FLOAT_UNARY(ExpOp, math::ExpOp)
MLC_FLOAT_UNARY(LogOp, math::LogOp)
MLC_FLOAT_UNARY(Log1POp, math::Log1pOp)
MLC_FLOAT_UNARY(SinOp, math::SinOp)
MLC_FLOAT_UNARY(CosOp, math::CosOp)
MLC_FLOAT_UNARY(TanOp, math::TanOp)
MLC_FLOAT_UNARY(AsinOp, math::AsinOp)
MLC_FLOAT_UNARY(AcosOp, math::AcosOp)
MLC_FLOAT_UNARY(AtanOp, math::AtanOp)
MLC_FLOAT_UNARY(SinhOp, math::SinhOp)
MLC_FLOAT_UNARY(CoshOp, math::CoshOp)
MLC_FLOAT_UNARY(TanhOp, math::TanhOp)
MLC_FLOAT_UNARY(AsinhOp, math::AsinhOp)
MLC_FLOAT_UNARY(AcoshOp, math::AcoshOp)
MLC_FLOAT_UNARY(AtanhOp, math::AtanhOp)
MLC_FLOAT_UNARY(ErfOp, math::ErfOp)
#undef MLC_FLOAT_UNARY

Value SigmoidOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Value one = constant(b, loc, args[0].getType(), 1);
  Value exponential = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, args[0]));
  return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, exponential));
}

Value NotOp::buildScalar(OpBuilder &b, ValueRange args) {
  return arith::XOrIOp::create(b, getLoc(), args[0], constant(b, getLoc(), args[0].getType(), -1));
}

Value IsNaNOp::buildScalar(OpBuilder &b, ValueRange args) {
  return compare(b, getLoc(), arith::CmpFPredicate::UNO, args[0], args[0]);
}

Value IsInfOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  double infinity = std::numeric_limits<double>::infinity();
  auto equals = [&](double value) {
    return compare(b, loc, arith::CmpFPredicate::OEQ, args[0], constant(b, loc, args[0].getType(), value));
  };
  Value result = constant(b, loc, b.getI1Type(), 0);
  if (getPositive())
    result = arith::OrIOp::create(b, loc, result, equals(infinity));
  if (getNegative())
    result = arith::OrIOp::create(b, loc, result, equals(-infinity));
  return result;
}

#define MLC_ARITHMETIC(OP, FLOAT, INT)                                                                                 \
  Value OP::buildScalar(OpBuilder &b, ValueRange args) {                                                               \
    if (isFloat(args[0]))                                                                                              \
      return FLOAT::create(b, getLoc(), args[0], args[1]);                                                             \
    return INT::create(b, getLoc(), args[0], args[1]);                                                                 \
  }
MLC_ARITHMETIC(AddOp, arith::AddFOp, arith::AddIOp)
MLC_ARITHMETIC(SubOp, arith::SubFOp, arith::SubIOp)
MLC_ARITHMETIC(MulOp, arith::MulFOp, arith::MulIOp)
#undef MLC_ARITHMETIC

#define MLC_BITWISE(OP, INT)                                                                                           \
  Value OP::buildScalar(OpBuilder &b, ValueRange args) { return INT::create(b, getLoc(), args[0], args[1]); }
MLC_BITWISE(AndOp, arith::AndIOp)
MLC_BITWISE(OrOp, arith::OrIOp)
MLC_BITWISE(XorOp, arith::XOrIOp)
#undef MLC_BITWISE

Value DivOp::buildScalar(OpBuilder &b, ValueRange args) {
  if (isFloat(args[0]))
    return arith::DivFOp::create(b, getLoc(), args[0], args[1]);
  return divideSafely(b, getLoc(), args[0], args[1], isUnsigned(*this), /*remainder=*/false);
}

Value ModOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Value lhs = args[0], rhs = args[1], zero = constant(b, loc, lhs.getType(), 0), rest, adjust;
  if (isFloat(lhs)) {
    rest = arith::RemFOp::create(b, loc, lhs, rhs);
    if (getTruncated())
      return rest;
    Value differs = arith::XOrIOp::create(b, loc, compare(b, loc, arith::CmpFPredicate::OLT, rest, zero),
                                          compare(b, loc, arith::CmpFPredicate::OLT, rhs, zero));
    adjust = arith::AndIOp::create(b, loc, differs, compare(b, loc, arith::CmpFPredicate::ONE, rest, zero));
    return select(b, loc, adjust, arith::AddFOp::create(b, loc, rest, rhs), rest);
  }
  rest = divideSafely(b, loc, lhs, rhs, isUnsigned(*this), /*remainder=*/true);
  if (getTruncated() || isUnsigned(*this))
    return rest;
  Value differs = arith::XOrIOp::create(b, loc, compare(b, loc, arith::CmpIPredicate::slt, rest, zero),
                                        compare(b, loc, arith::CmpIPredicate::slt, rhs, zero));
  adjust = arith::AndIOp::create(b, loc, differs, compare(b, loc, arith::CmpIPredicate::ne, rest, zero));
  return select(b, loc, adjust, arith::AddIOp::create(b, loc, rest, rhs), rest);
}

Value PowOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  if (isFloat(args[0]))
    return math::PowFOp::create(b, loc, args[0], args[1]);
  // Through doubles where they are exact; models use integer powers for sizes only.
  Type wide = b.getF64Type();
  auto widen = [&](Value value) -> Value {
    if (isUnsigned(*this))
      return arith::UIToFPOp::create(b, loc, wide, value);
    return arith::SIToFPOp::create(b, loc, wide, value);
  };
  Value power = math::PowFOp::create(b, loc, widen(args[0]), widen(args[1]));
  if (isUnsigned(*this))
    return arith::FPToUIOp::create(b, loc, args[0].getType(), power);
  return arith::FPToSIOp::create(b, loc, args[0].getType(), power);
}

Value MaxOp::buildScalar(OpBuilder &b, ValueRange args) {
  if (isFloat(args[0]))
    return arith::MaximumFOp::create(b, getLoc(), args[0], args[1]);
  if (isUnsigned(*this))
    return arith::MaxUIOp::create(b, getLoc(), args[0], args[1]);
  return arith::MaxSIOp::create(b, getLoc(), args[0], args[1]);
}

Value MinOp::buildScalar(OpBuilder &b, ValueRange args) {
  if (isFloat(args[0]))
    return arith::MinimumFOp::create(b, getLoc(), args[0], args[1]);
  if (isUnsigned(*this))
    return arith::MinUIOp::create(b, getLoc(), args[0], args[1]);
  return arith::MinSIOp::create(b, getLoc(), args[0], args[1]);
}

Value ShiftLeftOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Value zero = constant(b, loc, args[0].getType(), 0);
  Value width = constant(b, loc, args[0].getType(), args[0].getType().getIntOrFloatBitWidth());
  Value inRange = compare(b, loc, arith::CmpIPredicate::ult, args[1], width);
  Value amount = select(b, loc, inRange, args[1], zero);
  return select(b, loc, inRange, arith::ShLIOp::create(b, loc, args[0], amount), zero);
}

Value ShiftRightOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Value zero = constant(b, loc, args[0].getType(), 0);
  Value width = constant(b, loc, args[0].getType(), args[0].getType().getIntOrFloatBitWidth());
  Value last = constant(b, loc, args[0].getType(), args[0].getType().getIntOrFloatBitWidth() - 1);
  Value inRange = compare(b, loc, arith::CmpIPredicate::ult, args[1], width);
  Value amount = select(b, loc, inRange, args[1], last);
  if (!isUnsigned(*this))
    return arith::ShRSIOp::create(b, loc, args[0], amount);
  return select(b, loc, inRange, arith::ShRUIOp::create(b, loc, args[0], amount), zero);
}

Value CompareOp::buildScalar(OpBuilder &b, ValueRange args) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  bool isUnsignedType = isUnsigned(*this);
  auto build = [&](F floats, I signedInts, I unsignedInts) -> Value {
    if (isFloat(args[0]))
      return compare(b, getLoc(), floats, args[0], args[1]);
    return compare(b, getLoc(), isUnsignedType ? unsignedInts : signedInts, args[0], args[1]);
  };
  switch (getDirection()) {
  case CompareDirection::eq:
    return build(F::OEQ, I::eq, I::eq);
  case CompareDirection::lt:
    return build(F::OLT, I::slt, I::ult);
  case CompareDirection::le:
    return build(F::OLE, I::sle, I::ule);
  case CompareDirection::gt:
    return build(F::OGT, I::sgt, I::ugt);
  case CompareDirection::ge:
    return build(F::OGE, I::sge, I::uge);
  }
  llvm_unreachable("a comparison direction");
}

Value SelectOp::buildScalar(OpBuilder &b, ValueRange args) { return select(b, getLoc(), args[0], args[1], args[2]); }

Value CastOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Type from = getElementTypeOrSelf(getInput().getType()), to = getElement();
  Type source = args[0].getType(), target = getComputeType(to);
  bool fromUnsigned = from.isUnsignedInteger() || from.isInteger(1);
  if (isa<FloatType>(source) && isa<FloatType>(target)) {
    if (source == target)
      return args[0];
    if (source.getIntOrFloatBitWidth() < target.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, loc, target, args[0]);
    // Round once: a double that becomes a half must not pass through f32.
    if (to.isF16() || to.isBF16())
      return arith::ExtFOp::create(b, loc, target, Value(arith::TruncFOp::create(b, loc, to, args[0])));
    return arith::TruncFOp::create(b, loc, target, args[0]);
  }
  if (to.isInteger(1)) {
    if (isa<FloatType>(source))
      return compare(b, loc, arith::CmpFPredicate::UNE, args[0], constant(b, loc, source, 0));
    return compare(b, loc, arith::CmpIPredicate::ne, args[0], constant(b, loc, source, 0));
  }
  if (isa<FloatType>(source)) {
    // Through 64 bits, so that e.g. -1.0 to an unsigned byte wraps as everywhere else.
    if (to.isUnsignedInteger(64))
      return arith::FPToUIOp::create(b, loc, target, args[0]);
    if (target.isInteger(64))
      return arith::FPToSIOp::create(b, loc, target, args[0]);
    if (target.isInteger(32) && !to.isUnsignedInteger())
      return arith::FPToSIOp::create(b, loc, target, args[0]);
    Value wide = arith::FPToSIOp::create(b, loc, b.getI64Type(), args[0]);
    return arith::TruncIOp::create(b, loc, target, wide);
  }
  if (isa<FloatType>(target)) {
    if (fromUnsigned)
      return arith::UIToFPOp::create(b, loc, target, args[0]);
    return arith::SIToFPOp::create(b, loc, target, args[0]);
  }
  unsigned sourceWidth = source.getIntOrFloatBitWidth(), targetWidth = target.getIntOrFloatBitWidth();
  if (sourceWidth == targetWidth)
    return args[0];
  if (sourceWidth > targetWidth)
    return arith::TruncIOp::create(b, loc, target, args[0]);
  if (fromUnsigned)
    return arith::ExtUIOp::create(b, loc, target, args[0]);
  return arith::ExtSIOp::create(b, loc, target, args[0]);
}

namespace {

/// An integer as a float of `type`.
Value toFloat(OpBuilder &b, Location loc, Type type, Value value, bool isUnsigned) {
  if (isUnsigned)
    return arith::UIToFPOp::create(b, loc, type, value);
  return arith::SIToFPOp::create(b, loc, type, value);
}

} // namespace

// Saturates in floats, where every target compares without a branch; 16 bits and a zero point are exact in f32.
Value QuantizeOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  Type element = getElementTypeOrSelf(getType()), compute = args[0].getType();
  bool isUnsigned = element.isUnsignedInteger();
  unsigned width = element.getIntOrFloatBitWidth();
  Value zero = toFloat(b, loc, compute, args[1], isUnsigned);
  Value shifted = arith::AddFOp::create(b, loc, Value(math::RoundEvenOp::create(b, loc, args[0])), zero);
  Value low = constant(b, loc, compute, isUnsigned ? 0 : -std::ldexp(1.0, width - 1));
  Value high = constant(b, loc, compute, std::ldexp(1.0, isUnsigned ? width : width - 1) - 1);
  shifted = select(b, loc, compare(b, loc, arith::CmpFPredicate::OLT, shifted, low), low, shifted);
  shifted = select(b, loc, compare(b, loc, arith::CmpFPredicate::OGT, shifted, high), high, shifted);
  Value wide = arith::FPToSIOp::create(b, loc, b.getI32Type(), shifted);
  return arith::TruncIOp::create(b, loc, b.getIntegerType(width), wide);
}

Value DequantizeOp::buildScalar(OpBuilder &b, ValueRange args) {
  Location loc = getLoc();
  bool isUnsigned = getElementTypeOrSelf(getInput().getType()).isUnsignedInteger();
  auto widen = [&](Value value) -> Value {
    if (value.getType().isInteger(32))
      return value;
    if (isUnsigned)
      return arith::ExtUIOp::create(b, loc, b.getI32Type(), value);
    return arith::ExtSIOp::create(b, loc, b.getI32Type(), value);
  };
  Value difference = arith::SubIOp::create(b, loc, widen(args[0]), widen(args[2]));
  Type compute = args[1].getType();
  Value centred = arith::SIToFPOp::create(b, loc, compute, difference);
  return arith::MulFOp::create(b, loc, centred, args[1]);
}
