//===- TensorFlowRest.cpp - TensorFlow Serving's REST API --------------------------------------------------------===//
#include "runtime/serve/rest/TensorFlowRest.h"

#include "runtime/serve/Examples.h"
#include "runtime/serve/SignatureDef.h"
#include "runtime/serve/rest/ExamplesJson.h"
#include "runtime/serve/rest/HttpStatus.h"
#include "runtime/serve/rest/RestCall.h"
#include "runtime/serve/rest/TensorFlowPath.h"

#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace mlc::serve {

using nlohmann::json;

/// A request on its way: what it keeps alive, what is needed to answer it, and what is told of it afterwards.
struct TensorFlowRest::Exchange final {
  Services &services;
  const bool cors;
  std::shared_ptr<const http::Request> request;
  http::Respond respond;
  Call call;
  TensorFlowPath path{};
  std::shared_ptr<Version> version{};
  PredictBody predict{};
  ExampleInputs examples{};

  Exchange(Services &services, bool cors, std::shared_ptr<const http::Request> request, http::Respond respond)
      : services(services), cors(cors), request(std::move(request)), respond(std::move(respond)),
        call(beginCall(*this->request, this->request->target)) {}

  void findVersion() {
    version = services.registry.find(path.model);
    call.version = version->number;
  }

  void finish(http::Response response) {
    if (cors) {
      response.headers.emplace_back("Access-Control-Allow-Origin", "*");
      response.headers.emplace_back("Access-Control-Allow-Methods", "POST, GET");
      response.headers.emplace_back("Access-Control-Allow-Headers", "Content-Type");
    }
    endCall(services, call, std::move(response), respond);
  }

  void finish(std::string body) {
    http::Response response;
    response.body = std::move(body);
    finish(std::move(response));
  }

  void fail(const Status &status) {
    call.status = status;
    finish(http::errorResponse(httpStatus(status.code), status.message));
  }
};

namespace {

/// A message as TensorFlow Serving prints it: names as in the .proto file, and fields that are not set.
std::string toJson(const google::protobuf::Message &message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok())
    throw Error(Code::internal, "Failed to convert proto to json. Error: " + std::string(status.message()));
  return text;
}

Error malformed(const http::Request &request) {
  return Error(Code::invalidArgument, "Malformed request: " + request.method + " " + request.target.substr(0, 1024));
}

} // namespace

TensorFlowRest::TensorFlowRest(Services &services, TensorFlowRestOptions options)
    : services(services), options(std::move(options)) {}

bool TensorFlowRest::handles(std::string_view target) { return TensorFlowPath::handles(target); }

TensorFlowRest::ExchangePointer TensorFlowRest::begin(const std::shared_ptr<const http::Request> &request,
                                                      http::Respond respond) {
  return std::make_shared<Exchange>(services, options.cors, request, std::move(respond));
}

void TensorFlowRest::operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond) {
  ExchangePointer exchange = begin(request, std::move(respond));
  try {
    route(exchange);
  } catch (...) {
    exchange->fail(currentExceptionStatus());
  }
}

void TensorFlowRest::route(const ExchangePointer &exchange) {
  const http::Request &request = *exchange->request;
  if (request.method == "OPTIONS")
    return preflight(exchange);
  TensorFlowPath &path = exchange->path;
  bool get = request.method == "GET", post = request.method == "POST";
  if ((!get && !post) || !path.parse(request.target))
    throw malformed(request);
  exchange->call.model = path.model.name;
  if (get && path.list)
    return list(exchange);
  if (get && !path.list && path.rest.empty())
    return status(exchange);
  if (get && path.rest == "/metadata")
    return metadata(exchange);
  if (!post || path.list || !path.rest.starts_with(':'))
    throw malformed(request);
  exchange->call.api = path.rest.substr(1);
  if (path.rest == ":predict")
    return predict(exchange, PredictForm::tensorFlow);
  if (path.rest == ":classify" || path.rest == ":regress")
    return useExamples(exchange, path.rest == ":classify");
  if (path.rest != ":explain") {
    exchange->call.api.clear(); // a client's own text
    throw malformed(request);
  }
  explain(exchange);
}

void TensorFlowRest::preflight(const ExchangePointer &exchange) {
  std::string_view origin = exchange->request->header("Origin");
  if (origin.find("http://") == origin.npos && origin.find("https://") == origin.npos)
    throw Error(Code::failedPrecondition, "Origin header is missing in CORS preflight");
  exchange->finish("");
}

void TensorFlowRest::list(const ExchangePointer &exchange) {
  exchange->call.api = "list";
  exchange->finish(json{{"models", services.registry.models()}}.dump());
}

/// TensorFlow Serving's answer, which looks at the version alone: with a label in the path, all versions are answered.
/// For the whole model, KServe's `name` and `ready` are beside it.
void TensorFlowRest::status(const ExchangePointer &exchange) {
  exchange->call.api = "status";
  const ModelSpec &model = exchange->path.model;
  std::vector<VersionStatus> statuses = services.registry.statuses(model.name, model.version);
  json answer = json::parse(toJson(toModelStatus(statuses)));
  for (json &version : answer["model_version_status"]) {
    json &code = version["status"]["error_code"]; // a number in our messages, TensorFlow's enumeration in its own
    code = codeName(Code(code.get<int>()));
  }
  if (!model.version) {
    answer["name"] = model.name;
    answer["ready"] = std::any_of(statuses.begin(), statuses.end(),
                                  [](const VersionStatus &status) { return status.state == State::available; });
  }
  exchange->finish(answer.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

void TensorFlowRest::metadata(const ExchangePointer &exchange) {
  exchange->call.api = "metadata";
  exchange->findVersion();
  tensorflow::serving::GetModelMetadataResponse response = toModelMetadata(*exchange->version);
  tensorflow::serving::SignatureDefMap signatures;
  response.metadata().at("signature_def").UnpackTo(&signatures);
  json answer = {{"model_spec", json::parse(toJson(response.model_spec()))},
                 {"metadata", {{"signature_def", json::parse(toJson(signatures))}}}};
  exchange->finish(answer.dump(1) + "\n");
}

void TensorFlowRest::predict(const ExchangePointer &exchange, PredictForm form) {
  exchange->findVersion();
  PredictBody &body = exchange->predict;
  body = readPredictBody(exchange->request->body, exchange->version->signature(), form);
  if (!body.inputs.empty() && !body.inputs[0].sizes.empty())
    exchange->call.examples = body.inputs[0].sizes[0];
  serve::Request request;
  request.inputs = std::move(body.inputs);
  infer(exchange, std::move(request), [exchange = exchange.get(), form](std::span<const Tensor> outputs) {
    return writePredictions(outputs, exchange->predict.rows, form);
  });
}

void TensorFlowRest::useExamples(const ExchangePointer &exchange, bool classify) {
  exchange->findVersion();
  checkMethodName(services.checksMethodNames, classify ? classifyMethod : regressMethod);
  const Signature &signature = exchange->version->signature();
  tensorflow::serving::Input input =
      readExamplesBody(exchange->request->body, signature, classify ? "classify" : "regress");
  serve::Request request;
  request.outputs = classify ? classifyOutputs(signature) : std::vector{regressOutput(signature)};
  exchange->examples = toInputs(input, signature);
  exchange->call.examples = exchange->examples.examples;
  request.inputs = std::move(exchange->examples.tensors);
  infer(exchange, std::move(request), [exchange = exchange.get(), classify](std::span<const Tensor> outputs) {
    int64_t count = exchange->examples.examples;
    return classify ? writeClasses(toClasses(outputs, count, exchange->version->labels()))
                    : writeValues(toValues(outputs, count));
  });
}

/// :explain of KServe: a prediction's body, and beside it what is asked of the explanation.
void TensorFlowRest::explain(const ExchangePointer &exchange) {
  exchange->findVersion();
  if (!services.explainer)
    throw Error(Code::unimplemented, "this server does not explain predictions");
  PredictBody &body = exchange->predict;
  body = readPredictBody(exchange->request->body, exchange->version->signature(), PredictForm::explain);
  if (!body.inputs.empty() && !body.inputs[0].sizes.empty())
    exchange->call.examples = body.inputs[0].sizes[0];
  services.telemetry.noteInputs(exchange->call, body.inputs);
  body.explanation.inputs = std::move(body.inputs);
  body.explanation.deadline = deadline(*exchange);
  services.explainer->submit(exchange->version, std::move(body.explanation),
                             answerWith(exchange, [exchange = exchange.get()](std::span<const Tensor> outputs) {
                               return writePredictions(outputs, exchange->predict.rows, PredictForm::explain);
                             }));
}

Clock::time_point TensorFlowRest::deadline(const Exchange &exchange) const {
  Clock::time_point end = exchange.request->start + options.timeout;
  if (Clock::now() >= end)
    throw Error(Code::deadlineExceeded, "the request took too long to arrive");
  return end;
}

/// Runs a request, and answers with what `write` makes of the outputs.
void TensorFlowRest::infer(const ExchangePointer &exchange, serve::Request request, Write write) {
  services.telemetry.noteInputs(exchange->call, request.inputs);
  request.deadline = deadline(*exchange);
  request.cancelled = exchange->request->cancelled;
  exchange->version->infer(std::move(request), answerWith(exchange, std::move(write)));
}

Completion TensorFlowRest::answerWith(const ExchangePointer &exchange, Write write) {
  return [exchange, write = std::move(write)](const Status &status, std::span<const Tensor> outputs,
                                              const Timing &timing) {
    exchange->call.timing = timing;
    if (!status.ok())
      return exchange->fail(status);
    std::string body;
    try {
      body = write(outputs);
    } catch (...) {
      return exchange->fail(currentExceptionStatus());
    }
    exchange->finish(std::move(body));
  };
}

void TensorFlowRest::invoke(const std::shared_ptr<const http::Request> &request, http::Respond respond) {
  ExchangePointer exchange = begin(request, std::move(respond));
  try {
    exchange->call.api = "invocations";
    if (request->method != "POST")
      throw malformed(*request);
    std::vector<std::string> models = services.registry.models();
    if (models.size() != 1)
      throw Error(Code::failedPrecondition,
                  "expected one model for /invocations, but got " + std::to_string(models.size()));
    exchange->path.model.name = exchange->call.model = models.front();
    predict(exchange, PredictForm::mlflow);
  } catch (...) {
    exchange->fail(currentExceptionStatus());
  }
}

} // namespace mlc::serve
