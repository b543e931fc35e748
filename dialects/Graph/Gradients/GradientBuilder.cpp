//===- GradientBuilder.cpp - what the gradient of one op works with ----------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numeric>

using namespace mlir;

namespace mlc::graph {

Value GradientBuilder::countAlong(Value x, ArrayRef<int64_t> axes) {
  Shape all = shape(x), along;
  for (int64_t axis : axes)
    along.push_back(all[axis]);
  Size count = sizes.product(along);
  if (std::optional<int64_t> known = getConstant(count))
    return scalarLike(x, static_cast<double>(*known));
  return fromSize(count, element(x));
}

Value GradientBuilder::transposeMatrix(Value matrix) {
  SmallVector<int64_t> permutation(rank(matrix));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[permutation.size() - 2], permutation.back());
  return transpose(matrix, permutation);
}

Value GradientBuilder::matrixGradient(Value lhs, Value cotangent) {
  auto joinRows = [&](Value matrices) {
    Shape all = shape(matrices);
    return rank(matrices) == 2 ? matrices
                               : reshape(matrices, {sizes.product(ArrayRef<Size>(all).drop_back()), all.back()});
  };
  return make<MatMulOp>(transposeMatrix(joinRows(lhs)), joinRows(cotangent));
}

/// What has the sum of `value` over `axes`, which may be less to read: a maximum gives its input what its windows have
/// got, each to one place (a window with NaN, whose sum is lost anyway, to none).
static Value termsOf(Value value, ArrayRef<int64_t> axes) {
  auto pool = value.getDefiningOp<PoolGradientOp>();
  if (!pool || pool.getKind() != PoolKind::max || !llvm::all_of(pool.getPads(), [](int64_t pad) { return pad == 0; }))
    return value;
  int64_t spatial = pool.getKernel().size(), first = pool.getChannelsLast() ? 1 : 2;
  for (int64_t axis = first; axis < first + spatial; ++axis)
    if (!llvm::is_contained(axes, axis))
      return value;
  return pool.getCotangent();
}

// Axes of `like` are those at the right of `value`. One that is 1 is summed up; whether one is that may be known only
// at run time, where its size is no value that `value` has too.
Value GradientBuilder::sumTo(Value value, Value like) {
  Shape from = shape(value), to = shape(like);
  int64_t extra = static_cast<int64_t>(from.size() - to.size());
  SmallVector<int64_t> axes;
  SmallVector<int64_t> uncertain;
  for (int64_t axis = 0, rank = from.size(); axis < rank; ++axis) {
    if (axis < extra) {
      axes.push_back(axis);
      continue;
    }
    Size size = to[axis - extra];
    if (getConstant(size) == 1 && getConstant(from[axis]) != 1)
      axes.push_back(axis);
    else if (!getConstant(size) && size != from[axis])
      uncertain.push_back(axis - extra);
  }
  if (!axes.empty()) {
    value = sum(termsOf(value, axes), axes);
    if (extra > 0) {
      Shape rest = shape(value);
      value = reshape(value, ArrayRef<Size>(rest).drop_front(extra));
    }
  }
  if (uncertain.empty())
    return value;
  SmallVector<Value> mask;
  for (auto [axis, size] : llvm::enumerate(to)) {
    bool open = llvm::is_contained(uncertain, static_cast<int64_t>(axis));
    mask.push_back(open ? b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, sizes.value(size),
                                                        sizes.value(constantSize(1)))
                        : Value(arith::ConstantOp::create(b, loc, b.getBoolAttr(false))));
  }
  auto maskType = RankedTensorType::get({static_cast<int64_t>(mask.size())}, b.getI1Type());
  Value which = tensor::FromElementsOp::create(b, loc, maskType, mask);
  return reshape(make<ReduceByMaskOp>(ReduceKind::sum, value, which), to);
}

Value GradientBuilder::moveAxis(Value value, int64_t from, int64_t to) {
  if (from == to)
    return value;
  SmallVector<int64_t> permutation;
  for (int64_t axis = 0; axis < rank(value); ++axis)
    if (axis != from)
      permutation.push_back(axis);
  permutation.insert(permutation.begin() + to, from);
  return transpose(value, permutation);
}

Value GradientBuilder::flip(Value value, ArrayRef<int64_t> axes) {
  Shape extents = shape(value), offsets(extents.size(), constantSize(0)), steps(extents.size(), constantSize(1));
  for (int64_t axis : axes) {
    offsets[axis] = sizes.sub(extents[axis], constantSize(1));
    steps[axis] = constantSize(-1);
  }
  return slice(value, offsets, extents, steps);
}

// [n] -> [n, 1] -> [n, step] -> [n * step] -> [n * step - (step - 1)]
Value GradientBuilder::dilate(Value value, int64_t axis, Size step) {
  if (getConstant(step) == 1)
    return value;
  Shape joined = shape(value), none(joined.size() + 1, constantSize(0)), high(none);
  Size more = sizes.sub(step, constantSize(1));
  high[axis + 1] = more;
  Value apart = padZeros(unsqueeze(value, axis + 1), none, high);
  joined[axis] = sizes.mul(joined[axis], step);
  Shape keep(joined.size(), constantSize(0)), cut(keep);
  cut[axis] = sizes.sub(constantSize(0), more);
  return padZeros(reshape(apart, joined), keep, cut);
}

Value GradientBuilder::scatterRows(Value value, Value indices, int64_t axis, Value like) {
  int64_t count = rank(indices), total = rank(value);
  SmallVector<int64_t> rows; // [a…, i…, b…] -> [i…, a…, b…]
  for (int64_t i = 0; i < count; ++i)
    rows.push_back(axis + i);
  for (int64_t i = 0; i < total; ++i)
    if (i < axis || i >= axis + count)
      rows.push_back(i);
  Shape target = shape(like);
  Size rowCount = target[axis];
  target.erase(target.begin() + axis);
  target.insert(target.begin(), rowCount);
  Value zeros = expand(scalarLike(value, 0), target);
  Value tuples = unsqueeze(indices, count);
  Value result = make<ScatterNDOp>(zeros, tuples, transpose(value, rows), ScatterKind::add);
  return moveAxis(result, 0, axis);
}

} // namespace mlc::graph
