/* The choice of code for the processor that the library is loaded on: what `mlc-opt --mcpu=multi` compiles. */
#include "runtime/core/context.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* The highest level that the processor and the system have: 0 below v2, then 2, 3, 4. CPUID itself is asked, because
 * __builtin_cpu_supports needs a library of the compiler. */
static int supported_level(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  const unsigned v2 = bit_SSE3 | bit_SSSE3 | bit_CMPXCHG16B | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT;
  if ((c & v2) != v2)
    return 0;
  const unsigned v3 = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C;
  if ((c & v3) != v3)
    return 2;
  unsigned saved, high; /* registers that the system saves */
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  unsigned extended;
  if ((saved & 0x06) != 0x06 || !__get_cpuid(0x80000001, &a, &b, &extended, &d) || !(extended & bit_LZCNT) ||
      !__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return 2;
  const unsigned avx2 = bit_AVX2 | bit_BMI | bit_BMI2;
  if ((b & avx2) != avx2)
    return 2;
  const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  return (saved & 0xe6) == 0xe6 && (b & avx512) == avx512 && (c & bit_AVX512VNNI) ? 4 : 3;
}
#else
static int supported_level(void) { return 0; }
#endif

mlc_status mlc_rt_create_multi(const mlc_model_info *const *levels, const mlc_options *options, mlc_model **model) {
  const char *name = levels[0]->api->name;
  const char *wanted = getenv("MLC_CPU_LEVEL");
  int has = supported_level(), level = has;
  *model = NULL;
  if (has == 0)
    return mlc_status_make(MLC_FAILED_PRECONDITION, "%s: expected a processor of at least x86-64-v2", name);
  if (wanted && *wanted) {
    if (wanted[0] != 'v' || !wanted[1] || !strchr("234", wanted[1]) || wanted[2])
      return mlc_status_make(MLC_INVALID_ARGUMENT, "%s: expected MLC_CPU_LEVEL of v2, v3 or v4, but got '%s'", name,
                             wanted);
    level = wanted[1] - '0';
    if (level > has)
      return mlc_status_make(MLC_FAILED_PRECONDITION, "%s: MLC_CPU_LEVEL asks for v%d, but this processor has only v%d",
                             name, level, has);
  }
  return mlc_rt_create(levels[level - 2], options, model);
}
