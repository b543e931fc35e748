//===- Permutation.h - the order of the samples of an epoch ------------------------------------------ -*- C++ -*-===//
//
// A Feistel network over the next power of four, walked along its cycle until the place is inside (Black and Rogaway:
// Ciphers with arbitrary finite domains. 2002): place i of any epoch costs some nanoseconds, and no memory, so a run
// that is resumed in the middle of an epoch needs the seed and the epoch alone.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_TRAIN_PERMUTATION_H
#define MLC_RUNTIME_TRAIN_PERMUTATION_H

#include "runtime/train/Philox.h"

namespace mlc::train {

/// A permutation of [0, count) that is chosen by (seed, epoch).
class Permutation final {
public:
  Permutation(uint64_t count, uint64_t seed, uint64_t epoch) : count(count), seed(seed), epoch(epoch) {
    while (half < 32 && (uint64_t(1) << (2 * half)) < count)
      ++half;
  }

  uint64_t operator()(uint64_t place) const {
    do
      place = once(place);
    while (place >= count);
    return place;
  }

private:
  uint64_t once(uint64_t place) const {
    uint32_t mask = half == 32 ? ~uint32_t(0) : (uint32_t(1) << half) - 1;
    uint32_t left = static_cast<uint32_t>(place >> half) & mask, right = static_cast<uint32_t>(place) & mask;
    for (uint32_t round = 0; round < 6; ++round) {
      std::array<uint32_t, 4> words =
          philox({right, round, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
      uint32_t next = left ^ (words[0] & mask);
      left = right;
      right = next;
    }
    return uint64_t(left) << half | right;
  }

  uint64_t count, seed, epoch;
  unsigned half = 1;
};

} // namespace mlc::train

#endif
