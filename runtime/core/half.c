/* Conversions of half-precision floats, for machines without instructions for them; the names are those that LLVM
 * calls. Written on bits: nothing here may compile to a call of itself. Round to nearest, ties to even. */
#include "runtime/core/float_bits.h"

static uint16_t half_bits(float value) {
  uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu)); /* NaN stays one */
  if (magnitude >= 0x477ff000u)
    return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
  if (magnitude < 0x38800000u) {       /* subnormal: let the addition round */
    float sum = float_of(magnitude) + 0.5f;
    return (uint16_t)(sign | (bits_of(sum) - 0x3f000000u));
  }
  uint32_t odd = magnitude >> 13 & 1u;
  return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

static float half_value(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, mantissa = half & 0x3ffu;
  if (exponent == 31)
    return float_of(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    float value = (float)mantissa * 0x1p-24f;
    return float_of(sign | bits_of(value));
  }
  return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

_Float16 __truncsfhf2(float value) {
  uint16_t bits = half_bits(value);
  _Float16 half;
  memcpy(&half, &bits, sizeof half);
  return half;
}
_Float16 __truncdfhf2(double value) { return __truncsfhf2(round_to_odd(value)); }
float __extendhfsf2(_Float16 half) {
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return half_value(bits);
}
