//===- Elementwise.cpp - unary, binary, comparison, logic, Where, Clip and casts ---------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

template <typename Op> Values unary(NodeImporter &n) { return {n.make<Op>(n.input(0))}; }
template <typename Op> Values binary(NodeImporter &n) { return {n.make<Op>(n.input(0), n.input(1))}; }
/// Before opset 7 the right operand broadcasts only when asked, and may start at an axis of the left one.
Value alignLegacy(NodeImporter &n) {
  Value lhs = n.input(0), rhs = n.input(1);
  n.ignoreAttr("consumed_inputs");
  if (!n.intAttr("broadcast", 0))
    return rhs;
  std::optional<int64_t> axis = n.optionalInt("axis");
  if (!axis || n.rank(rhs) == 0)
    return rhs;
  int64_t rank = n.rank(lhs), first = n.axis(*axis, rank);
  Ints axes;
  for (int64_t i = n.rank(rhs); i < rank - first; ++i)
    axes.push_back(i);
  return n.unsqueeze(rhs, axes);
}
template <typename Op> Values legacyBinary(NodeImporter &n) { return {n.make<Op>(n.input(0), alignLegacy(n))}; }
template <CompareDirection direction> Values legacyComparison(NodeImporter &n) {
  return {n.compare(direction, n.input(0), alignLegacy(n))};
}
template <CompareDirection direction> Values comparison(NodeImporter &n) {
  return {n.compare(direction, n.input(0), n.input(1))};
}
template <typename Op> Values variadic(NodeImporter &n) {
  Values inputs = n.inputs();
  Value result = inputs[0];
  for (Value input : llvm::drop_begin(inputs))
    result = n.make<Op>(result, input);
  return {result};
}

Values mean(NodeImporter &n) {
  Value sum = variadic<AddOp>(n)[0];
  return {n.div(sum, n.scalarLike(sum, n.numInputs()))};
}

/// 1 / x
Values reciprocal(NodeImporter &n) {
  Value x = n.input(0);
  return {n.div(n.scalarLike(x, 1), x)};
}

Values isInf(NodeImporter &n) {
  bool negative = n.intAttr("detect_negative", 1), positive = n.intAttr("detect_positive", 1);
  return {n.make<IsInfOp>(n.input(0), negative, positive)};
}

Values mod(NodeImporter &n) {
  bool truncated = n.intAttr("fmod", 0);
  Value x = n.input(0);
  if (!truncated && n.isFloat(x))
    n.fail("requires fmod = 1 for floating-point inputs", "fmod");
  return {n.make<ModOp>(x, n.input(1), truncated)};
}

Values bitShift(NodeImporter &n) {
  std::string direction = n.stringAttr("direction", "");
  if (direction == "LEFT")
    return {n.make<ShiftLeftOp>(n.input(0), n.input(1))};
  if (direction == "RIGHT")
    return {n.make<ShiftRightOp>(n.input(0), n.input(1))};
  n.fail("expected LEFT or RIGHT for direction, but got '" + direction + "'", "direction");
}

/// The result has the base's type; the power is computed in floats where the exponent is one.
Values power(NodeImporter &n) {
  Value base = n.input(0), exponent = n.input(1);
  Type type = n.element(base);
  if (n.isFloat(exponent) && !n.isFloat(base))
    return {n.cast(n.make<PowOp>(n.cast(base, n.element(exponent)), exponent), type)};
  return {n.make<PowOp>(base, n.cast(exponent, type))};
}

Values where(NodeImporter &n) { return {n.select(n.input(0), n.input(1), n.input(2))}; }

Value clamp(NodeImporter &n, Value x, Value low, Value high) {
  if (low)
    x = n.maximum(x, n.asScalar(low));
  if (high)
    x = n.minimum(x, n.asScalar(high));
  return x;
}

Values clipByAttributes(NodeImporter &n) {
  Value x = n.input(0);
  std::optional<double> low = n.optionalFloat("min"), high = n.optionalFloat("max");
  return {clamp(n, x, low ? n.scalarLike(x, *low) : Value(), high ? n.scalarLike(x, *high) : Value())};
}

Values clipByInputs(NodeImporter &n) { return {clamp(n, n.input(0), n.optionalInput(1), n.optionalInput(2))}; }

Values castTo(NodeImporter &n) {
  n.ignoreAttr("saturate"); // of consequence for 8-bit floats only, which are refused as types
  n.ignoreAttr("round_mode");
  return {n.cast(n.input(0), n.elementType(n.intAttr("to", 0)))};
}

Values castLike(NodeImporter &n) {
  n.ignoreAttr("saturate");
  n.ignoreAttr("round_mode");
  return {n.cast(n.input(0), n.element(n.input(1)))};
}

} // namespace

void registerElementwise(Registry &r) {
  r.add("Abs", 6, unary<AbsOp>);
  r.add("Neg", 6, unary<NegOp>);
  r.add("Sign", 9, unary<SignOp>);
  r.add("Ceil", 6, unary<CeilOp>);
  r.add("Floor", 6, unary<FloorOp>);
  r.add("Round", 11, unary<RoundOp>);
  r.add("Sqrt", 6, unary<SqrtOp>);
  r.add("Exp", 6, unary<ExpOp>);
  r.add("Log", 6, unary<LogOp>);
  r.add("Sin", 7, unary<SinOp>);
  r.add("Cos", 7, unary<CosOp>);
  r.add("Tan", 7, unary<TanOp>);
  r.add("Asin", 7, unary<AsinOp>);
  r.add("Acos", 7, unary<AcosOp>);
  r.add("Atan", 7, unary<AtanOp>);
  r.add("Sinh", 9, unary<SinhOp>);
  r.add("Cosh", 9, unary<CoshOp>);
  r.add("Tanh", 6, unary<TanhOp>);
  r.add("Asinh", 9, unary<AsinhOp>);
  r.add("Acosh", 9, unary<AcoshOp>);
  r.add("Atanh", 9, unary<AtanhOp>);
  r.add("Erf", 9, unary<ErfOp>);
  r.add("Sigmoid", 6, unary<SigmoidOp>);
  r.add("Reciprocal", 6, reciprocal);
  r.add("Not", 1, unary<NotOp>);
  r.add("BitwiseNot", 18, unary<NotOp>);
  r.add("IsNaN", 9, unary<IsNaNOp>);
  r.add("IsInf", 10, isInf);
  r.add("Add", 1, legacyBinary<AddOp>);
  r.add("Sub", 1, legacyBinary<SubOp>);
  r.add("Mul", 1, legacyBinary<MulOp>);
  r.add("Div", 1, legacyBinary<DivOp>);
  r.add("Pow", 1, legacyBinary<PowOp>);
  r.add("And", 1, legacyBinary<AndOp>);
  r.add("Or", 1, legacyBinary<OrOp>);
  r.add("Xor", 1, legacyBinary<XorOp>);
  r.add("Equal", 1, legacyComparison<CompareDirection::eq>);
  r.add("Less", 1, legacyComparison<CompareDirection::lt>);
  r.add("Greater", 1, legacyComparison<CompareDirection::gt>);
  r.add("Add", 7, binary<AddOp>);
  r.add("Sub", 7, binary<SubOp>);
  r.add("Mul", 7, binary<MulOp>);
  r.add("Div", 7, binary<DivOp>);
  r.add("Pow", 7, power);
  r.add("Mod", 10, mod);
  r.add("BitShift", 11, bitShift);
  r.add("And", 7, binary<AndOp>);
  r.add("Or", 7, binary<OrOp>);
  r.add("Xor", 7, binary<XorOp>);
  r.add("BitwiseAnd", 18, binary<AndOp>);
  r.add("BitwiseOr", 18, binary<OrOp>);
  r.add("BitwiseXor", 18, binary<XorOp>);
  r.add("Equal", 7, comparison<CompareDirection::eq>);
  r.add("Less", 7, comparison<CompareDirection::lt>);
  r.add("Greater", 7, comparison<CompareDirection::gt>);
  r.add("LessOrEqual", 12, comparison<CompareDirection::le>);
  r.add("GreaterOrEqual", 12, comparison<CompareDirection::ge>);
  r.add("Max", 6, variadic<MaxOp>);
  r.add("Min", 6, variadic<MinOp>);
  r.add("Sum", 6, variadic<AddOp>);
  r.add("Mean", 6, mean);
  r.add("Where", 9, where);
  r.add("Clip", 6, clipByAttributes);
  r.add("Clip", 11, clipByInputs);
  r.add("Cast", 6, castTo);
  r.add("CastLike", 15, castLike);
}

} // namespace mlc::onnximport
