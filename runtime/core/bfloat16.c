/* Conversions to bf16, for machines without instructions for them; in a file of their own, because libgcc has those of
 * half.c and may have these. Round to nearest, ties to even. */
#include "runtime/core/float_bits.h"

/* Compilers that know the type on every processor. */
#if defined(__clang__) || __GNUC__ >= 13 || defined(__aarch64__)
__bf16 __truncsfbf2(float value) {
  uint32_t bits = bits_of(value), odd = bits >> 16 & 1u;
  uint16_t rounded = (uint16_t)((bits + 0x7fffu + odd) >> 16);
  if (value != value)
    rounded = (uint16_t)(bits >> 16 | 0x40u); /* NaN stays one */
  __bf16 result;
  memcpy(&result, &rounded, sizeof result);
  return result;
}
__bf16 __truncdfbf2(double value) { return __truncsfbf2(round_to_odd(value)); }
#endif
