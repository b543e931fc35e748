/* What one core can compute at most: chains of independent multiply-adds in registers.
 *
 * Each line `TYPE SECONDS` on standard input (TYPE: f32, bf16 or int8) is answered by `BEST MEAN`, 10^9 operations a
 * second, a multiply-add being two. BEST, over slices of about 50 us, is the peak; MEAN, over all the time, falls when
 * another process takes the core. Both are 0 for a type that the processor has no instruction for. `isa` is answered by
 * the instruction set. The matrix units (AMX) are not measured. */
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef void (*Kernel)(long iterations);

/* One slice of work: a kernel and the operations of one iteration of it. */
struct Probe {
  Kernel kernel;
  double operations;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* An instruction takes 4 to 6 cycles and two start in each, so 12 chains keep both units busy and leave AVX2's 16
 * registers room. */
#define CHAINS 12
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* Body of a kernel: the chains a0 to a11. The empty assembly keeps the compiler from dropping or merging steps. */
#define DECLARE(i) VECTOR a##i = start;
#define STEP(i)                                                                                                        \
  a##i = OPERATION(a##i);                                                                                              \
  __asm__ volatile("" : "+v"(a##i));
#define BODY                                                                                                           \
  EACH(DECLARE)                                                                                                        \
  for (long k = 0; k < iterations; ++k) {                                                                              \
    EACH(STEP)                                                                                                         \
  }

#define VECTOR __m512
#define OPERATION(a) _mm512_fmadd_ps(a, x, y)
__attribute__((target("avx512f"))) static void f32Avx512(long iterations) {
  __m512 start = _mm512_set1_ps(1.0f), x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  BODY
}
#undef OPERATION
#define OPERATION(a) _mm512_dpbf16_ps(a, x, x)
__attribute__((target("avx512f,avx512bf16"))) static void bf16Avx512(long iterations) {
  __m512 start = _mm512_set1_ps(1.0f);
  __m512bh x = _mm512_cvtne2ps_pbh(start, start);
  BODY
}
#undef OPERATION
#undef VECTOR

#define VECTOR __m512i
#define OPERATION(a) _mm512_dpbusd_epi32(a, x, x)
__attribute__((target("avx512f,avx512vnni"))) static void int8Avx512(long iterations) {
  __m512i start = _mm512_set1_epi32(1), x = _mm512_set1_epi32(0x01010101);
  BODY
}
#undef OPERATION
#undef VECTOR

#define VECTOR __m256
#define OPERATION(a) _mm256_fmadd_ps(a, x, y)
__attribute__((target("avx2,fma"))) static void f32Avx2(long iterations) {
  __m256 start = _mm256_set1_ps(1.0f), x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  BODY
}
#undef OPERATION
#undef VECTOR

#define VECTOR __m256i
#define OPERATION(a) _mm256_dpbusd_avx_epi32(a, x, x)
__attribute__((target("avx2,avxvnni"))) static void int8AvxVnni(long iterations) {
  __m256i start = _mm256_set1_epi32(1), x = _mm256_set1_epi32(0x01010101);
  BODY
}

/* Leaf 7, subleaf 1, register EAX: bit 4 AVX-VNNI, bit 5 AVX512-BF16. */
static int leaf7(int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> bit & 1);
}

static const char *isa(void) {
  if (__builtin_cpu_supports("avx512f"))
    return "avx512";
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "none";
}

static struct Probe choose(const char *type) {
  int wide = !strcmp(isa(), "avx512"), narrow = !strcmp(isa(), "avx2");
  if (!strcmp(type, "f32") && wide)
    return (struct Probe){f32Avx512, CHAINS * 16 * 2};
  if (!strcmp(type, "f32") && narrow)
    return (struct Probe){f32Avx2, CHAINS * 8 * 2};
  if (!strcmp(type, "bf16") && wide && leaf7(5))
    return (struct Probe){bf16Avx512, CHAINS * 32 * 2};
  if (!strcmp(type, "int8") && wide && __builtin_cpu_supports("avx512vnni"))
    return (struct Probe){int8Avx512, CHAINS * 64 * 2};
  if (!strcmp(type, "int8") && narrow && leaf7(4))
    return (struct Probe){int8AvxVnni, CHAINS * 32 * 2};
  return (struct Probe){NULL, 0};
}

#else

static const char *isa(void) { return "none"; }
static struct Probe choose(const char *type) { return (void)type, (struct Probe){NULL, 0}; }

#endif

static void answer(const char *type, double seconds) {
  const long iterations = 30000;
  struct Probe probe = choose(type);
  double best = 0, slices = 0, start = now(), end = start;
  while (probe.kernel && end - start < seconds) {
    double begin = now();
    probe.kernel(iterations);
    end = now();
    double rate = iterations * probe.operations / (end - begin) * 1e-9;
    best = rate > best ? rate : best;
    ++slices;
  }
  printf("%.2f %.2f\n", best, slices ? slices * iterations * probe.operations / (end - start) * 1e-9 : 0.0);
}

int main(void) {
  char line[64], type[16];
  double seconds;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%15s %lf", type, &seconds) == 2)
      answer(type, seconds);
    else
      puts(isa());
    fflush(stdout);
  }
  return 0;
}
