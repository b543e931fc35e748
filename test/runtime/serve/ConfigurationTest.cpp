//===- ConfigurationTest.cpp - files that say how requests wait and become batches -------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/BatchingFiles.h"
#include "runtime/serve/Version.h"

#include <gtest/gtest.h>

using namespace mlc::serve;
using namespace mlc::serve::test;
using std::chrono::microseconds;

namespace {

class ConfigurationTest : public testing::Test {
protected:
  QueuePolicy parameters(const std::string &text) {
    writeFile(path, text);
    return readBatchingParameters(path);
  }
  QueuePolicy triton(const std::string &text, const QueuePolicy &base = {}) {
    writeFile(path, text);
    return readTritonConfig(path, base, log);
  }
  template <typename Action> void expectInvalid(const std::string &message, Action action) {
    try {
      action();
      FAIL() << "expected an error: " << message;
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument);
      EXPECT_EQ(std::string(error.what()), path + ":" + message);
    }
  }
  std::shared_ptr<Version> load(const std::string &fake, const LoadOptions &options) {
    writeVersion(folder.path("m/1"), fake);
    return Version::load("m", 1, folder.path("m/1"), options, scheduler);
  }

  TemporaryFolder folder;
  std::string path = folder.path("file.pbtxt");
  std::vector<std::string> logged;
  Log log = [this](const std::string &message) { logged.push_back(message); };
  Scheduler scheduler{1};
};

TEST_F(ConfigurationTest, ReadsBatchingParameters) {
  QueuePolicy policy = parameters(R"(
    max_batch_size { value: 128 }
    batch_timeout_micros { value: 1500 }
    max_enqueued_batches { value: 20 }
    num_batch_threads { value: 3 }
    thread_pool_name { value: "ours" }
    allowed_batch_sizes: 16
    allowed_batch_sizes: 128
    pad_variable_length_inputs: true)");
  EXPECT_TRUE(policy.batching);
  EXPECT_EQ(policy.maxBatch, 128);
  EXPECT_EQ(policy.delay, microseconds(1500));
  EXPECT_EQ(policy.maxWaiting, 20u * 128u);
  EXPECT_EQ(policy.concurrency, 3);
  EXPECT_EQ(policy.allowedSizes, (std::vector<int64_t>{16, 128}));
  EXPECT_TRUE(policy.padVariableLength);
  EXPECT_FALSE(policy.splitLarge);
}

TEST_F(ConfigurationTest, HasTensorFlowServingsDefaults) {
  QueuePolicy policy = parameters("");
  EXPECT_TRUE(policy.batching);
  EXPECT_EQ(policy.maxBatch, 1000);
  EXPECT_EQ(policy.delay, microseconds(0));
  EXPECT_EQ(policy.maxWaiting, 10u * 1000u);
  EXPECT_EQ(policy.concurrency, 0);
  EXPECT_FALSE(policy.padVariableLength);
}

TEST_F(ConfigurationTest, CutsLargeRequestsWhereItIsSaid) {
  QueuePolicy policy =
      parameters("max_batch_size { value: 64 } enable_large_batch_splitting { value: true } "
                 "max_execution_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8");
  EXPECT_TRUE(policy.splitLarge);
  EXPECT_EQ(policy.maxExecution, 8);
  EXPECT_EQ(parameters("max_batch_size { value: 64 } enable_large_batch_splitting { value: true }").maxExecution, 64);
}

TEST_F(ConfigurationTest, RefusesBatchingParametersThatContradictThemselves) {
  expectInvalid(" max_batch_size must be at least 1; was 0", [&] { parameters("max_batch_size { value: 0 }"); });
  expectInvalid(" batch_timeout_micros must be at least 0; was -1",
                [&] { parameters("batch_timeout_micros { value: -1 }"); });
  expectInvalid(" max_enqueued_batches must be at least 1; was 0",
                [&] { parameters("max_enqueued_batches { value: 0 }"); });
  expectInvalid(" num_batch_threads must be at least 0; was -2",
                [&] { parameters("num_batch_threads { value: -2 }"); });
  expectInvalid(" allowed_batch_sizes must be at least 1; was 0", [&] { parameters("allowed_batch_sizes: 0"); });
  expectInvalid(" allowed_batch_sizes entries must be monotonically increasing",
                [&] { parameters("allowed_batch_sizes: 8 allowed_batch_sizes: 8"); });
  expectInvalid(" Last entry in allowed_batch_sizes must match max_batch_size; last entry was 8; expected 16",
                [&] { parameters("max_batch_size { value: 16 } allowed_batch_sizes: 8"); });
  expectInvalid(" Last entry in allowed_batch_sizes must match max_execution_batch_size; last entry was 16; expected 8",
                [&] {
                  parameters("max_batch_size { value: 16 } enable_large_batch_splitting { value: true } "
                             "max_execution_batch_size { value: 8 } allowed_batch_sizes: 16");
                });
  expectInvalid(
      " max_execution_batch_size must be at least 1 and at most max_batch_size; was 32, and max_batch_size is 16", [&] {
        parameters("max_batch_size { value: 16 } enable_large_batch_splitting { value: true } "
                   "max_execution_batch_size { value: 32 }");
      });
  expectInvalid("2:14: Message type \"tensorflow.serving.BatchingParameters\" has no field named \"no_such_field\".",
                [&] { parameters("max_batch_size { value: 16 }\nno_such_field: 1"); });
}

TEST_F(ConfigurationTest, SaysWhichFileIsMissing) {
  try {
    readBatchingParameters(folder.path("none"));
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::notFound);
    EXPECT_EQ(std::string(error.what()), folder.path("none") + ": cannot be read: No such file or directory");
  }
}

TEST_F(ConfigurationTest, ReadsTritonsConfig) {
  QueuePolicy policy = triton(R"(
    name: "m"
    backend: "mlc"
    max_batch_size: 32
    input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] reshape: { shape: [ 2, 2 ] } } ]
    output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
    parameters { key: "k" value: { string_value: "v" } }
    version_policy: { latest { num_versions: 1 } }
    instance_group [ { count: 2 kind: KIND_CPU }, { count: 1 } ]
    dynamic_batching {
      preferred_batch_size: [ 8, 16 ]
      max_queue_delay_microseconds: 100
      preserve_ordering: true
      priority_levels: 3
      default_priority_level: 2
      default_queue_policy {
        timeout_action: REJECT
        default_timeout_microseconds: 5000
        allow_timeout_override: true
        max_queue_size: 77
      }
    })");
  EXPECT_TRUE(policy.batching);
  EXPECT_EQ(policy.maxBatch, 32);
  EXPECT_EQ(policy.concurrency, 3);
  EXPECT_EQ(policy.preferredSizes, (std::vector<int64_t>{8, 16}));
  EXPECT_EQ(policy.delay, microseconds(100));
  EXPECT_EQ(policy.priorityLevels, 3u);
  EXPECT_EQ(policy.defaultPriority, 2u);
  EXPECT_EQ(policy.defaultTimeout, microseconds(5000));
  EXPECT_EQ(policy.maxWaiting, 77u);
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_NE(logged[0].find("has no field named \"version_policy\""), std::string::npos) << logged[0];
}

TEST_F(ConfigurationTest, LeavesTheRestOfTritonsConfigAsItIs) {
  QueuePolicy base;
  base.batching = true;
  base.maxWaiting = 5;
  QueuePolicy policy = triton("max_batch_size: 4", base);
  EXPECT_FALSE(policy.batching); // without dynamic_batching every request runs alone
  EXPECT_EQ(policy.maxWaiting, 5u);
  EXPECT_EQ(policy.concurrency, 0);
  EXPECT_EQ(policy.priorityLevels, 1u);
  EXPECT_TRUE(triton("max_batch_size: 4 dynamic_batching { }").batching);
}

TEST_F(ConfigurationTest, SaysWhatOfTritonsConfigIsNotSupported) {
  QueuePolicy policy =
      triton("max_batch_size: 4 dynamic_batching { priority_levels: 2 default_priority_level: 1 default_queue_policy { "
             "timeout_action: DELAY default_timeout_microseconds: 7 } priority_queue_policy { key: 1 value { } } }");
  EXPECT_EQ(policy.defaultTimeout, microseconds(0));
  ASSERT_EQ(logged.size(), 2u);
  EXPECT_NE(logged[0].find("timeout_action DELAY is not supported"), std::string::npos);
  EXPECT_NE(logged[1].find("priority_queue_policy is not supported"), std::string::npos);
}

TEST_F(ConfigurationTest, RefusesTritonsConfigsThatContradictThemselves) {
  expectInvalid(" max_batch_size must be at least 0; was -1", [&] { triton("max_batch_size: -1"); });
  expectInvalid(" dynamic_batching requires max_batch_size of at least 1, but it is 0",
                [&] { triton("dynamic_batching { }"); });
  expectInvalid(" preferred_batch_size must be in [1, 4]; was 8",
                [&] { triton("max_batch_size: 4 dynamic_batching { preferred_batch_size: 8 }"); });
  expectInvalid(" default_priority_level must be in [1, 2]; was 0",
                [&] { triton("max_batch_size: 4 dynamic_batching { priority_levels: 2 }"); });
  expectInvalid(" priority_levels must be at most 1024; was 99999999999", [&] {
    triton("max_batch_size: 4 dynamic_batching { priority_levels: 99999999999 default_priority_level: 1 }");
  });
  expectInvalid(" count of an instance_group must be at least 0; was -3",
                [&] { triton("instance_group { count: -3 }"); });
  expectInvalid("1:17: Expected integer, got: \"four\"", [&] { triton("max_batch_size: \"four\""); });
}

TEST_F(ConfigurationTest, PrefersTheFileThatIsNearest) {
  LoadOptions options;
  options.queue.maxWaiting = 3;
  writeFile(folder.path("m/config.pbtxt"), "max_batch_size: 4 dynamic_batching { }");
  EXPECT_EQ(load("identity", options)->policy().maxBatch, 1000); // not asked for
  options.perModelBatching = true;
  EXPECT_EQ(load("identity", options)->policy().maxBatch, 4);
  EXPECT_EQ(load("identity", options)->policy().maxWaiting, 3u);
  writeFile(folder.path("m/batching_params.pbtxt"), "max_batch_size { value: 5 }");
  EXPECT_EQ(load("identity", options)->policy().maxBatch, 5);
  writeVersion(folder.path("m/1"), "identity", {{"batching_params.pbtxt", "max_batch_size { value: 6 }"}});
  EXPECT_EQ(Version::load("m", 1, folder.path("m/1"), options, scheduler)->policy().maxBatch, 6);
}

TEST_F(ConfigurationTest, RunsModelsWithoutABatchAxisOneByOne) {
  LoadOptions options;
  options.queue.batching = true;
  options.log = log;
  EXPECT_TRUE(load("identity", options)->policy().batching);
  EXPECT_TRUE(logged.empty());
  EXPECT_FALSE(load("single", options)->policy().batching);
  ASSERT_EQ(logged.size(), 1u);
  EXPECT_EQ(logged[0],
            "model m, version 1: requests run one by one, because axis 0 of its inputs and outputs is not one "
            "symbolic size");
}

} // namespace
