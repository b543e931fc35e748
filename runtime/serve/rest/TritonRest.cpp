//===- TritonRest.cpp - what Triton adds to the Open Inference Protocol ------------------------------------------===//
#include "runtime/serve/rest/TritonRest.h"

#include "runtime/serve/ModelMessages.h"
#include "runtime/serve/RepositoryIndex.h"
#include "runtime/serve/TritonSettings.h"
#include "runtime/serve/rest/MessageJson.h"

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

/// JSON of a client in an error, cut.
std::string dump(const json &value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 256);
}

http::Response jsonResponse(const json &body) {
  http::Response response;
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
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

/// A setting is a text, `trace_level` a list of them, and null asks for the default.
json TritonRest::traceSetting(const http::Request &request, const OpenInferencePath &path) {
  if (!path.model.name.empty())
    findVersion(services.registry, {path.model.name, {}, {}});
  if (request.method == "POST") {
    TraceSettings wanted;
    json body = readBody(request);
    for (const auto &[name, value] : body.items()) {
      std::vector<std::string> &values = wanted[name];
      json texts = value.is_array() ? value : value.is_null() ? json::array() : json::array({value});
      for (const json &text : texts) {
        if (!text.is_string())
          throw Error(Code::invalidArgument, "trace setting '" + name.substr(0, 64) +
                                                 "': expected a string or a list of them, but got " + dump(value));
        values.push_back(text.get<std::string>());
      }
    }
    setTraceSettings(wanted);
  }
  json settings = json::object();
  for (const auto &[name, values] : traceSettings())
    settings[name] = name == "trace_level" ? json(values) : json(values.front());
  return settings;
}

json TritonRest::index(const http::Request &request) {
  bool readyOnly = false;
  if (json body = readBody(request); body.contains("ready")) {
    if (!body["ready"].is_boolean())
      throw Error(Code::invalidArgument, "expected true or false for 'ready', but got " + dump(body["ready"]));
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
      all.push_back(toJson(toModelStatistics(*version)));
  };
  const ModelSpec &spec = path.model;
  if (spec.name.empty()) {
    for (const std::string &model : services.registry.models())
      addAvailable(model);
  } else if (spec.version || !spec.label.empty()) {
    all.push_back(toJson(toModelStatistics(*findVersion(services.registry, spec))));
  } else {
    findVersion(services.registry, spec); // an error for a model that is not served
    addAvailable(spec.name);
  }
  return {{"model_stats", all}};
}

json TritonRest::configuration(const OpenInferencePath &path) {
  return toJson(toModelConfig(*findVersion(services.registry, path.model), services.registry.config()));
}

json TritonRest::logSettings(const http::Request &request) {
  if (request.method == "POST") {
    LogSettings wanted;
    json body = readBody(request);
    for (const auto &[name, value] : body.items()) {
      if (value.is_boolean())
        wanted[name] = value.get<bool>();
      else if (value.is_number_unsigned() && value.get<uint64_t>() <= UINT32_MAX)
        wanted[name] = value.get<uint32_t>();
      else if (value.is_string())
        wanted[name] = value.get<std::string>();
      else
        throw Error(Code::invalidArgument, "unsupported log setting '" + name.substr(0, 64) + "': " + dump(value));
    }
    setLogSettings(services.telemetry.accessLog(), wanted);
  }
  json settings = json::object();
  for (const auto &[name, value] : serve::logSettings(services.telemetry.accessLog()))
    std::visit([&](const auto &held) { settings[name] = held; }, value);
  return settings;
}

} // namespace mlc::serve
