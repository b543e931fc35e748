//===- Windows.cpp - pooling -------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/Windowing.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

Value lowest(NodeImporter &n, Value x) {
  Type type = n.element(x);
  if (isa<FloatType>(type))
    return n.scalar(type, -std::numeric_limits<double>::infinity());
  return n.scalar(type, type.isUnsignedInteger() ? 0 : -std::ldexp(1.0, type.getIntOrFloatBitWidth() - 1));
}

Windowing windowOf(NodeImporter &n, Value x) {
  n.require(n.rank(x) >= 3, "expected a rank of at least 3");
  Shape shape = n.shape(x);
  return Windowing(n, ArrayRef<Size>(shape).drop_front(2), {});
}

Values maxPool(NodeImporter &n) {
  Value x = n.input(0);
  Windowing w = windowOf(n, x);
  bool ceil = n.intAttr("ceil_mode", 0), columnMajor = n.intAttr("storage_order", 0);
  if (!n.hasOutput(1)) {
    Ints pads = w.padsFor(n, x, lowest(n, x));
    return {n.make<PoolOp>(PoolKind::max, x, w.kernel, w.strides, pads, w.dilations, ceil, false)};
  }
  if (!w.hasStaticPads())
    n.unsupported("indices with SAME padding of sizes known only at run time", "fix the sizes with --shape");
  return n.makeAll<MaxPoolWithIndicesOp>(x, w.kernel, w.strides, w.staticPads(), w.dilations, ceil, columnMajor);
}

Values averagePool(NodeImporter &n) {
  Value x = n.input(0);
  Windowing w = windowOf(n, x);
  bool ceil = n.intAttr("ceil_mode", 0), includePad = n.intAttr("count_include_pad", 0);
  if (w.hasStaticPads())
    return {n.make<PoolOp>(PoolKind::average, x, w.kernel, w.strides, w.staticPads(), w.dilations, ceil, includePad)};
  // sum / count, both over the padded input
  Value ones = n.expand(n.scalarLike(x, 1), n.shape(x));
  Ints pads = w.padsFor(n, x, n.scalarLike(x, 0));
  if (includePad)
    return {n.make<PoolOp>(PoolKind::average, x, w.kernel, w.strides, pads, w.dilations, ceil, true)};
  w.padsFor(n, ones, n.scalarLike(x, 0));
  auto sum = [&](Value value) {
    return n.make<PoolOp>(PoolKind::sum, value, w.kernel, w.strides, pads, w.dilations, ceil, false);
  };
  return {n.div(sum(x), sum(ones))};
}

/// (Σ |x|^p)^(1/p)
Value root(NodeImporter &n, Value sum, double p) { return n.make<PowOp>(sum, n.scalarLike(sum, 1 / p)); }
Value powerOf(NodeImporter &n, Value x, double p) { return n.make<PowOp>(n.make<AbsOp>(x), n.scalarLike(x, p)); }

double normOrder(NodeImporter &n) {
  if (const auto *attribute = n.attr("p"); attribute && attribute->type() == onnx::AttributeProto::FLOAT)
    return attribute->f();
  return n.intAttr("p", 2);
}

Values lpPool(NodeImporter &n) {
  Value x = n.input(0);
  Windowing w = windowOf(n, x);
  double p = normOrder(n);
  bool ceil = n.intAttr("ceil_mode", 0);
  Value powers = powerOf(n, x, p);
  Ints pads = w.padsFor(n, powers, n.scalarLike(x, 0));
  return {root(n, n.make<PoolOp>(PoolKind::sum, powers, w.kernel, w.strides, pads, w.dilations, ceil, false), p)};
}

Ints spatialAxes(NodeImporter &n, Value x) {
  n.require(n.rank(x) >= 2, "expected a rank of at least 2");
  Ints axes(n.rank(x) - 2);
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

Values globalAverage(NodeImporter &n) {
  Value x = n.input(0);
  Value sum = n.reduce(ReduceKind::sum, x, spatialAxes(n, x), true);
  Shape shape = n.shape(x);
  return {n.div(sum, n.fromSize(n.sizes.product(ArrayRef<Size>(shape).drop_front(2)), n.element(x)))};
}
Values globalMax(NodeImporter &n) {
  Value x = n.input(0);
  return {n.reduce(ReduceKind::max, x, spatialAxes(n, x), true)};
}
Values globalLp(NodeImporter &n) {
  Value x = n.input(0);
  double p = normOrder(n);
  return {root(n, n.reduce(ReduceKind::sum, powerOf(n, x, p), spatialAxes(n, x), true), p)};
}

} // namespace

void registerWindows(Registry &r) {
  r.add("MaxPool", 1, maxPool);
  r.add("AveragePool", 1, averagePool);
  r.add("LpPool", 2, lpPool);
  r.add("GlobalAveragePool", 1, globalAverage);
  r.add("GlobalMaxPool", 1, globalMax);
  r.add("GlobalLpPool", 2, globalLp);
}

} // namespace mlc::onnximport
