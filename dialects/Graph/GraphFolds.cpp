//===- GraphFolds.cpp - folds and canonicalization of the graph dialect ------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlc::graph;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

// cast(x) to x's own type -> x
OpFoldResult CastOp::fold(FoldAdaptor) { return getInput().getType() == getType() ? Value(getInput()) : Value(); }

// reshape(x) to x's own static shape -> x
// reshape(constant) -> constant
OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return {};
  if (getInput().getType() == type)
    return getInput();
  if (auto elements = dyn_cast_if_present<DenseElementsAttr>(adaptor.getInput()))
    return elements.reshape(type);
  return {};
}

// expand(x) to x's own static shape -> x
OpFoldResult ExpandOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getType());
  return type.hasStaticShape() && getInput().getType() == type ? Value(getInput()) : Value();
}

// transpose(x, identity) -> x
OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [axis, from] : llvm::enumerate(getPermutation()))
    if (static_cast<int64_t>(axis) != from)
      return {};
  return getInput().getType() == getType() ? Value(getInput()) : Value();
}

namespace {

/// transpose(transpose(x, p), q) -> transpose(x, p∘q)
struct ComposeTransposes final : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "the input is not a transpose");
    SmallVector<int64_t> permutation;
    for (int64_t axis : op.getPermutation())
      permutation.push_back(inner.getPermutation()[axis]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), inner.getInput(), permutation);
    return success();
  }
};

/// log(softmax(x)) -> softmax(x) {log}
struct JoinLogSoftmax final : OpRewritePattern<LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogOp op, PatternRewriter &rewriter) const override {
    auto softmax = op.getInput().getDefiningOp<SoftmaxOp>();
    if (!softmax || softmax.getLog())
      return rewriter.notifyMatchFailure(op, "the input is not a softmax");
    rewriter.replaceOpWithNewOp<SoftmaxOp>(op, op.getType(), softmax.getInput(), softmax.getAxis(), /*log=*/true);
    return success();
  }
};

} // namespace

void LogOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<JoinLogSoftmax>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ComposeTransposes>(context);
}

// concat(x) -> x
OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 && getInputs()[0].getType() == getType() ? Value(getInputs()[0]) : Value();
}

// slice(x) of all of x -> x
OpFoldResult SliceOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || getInput().getType() != type)
    return {};
  bool all = llvm::all_of(getStaticOffsets(), [](int64_t offset) { return offset == 0; }) &&
             llvm::all_of(getStaticSteps(), [](int64_t step) { return step == 1; });
  return all ? Value(getInput()) : Value();
}

// reduce(x, no axes) -> x
OpFoldResult ReduceOp::fold(FoldAdaptor) {
  return getAxes().empty() && getInput().getType() == getType() ? Value(getInput()) : Value();
}
