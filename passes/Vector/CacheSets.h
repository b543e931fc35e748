//===- CacheSets.h - which rows push each other out of a cache ---------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_CACHESETS_H
#define MLC_PASSES_VECTOR_CACHESETS_H

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace mlc {

/// Ways that caches mostly have, and bytes of a line.
constexpr int64_t kCacheWays = 8, kCacheLine = 64;

/// Rows, a line of each, that a cache of `bytes` keeps where they are `stride` bytes apart: multiples of powers of two
/// meet in a few of its sets.
inline int64_t rowsThatStay(int64_t stride, int64_t bytes) {
  int64_t way = bytes / kCacheWays;
  return kCacheWays * (way / std::max(std::gcd(stride, way), std::min(kCacheLine, way)));
}

/// Whether rows lie in two sets of the first cache or one, because half a way divides what is between them.
inline bool shareSets(int64_t stride, int64_t l1Bytes) { return rowsThatStay(stride, l1Bytes) <= 2 * kCacheWays; }

} // namespace mlc

#endif
