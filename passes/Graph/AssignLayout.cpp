//===- AssignLayout.cpp - convolutions and pools with the channels last -------------------------------------------===//
//
// Transpositions are put around every convolution and pool, then sink towards the results, and those that meet are
// composed and vanish where they are identities. An op sinks one only when none of its operands has to be transposed at
// run time in turn: the others are transposed already, weights, or have one element in all axes but one. Convolutions
// that are cheaper as they are than with transpositions around them stay (LayoutRegions.cpp).
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Graph/LayoutRegions.h"
#include "passes/Graph/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHASSIGNLAYOUTPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

int64_t rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

Value transpose(OpBuilder &b, Location loc, Value value, ArrayRef<int64_t> permutation) {
  return b.createOrFold<TransposeOp>(loc, value, permutation);
}

/// N C x… -> N x… C
SmallVector<int64_t> channelsLast(int64_t rank) {
  SmallVector<int64_t> permutation{0};
  for (int64_t axis = 2; axis < rank; ++axis)
    permutation.push_back(axis);
  permutation.push_back(1);
  return permutation;
}

/// conv(x) -> back(conv channels_last(forth(x))), pools alike
template <typename Op> bool assign(Op op) {
  int64_t rank = rankOf(op.getInput());
  if (op.getChannelsLast() || rank < 3)
    return false;
  OpBuilder b(op);
  SmallVector<int64_t> forth = channelsLast(rank), back = invertPermutationVector(forth);
  op.getInputMutable().assign(transpose(b, op.getLoc(), op.getInput(), forth));
  op.setChannelsLast(true);
  auto type = cast<RankedTensorType>(op.getType());
  op.getResult().setType(type.clone(applyPermutation(type.getShape(), ArrayRef(forth))));
  b.setInsertionPointAfter(op);
  auto result = TransposeOp::create(b, op.getLoc(), type, op.getResult(), back);
  op.getResult().replaceAllUsesExcept(result, result);
  return true;
}

/// conv(x; strides) -> conv(slice(x; steps of the strides)) with a filter of single pixels: then it is a product of
/// matrices, with the channels first too.
bool gatherPixels(ConvOp op) {
  auto isOne = [](int64_t stride) { return stride == 1; };
  if (llvm::all_of(op.getStrides(), isOne))
    return false;
  OpBuilder b(op);
  SmallVector<OpFoldResult> offsets(rankOf(op.getInput()), b.getIndexAttr(0)), sizes, steps;
  ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getInput().getType()).getShape();
  for (auto [axis, size] : llvm::enumerate(shape)) {
    int64_t step = axis < 2 ? 1 : op.getStrides()[axis - 2];
    sizes.push_back(b.getIndexAttr(llvm::divideCeil(size, step)));
    steps.push_back(b.getIndexAttr(step));
  }
  op.getInputMutable().assign(SliceOp::create(b, op.getLoc(), op.getInput(), offsets, sizes, steps));
  op.setStrides(SmallVector<int64_t>(op.getStrides().size(), 1));
  return true;
}

/// The most channels of an image for which it is not worth to be transposed.
constexpr int64_t kFewChannels = 4;

/// conv(transpose(x, channels last); pads) -> conv(transpose(pad(x), channels last)) where x has few channels: pads of
/// whole lines are copies, and the sum of products takes the transposition as strides of its scalars.
bool padFirst(ConvOp op) {
  auto moved = op.getInput().getDefiningOp<TransposeOp>();
  auto isZero = [](int64_t pad) { return pad == 0; };
  auto isNegative = [](int64_t pad) { return pad < 0; };
  if (!op.getChannelsLast() || op.getGroups() != 1 || !moved || !moved->hasOneUse() ||
      moved.getPermutation() != ArrayRef(channelsLast(rankOf(moved))) || llvm::all_of(op.getPads(), isZero) ||
      llvm::any_of(op.getPads(), isNegative))
    return false;
  auto type = cast<RankedTensorType>(moved.getInput().getType());
  if (!type.hasStaticShape() || type.getDimSize(1) > kFewChannels)
    return false;
  OpBuilder b(op);
  int64_t rank = type.getRank(), spatial = rank - 2;
  SmallVector<OpFoldResult> low(rank, b.getIndexAttr(0)), high(low);
  for (int64_t axis = 0; axis < spatial; ++axis) {
    low[2 + axis] = b.getIndexAttr(op.getPads()[axis]);
    high[2 + axis] = b.getIndexAttr(op.getPads()[spatial + axis]);
  }
  Value zero = buildScalarConstant(b, op.getLoc(), type.getElementType(), 0);
  Value padded = PadOp::create(b, op.getLoc(), PadMode::constant, moved.getInput(), zero, low, high);
  op.getInputMutable().assign(TransposeOp::create(b, moved.getLoc(), padded, moved.getPermutation()));
  op.setPads(SmallVector<int64_t>(2 * spatial, 0));
  moved.erase();
  return true;
}

/// An op that is the same in every layout, with its operands before the transposition `permutation` of rank `rank`;
/// fails where one has to be moved at run time. A missing leading axis has one element.
LogicalResult undo(RewriterBase &b, Location loc, OperandRange operands, ArrayRef<int64_t> permutation,
                   SmallVectorImpl<Value> &result) {
  int64_t rank = permutation.size();
  SmallVector<int64_t> inverse = invertPermutationVector(permutation);
  for (Value operand : operands) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type)
      return failure();
    auto moved = operand.getDefiningOp<TransposeOp>();
    if (type.getNumElements() != 1 || !type.hasStaticShape())
      if (!(moved && moved.getPermutation() == permutation) && !(type.hasStaticShape() && isFreeToTranspose(operand)))
        return failure();
  }
  for (Value operand : operands) {
    auto type = cast<RankedTensorType>(operand.getType());
    auto moved = operand.getDefiningOp<TransposeOp>();
    if (moved && moved.getPermutation() == permutation) {
      result.push_back(moved.getInput());
      continue;
    }
    if (type.getRank() == 0) {
      result.push_back(operand);
      continue;
    }
    if (type.getRank() < rank) {
      SmallVector<OpFoldResult> sizes(rank - type.getRank(), b.getIndexAttr(1));
      for (int64_t size : type.getShape())
        sizes.push_back(b.getIndexAttr(size));
      operand = ReshapeOp::create(b, loc, operand, sizes);
    }
    result.push_back(transpose(b, loc, operand, inverse));
  }
  return success();
}

/// The permutation of the first operand that is transposed with the rank of the result.
std::optional<SmallVector<int64_t>> permutationOf(Operation *op) {
  int64_t rank = rankOf(op->getResult(0));
  for (Value operand : op->getOperands())
    if (auto moved = operand.getDefiningOp<TransposeOp>(); moved && rankOf(moved) == rank)
      return SmallVector<int64_t>(moved.getPermutation());
  return std::nullopt;
}

/// f(transpose(x, p), y) -> transpose(f(x, transpose(y, p⁻¹)), p) of element-wise f
struct SinkThroughElementwise final : OpInterfaceRewritePattern<ElementwiseOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOpInterface op, PatternRewriter &rewriter) const override {
    auto permutation = permutationOf(op);
    if (!permutation)
      return rewriter.notifyMatchFailure(op, "no operand is transposed");
    if (isFreeToTranspose(op->getResult(0)))
      return rewriter.notifyMatchFailure(op, "weights are computed as they are");
    SmallVector<Value> operands;
    if (failed(undo(rewriter, op.getLoc(), op->getOperands(), *permutation, operands)))
      return rewriter.notifyMatchFailure(op, "another operand would be transposed in turn");
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<int64_t> shape = applyPermutation(type.getShape(), ArrayRef(invertPermutationVector(*permutation)));
    OperationState state(op.getLoc(), op->getName(), operands, type.clone(shape), op->getAttrs());
    Value result = rewriter.create(state)->getResult(0);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, type, result, *permutation);
    return success();
  }
};

/// concat(transpose(x, p), …; a) -> transpose(concat(x, …; p[a]), p)
struct SinkThroughConcat final : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    auto permutation = permutationOf(op);
    SmallVector<Value> operands;
    if (!permutation || failed(undo(rewriter, op.getLoc(), op->getOperands(), *permutation, operands)))
      return rewriter.notifyMatchFailure(op, "not all inputs are transposed alike");
    Value result = ConcatOp::create(rewriter, op.getLoc(), operands, (*permutation)[op.getAxis()]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), result, *permutation);
    return success();
  }
};

/// reduce(transpose(x, p); axes) -> transpose(reduce(x; p[axes]), what p leaves of the axes)
struct SinkThroughReduce final : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto moved = op.getInput().getDefiningOp<TransposeOp>();
    if (!moved)
      return rewriter.notifyMatchFailure(op, "the input is not transposed");
    ArrayRef<int64_t> permutation = moved.getPermutation();
    SmallVector<int64_t> axes;
    for (int64_t axis : op.getAxes())
      axes.push_back(permutation[axis]);
    llvm::sort(axes);
    Value result = ReduceOp::create(rewriter, op.getLoc(), op.getKind(), moved.getInput(), axes, op.getKeepDims());
    SmallVector<int64_t> kept;
    if (op.getKeepDims()) {
      kept.assign(permutation.begin(), permutation.end());
    } else {
      for (auto [axis, from] : llvm::enumerate(permutation))
        if (!llvm::is_contained(op.getAxes(), static_cast<int64_t>(axis)))
          kept.push_back(from - llvm::count_if(axes, [&](int64_t gone) { return gone < from; }));
    }
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), result, kept);
    return success();
  }
};

/// pad(transpose(x, p); low, high) -> transpose(pad(x; low and high permuted), p)
struct SinkThroughPad final : OpRewritePattern<PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PadOp op, PatternRewriter &rewriter) const override {
    auto moved = op.getInput().getDefiningOp<TransposeOp>();
    if (!moved)
      return rewriter.notifyMatchFailure(op, "the input is not transposed");
    SmallVector<int64_t> inverse = invertPermutationVector(moved.getPermutation());
    auto permuted = [&](SmallVector<OpFoldResult> list) { return applyPermutation(ArrayRef(list), ArrayRef(inverse)); };
    Value result = PadOp::create(rewriter, op.getLoc(), op.getMode(), moved.getInput(), op.getValue(),
                                 permuted(op.getMixedLow()), permuted(op.getMixedHigh()));
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), result, moved.getPermutation());
    return success();
  }
};

/// slice(transpose(x, p); …) -> transpose(slice(x; … permuted), p)
struct SinkThroughSlice final : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto moved = op.getInput().getDefiningOp<TransposeOp>();
    if (!moved)
      return rewriter.notifyMatchFailure(op, "the input is not transposed");
    SmallVector<int64_t> inverse = invertPermutationVector(moved.getPermutation());
    auto permuted = [&](SmallVector<OpFoldResult> list) { return applyPermutation(ArrayRef(list), ArrayRef(inverse)); };
    Value result = SliceOp::create(rewriter, op.getLoc(), moved.getInput(), permuted(op.getMixedOffsets()),
                                   permuted(op.getMixedSizes()), permuted(op.getMixedSteps()));
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), result, moved.getPermutation());
    return success();
  }
};

/// reshape(transpose(x, p)) -> transpose(reshape(x), …) where only axes of one element vanish or appear
struct SinkThroughUnitAxes final : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto moved = op.getInput().getDefiningOp<TransposeOp>();
    if (!moved)
      return rewriter.notifyMatchFailure(op, "the input is not transposed");
    auto type = cast<RankedTensorType>(op.getType());
    ArrayRef<int64_t> before = cast<RankedTensorType>(moved.getType()).getShape(), after = type.getShape();
    // One axis of unknown size is the same on both sides, since all the others are.
    if (type.getNumDynamicDims() > 1 || before == after)
      return rewriter.notifyMatchFailure(op, "axes cannot be told apart");
    SmallVector<int64_t> axes, from; // those of x that stay; those of the result, -1 where new
    size_t next = 0;
    for (int64_t size : after) {
      while (next < before.size() && before[next] != size && before[next] == 1)
        ++next;
      if (next < before.size() && before[next] == size) {
        axes.push_back(moved.getPermutation()[next++]);
        from.push_back(axes.back());
      } else if (size == 1) {
        from.push_back(-1);
      } else {
        return rewriter.notifyMatchFailure(op, "elements change their axes");
      }
    }
    for (; next < before.size(); ++next)
      if (before[next] != 1)
        return rewriter.notifyMatchFailure(op, "elements change their axes");
    llvm::sort(axes);
    SmallVector<OpFoldResult> sizes;
    for (int64_t axis : axes)
      sizes.push_back(tensor::getMixedSize(rewriter, op.getLoc(), moved.getInput(), axis));
    sizes.resize(after.size(), rewriter.getIndexAttr(1)); // new axes are the last ones
    SmallVector<int64_t> permutation;
    auto appended = static_cast<int64_t>(axes.size());
    for (int64_t axis : from)
      permutation.push_back(axis < 0 ? appended++ : llvm::lower_bound(axes, axis) - axes.begin());
    Value result = ReshapeOp::create(rewriter, op.getLoc(), moved.getInput(), sizes);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, type, result, permutation);
    return success();
  }
};

/// transpose(x, p) -> reshape(x) where the axes of more than one element stay in order
struct ReshapeInstead final : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getInput().getType());
    int64_t last = -1;
    for (int64_t from : op.getPermutation()) {
      if (type.getDimSize(from) == 1)
        continue;
      if (from < last)
        return rewriter.notifyMatchFailure(op, "elements move");
      last = from;
    }
    SmallVector<OpFoldResult> sizes;
    for (int64_t from : op.getPermutation())
      sizes.push_back(tensor::getMixedSize(rewriter, op.getLoc(), op.getInput(), from));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getInput(), sizes);
    return success();
  }
};

/// reshape(reshape(x)) -> reshape(x)
struct ComposeReshapes final : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "the input is not a reshape");
    rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};

struct AssignLayout final : mlc::impl::GraphAssignLayoutPassBase<AssignLayout> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    llvm::DenseSet<Operation *> channelsFirst = chooseChannelsFirst(getOperation());
    getOperation().walk([&](Operation *op) {
      if (isa<ConvOp, PoolOp>(op) && !channelsFirst.contains(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      bool assigned = isa<ConvOp>(op) ? assign(cast<ConvOp>(op)) : assign(cast<PoolOp>(op));
      numAssigned += assigned;
    }
    for (Operation *op : channelsFirst)
      if (auto conv = cast<ConvOp>(op); !isDepthwiseAlongLines(conv))
        numGathered += gatherPixels(conv);
    if (ops.empty())
      return;
    RewritePatternSet sink(&getContext());
    sink.add<SinkThroughElementwise, SinkThroughConcat, SinkThroughReduce, SinkThroughPad, SinkThroughSlice,
             SinkThroughUnitAxes>(&getContext());
    TransposeOp::getCanonicalizationPatterns(sink, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(sink))))
      return signalPassFailure();
    getOperation().walk([&](ConvOp op) { numPadded += padFirst(op); });
    RewritePatternSet reshape(&getContext());
    reshape.add<ReshapeInstead, ComposeReshapes>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(reshape))))
      signalPassFailure();
  }
};

} // namespace
