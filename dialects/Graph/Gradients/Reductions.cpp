//===- Reductions.cpp - derivatives of reductions and of what runs along an axis ---------------------------------===//
//
// Equal extrema share their cotangent evenly. Products are differentiated without dividing by a factor, which may be
// zero.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// The product of all others along the last axis, times dy: what is before an element times what is behind it.
Value productOfOthers(GradientBuilder &g, Value x) {
  uint64_t last = g.rank(x) - 1;
  Value before = g.make<CumulateOp>(ReduceKind::prod, x, last, /*exclusive=*/true, /*reverse=*/false);
  Value behind = g.make<CumulateOp>(ReduceKind::prod, x, last, /*exclusive=*/true, /*reverse=*/true);
  return g.mul(before, behind);
}

/// Of x with all of `axes` as one, which is the last: the product of all other elements along them.
Value productOfOthersAlong(GradientBuilder &g, Value x, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> order;
  for (int64_t axis = 0; axis < g.rank(x); ++axis)
    if (!llvm::is_contained(axes, axis))
      order.push_back(axis);
  int64_t kept = order.size();
  llvm::append_range(order, axes);
  Value moved = g.transpose(x, order);
  Shape apart = g.shape(moved), joined(apart.begin(), apart.begin() + kept);
  joined.push_back(g.sizes.product(ArrayRef<Size>(apart).drop_front(kept)));
  Value others = productOfOthers(g, g.reshape(moved, joined));
  return g.transpose(g.reshape(others, apart), invertPermutationVector(order));
}

} // namespace

LogicalResult ReduceOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    Value dy = g.cotangent(), y = getResult(), x = getInput();
    if (!getKeepDims()) {
      dy = g.unsqueeze(dy, getAxes());
      y = g.unsqueeze(y, getAxes());
    }
    switch (getKind()) {
    case ReduceKind::sum:
      return g.expand(dy, g.shape(x));
    case ReduceKind::prod:
      return g.mul(dy, productOfOthersAlong(g, x, getAxes()));
    case ReduceKind::max:
    case ReduceKind::min:
      break;
    }
    Value wins = g.cast(g.compare(CompareDirection::eq, x, y), g.element(x));
    return g.mul(wins, g.div(dy, g.sum(wins, getAxes())));
  });
  return success();
}

LogicalResult ReduceByMaskOp::buildGradients(GradientBuilder &g) {
  if (getKind() == ReduceKind::prod)
    return g.refuse("which axes its product is along is known only at run time");
  g.give(0, [&] {
    Value dy = g.cotangent(), x = getInput();
    if (getKind() == ReduceKind::sum)
      return g.expand(dy, g.shape(x));
    // The result may stretch along any axis.
    Value wins = g.cast(g.compare(CompareDirection::eq, x, g.expand(getResult(), g.shape(x))), g.element(x));
    Value count = g.make<ReduceByMaskOp>(ReduceKind::sum, wins, getMask());
    return g.mul(wins, g.expand(g.div(dy, g.reshape(count, g.shape(dy))), g.shape(x)));
  });
  return success();
}

// With e = exp(x - max): y = e / sum(e).
LogicalResult SoftmaxOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    Value dy = g.cotangent(), y = getResult();
    int64_t axis = static_cast<int64_t>(getAxis());
    if (getLog())
      return g.sub(dy, g.mul(g.exp(y), g.sum(dy, axis)));
    return g.mul(y, g.sub(dy, g.sum(g.mul(dy, y), axis)));
  });
  return success();
}

// A product y_i of all x_j with j up to i: dx_k = Σ_{i ≥ k} dy_i Π_{j ≤ i, j ≠ k} x_j. The product is that of what is
// before k, and of what lies between k and i, which a cumulated product of x with ones up to k gives. Memory is
// quadratic in the axis: the price for zeros among the factors.
LogicalResult CumulateOp::buildGradients(GradientBuilder &g) {
  bool isExclusive = getExclusive(), isReverse = getReverse();
  g.give(0, [&] {
    Value dy = g.cotangent();
    uint64_t axis = getAxis();
    if (getKind() == ReduceKind::sum)
      return g.make<CumulateOp>(ReduceKind::sum, dy, axis, isExclusive, !isReverse);
    int64_t rank = g.rank(dy), last = rank - 1;
    Value x = g.moveAxis(getInput(), static_cast<int64_t>(axis), last);
    dy = g.moveAxis(dy, static_cast<int64_t>(axis), last);
    Size count = g.shape(x).back();
    Type i64 = g.b.getI64Type();
    Value k = g.iota(0, {count, g.constantSize(1)}, i64), i = g.iota(1, {g.constantSize(1), count}, i64);
    auto behind = isReverse ? CompareDirection::lt : CompareDirection::gt;
    auto from = isReverse ? CompareDirection::le : CompareDirection::ge;
    Value isBehind = g.compare(behind, i, k), counts = isExclusive ? isBehind : g.compare(from, i, k);
    Value factors = g.select(isBehind, g.unsqueeze(x, last), g.scalarLike(x, 1)); // [.., k, j]
    Value between = g.make<CumulateOp>(ReduceKind::prod, factors, uint64_t(rank), isExclusive, isReverse);
    Value terms = g.where(counts, g.mul(between, g.unsqueeze(dy, last)));
    Value before = g.make<CumulateOp>(ReduceKind::prod, x, uint64_t(last), /*exclusive=*/true, isReverse);
    return g.moveAxis(g.mul(before, g.sum(terms, rank, /*keepDims=*/false)), last, static_cast<int64_t>(axis));
  });
  return success();
}

LogicalResult TopKOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    return g.make<ScatterElementsOp>(g.zerosLike(getInput()), getIndices(), g.cotangent(0), getAxis(),
                                     ScatterKind::none);
  });
  return success();
}
