//===- WeightEvaluation.h - weights that are computed from others -----------------------------------------*- C++
//-*--===//
#ifndef MLC_LIB_SUPPORT_WEIGHTEVALUATION_H
#define MLC_LIB_SUPPORT_WEIGHTEVALUATION_H

#include "dialects/Graph/GraphDialect.h"
#include "lib/Support/WeightStore.h"

namespace mlc {

/// Bytes that `owner` holds; without one they are the store's, or lie in an attribute.
struct WeightBytes {
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<std::vector<char>> owner;
};

/// The bytes of `parameter`: those in `weights`, or what its body or its attribute `kernel.pack` computes from other
/// parameters. Of a body only the values that a later op still reads are in memory; permutations, expansions and slices
/// are views until someone needs their order.
WeightBytes evaluateWeight(graph::ParameterOp parameter, const WeightStore &weights);

} // namespace mlc

#endif
