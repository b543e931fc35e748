//===- Activations.h - activations that are made of element-wise ops ----------------------------------*- C++ -*-===//
#ifndef MLC_DIALECTS_GRAPH_ACTIVATIONS_H
#define MLC_DIALECTS_GRAPH_ACTIVATIONS_H

#include "dialects/Graph/GraphBuilder.h"

namespace mlc::graph {

/// max(x, 0)
mlir::Value relu(GraphBuilder &n, mlir::Value x);
/// x < 0 ? slope x : x
mlir::Value leaky(GraphBuilder &n, mlir::Value x, mlir::Value slope);
/// x < 0 ? alpha (exp(x) - 1) : x
mlir::Value elu(GraphBuilder &n, mlir::Value x, double alpha);
/// max(0, min(1, alpha x + beta))
mlir::Value hardSigmoid(GraphBuilder &n, mlir::Value x, double alpha, double beta);
/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))
mlir::Value softplus(GraphBuilder &n, mlir::Value x);
/// x / (1 + |x|)
mlir::Value softsign(GraphBuilder &n, mlir::Value x);
/// x tanh(softplus(x))
mlir::Value mish(GraphBuilder &n, mlir::Value x);
/// x/2 (1 + erf(x / √2)), or approximately x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
mlir::Value gelu(GraphBuilder &n, mlir::Value x, bool approximate);

} // namespace mlc::graph

#endif
