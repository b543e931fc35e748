//===- TensorFlowRestTest.cpp - TensorFlow Serving's REST API, and the top of the HTTP port ----------------------===//
#include "ServedModels.h"

#include "runtime/serve/rest/HttpStatus.h"
#include "runtime/serve/rest/OpenApi.h"
#include "runtime/serve/rest/Routes.h"
#include "runtime/serve/rest/TensorFlowRest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace mlc::serve;
using namespace mlc::serve::test;
using nlohmann::json;

namespace {

class TensorFlowRestTest : public testing::Test {
protected:
  http::Response ask(const std::string &method, const std::string &target, const std::string &body = "",
                     const Headers &headers = {}) {
    return call(std::ref(rest), makeRequest(method, target, body, headers));
  }
  json get(const std::string &target) {
    http::Response response = ask("GET", target);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.type, "application/json");
    return json::parse(response.body);
  }
  std::string post(const std::string &target, const std::string &body) {
    http::Response response = ask("POST", target, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }
  /// "404 message"
  std::string failure(const std::string &method, const std::string &target, const std::string &body = "") {
    http::Response response = ask(method, target, body);
    return std::to_string(response.status) + " " + json::parse(response.body)["error"].get<std::string>();
  }

  ServedModels served;
  TensorFlowRest rest{served.services, {}};
};

TEST_F(TensorFlowRestTest, Predicts) {
  EXPECT_EQ(post("/v1/models/half:predict", R"({"instances": [[1.0], [2.0], [5.0]]})"),
            R"({"predictions": [[3.5], [4.0], [5.5]]})");
  EXPECT_EQ(post("/v1/models/half/versions/1:predict", R"({"instances": [[1.0]]})"), R"({"predictions": [[2.5]]})");
  EXPECT_EQ(post("/v1/models/half/labels/stable:predict", R"({"inputs": [[1.0]]})"), R"({"outputs": [[2.5]]})");
  EXPECT_EQ(post("/V1/MODELS/half/VERSIONS/01:PREDICT", R"({"inputs": {"x": [[1.0]]}})"), R"({"outputs": [[2.5]]})");
  EXPECT_EQ(post("/v1/models/h%61lf:predict", R"({"instances": [[NaN, Infinity]]})"),
            R"({"predictions": [[NaN,Infinity]]})");
  EXPECT_EQ(post("/v1/models/half:predict", R"({"instances": [{"x": [1]}], "signature_name": "serving_default"})"),
            R"({"predictions": [[3.5]]})");
  for (const Call &call : served.telemetry.calls()) {
    EXPECT_STREQ(call.entrypoint, "REST");
    EXPECT_EQ(call.api, "predict");
    EXPECT_EQ(call.model, "half");
    EXPECT_EQ(call.httpStatus, 200);
    EXPECT_GT(call.examples, 0);
    EXPECT_GT(call.version, 0);
    EXPECT_GT(call.requestBytes, 0u);
    EXPECT_GT(call.responseBytes, 0u);
  }
  EXPECT_EQ(served.telemetry.calls().size(), 6u);
}

TEST_F(TensorFlowRestTest, RefusesPredictions) {
  std::string body = R"({"instances": [[1.0]]})";
  EXPECT_EQ(failure("POST", "/v1/models/unknown:predict", body), "404 Servable not found for request: Latest(unknown)");
  EXPECT_EQ(failure("POST", "/v1/models/half/versions/9:predict", body),
            "404 Servable not found for request: Specific(half, 9)");
  EXPECT_EQ(failure("POST", "/v1/models/half/labels/none:predict", body),
            "400 Unrecognized servable version label: none");
  EXPECT_EQ(failure("POST", "/v1/models/half/versions/99999999999999999999:predict", body),
            "400 Failed to convert version: 99999999999999999999 to numeric.");
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", ""), "400 JSON Parse error: The document is empty");
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"instances": [[1.0]], "signature_name": "X"})"),
            "400 Serving signature name: \"X\" not found in signature def");
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"instances": [1.0]})").substr(0, 3), "400"); // the rank
  // What the model itself refuses.
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"instances": [[-12345]]})"),
            "400 fake: a value is out of range");
  EXPECT_EQ(served.telemetry.calls().back().status.code, Code::invalidArgument);
  EXPECT_EQ(served.telemetry.calls().back().httpStatus, 400);
  // A nested body of 100 KB.
  std::string deep = "{\"instances\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", deep).substr(0, 3), "400");
}

TEST_F(TensorFlowRestTest, RefusesMalformedRequests) {
  for (const auto &[method, target] :
       std::vector<std::pair<std::string, std::string>>{{"POST", "/v1/models/half:predict?x=1"},
                                                        {"POST", "/v1/models/half:unknown"},
                                                        {"POST", "/v1/models/half"},
                                                        {"POST", "/v1/models"},
                                                        {"POST", "/v1/models/half/metadata"},
                                                        {"GET", "/v1/models/half:predict"},
                                                        {"GET", "/v1/models/"},
                                                        {"GET", "/v1/models/half/"},
                                                        {"GET", "/v1/models/half/other"},
                                                        {"GET", "/v1/models/half/versions/x"},
                                                        {"GET", "/v1/models/half/versions/"},
                                                        {"GET", "/v1/models/half/labels/"},
                                                        {"GET", "/v1/models/half/versions/1/labels/x"},
                                                        {"GET", "/v1/models/half/metadata?x"},
                                                        {"GET", "/v1/other"},
                                                        {"GET", "/v1/"},
                                                        {"HEAD", "/v1/models/half"},
                                                        {"PUT", "/v1/models/half:predict"},
                                                        {"DELETE", "/v1/models/half"},
                                                        {"POST", "/v1/models/:predict"},
                                                        {"POST", "/v1/models/half:predict/"}})
    EXPECT_EQ(failure(method, target, "{}"), "400 Malformed request: " + method + " " + target);
  // A query is a part of the name.
  EXPECT_EQ(failure("GET", "/v1/models/half?x=1"), "404 Could not find any versions of model half?x=1");
}

TEST_F(TensorFlowRestTest, AnswersStatus) {
  json answer = get("/v1/models/half");
  EXPECT_EQ(answer["model_version_status"],
            json::parse(R"([{"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
                            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}])"));
  // KServe's client looks at these.
  EXPECT_EQ(answer["name"], "half");
  EXPECT_EQ(answer["ready"], true);
  EXPECT_EQ(get("/v1/models/half/versions/1"),
            json::parse(R"({"model_version_status": [{"version": "1", "state": "AVAILABLE",
                            "status": {"error_code": "OK", "error_message": ""}}]})"));
  // A label is ignored, known or not.
  EXPECT_EQ(get("/v1/models/half/labels/stable")["model_version_status"].size(), 2u);
  EXPECT_EQ(get("/v1/models/half/labels/none")["model_version_status"].size(), 2u);
  EXPECT_EQ(failure("GET", "/v1/models/half/versions/9"), "404 Could not find version 9 of model half");
  EXPECT_EQ(failure("GET", "/v1/models/unknown"), "404 Could not find any versions of model unknown");
}

TEST_F(TensorFlowRestTest, AnswersStatusOfWhatCannotBeServed) {
  // It is 200 in any case, so whoever asks whether a model is ready has to look into it.
  writeVersion(served.folder.path("empty/3"), "broken");
  served.registry.poll();
  json answer = get("/v1/models/empty");
  EXPECT_EQ(answer["ready"], false);
  EXPECT_EQ(answer["model_version_status"][0]["version"], "3");
  EXPECT_EQ(answer["model_version_status"][0]["state"], "END");
  EXPECT_EQ(answer["model_version_status"][0]["status"]["error_code"], "FAILED_PRECONDITION");
  EXPECT_NE(answer["model_version_status"][0]["status"]["error_message"], "");
  // Versions that were unloaded are listed, too.
  served.registry.unload("classes");
  EXPECT_EQ(get("/v1/models/classes")["model_version_status"][0]["state"], "END");
}

TEST_F(TensorFlowRestTest, TakesLabelsOfAnyCharacters) {
  auto config = served.registry.config();
  for (auto &model : *config.mutable_model_config_list()->mutable_config())
    if (model.name() == "half")
      (*model.mutable_version_labels())["blue-green 2"] = 1;
  config.mutable_model_config_list()->mutable_config()->RemoveLast(); // `empty`, which cannot be loaded
  served.registry.reload(config);
  EXPECT_EQ(post("/v1/models/half/labels/blue-green%202:predict", R"({"inputs": [[1.0]]})"), R"({"outputs": [[2.5]]})");
}

TEST_F(TensorFlowRestTest, LeavesRankAndTypeToTheModel) {
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"instances": [[[1.0]]]})"),
            "400 input 'x': expected sizes [-1,-1], but got [1,1,1]");
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"inputs": 1.0})"),
            "400 input 'x': expected sizes [-1,-1], but got []");
  EXPECT_EQ(failure("POST", "/v1/models/half:predict", R"({"instances": [[1.0], [2.0, 3.0]]})").substr(0, 4), "400 ");
}

TEST_F(TensorFlowRestTest, ChecksMethodNamesWhereItIsAskedFor) {
  served.services.checksMethodNames = true;
  EXPECT_EQ(failure("POST", "/v1/models/classes:classify", R"({"examples": [{"x": 1}]})"),
            "400 Expected classification signature method_name to be tensorflow/serving/classify. Was: "
            "tensorflow/serving/predict");
  EXPECT_EQ(failure("POST", "/v1/models/half:regress", R"({"examples": [{"x": 1}]})"),
            "400 Expected regression signature method_name to be tensorflow/serving/regress. Was: "
            "tensorflow/serving/predict");
  EXPECT_EQ(post("/v1/models/half:predict", R"({"instances": [[1.0]]})"), R"({"predictions": [[3.5]]})");
}

TEST_F(TensorFlowRestTest, AnswersMetadata) {
  json expected = json::parse(R"({
    "model_spec": {"name": "half", "signature_name": "", "version": "1"},
    "metadata": {"signature_def": {"signature_def": {"serving_default": {
      "inputs": {"x": {"dtype": "DT_FLOAT", "name": "x:0", "tensor_shape": {
        "dim": [{"size": "-1", "name": ""}, {"size": "-1", "name": ""}], "unknown_rank": false}}},
      "outputs": {"y": {"dtype": "DT_FLOAT", "name": "y:0", "tensor_shape": {
        "dim": [{"size": "-1", "name": ""}, {"size": "-1", "name": ""}], "unknown_rank": false}}},
      "method_name": "tensorflow/serving/predict", "defaults": {}}}}}})");
  EXPECT_EQ(get("/v1/models/half/versions/1/metadata"), expected);
  EXPECT_EQ(get("/v1/models/half/labels/stable/metadata"), expected);
  EXPECT_EQ(get("/v1/models/half/metadata")["model_spec"]["version"], "2");
  EXPECT_EQ(failure("GET", "/v1/models/unknown/metadata"), "404 Servable not found for request: Latest(unknown)");
}

TEST_F(TensorFlowRestTest, ListsModels) {
  EXPECT_EQ(get("/v1/models")["models"], json({"classes", "empty", "half", "slow"}));
}

TEST_F(TensorFlowRestTest, ClassifiesAndRegresses) {
  EXPECT_EQ(
      post("/v1/models/classes:classify", R"({"examples": [{"x": [0.5, 0.25, 1.0]}, {"x": [1.5, 2.5, 3.5]}]})"),
      R"({"results": [[["cat", 0.5], ["dog", 0.25], ["emu", 1.0]], [["cat", 1.5], ["dog", 2.5], ["emu", 3.5]]]})");
  EXPECT_EQ(served.telemetry.calls().back().examples, 2);
  EXPECT_EQ(served.telemetry.calls().back().api, "classify");
  EXPECT_EQ(post("/v1/models/classes/versions/7:classify", R"({"examples": [{"any": 0.5}]})"),
            R"({"results": [[["cat", 0.5]]]})");
  EXPECT_EQ(post("/v1/models/half:regress", R"({"context": {"x": 3}, "examples": [{"x": 1}, {"z": 2, "w": 1}]})"),
            R"({"results": [3.5, 4.5]})");
  EXPECT_EQ(post("/v1/models/half/labels/stable:regress", R"({"examples": [{"x": 1.0}]})"), R"({"results": [2.5]})");
  EXPECT_EQ(failure("POST", "/v1/models/half:regress", R"({"examples": [{"x": [1, 2]}]})").substr(0, 3), "400");
  EXPECT_EQ(failure("POST", "/v1/models/half:classify", R"({"examples": []})"),
            "400 'examples' value is an empty array");
  EXPECT_EQ(failure("POST", "/v1/models/unknown:classify", R"({"examples": [{"x": 1}]})"),
            "404 Servable not found for request: Latest(unknown)");
}

TEST_F(TensorFlowRestTest, Explains) {
  EXPECT_EQ(failure("POST", "/v1/models/half:explain", "{}"), "501 this server does not explain predictions");
  Explainer explainer;
  served.services.explainer = &explainer;
  EXPECT_EQ(failure("POST", "/v1/models/half:explain", R"({"instances": [[1]]})").substr(0, 3), "501"); // no gradients
  served.add("square", "square");
  // y = x * x: dy/dx = 2x, and the integral from 0 is x * x.
  json answer =
      json::parse(post("/v1/models/square:explain", R"({"instances": [[3, 1], [1, 4]], "method": "saliency"})"));
  EXPECT_EQ(answer,
            json::parse(R"({"explanations": [{"x": [6.0, 0.0], "target": 0}, {"x": [0.0, 8.0], "target": 1}]})"));
  answer = json::parse(
      post("/v1/models/square/versions/1:explain",
           R"({"inputs": [[3, 1]], "targets": 1, "steps": 8, "output": "y", "baselines": {"x": [0, 0.5]}})"));
  EXPECT_NEAR(answer["explanations"]["x"][0][1].get<double>(), 0.75, 1e-5);
  EXPECT_NEAR(answer["explanations"]["convergence_delta"][0].get<double>(), 0, 1e-5);
  EXPECT_EQ(answer["explanations"]["target"], json({1}));
  EXPECT_EQ(served.telemetry.calls().back().api, "explain");
  for (const char *keys :
       {R"("method": 1)", R"("method": "guess")", R"("steps": "1")", R"("steps": 0)", R"("targets": [0, 1.5])",
        R"("targets": 7)", R"("baselines": [])", R"("baselines": {"z": 1})", R"("output": "none")"})
    EXPECT_EQ(
        failure("POST", "/v1/models/square:explain", R"({"instances": [[1]], )" + std::string(keys) + "}").substr(0, 3),
        "400")
        << keys;
}

TEST_F(TensorFlowRestTest, AnswersPreflights) {
  EXPECT_EQ(ask("OPTIONS", "/v1/models/half:predict", "", {{"Origin", "https://example.org"}}).status, 200);
  EXPECT_EQ(ask("OPTIONS", "/v1/anything", "", {{"Origin", "http://example.org"}}).body, "");
  EXPECT_EQ(ask("OPTIONS", "/v1/models/half", "", {{"Origin", "null"}}).status, 400);
  EXPECT_EQ(ask("OPTIONS", "/v1/models/half").status, 400);
  EXPECT_EQ(headerOf(ask("GET", "/v1/models"), "Access-Control-Allow-Origin"), "");
  TensorFlowRest open(served.services, {.cors = true});
  http::Response response = call(std::ref(open), makeRequest("GET", "/v1/models"));
  EXPECT_EQ(headerOf(response, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(headerOf(response, "Access-Control-Allow-Methods"), "POST, GET");
  EXPECT_EQ(headerOf(response, "Access-Control-Allow-Headers"), "Content-Type");
}

TEST_F(TensorFlowRestTest, KeepsToItsTimeAndToClientsThatHaveGone) {
  TensorFlowRest hurried(served.services, {.timeout = std::chrono::milliseconds(1)});
  auto late = makeRequest("POST", "/v1/models/half:predict", R"({"instances": [[1.0]]})");
  late->start -= std::chrono::milliseconds(10);
  http::Response response = call(std::ref(hurried), late);
  EXPECT_EQ(response.status, 504) << response.body;
  auto gone = makeRequest("POST", "/v1/models/half:predict", R"({"instances": [[1.0]]})");
  gone->cancelled = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(call(std::ref(rest), gone).status, 499);
}

TEST_F(TensorFlowRestTest, SendsTheClientsIdsBack) {
  http::Response response =
      ask("POST", "/v1/models/half:predict", R"({"instances": [[1.0]]})",
          {{"x-request-id", "abc"}, {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
  EXPECT_EQ(headerOf(response, "X-Request-Id"), "abc");
  EXPECT_EQ(headerOf(response, "traceparent").substr(0, 36), "00-0af7651916cd43dd8448eb211c80319c-");
}

TEST_F(TensorFlowRestTest, ServesMlflowsInvocations) {
  http::Handler invoke = [&](auto &request, http::Respond respond) { rest.invoke(request, std::move(respond)); };
  http::Response response = call(invoke, makeRequest("POST", "/invocations", R"({"inputs": [[1.0]]})"));
  EXPECT_EQ(response.status, 400); // there are several models
  for (const char *name : {"classes", "slow", "empty"}) {
    auto config = served.registry.config();
    auto &models = *config.mutable_model_config_list()->mutable_config();
    for (int i = 0; i < models.size(); ++i)
      if (models[i].name() == name) {
        models.DeleteSubrange(i, 1);
        break;
      }
    served.registry.reload(config);
  }
  EXPECT_EQ(call(invoke, makeRequest("POST", "/invocations", R"({"inputs": [[1.0]]})")).body,
            R"({"predictions": [[3.5]]})");
  EXPECT_EQ(call(invoke, makeRequest("POST", "/invocations", R"({"dataframe_records": [{"x": [1.0]}]})")).body,
            R"({"predictions": [[3.5]]})");
  EXPECT_EQ(call(invoke, makeRequest("GET", "/invocations")).status, 400);
}

TEST(HttpStatus, IsThatOfTensorFlowServing) {
  std::vector<int> expected = {200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401};
  for (int code = 0; code <= 16; ++code)
    EXPECT_EQ(httpStatus(Code(code)), expected[code]) << code;
}

class RoutesTest : public TensorFlowRestTest {
protected:
  RoutesTest() {
    routes.add(TensorFlowRest::handles, std::ref(rest));
    routes.add([](std::string_view target) { return target == "/invocations"; },
               [this](auto &request, http::Respond respond) { rest.invoke(request, std::move(respond)); });
  }
  http::Response ask(const std::string &method, const std::string &target, const std::string &body = "") {
    return call(std::ref(routes), makeRequest(method, target, body));
  }
  bool ready = true;
  Routes routes{[this] { return ready; }};
};

TEST_F(RoutesTest, SaysHowTheServerIs) {
  for (const char *path : {"/livez", "/readyz", "/healthz", "/health", "/ping", "/readyz?verbose"})
    EXPECT_EQ(ask("GET", path).status, 200) << path;
  ready = false;
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  for (const char *path : {"/readyz", "/healthz", "/health", "/ping"})
    EXPECT_EQ(ask("HEAD", path).status, 503) << path;
  EXPECT_EQ(json::parse(ask("GET", "/version").body)["name"], "mlc-serve");
  http::Response response = ask("POST", "/readyz");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(headerOf(response, "Allow"), "GET, HEAD");
}

TEST_F(RoutesTest, LeavesTheRestToTheProtocols) {
  EXPECT_EQ(ask("GET", "/v1/models").status, 200);
  EXPECT_EQ(ask("GET", "/V1/models").status, 200);
  for (const char *path : {"/v1", "/v3/models", "/favicon.ico", "*"}) {
    http::Response response = ask("GET", path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_TRUE(json::parse(response.body).contains("error"));
  }
}

TEST_F(RoutesTest, DocumentsWhatItServes) {
  json document = json::parse(ask("GET", "/openapi.json").body);
  EXPECT_EQ(document["openapi"], "3.1.0");
  size_t count = 0;
  for (const auto &[path, operations] : document["paths"].items())
    count += operations.size();
  EXPECT_EQ(count, documentedRoutes().size());
  for (const DocumentedRoute &route : documentedRoutes()) {
    for (const char *schema : {route.request, route.response})
      EXPECT_TRUE(!schema || document["components"]["schemas"].contains(schema)) << route.path;
    std::string path = route.path;
    for (const auto &[name, value] :
         {std::pair<std::string, std::string>{"{model}", "half"}, {"{version}", "2"}, {"{label}", "stable"}})
      if (size_t at = path.find(name); at != path.npos)
        path.replace(at, name.size(), value);
    if (!path.starts_with("/v1") && std::string(route.tag) != "Server")
      continue;
    if (path == "/" || path == "/metrics")
      continue; // of other classes
    std::string body = path.ends_with("predict") ? R"({"instances": [[1.0]]})" : R"({"examples": [{"x": 1.0}]})";
    http::Response response = ask(route.method, path, std::string(route.method) == "POST" ? body : "");
    EXPECT_EQ(response.status, path.ends_with(":explain") ? 501 : 200) << path << response.body;
  }
}

} // namespace
