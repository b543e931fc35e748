//===- BatchingFiles.cpp - files that say how requests wait and become batches -----------------------------------===//
//
// Both servers' words become a QueuePolicy. num_batch_threads and the count of instances limit the batches of one model
// that run at a time; the threads themselves are the scheduler's, shared by all models.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/BatchingFiles.h"

#include "runtime/serve/ModelConfigs.h"
#include "triton_config.pb.h"

#include <filesystem>

namespace mlc::serve {

using tensorflow::serving::BatchingParameters;

namespace {

/// A queue must end somewhere.
constexpr int64_t mostWaiting = 1'000'000;
constexpr uint64_t mostPriorityLevels = 1024;

Error invalid(const std::string &path, const std::string &message) {
  return Error(Code::invalidArgument, path + ": " + message);
}

/// A wrapped number, or what it is where it is not said; at least `least`.
template <typename Wrapper>
int64_t number(const std::string &path, const char *name, bool said, const Wrapper &wrapper, int64_t otherwise,
               int64_t least) {
  int64_t value = said ? wrapper.value() : otherwise;
  if (value < least)
    throw invalid(path,
                  std::string(name) + " must be at least " + std::to_string(least) + "; was " + std::to_string(value));
  return value;
}

void checkAllowedSizes(const std::string &path, const QueuePolicy &policy) {
  int64_t last = 0;
  for (int64_t size : policy.allowedSizes) {
    if (size <= last)
      throw invalid(path, last == 0 ? "allowed_batch_sizes must be at least 1; was " + std::to_string(size)
                                    : "allowed_batch_sizes entries must be monotonically increasing");
    last = size;
  }
  if (policy.allowedSizes.empty())
    return;
  const char *name = policy.splitLarge ? "max_execution_batch_size" : "max_batch_size";
  int64_t expected = policy.splitLarge ? policy.maxExecution : policy.maxBatch;
  if (last != expected)
    throw invalid(path, std::string("Last entry in allowed_batch_sizes must match ") + name + "; last entry was " +
                            std::to_string(last) + "; expected " + std::to_string(expected));
}

} // namespace

QueuePolicy readBatchingParameters(const std::string &path) {
  BatchingParameters file;
  readTextFile(path, file);
  QueuePolicy policy;
  policy.batching = true;
#define NUMBER(name, otherwise, least) number(path, #name, file.has_##name(), file.name(), otherwise, least)
  policy.maxBatch = NUMBER(max_batch_size, 1000, 1);
  policy.delay = std::chrono::microseconds(NUMBER(batch_timeout_micros, 0, 0));
  int64_t batches = NUMBER(max_enqueued_batches, 10, 1);
  policy.concurrency = static_cast<int>(std::min<int64_t>(NUMBER(num_batch_threads, 0, 0), 4096));
  policy.splitLarge = file.enable_large_batch_splitting().value();
  policy.maxExecution = NUMBER(max_execution_batch_size, policy.splitLarge ? policy.maxBatch : 0, 0);
#undef NUMBER
  if (policy.splitLarge && (policy.maxExecution == 0 || policy.maxExecution > policy.maxBatch))
    throw invalid(path, "max_execution_batch_size must be at least 1 and at most max_batch_size; was " +
                            std::to_string(policy.maxExecution) + ", and max_batch_size is " +
                            std::to_string(policy.maxBatch));
  policy.maxWaiting = static_cast<size_t>(
      std::min(batches > mostWaiting / std::min(policy.maxBatch, mostWaiting) ? mostWaiting : batches * policy.maxBatch,
               mostWaiting));
  policy.padVariableLength = file.pad_variable_length_inputs();
  policy.allowedSizes.assign(file.allowed_batch_sizes().begin(), file.allowed_batch_sizes().end());
  checkAllowedSizes(path, policy);
  return policy;
}

QueuePolicy readTritonConfig(const std::string &path, const QueuePolicy &base, const Log &log) {
  triton::ModelConfig file;
  for (const std::string &unused : readTextFileLeniently(path, file))
    if (log && unused.find("\"mlc.triton.Unused\"") == std::string::npos)
      log(path + ":" + unused);
  QueuePolicy policy = base;
  auto warn = [&](const std::string &message) {
    if (log)
      log(path + ": " + message);
  };
  if (file.max_batch_size() < 0)
    throw invalid(path, "max_batch_size must be at least 0; was " + std::to_string(file.max_batch_size()));
  policy.batching = file.has_dynamic_batching();
  if (policy.batching && file.max_batch_size() == 0)
    throw invalid(path, "dynamic_batching requires max_batch_size of at least 1, but it is 0");
  if (file.max_batch_size() > 0)
    policy.maxBatch = file.max_batch_size();

  int64_t instances = 0;
  for (const auto &group : file.instance_group()) {
    if (group.count() < 0)
      throw invalid(path, "count of an instance_group must be at least 0; was " + std::to_string(group.count()));
    instances += std::max(group.count(), 1);
  }
  policy.concurrency = static_cast<int>(std::min<int64_t>(instances, 4096));

  const triton::ModelDynamicBatching &dynamic = file.dynamic_batching();
  policy.preferredSizes.clear();
  for (int32_t size : dynamic.preferred_batch_size()) {
    if (size < 1 || size > policy.maxBatch)
      throw invalid(path, "preferred_batch_size must be in [1, " + std::to_string(policy.maxBatch) + "]; was " +
                              std::to_string(size));
    policy.preferredSizes.push_back(size);
  }
  constexpr uint64_t mostMicros = uint64_t(1) << 50; // 35 years, and no overflow in sums of times
  policy.delay = std::chrono::microseconds(std::min(dynamic.max_queue_delay_microseconds(), mostMicros));
  if (dynamic.priority_levels() > mostPriorityLevels)
    throw invalid(path, "priority_levels must be at most " + std::to_string(mostPriorityLevels) + "; was " +
                            std::to_string(dynamic.priority_levels()));
  policy.priorityLevels = static_cast<uint32_t>(std::max<uint64_t>(dynamic.priority_levels(), 1));
  if (dynamic.priority_levels() > 0 &&
      (dynamic.default_priority_level() < 1 || dynamic.default_priority_level() > dynamic.priority_levels()))
    throw invalid(path, "default_priority_level must be in [1, " + std::to_string(dynamic.priority_levels()) +
                            "]; was " + std::to_string(dynamic.default_priority_level()));
  policy.defaultPriority = static_cast<uint32_t>(std::max<uint64_t>(dynamic.default_priority_level(), 1));

  const triton::ModelQueuePolicy &queue = dynamic.default_queue_policy();
  if (queue.timeout_action() == triton::ModelQueuePolicy::DELAY)
    warn("timeout_action DELAY is not supported: requests keep their place, and none is rejected for its time");
  else
    policy.defaultTimeout = std::chrono::microseconds(std::min(queue.default_timeout_microseconds(), mostMicros));
  if (queue.max_queue_size() > 0)
    policy.maxWaiting = queue.max_queue_size();
  if (!dynamic.priority_queue_policy().empty())
    warn("priority_queue_policy is not supported: all levels have the default_queue_policy");
  return policy;
}

std::optional<QueuePolicy> policyBeside(const std::string &versionFolder, const QueuePolicy &base, const Log &log) {
  std::filesystem::path folder(versionFolder);
  for (const std::filesystem::path &place : {folder, folder.parent_path()}) {
    std::string parameters = place / "batching_params.pbtxt", config = place / "config.pbtxt";
    if (std::filesystem::exists(parameters))
      return readBatchingParameters(parameters);
    if (std::filesystem::exists(config))
      return readTritonConfig(config, base, log);
  }
  return std::nullopt;
}

} // namespace mlc::serve
