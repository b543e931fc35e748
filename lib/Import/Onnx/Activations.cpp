//===- Activations.cpp - activations, made of element-wise ops; the softmax family -------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

constexpr auto lt = CompareDirection::lt, gt = CompareDirection::gt;

Values relu(NodeImporter &n) {
  Value x = n.input(0);
  return {n.maximum(x, n.scalarLike(x, 0))};
}

/// x < 0 ? slope x : x
Value leaky(NodeImporter &n, Value x, Value slope) {
  return n.select(n.compare(lt, x, n.scalarLike(x, 0)), n.mul(x, slope), x);
}
Values leakyRelu(NodeImporter &n) {
  Value x = n.input(0);
  return {leaky(n, x, n.scalarLike(x, n.floatAttr("alpha", 0.01)))};
}
Values prelu(NodeImporter &n) { return {leaky(n, n.input(0), n.input(1))}; }

/// Before opset 7 a slope of rank 1 has one number a channel, or one in all.
Values preluByChannel(NodeImporter &n) {
  Value x = n.input(0), slope = n.input(1);
  if (n.rank(slope) == 1 && n.type(slope).getDimSize(0) != 1 && n.rank(x) > 2) {
    Ints axes;
    for (int64_t i = 1; i < n.rank(x) - 1; ++i)
      axes.push_back(i);
    slope = n.unsqueeze(slope, axes);
  }
  return {leaky(n, x, slope)};
}

/// x < 0 ? alpha (exp(x) - 1) : x
Value elu(NodeImporter &n, Value x, double alpha) {
  Value curve = n.mul(n.scalarLike(x, alpha), n.sub(n.exp(x), n.scalarLike(x, 1)));
  return n.select(n.compare(lt, x, n.scalarLike(x, 0)), curve, x);
}
Values importElu(NodeImporter &n) { return {elu(n, n.input(0), n.floatAttr("alpha", 1.0))}; }
Values selu(NodeImporter &n) {
  Value x = n.input(0);
  double alpha = n.floatAttr("alpha", 1.67326319217681884765625),
         gamma = n.floatAttr("gamma", 1.05070102214813232421875);
  return {n.mul(n.scalarLike(x, gamma), elu(n, x, alpha))};
}
/// max(0, x) + min(0, alpha (exp(x / alpha) - 1))
Values celu(NodeImporter &n) {
  Value x = n.input(0), zero = n.scalarLike(x, 0), alpha = n.scalarLike(x, n.floatAttr("alpha", 1.0));
  Value curve = n.mul(alpha, n.sub(n.exp(n.div(x, alpha)), n.scalarLike(x, 1)));
  return {n.add(n.maximum(x, zero), n.minimum(curve, zero))};
}
Values thresholdedRelu(NodeImporter &n) {
  Value x = n.input(0);
  Value above = n.compare(gt, x, n.scalarLike(x, n.floatAttr("alpha", 1.0)));
  return {n.select(above, x, n.scalarLike(x, 0))};
}

/// max(0, min(1, alpha x + beta))
Value hardSigmoid(NodeImporter &n, Value x, double alpha, double beta) {
  Value line = n.add(n.mul(x, n.scalarLike(x, alpha)), n.scalarLike(x, beta));
  return n.maximum(n.minimum(line, n.scalarLike(x, 1)), n.scalarLike(x, 0));
}
Values importHardSigmoid(NodeImporter &n) {
  return {hardSigmoid(n, n.input(0), n.floatAttr("alpha", 0.2), n.floatAttr("beta", 0.5))};
}
Values hardSwish(NodeImporter &n) {
  Value x = n.input(0);
  return {n.mul(x, hardSigmoid(n, x, 1.0 / 6, 0.5))};
}

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))
Value softplus(NodeImporter &n, Value x) {
  Value tail = n.exp(n.make<NegOp>(n.make<AbsOp>(x)));
  return n.add(n.maximum(x, n.scalarLike(x, 0)), n.make<Log1POp>(tail));
}
Values importSoftplus(NodeImporter &n) { return {softplus(n, n.input(0))}; }
Values softsign(NodeImporter &n) {
  Value x = n.input(0);
  return {n.div(x, n.add(n.scalarLike(x, 1), n.make<AbsOp>(x)))};
}
Values mish(NodeImporter &n) {
  Value x = n.input(0);
  return {n.mul(x, n.make<TanhOp>(softplus(n, x)))};
}
Values swish(NodeImporter &n) {
  Value x = n.input(0);
  return {n.mul(x, n.make<SigmoidOp>(n.mul(x, n.scalarLike(x, n.floatAttr("alpha", 1.0)))))};
}

/// x/2 (1 + erf(x / √2)), or x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
Values gelu(NodeImporter &n) {
  Value x = n.input(0), one = n.scalarLike(x, 1), half = n.scalarLike(x, 0.5), inner;
  std::string approximate = n.stringAttr("approximate", "none");
  if (approximate == "tanh") {
    Value cube = n.mul(n.mul(x, x), x);
    Value sum = n.add(x, n.mul(cube, n.scalarLike(x, 0.044715)));
    inner = n.make<TanhOp>(n.mul(sum, n.scalarLike(x, 0.7978845608028654)));
  } else if (approximate == "none") {
    inner = n.make<ErfOp>(n.mul(x, n.scalarLike(x, 0.7071067811865476)));
  } else {
    n.fail("expected none or tanh, but got '" + approximate + "'", "approximate");
  }
  return {n.mul(n.mul(x, half), n.add(one, inner))};
}

/// x < -lambda: x + bias; x > lambda: x - bias; else 0
Values shrink(NodeImporter &n) {
  Value x = n.input(0);
  double lambda = n.floatAttr("lambd", 0.5), bias = n.floatAttr("bias", 0);
  Type type = n.element(x);
  Value real = n.isFloat(x) ? x : n.cast(x, n.b.getF32Type());
  Value below = n.compare(lt, real, n.scalarLike(real, -lambda)),
        above = n.compare(gt, real, n.scalarLike(real, lambda));
  Value offset = n.scalarLike(real, bias);
  Value result = n.select(below, n.add(real, offset), n.select(above, n.sub(real, offset), n.scalarLike(real, 0)));
  return {n.cast(result, type)};
}

/// Before opset 13 these work on a matrix: the axes before `axis` are its rows, the others its columns.
template <typename Make> Values alongAxis(NodeImporter &n, Make make) {
  Value x = n.input(0);
  bool coerced = n.opset < 13;
  int64_t rank = n.rank(x);
  int64_t axis = n.intAttr("axis", coerced ? 1 : -1);
  if (coerced && axis == rank)
    axis = rank; // a matrix of one column
  else
    axis = n.axis(axis, rank);
  if (!coerced)
    return {make(x, axis)};
  Shape shape = n.shape(x);
  ArrayRef<Size> all(shape);
  Size rows = n.sizes.product(all.take_front(axis)), columns = n.sizes.product(all.drop_front(axis));
  return {n.reshape(make(n.reshape(x, {rows, columns}), 1), shape)};
}

template <bool log> Values softmax(NodeImporter &n) {
  return alongAxis(n, [&](Value x, int64_t axis) { return n.make<SoftmaxOp>(x, static_cast<uint64_t>(axis), log); });
}

/// 1 at the first maximum, else 0
Values hardmax(NodeImporter &n) {
  return alongAxis(n, [&](Value x, int64_t axis) {
    Value place = n.make<ArgReduceOp>(ReduceKind::max, x, static_cast<uint64_t>(axis), true, false);
    Value places = n.iota(axis, n.shape(x), n.b.getI64Type());
    return n.cast(n.compare(CompareDirection::eq, places, place), n.element(x));
  });
}

} // namespace

void registerActivations(Registry &r) {
  r.add("Relu", 6, relu);
  r.add("LeakyRelu", 6, leakyRelu);
  r.add("PRelu", 6, preluByChannel);
  r.add("PRelu", 7, prelu);
  r.add("Elu", 6, importElu);
  r.add("Selu", 6, selu);
  r.add("Celu", 12, celu);
  r.add("ThresholdedRelu", 1, thresholdedRelu);
  r.add("HardSigmoid", 6, importHardSigmoid);
  r.add("HardSwish", 14, hardSwish);
  r.add("Softplus", 1, importSoftplus);
  r.add("Softsign", 1, softsign);
  r.add("Mish", 18, mish);
  r.add("Swish", 24, swish);
  r.add("Gelu", 20, gelu);
  r.add("Shrink", 9, shrink);
  r.add("Softmax", 1, softmax<false>);
  r.add("LogSoftmax", 1, softmax<true>);
  r.add("Hardmax", 1, hardmax);
}

} // namespace mlc::onnximport
