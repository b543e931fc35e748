//===- Elementwise.cpp - element-wise ops as ONNX nodes ----------------------------------------------------------===//
//
// Mostly one to one. Types that ONNX's operators do not have, or that engines seldom do, are computed in a wider one.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

/// The name of the operator that computes the op's result from its operands, with nothing else to be said.
StringRef operatorOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<AbsOp>([](auto) { return "Abs"; })
      .Case<NegOp>([](auto) { return "Neg"; })
      .Case<SignOp>([](auto) { return "Sign"; })
      .Case<CeilOp>([](auto) { return "Ceil"; })
      .Case<FloorOp>([](auto) { return "Floor"; })
      .Case<RoundOp>([](auto) { return "Round"; })
      .Case<SqrtOp>([](auto) { return "Sqrt"; })
      .Case<ExpOp>([](auto) { return "Exp"; })
      .Case<LogOp>([](auto) { return "Log"; })
      .Case<SinOp>([](auto) { return "Sin"; })
      .Case<CosOp>([](auto) { return "Cos"; })
      .Case<TanOp>([](auto) { return "Tan"; })
      .Case<AsinOp>([](auto) { return "Asin"; })
      .Case<AcosOp>([](auto) { return "Acos"; })
      .Case<AtanOp>([](auto) { return "Atan"; })
      .Case<SinhOp>([](auto) { return "Sinh"; })
      .Case<CoshOp>([](auto) { return "Cosh"; })
      .Case<TanhOp>([](auto) { return "Tanh"; })
      .Case<AsinhOp>([](auto) { return "Asinh"; })
      .Case<AcoshOp>([](auto) { return "Acosh"; })
      .Case<AtanhOp>([](auto) { return "Atanh"; })
      .Case<ErfOp>([](auto) { return "Erf"; })
      .Case<SigmoidOp>([](auto) { return "Sigmoid"; })
      .Case<AddOp>([](auto) { return "Add"; })
      .Case<SubOp>([](auto) { return "Sub"; })
      .Case<MulOp>([](auto) { return "Mul"; })
      .Case<DivOp>([](auto) { return "Div"; })
      .Case<PowOp>([](auto) { return "Pow"; })
      .Case<MaxOp>([](auto) { return "Max"; })
      .Case<MinOp>([](auto) { return "Min"; })
      .Default([](auto) { return ""; });
}

/// The type that the op is computed in. Sums, differences and products wrap, so that the sign does not matter.
Type computeTypeFor(Operation *op, Type element) {
  Type compute = computeTypeOf(element);
  bool wraps = isa<AddOp, SubOp, MulOp, NegOp, PowOp>(op);
  return wraps && compute.isUnsignedInteger(64) ? IntegerType::get(op->getContext(), 64) : compute;
}

/// log(1 + x), exact for small x: x * log(u) / (u - 1) for u = 1 + x, which rounds as the logarithm's argument does.
void exportLog1p(NodeExporter &e, Log1POp op) {
  Type compute = computeTypeOf(e.element(op.getInput()));
  Name x = e.in(op.getInput(), compute), one = e.scalar(compute, 1), u = e.emit("Add", {x, one});
  Name exact = e.emit("Div", {e.emit("Mul", {x, e.emit("Log", u)}), e.emit("Sub", {u, one})});
  Name same = e.emit("Or", {e.emit("Equal", {u, one}), e.emit("IsInf", u)});
  e.finish(op.getResult(), e.emit("Where", {same, x, exact}), compute);
}

/// The remainder with the sign of the divisor; ONNX has it for integers only.
void exportMod(NodeExporter &e, ModOp op) {
  Type element = e.element(op.getLhs()), compute = element.isBF16() ? e.f32() : element;
  Name lhs = e.in(op.getLhs(), compute), rhs = e.in(op.getRhs(), compute);
  bool isFloat = isa<FloatType>(compute);
  Name rest = e.emit("Mod", {lhs, rhs}, {{"fmod", int64_t(isFloat || op.getTruncated())}});
  if (isFloat && !op.getTruncated()) {
    Name zero = e.scalar(compute, 0);
    Name differs = e.emit("Xor", {e.emit("Less", {rest, zero}), e.emit("Less", {rhs, zero})});
    Name adjust = e.emit("And", {differs, e.emit("Not", e.emit("Equal", {rest, zero}))});
    rest = e.emit("Where", {adjust, e.emit("Add", {rest, rhs}), rest});
  }
  e.finish(op.getResult(), rest, compute);
}

void exportCompare(NodeExporter &e, CompareOp op) {
  Type element = e.element(op.getLhs()), compute = computeTypeOf(element);
  bool isEqual = op.getDirection() == CompareDirection::eq;
  if (isEqual && (element.isInteger(1) || element.isUnsignedInteger(64)))
    compute = element.isInteger(1) ? element : e.signless(64);
  StringRef operation = isEqual                                     ? "Equal"
                        : op.getDirection() == CompareDirection::lt ? "Less"
                        : op.getDirection() == CompareDirection::le ? "LessOrEqual"
                        : op.getDirection() == CompareDirection::gt ? "Greater"
                                                                    : "GreaterOrEqual";
  e.bind(op.getResult(), e.emit(operation, {e.in(op.getLhs(), compute), e.in(op.getRhs(), compute)}));
}

/// ONNX shifts unsigned integers, by less than their width. Here in 64 bits, in two steps that are each below 64.
/// An arithmetic shift is one of the number or of its complement, whose upper bits are zeros.
void exportShift(NodeExporter &e, bool isLeft) {
  Operation *op = e.op;
  Type element = e.element(op->getOperand(0)), i64 = e.signless(64), u64 = e.unsignedOf(64);
  bool isArithmetic = !isLeft && !element.isUnsignedInteger();
  Name value = e.in(op->getOperand(0), i64), sign;
  if (isArithmetic) {
    sign = e.emit("Neg", e.cast(e.emit("Less", {value, e.scalar(i64, 0)}), e.i1(), i64));
    value = e.emit("BitwiseXor", {value, sign});
  }
  Name amount = e.emit("Min", {e.cast(e.in(op->getOperand(1), i64), i64, u64), e.scalar(u64, 126)});
  Name first = e.emit("Min", {amount, e.scalar(u64, 63)});
  Name second = e.cast(e.emit("Sub", {e.cast(amount, u64, i64), e.cast(first, u64, i64)}), i64, u64);
  Name shifted = e.cast(value, i64, u64);
  for (const Name &by : {first, second})
    shifted = e.emit("BitShift", {shifted, by}, {{"direction", StringRef(isLeft ? "LEFT" : "RIGHT")}});
  shifted = e.cast(shifted, u64, i64);
  if (isArithmetic)
    shifted = e.emit("BitwiseXor", {shifted, sign});
  e.finish(op->getResult(0), shifted, i64);
}

} // namespace

bool exportElementwise(NodeExporter &e) {
  Operation *op = e.op;
  if (!isa<ElementwiseOpInterface>(op))
    return false;
  if (auto div = dyn_cast<DivOp>(op); div && isScaleOfQuantization(div))
    return true;
  if (StringRef operation = operatorOf(op); !operation.empty()) {
    Type compute = computeTypeFor(op, e.element(op->getOperand(0)));
    SmallVector<Name> inputs;
    for (Value operand : op->getOperands())
      inputs.push_back(e.in(operand, compute));
    e.finish(op->getResult(0), e.emit(operation, inputs), compute);
    return true;
  }
  auto bits = [&](StringRef ofBooleans, StringRef ofIntegers) {
    SmallVector<Name> inputs = llvm::map_to_vector(op->getOperands(), [&](Value operand) { return e.name(operand); });
    e.bind(op->getResult(0), e.emit(e.element(op->getOperand(0)).isInteger(1) ? ofBooleans : ofIntegers, inputs));
  };
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](Log1POp op) { return exportLog1p(e, op), true; })
      .Case([&](ModOp op) { return exportMod(e, op), true; })
      .Case([&](CompareOp op) { return exportCompare(e, op), true; })
      .Case([&](ShiftLeftOp) { return exportShift(e, /*isLeft=*/true), true; })
      .Case([&](ShiftRightOp) { return exportShift(e, /*isLeft=*/false), true; })
      .Case([&](NotOp) { return bits("Not", "BitwiseNot"), true; })
      .Case([&](AndOp) { return bits("And", "BitwiseAnd"), true; })
      .Case([&](OrOp) { return bits("Or", "BitwiseOr"), true; })
      .Case([&](XorOp) { return bits("Xor", "BitwiseXor"), true; })
      .Case([&](IsNaNOp op) {
        return e.bind(op.getResult(), e.emit("IsNaN", e.in(op.getInput(), computeTypeOf(e.element(op.getInput()))))),
               true;
      })
      .Case([&](IsInfOp op) {
        Name input = e.in(op.getInput(), computeTypeOf(e.element(op.getInput())));
        NodeAttributes attributes{{"detect_negative", int64_t(op.getNegative())},
                                  {"detect_positive", int64_t(op.getPositive())}};
        return e.bind(op.getResult(), e.emit("IsInf", input, attributes)), true;
      })
      .Case([&](SelectOp op) {
        Name chosen = e.select(e.name(op.getCondition()), e.name(op.getOnTrue()), e.name(op.getOnFalse()),
                               e.element(op.getOnTrue()));
        return e.bind(op.getResult(), chosen), true;
      })
      .Case([&](CastOp op) { return e.bind(op.getResult(), e.in(op.getInput(), op.getElement())), true; })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
