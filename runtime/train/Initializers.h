//===- Initializers.h - weights before the first step ------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_INITIALIZERS_H
#define MLC_RUNTIME_TRAIN_INITIALIZERS_H

#include <cstdint>
#include <string>
#include <vector>

namespace mlc::train {

/// Fills the tensor `name` of `sizes` as `initializer` says, a JSON object with "kind" (zeros, ones, constant{value},
/// uniform{low, high}, normal{mean, stddev}, truncated_normal{mean, stddev}, glorot_uniform, glorot_normal, he_uniform,
/// he_normal, lecun_uniform, lecun_normal (with fan_in and fan_out), orthogonal{gain}, identity{gain}) and its numbers;
/// defaults are Keras's. Element i depends on (seed, name, i) alone. Throws std::invalid_argument for anything else.
void initialize(const std::string &initializer, const std::string &name, uint64_t seed,
                const std::vector<int64_t> &sizes, float *elements);

} // namespace mlc::train

#endif
