//===- Windows.cpp - pooling, and the pads of windows ------------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"
#include "lib/Import/Dsl/Layers/Padding.h"

#include <limits>

using namespace mlir;
using namespace mlc::graph;
using llvm::Twine;

namespace mlc::dsl {

Ints padWindows(Call &n, mlir::Value &x, ArrayRef<int64_t> kernel, ArrayRef<int64_t> strides,
                ArrayRef<int64_t> dilations, bool same, double fill) {
  size_t axes = kernel.size();
  Ints pads(2 * axes, 0);
  Shape low(axes + 2, n.constantSize(0)), high = low, extents = n.shape(x);
  bool inRun = false;
  for (size_t i = 0; i < axes; ++i) {
    int64_t window = (kernel[i] - 1) * dilations[i] + 1, size = n.type(x).getDimSize(i + 1);
    if (!same) {
      if (!ShapedType::isDynamic(size) && window > size)
        n.fail("the window reaches over " + Twine(window) + ", but axis " + Twine(i + 1) + " of " +
                   n.elaborator.describe(x) + " has size " + Twine(size),
               "x", "padding=same pads it");
      continue;
    }
    if (ShapedType::isDynamic(size) && strides[i] != 1) {
      // total = max((ceil(size / stride) - 1) * stride + window - size, 0)
      Size count = n.sizes.ceilDiv(extents[i + 1], n.constantSize(strides[i]));
      Size reach = n.sizes.add(n.sizes.mul(n.sizes.sub(count, n.constantSize(1)), n.constantSize(strides[i])),
                               n.constantSize(window));
      Size total = n.sizes.max(n.sizes.sub(reach, extents[i + 1]), n.constantSize(0));
      low[i + 1] = n.sizes.floorDiv(total, n.constantSize(2));
      high[i + 1] = n.sizes.sub(total, low[i + 1]);
      inRun = true;
      continue;
    }
    int64_t total = strides[i] == 1
                        ? window - 1
                        : std::max<int64_t>((llvm::divideCeil(size, strides[i]) - 1) * strides[i] + window - size, 0);
    pads[i] = total / 2;
    pads[i + axes] = total - total / 2;
  }
  if (inRun)
    x = n.pad(PadMode::constant, x, n.scalarLike(x, fill), low, high);
  return pads;
}

namespace {

template <PoolKind kind, int64_t axes> Datum pool(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, axes + 2,
               axes == 1   ? "[N, length, channels]"
               : axes == 2 ? "[N, height, width, channels]"
                           : "[N, depth, height, width, channels]");
  Ints size = n.perAxis("size", axes), strides = n.has("strides") ? n.perAxis("strides", axes) : size, ones(axes, 1);
  bool same = n.text("padding") == "same";
  if (kind == PoolKind::average && same)
    for (int64_t i = 0; i < axes; ++i)
      if (strides[i] != 1)
        n.knownSize(x, i + 1, "places where an average pads and strides");
  Ints pads = padWindows(n, x, size, strides, ones, same, -std::numeric_limits<double>::infinity());
  return n.make<PoolOp>(kind, x, size, strides, pads, ones, /*ceil_mode=*/false, /*count_include_pad=*/false,
                        /*channels_last=*/true);
}

template <ReduceKind kind> Datum globalPool(Call &n) {
  mlir::Value x = n.real("x");
  if (n.rank(x) < 3)
    n.fail("expected [N, …, channels], but got " + n.elaborator.describe(x), "x");
  Ints axes;
  for (int64_t i = 1; i + 1 < n.rank(x); ++i)
    axes.push_back(i);
  mlir::Value y = n.reduce(kind, x, axes, n.flag("keepdims"));
  if (kind == ReduceKind::max)
    return y;
  Shape shape = n.shape(x);
  Size count = n.sizes.product(ArrayRef(shape).slice(1, axes.size()));
  return n.div(y, n.fromSize(count, n.element(x)));
}

/// Repeats every row and column, or interpolates between them.
Datum upsample(Call &n) {
  mlir::Value x = n.real("x");
  if (n.rank(x) < 3)
    n.fail("expected [N, …, channels], but got " + n.elaborator.describe(x), "x");
  size_t axes = n.rank(x) - 2;
  Ints factors = n.perAxis("factor", axes);
  std::vector<double> scales(axes + 2, 1.0);
  Shape shape = n.shape(x);
  for (size_t i = 0; i < axes; ++i) {
    scales[i + 1] = static_cast<double>(factors[i]);
    shape[i + 1] = n.sizes.mul(shape[i + 1], n.constantSize(factors[i]));
  }
  SmallVector<mlir::Value> dynamic;
  SmallVector<int64_t> fixed;
  dispatchIndexOpFoldResults(shape, dynamic, fixed);
  auto real = [&](ArrayRef<double> numbers) {
    return n.constant(DenseElementsAttr::get(
        RankedTensorType::get({static_cast<int64_t>(numbers.size())}, n.b.getF64Type()), numbers));
  };
  bool linear = n.text("interpolation") == "bilinear";
  return n.make<ResizeOp>(linear ? ResizeMode::linear : ResizeMode::nearest, x, real(scales), real({}), dynamic, fixed,
                          linear ? CoordinateMode::half_pixel : CoordinateMode::asymmetric, NearestMode::floor,
                          llvm::APFloat(-0.75), llvm::APFloat(0.0), false, false);
}

} // namespace

void addWindows(Builtins &all) {
  all.family("Pooling");
  constexpr const char *kPool =
      "(x: tensor, size: counts = 2, strides: counts|none = none, padding: valid|same = valid)";
  all.add(std::string("max_pool1d") + kPool, "The maxima of windows; strides are the window's size by default.",
          pool<PoolKind::max, 1>);
  all.add(std::string("max_pool2d") + kPool, "The maxima of windows of images.", pool<PoolKind::max, 2>);
  all.add(std::string("max_pool3d") + kPool, "The maxima of windows of volumes.", pool<PoolKind::max, 3>);
  all.add(std::string("avg_pool1d") + kPool, "The means of windows; what is padded does not count.",
          pool<PoolKind::average, 1>);
  all.add(std::string("avg_pool2d") + kPool, "The means of windows of images.", pool<PoolKind::average, 2>);
  all.add(std::string("avg_pool3d") + kPool, "The means of windows of volumes.", pool<PoolKind::average, 3>);
  all.add("global_avg_pool(x: tensor, keepdims: bool = false)", "The mean of every channel over all places.",
          globalPool<ReduceKind::sum>);
  all.add("global_max_pool(x: tensor, keepdims: bool = false)", "The maximum of every channel over all places.",
          globalPool<ReduceKind::max>);
  all.add("upsample(x: tensor, factor: counts = 2, interpolation: nearest|bilinear = nearest)",
          "Makes images larger by whole factors.", upsample);
}

} // namespace mlc::dsl
