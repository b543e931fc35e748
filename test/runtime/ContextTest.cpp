//===- ContextTest.cpp - contexts, statuses and the pool of the runtime ------------------------------------------===//
//
// The model is written by hand: y[N] = 2 x[N], and a second output that is computed: the first `k` elements of x.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "mlc/abi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

int64_t xSizes[] = {MLC_DYNAMIC_SIZE}, kSizes[] = {1}, computedSizes[] = {MLC_DYNAMIC_SIZE};
int32_t xSymbols[] = {0}, kSymbols[] = {-1}, computedSymbols[] = {-1};
mlc_tensor_info inputs[] = {
    {"x", xSizes, xSymbols, MLC_F32, 1}, {"z", xSizes, xSymbols, MLC_F32, 1}, {"k", kSizes, kSymbols, MLC_I64, 1}};
mlc_tensor_info outputs[] = {{"y", xSizes, xSymbols, MLC_F32, 1}, {"head", computedSizes, computedSymbols, MLC_F32, 1}};
const char *symbols[] = {"N"};

void entry(mlc_frame *frame) {
  int64_t n = frame->input_sizes[0][0], k = *static_cast<const int64_t *>(frame->inputs[2]);
  const float *x = static_cast<const float *>(frame->inputs[0]);
  if (k > n)
    mlc_rt_fail(frame, "node 'head': k is larger than the axis");
  auto *scratch = static_cast<float *>(mlc_rt_alloc(frame, static_cast<uint64_t>(n) * sizeof(float)));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(scratch) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(frame->arena) % 64, 0u);
  for (int64_t i = 0; i < n; ++i)
    scratch[i] = 2 * x[i];
  auto *y = static_cast<float *>(mlc_rt_output(frame, 0, &n));
  for (int64_t i = 0; i < n; ++i)
    y[i] = scratch[i];
  mlc_rt_free(frame, scratch);
  if (frame->profile)
    mlc_rt_mark(frame, 0);
  auto *head = static_cast<float *>(mlc_rt_output(frame, 1, &k));
  for (int64_t i = 0; i < k; ++i)
    head[i] = x[i];
  if (frame->profile) {
    mlc_rt_mark(frame, 1);
    mlc_rt_work(frame, 0, static_cast<uint64_t>(n), static_cast<uint64_t>(8 * n));
  }
}

mlc_api api = {MLC_API_VERSION,
               sizeof(mlc_api),
               "twice",
               "{}",
               inputs,
               outputs,
               symbols,
               3,
               2,
               1,
               0,
               nullptr,
               mlc_rt_run,
               mlc_rt_destroy,
               mlc_rt_profile_start,
               mlc_rt_profile_stop};
mlc_node_info nodes[] = {{"y", "elementwise", 0, 0}, {"head", "copy", 0, 0}};
mlc_model_info info = {MLC_ABI_VERSION, sizeof(mlc_model_info), &api, 256, nullptr, 0, nullptr, entry, nodes, 2, 0};

struct ContextTest : testing::Test {
  mlc_model *model = nullptr;
  void SetUp() override { ASSERT_EQ(mlc_rt_create(&info, nullptr, &model).code, MLC_OK); }
  void TearDown() override { mlc_rt_destroy(model); }

  std::vector<float> x{1, 2, 3}, z{0, 0, 0};
  int64_t n[1] = {3}, nz[1] = {3}, one[1] = {1}, k = 2;
  mlc_tensor out[2] = {};
  mlc_status run() {
    mlc_tensor in[] = {{x.data(), n, 0, 1, MLC_F32}, {z.data(), nz, 0, 1, MLC_F32}, {&k, one, 0, 1, MLC_I64}};
    return mlc_rt_run(model, in, out);
  }
};

TEST_F(ContextTest, RunsAndGivesBuffersOfItsOwn) {
  ASSERT_EQ(run().code, MLC_OK);
  EXPECT_EQ(out[0].rank, 1u);
  EXPECT_EQ(out[0].sizes[0], 3);
  EXPECT_EQ(static_cast<float *>(out[0].data)[2], 6);
  EXPECT_EQ(out[1].sizes[0], 2);
  EXPECT_EQ(out[1].bytes, 8u);
}

TEST_F(ContextTest, SecondRunWithTheSameSizesUsesTheSameBuffers) {
  ASSERT_EQ(run().code, MLC_OK);
  void *first = out[0].data;
  ASSERT_EQ(run().code, MLC_OK);
  EXPECT_EQ(out[0].data, first);
}

TEST_F(ContextTest, OutputsGrowWhenTheModelOwnsThem) {
  ASSERT_EQ(run().code, MLC_OK);
  x.assign(1000, 5), z.assign(1000, 0);
  n[0] = nz[0] = 1000;
  ASSERT_EQ(run().code, MLC_OK) << "a buffer that an earlier run gave out is replaced";
  EXPECT_EQ(static_cast<float *>(out[0].data)[999], 10);
}

TEST_F(ContextTest, CallersBufferThatIsTooSmallIsAnError) {
  float small[2];
  out[0] = {small, nullptr, sizeof small, 0, 0};
  mlc_status status = run();
  EXPECT_EQ(status.code, MLC_INVALID_ARGUMENT);
  EXPECT_STREQ(status.message, "twice: output 'y': expected a buffer of 12 bytes, but got 8");
}

TEST_F(ContextTest, OutputThatOverlapsAnInputIsAnError) {
  x.assign(6, 1);
  out[0] = {x.data() + 2, nullptr, 12, 0, 0};
  mlc_status status = run();
  EXPECT_EQ(status.code, MLC_INVALID_ARGUMENT);
  EXPECT_STREQ(status.message, "twice: the buffer of output 'y' overlaps input 'x'");
  out[0] = {x.data() + 3, nullptr, 12, 0, 0};
  EXPECT_EQ(run().code, MLC_OK);
}

TEST_F(ContextTest, LastOutputMayBeAnInput) {
  ASSERT_EQ(run().code, MLC_OK);
  for (float expected : {4.0f, 8.0f, 16.0f, 32.0f}) {
    void *last = out[0].data;
    mlc_tensor in[] = {{last, n, 0, 1, MLC_F32}, {z.data(), nz, 0, 1, MLC_F32}, {&k, one, 0, 1, MLC_I64}};
    ASSERT_EQ(mlc_rt_run(model, in, out).code, MLC_OK);
    EXPECT_NE(out[0].data, last);
    EXPECT_EQ(static_cast<float *>(out[0].data)[0], expected);
    EXPECT_EQ(static_cast<float *>(last)[0], expected / 2);
  }
}

TEST_F(ContextTest, SymbolsMustAgree) {
  nz[0] = 2;
  mlc_status status = run();
  EXPECT_EQ(status.code, MLC_INVALID_ARGUMENT);
  EXPECT_STREQ(status.message, "twice: input 'z': expected size N = 3 in axis 0, but got 2");
}

TEST_F(ContextTest, StaticSizesMustAgree) {
  one[0] = 2;
  EXPECT_STREQ(run().message, "twice: input 'k': expected size 1 in axis 0, but got 2");
}

TEST_F(ContextTest, TypesAndRanksMustAgree) {
  mlc_tensor in[] = {{x.data(), n, 0, 1, MLC_F64}, {z.data(), nz, 0, 1, MLC_F32}, {&k, one, 0, 1, MLC_I64}};
  EXPECT_STREQ(mlc_rt_run(model, in, out).message, "twice: input 'x': expected element type 1, but got 11");
  in[0].dtype = MLC_F32;
  in[0].rank = 2;
  EXPECT_STREQ(mlc_rt_run(model, in, out).message, "twice: input 'x': expected rank 1, but got 2");
}

TEST_F(ContextTest, FailureOfTheModelIsAStatusAndTheContextLives) {
  k = 4;
  mlc_status status = run();
  EXPECT_EQ(status.code, MLC_INVALID_ARGUMENT);
  EXPECT_STREQ(status.message, "twice: node 'head': k is larger than the axis");
  k = 1;
  EXPECT_EQ(run().code, MLC_OK);
}

TEST_F(ContextTest, TypedRunTakesBuffersAndTensors) {
  float y[3];
  mlc_tensor head = {};
  int64_t symbol = 3;
  const void *in[] = {x.data(), z.data(), &k};
  void *result[] = {y, &head};
  ASSERT_EQ(mlc_rt_run_typed(model, in, &symbol, result).code, MLC_OK);
  EXPECT_EQ(y[1], 4);
  EXPECT_EQ(head.sizes[0], 2);
  symbol = -1;
  EXPECT_EQ(mlc_rt_run_typed(model, in, &symbol, result).code, MLC_INVALID_ARGUMENT);
  symbol = 3;
  in[0] = nullptr;
  EXPECT_STREQ(mlc_rt_run_typed(model, in, &symbol, result).message, "twice: input 'x' has no data");
}

TEST_F(ContextTest, ContextsRunInTheirOwnThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      mlc_model *own = nullptr;
      ASSERT_EQ(mlc_rt_create(&info, nullptr, &own).code, MLC_OK);
      float x[] = {1, 2}, y[2];
      int64_t k = 1, symbol = 2;
      mlc_tensor head = {};
      for (int i = 0; i < 100; ++i) {
        const void *in[] = {x, x, &k};
        void *result[] = {y, &head};
        ASSERT_EQ(mlc_rt_run_typed(own, in, &symbol, result).code, MLC_OK);
        ASSERT_EQ(y[1], 4);
      }
      mlc_rt_destroy(own);
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST_F(ContextTest, ProfileMeasuresTheRunsWhileItIsOn) {
  ASSERT_EQ(run().code, MLC_OK);
  const mlc_profile *profile = nullptr;
  ASSERT_EQ(mlc_rt_profile_start(model, &profile).code, MLC_OK);
  ASSERT_EQ(profile->num_nodes, 2u);
  EXPECT_STREQ(profile->nodes[1].name, "head");
  EXPECT_EQ(profile->runs, 0u);
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(run().code, MLC_OK);
  EXPECT_EQ(profile->runs, 5u);
  EXPECT_EQ(profile->times[0].calls, 5u);
  EXPECT_EQ(profile->times[1].calls, 5u);
  // What only the run knew, for this context alone.
  EXPECT_EQ(profile->nodes[0].flops, 3u);
  EXPECT_EQ(profile->nodes[0].bytes, 24u);
  EXPECT_EQ(nodes[0].flops, 0u);
  EXPECT_GT(profile->times[0].nanoseconds, 0u);
  EXPECT_LE(profile->times[0].nanoseconds + profile->times[1].nanoseconds, profile->nanoseconds);
  // A run that fails counts, with the nodes that it reached.
  k = 4;
  ASSERT_EQ(run().code, MLC_INVALID_ARGUMENT);
  EXPECT_EQ(profile->runs, 6u);
  EXPECT_EQ(profile->times[0].calls, 5u);
  k = 1;
  mlc_rt_profile_stop(model);
  ASSERT_EQ(run().code, MLC_OK);
  EXPECT_EQ(profile->runs, 6u);
  // Another start is from zero, in the same memory.
  const mlc_node_time *times = profile->times;
  ASSERT_EQ(mlc_rt_profile_start(model, &profile).code, MLC_OK);
  EXPECT_EQ(profile->times, times);
  EXPECT_EQ(profile->nodes[0].flops, 0u);
  EXPECT_EQ(profile->runs, 0u);
  EXPECT_EQ(profile->nanoseconds, 0u);
  EXPECT_EQ(profile->times[0].calls, 0u);
}

/// Adds its iteration and 1 to each element of a range.
void addPlaces(void *captures, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    static_cast<int64_t *>(captures)[i] += i + 1;
}

TEST(Parallel, CoversEveryRangeOnce) {
  for (int threads : {1, 2, 4}) {
    mlc_options options = {sizeof options, threads, nullptr};
    mlc_model *own = nullptr;
    ASSERT_EQ(mlc_rt_create(&info, &options, &own).code, MLC_OK);
    mlc_frame frame = {nullptr, nullptr, nullptr, nullptr, own, nullptr};
    for (int64_t count : {0, 1, 7, 1000}) {
      for (int64_t grain : {1, 3, 5000}) {
        std::vector<int64_t> seen(static_cast<size_t>(count) + 1, 0);
        for (int repeat = 0; repeat < 20; ++repeat) {
          mlc_step step = {addPlaces, seen.data(), count, grain, -1, 0, 0};
          mlc_rt_parallel(&frame, &step, 1);
        }
        for (int64_t i = 0; i < count; ++i)
          ASSERT_EQ(seen[static_cast<size_t>(i)], 20 * (i + 1));
      }
    }
    mlc_rt_destroy(own);
  }
}

/// Many short regions one after the other, so that threads come late to groups that have ended.
TEST(Parallel, LateThreadsFindNothing) {
  mlc_options options = {sizeof options, 3, nullptr};
  mlc_model *own = nullptr;
  ASSERT_EQ(mlc_rt_create(&info, &options, &own).code, MLC_OK);
  mlc_frame frame = {nullptr, nullptr, nullptr, nullptr, own, nullptr};
  std::vector<int64_t> sums(5, 0);
  for (int64_t loop = 0; loop < 20000; ++loop) {
    mlc_step step = {addPlaces, sums.data(), 1 + loop % 5, 1, -1, 0, 0};
    mlc_rt_parallel(&frame, &step, 1);
  }
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_EQ(sums[static_cast<size_t>(i)], (i + 1) * 4000 * (5 - i));
  mlc_rt_destroy(own);
}

/// One column of a table is computed of the one before, turned round: right only if the steps wait for each other.
struct Column {
  const int64_t *from;
  int64_t *to;
  int64_t size;
};

void turnRound(void *captures, int64_t begin, int64_t end) {
  auto *column = static_cast<Column *>(captures);
  for (int64_t i = begin; i < end; ++i)
    column->to[i] = column->from[column->size - 1 - i] + 1;
}

TEST(Parallel, StepsWaitWhereTheySay) {
  constexpr int64_t size = 37, steps = 500;
  for (int threads : {1, 2, 3, 8}) {
    mlc_options options = {sizeof options, threads, nullptr};
    mlc_model *own = nullptr;
    ASSERT_EQ(mlc_rt_create(&info, &options, &own).code, MLC_OK);
    mlc_frame frame = {nullptr, nullptr, nullptr, nullptr, own, nullptr};
    // Two tables side by side: each step of the first waits, the one of the second beside it does not. Some steps are
    // a single part, some have none.
    std::vector<int64_t> tables[2];
    std::vector<int64_t> extra(size, 0);
    std::vector<Column> columns[2];
    for (int table = 0; table < 2; ++table) {
      tables[table].assign(size * (steps + 1), 0);
      for (int64_t i = 0; i < size; ++i)
        tables[table][static_cast<size_t>(i)] = i;
      for (int64_t step = 0; step < steps; ++step)
        columns[table].push_back({&tables[table][static_cast<size_t>(size * step)],
                                  &tables[table][static_cast<size_t>(size * (step + 1))], size});
    }
    for (int repeat = 0; repeat < 20; ++repeat) {
      for (auto &table : tables)
        std::fill(table.begin() + size, table.end(), -1);
      std::vector<mlc_step> list;
      for (size_t step = 0; step < steps; ++step) {
        list.push_back({addPlaces, extra.data(), 0, 1, -1, 1, 0});
        list.push_back({turnRound, &columns[0][step], size, step % 3 == 0 ? size : 1, -1, 1, 0});
        list.push_back({turnRound, &columns[1][step], size, step % 4 == 0 ? size : 5, -1, 0, 0});
      }
      mlc_rt_parallel(&frame, list.data(), static_cast<int64_t>(list.size()));
      for (auto &table : tables)
        for (int64_t i = 0; i < size; ++i)
          ASSERT_EQ(table[static_cast<size_t>(size * steps + i)], i + steps);
    }
    mlc_rt_destroy(own);
  }
}

/// More steps beside each other than a group has room for.
TEST(Parallel, GroupsOfManySteps) {
  mlc_options options = {sizeof options, 4, nullptr};
  mlc_model *own = nullptr;
  ASSERT_EQ(mlc_rt_create(&info, &options, &own).code, MLC_OK);
  mlc_frame frame = {nullptr, nullptr, nullptr, nullptr, own, nullptr};
  constexpr size_t count = 5000;
  std::vector<int64_t> sums(16 * count, 0);
  std::vector<mlc_step> steps;
  for (size_t i = 0; i < count; ++i)
    steps.push_back({addPlaces, &sums[16 * i], 16, 1, -1, 0, 0});
  mlc_rt_parallel(&frame, steps.data(), count);
  for (size_t i = 0; i < sums.size(); ++i)
    ASSERT_EQ(sums[i], static_cast<int64_t>(i % 16 + 1));
  mlc_rt_destroy(own);
}

TEST(Parallel, ProfiledStepsAreMarked) {
  for (int threads : {1, 3}) {
    mlc_options options = {sizeof options, threads, nullptr};
    mlc_model *own = nullptr;
    ASSERT_EQ(mlc_rt_create(&info, &options, &own).code, MLC_OK);
    mlc_node_time times[2] = {};
    mlc_frame frame = {nullptr, nullptr, nullptr, nullptr, own, times};
    std::vector<int64_t> sums(8, 0);
    mlc_step steps[] = {{addPlaces, sums.data(), 8, 1, 1, 0, 0},
                        {addPlaces, sums.data(), 8, 1, -1, 1, 0},
                        {addPlaces, sums.data(), 8, 1, 0, 1, 0}};
    mlc_rt_parallel(&frame, steps, 3);
    EXPECT_EQ(times[0].calls, 1u);
    EXPECT_EQ(times[1].calls, 1u);
    EXPECT_EQ(sums[7], 24);
    mlc_rt_destroy(own);
  }
}

#if defined(__x86_64__)
TEST(Create, ChoosesALevel) {
  mlc_model_info v2 = info, v3 = info, v4 = info;
  const mlc_model_info *levels[] = {&v2, &v3, &v4};
  mlc_model *model = nullptr;
  for (const char *wrong : {"v1", "v5", "v", "2", "v23", "native"}) {
    setenv("MLC_CPU_LEVEL", wrong, 1);
    EXPECT_EQ(mlc_rt_create_multi(levels, nullptr, &model).code, MLC_INVALID_ARGUMENT) << wrong;
    EXPECT_EQ(model, nullptr);
  }
  // Only what is chosen is looked at.
  v3.abi_version = v4.abi_version = 99;
  setenv("MLC_CPU_LEVEL", "v2", 1);
  ASSERT_EQ(mlc_rt_create_multi(levels, nullptr, &model).code, MLC_OK);
  mlc_rt_destroy(model);
  v2.abi_version = 99;
  v3.abi_version = v4.abi_version = MLC_ABI_VERSION;
  for (const char *none : {"", static_cast<const char *>(nullptr)}) {
    none ? setenv("MLC_CPU_LEVEL", none, 1) : unsetenv("MLC_CPU_LEVEL");
    mlc_status status = mlc_rt_create_multi(levels, nullptr, &model);
    bool isNew = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    EXPECT_EQ(status.code, isNew ? MLC_OK : MLC_FAILED_PRECONDITION);
    mlc_rt_destroy(model);
  }
}
#endif

TEST(Create, RefusesAnotherVersion) {
  mlc_model_info other = info;
  other.abi_version = 99;
  mlc_model *model;
  EXPECT_EQ(mlc_rt_create(&other, nullptr, &model).code, MLC_FAILED_PRECONDITION);
  EXPECT_EQ(model, nullptr);
  mlc_options options = {1, 0, nullptr};
  EXPECT_EQ(mlc_rt_create(&info, &options, &model).code, MLC_FAILED_PRECONDITION);
  options = {sizeof options, -1, nullptr};
  EXPECT_EQ(mlc_rt_create(&info, &options, &model).code, MLC_INVALID_ARGUMENT);
}

TEST(Create, MissingWeightsAreNamed) {
  mlc_model_info external = info;
  external.weights_file = "nowhere.weights";
  external.weights_bytes = 64;
  mlc_model *model;
  mlc_status status = mlc_rt_create(&external, nullptr, &model);
  EXPECT_EQ(status.code, MLC_NOT_FOUND);
  EXPECT_NE(std::string(status.message).find("nowhere.weights"), std::string::npos);
  mlc_options options = {sizeof options, 0, "/proc/self/exe"};
  EXPECT_EQ(mlc_rt_create(&external, &options, &model).code, MLC_FAILED_PRECONDITION);
}

TEST(Create, HugeWorkspaceIsAStatus) {
  mlc_model_info huge = info;
  huge.arena_bytes = UINT64_MAX / 4;
  mlc_model *model;
  EXPECT_EQ(mlc_rt_create(&huge, nullptr, &model).code, MLC_RESOURCE_EXHAUSTED);
}

} // namespace
