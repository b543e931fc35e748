//===- Contractions.cpp - dense layers, convolutions and embeddings ----------------------------------------------===//
//
// Images are channels last. A convolution's kernel is [filters, channels / groups, height, width], as graph.conv takes
// it, whatever the layout of the image.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"
#include "lib/Import/Dsl/Layers/Padding.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

Datum dense(Call &n) {
  mlir::Value x = n.real("x");
  if (n.rank(x) < 2)
    n.fail("expected at least two axes, but got " + n.elaborator.describe(x), "x");
  int64_t in = n.knownSize(x, n.rank(x) - 1, "features"), units = n.integer("units");
  mlir::Value kernel = n.weight("kernel", {in, units}, "init", n.element(x));
  return n.activated(n.addBias(n.make<MatMulOp>(x, kernel), units));
}

/// A convolution of `x` with a weight of `filters` filters, of which each sees 1 / groups of the channels.
mlir::Value convolve(Call &n, mlir::Value x, StringRef weight, StringRef argument, int64_t filters,
                     ArrayRef<int64_t> kernel, ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations, int64_t groups,
                     bool same) {
  int64_t channels = n.knownSize(x, n.rank(x) - 1, "channels");
  Ints shape{filters, channels / groups};
  int64_t area = 1;
  for (int64_t size : kernel) {
    shape.push_back(size);
    area *= size;
  }
  mlir::Value filter = n.weight(weight, shape, argument, n.element(x), area * (channels / groups), area * filters);
  Ints pads = padWindows(n, x, kernel, strides, dilations, same, 0);
  return n.make<ConvOp>(x, filter, strides, pads, dilations, groups, /*channels_last=*/true);
}

template <int64_t axes> Datum conv(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, axes + 2,
               axes == 1   ? "[N, length, channels]"
               : axes == 2 ? "[N, height, width, channels]"
                           : "[N, depth, height, width, channels]");
  int64_t filters = n.integer("filters"), groups = n.integer("groups"), channels = n.knownSize(x, axes + 1, "channels");
  if (channels % groups || filters % groups)
    n.fail("expected " + Twine(channels) + " channels and " + Twine(filters) + " filters in " + Twine(groups) +
               " equal groups",
           "groups");
  mlir::Value y = convolve(n, x, "kernel", "init", filters, n.perAxis("kernel", axes), n.perAxis("strides", axes),
                           n.perAxis("dilation", axes), groups, n.text("padding") == "same");
  return n.activated(n.addBias(y, filters));
}

Datum depthwiseConv2d(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, 4, "[N, height, width, channels]");
  int64_t channels = n.knownSize(x, 3, "channels"), filters = channels * n.integer("multiplier");
  mlir::Value y = convolve(n, x, "kernel", "init", filters, n.perAxis("kernel", 2), n.perAxis("strides", 2),
                           n.perAxis("dilation", 2), channels, n.text("padding") == "same");
  return n.activated(n.addBias(y, filters));
}

Datum separableConv2d(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, 4, "[N, height, width, channels]");
  int64_t channels = n.knownSize(x, 3, "channels"), filters = n.integer("filters");
  mlir::Value y = convolve(n, x, "depthwise_kernel", "init", channels * n.integer("multiplier"), n.perAxis("kernel", 2),
                           n.perAxis("strides", 2), n.perAxis("dilation", 2), channels, n.text("padding") == "same");
  y = convolve(n, y, "pointwise_kernel", "init", filters, {1, 1}, {1, 1}, {1, 1}, 1, false);
  return n.activated(n.addBias(y, filters));
}

/// As the gradient of a convolution: `same` gives strides times the size, `valid` all that a window reaches.
Datum conv2dTranspose(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, 4, "[N, height, width, channels]");
  int64_t channels = n.knownSize(x, 3, "channels"), filters = n.integer("filters");
  Ints kernel = n.perAxis("kernel", 2), strides = n.perAxis("strides", 2), pads(4, 0), more(2, 0);
  for (size_t i = 0; i < 2; ++i) {
    int64_t overlap = kernel[i] - strides[i];
    more[i] = std::max<int64_t>(-overlap, 0);
    if (n.text("padding") == "same" && overlap > 0) {
      pads[i] = overlap / 2;
      pads[i + 2] = overlap - overlap / 2;
    }
  }
  mlir::Value filter = n.weight("kernel", {channels, filters, kernel[0], kernel[1]}, "init", n.element(x),
                                kernel[0] * kernel[1] * filters, kernel[0] * kernel[1] * channels);
  mlir::Value y = n.make<ConvTransposeOp>(n.transpose(x, {0, 3, 1, 2}), filter, strides, pads, Ints{1, 1}, more, 1);
  return n.activated(n.addBias(n.transpose(y, {0, 2, 3, 1}), filters));
}

Datum embedding(Call &n) {
  mlir::Value x = n.tensor("x");
  mlir::Value table = n.weight("weight", {n.integer("vocab"), n.integer("dim")}, "init", n.b.getF32Type());
  if (n.isFloat(x) || n.element(x).isInteger(1))
    n.fail("expected a tensor of integers, but got " + n.elaborator.describe(x), "x");
  if (!n.element(x).isSignlessInteger(32) && !n.element(x).isSignlessInteger(64))
    x = n.cast(x, n.b.getI64Type());
  return n.make<GatherOp>(table, x, 0);
}

Datum parameter(Call &n) {
  Ints shape;
  for (Size size : n.sizesOf("shape")) {
    if (!getConstant(size))
      n.fail("the sizes of a weight have to be known", "shape");
    shape.push_back(*getConstant(size));
  }
  Type element = elementType(n.b.getContext(), n.text("dtype"));
  if (!isa<FloatType>(element))
    n.fail("expected a floating-point type, but got " + n.text("dtype"), "dtype");
  // It is named like a layer, without a further part.
  NamedAttrList settings(n.value("init").get<Choice>()->settings);
  StringRef kind = cast<StringAttr>(settings.get("kind")).getValue();
  if (kind.starts_with("glorot") || kind.starts_with("he_") || kind.starts_with("lecun")) {
    settings.set("fan_in", n.b.getI64IntegerAttr(shape.empty() ? 1 : shape[0]));
    settings.set("fan_out", n.b.getI64IntegerAttr(shape.empty() ? 1 : shape.back()));
  }
  if ((kind == "orthogonal" || kind == "identity") && shape.size() < 2)
    n.fail("the initializer '" + kind + "' requires at least two axes", "init");
  return n.elaborator.weight(n.path, RankedTensorType::get(shape, element), settings.getDictionary(n.b.getContext()),
                             false, n.range, n.where());
}

} // namespace

void addContractions(Builtins &all) {
  all.family("Dense layers and convolutions");
  all.add("dense(x: tensor, units: count, activation: function|none = none, init: initializer = glorot_uniform, "
          "bias: initializer|bool|none = zeros)",
          "`x @ kernel + bias` along the last axis; weights `kernel` [in, units] and `bias`.", dense, true);
  constexpr const char *kConvolution =
      "(x: tensor, filters: count, kernel: counts, strides: counts = 1, padding: valid|same = valid, "
      "dilation: counts = 1, groups: count = 1, activation: function|none = none, init: initializer = glorot_uniform, "
      "bias: initializer|bool|none = zeros)";
  all.add(std::string("conv1d") + kConvolution,
          "Convolves [N, length, channels]; weights `kernel` [filters, channels / groups, k] and `bias`.", conv<1>,
          true);
  all.add(
      std::string("conv2d") + kConvolution,
      "Convolves images [N, height, width, channels]; weights `kernel` [filters, channels / groups, k, k] and `bias`.",
      conv<2>, true);
  all.add(std::string("conv3d") + kConvolution,
          "Convolves volumes [N, depth, height, width, channels]; weights as those of conv2d.", conv<3>, true);
  all.add("depthwise_conv2d(x: tensor, kernel: counts, strides: counts = 1, padding: valid|same = valid, "
          "multiplier: count = 1, dilation: counts = 1, activation: function|none = none, "
          "init: initializer = glorot_uniform, bias: initializer|bool|none = zeros)",
          "Convolves every channel on its own, with `multiplier` filters each; `kernel` is [channels * multiplier, 1, "
          "k, k].",
          depthwiseConv2d, true);
  all.add(
      "separable_conv2d(x: tensor, filters: count, kernel: counts, strides: counts = 1, padding: valid|same = valid, "
      "multiplier: count = 1, dilation: counts = 1, activation: function|none = none, "
      "init: initializer = glorot_uniform, bias: initializer|bool|none = zeros)",
      "A depthwise convolution and one of 1 by 1 behind it; weights `depthwise_kernel`, `pointwise_kernel`, `bias`.",
      separableConv2d, true);
  all.add(
      "conv2d_transpose(x: tensor, filters: count, kernel: counts, strides: counts = 1, padding: valid|same = valid, "
      "activation: function|none = none, init: initializer = glorot_uniform, bias: initializer|bool|none = zeros)",
      "The transpose of a convolution: strides make images larger; `kernel` is [channels, filters, k, k].",
      conv2dTranspose, true);
  all.add("embedding(x: tensor, vocab: count, dim: count, init: initializer = uniform(low=-0.05, high=0.05))",
          "The rows of `weight` [vocab, dim] at the integers `x`.", embedding, true);
  all.add("parameter(shape: sizes, init: initializer = glorot_uniform, dtype: dtype = f32)",
          "A weight of its own, which has the name of the variable that it is bound to.", parameter, true);

  all.addMember("initializer", "zeros()");
  all.addMember("initializer", "ones()");
  all.addMember("initializer", "constant(value: number = 0)");
  all.addMember("initializer", "uniform(low: number = -0.05, high: number = 0.05)");
  all.addMember("initializer", "normal(mean: number = 0, stddev: positive = 0.05)");
  all.addMember("initializer", "truncated_normal(mean: number = 0, stddev: positive = 0.05)");
  all.addMember("initializer", "glorot_uniform()");
  all.addMember("initializer", "glorot_normal()");
  all.addMember("initializer", "he_uniform()");
  all.addMember("initializer", "he_normal()");
  all.addMember("initializer", "lecun_uniform()");
  all.addMember("initializer", "lecun_normal()");
  all.addMember("initializer", "orthogonal(gain: number = 1)");
  all.addMember("initializer", "identity()");
}

} // namespace mlc::dsl
