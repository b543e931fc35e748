//===- Philox.h - random numbers from a counter ------------------------------------------------------ -*- C++ -*-===//
//
// Philox4x32-10 (Salmon, Moraes, Dror and Shaw: Parallel random numbers: as easy as 1, 2, 3. 2011): a number depends on
// a key and a position alone, so nothing has to be kept, and any part can be drawn by any thread.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_TRAIN_PHILOX_H
#define MLC_RUNTIME_TRAIN_PHILOX_H

#include <array>
#include <cstdint>

namespace mlc::train {

/// The four words at `counter` under `key`.
inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t first = uint64_t(0xD2511F53) * counter[0], second = uint64_t(0xCD9E8D57) * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The four words of block `block` in the stream `stream` of `seed`.
inline std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t block) {
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(stream),
                 static_cast<uint32_t>(stream >> 32)},
                {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

/// A double in (0, 1) from a word: never an end, so that logarithms and quantiles are finite.
inline double openUnit(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

} // namespace mlc::train

#endif
