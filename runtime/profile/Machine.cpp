//===- Machine.cpp - what the machine can do at most -------------------------------------------------------------===//
//
// Independent chains of multiply-adds fill the pipelines of every unit; the widest instructions that the processor has
// are chosen at run time. Memory: the triad of the STREAM benchmark (McCalpin, 1995), the best of some passes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/profile/Machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <unistd.h>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlc {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// More chains than latency times units of any processor of today, within its registers.
constexpr int kChains = 12;

/// Keeps a result that nobody needs.
volatile float sink;

#if defined(__x86_64__)
/// `rounds` times one multiply-add a chain; the number of f32 operations.
__attribute__((target("avx512f"))) double chainAvx512(long rounds) {
  __m512 x[kChains], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i)
    x[i] = _mm512_set1_ps(static_cast<float>(i));
  for (long round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i)
      x[i] = _mm512_fmadd_ps(x[i], a, b);
  __m512 sum = x[0];
  for (int i = 1; i < kChains; ++i)
    sum = _mm512_add_ps(sum, x[i]);
  sink = _mm512_cvtss_f32(sum);
  return 2.0 * 16 * kChains * static_cast<double>(rounds);
}

__attribute__((target("avx2,fma"))) double chainAvx2(long rounds) {
  __m256 x[kChains], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int i = 0; i < kChains; ++i)
    x[i] = _mm256_set1_ps(static_cast<float>(i));
  for (long round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i)
      x[i] = _mm256_fmadd_ps(x[i], a, b);
  __m256 sum = x[0];
  for (int i = 1; i < kChains; ++i)
    sum = _mm256_add_ps(sum, x[i]);
  sink = _mm256_cvtss_f32(sum);
  return 2.0 * 8 * kChains * static_cast<double>(rounds);
}
#endif

/// Vectors of 16 bytes, which every processor that mlc knows has.
double chainBaseline(long rounds) {
  typedef float Vector __attribute__((vector_size(16)));
  Vector x[kChains], a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {0.001f, 0.001f, 0.001f, 0.001f};
  for (int i = 0; i < kChains; ++i)
    x[i] = Vector{static_cast<float>(i), 1, 2, 3};
  for (long round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i)
      x[i] = x[i] * a + b;
  Vector sum = x[0];
  for (int i = 1; i < kChains; ++i)
    sum += x[i];
  sink = sum[0];
  return 2.0 * 4 * kChains * static_cast<double>(rounds);
}

/// The best of some passes of `work`, which gives what one thread has done, on `threads` threads at one time.
double bestRate(int threads, int passes, bool isShared, const std::function<double(int thread)> &work) {
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) {
    std::atomic<int> waiting{threads};
    std::vector<double> amounts(static_cast<size_t>(threads)), times(amounts);
    auto body = [&](int thread) {
      --waiting;
      while (waiting.load() > 0) // all start together
        std::this_thread::yield();
      auto start = Clock::now();
      amounts[static_cast<size_t>(thread)] = work(thread);
      times[static_cast<size_t>(thread)] = since(start);
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads; ++thread)
      others.emplace_back(body, thread);
    body(0);
    for (std::thread &other : others)
      other.join();
    // What threads share goes by the last to end: alone, a thread has it for itself.
    double rate = 0, longest = *std::max_element(times.begin(), times.end());
    for (int thread = 0; thread < threads; ++thread)
      rate += amounts[static_cast<size_t>(thread)] / (isShared ? longest : times[static_cast<size_t>(thread)]);
    best = std::max(best, rate);
  }
  return best;
}

} // namespace

MachinePeak measurePeak(int threads) {
  MachinePeak peak;
  double (*chain)(long) = chainBaseline;
  peak.isa = "128-bit vectors";
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    chain = chainAvx512;
    peak.isa = "AVX-512";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    chain = chainAvx2;
    peak.isa = "AVX2 and FMA";
  }
#endif
  auto start = Clock::now();
  long rounds = 1 << 16;
  chain(rounds); // the clock of the processor rises
  for (chain(rounds); since(start) < 0.02;)
    chain(rounds);
  start = Clock::now();
  chain(rounds);
  rounds = static_cast<long>(static_cast<double>(rounds) * std::max(1.0, 0.01 / std::max(1e-6, since(start))));
  peak.flops = bestRate(threads, 8, /*isShared=*/false, [&](int) { return chain(rounds); });

  // Twice the last cache, for all three arrays together.
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  size_t bytes = std::clamp<size_t>(2 * static_cast<size_t>(std::max(0L, cache)), size_t(96) << 20, size_t(768) << 20);
  size_t count = bytes / 3 / sizeof(float), part = count / static_cast<size_t>(threads);
  std::vector<float> a(count, 1), b(count, 2), c(count, 3);
  peak.bytes = bestRate(threads, 8, /*isShared=*/true, [&](int thread) {
    size_t begin = part * static_cast<size_t>(thread);
    float *to = &a[begin];
    const float *from = &b[begin], *other = &c[begin];
    for (size_t i = 0; i < part; ++i)
      to[i] = from[i] + 0.5f * other[i];
    sink = to[part / 2];
    return 3.0 * sizeof(float) * static_cast<double>(part);
  });
  return peak;
}

} // namespace mlc
