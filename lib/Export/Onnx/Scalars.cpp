//===- Scalars.cpp - arithmetic on sizes and choices as ONNX nodes -----------------------------------------------===//
//
// What is left of a model's shape arithmetic: sizes of tensors, arith and math on scalars, tensors made of scalars and
// taken apart, and scf.if. Scalars are tensors of one element and rank 1; signless ones are taken as arith takes them.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;

namespace mlc::onnxexport {
namespace {

/// The operator of an op that computes its result from its operands alone, on signed numbers.
StringRef operatorOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddIOp, arith::AddFOp>([](auto) { return "Add"; })
      .Case<arith::SubIOp, arith::SubFOp>([](auto) { return "Sub"; })
      .Case<arith::MulIOp, arith::MulFOp>([](auto) { return "Mul"; })
      .Case<arith::DivSIOp, arith::DivFOp>([](auto) { return "Div"; })
      .Case<arith::MaxSIOp, arith::MaximumFOp>([](auto) { return "Max"; })
      .Case<arith::MinSIOp, arith::MinimumFOp>([](auto) { return "Min"; })
      .Case<arith::NegFOp>([](auto) { return "Neg"; })
      .Case<math::AbsFOp, math::AbsIOp>([](auto) { return "Abs"; })
      .Case<math::CeilOp>([](auto) { return "Ceil"; })
      .Case<math::FloorOp>([](auto) { return "Floor"; })
      .Case<math::RoundEvenOp>([](auto) { return "Round"; })
      .Case<math::SqrtOp>([](auto) { return "Sqrt"; })
      .Case<math::ExpOp>([](auto) { return "Exp"; })
      .Case<math::LogOp>([](auto) { return "Log"; })
      .Case<math::PowFOp>([](auto) { return "Pow"; })
      .Case<math::SinOp>([](auto) { return "Sin"; })
      .Case<math::CosOp>([](auto) { return "Cos"; })
      .Case<math::TanOp>([](auto) { return "Tan"; })
      .Case<math::AsinOp>([](auto) { return "Asin"; })
      .Case<math::AcosOp>([](auto) { return "Acos"; })
      .Case<math::AtanOp>([](auto) { return "Atan"; })
      .Case<math::SinhOp>([](auto) { return "Sinh"; })
      .Case<math::CoshOp>([](auto) { return "Cosh"; })
      .Case<math::TanhOp>([](auto) { return "Tanh"; })
      .Case<math::AsinhOp>([](auto) { return "Asinh"; })
      .Case<math::AcoshOp>([](auto) { return "Acosh"; })
      .Case<math::AtanhOp>([](auto) { return "Atanh"; })
      .Case<math::ErfOp>([](auto) { return "Erf"; })
      .Default([](auto) { return ""; });
}

/// The type that takes the bits of a scalar as an unsigned number.
Type unsignedTypeOf(NodeExporter &e, Type type) {
  if (type.isInteger(1))
    return type;
  return e.unsignedOf(type.isIndex() ? 64 : type.getIntOrFloatBitWidth());
}

/// An operand as an unsigned number, in `to`.
Name asUnsigned(NodeExporter &e, Value operand, Type to) {
  Type unsignedType = unsignedTypeOf(e, operand.getType());
  return e.cast(e.in(operand, unsignedType), unsignedType, to);
}

/// Division of sizes that rounds down, or up as the negative of the one that rounds down: (x - x mod y) / y.
Name divideRounding(NodeExporter &e, Value lhs, Value rhs, bool up) {
  Name x = e.name(lhs), y = e.name(rhs);
  bool isPlain = graph::isNeverNegative(lhs) && graph::isNeverNegative(rhs);
  if (isPlain && !up)
    return e.emit("Div", {x, y});
  if (isPlain)
    return e.emit("Div", {e.emit("Add", {x, e.emit("Sub", {y, e.ints(1)})}), y});
  Name dividend = up ? e.emit("Neg", x) : x;
  Name quotient = e.emit("Div", {e.emit("Sub", {dividend, e.emit("Mod", {dividend, y})}), y});
  return up ? e.emit("Neg", quotient) : quotient;
}

/// An operator, and what is done before and after it.
struct Comparison final {
  StringRef operation;
  bool isUnsigned = false, isNegated = false;
};

Comparison comparisonOf(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return {"Equal"};
  case P::ne:
    return {"Equal", false, true};
  case P::slt:
    return {"Less"};
  case P::sle:
    return {"LessOrEqual"};
  case P::sgt:
    return {"Greater"};
  case P::sge:
    return {"GreaterOrEqual"};
  case P::ult:
    return {"Less", true};
  case P::ule:
    return {"LessOrEqual", true};
  case P::ugt:
    return {"Greater", true};
  case P::uge:
    return {"GreaterOrEqual", true};
  }
  llvm_unreachable("a predicate");
}

/// Comparisons of floats that are false with NaN, and the two that are true.
std::optional<Comparison> comparisonOf(arith::CmpFPredicate predicate) {
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::OEQ:
    return Comparison{"Equal"};
  case P::UNE:
    return Comparison{"Equal", false, true};
  case P::OLT:
    return Comparison{"Less"};
  case P::OLE:
    return Comparison{"LessOrEqual"};
  case P::OGT:
    return Comparison{"Greater"};
  case P::OGE:
    return Comparison{"GreaterOrEqual"};
  case P::UGE:
    return Comparison{"Less", false, true};
  case P::UGT:
    return Comparison{"LessOrEqual", false, true};
  case P::ULE:
    return Comparison{"Greater", false, true};
  case P::ULT:
    return Comparison{"GreaterOrEqual", false, true};
  default:
    return std::nullopt;
  }
}

Name compareIntegers(NodeExporter &e, arith::CmpIOp op) {
  Comparison comparison = comparisonOf(op.getPredicate());
  Type type = op.getLhs().getType(), i64 = e.signless(64);
  auto operand = [&](Value value) {
    if (!comparison.isUnsigned)
      return type.isInteger(1) ? e.in(value, i64) : e.name(value);
    // 64 bits flip their sign, so that the order is that of unsigned numbers.
    if (type.isIndex() || type.isInteger(64))
      return e.emit("BitwiseXor",
                    {e.name(value), e.scalar(i64, static_cast<double>(std::numeric_limits<int64_t>::min()), true)});
    return asUnsigned(e, value, i64);
  };
  Name lhs = operand(op.getLhs()), rhs = operand(op.getRhs());
  if (!comparison.isUnsigned && !type.isInteger(1)) {
    Type compute = computeTypeOf(type.isIndex() ? i64 : type);
    lhs = e.cast(lhs, type, compute);
    rhs = e.cast(rhs, type, compute);
  }
  Name result = e.emit(comparison.operation, {lhs, rhs});
  return comparison.isNegated ? e.emit("Not", result) : result;
}

/// scf.if and arith.select between tensors: one of two graphs is run.
template <typename ThenGraph, typename ElseGraph>
void emitIf(NodeExporter &e, Value condition, ThenGraph thenGraph, ElseGraph elseGraph) {
  NodeAttributes branches{{"then_branch", thenGraph()}, {"else_branch", elseGraph()}};
  Names results = e.emitAll("If", e.name(condition), branches, e.op->getNumResults());
  for (auto [result, name] : llvm::zip(e.op->getResults(), results))
    e.bind(result, name);
}

bool exportSelect(NodeExporter &e, arith::SelectOp op) {
  if (!isa<RankedTensorType>(op.getType())) {
    Type type = op.getType().isIndex() ? e.signless(64) : op.getType();
    e.bind(op.getResult(),
           e.select(e.name(op.getCondition()), e.name(op.getTrueValue()), e.name(op.getFalseValue()), type));
    return true;
  }
  auto pass = [&](Value value) {
    return [&e, value] { return e.graph.subgraph([&] { return e.graph.passOn(e.op, value); }); };
  };
  emitIf(e, op.getCondition(), pass(op.getTrueValue()), pass(op.getFalseValue()));
  return true;
}

/// An element as a tensor of rank 1: the place is known or a tuple of indices.
void exportExtract(NodeExporter &e, tensor::ExtractOp op) {
  int64_t rank = e.rank(op.getTensor());
  Name tensor = e.name(op.getTensor());
  if (rank == 0)
    return e.bind(op.getResult(), e.reshape(tensor, 1));
  SmallVector<OpFoldResult> indices = getAsOpFoldResult(op.getIndices());
  if (rank == 1)
    return e.bind(op.getResult(), e.emit("Gather", {tensor, e.sizes(indices)}, {{"axis", int64_t(0)}}));
  Name tuple = e.reshape(e.sizes(indices), {1, rank});
  e.bind(op.getResult(), e.emit("GatherND", {tensor, tuple}));
}

void exportFromElements(NodeExporter &e, tensor::FromElementsOp op) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  SmallVector<Name> parts = llvm::map_to_vector(op.getElements(), [&](Value element) { return e.name(element); });
  if (parts.empty())
    return e.bind(op.getResult(), e.constant(DenseElementsAttr::get(op.getType(), ArrayRef<Attribute>())));
  Name list = parts.size() == 1 ? parts[0] : e.emit("Concat", parts, {{"axis", int64_t(0)}});
  e.bind(op.getResult(), shape.size() == 1 ? list : e.reshape(list, shape));
}

/// Casts between scalars; those of arith take signless integers one way or the other.
bool exportCast(NodeExporter &e) {
  Operation *op = e.op;
  if (op->getNumOperands() != 1 || op->getNumResults() != 1)
    return false;
  Value input = op->getOperand(0), result = op->getResult(0);
  Type from = input.getType(), to = result.getType(), i64 = e.signless(64);
  if (isa<arith::ExtUIOp, arith::UIToFPOp, arith::IndexCastUIOp>(op))
    return e.bind(result, asUnsigned(e, input, to)), true;
  if (isa<arith::FPToUIOp>(op)) {
    Type unsignedType = unsignedTypeOf(e, to);
    return e.bind(result, e.cast(e.in(input, unsignedType), unsignedType, to)), true;
  }
  if (isa<arith::ExtSIOp, arith::SIToFPOp, arith::IndexCastOp>(op) && from.isInteger(1)) // true is -1
    return e.bind(result, e.cast(e.emit("Neg", e.in(input, i64)), i64, to)), true;
  if ((isa<arith::TruncIOp>(op) && to.isInteger(1)) || (isa<arith::FPToSIOp>(op) && to.isInteger(1)))
    return e.bind(result, e.cast(e.emit("BitwiseAnd", {e.in(input, i64), e.scalar(i64, 1, true)}), i64, to)), true;
  if (isa<arith::ExtSIOp, arith::TruncIOp, arith::SIToFPOp, arith::FPToSIOp, arith::ExtFOp, arith::TruncFOp,
          arith::IndexCastOp>(op))
    return e.bind(result, e.in(input, to)), true;
  return false;
}

/// Ops of arith and math on scalars.
bool exportArithmetic(NodeExporter &e) {
  Operation *op = e.op;
  if (op->getNumResults() != 1 || isa<ShapedType>(op->getResult(0).getType()))
    return false;
  Value result = op->getResult(0);
  if (StringRef operation = operatorOf(op); !operation.empty()) {
    Type type = result.getType().isIndex() ? e.signless(64) : result.getType(), compute = computeTypeOf(type);
    SmallVector<Name> inputs =
        llvm::map_to_vector(op->getOperands(), [&](Value operand) { return e.in(operand, compute); });
    return e.finish(result, e.emit(operation, inputs), compute), true;
  }
  auto bits = [&](StringRef ofBooleans, StringRef ofIntegers) {
    StringRef operation = result.getType().isInteger(1) ? ofBooleans : ofIntegers;
    e.bind(result, e.emit(operation, {e.name(op->getOperand(0)), e.name(op->getOperand(1))}));
  };
  auto unsignedly = [&](StringRef operation, NodeAttributes attributes = {}) {
    Type type = unsignedTypeOf(e, result.getType());
    SmallVector<Name> inputs = llvm::map_to_vector(op->getOperands(), [&](Value v) { return e.in(v, type); });
    e.bind(result, e.cast(e.emit(operation, inputs, std::move(attributes)), type, result.getType()));
  };
  auto mod = [&](Value lhs, Value rhs) {
    e.bind(result, e.emit("Mod", {e.name(lhs), e.name(rhs)}, {{"fmod", int64_t(1)}}));
  };
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](arith::AndIOp) { return bits("And", "BitwiseAnd"), true; })
      .Case([&](arith::OrIOp) { return bits("Or", "BitwiseOr"), true; })
      .Case([&](arith::XOrIOp) { return bits("Xor", "BitwiseXor"), true; })
      .Case([&](arith::DivUIOp) { return unsignedly("Div"), true; })
      .Case([&](arith::RemUIOp) { return unsignedly("Mod"), true; })
      .Case([&](arith::MaxUIOp) { return unsignedly("Max"), true; })
      .Case([&](arith::MinUIOp) { return unsignedly("Min"), true; })
      .Case([&](arith::ShLIOp) { return unsignedly("BitShift", {{"direction", StringRef("LEFT")}}), true; })
      .Case([&](arith::ShRUIOp) { return unsignedly("BitShift", {{"direction", StringRef("RIGHT")}}), true; })
      .Case([&](arith::RemSIOp op) { return mod(op.getLhs(), op.getRhs()), true; })
      .Case([&](arith::RemFOp op) { return mod(op.getLhs(), op.getRhs()), true; })
      .Case([&](arith::FloorDivSIOp op) {
        return e.bind(result, divideRounding(e, op.getLhs(), op.getRhs(), /*up=*/false)), true;
      })
      .Case([&](arith::CeilDivSIOp op) {
        return e.bind(result, divideRounding(e, op.getLhs(), op.getRhs(), /*up=*/true)), true;
      })
      .Case([&](arith::CmpIOp op) { return e.bind(result, compareIntegers(e, op)), true; })
      .Case([&](arith::CmpFOp op) {
        std::optional<Comparison> comparison = comparisonOf(op.getPredicate());
        if (!comparison)
          return false;
        Name compared = e.emit(comparison->operation, {e.name(op.getLhs()), e.name(op.getRhs())});
        return e.bind(result, comparison->isNegated ? e.emit("Not", compared) : compared), true;
      })
      .Default([&](Operation *) { return exportCast(e); });
}

} // namespace

bool exportScalar(NodeExporter &e) {
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](tensor::DimOp op) {
        std::optional<int64_t> axis = op.getConstantIndex();
        Name size = axis ? e.shapeOf(e.name(op.getSource()), *axis, *axis + 1)
                         : e.emit("Gather", {e.shapeOf(e.name(op.getSource()), 0), e.name(op.getIndex())});
        return e.bind(op.getResult(), size), true;
      })
      .Case([&](tensor::CastOp op) { return e.bind(op.getResult(), e.name(op.getSource())), true; })
      .Case([&](tensor::ExtractOp op) { return exportExtract(e, op), true; })
      .Case([&](tensor::FromElementsOp op) { return exportFromElements(e, op), true; })
      .Case([&](arith::SelectOp op) { return exportSelect(e, op); })
      .Case([&](scf::IfOp op) {
        auto block = [&](Region &region) { return [&] { return e.graph.exportBlock(region.front()); }; };
        if (op.getNumResults() > 0)
          emitIf(e, op.getCondition(), block(op.getThenRegion()), block(op.getElseRegion()));
        return true;
      })
      .Default([&](Operation *) { return exportArithmetic(e); });
}

} // namespace mlc::onnxexport
