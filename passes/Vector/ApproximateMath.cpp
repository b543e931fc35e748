//===- ApproximateMath.cpp - elementary functions of f32 as straight-line code ------------------------------------===//
//
// What is built for each function is in ElementaryFunctions.cpp.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/ElementaryFunctions.h"
#include "passes/Vector/Passes.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORAPPROXIMATEMATHPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

bool isF32(Value value) { return getElementTypeOrSelf(value.getType()).isF32(); }

template <typename Op, Value (*build)(OpBuilder &, Location, Value)> struct BuildFunction final : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!isF32(op.getOperand()))
      return failure();
    rewriter.replaceOp(op, build(rewriter, op.getLoc(), op.getOperand()));
    return success();
  }
};

/// Powers that are a few multiplications: x, x², x³, 1 / x and √x.
Value buildSmallPower(OpBuilder &b, Location loc, Value x, double exponent) {
  auto constant = [&](double number) -> Value {
    Attribute attribute = b.getFloatAttr(getElementTypeOrSelf(x.getType()), number);
    if (auto type = dyn_cast<VectorType>(x.getType()))
      attribute = DenseElementsAttr::get(type, attribute);
    return arith::ConstantOp::create(b, loc, cast<TypedAttr>(attribute));
  };
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return arith::MulFOp::create(b, loc, x, x);
  if (exponent == 3)
    return arith::MulFOp::create(b, loc, Value(arith::MulFOp::create(b, loc, x, x)), x);
  if (exponent == -1)
    return arith::DivFOp::create(b, loc, constant(1), x);
  if (exponent == 0.5) {
    // Unlike a root, the power of -0 is 0 and that of -∞ is ∞.
    Value root = math::SqrtOp::create(b, loc, Value(arith::AddFOp::create(b, loc, x, constant(0))));
    Value infinity = constant(std::numeric_limits<double>::infinity());
    Value negative = constant(-std::numeric_limits<double>::infinity());
    Value isNegative = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, negative);
    return arith::SelectOp::create(b, loc, isNegative, infinity, root);
  }
  return nullptr;
}

struct BuildPower final : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op, PatternRewriter &rewriter) const override {
    if (!isF32(op.getLhs()))
      return failure();
    Value power;
    FloatAttr exponent;
    DenseFPElementsAttr exponents;
    if (matchPattern(op.getRhs(), m_Constant(&exponent)))
      power = buildSmallPower(rewriter, op.getLoc(), op.getLhs(), exponent.getValueAsDouble());
    else if (matchPattern(op.getRhs(), m_Constant(&exponents)) && exponents.isSplat())
      power = buildSmallPower(rewriter, op.getLoc(), op.getLhs(), exponents.getSplatValue<APFloat>().convertToFloat());
    if (!power)
      power = mlc::elementary::buildPow(rewriter, op.getLoc(), op.getLhs(), op.getRhs());
    rewriter.replaceOp(op, power);
    return success();
  }
};

struct ApproximateMath final : mlc::impl::VectorApproximateMathPassBase<ApproximateMath> {
  void runOnOperation() override {
    using namespace mlc::elementary;
    RewritePatternSet patterns(&getContext());
    patterns.add<BuildFunction<math::ExpOp, buildExp>, BuildFunction<math::LogOp, buildLog>,
                 BuildFunction<math::Log1pOp, buildLog1P>, BuildFunction<math::ErfOp, buildErf>,
                 BuildFunction<math::SinOp, buildSin>, BuildFunction<math::CosOp, buildCos>,
                 BuildFunction<math::TanOp, buildTan>, BuildFunction<math::AsinOp, buildAsin>,
                 BuildFunction<math::AcosOp, buildAcos>, BuildFunction<math::AtanOp, buildAtan>,
                 BuildFunction<math::SinhOp, buildSinh>, BuildFunction<math::CoshOp, buildCosh>,
                 BuildFunction<math::TanhOp, buildTanh>, BuildFunction<math::AsinhOp, buildAsinh>,
                 BuildFunction<math::AcoshOp, buildAcosh>, BuildFunction<math::AtanhOp, buildAtanh>, BuildPower>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
