//===- Elementwise.cpp - derivatives of element-wise ops ---------------------------------------------------------===//
//
// What is piecewise constant has derivative zero. At kinks: |x| has 0 at 0; of two equal operands of a maximum or
// minimum each gets half, but nothing where the other is a constant (so that of max(x, 0) is 0 at 0).
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include "mlir/IR/Matchers.h"

#include <numbers>

using namespace mlir;
using namespace mlc::graph;

/// `DERIVATIVE` of x, y = f(x) and the cotangent dy.
#define MLC_UNARY(OP, DERIVATIVE)                                                                                      \
  LogicalResult OP::buildGradients(GradientBuilder &g) {                                                               \
    [[maybe_unused]] Value x = getInput(), y = getResult();                                                            \
    Value dy = g.cotangent();                                                                                          \
    g.give(0, [&] { return DERIVATIVE; });                                                                             \
    return success();                                                                                                  \
  }
MLC_UNARY(AbsOp, g.mul(dy, g.make<SignOp>(x)))
MLC_UNARY(NegOp, g.negate(dy))
MLC_UNARY(SqrtOp, g.div(g.scale(dy, 0.5), y))
MLC_UNARY(ExpOp, g.mul(dy, y))
MLC_UNARY(LogOp, g.div(dy, x))
MLC_UNARY(Log1POp, g.div(dy, g.plus(x, 1)))
MLC_UNARY(SinOp, g.mul(dy, g.make<CosOp>(x)))
MLC_UNARY(CosOp, g.negate(g.mul(dy, g.make<SinOp>(x))))
MLC_UNARY(TanOp, g.mul(dy, g.plus(g.square(y), 1)))
MLC_UNARY(AsinOp, g.div(dy, g.sqrt(g.minus(1, g.square(x)))))
MLC_UNARY(AcosOp, g.negate(g.div(dy, g.sqrt(g.minus(1, g.square(x))))))
MLC_UNARY(AtanOp, g.div(dy, g.plus(g.square(x), 1)))
MLC_UNARY(SinhOp, g.mul(dy, g.make<CoshOp>(x)))
MLC_UNARY(CoshOp, g.mul(dy, g.make<SinhOp>(x)))
MLC_UNARY(TanhOp, g.mul(dy, g.minus(1, g.square(y))))
MLC_UNARY(AsinhOp, g.div(dy, g.sqrt(g.plus(g.square(x), 1))))
MLC_UNARY(AcoshOp, g.div(dy, g.sqrt(g.plus(g.square(x), -1))))
MLC_UNARY(AtanhOp, g.div(dy, g.minus(1, g.square(x))))
MLC_UNARY(ErfOp, g.mul(dy, g.scale(g.exp(g.negate(g.square(x))), 2 * std::numbers::inv_sqrtpi)))
MLC_UNARY(SigmoidOp, g.mul(dy, g.mul(y, g.minus(1, y))))
#undef MLC_UNARY

#define MLC_PIECEWISE_CONSTANT(OP)                                                                                     \
  LogicalResult OP::buildGradients(GradientBuilder &) { return success(); }
MLC_PIECEWISE_CONSTANT(SignOp)
MLC_PIECEWISE_CONSTANT(CeilOp)
MLC_PIECEWISE_CONSTANT(FloorOp)
MLC_PIECEWISE_CONSTANT(RoundOp)
#undef MLC_PIECEWISE_CONSTANT

LogicalResult AddOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.cotangent(); });
  g.give(1, [&] { return g.cotangent(); });
  return success();
}

LogicalResult SubOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.cotangent(); });
  g.give(1, [&] { return g.negate(g.cotangent()); });
  return success();
}

LogicalResult MulOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.mul(g.cotangent(), getRhs()); });
  g.give(1, [&] { return g.mul(g.cotangent(), getLhs()); });
  return success();
}

LogicalResult DivOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.div(g.cotangent(), getRhs()); });
  g.give(1, [&] { return g.negate(g.div(g.mul(g.cotangent(), getResult()), getRhs())); });
  return success();
}

// An exponent of 0 has derivative 0 for every base; of the exponent there is one where the base is positive, and 0 at
// 0.
LogicalResult PowOp::buildGradients(GradientBuilder &g) {
  Value x = getLhs(), p = getRhs(), dy = g.cotangent();
  g.give(0, [&] {
    Value slope = g.mul(p, g.make<PowOp>(x, g.plus(p, -1)));
    Value isConstant = g.compare(CompareDirection::eq, p, g.scalarLike(p, 0));
    return g.mul(dy, g.select(isConstant, g.scalarLike(p, 0), slope));
  });
  g.give(1, [&] {
    Value isZero = g.compare(CompareDirection::eq, x, g.scalarLike(x, 0));
    return g.mul(dy, g.mul(getResult(), g.log(g.select(isZero, g.scalarLike(x, 1), x))));
  });
  return success();
}

/// `dy` where `result` compares with a number as `direction` says, else 0. Where `dy` is that of a maximum over windows
/// of `result`, each window gives its own to a place that has its maximum, so windows are chosen, which are fewer than
/// places.
static Value chooseBy(GradientBuilder &g, CompareDirection direction, Value result, Value number, Value dy) {
  auto pool = dy.getDefiningOp<PoolGradientOp>();
  auto type = cast<RankedTensorType>(number.getType());
  if (!pool || pool.getKind() != PoolKind::max || pool.getInput() != result || !dy.use_empty() ||
      !type.hasStaticShape() || type.getNumElements() != 1 || type.getRank() > g.rank(dy))
    return g.where(g.compare(direction, result, number), dy);
  Value chosen = g.where(g.compare(direction, pool.getPooled(), number), pool.getCotangent());
  return g.make<PoolGradientOp>(PoolKind::max, result, chosen, pool.getPooled(), pool.getKernel(), pool.getStrides(),
                                pool.getPads(), pool.getChannelsLast());
}

/// A maximum takes from where `direction` holds between the operand and the other one. Against a constant the result
/// says as much as the operand, and is what the next op has read: the operand is not kept for it.
static LogicalResult buildExtremum(GradientBuilder &g, Value lhs, Value rhs, Value result, CompareDirection direction) {
  Value dy = g.cotangent();
  bool constant[2] = {matchPattern(lhs, m_Constant()), matchPattern(rhs, m_Constant())};
  for (unsigned i : {0u, 1u})
    g.give(i, [&] {
      Value own = i == 0 ? lhs : rhs, other = i == 0 ? rhs : lhs;
      if (constant[1 - i])
        return chooseBy(g, direction, result, other, dy);
      Value shared = g.where(g.compare(CompareDirection::eq, own, other), g.scale(dy, 0.5));
      return g.select(g.compare(direction, own, other), dy, shared);
    });
  return success();
}
LogicalResult MaxOp::buildGradients(GradientBuilder &g) {
  return buildExtremum(g, getLhs(), getRhs(), getResult(), CompareDirection::gt);
}
LogicalResult MinOp::buildGradients(GradientBuilder &g) {
  return buildExtremum(g, getLhs(), getRhs(), getResult(), CompareDirection::lt);
}

// lhs - quotient * rhs, where the quotient is piecewise constant
LogicalResult ModOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.cotangent(); });
  g.give(1, [&] {
    Value quotient = g.make<RoundOp>(g.div(g.sub(getLhs(), getResult()), getRhs()));
    return g.negate(g.mul(g.cotangent(), quotient));
  });
  return success();
}

LogicalResult SelectOp::buildGradients(GradientBuilder &g) {
  Value dy = g.cotangent();
  g.give(1, [&] { return g.where(getCondition(), dy); });
  g.give(2, [&] { return g.select(getCondition(), g.scalarLike(dy, 0), dy); });
  return success();
}

LogicalResult CastOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.cast(g.cotangent(), g.element(getInput())); });
  return success();
}

// (input - zero) * scale
LogicalResult DequantizeOp::buildGradients(GradientBuilder &g) {
  g.give(1, [&] {
    Value one = g.scalarLike(getScale(), 1);
    return g.mul(g.cotangent(), g.make<DequantizeOp>(getInput(), one, getZeroPoint()));
  });
  return success();
}
