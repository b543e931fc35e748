//===- CacheSets.h - which rows push each other out of a cache ---------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_CACHESETS_H
#define MLC_PASSES_VECTOR_CACHESETS_H

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>

namespace mlc {

/// Bytes of a line, and the ways that a cache has at least: 8 mostly, and as many more as make the sets a power of two
/// (12 of 4 KiB in a first cache of 48 KiB).
constexpr int64_t kCacheLine = 64, kLeastCacheWays = 8;

/// Bytes of a way, and so the distance from which on lines are in the same set again.
inline int64_t bytesOfWay(int64_t bytes) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::max(bytes / kLeastCacheWays, kCacheLine))));
}

/// Rows, a line of each, that a cache of `bytes` keeps where they are `stride` bytes apart: multiples of powers of two
/// meet in a few of its sets.
inline int64_t rowsThatStay(int64_t stride, int64_t bytes) {
  int64_t way = bytesOfWay(bytes);
  return bytes / way * (way / std::max(std::gcd(stride, way), kCacheLine));
}

/// Whether rows lie in two sets of the first cache or one, because half a way divides what is between them.
inline bool shareSets(int64_t stride, int64_t l1Bytes) { return stride % (bytesOfWay(l1Bytes) / 2) == 0; }

} // namespace mlc

#endif
