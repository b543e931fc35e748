//===- OpenApi.cpp - the document that describes the HTTP interface ----------------------------------------------===//
#include "runtime/serve/rest/OpenApi.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace mlc::serve {

using json = nlohmann::ordered_json;

namespace {

constexpr const char *tensorFlow = "TensorFlow Serving", *openInference = "Open Inference Protocol", *triton = "Triton",
                     *server = "Server";

constexpr DocumentedRoute routes[] = {
    {"GET", "/v1/models", tensorFlow, "Names of the models", nullptr, "ModelList"},
    {"GET", "/v1/models/{model}", tensorFlow, "States of a model's versions", nullptr, "ModelStatus"},
    {"GET", "/v1/models/{model}/versions/{version}", tensorFlow, "State of a version", nullptr, "ModelStatus"},
    {"GET", "/v1/models/{model}/labels/{label}", tensorFlow, "States of a model's versions, all of them", nullptr,
     "ModelStatus"},
    {"GET", "/v1/models/{model}/metadata", tensorFlow, "Inputs and outputs of a model", nullptr, "SignatureDefs"},
    {"GET", "/v1/models/{model}/versions/{version}/metadata", tensorFlow, "Inputs and outputs of a version", nullptr,
     "SignatureDefs"},
    {"GET", "/v1/models/{model}/labels/{label}/metadata", tensorFlow, "Inputs and outputs of a labelled version",
     nullptr, "SignatureDefs"},
    {"POST", "/v1/models/{model}:predict", tensorFlow, "Run a model", "Predict", "Predictions"},
    {"POST", "/v1/models/{model}/versions/{version}:predict", tensorFlow, "Run a version", "Predict", "Predictions"},
    {"POST", "/v1/models/{model}/labels/{label}:predict", tensorFlow, "Run a labelled version", "Predict",
     "Predictions"},
    {"POST", "/v1/models/{model}:classify", tensorFlow, "Classify examples", "Examples", "Classes"},
    {"POST", "/v1/models/{model}/versions/{version}:classify", tensorFlow, "Classify examples by a version", "Examples",
     "Classes"},
    {"POST", "/v1/models/{model}:regress", tensorFlow, "Values of examples", "Examples", "Values"},
    {"POST", "/v1/models/{model}/versions/{version}:regress", tensorFlow, "Values of examples by a version", "Examples",
     "Values"},
    {"POST", "/v1/models/{model}:explain", tensorFlow, "Explain predictions of a model compiled with --with-gradient",
     "Predict", "Any"},
    {"POST", "/invocations", tensorFlow, "Run the only model (MLflow, SageMaker)", "Predict", "Predictions"},
    {"GET", "/v2", openInference, "The server and its extensions", nullptr, "ServerMetadata"},
    {"GET", "/v2/health/live", openInference, "Whether the server runs", nullptr, "Health"},
    {"GET", "/v2/health/ready", openInference, "Whether all models can be asked", nullptr, "Health"},
    {"GET", "/v2/models", openInference, "Names of the models", nullptr, "ModelList"},
    {"GET", "/v2/models/{model}", openInference, "Inputs and outputs of a model", nullptr, "ModelMetadata"},
    {"GET", "/v2/models/{model}/versions/{version}", openInference, "Inputs and outputs of a version", nullptr,
     "ModelMetadata"},
    {"GET", "/v2/models/{model}/ready", openInference, "Whether a model can be asked", nullptr, "ModelReady"},
    {"GET", "/v2/models/{model}/versions/{version}/ready", openInference, "Whether a version can be asked", nullptr,
     "ModelReady"},
    {"POST", "/v2/models/{model}/infer", openInference, "Run a model", "Inference", "InferenceAnswer"},
    {"POST", "/v2/models/{model}/versions/{version}/infer", openInference, "Run a version", "Inference",
     "InferenceAnswer"},
    {"GET", "/v2/models/stats", triton, "Statistics of all models", nullptr, "Any"},
    {"GET", "/v2/models/{model}/stats", triton, "Statistics of a model", nullptr, "Any"},
    {"GET", "/v2/models/{model}/config", triton, "How a model is batched", nullptr, "Any"},
    {"POST", "/v2/repository/index", triton, "Models and their states", "Any", "Any"},
    {"POST", "/v2/repository/models/{model}/load", triton, "Serve a model", "Any", "Any"},
    {"POST", "/v2/repository/models/{model}/unload", triton, "Take a model out of service", "Any", "Any"},
    {"GET", "/livez", server, "Whether the server runs", nullptr, "Any"},
    {"GET", "/readyz", server, "Whether the server wants requests", nullptr, "Any"},
    {"GET", "/healthz", server, "As /readyz", nullptr, "Any"},
    {"GET", "/health", server, "As /readyz", nullptr, "Any"},
    {"GET", "/ping", server, "As /readyz", nullptr, "Any"},
    {"GET", "/version", server, "Name and version of the server", nullptr, "Any"},
    {"GET", "/metrics", server, "Metrics for Prometheus", nullptr, nullptr},
    {"GET", "/openapi.json", server, "This document", nullptr, "Any"},
    {"GET", "/", server, "The status page", nullptr, nullptr}};

/// What the bodies are, in JSON Schema.
constexpr const char *schemas = R"({
  "Any": {"type": "object"},
  "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
  "Tensor": {"description": "A number, a boolean, or lists of them, all of one size at each level",
             "type": ["number", "boolean", "string", "array"]},
  "ModelList": {"type": "object", "required": ["models"],
                "properties": {"models": {"type": "array", "items": {"type": "string"}}}},
  "ModelStatus": {"type": "object", "required": ["model_version_status"], "properties": {
    "name": {"type": "string"}, "ready": {"type": "boolean"},
    "model_version_status": {"type": "array", "items": {"type": "object", "properties": {
      "version": {"type": "string"}, "state": {"enum": ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]},
      "status": {"type": "object", "properties": {"error_code": {"type": "string"},
                                                  "error_message": {"type": "string"}}}}}}}},
  "SignatureDefs": {"type": "object", "required": ["model_spec", "metadata"], "properties": {
    "model_spec": {"type": "object"}, "metadata": {"type": "object"}}},
  "Predict": {"description": "Either instances, a list of samples, or inputs, whole inputs by name",
              "type": "object", "properties": {
    "signature_name": {"type": "string"}, "instances": {"type": "array", "minItems": 1}, "inputs": {}},
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}]},
  "Predictions": {"description": "predictions, one a sample of instances, or outputs, for inputs", "type": "object",
                  "properties": {"predictions": {"type": "array"}, "outputs": {}}},
  "Examples": {"type": "object", "required": ["examples"], "properties": {
    "signature_name": {"type": "string"}, "context": {"type": "object"},
    "examples": {"type": "array", "minItems": 1, "items": {"type": "object"}}}},
  "Classes": {"type": "object", "required": ["results"], "properties": {"results": {"type": "array", "items": {
    "type": "array", "items": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}}}}},
  "Values": {"type": "object", "required": ["results"],
             "properties": {"results": {"type": "array", "items": {"type": "number"}}}},
  "Health": {"type": "object", "properties": {"live": {"type": "boolean"}, "ready": {"type": "boolean"}}},
  "ServerMetadata": {"type": "object", "required": ["name", "version", "extensions"], "properties": {
    "name": {"type": "string"}, "version": {"type": "string"},
    "extensions": {"type": "array", "items": {"type": "string"}}}},
  "TensorMetadata": {"type": "object", "required": ["name", "datatype", "shape"], "properties": {
    "name": {"type": "string"}, "datatype": {"type": "string"},
    "shape": {"type": "array", "items": {"type": "integer"}}}},
  "ModelMetadata": {"type": "object", "required": ["name", "platform", "inputs", "outputs"], "properties": {
    "name": {"type": "string"}, "versions": {"type": "array", "items": {"type": "string"}},
    "platform": {"type": "string"},
    "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}},
    "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}}}},
  "ModelReady": {"type": "object", "required": ["name", "ready"],
                 "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}}},
  "InferenceTensor": {"type": "object", "required": ["name", "shape", "datatype"], "properties": {
    "name": {"type": "string"}, "datatype": {"type": "string"},
    "shape": {"type": "array", "items": {"type": "integer"}}, "parameters": {"type": "object"},
    "data": {"type": "array"}}},
  "Inference": {"type": "object", "required": ["inputs"], "properties": {
    "id": {"type": "string"}, "parameters": {"type": "object"},
    "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/InferenceTensor"}},
    "outputs": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string"}, "parameters": {"type": "object"}}}}}},
  "InferenceAnswer": {"type": "object", "required": ["model_name", "outputs"], "properties": {
    "model_name": {"type": "string"}, "model_version": {"type": "string"}, "id": {"type": "string"},
    "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/InferenceTensor"}}}}
})";

json content(const char *schema) {
  if (!schema)
    return {{"text/plain", json::object()}};
  return {{"application/json", {{"schema", {{"$ref", std::string("#/components/schemas/") + schema}}}}}};
}

json operation(const DocumentedRoute &route) {
  json described = {{"tags", {route.tag}}, {"summary", route.summary}};
  std::string path = route.path;
  for (const char *name : {"model", "version", "label"})
    if (path.find(std::string("{") + name + "}") != path.npos)
      described["parameters"].push_back(
          {{"name", name},
           {"in", "path"},
           {"required", true},
           {"schema", {{"type", std::string_view(name) == "version" ? "integer" : "string"}}}});
  if (route.request)
    described["requestBody"] = {{"required", std::string_view(route.request) != "Any"},
                                {"content", content(route.request)}};
  described["responses"]["200"] = {{"description", "The answer"}, {"content", content(route.response)}};
  described["responses"]["default"] = {{"description", "Why there is none"}, {"content", content("Error")}};
  return described;
}

} // namespace

std::span<const DocumentedRoute> documentedRoutes() { return routes; }

const std::string &openApiDocument() {
  static const std::string text = [] {
    json document = {{"openapi", "3.1.0"},
                     {"info", {{"title", "mlc-serve"}, {"version", MLC_SERVE_VERSION}}},
                     {"paths", json::object()}};
    for (const DocumentedRoute &route : routes) {
      std::string method = route.method;
      std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::tolower(c); });
      document["paths"][route.path][method] = operation(route);
    }
    document["components"] = {{"schemas", json::parse(schemas)},
                              {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}};
    return document.dump(1);
  }();
  return text;
}

} // namespace mlc::serve
