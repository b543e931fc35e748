//===- Activations.cpp - activations -----------------------------------------------------------------------------===//
#include "dialects/Graph/Activations.h"
#include "lib/Import/Dsl/Elaborator.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::dsl {

namespace {

template <mlir::Value (*function)(GraphBuilder &, mlir::Value)> Datum apply(Call &n) {
  return function(n, n.real("x"));
}

Datum geluOf(Call &n) { return gelu(n, n.real("x"), n.flag("approximate")); }
Datum leakyRelu(Call &n) {
  mlir::Value x = n.real("x");
  return leaky(n, x, n.scalarLike(x, n.number("slope")));
}
Datum eluOf(Call &n) { return elu(n, n.real("x"), n.number("alpha")); }
Datum prelu(Call &n) {
  mlir::Value x = n.real("x");
  int64_t channels = n.knownSize(x, n.rank(x) - 1, "channels");
  return leaky(n, x, n.weight("alpha", {channels}, "init", n.element(x)));
}

mlir::Value selu(GraphBuilder &n, mlir::Value x) {
  return n.mul(n.scalarLike(x, 1.05070102214813232421875), elu(n, x, 1.67326319217681884765625));
}
mlir::Value sigmoid(GraphBuilder &n, mlir::Value x) { return n.make<SigmoidOp>(x); }
mlir::Value tanh(GraphBuilder &n, mlir::Value x) { return n.make<TanhOp>(x); }
mlir::Value silu(GraphBuilder &n, mlir::Value x) { return n.mul(x, n.make<SigmoidOp>(x)); }
mlir::Value relu6(GraphBuilder &n, mlir::Value x) { return n.minimum(relu(n, x), n.scalarLike(x, 6)); }
mlir::Value sixth(GraphBuilder &n, mlir::Value x) { return hardSigmoid(n, x, 1.0 / 6, 0.5); }
mlir::Value hardSilu(GraphBuilder &n, mlir::Value x) { return n.mul(x, sixth(n, x)); }
mlir::Value hardTanh(GraphBuilder &n, mlir::Value x) {
  return n.maximum(n.minimum(x, n.scalarLike(x, 1)), n.scalarLike(x, -1));
}
mlir::Value linear(GraphBuilder &, mlir::Value x) { return x; }

template <bool log> Datum softmax(Call &n) {
  mlir::Value x = n.real("x");
  return n.make<SoftmaxOp>(x, static_cast<uint64_t>(n.axisOf("axis", n.rank(x))), log);
}

} // namespace

void addActivations(Builtins &all) {
  all.family("Activations");
  all.add("relu(x: tensor)", "max(x, 0)", apply<relu>);
  all.add("relu6(x: tensor)", "min(max(x, 0), 6)", apply<relu6>);
  all.add("leaky_relu(x: tensor, slope: number = 0.3)", "x where it is positive, else slope * x", leakyRelu);
  all.add("prelu(x: tensor, init: initializer = zeros)", "leaky_relu whose slope is a weight `alpha`, one a channel",
          prelu, true);
  all.add("elu(x: tensor, alpha: number = 1)", "x where it is positive, else alpha * (exp(x) - 1)", eluOf);
  all.add("selu(x: tensor)", "elu, scaled so that it keeps mean and variance", apply<selu>);
  all.add("gelu(x: tensor, approximate: bool = false)", "x times the normal distribution at x", geluOf);
  all.add("silu(x: tensor)", "x * sigmoid(x)", apply<silu>);
  all.add("swish(x: tensor)", "Another name of silu.", apply<silu>);
  all.add("mish(x: tensor)", "x * tanh(softplus(x))", apply<mish>);
  all.add("softplus(x: tensor)", "log(1 + exp(x))", apply<softplus>);
  all.add("softsign(x: tensor)", "x / (1 + |x|)", apply<softsign>);
  all.add("sigmoid(x: tensor)", "1 / (1 + exp(-x))", apply<sigmoid>);
  all.add("tanh(x: tensor)", "The hyperbolic tangent.", apply<tanh>);
  all.add("hard_sigmoid(x: tensor)", "min(max(x / 6 + 1/2, 0), 1)", apply<sixth>);
  all.add("hard_silu(x: tensor)", "x * hard_sigmoid(x)", apply<hardSilu>);
  all.add("hard_swish(x: tensor)", "Another name of hard_silu.", apply<hardSilu>);
  all.add("hard_tanh(x: tensor)", "min(max(x, -1), 1)", apply<hardTanh>);
  all.add("linear(x: tensor)", "x", apply<linear>);
  all.add("softmax(x: tensor, axis: integer = -1)", "exp(x), divided by its sum along an axis", softmax<false>);
  all.add("log_softmax(x: tensor, axis: integer = -1)", "The logarithm of softmax.", softmax<true>);
}

} // namespace mlc::dsl
