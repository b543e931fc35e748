//===- Activations.cpp - activations that are made of element-wise ops -------------------------------------------===//
#include "dialects/Graph/Activations.h"

using namespace mlir;

namespace mlc::graph {

Value relu(GraphBuilder &n, Value x) { return n.maximum(x, n.scalarLike(x, 0)); }

Value leaky(GraphBuilder &n, Value x, Value slope) {
  return n.select(n.compare(CompareDirection::lt, x, n.scalarLike(x, 0)), n.mul(x, slope), x);
}

Value elu(GraphBuilder &n, Value x, double alpha) {
  Value curve = n.mul(n.scalarLike(x, alpha), n.sub(n.exp(x), n.scalarLike(x, 1)));
  return n.select(n.compare(CompareDirection::lt, x, n.scalarLike(x, 0)), curve, x);
}

Value hardSigmoid(GraphBuilder &n, Value x, double alpha, double beta) {
  Value line = n.add(n.mul(x, n.scalarLike(x, alpha)), n.scalarLike(x, beta));
  return n.maximum(n.minimum(line, n.scalarLike(x, 1)), n.scalarLike(x, 0));
}

Value softplus(GraphBuilder &n, Value x) {
  Value tail = n.exp(n.make<NegOp>(n.make<AbsOp>(x)));
  return n.add(n.maximum(x, n.scalarLike(x, 0)), n.make<Log1POp>(tail));
}

Value softsign(GraphBuilder &n, Value x) { return n.div(x, n.add(n.scalarLike(x, 1), n.make<AbsOp>(x))); }

Value mish(GraphBuilder &n, Value x) { return n.mul(x, n.make<TanhOp>(softplus(n, x))); }

Value gelu(GraphBuilder &n, Value x, bool approximate) {
  Value one = n.scalarLike(x, 1), half = n.scalarLike(x, 0.5), inner;
  if (approximate) {
    Value cube = n.mul(n.mul(x, x), x);
    Value sum = n.add(x, n.mul(cube, n.scalarLike(x, 0.044715)));
    inner = n.make<TanhOp>(n.mul(sum, n.scalarLike(x, 0.7978845608028654)));
  } else {
    inner = n.make<ErfOp>(n.mul(x, n.scalarLike(x, 0.7071067811865476)));
  }
  return n.mul(n.mul(x, half), n.add(one, inner));
}

} // namespace mlc::graph
