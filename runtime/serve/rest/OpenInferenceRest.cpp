//===- OpenInferenceRest.cpp - the Open Inference Protocol (KServe v2) over HTTP ---------------------------------===//
#include "runtime/serve/rest/OpenInferenceRest.h"

#include "runtime/serve/ModelMessages.h"
#include "runtime/serve/rest/BinaryTensors.h"
#include "runtime/serve/rest/MessageJson.h"
#include "runtime/serve/rest/OpenInferenceJson.h"
#include "runtime/serve/rest/OpenInferencePath.h"
#include "runtime/serve/rest/RestCall.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace mlc::serve {

using nlohmann::json;

/// A request on its way: what is needed to answer it, and what is told of it afterwards.
struct OpenInferenceRest::Exchange final {
  Services &services;
  std::shared_ptr<const http::Request> request;
  http::Respond respond;
  Call call;
  OpenInferencePath path{};
  std::shared_ptr<Version> version{};
  InferenceRequest inference{};

  Exchange(Services &services, std::shared_ptr<const http::Request> request, http::Respond respond)
      : services(services), request(std::move(request)), respond(std::move(respond)),
        call(beginCall(*this->request, this->request->path())) {}

  void finish(http::Response response) { endCall(services, call, std::move(response), respond); }

  Clock::time_point deadline() const {
    return inference.timeout.count() > 0 ? request->start + inference.timeout : Clock::time_point::max();
  }

  /// The answer of a run.
  void complete(const Status &status, std::span<const Tensor> outputs, const Timing &timing) {
    call.timing = timing;
    if (!status.ok())
      return fail(status);
    http::Response response;
    try {
      InferenceAnswer answer = writeInferenceAnswer(*version, inference, outputs);
      response.body = std::move(answer.body);
      if (answer.jsonBytes) {
        response.type = "application/octet-stream";
        response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(answer.jsonBytes));
      }
    } catch (...) {
      return fail(currentExceptionStatus());
    }
    finish(std::move(response));
  }

  void fail(const Status &status) {
    call.status = status;
    std::string id = inference.id.empty() ? "" : "[request id: " + inference.id.substr(0, 256) + "] ";
    finish(http::errorResponse(openInferenceHttpStatus(status.code), id + status.message));
  }
};

namespace {

http::Response jsonResponse(const json &body, int status = 200) {
  http::Response response;
  response.status = status;
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

/// The protocol's own routes.
OpenInferenceRoute routeOf(const OpenInferencePath &path) {
  const std::string &rest = path.rest;
  if (!path.model.name.empty())
    return rest.empty()      ? OpenInferenceRoute{"ModelMetadata", "GET"}
           : rest == "ready" ? OpenInferenceRoute{"ModelReady", "GET"}
           : rest == "infer" ? OpenInferenceRoute{"infer", "POST"}
                             : TritonRest::route(path);
  return rest.empty()             ? OpenInferenceRoute{"ServerMetadata", "GET"}
         : rest == "health/live"  ? OpenInferenceRoute{"ServerLive", "GET"}
         : rest == "health/ready" ? OpenInferenceRoute{"ServerReady", "GET"}
         : rest == "models"       ? OpenInferenceRoute{"ModelList", "GET"}
                                  : TritonRest::route(path);
}

/// Whether a list "GET, POST" has a method.
bool allows(std::string_view methods, std::string_view method) {
  return methods == method || methods.starts_with(std::string(method) + ",") ||
         methods.ends_with(" " + std::string(method));
}

} // namespace

int openInferenceHttpStatus(Code code) {
  switch (code) {
  case Code::ok:
    return 200;
  case Code::unauthenticated:
    return 401;
  case Code::permissionDenied:
    return 403;
  case Code::notFound:
    return 404;
  case Code::resourceExhausted:
    return 429;
  case Code::cancelled:
    return 499;
  case Code::internal:
  case Code::dataLoss:
    return 500;
  case Code::unimplemented:
    return 501;
  case Code::unavailable:
    return 503;
  case Code::deadlineExceeded:
    return 504;
  default:
    return 400;
  }
}

bool OpenInferenceRest::handles(std::string_view target) {
  return target.starts_with("/v2") && (target.size() == 3 || target[3] == '/' || target[3] == '?');
}

void OpenInferenceRest::operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond) {
  auto exchange = std::make_shared<Exchange>(services, request, std::move(respond));
  try {
    exchange->path = OpenInferencePath::parse(request->path());
    exchange->call.model = exchange->path.model.name;
    OpenInferenceRoute route = routeOf(exchange->path);
    exchange->call.api = route.api;
    if (route.api.empty())
      throw Error(Code::notFound, "Not Found");
    if (!allows(route.methods, request->method)) {
      exchange->call.status = {Code::unimplemented, "Method Not Allowed"};
      http::Response response = http::errorResponse(405, "Method Not Allowed");
      response.headers.emplace_back("Allow", route.methods);
      return exchange->finish(std::move(response));
    }
    if (route.api == "infer")
      return infer(exchange);
    if (!TritonRest::route(exchange->path).api.empty())
      return triton.handle(
          *request, exchange->path, exchange->call,
          [exchange](http::Response response) { exchange->finish(std::move(response)); },
          [exchange](const Status &status) { exchange->fail(status); });
    exchange->finish(answer(*exchange));
  } catch (...) {
    exchange->fail(currentExceptionStatus());
  }
}

http::Response OpenInferenceRest::answer(Exchange &exchange) {
  const std::string &api = exchange.call.api;
  if (api == "ServerLive")
    return health(true);
  if (api == "ServerReady")
    return health(services.ready());
  if (api == "ModelList")
    return jsonResponse({{"models", services.registry.models()}});
  if (api == "ModelReady")
    return modelReady(exchange);
  if (api == "ModelMetadata")
    return modelMetadata(exchange);
  return jsonResponse(toJson(serverMetadata()));
}

/// What all clients look for: Triton's the status, KServe's the members.
http::Response OpenInferenceRest::health(bool good) {
  return jsonResponse({{"live", true}, {"ready", services.ready()}}, good ? 200 : 503);
}

http::Response OpenInferenceRest::modelReady(Exchange &exchange) {
  const std::string &name = exchange.path.model.name;
  try {
    exchange.call.version = findVersion(services.registry, exchange.path.model)->number;
  } catch (const Error &error) {
    std::vector<std::string> models = services.registry.models();
    if (std::find(models.begin(), models.end(), name) == models.end())
      throw;
    exchange.call.status = error.status();
    return jsonResponse({{"name", name}, {"ready", false}, {"error", error.what()}}, 503);
  }
  return jsonResponse({{"name", name}, {"ready", true}});
}

http::Response OpenInferenceRest::modelMetadata(Exchange &exchange) {
  std::shared_ptr<Version> version = findVersion(services.registry, exchange.path.model);
  exchange.call.version = version->number;
  json body = toJson(toModelMetadata(*version, availableVersions(services.registry, version->model)));
  if (body["properties"].empty())
    body.erase("properties");
  return jsonResponse(body);
}

/// Finds the version and reads the body of a request that runs the model.
void OpenInferenceRest::read(Exchange &exchange) {
  exchange.version = findVersion(services.registry, exchange.path.model);
  Call &call = exchange.call;
  call.version = exchange.version->number;
  std::string_view body = exchange.request->body;
  std::optional<size_t> jsonBytes =
      readJsonLength(exchange.request->header("Inference-Header-Content-Length"), body.size());
  const Signature &signature = exchange.version->signature();
  InferenceRequest &inference = exchange.inference;
  if (jsonBytes == 0)
    readRawRequest(inference, body, signature);
  else
    readInferenceRequest(inference, body.substr(0, jsonBytes.value_or(body.size())),
                         body.substr(jsonBytes.value_or(body.size())), exchange.request->body.capacity());
  bool hasRows = signature.batchable() && !inference.inputs.empty() && !inference.inputs[0].sizes.empty();
  call.examples = hasRows ? inference.inputs[0].sizes[0] : 1;
  services.telemetry.noteInputs(call, inference.inputs);
}

void OpenInferenceRest::infer(const std::shared_ptr<Exchange> &exchange) {
  read(*exchange);
  InferenceRequest &inference = exchange->inference;
  Request wanted;
  wanted.inputs = std::move(inference.inputs);
  for (const InferenceRequest::Output &output : inference.outputs)
    wanted.outputs.push_back(output.name);
  wanted.priority = inference.priority;
  wanted.deadline = exchange->deadline();
  wanted.cancelled = exchange->request->cancelled;
  inferOrExplain(exchange->version, std::move(wanted), inference.explanation, services.explainer,
                 [exchange](const Status &status, std::span<const Tensor> outputs, const Timing &timing) {
                   exchange->complete(status, outputs, timing);
                 });
}

} // namespace mlc::serve
