//===- Windows.cpp - derivatives of pools and resampling ---------------------------------------------------------===//
//
// A maximum gives all to the first place that has it, in row-major order. Windows without dilations are one op,
// `graph.pool_gradient`; with dilations a sum is spread tap by tap, and a maximum goes through the places it is at.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace mlc::graph;

namespace {

bool isOne(int64_t value) { return value == 1; }

/// The cotangent of an average as that of a sum.
Value divideByCounts(GradientBuilder &g, PoolOp op, Value dy) {
  bool withPads = op.getCountIncludePad();
  int64_t spatial = op.getKernel().size(), first = op.getChannelsLast() ? 1 : 2;
  if (withPads && !op.getCeilMode()) {
    int64_t area = 1;
    for (int64_t size : op.getKernel())
      area *= size;
    return g.scale(dy, 1.0 / static_cast<double>(area));
  }
  Shape shape = g.shape(op.getInput());
  shape[0] = shape[first == 1 ? shape.size() - 1 : 1] = g.constantSize(1);
  SmallVector<int64_t> pads(op.getPads());
  for (int64_t i = 0; withPads && i < spatial; ++i) {
    shape[first + i] = g.sizes.add(shape[first + i], g.constantSize(pads[i] + pads[spatial + i]));
    pads[i] = pads[spatial + i] = 0;
  }
  Value counts =
      g.make<PoolOp>(PoolKind::sum, g.expand(g.scalarLike(dy, 1), shape), op.getKernel(), op.getStrides(), pads,
                     op.getDilations(), op.getCeilMode(), /*count_include_pad=*/false, op.getChannelsLast());
  // With its padding as a part of the input, more windows may start in it than the pool has.
  Shape kept = g.shape(dy);
  kept[0] = kept[first == 1 ? kept.size() - 1 : 1] = g.constantSize(1);
  Shape zeros(kept.size(), g.constantSize(0)), ones(kept.size(), g.constantSize(1));
  return g.div(dy, g.slice(counts, zeros, kept, ones));
}

/// What windows with dilations add to each place, a tap at a time.
Value spreadTaps(GradientBuilder &g, PoolOp op, Value dy) {
  int64_t spatial = op.getKernel().size(), first = op.getChannelsLast() ? 1 : 2, taps = 1;
  Shape input = g.shape(op.getInput());
  for (int64_t i = 0; i < spatial; ++i) {
    dy = g.dilate(dy, first + i, g.constantSize(op.getStrides()[i]));
    taps *= op.getKernel()[i];
  }
  Value result;
  for (int64_t tap = 0; tap < taps; ++tap) {
    Shape low(input.size(), g.constantSize(0)), high(low), extents = g.shape(dy);
    for (int64_t i = spatial - 1, rest = tap; i >= 0; rest /= op.getKernel()[i--]) {
      int64_t axis = first + i, below = rest % op.getKernel()[i] * op.getDilations()[i] - op.getPads()[i];
      low[axis] = g.constantSize(below);
      high[axis] = g.sizes.sub(g.sizes.sub(input[axis], extents[axis]), low[axis]);
    }
    Value term = g.padZeros(dy, low, high);
    result = result ? g.add(result, term) : term;
  }
  return result;
}

/// Zeros of the shape of `input`, where the values are added at offsets into all of it; `columnMajor` as in
/// `graph.max_pool_with_indices`.
Value scatterOffsets(GradientBuilder &g, Value input, Value offsets, Value values, bool columnMajor) {
  Shape shape = g.shape(input), stored(shape);
  SmallVector<int64_t> order{0, 1};
  for (int64_t axis = g.rank(input) - 1; axis >= 2; --axis) {
    order.push_back(columnMajor ? axis : g.rank(input) + 1 - axis);
    stored[g.rank(input) + 1 - axis] = shape[order.back()];
  }
  Size count = g.sizes.product(g.shape(values));
  Value flat = g.expand(g.scalarLike(values, 0), g.sizes.product(shape));
  Value places = g.reshape(offsets, {count, g.constantSize(1)});
  Value all = g.make<ScatterNDOp>(flat, places, g.reshape(values, count), ScatterKind::add);
  return g.transpose(g.reshape(all, stored), order);
}

Value toChannelsFirst(GradientBuilder &g, Value value) { return g.moveAxis(value, g.rank(value) - 1, 1); }
Value toChannelsLast(GradientBuilder &g, Value value) { return g.moveAxis(value, 1, g.rank(value) - 1); }

} // namespace

LogicalResult PoolOp::buildGradients(GradientBuilder &g) {
  bool hasDilations = !llvm::all_of(getDilations(), isOne);
  g.give(0, [&]() -> Value {
    Value dy = g.cotangent(), x = getInput();
    if (getKind() == PoolKind::max && hasDilations) {
      Value first = getChannelsLast() ? toChannelsFirst(g, x) : x;
      Value offsets = g.makeAll<MaxPoolWithIndicesOp>(first, getKernel(), getStrides(), getPads(), getDilations(),
                                                      getCeilMode(), /*column_major=*/false)[1];
      Value values = getChannelsLast() ? toChannelsFirst(g, dy) : dy;
      Value result = scatterOffsets(g, first, offsets, values, /*columnMajor=*/false);
      return getChannelsLast() ? toChannelsLast(g, result) : result;
    }
    if (getKind() == PoolKind::average)
      dy = divideByCounts(g, *this, dy);
    if (hasDilations)
      return spreadTaps(g, *this, dy);
    PoolKind kind = getKind() == PoolKind::max ? PoolKind::max : PoolKind::sum;
    return g.make<PoolGradientOp>(kind, x, dy, kind == PoolKind::max ? Value(getResult()) : Value(), getKernel(),
                                  getStrides(), getPads(), getChannelsLast());
  });
  return success();
}

LogicalResult MaxPoolWithIndicesOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return scatterOffsets(g, getInput(), getIndices(), g.cotangent(0), getColumnMajor()); });
  return success();
}

// Linear in the cotangent: its transpose reads what the pool read.
LogicalResult PoolGradientOp::buildGradients(GradientBuilder &g) {
  g.give(1, [&]() -> Value {
    int64_t spatial = getKernel().size(), first = getChannelsLast() ? 1 : 2;
    Shape input = g.shape(getInput()), output = g.shape(getCotangent());
    Shape low(input.size(), g.constantSize(0)), high(low);
    for (int64_t i = 0; i < spatial; ++i) {
      Size starts = g.sizes.mul(g.sizes.sub(output[first + i], g.constantSize(1)), g.constantSize(getStrides()[i]));
      low[first + i] = g.constantSize(getPads()[i]);
      high[first + i] =
          g.sizes.sub(g.sizes.add(starts, g.constantSize(getKernel()[i] - getPads()[i])), input[first + i]);
    }
    Value around = g.padZeros(g.cotangent(), low, high);
    SmallVector<int64_t> ones(spatial, 1), none(2 * spatial, 0);
    if (getKind() == PoolKind::sum)
      return g.make<PoolOp>(PoolKind::sum, around, getKernel(), getStrides(), none, ones, /*ceil_mode=*/false,
                            /*count_include_pad=*/false, getChannelsLast());
    Value lowest = g.scalarLike(around, -std::numeric_limits<double>::infinity());
    Value padded = g.pad(PadMode::constant, getInput(), lowest, low, high);
    if (getChannelsLast()) {
      padded = toChannelsFirst(g, padded);
      around = toChannelsFirst(g, around);
    }
    Value offsets = g.makeAll<MaxPoolWithIndicesOp>(padded, getKernel(), getStrides(), none, ones, /*ceil_mode=*/false,
                                                    /*column_major=*/false)[1];
    Value flat = g.reshape(around, g.sizes.product(g.shape(around)));
    Value read = g.make<GatherOp>(flat, offsets, uint64_t(0));
    return getChannelsLast() ? toChannelsLast(g, read) : read;
  });
  return success();
}

namespace {

/// Element `i` of a list, as a list.
Value element(GradientBuilder &g, Value list, int64_t i) {
  return g.sliceAxis(list, 0, g.constantSize(i), g.constantSize(1));
}

/// Whether an element of a list of floats is certain to be 1.
bool isKnownOne(Value list, int64_t i) {
  DenseElementsAttr elements;
  if (matchPattern(list, m_Constant(&elements)))
    return elements.getValues<APFloat>()[i].isExactlyValue(1.0);
  auto op = list.getDefiningOp<tensor::FromElementsOp>();
  return op && matchPattern(op.getElements()[i], m_OneFloat());
}

} // namespace

// Linear along each axis; the matrix of an axis is what resampling makes of the unit vectors.
LogicalResult ResizeOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    Value dy = g.cotangent(), scales = getScales(), roi = getRoi();
    Shape input = g.shape(getInput()), output = g.shape(dy);
    int64_t rank = g.rank(dy);
    auto list = [&](double value) {
      return g.constant(DenseElementsAttr::get(RankedTensorType::get({1}, g.b.getF64Type()), value));
    };
    for (int64_t axis = 0; axis < rank; ++axis) {
      if (input[axis] == output[axis] && isKnownOne(scales, axis))
        continue;
      Type i64 = g.b.getI64Type();
      Value row = g.iota(0, {input[axis], g.constantSize(1)}, i64),
            column = g.iota(1, {g.constantSize(1), input[axis]}, i64);
      Value units = g.cast(g.compare(CompareDirection::eq, row, column), g.element(dy));
      Value ownScales = g.concat({list(1), element(g, scales, axis)}, 0), ownRoi = roi;
      if (g.type(roi).getDimSize(0) != 0)
        ownRoi = g.concat({list(0), element(g, roi, axis), list(1), element(g, roi, rank + axis)}, 0);
      SmallVector<Value> dynamic;
      SmallVector<int64_t> fixed = mlc::graph::getStaticSizes({input[axis], output[axis]});
      for (Size size : {input[axis], output[axis]})
        if (!getConstant(size))
          dynamic.push_back(g.sizes.value(size));
      Value matrix =
          g.make<ResizeOp>(getMode(), units, ownScales, ownRoi, dynamic, fixed, getCoordinates(), getNearest(),
                           getCubicCoefficient(), APFloat(0.0), getAntialias(), getExcludeOutside());
      Value moved = g.moveAxis(dy, axis, rank - 1);
      if (rank == 1)
        moved = g.unsqueeze(moved, 0);
      dy = g.make<MatMulOp>(moved, g.transpose(matrix, {1, 0}));
      dy = rank == 1 ? g.reshape(dy, input[axis]) : g.moveAxis(dy, rank - 1, axis);
    }
    return dy;
  });
  return success();
}
