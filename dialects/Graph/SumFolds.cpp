//===- SumFolds.cpp - canonicalization of graph.add ---------------------------------------------------------------===//
//
// What reads slices of a tensor has a derivative that is a sum of padded slices: the gates of a recurrence, the heads
// of an attention. Where the slices do not overlap they are joined, which writes every element once and adds nothing.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// A term of a sum that is zero but for [start, end) of an axis of `whole` elements.
struct Part final {
  PadOp pad;
  int64_t axis, start, end, whole;
};

std::optional<Part> partOf(Value term) {
  auto pad = term.getDefiningOp<PadOp>();
  if (!pad || pad.getMode() != PadMode::constant || !term.hasOneUse() ||
      !(matchPattern(pad.getValue(), m_AnyZeroFloat()) || matchPattern(pad.getValue(), m_Zero())))
    return std::nullopt;
  std::optional<Part> part;
  for (auto [axis, low, high] : llvm::enumerate(pad.getMixedLow(), pad.getMixedHigh())) {
    std::optional<int64_t> before = getConstant(low), after = getConstant(high);
    int64_t size = cast<RankedTensorType>(pad.getInput().getType()).getDimSize(static_cast<int64_t>(axis));
    if (before == 0 && after == 0)
      continue;
    if (part || !before || !after || *before < 0 || *after < 0 || ShapedType::isDynamic(size))
      return std::nullopt;
    part = Part{pad, static_cast<int64_t>(axis), *before, *before + size, *before + size + *after};
  }
  return part;
}

/// pad(a) + b + pad(c) -> concat(a, c) + b, padded where nothing is left
struct JoinPaddedTerms final : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    if (op->hasOneUse() && isPartial(op, *op->user_begin()))
      return rewriter.notifyMatchFailure(op, "is a part of a sum");
    SmallVector<Value> terms, others;
    collect(op, terms);
    SmallVector<Part> parts;
    for (Value term : terms)
      if (std::optional<Part> part = partOf(term); part && (parts.empty() || part->axis == parts[0].axis))
        parts.push_back(*part);
    llvm::stable_sort(parts, [](const Part &lhs, const Part &rhs) { return lhs.start < rhs.start; });
    int64_t end = 0;
    llvm::erase_if(parts, [&](const Part &part) {
      bool overlaps = part.start < end;
      end = overlaps ? end : part.end;
      return overlaps;
    });
    if (parts.size() < 2)
      return rewriter.notifyMatchFailure(op, "requires two terms that do not overlap");
    for (Value term : terms)
      if (llvm::none_of(parts, [&](const Part &part) { return part.pad->getResult(0) == term; }))
        others.push_back(term);

    SmallVector<Value> values;
    for (size_t i = 0; i < parts.size(); ++i) // each with the gap behind it, the first with that before it, too
      values.push_back(padded(rewriter, parts[i], i == 0 ? parts[i].start : 0,
                              (i + 1 < parts.size() ? parts[i + 1].start : parts[i].whole) - parts[i].end));
    Value sum = ConcatOp::create(rewriter, op.getLoc(), op.getType(), values, static_cast<uint64_t>(parts[0].axis));
    for (Value other : others)
      sum = AddOp::create(rewriter, op.getLoc(), op.getType(), other, sum);
    rewriter.replaceOp(op, sum);
    return success();
  }

  /// Whether `op` is read by another sum of the same shape alone, which joins its terms.
  static bool isPartial(AddOp op, Operation *user) {
    return isa<AddOp>(user) && user->getResultTypes()[0] == op.getType();
  }

  static void collect(AddOp op, SmallVectorImpl<Value> &terms) {
    for (Value term : op->getOperands()) {
      auto inner = term.getDefiningOp<AddOp>();
      if (inner && inner->hasOneUse() && isPartial(inner, op))
        collect(inner, terms);
      else
        terms.push_back(term);
    }
  }

  static Value padded(PatternRewriter &rewriter, const Part &part, int64_t low, int64_t high) {
    PadOp pad = part.pad;
    if (low == 0 && high == 0)
      return pad.getInput();
    SmallVector<OpFoldResult> lows(pad.getMixedLow().size(), rewriter.getIndexAttr(0)), highs(lows);
    lows[part.axis] = rewriter.getIndexAttr(low);
    highs[part.axis] = rewriter.getIndexAttr(high);
    return PadOp::create(rewriter, pad.getLoc(), PadMode::constant, pad.getInput(), pad.getValue(), lows, highs);
  }
};

} // namespace

void AddOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<JoinPaddedTerms>(context);
}
