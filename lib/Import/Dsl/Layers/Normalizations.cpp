//===- Normalizations.cpp - normalizations and dropout -----------------------------------------------------------===//
#include "dialects/Train/TrainDialect.h"
#include "lib/Import/Dsl/Elaborator.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// Ops of the train dialect have the type and the sizes of what they work on.
template <typename Op, typename... Args> mlir::Value makeLike(Call &n, mlir::Value x, Args &&...args) {
  mlir::Value y = Op::create(n.b, n.where(), x.getType(), x, std::forward<Args>(args)...).getResult();
  n.elaborator.shapes[y] = n.shape(x);
  return y;
}

Datum dropout(Call &n) {
  mlir::Value x = n.real("x");
  if (n.number("rate") == 0)
    return x;
  return makeLike<train::DropoutOp>(n, x, n.b.getF64FloatAttr(n.number("rate")));
}

/// gamma or beta: a weight where it is wanted, or else a constant.
mlir::Value scaleOrConstant(Call &n, StringRef name, bool wanted, int64_t count, Type element, double otherwise) {
  if (wanted)
    return n.weight(name, {count}, n.constantInitializer(otherwise), element);
  mlir::Value one = n.scalar(element, otherwise);
  return n.expand(one, {n.constantSize(count)});
}

Datum batchNorm(Call &n) {
  mlir::Value x = n.real("x");
  int64_t axis = n.axisOf("axis", n.rank(x)), count = n.knownSize(x, axis, "channels");
  Type element = n.element(x);
  mlir::Value gamma = scaleOrConstant(n, "gamma", n.flag("scale"), count, element, 1);
  mlir::Value beta = scaleOrConstant(n, "beta", n.flag("center"), count, element, 0);
  mlir::Value mean = n.weight("moving_mean", {count}, n.constantInitializer(0), element, true);
  mlir::Value variance = n.weight("moving_variance", {count}, n.constantInitializer(1), element, true);
  return n.activated(makeLike<train::BatchNormOp>(n, x, gamma, beta, mean, variance, n.b.getI64IntegerAttr(axis),
                                                  n.b.getF64FloatAttr(n.number("momentum")),
                                                  n.b.getF64FloatAttr(n.number("epsilon"))));
}

/// y * gamma + beta along the last axis, as far as they are wanted.
mlir::Value scaleAndCenter(Call &n, mlir::Value y, bool scale, bool center) {
  int64_t count = n.knownSize(y, n.rank(y) - 1, "features");
  if (scale)
    y = n.mul(y, n.weight("gamma", {count}, n.constantInitializer(1), n.element(y)));
  if (center)
    y = n.add(y, n.weight("beta", {count}, n.constantInitializer(0), n.element(y)));
  return y;
}

mlir::Value normalize(Call &n, mlir::Value x, bool uncentered) {
  if (n.rank(x) < 1)
    n.fail("expected at least one axis, but got " + n.elaborator.describe(x), "x");
  return n.make<NormalizeOp>(x, static_cast<uint64_t>(n.rank(x) - 1), llvm::APFloat(n.number("epsilon")), uncentered);
}

Datum layerNorm(Call &n) {
  return scaleAndCenter(n, normalize(n, n.real("x"), false), n.flag("scale"), n.flag("center"));
}

Datum rmsNorm(Call &n) { return scaleAndCenter(n, normalize(n, n.real("x"), true), n.flag("scale"), false); }

/// Every group of channels is normalized over all places: [N, places, groups, channels] with the groups in front.
Datum groupNorm(Call &n) {
  mlir::Value x = n.real("x");
  int64_t rank = n.rank(x), groups = n.integer("groups");
  if (rank < 3)
    n.fail("expected [N, …, channels], but got " + n.elaborator.describe(x), "x");
  int64_t channels = n.knownSize(x, rank - 1, "channels");
  if (channels % groups)
    n.fail("expected " + Twine(channels) + " channels in " + Twine(groups) + " equal groups", "groups");
  Shape shape = n.shape(x);
  Size places = n.sizes.product(ArrayRef(shape).slice(1, rank - 2)), each = n.constantSize(channels / groups);
  mlir::Value y = n.transpose(n.reshape(x, {shape[0], places, n.constantSize(groups), each}), {0, 2, 1, 3});
  y = n.make<NormalizeOp>(y, uint64_t(2), llvm::APFloat(n.number("epsilon")), false);
  y = n.reshape(n.transpose(y, {0, 2, 1, 3}), shape);
  return scaleAndCenter(n, y, n.flag("scale"), n.flag("center"));
}

Datum l2Normalize(Call &n) {
  mlir::Value x = n.real("x");
  Ints axes = n.axes("axis", n.rank(x));
  mlir::Value sum = n.reduce(ReduceKind::sum, n.mul(x, x), axes, true);
  return n.div(x, n.sqrt(n.maximum(sum, n.scalarLike(sum, n.number("epsilon")))));
}

} // namespace

void addNormalizations(Builtins &all) {
  all.family("Normalization and regularization");
  all.add("batch_norm(x: tensor, axis: integer = -1, momentum: fraction = 0.99, epsilon: positive = 0.001, "
          "center: bool = true, scale: bool = true, activation: function|none = none)",
          "Normalizes channels by the batch while it trains, else by the running `moving_mean` and `moving_variance`; "
          "weights `gamma` and `beta`.",
          batchNorm, true);
  all.add("layer_norm(x: tensor, epsilon: positive = 0.001, center: bool = true, scale: bool = true)",
          "Normalizes along the last axis; weights `gamma` and `beta`.", layerNorm, true);
  all.add("rms_norm(x: tensor, epsilon: positive = 0.000001, scale: bool = true)",
          "Divides by the root of the mean square along the last axis; weight `gamma`.", rmsNorm, true);
  all.add(
      "group_norm(x: tensor, groups: count = 32, epsilon: positive = 0.001, center: bool = true, scale: bool = true)",
      "Normalizes groups of channels over all places; weights `gamma` and `beta`.", groupNorm, true);
  all.add("l2_normalize(x: tensor, axis: integers|none = -1, epsilon: positive = 1e-12)",
          "Divides by the Euclidean length along axes.", l2Normalize);
  all.add("dropout(x: tensor, rate: rate)", "Drops elements at random while it trains, and scales the others.",
          dropout);
}

} // namespace mlc::dsl
