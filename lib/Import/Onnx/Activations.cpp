//===- Activations.cpp - activations, made of element-wise ops; the softmax family -------------------------------===//
#include "dialects/Graph/Activations.h"
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

constexpr auto lt = CompareDirection::lt, gt = CompareDirection::gt;

Values importRelu(NodeImporter &n) { return {relu(n, n.input(0))}; }
Values importLeakyRelu(NodeImporter &n) {
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

Values importHardSigmoid(NodeImporter &n) {
  return {hardSigmoid(n, n.input(0), n.floatAttr("alpha", 0.2), n.floatAttr("beta", 0.5))};
}
Values hardSwish(NodeImporter &n) {
  Value x = n.input(0);
  return {n.mul(x, hardSigmoid(n, x, 1.0 / 6, 0.5))};
}

Values importSoftplus(NodeImporter &n) { return {softplus(n, n.input(0))}; }
Values importSoftsign(NodeImporter &n) { return {softsign(n, n.input(0))}; }
Values importMish(NodeImporter &n) { return {mish(n, n.input(0))}; }
Values swish(NodeImporter &n) {
  Value x = n.input(0);
  return {n.mul(x, n.make<SigmoidOp>(n.mul(x, n.scalarLike(x, n.floatAttr("alpha", 1.0)))))};
}

Values importGelu(NodeImporter &n) {
  std::string approximate = n.stringAttr("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    n.fail("expected none or tanh, but got '" + approximate + "'", "approximate");
  return {gelu(n, n.input(0), approximate == "tanh")};
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
  r.add("Relu", 6, importRelu);
  r.add("LeakyRelu", 6, importLeakyRelu);
  r.add("PRelu", 6, preluByChannel);
  r.add("PRelu", 7, prelu);
  r.add("Elu", 6, importElu);
  r.add("Selu", 6, selu);
  r.add("Celu", 12, celu);
  r.add("ThresholdedRelu", 1, thresholdedRelu);
  r.add("HardSigmoid", 6, importHardSigmoid);
  r.add("HardSwish", 14, hardSwish);
  r.add("Softplus", 1, importSoftplus);
  r.add("Softsign", 1, importSoftsign);
  r.add("Mish", 18, importMish);
  r.add("Swish", 24, swish);
  r.add("Gelu", 20, importGelu);
  r.add("Shrink", 9, shrink);
  r.add("Softmax", 1, softmax<false>);
  r.add("LogSoftmax", 1, softmax<true>);
  r.add("Hardmax", 1, hardmax);
}

} // namespace mlc::onnximport
