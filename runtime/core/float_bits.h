/* Arithmetic on the bits of floats, for the conversions of half.c and bfloat16.c. */
#ifndef MLC_RUNTIME_CORE_FLOATBITS_H
#define MLC_RUNTIME_CORE_FLOATBITS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* A double loses precision in two steps; rounding to odd first keeps the second step exact. */
static inline float round_to_odd(double value) {
  float near = (float)value;
  if ((double)near == value || near != near || near - near != 0)
    return near;
  uint32_t bits = bits_of(near);
  double back = near;
  int away = value > 0 ? back > value : back < value;
  if (away)
    bits -= 1;
  return float_of(bits | 1u);
}

#endif
