//===- ModelMessages.cpp - what the Open Inference Protocol says of models ----------------------------------------===//
#include "runtime/serve/ModelMessages.h"

#include "runtime/serve/RepositoryIndex.h"
#include "runtime/serve/rest/OpenInferencePath.h"

#include <algorithm>
#include <charconv>

namespace mlc::serve {

using namespace inference;

namespace {

DataType toDataType(mlc_dtype dtype) {
  DataType type;
  // Its names are the protocol's with a prefix.
  return DataType_Parse(std::string("TYPE_") + openInferenceName(dtype), &type) ? type : TYPE_INVALID;
}

void setTensors(const std::vector<TensorInfo> &infos, bool batching, auto &tensors) {
  for (const TensorInfo &info : infos) {
    auto *tensor = tensors.Add();
    tensor->set_name(info.name);
    tensor->set_data_type(toDataType(info.dtype));
    tensor->mutable_dims()->Add(info.sizes.begin() + (batching ? 1 : 0), info.sizes.end());
  }
}

void setTensors(const std::vector<TensorInfo> &infos, auto &tensors) {
  for (const TensorInfo &info : infos) {
    auto *tensor = tensors.Add();
    tensor->set_name(info.name);
    tensor->set_datatype(openInferenceName(info.dtype));
    tensor->mutable_shape()->Add(info.sizes.begin(), info.sizes.end());
  }
}

void set(const Statistics::Sum &sum, StatisticDuration &duration) {
  duration.set_count(sum.count);
  duration.set_ns(static_cast<uint64_t>(sum.time.count()));
}

ModelVersionPolicy toVersionPolicy(const tensorflow::serving::ModelServerConfig &config, const std::string &model) {
  ModelVersionPolicy result;
  result.mutable_latest()->set_num_versions(1);
  for (const auto &entry : config.model_config_list().config()) {
    if (entry.name() != model)
      continue;
    const auto &policy = entry.model_version_policy();
    if (policy.has_all())
      result.mutable_all();
    else if (policy.has_specific())
      *result.mutable_specific()->mutable_versions() = policy.specific().versions();
    else if (policy.has_latest())
      result.mutable_latest()->set_num_versions(std::max(policy.latest().num_versions(), 1u));
  }
  return result;
}

/// The version string of a request.
ModelSpec toSpec(const std::string &model, const std::string &version) {
  ModelSpec spec{model, std::nullopt, {}};
  if (version.empty())
    return spec;
  int64_t number = 0;
  auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (error == std::errc::result_out_of_range)
    throw Error(Code::invalidArgument,
                "failed to get model version from specified version string '" + version.substr(0, 64) + "'");
  if (error == std::errc() && end == version.data() + version.size())
    spec.version = number;
  else
    spec.label = version;
  return spec;
}

} // namespace

std::shared_ptr<Version> findModel(const Registry &registry, const std::string &model, const std::string &version) {
  return findVersion(registry, toSpec(model, version));
}

std::vector<int64_t> availableVersions(const Registry &registry, const std::string &model) {
  std::vector<int64_t> numbers;
  for (const std::shared_ptr<Version> &version : registry.available(model))
    numbers.push_back(version->number);
  return numbers;
}

ServerMetadataResponse serverMetadata() {
  ServerMetadataResponse response;
  response.set_name("mlc-serve");
  response.set_version(MLC_SERVE_VERSION);
  for (const char *name : {"binary_tensor_data", "classification", "parameters", "schedule_policy", "statistics",
                           "model_repository", "model_configuration", "logging"})
    response.add_extensions(name);
  return response;
}

ModelMetadataResponse toModelMetadata(const Version &version, const std::vector<int64_t> &available) {
  ModelMetadataResponse response;
  response.set_name(version.model);
  for (int64_t number : available)
    response.add_versions(std::to_string(number));
  response.set_platform("mlc");
  setTensors(version.signature().inputs, *response.mutable_inputs());
  setTensors(version.signature().outputs, *response.mutable_outputs());
  const Manifest &manifest = version.manifest();
  for (const auto &[name, value] : {std::pair<const char *, const std::string &>{"compiler", manifest.compiler},
                                    {"source_sha256", manifest.sourceSha256},
                                    {"commit", manifest.commit},
                                    {"created", manifest.created}})
    if (!value.empty())
      (*response.mutable_properties())[name] = value;
  return response;
}

ModelConfig toModelConfig(const Version &version, const tensorflow::serving::ModelServerConfig &config) {
  const QueuePolicy &policy = version.policy();
  bool batching = policy.batching;
  ModelConfig result;
  result.set_name(version.model);
  result.set_platform("mlc");
  result.set_backend("mlc");
  result.set_default_model_filename(version.manifest().library);
  *result.mutable_version_policy() = toVersionPolicy(config, version.model);
  result.set_max_batch_size(batching ? static_cast<int32_t>(std::min<int64_t>(policy.maxBatch, INT32_MAX)) : 0);
  setTensors(version.signature().inputs, batching, *result.mutable_input());
  setTensors(version.signature().outputs, batching, *result.mutable_output());
  if (!version.labels().empty())
    for (ModelOutput &output : *result.mutable_output())
      output.set_label_filename("labels.txt");
  auto *group = result.add_instance_group();
  group->set_name(version.model);
  group->set_kind(ModelInstanceGroup::KIND_CPU);
  group->set_count(std::max(policy.concurrency, 1));
  if (!batching)
    return result;
  ModelDynamicBatching &dynamic = *result.mutable_dynamic_batching();
  for (int64_t size : policy.preferredSizes)
    dynamic.add_preferred_batch_size(static_cast<int32_t>(std::min<int64_t>(size, INT32_MAX)));
  dynamic.set_max_queue_delay_microseconds(static_cast<uint64_t>(policy.delay.count()));
  if (policy.priorityLevels > 1) {
    dynamic.set_priority_levels(policy.priorityLevels);
    dynamic.set_default_priority_level(policy.defaultPriority);
  }
  ModelQueuePolicy &queue = *dynamic.mutable_default_queue_policy();
  queue.set_default_timeout_microseconds(static_cast<uint64_t>(policy.defaultTimeout.count()));
  queue.set_allow_timeout_override(true);
  queue.set_max_queue_size(static_cast<uint32_t>(std::min<size_t>(policy.maxWaiting, UINT32_MAX)));
  return result;
}

ModelStatistics toModelStatistics(const Version &version) {
  Statistics sums = version.statistics();
  ModelStatistics result;
  result.set_name(version.model);
  result.set_version(std::to_string(version.number));
  auto last = std::chrono::duration_cast<std::chrono::milliseconds>(sums.lastInference.time_since_epoch());
  result.set_last_inference(static_cast<uint64_t>(last.count()));
  result.set_inference_count(sums.inferences);
  result.set_execution_count(sums.executions);
  InferStatistics &infer = *result.mutable_inference_stats();
  set(sums.success, *infer.mutable_success());
  set(sums.fail, *infer.mutable_fail());
  set(sums.queue, *infer.mutable_queue());
  set(sums.input, *infer.mutable_compute_input());
  set(sums.infer, *infer.mutable_compute_infer());
  set(sums.output, *infer.mutable_compute_output());
  infer.mutable_cache_hit();
  infer.mutable_cache_miss();
  for (const auto &[size, times] : sums.batches) {
    InferBatchStatistics &batch = *result.add_batch_stats();
    batch.set_batch_size(static_cast<uint64_t>(size));
    set(times.first, *batch.mutable_compute_input());
    set(times.second, *batch.mutable_compute_infer());
    batch.mutable_compute_output();
  }
  return result;
}

RepositoryIndexResponse toRepositoryIndex(const Registry &registry, bool readyOnly) {
  RepositoryIndexResponse response;
  for (const IndexEntry &entry : repositoryIndex(registry, readyOnly)) {
    auto *model = response.add_models();
    model->set_name(entry.model);
    model->set_version(entry.version);
    model->set_state(entry.state);
    model->set_reason(entry.reason);
  }
  return response;
}

} // namespace mlc::serve
