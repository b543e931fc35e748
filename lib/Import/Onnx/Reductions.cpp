//===- Reductions.cpp - Reduce*, ArgMax, ArgMin ------------------------------------------------------------------===//
//
// Axes may be an attribute, a constant or a value known only at run time; the last become a mask, one boolean an axis.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// Which axes to reduce: known ones, or a mask.
struct Axes final {
  Ints known;
  /// tensor<rank x i1>, where the axes are known only at run time.
  Value mask;
  bool keepDims;
  /// How many axes the result loses, for masks without keepDims.
  int64_t dropped = 0;
};

Value maskOf(NodeImporter &n, Value axes, int64_t rank, bool noop) {
  Value mask = n.axisMask(axes, rank);
  if (noop || !n.type(axes).isDynamicDim(0))
    return mask;
  // No axes at all means all of them.
  Type i64 = n.b.getI64Type();
  Value isEmpty = n.compare(CompareDirection::eq, n.fromSize(n.shape(axes)[0], i64), n.scalar(i64, 0));
  return n.make<OrOp>(mask, isEmpty);
}

Axes axesOf(NodeImporter &n, Value x, int64_t sinceInput) {
  int64_t rank = n.rank(x);
  Axes axes;
  axes.keepDims = n.intAttr("keepdims", 1);
  bool noop = false;
  std::optional<Ints> list;
  if (n.opset < sinceInput) {
    list = n.intsAttr("axes");
  } else {
    noop = n.intAttr("noop_with_empty_axes", 0);
    if (Value input = n.optionalInput(1)) {
      n.require(n.rank(input) == 1, "expected a list of axes");
      list = n.knownInts(input);
      if (!list && n.type(input).getDimSize(0) == 0)
        list = Ints();
      if (!list) {
        axes.mask = maskOf(n, input, rank, noop);
        if (!axes.keepDims) {
          std::optional<int64_t> declared = n.declaredRank(0);
          if (n.type(input).isDynamicDim(0) && !declared)
            n.unsupported("the number of axes is known only at run time, so the rank of the result is not known",
                          "declare the shape of the node's output in the model");
          axes.dropped = declared ? rank - *declared : n.type(input).getDimSize(0);
          n.require(axes.dropped >= 0 && axes.dropped <= rank, "expected at most as many axes as the input has");
        }
        return axes;
      }
    }
  }
  if (!list || list->empty()) {
    if (noop)
      return axes;
    list = Ints(rank);
    std::iota(list->begin(), list->end(), 0);
  }
  for (int64_t &axis : *list)
    axis = n.axis(axis, rank, "axes");
  llvm::sort(*list);
  list->erase(std::unique(list->begin(), list->end()), list->end());
  axes.known = *list;
  return axes;
}

/// Reduces with sizes of 1 kept.
Value reduceKeeping(NodeImporter &n, ReduceKind kind, Value x, const Axes &axes) {
  return axes.mask ? n.make<ReduceByMaskOp>(kind, x, axes.mask) : n.reduce(kind, x, axes.known, true);
}

/// Drops the reduced axes where they are not kept.
Value finish(NodeImporter &n, Value reduced, const Axes &axes) {
  if (axes.keepDims)
    return reduced;
  Shape shape = n.shape(reduced), kept;
  if (!axes.mask) {
    for (auto [i, size] : llvm::enumerate(shape))
      if (!llvm::is_contained(axes.known, static_cast<int64_t>(i)))
        kept.push_back(size);
    return n.reshape(reduced, kept);
  }
  kept = n.sizesWithout(shape, axes.mask, static_cast<int64_t>(shape.size()) - axes.dropped);
  return n.reshape(reduced, kept);
}

/// The number of elements that one element of the result comes from.
Value countOf(NodeImporter &n, Value x, const Axes &axes) {
  Shape shape = n.shape(x);
  Size count = n.constantSize(1);
  for (auto [i, size] : llvm::enumerate(shape)) {
    if (!axes.mask) {
      if (llvm::is_contained(axes.known, static_cast<int64_t>(i)))
        count = n.sizes.mul(count, size);
      continue;
    }
    Size masked = n.sizes.element(n.cast(axes.mask, n.b.getI64Type()), i);
    count = n.sizes.mul(count, n.sizes.selectIfZero(masked, n.constantSize(1), size));
  }
  return n.fromSize(count, n.element(x));
}

enum class Form { plain, mean, l1, l2, sumSquare, logSum, logSumExp };

template <ReduceKind kind, Form form, int64_t sinceInput> Values reduce(NodeImporter &n) {
  Value x = n.input(0);
  Axes axes = axesOf(n, x, sinceInput);
  Value y;
  auto sum = [&](Value value) { return reduceKeeping(n, ReduceKind::sum, value, axes); };
  switch (form) {
  case Form::plain:
    y = reduceKeeping(n, kind, x, axes);
    break;
  case Form::mean:
    y = n.div(sum(x), countOf(n, x, axes));
    break;
  case Form::l1:
    y = sum(n.make<AbsOp>(x));
    break;
  case Form::sumSquare:
    y = sum(n.mul(x, x));
    break;
  case Form::l2: {
    Value squares = sum(n.mul(x, x));
    y = n.isFloat(x) ? n.sqrt(squares) : n.cast(n.sqrt(n.cast(squares, n.b.getF64Type())), n.element(x));
    break;
  }
  case Form::logSum: {
    Value total = sum(x);
    y = n.isFloat(x) ? n.log(total) : n.cast(n.log(n.cast(total, n.b.getF64Type())), n.element(x));
    break;
  }
  case Form::logSumExp: {
    // log Σ exp(x - m) + m with the maximum as m, unless that is infinite
    Value real = n.isFloat(x) ? x : n.cast(x, n.b.getF64Type());
    Value max = reduceKeeping(n, ReduceKind::max, real, axes);
    max = n.select(n.make<IsInfOp>(max, true, true), n.scalarLike(real, 0), max);
    Value result = n.add(n.log(sum(n.exp(n.sub(real, max)))), max);
    y = n.cast(result, n.element(x));
    break;
  }
  }
  return {finish(n, y, axes)};
}

template <ReduceKind kind> Values argReduce(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(x));
  bool keepDims = n.intAttr("keepdims", 1), last = n.opset >= 12 && n.intAttr("select_last_index", 0);
  return {n.make<ArgReduceOp>(kind, x, static_cast<uint64_t>(axis), keepDims, last)};
}

} // namespace

void registerReductions(Registry &r) {
  r.add("ReduceSum", 1, reduce<ReduceKind::sum, Form::plain, 13>);
  r.add("ReduceProd", 1, reduce<ReduceKind::prod, Form::plain, 18>);
  r.add("ReduceMax", 1, reduce<ReduceKind::max, Form::plain, 18>);
  r.add("ReduceMin", 1, reduce<ReduceKind::min, Form::plain, 18>);
  r.add("ReduceMean", 1, reduce<ReduceKind::sum, Form::mean, 18>);
  r.add("ReduceL1", 1, reduce<ReduceKind::sum, Form::l1, 18>);
  r.add("ReduceL2", 1, reduce<ReduceKind::sum, Form::l2, 18>);
  r.add("ReduceSumSquare", 1, reduce<ReduceKind::sum, Form::sumSquare, 18>);
  r.add("ReduceLogSum", 1, reduce<ReduceKind::sum, Form::logSum, 18>);
  r.add("ReduceLogSumExp", 1, reduce<ReduceKind::sum, Form::logSumExp, 18>);
  r.add("ArgMax", 1, argReduce<ReduceKind::max>);
  r.add("ArgMin", 1, argReduce<ReduceKind::min>);
}

} // namespace mlc::onnximport
