/* Conversions to bf16, for machines without instructions for them; in a file of their own, because libgcc has those of
 * half.c and may have these. Round to nearest, ties to even. */
#include <stdint.h>
#include <string.h>

/* Compilers that know the type on every processor. */
#if defined(__clang__) || __GNUC__ >= 13 || defined(__aarch64__)
__bf16 __truncsfbf2(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t odd = bits >> 16 & 1u;
  uint16_t rounded = (uint16_t)((bits + 0x7fffu + odd) >> 16);
  if (value != value)
    rounded = (uint16_t)(bits >> 16 | 0x40u); /* NaN stays one */
  __bf16 result;
  memcpy(&result, &rounded, sizeof result);
  return result;
}
/* A double loses precision in two steps; rounding to odd first keeps the second step exact. */
__bf16 __truncdfbf2(double value) {
  float near = (float)value;
  double back = near;
  if (back != value && near == near && near - near == 0) {
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    if (value > 0 ? back > value : back < value)
      bits -= 1; /* towards zero */
    bits |= 1u;
    memcpy(&near, &bits, sizeof near);
  }
  return __truncsfbf2(near);
}
#endif
