//===- FoldBatchNorm.cpp - normalizations by known statistics move into filters -----------------------------------===//
//
// First every batch normalization whose statistics are known becomes x * s + t, then factors for each channel move
// backwards: over the term for each channel that a convolution's bias is, and into the convolution's filter. Both steps
// leave arithmetic on weights behind that costs nothing at run time, provided that graph-fold-weights runs later.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "passes/Graph/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHFOLDBATCHNORMPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Whether a value is known at compile time: computed from weights and constants by few ops.
bool isKnown(Value value, unsigned depth = 16) {
  Operation *op = value.getDefiningOp();
  return op && depth && isEvaluable(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) { return isKnown(operand, depth - 1); });
}

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// `value` with the shape 1×…×channels×…×1 of rank `rank`, the channels at `axis`.
Value alongAxis(OpBuilder &b, Location loc, Value value, int64_t rank, int64_t axis) {
  SmallVector<OpFoldResult> sizes(rank, b.getIndexAttr(1));
  sizes[axis] = b.getIndexAttr(typeOf(value).getNumElements());
  return ReshapeOp::create(b, loc, value, sizes);
}

/// Whether `value`, broadcast against `result`, differs only along axis 1, and adds no axes.
bool isPerChannel(Value value, RankedTensorType result) {
  RankedTensorType type = typeOf(value);
  if (!type.hasStaticShape() || type.getRank() > result.getRank())
    return false;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    int64_t place = axis + result.getRank() - type.getRank(), size = type.getDimSize(axis);
    if (size != 1 && (place != 1 || size != result.getDimSize(1)))
      return false;
  }
  return true;
}

// batch_norm(x, scale, bias, mean, variance) -> x * s + t
struct ExpandBatchNorm final : OpRewritePattern<BatchNormOp> {
  ExpandBatchNorm(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}
  LogicalResult matchAndRewrite(BatchNormOp op, PatternRewriter &rewriter) const override {
    Type element = getElementTypeOrSelf(op.getInput().getType());
    if (typeOf(op.getInput()).isDynamicDim(1) || op.getType() != op.getInput().getType())
      return rewriter.notifyMatchFailure(op, "the number of channels is not known");
    Type compute = element.isF64() ? element : rewriter.getF32Type();
    for (Value operand : op.getOperands().drop_front()) {
      if (!isKnown(operand))
        return rewriter.notifyMatchFailure(op, "the statistics are not known");
      if (getElementTypeOrSelf(operand).isF64())
        compute = rewriter.getF64Type();
    }
    Location loc = op.getLoc();
    auto cast = [&](Value value, Type to) -> Value {
      return getElementTypeOrSelf(value) == to ? value : CastOp::create(rewriter, loc, value, TypeAttr::get(to));
    };
    auto wide = [&](Value value) { return cast(value, compute); };
    Value epsilon = buildScalarConstant(rewriter, loc, compute, op.getEpsilon().convertToDouble());
    Value deviation =
        SqrtOp::create(rewriter, loc, AddOp::create(rewriter, loc, wide(op.getVariance()), epsilon).getResult());
    Value factor = DivOp::create(rewriter, loc, wide(op.getScale()), deviation);
    Value term = SubOp::create(rewriter, loc, wide(op.getBias()),
                               MulOp::create(rewriter, loc, wide(op.getMean()), factor).getResult());
    int64_t rank = typeOf(op.getInput()).getRank();
    auto place = [&](Value value) { return alongAxis(rewriter, loc, cast(value, element), rank - 1, 0); };
    Value scaled = MulOp::create(rewriter, loc, op.getInput(), place(factor));
    Value result = AddOp::create(rewriter, loc, scaled, place(term));
    rewriter.replaceOp(op, result);
    ++count;
    return success();
  }
  Pass::Statistic &count;
};

/// A product with a known factor for each channel: the other operand and the factor.
std::optional<std::pair<Value, Value>> matchScaling(Operation *op) {
  for (bool swap : {false, true}) {
    Value value = op->getOperand(swap), known = op->getOperand(!swap);
    if (value.getType() == op->getResult(0).getType() && typeOf(value).getRank() > 1 && !isKnown(value) &&
        isKnown(known) && isPerChannel(known, typeOf(value)))
      return std::make_pair(value, known);
  }
  return std::nullopt;
}

/// Whether factors for each channel of `value` can move into a filter, maybe over a term for each channel.
bool isFilterable(Value value) {
  if (!value.hasOneUse())
    return false;
  if (auto conv = value.getDefiningOp<ConvOp>())
    return isKnown(conv.getFilter());
  if (auto conv = value.getDefiningOp<ConvTransposeOp>())
    return conv.getGroups() == 1 && isKnown(conv.getFilter());
  return false;
}

// (conv + b) * s -> conv * s + b * s
struct ScaleTerm final : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    auto scaling = matchScaling(op);
    if (!scaling)
      return rewriter.notifyMatchFailure(op, "no factor for each channel");
    auto [value, factor] = *scaling;
    auto add = value.getDefiningOp<AddOp>();
    auto sum = add && add->hasOneUse() ? matchScaling(add) : std::nullopt;
    if (!sum || !isFilterable(sum->first))
      return rewriter.notifyMatchFailure(op, "no convolution and term for each channel");
    Value product = MulOp::create(rewriter, op.getLoc(), sum->first, factor);
    Value term = MulOp::create(rewriter, op.getLoc(), sum->second, factor);
    rewriter.replaceOpWithNewOp<AddOp>(op, op.getType(), product, term);
    return success();
  }
};

// (x + a) + b -> x + (a + b), where x is a convolution
struct JoinTerms final : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    auto outer = matchScaling(op);
    auto add = outer ? outer->first.getDefiningOp<AddOp>() : AddOp();
    auto inner = add && add->hasOneUse() ? matchScaling(add) : std::nullopt;
    if (!inner || !isFilterable(inner->first))
      return rewriter.notifyMatchFailure(op, "no convolution with two terms for each channel");
    Value term = AddOp::create(rewriter, op.getLoc(), inner->second, outer->second);
    rewriter.replaceOpWithNewOp<AddOp>(op, op.getType(), inner->first, term);
    return success();
  }
};

// conv(x, w) * s -> conv(x, w * s)
struct ScaleFilter final : OpRewritePattern<MulOp> {
  ScaleFilter(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    auto scaling = matchScaling(op);
    if (!scaling || !isFilterable(scaling->first))
      return rewriter.notifyMatchFailure(op, "no convolution with a factor for each channel");
    auto [value, factor] = *scaling;
    Operation *conv = value.getDefiningOp();
    Value filter = conv->getOperand(1);
    int64_t axis = isa<ConvOp>(conv) ? 0 : 1;
    rewriter.setInsertionPoint(op); // the factor may stand behind the convolution
    Value scaled = MulOp::create(rewriter, op.getLoc(), filter,
                                 alongAxis(rewriter, op.getLoc(), factor, typeOf(filter).getRank(), axis));
    Operation *copy = rewriter.clone(*conv);
    copy->setOperand(1, scaled);
    rewriter.replaceOp(op, copy);
    ++count;
    return success();
  }
  Pass::Statistic &count;
};

struct FoldBatchNorm final : mlc::impl::GraphFoldBatchNormPassBase<FoldBatchNorm> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandBatchNorm>(&getContext(), numExpanded);
    patterns.add<ScaleFilter>(&getContext(), numScaled);
    patterns.add<ScaleTerm, JoinTerms>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
