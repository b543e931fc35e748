//===- Normalizations.cpp - Batch, Instance, Layer, Group, RMS, Lp and LR normalization --------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// One number a channel, ready to broadcast to `rank` axes.
Value perChannel(NodeImporter &n, Value value, int64_t rank) {
  n.require(n.rank(value) == 1, "expected one number a channel");
  Ints axes;
  for (int64_t i = 1; i < rank - 1; ++i)
    axes.push_back(i);
  return n.unsqueeze(value, axes);
}

Value meanOf(NodeImporter &n, Value x, ArrayRef<int64_t> axes, bool keepDims) {
  Size count = n.constantSize(1);
  Shape shape = n.shape(x);
  for (int64_t axis : axes)
    count = n.sizes.mul(count, shape[axis]);
  return n.div(n.reduce(ReduceKind::sum, x, axes, keepDims), n.fromSize(count, n.element(x)));
}

Values batchNorm(NodeImporter &n) {
  Value x = n.input(0), scale = n.input(1), bias = n.input(2), mean = n.input(3), variance = n.input(4);
  double epsilon = n.floatAttr("epsilon", 1e-5), momentum = n.floatAttr("momentum", 0.9);
  if (n.opset < 9 && n.intAttr("spatial", 1) != 1)
    n.unsupported("statistics of single activations", "convert the model to opset 9", "spatial");
  if (n.opset < 7 && !n.intAttr("is_test", 0))
    n.unsupported("unsupported BatchNormalization in training mode", "export the model for inference", "is_test");
  bool training = n.opset >= 14 && n.intAttr("training_mode", 0);
  auto normalize = [&](Value mean, Value variance) {
    return n.make<BatchNormOp>(x, scale, bias, mean, variance, llvm::APFloat(epsilon));
  };
  if (!training) {
    if (n.hasOutput(1))
      n.unsupported("running statistics outside of training mode");
    return {normalize(mean, variance)};
  }
  // The statistics of this batch, and the running ones that they move.
  Ints axes;
  for (int64_t i = 0; i < n.rank(x); ++i)
    if (i != 1)
      axes.push_back(i);
  Value now = meanOf(n, x, axes, false), centered = n.sub(x, perChannel(n, now, n.rank(x)));
  Value spread = meanOf(n, n.mul(centered, centered), axes, false);
  auto moved = [&](Value old, Value value) {
    value = n.cast(value, n.element(old));
    return n.add(n.mul(old, n.scalarLike(old, momentum)), n.mul(value, n.scalarLike(old, 1 - momentum)));
  };
  return {normalize(now, spread), moved(mean, now), moved(variance, spread)};
}

Value normalize(NodeImporter &n, Value x, int64_t axis, double epsilon, bool uncentered = false) {
  return n.make<NormalizeOp>(x, static_cast<uint64_t>(axis), llvm::APFloat(epsilon), uncentered);
}

Values instanceNorm(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  n.require(rank >= 3, "expected a rank of at least 3");
  Value y = normalize(n, x, 2, n.floatAttr("epsilon", 1e-5));
  return {n.add(n.mul(y, perChannel(n, n.input(1), rank)), perChannel(n, n.input(2), rank))};
}

/// stash_type says what the statistics are computed in; ours are f32 at least for halves.
void checkStash(NodeImporter &n, StringRef name) {
  int64_t stash = n.intAttr(name, 1);
  if (stash != onnx::TensorProto::FLOAT && stash != onnx::TensorProto::DOUBLE && stash != onnx::TensorProto::FLOAT16 &&
      stash != onnx::TensorProto::BFLOAT16)
    n.fail("expected a floating-point type", name);
}

Values layerNorm(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), axis = n.axis(n.intAttr("axis", -1), rank);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  checkStash(n, "stash_type");
  Value y = n.mul(normalize(n, x, axis, epsilon), n.input(1));
  if (Value bias = n.optionalInput(2))
    y = n.add(y, bias);
  Values results{y, Value(), Value()};
  if (n.hasOutput(1) || n.hasOutput(2)) {
    Ints axes;
    for (int64_t i = axis; i < rank; ++i)
      axes.push_back(i);
    Value wide = n.element(x).isF64() ? x : n.cast(x, n.b.getF32Type());
    Value mean = meanOf(n, wide, axes, true), centered = n.sub(wide, mean);
    Value variance = n.add(meanOf(n, n.mul(centered, centered), axes, true), n.scalarLike(wide, epsilon));
    results[1] = mean;
    results[2] = n.div(n.scalarLike(wide, 1), n.sqrt(variance));
  }
  return results;
}

Values rmsNorm(NodeImporter &n) {
  Value x = n.input(0);
  checkStash(n, "stash_type");
  Value y =
      normalize(n, x, n.axis(n.intAttr("axis", -1), n.rank(x)), n.floatAttr("epsilon", 1e-5), /*uncentered=*/true);
  return {n.mul(y, n.input(1))};
}

/// [N, C, …] as [N, groups, C / groups, …], normalized over all but the first two axes. Scale and bias are per channel,
/// before opset 21 per group.
Values groupNorm(NodeImporter &n) {
  Value x = n.input(0), scale = n.input(1), bias = n.input(2);
  int64_t rank = n.rank(x), groups = n.intAttr("num_groups", 0);
  n.require(rank >= 3, "expected a rank of at least 3");
  n.require(groups > 0, "expected a positive num_groups");
  if (n.opset >= 21)
    checkStash(n, "stash_type");
  Shape shape = n.shape(x), split(shape);
  if (auto channels = getConstant(shape[1]))
    n.require(*channels % groups == 0, "expected channels that are a multiple of num_groups");
  split[1] = n.sizes.floorDiv(shape[1], n.constantSize(groups));
  split.insert(split.begin() + 1, n.constantSize(groups));
  Value y = normalize(n, n.reshape(x, split), 2, n.floatAttr("epsilon", 1e-5));
  if (n.opset < 21) {
    y = n.add(n.mul(y, perChannel(n, scale, rank + 1)), perChannel(n, bias, rank + 1));
    return {n.reshape(y, shape)};
  }
  return {n.add(n.mul(n.reshape(y, shape), perChannel(n, scale, rank)), perChannel(n, bias, rank))};
}

Values lpNorm(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", -1), n.rank(x)), p = n.intAttr("p", 2);
  n.require(p == 1 || p == 2, "expected p to be 1 or 2");
  Value norm = p == 1 ? n.reduce(ReduceKind::sum, n.make<AbsOp>(x), axis, true)
                      : n.sqrt(n.reduce(ReduceKind::sum, n.mul(x, x), axis, true));
  // A norm of zero gives zeros.
  Value zero = n.scalarLike(x, 0), isZero = n.compare(CompareDirection::eq, norm, zero);
  return {n.select(isZero, zero, n.div(x, n.select(isZero, n.scalarLike(x, 1), norm)))};
}

/// x / (bias + alpha / size * Σ x² over neighbouring channels)^beta, as a pool with the channels as its spatial axis
Values lrn(NodeImporter &n) {
  Value x = n.input(0);
  int64_t size = n.intAttr("size", 0);
  n.require(size > 0 && n.rank(x) >= 2, "expected a positive size and a rank of at least 2");
  double alpha = n.floatAttr("alpha", 1e-4), beta = n.floatAttr("beta", 0.75), bias = n.floatAttr("bias", 1.0);
  Shape shape = n.shape(x);
  Size rest = n.sizes.product(ArrayRef<Size>(shape).drop_front(2));
  Value squares = n.reshape(n.mul(x, x), {shape[0], n.constantSize(1), shape[1], rest});
  int64_t below = (size - 1) / 2, above = size - 1 - below;
  Ints kernel{size, 1}, ones{1, 1}, pads{below, 0, above, 0};
  Value sum = n.reshape(n.make<PoolOp>(PoolKind::sum, squares, kernel, ones, pads, ones, false, false), shape);
  Value base = n.add(n.mul(sum, n.scalarLike(x, alpha / size)), n.scalarLike(x, bias));
  return {n.div(x, n.make<PowOp>(base, n.scalarLike(x, beta)))};
}

/// (x - mean) / (sqrt(mean(x²) - mean²) + 1e-9)
Values meanVariance(NodeImporter &n) {
  Value x = n.input(0);
  Ints axes = n.intsAttr("axes").value_or(Ints{0, 2, 3});
  for (int64_t &axis : axes)
    axis = n.axis(axis, n.rank(x), "axes");
  llvm::sort(axes);
  Value mean = meanOf(n, x, axes, true), centered = n.sub(x, mean);
  Value deviation = n.sqrt(meanOf(n, n.mul(centered, centered), axes, true));
  return {n.div(centered, n.add(deviation, n.scalarLike(x, 1e-9)))};
}

} // namespace

void registerNormalizations(Registry &r) {
  r.add("BatchNormalization", 6, batchNorm);
  r.add("InstanceNormalization", 6, instanceNorm);
  r.add("LayerNormalization", 17, layerNorm);
  r.add("GroupNormalization", 18, groupNorm);
  r.add("RMSNormalization", 23, rmsNorm);
  r.add("LpNormalization", 1, lpNorm);
  r.add("LRN", 1, lrn);
  r.add("MeanVarianceNormalization", 9, meanVariance);
}

} // namespace mlc::onnximport
