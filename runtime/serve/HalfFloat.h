//===- HalfFloat.h - the 16-bit floats and float ------------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_HALFFLOAT_H
#define MLC_RUNTIME_SERVE_HALFFLOAT_H

#include <bit>
#include <cstdint>

namespace mlc::serve {

inline float fromFloat16(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }
inline uint16_t toFloat16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

inline float fromBfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
/// Rounds to nearest, ties to even.
inline uint16_t toBfloat16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) // a NaN must not become infinite
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

} // namespace mlc::serve

#endif
