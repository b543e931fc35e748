//===- FormIntegerProducts.cpp - products of dequantized values become products of 8-bit integers -----------------===//
//
// Models that were quantized statically have a DequantizeLinear before, and a QuantizeLinear behind every operator.
// Where the scales do not vary along what is summed, they leave the sum as factors; where both operands are 8-bit
// integers, the product is one of integers then, and what follows (bias, activation, quantization) its epilogue.
// Dequantizations move behind what only selects or moves elements, where they meet the quantization that undoes them.
//
// A product of integers is exact; -O0 sums the floats. The two can differ where a quotient is a half, by one.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/IntegerProducts.h"
#include "passes/Graph/Passes.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHFORMINTEGERPRODUCTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
bool isByte(Type type) { return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == 8; }

/// Makes ops whose types are inferred, as IntegerProducts.h wants it.
struct Maker final {
  OpBuilder &b;
  Location loc;
  template <typename Op, typename... Args> Value make(Args &&...args) {
    return Op::create(b, loc, std::forward<Args>(args)...);
  }
};

/// The only element of an integer constant.
std::optional<int64_t> numberOf(Value value) {
  auto known = getConstantInts(value);
  return known && known->size() == 1 ? std::optional((*known)[0]) : std::nullopt;
}

/// The only element of a float constant; null if there is none.
FloatAttr scaleOf(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || elements.getNumElements() != 1 ||
      !isa<FloatType>(elements.getElementType()))
    return nullptr;
  return FloatAttr::get(elements.getElementType(), *elements.value_begin<APFloat>());
}

/// Whether `number`, a scale or zero point, is the same along the axis that many from the end.
bool isUniformAlong(Value number, int64_t fromEnd) {
  RankedTensorType type = typeOf(number);
  return type.getRank() < fromEnd || type.getDimSize(type.getRank() - fromEnd) == 1;
}

/// A dequantization of 8-bit integers to f32.
DequantizeOp dequantizedBytes(Value value) {
  auto op = value.getDefiningOp<DequantizeOp>();
  bool fits = op && isByte(typeOf(op.getInput()).getElementType()) && typeOf(op).getElementType().isF32() &&
              typeOf(op.getInput()) == typeOf(op).clone(typeOf(op.getInput()).getElementType());
  return fits ? op : nullptr;
}

/// The operand of a product, without a zero point where that is zero.
QuantizedOperand operandOf(DequantizeOp op) {
  return {op.getInput(), numberOf(op.getZeroPoint()) == 0 ? Value() : op.getZeroPoint()};
}

bool isWeight(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto transpose = dyn_cast_or_null<TransposeOp>(op))
    return isWeight(transpose.getInput());
  return isa_and_present<WeightOp, ConstantOp>(op);
}

/// sums * (scale of lhs * scale of rhs)
Value scaleSums(Maker &maker, Value sums, Value lhsScale, Value rhsScale) {
  Value factor = maker.make<MulOp>(lhsScale, rhsScale);
  return maker.make<MulOp>(maker.make<CastOp>(sums, maker.b.getF32Type()), factor);
}

/// matmul(dequantize(a), dequantize(w)) -> matmul(a, w) less zero points, times scales
struct FormMatMul final : OpRewritePattern<MatMulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatMulOp op, PatternRewriter &rewriter) const override {
    DequantizeOp lhs = dequantizedBytes(op.getLhs()), rhs = dequantizedBytes(op.getRhs());
    if (!lhs || !rhs || !isWeight(rhs.getInput()))
      return rewriter.notifyMatchFailure(op, "the operands are not 8-bit integers, of which the second is a weight");
    if (!isUniformAlong(lhs.getScale(), 1) || !isUniformAlong(lhs.getZeroPoint(), 1) ||
        !isUniformAlong(rhs.getScale(), 2) || !isUniformAlong(rhs.getZeroPoint(), 2))
      return rewriter.notifyMatchFailure(op, "scales vary along the sum");
    Maker maker{rewriter, op.getLoc()};
    Value sums = makeIntegerMatMul(maker, operandOf(lhs), operandOf(rhs));
    rewriter.replaceOp(op, scaleSums(maker, sums, lhs.getScale(), rhs.getScale()));
    return success();
  }
};

/// conv(dequantize(x), dequantize(w)) -> conv(x, w) less zero points, times scales
struct FormConv final : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    DequantizeOp input = dequantizedBytes(op.getInput()), filter = dequantizedBytes(op.getFilter());
    if (op.getChannelsLast() || !input || !filter || !isWeight(filter.getInput()))
      return rewriter.notifyMatchFailure(op, "the operands are not 8-bit integers, of which the second is a weight");
    int64_t rank = typeOf(op).getRank();
    if (typeOf(input.getScale()).getRank() || typeOf(input.getZeroPoint()).getRank())
      return rewriter.notifyMatchFailure(op, "the input has more than one scale");
    for (int64_t axis = 1; axis < rank; ++axis) // from the end: all but the filters
      if (!isUniformAlong(filter.getScale(), axis))
        return rewriter.notifyMatchFailure(op, "scales vary along the sum");
    Maker maker{rewriter, op.getLoc()};
    Value bytes = filter.getInput();
    std::optional<int64_t> zeroPoint = numberOf(filter.getZeroPoint());
    if (zeroPoint == 128 && typeOf(bytes).getElementType().isUnsignedInteger()) {
      // u8 around 128 is i8 around 0.
      auto i32 = rewriter.getI32Type();
      Value offset = ConstantOp::create(rewriter, op.getLoc(),
                                        DenseElementsAttr::get(RankedTensorType::get({}, i32), int32_t(128)));
      bytes = maker.make<CastOp>(maker.make<SubOp>(maker.make<CastOp>(bytes, i32), offset), rewriter.getI8Type());
      zeroPoint = 0;
    }
    if (zeroPoint != 0)
      return rewriter.notifyMatchFailure(op, "the filter has a zero point");
    Value sums = makeIntegerConv(maker, operandOf(input), bytes, op.getStrides(), op.getPads(), op.getDilations(),
                                 static_cast<int64_t>(op.getGroups()));
    // The filters are the second axis of the result.
    Value scale = filter.getScale();
    if (typeOf(scale).getRank() == rank) {
      SmallVector<int64_t> filtersSecond{1, 0};
      for (int64_t axis = 2; axis < rank; ++axis)
        filtersSecond.push_back(axis);
      scale = maker.make<TransposeOp>(scale, filtersSecond);
    }
    rewriter.replaceOp(op, scaleSums(maker, sums, input.getScale(), scale));
    return success();
  }
};

/// f(dequantize(x)) -> dequantize(f(x)) of what only moves elements, with one scale
template <typename Op> struct MoveBehind final : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    DequantizeOp input = dequantizedBytes(op.getInput());
    if (!input || typeOf(input.getScale()).getRank() || typeOf(input.getZeroPoint()).getRank())
      return rewriter.notifyMatchFailure(op, "the input is not dequantized by one scale");
    if constexpr (std::is_same_v<Op, PoolOp>) {
      FloatAttr scale = scaleOf(input.getScale());
      if (op.getKind() != PoolKind::max || !scale || scale.getValue().isNegative() || !scale.getValue().isNonZero())
        return rewriter.notifyMatchFailure(op, "the order of elements may change");
    }
    SmallVector<Value> operands(op->getOperands());
    operands[0] = input.getInput();
    auto type = typeOf(op).clone(typeOf(input.getInput()).getElementType());
    OperationState state(op.getLoc(), op->getName(), operands, type, op->getAttrs());
    Value moved = rewriter.create(state)->getResult(0);
    rewriter.replaceOpWithNewOp<DequantizeOp>(op, op.getType(), moved, input.getScale(), input.getZeroPoint());
    return success();
  }
};

/// transpose(dequantize(x, s, z), p) -> dequantize(transpose(x, p), transpose(s, p), z) for a weight with scales
struct TransposeWeight final : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    DequantizeOp input = dequantizedBytes(op.getInput());
    int64_t rank = typeOf(op).getRank();
    if (!input || !isWeight(input.getInput()) || typeOf(input.getScale()).getRank() != rank ||
        typeOf(input.getZeroPoint()).getRank())
      return rewriter.notifyMatchFailure(op, "the input is no weight with scales of its rank");
    Maker maker{rewriter, op.getLoc()};
    Value moved = maker.make<TransposeOp>(input.getInput(), op.getPermutation());
    Value scale = maker.make<TransposeOp>(input.getScale(), op.getPermutation());
    rewriter.replaceOpWithNewOp<DequantizeOp>(op, op.getType(), moved, scale, input.getZeroPoint());
    return success();
  }
};

/// quantize(dequantize(x, s, z) / s, z) -> x
struct CancelQuantization final : OpRewritePattern<QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeOp op, PatternRewriter &rewriter) const override {
    auto quotient = op.getInput().getDefiningOp<DivOp>();
    auto inner = quotient ? dequantizedBytes(quotient.getLhs()) : DequantizeOp();
    if (!inner || inner.getInput().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "the input is not dequantized");
    FloatAttr scale = scaleOf(quotient.getRhs());
    std::optional<int64_t> zeroPoint = numberOf(op.getZeroPoint());
    bool normal = scale && scale.getValue().isNormal();
    if (!normal || scale != scaleOf(inner.getScale()) || !zeroPoint || zeroPoint != numberOf(inner.getZeroPoint()))
      return rewriter.notifyMatchFailure(op, "scales or zero points are not known to be the same");
    rewriter.replaceOp(op, inner.getInput());
    return success();
  }
};

/// Whether the value is computed from an integer product by element-wise ops alone.
bool isBehindProduct(Value value, unsigned depth = 0) {
  Operation *op = value.getDefiningOp();
  if (isa_and_present<MatMulOp, ConvOp>(op))
    return isByte(typeOf(op->getOperand(0)).getElementType());
  return op && depth < 12 && isa<ElementwiseOpInterface>(op) &&
         llvm::any_of(
             op->getOperands(),
             [&](Value operand) {
               return isa<RankedTensorType>(operand.getType()) && isBehindProduct(operand, depth + 1);
             });
}

/// quantize(x / s, z) -> quantize(x * (1 / s), z) of the sums of a product: a division would cost as much as they do
struct MultiplyInstead final : OpRewritePattern<QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeOp op, PatternRewriter &rewriter) const override {
    auto quotient = op.getInput().getDefiningOp<DivOp>();
    FloatAttr scale = quotient ? scaleOf(quotient.getRhs()) : FloatAttr();
    if (!scale || !scale.getType().isF32() || !isBehindProduct(quotient.getLhs()))
      return rewriter.notifyMatchFailure(op, "no sums are divided by a constant");
    float inverse = 1.0f / scale.getValue().convertToFloat();
    auto factor = ConstantOp::create(rewriter, op.getLoc(),
                                     DenseElementsAttr::get(cast<ShapedType>(quotient.getRhs().getType()), inverse));
    Value product = MulOp::create(rewriter, quotient.getLoc(), quotient.getLhs(), factor);
    rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(product); });
    return success();
  }
};

struct FormIntegerProducts final : mlc::impl::GraphFormIntegerProductsPassBase<FormIntegerProducts> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormMatMul, FormConv, MoveBehind<ReshapeOp>, MoveBehind<TransposeOp>, MoveBehind<PoolOp>,
                 TransposeWeight, CancelQuantization>(&getContext());
    int64_t before = countProducts();
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    numFormed += countProducts() - before;
    RewritePatternSet quotients(&getContext());
    quotients.add<MultiplyInstead>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(quotients))))
      signalPassFailure();
  }

  int64_t countProducts() {
    int64_t count = 0;
    getOperation().walk([&](Operation *op) {
      count += isa<MatMulOp, ConvOp>(op) && isByte(typeOf(op->getOperand(0)).getElementType());
    });
    return count;
  }
};

} // namespace
