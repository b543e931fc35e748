//===- State.h - the weights and what training keeps ------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_STATE_H
#define MLC_RUNTIME_TRAIN_STATE_H

#include "mlc/abi.h"
#include "runtime/train/Array.h"

#include <string>
#include <utility>
#include <vector>

namespace mlc::train {

/// The block of memory that all entries of a program work on, and its tensors by name.
class State final {
public:
  /// Filled with the program's own bytes, by initializers from `seed`, or by zeros; averages begin as their parameters.
  State(const mlc_train_info &info, uint64_t seed);

  void *memory() { return block.get(); }
  uint32_t size() const { return info.num_states; }
  const mlc_state_info &operator[](uint32_t i) const { return info.states[i]; }
  char *data(uint32_t i) { return block.get() + info.states[i].offset; }
  uint64_t bytes(uint32_t i) const;
  std::vector<int64_t> sizes(uint32_t i) const;

  /// The tensors of `role`, of f32 (a bug otherwise), as pointers and counts.
  std::vector<std::pair<float *, uint64_t>> floats(uint32_t role);

  /// The index of the average of parameter `i`, or -1.
  int64_t averageOf(uint32_t i) const;

  /// The first weight that holds a NaN or an infinity, or an empty string.
  std::string firstNotFinite();

  /// What inference needs: parameters, frozen weights and statistics; a parameter with an average gives that.
  std::vector<std::pair<std::string, Array>> weights();

  /// Whether a tensor of `role` is one of those.
  static bool isWeight(uint32_t role) {
    return role == MLC_STATE_PARAMETER || role == MLC_STATE_FROZEN || role == MLC_STATE_STATISTIC;
  }

  /// Averages become what their parameters are.
  void resetAverages();

private:
  const mlc_train_info &info;
  std::unique_ptr<char, void (*)(void *)> block;
};

/// While it lives, parameters that have an average are that.
class AveragedWeights final {
public:
  explicit AveragedWeights(State &state);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights &) = delete;
  AveragedWeights &operator=(const AveragedWeights &) = delete;

private:
  State &state;
  std::vector<std::pair<uint32_t, std::vector<char>>> kept;
};

} // namespace mlc::train

#endif
