//===- TritonRest.cpp - what Triton adds to the Open Inference Protocol ------------------------------------------===//
#include "runtime/serve/rest/TritonRest.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/RepositoryIndex.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mlc::serve {

using nlohmann::json;

namespace {

constexpr size_t mostBodyBytes = size_t(1) << 16; // these requests are small
constexpr int deepest = 16;

/// The body of a request; an empty object where there is none.
json readBody(const http::Request &request) {
  if (request.body.empty())
    return json::object();
  if (request.body.size() > mostBodyBytes)
    throw Error(Code::invalidArgument, "expected a request of at most " + std::to_string(mostBodyBytes) +
                                           " bytes, but got " + std::to_string(request.body.size()));
  auto shallow = [](int depth, json::parse_event_t, json &) {
    if (depth > deepest)
      throw Error(Code::invalidArgument, "failed to parse the request JSON buffer: it is nested too deeply");
    return true;
  };
  json body = json::parse(request.body, shallow, false);
  if (!body.is_object())
    throw Error(Code::invalidArgument, "failed to parse the request JSON buffer: expected an object");
  return body;
}

http::Response jsonResponse(const json &body) {
  http::Response response;
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

json sumJson(const Statistics::Sum &sum) { return {{"count", sum.count}, {"ns", sum.time.count()}}; }

json statisticsJson(const Version &version) {
  Statistics sums = version.statistics();
  json batches = json::array();
  for (const auto &[size, times] : sums.batches)
    batches.push_back({{"batch_size", size},
                       {"compute_input", sumJson(times.first)},
                       {"compute_infer", sumJson(times.second)},
                       {"compute_output", sumJson({})}});
  auto last = std::chrono::duration_cast<std::chrono::milliseconds>(sums.lastInference.time_since_epoch()).count();
  return {{"name", version.model},
          {"version", std::to_string(version.number)},
          {"last_inference", last},
          {"inference_count", sums.inferences},
          {"execution_count", sums.executions},
          {"inference_stats",
           {{"success", sumJson(sums.success)},
            {"fail", sumJson(sums.fail)},
            {"queue", sumJson(sums.queue)},
            {"compute_input", sumJson(sums.input)},
            {"compute_infer", sumJson(sums.infer)},
            {"compute_output", sumJson(sums.output)},
            {"cache_hit", sumJson({})},
            {"cache_miss", sumJson({})}}},
          {"response_stats", json::object()},
          {"batch_stats", batches},
          {"memory_usage", json::array()}};
}

/// Inputs or outputs as Triton's configuration has them: without the axis of the batch where there is one.
json tensorsJson(const std::vector<TensorInfo> &infos, bool batching) {
  json tensors = json::array();
  for (const TensorInfo &info : infos) {
    std::vector<int64_t> dims(info.sizes.begin() + (batching ? 1 : 0), info.sizes.end());
    tensors.push_back(
        {{"name", info.name}, {"data_type", std::string("TYPE_") + openInferenceName(info.dtype)}, {"dims", dims}});
  }
  return tensors;
}

json policyJson(const tensorflow::serving::ModelServerConfig &config, const std::string &model) {
  for (const auto &entry : config.model_config_list().config()) {
    if (entry.name() != model)
      continue;
    const auto &policy = entry.model_version_policy();
    if (policy.has_all())
      return {{"all", json::object()}};
    if (policy.has_specific())
      return {{"specific",
               {{"versions",
                 std::vector<int64_t>(policy.specific().versions().begin(), policy.specific().versions().end())}}}};
    if (policy.has_latest())
      return {{"latest", {{"num_versions", std::max(policy.latest().num_versions(), 1u)}}}};
  }
  return {{"latest", {{"num_versions", 1}}}};
}

/// "systemsharedmemory[/region/R]/VERB" and "cudasharedmemory…": the verb; empty for other paths.
std::string sharedMemoryVerb(std::string_view rest) {
  for (std::string_view kind : {"systemsharedmemory/", "cudasharedmemory/"}) {
    if (!rest.starts_with(kind))
      continue;
    rest.remove_prefix(kind.size());
    if (rest.starts_with("region/"))
      rest.remove_prefix(std::min(rest.size(), rest.find('/', 7)));
    if (rest.starts_with('/'))
      rest.remove_prefix(1);
    return std::string(rest);
  }
  return {};
}

} // namespace

OpenInferenceRoute TritonRest::route(const OpenInferencePath &path) {
  const std::string &rest = path.rest;
  if (rest == "trace/setting")
    return {"TraceSetting", "GET, POST"};
  if (!path.model.name.empty())
    return rest == "stats"    ? OpenInferenceRoute{"ModelStatistics", "GET"}
           : rest == "config" ? OpenInferenceRoute{"ModelConfig", "GET"}
                              : OpenInferenceRoute{};
  if (rest == "models/stats")
    return {"ModelStatistics", "GET"};
  if (rest == "logging")
    return {"LogSettings", "GET, POST"};
  if (rest == "repository/index")
    return {"RepositoryIndex", "POST"};
  if (rest.starts_with("repository/models/") && rest.ends_with("/load"))
    return {"RepositoryModelLoad", "POST"};
  if (rest.starts_with("repository/models/") && rest.ends_with("/unload"))
    return {"RepositoryModelUnload", "POST"};
  std::string verb = sharedMemoryVerb(rest);
  return verb == "status"       ? OpenInferenceRoute{"SharedMemoryStatus", "GET"}
         : verb == "register"   ? OpenInferenceRoute{"SharedMemoryRegister", "POST"}
         : verb == "unregister" ? OpenInferenceRoute{"SharedMemoryUnregister", "POST"}
                                : OpenInferenceRoute{};
}

void TritonRest::handle(const http::Request &request, const OpenInferencePath &path, Call &call,
                        const std::function<void(http::Response)> &finish,
                        const std::function<void(const Status &)> &fail) {
  const std::string &api = call.api;
  if (api == "RepositoryModelLoad" || api == "RepositoryModelUnload")
    return control(request, path, call, finish, fail);
  if (api == "SharedMemoryRegister")
    throw Error(Code::unimplemented, "unsupported shared memory; send tensors as binary data");
  if (api == "SharedMemoryUnregister") // none is registered, so all of it has been unregistered
    return finish({});
  finish(jsonResponse(api == "ModelStatistics"   ? statistics(path)
                      : api == "ModelConfig"     ? configuration(path)
                      : api == "RepositoryIndex" ? index(request)
                      : api == "LogSettings"     ? logSettings(request)
                      : api == "TraceSetting"    ? traceSetting(request, path)
                                                 : json::array())); // the regions of shared memory
}

void TritonRest::control(const http::Request &request, const OpenInferencePath &path, Call &call,
                         const std::function<void(http::Response)> &finish,
                         const std::function<void(const Status &)> &fail) {
  bool load = call.api == "RepositoryModelLoad";
  call.model = OpenInferencePath::parse("/v2/" + path.rest.substr(std::string_view("repository/").size())).model.name;
  json parameters = readBody(request).value("parameters", json::object());
  for (const auto &[name, value] : parameters.items())
    if (name != "unload_dependents")
      throw Error(Code::unimplemented, "unsupported parameter '" + name.substr(0, 64) +
                                           "'; a model's configuration is beside it in the repository");
  loads.post([this, model = call.model, load, finish, fail] {
    try {
      if (load)
        services.registry.load(model);
      else
        services.registry.unload(model);
    } catch (...) {
      return fail(currentExceptionStatus());
    }
    finish({});
  });
}

/// Traces are the access log's lines, so nothing can be switched on here.
json TritonRest::traceSetting(const http::Request &request, const OpenInferencePath &path) {
  static const json settings = {{"trace_level", {"OFF"}}, {"trace_rate", "1000"}, {"trace_count", "-1"},
                                {"log_frequency", "0"},   {"trace_file", ""},     {"trace_mode", "triton"}};
  if (!path.model.name.empty())
    findVersion(services.registry, {path.model.name, {}, {}});
  if (request.method != "POST")
    return settings;
  json wanted = readBody(request);
  for (const auto &[name, value] : wanted.items())
    if (!settings.contains(name) || (!value.is_null() && value != settings[name]))
      throw Error(Code::unimplemented, "unsupported trace setting '" + name.substr(0, 64) + "'");
  return settings;
}

json TritonRest::index(const http::Request &request) {
  bool readyOnly = false;
  if (json body = readBody(request); body.contains("ready")) {
    if (!body["ready"].is_boolean())
      throw Error(Code::invalidArgument, "expected true or false for 'ready', but got " + body["ready"].dump());
    readyOnly = body["ready"].get<bool>();
  }
  json models = json::array();
  for (const IndexEntry &entry : repositoryIndex(services.registry, readyOnly)) {
    models.push_back({{"name", entry.model}});
    if (!entry.version.empty())
      models.back().update({{"version", entry.version}, {"state", entry.state}, {"reason", entry.reason}});
  }
  return models;
}

json TritonRest::statistics(const OpenInferencePath &path) {
  json all = json::array();
  auto addAvailable = [&](const std::string &model) {
    for (const std::shared_ptr<Version> &version : services.registry.available(model))
      all.push_back(statisticsJson(*version));
  };
  const ModelSpec &spec = path.model;
  if (spec.name.empty()) {
    for (const std::string &model : services.registry.models())
      addAvailable(model);
  } else if (spec.version || !spec.label.empty()) {
    all.push_back(statisticsJson(*findVersion(services.registry, spec)));
  } else {
    findVersion(services.registry, spec); // an error for a model that is not served
    addAvailable(spec.name);
  }
  return {{"model_stats", all}};
}

json TritonRest::configuration(const OpenInferencePath &path) {
  std::shared_ptr<Version> version = findVersion(services.registry, path.model);
  const QueuePolicy &policy = version->policy();
  bool batching = policy.batching;
  json config = {{"name", version->model},
                 {"platform", "mlc"},
                 {"backend", "mlc"},
                 {"default_model_filename", version->manifest().library},
                 {"version_policy", policyJson(services.registry.config(), version->model)},
                 {"max_batch_size", batching ? policy.maxBatch : 0},
                 {"input", tensorsJson(version->signature().inputs, batching)},
                 {"output", tensorsJson(version->signature().outputs, batching)},
                 {"instance_group",
                  {{{"name", version->model}, {"kind", "KIND_CPU"}, {"count", std::max(policy.concurrency, 1)}}}},
                 {"parameters", json::object()}};
  if (!version->labels().empty())
    for (json &output : config["output"])
      output["label_filename"] = "labels.txt";
  if (batching)
    config["dynamic_batching"] = {{"preferred_batch_size", policy.preferredSizes},
                                  {"max_queue_delay_microseconds", policy.delay.count()},
                                  {"priority_levels", policy.priorityLevels > 1 ? policy.priorityLevels : 0},
                                  {"default_priority_level", policy.priorityLevels > 1 ? policy.defaultPriority : 0},
                                  {"default_queue_policy",
                                   {{"timeout_action", "REJECT"},
                                    {"default_timeout_microseconds", policy.defaultTimeout.count()},
                                    {"allow_timeout_override", true},
                                    {"max_queue_size", policy.maxWaiting}}}};
  return config;
}

/// Triton's switches: what was answered well, what the client was at fault for, and what the server was.
json TritonRest::logSettings(const http::Request &request) {
  AccessLog *log = services.telemetry.accessLog();
  struct Switch final {
    const char *name;
    std::atomic<bool> *flag;
  };
  const Switch switches[] = {{"log_info", log ? &log->successes : nullptr},
                             {"log_warning", log ? &log->clientErrors : nullptr},
                             {"log_error", log ? &log->serverErrors : nullptr}};
  json settings = {{"log_file", log ? log->path() : ""}, {"log_verbose_level", 0}, {"log_format", "default"}};
  auto read = [&] {
    for (const Switch &entry : switches)
      settings[entry.name] = entry.flag && entry.flag->load();
  };
  read();
  if (request.method != "POST")
    return settings;
  json wanted = readBody(request);
  for (const auto &[name, value] : wanted.items()) {
    auto it =
        std::find_if(std::begin(switches), std::end(switches), [&](const Switch &entry) { return name == entry.name; });
    bool settable = it != std::end(switches) && it->flag && value.is_boolean();
    if (!settable && (!settings.contains(name) || settings[name] != value))
      throw Error(Code::invalidArgument, "unsupported log setting '" + name.substr(0, 64) + "': " + value.dump());
  }
  for (const Switch &entry : switches)
    if (entry.flag && wanted.contains(entry.name))
      entry.flag->store(wanted[entry.name].get<bool>());
  read();
  return settings;
}

} // namespace mlc::serve
