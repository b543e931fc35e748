//===- OpenInferenceRestTest.cpp - /v2 over HTTP: every route, status and quirk ----------------------------------===//
#include "ServedModels.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/rest/BinaryTensors.h"
#include "runtime/serve/rest/OpenInferenceJson.h"
#include "runtime/serve/rest/OpenInferenceRest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <thread>

using namespace mlc::serve;
using namespace mlc::serve::test;
using nlohmann::json;

namespace {

std::string bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> floatsOf(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

struct Parts final {
  json header;
  std::string binary;
};

/// An answer with binary tensors.
Parts split(const http::Response &response) {
  EXPECT_EQ(response.type, "application/octet-stream");
  size_t length = std::stoul(headerOf(response, "Inference-Header-Content-Length"));
  return {json::parse(response.body.substr(0, length)), response.body.substr(length)};
}

class OpenInferenceRestTest : public testing::Test {
protected:
  http::Response get(const std::string &path) { return call(std::ref(rest), makeRequest("GET", path)); }
  http::Response post(const std::string &path, const std::string &body = "", const Headers &headers = {}) {
    return call(std::ref(rest), makeRequest("POST", path, body, headers));
  }
  http::Response infer(const json &body, const std::string &model = "half") {
    return post("/v2/models/" + model + "/infer", body.dump());
  }
  static void expectError(const http::Response &response, int status, const std::string &message) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.type, "application/json");
    std::string text = json::parse(response.body).at("error");
    EXPECT_NE(text.find(message), std::string::npos) << text;
  }
  static json input(const json &data, const json &shape, const std::string &type = "FP32") {
    return {{"inputs", {{{"name", "x"}, {"shape", shape}, {"datatype", type}, {"data", data}}}}};
  }

  ServedModels models;
  OpenInferenceRest rest{models.services};
};

// -- Server ----------------------------------------------------------------------------------------------------------

TEST_F(OpenInferenceRestTest, DescribesTheServer) {
  http::Response response = get("/v2");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.type, "application/json");
  json body = json::parse(response.body);
  EXPECT_EQ(body["name"], "mlc-serve");
  EXPECT_TRUE(body["version"].is_string());
  json extensions = body["extensions"];
  EXPECT_NE(std::find(extensions.begin(), extensions.end(), "binary_tensor_data"), extensions.end());
  EXPECT_EQ(get("/v2/").status, 200);
  EXPECT_EQ(get("/v2?x=1").status, 200);
}

TEST_F(OpenInferenceRestTest, SaysWhetherItIsAliveAndReady) {
  // `empty` has no version yet.
  http::Response live = get("/v2/health/live"), ready = get("/v2/health/ready");
  EXPECT_EQ(live.status, 200);
  EXPECT_EQ(json::parse(live.body), (json{{"live", true}, {"ready", false}}));
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(json::parse(ready.body), (json{{"live", true}, {"ready", false}}));
  writeVersion(models.folder.path("empty/1"), "identity");
  models.registry.poll();
  ready = get("/v2/health/ready");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(json::parse(ready.body), (json{{"live", true}, {"ready", true}}));
  models.services.draining = [] { return true; };
  EXPECT_EQ(get("/v2/health/ready").status, 503);
  EXPECT_EQ(json::parse(get("/v2/health/live").body), (json{{"live", true}, {"ready", false}}));
}

TEST_F(OpenInferenceRestTest, RefusesOtherPathsAndMethods) {
  expectError(get("/v2/nothing"), 404, "Not Found");
  expectError(get("/v2/models/half/nothing"), 404, "Not Found");
  expectError(get("/v2/models/half/versions/1/nothing"), 404, "Not Found");
  http::Response response = get("/v2/models/half/infer");
  expectError(response, 405, "Method Not Allowed");
  EXPECT_EQ(headerOf(response, "Allow"), "POST");
  EXPECT_EQ(headerOf(post("/v2/health/live"), "Allow"), "GET");
  EXPECT_EQ(headerOf(call(std::ref(rest), makeRequest("PUT", "/v2/logging")), "Allow"), "GET, POST");
  EXPECT_TRUE(OpenInferenceRest::handles("/v2"));
  EXPECT_TRUE(OpenInferenceRest::handles("/v2/x"));
  EXPECT_TRUE(OpenInferenceRest::handles("/v2?x"));
  EXPECT_FALSE(OpenInferenceRest::handles("/v2x"));
  EXPECT_FALSE(OpenInferenceRest::handles("/v1/models"));
}

// -- Models ----------------------------------------------------------------------------------------------------------

TEST_F(OpenInferenceRestTest, ListsModels) {
  EXPECT_EQ(json::parse(get("/v2/models").body), (json{{"models", {"classes", "empty", "half", "slow"}}}));
}

TEST_F(OpenInferenceRestTest, DescribesModels) {
  json body = json::parse(get("/v2/models/half").body);
  EXPECT_EQ(body["name"], "half");
  EXPECT_EQ(body["versions"], (json{"1", "2"}));
  EXPECT_EQ(body["platform"], "mlc");
  EXPECT_EQ(body["inputs"], json::parse(R"([{"name":"x","datatype":"FP32","shape":[-1,-1]}])"));
  EXPECT_EQ(body["outputs"], json::parse(R"([{"name":"y","datatype":"FP32","shape":[-1,-1]}])"));
  EXPECT_EQ(body["properties"]["compiler"], "mlc test");
  EXPECT_EQ(get("/v2/models/half/versions/1").status, 200);
  EXPECT_EQ(get("/v2/models/h%61lf").status, 200);
  expectError(get("/v2/models/none"), 404, "Request for unknown model: 'none' is not found");
  expectError(get("/v2/models/empty"), 404, "Request for unknown model: 'empty' has no available versions");
  expectError(get("/v2/models/half/versions/9"), 404, "Request for unknown model: 'half' version 9 is not found");
  expectError(get("/v2/models/half/versions/99999999999999999999"), 400, "failed to get model version");
}

TEST_F(OpenInferenceRestTest, SaysWhetherAModelIsReady) {
  http::Response response = get("/v2/models/half/ready");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body), (json{{"name", "half"}, {"ready", true}}));
  EXPECT_EQ(get("/v2/models/half/versions/2/ready").status, 200);
  response = get("/v2/models/empty/ready");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(json::parse(response.body)["ready"], false);
  EXPECT_EQ(get("/v2/models/half/versions/9/ready").status, 503);
  expectError(get("/v2/models/none/ready"), 404, "is not found");
}

// -- Inference -------------------------------------------------------------------------------------------------------

TEST_F(OpenInferenceRestTest, InfersFromFlatAndNestedData) {
  http::Response response = infer(input({2, 4, 6, 8}, {2, 2}));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body), json::parse(R"({"model_name":"half","model_version":"2","outputs":[
                {"name":"y","datatype":"FP32","shape":[2,2],"data":[4.0,5.0,6.0,7.0]}]})"));
  EXPECT_EQ(infer(input({{2, 4}, {6, 8}}, {2, 2})).body, response.body);
  // Whole floats keep a point, so that typed clients read floats.
  EXPECT_NE(response.body.find("\"data\":[4.0,5.0"), std::string::npos);
}

TEST_F(OpenInferenceRestTest, InfersOnAVersionOrALabel) {
  std::string body = input({2}, {1, 1}).dump();
  auto answer = [&](const std::string &path) { return json::parse(post(path, body).body); };
  EXPECT_EQ(answer("/v2/models/half/versions/1/infer")["outputs"][0]["data"], json{3.0});
  EXPECT_EQ(answer("/v2/models/half/versions/1/infer")["model_version"], "1");
  EXPECT_EQ(answer("/v2/models/half/versions/stable/infer")["model_version"], "1");
  expectError(post("/v2/models/half/versions/canary/infer", body), 400, "canary");
  expectError(post("/v2/models/none/infer", body), 404, "Request for unknown model: 'none' is not found");
  expectError(post("/v2/models/empty/infer", body), 404, "has no available versions");
  expectError(post("/v2/models/half/versions/3/infer", body), 404, "version 3 is not found");
}

TEST_F(OpenInferenceRestTest, TellsOfTheCall) {
  json body = input({1, 2, 3}, {3, 1});
  body["id"] = "seven";
  json answer = json::parse(infer(body).body);
  EXPECT_EQ(answer["id"], "seven");
  Call told = models.telemetry.calls().back();
  EXPECT_EQ(told.api, "infer");
  EXPECT_STREQ(told.entrypoint, "REST");
  EXPECT_EQ(told.method, "POST");
  EXPECT_EQ(told.path, "/v2/models/half/infer");
  EXPECT_EQ(told.peer, "127.0.0.1:4321");
  EXPECT_EQ(told.model, "half");
  EXPECT_EQ(told.version, 2);
  EXPECT_EQ(told.httpStatus, 200);
  EXPECT_EQ(told.examples, 3);
  EXPECT_EQ(told.timing.batch, 3);
  EXPECT_GT(told.requestBytes, 0u);
  EXPECT_GT(told.responseBytes, 0u);
  expectError(infer({{"id", "eight"}}), 400, "[request id: eight] expected 'inputs'");
  told = models.telemetry.calls().back();
  EXPECT_EQ(told.status.code, Code::invalidArgument);
  EXPECT_EQ(told.httpStatus, 400);
  EXPECT_EQ(models.telemetry.calls().size(), 2u);
}

TEST_F(OpenInferenceRestTest, ContinuesTheClientsTrace) {
  std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", parent = "00f067aa0ba902b7";
  http::Response response = call(
      std::ref(rest), makeRequest("GET", "/v2/models/half", "",
                                  {{"Traceparent", "00-" + trace + "-" + parent + "-01"}, {"X-Request-Id", "r-1"}}));
  std::string answered = headerOf(response, "traceparent");
  EXPECT_EQ(answered.substr(0, 36), "00-" + trace + "-");
  EXPECT_NE(answered.substr(36, 16), parent);
  EXPECT_EQ(answered.substr(52), "-01");
  EXPECT_EQ(headerOf(response, "X-Request-Id"), "r-1");
  EXPECT_EQ(models.telemetry.calls().back().trace.parentId, parent);
}

TEST_F(OpenInferenceRestTest, TakesNullWhereNothingIsMeant) {
  json body = input({2}, {1, 1});
  body["id"] = nullptr;
  body["parameters"] = nullptr;
  body["outputs"] = nullptr;
  body["inputs"][0]["parameters"] = nullptr;
  EXPECT_EQ(infer(body).status, 200);
  body["parameters"] = {{"unknown", {1, 2}}, {"sequence_id", 0}};
  body["something"] = {{"else", 1}};
  EXPECT_EQ(infer(body).status, 200);
}

TEST_F(OpenInferenceRestTest, ReadsMembersInAnyOrder) {
  EXPECT_EQ(
      post("/v2/models/half/infer",
           R"({"outputs":[{"name":"y"}],"inputs":[{"data":[2],"datatype":"FP32","shape":[1,1],"name":"x"}],"id":"a"})")
          .status,
      200);
}

TEST_F(OpenInferenceRestTest, AnswersTheOutputsThatAreAskedFor) {
  json body = input({2}, {1, 1});
  body["outputs"] = {{{"name", "y"}}};
  EXPECT_EQ(json::parse(infer(body).body)["outputs"][0]["name"], "y");
  body["outputs"] = {{{"name", "z"}}};
  expectError(infer(body), 400, "z");
  body["outputs"] = {{{"name", "y"}}, {{"name", "y"}}};
  expectError(infer(body), 400, "y");
  body["outputs"] = {json::object()};
  expectError(infer(body), 400, "expected 'name' in an output");
}

TEST_F(OpenInferenceRestTest, RefusesRequestsThatAreNotValid) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "failed to parse the request JSON buffer"},
      {"[]", "failed to parse the request JSON buffer"},
      {"{", "failed to parse the request JSON buffer"},
      {"{}", "expected 'inputs'"},
      {R"({"inputs":1})", "inputs"},
      {R"({"inputs":[1]})", "inputs"},
      {R"({"inputs":[]})", "input size does not match signature"},
      {R"({"inputs":[{"shape":[1,1],"datatype":"FP32","data":[1]}]})", "expected 'name'"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","data":[1]}]})", "expected 'shape' in input 'x'"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"data":[1]}]})", "expected 'datatype' in input 'x'"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32"}]})", "expected 'data' in input 'x'"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP33","data":[1]}]})", "unsupported datatype 'FP33'"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"BYTES","data":["a"]}]})", "unsupported datatype BYTES"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP16","data":[1]}]})",
       "receiving FP16 data via JSON is not supported. Please use the binary data format for input x"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"BF16","data":[1]}]})", "receiving BF16 data via JSON"},
      {R"({"inputs":[{"name":"x","shape":[1,"1"],"datatype":"FP32","data":[1]}]})", "shape"},
      {R"({"inputs":[{"name":"x","shape":[-1,1],"datatype":"FP32","data":[1]}]})", "sizes of at least 0"},
      {R"({"inputs":[{"name":"x","shape":[1099511627776,1099511627776],"datatype":"FP32","data":[1]}]})",
       "fits in memory"},
      {R"({"inputs":[{"name":"x","shape":[1000000,1],"datatype":"FP32","data":[1]}]})", "the request is shorter"},
      {R"({"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1]}]})",
       "expected 2 values for sizes [2,1], but got 1"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1,2]}]})", "but got more"},
      {R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3]]}]})",
       "nested as sizes [2,2] or flat"},
      {R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2]]}]})", "nested as sizes [2,2] or flat"},
      {R"({"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[[[1]],[[2]]]}]})",
       "expected FP32 values, but got ["},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":5}]})", "expected a list as data"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":["1"]}]})",
       "expected FP32 values, but got \"1\""},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1e300]}]})",
       "expected FP32 values, but got 1e300"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[nul]}]})",
       "expected FP32 values, but got nul"},
      {R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"INT32","data":[1]}]})", "expected float, but got int32"},
      {R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})", "expected sizes [-1,-1]"},
      {R"({"inputs":[{"name":"z","shape":[1,1],"datatype":"FP32","data":[1]}]})", "Missing but required: {x}"},
      {R"({"id":5,"inputs":[]})", "id"},
      {R"({"parameters":5,"inputs":[]})", "parameters"},
      {R"({"parameters":{"timeout":-1},"inputs":[]})", "timeout"},
      {R"({"inputs":[],"outputs":{}})", "outputs"},
      {std::string("{\"id\":\"\xff\",\"inputs\":[]}"), "failed to parse the request JSON buffer"}};
  for (const auto &[body, message] : cases)
    expectError(post("/v2/models/half/infer", body), 400, message);
}

/// Looking for members by name, simdjson 3.0 follows a pointer that is none: a fuzzer's find.
TEST_F(OpenInferenceRestTest, SurvivesMembersThatAreNone) {
  expectError(post("/v2/models/half/infer",
                   R"({"parameters":{"explain":"salioutput":true},"inputa_size":8}},{"name":"h","shape":[2],)"
                   R"("datatype":"FP16a"pa,r"meters":{"bata":[1]}]})"),
              400, "failed to parse the request JSON buffer");
  expectError(post("/v2/models/half/infer", R"({"a":{"b":"c":1},"inputs":1}},{"outputs":2)"), 400, "failed to parse");
  // Members that are there twice, and what is read before it is known how.
  EXPECT_EQ(post("/v2/models/half/infer",
                 R"({"inputs":[{"data":[2],"data":"x","datatype":"FP32","datatype":"none","shape":[1,1],"shape":[7],)"
                 R"("name":"x","name":"z"}],"inputs":[]})")
                .status,
            200);
}

TEST_F(OpenInferenceRestTest, SurvivesDeepNesting) {
  std::string deep(100'000, '[');
  expectError(post("/v2/models/half/infer", R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":)" + deep),
              400, "");
  expectError(post("/v2/models/half/infer", R"({"other":)" + deep + std::string(100'000, ']') + "}"), 400, "");
  std::string ones = "1";
  for (int i = 0; i < 40; ++i)
    ones += ",1";
  expectError(post("/v2/models/half/infer",
                   R"({"inputs":[{"name":"x","shape":[)" + ones + R"(],"datatype":"FP32","data":[1]}]})"),
              400, "expected a rank of at most 32");
  std::string objects;
  for (int i = 0; i < 100'000; ++i)
    objects += "{\"a\":";
  expectError(post("/v2/models/half/infer", objects), 400, "");
  expectError(post("/v2/repository/index", R"({"ready":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
              400, "nested too deeply");
}

TEST_F(OpenInferenceRestTest, TakesAndGivesWhatIsNotANumber) {
  http::Response response =
      post("/v2/models/half/infer",
           R"({"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[NaN, Infinity ,-Infinity]}]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find("\"data\":[NaN,Infinity,-Infinity]"), std::string::npos) << response.body;
}

TEST_F(OpenInferenceRestTest, ClassifiesOutputs) {
  json body = input({0.5, 2, 1, 7, 8, 9}, {2, 3});
  body["outputs"] = {{{"name", "y"}, {"parameters", {{"classification", 2}}}}};
  json output = json::parse(infer(body, "classes").body)["outputs"][0];
  EXPECT_EQ(output["datatype"], "BYTES");
  EXPECT_EQ(output["shape"], (json{2, 2}));
  EXPECT_EQ(output["data"], (json{"2.000000:1:dog", "1.000000:2:emu", "9.000000:2:emu", "8.000000:1:dog"}));
  body["outputs"][0]["parameters"] = {{"classification", 1}, {"binary_data", true}};
  Parts parts = split(infer(body, "classes"));
  EXPECT_EQ(parts.header["outputs"][0]["parameters"]["binary_data_size"], 36);
  EXPECT_EQ(parts.binary.substr(0, 18), std::string("\x0e\0\0\0", 4) + "2.000000:1:dog");
  // Rows without values have no classes, however many they are.
  json none = input(json::array(), {int64_t(1) << 40, 0});
  none["outputs"] = body["outputs"];
  none["outputs"][0]["parameters"] = {{"classification", 1}};
  output = json::parse(infer(none, "classes").body)["outputs"][0];
  EXPECT_EQ(output["shape"], (json{int64_t(1) << 40, 0}));
  EXPECT_EQ(output["data"], json::array());
  body["outputs"][0]["parameters"] = {{"classification", 99}};
  EXPECT_EQ(json::parse(infer(body, "classes").body)["outputs"][0]["shape"], (json{2, 3}));
}

TEST_F(OpenInferenceRestTest, KeepsTimeoutsAndPriorities) {
  std::thread other([&] { infer(input({1}, {1, 1}), "slow"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  json body = input({1}, {1, 1});
  body["parameters"] = {{"timeout", 1000}, {"priority", 1}};
  expectError(infer(body, "slow"), 504, "deadline");
  other.join();
  body["parameters"] = {{"timeout", "60000000"}};
  EXPECT_EQ(infer(body, "slow").status, 200);
}

TEST_F(OpenInferenceRestTest, ExplainsPredictionsByParameters) {
  Explainer explainer;
  models.services.explainer = &explainer;
  writeVersion(models.folder.path("empty/1"), "square");
  models.registry.poll();
  json body = input({1, 3}, {1, 2});
  body["parameters"] = {{"explain", "integrated_gradients"}, {"explain_target", 1}, {"explain_steps", 2}};
  http::Response response = infer(body, "empty");
  ASSERT_EQ(response.status, 200) << response.body;
  json outputs = json::parse(response.body)["outputs"];
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[0]["name"], "x");
  EXPECT_EQ(outputs[0]["shape"], (json{1, 2}));
  EXPECT_NEAR(outputs[0]["data"][0], 0, 1e-5);
  EXPECT_NEAR(outputs[0]["data"][1], 9, 1e-5);
  EXPECT_EQ(outputs[1]["name"], "convergence_delta");
  EXPECT_EQ(outputs[1]["datatype"], "FP64");
  EXPECT_NEAR(outputs[1]["data"][0], 0, 1e-5);
  EXPECT_EQ(outputs[2]["name"], "target");
  EXPECT_EQ(outputs[2]["data"], json{1});
  body["parameters"]["explain_target"] = 2;
  expectError(infer(body, "empty"), 400, "expected a target in [0, 2), but got 2");
  body["parameters"]["explain"] = "lime";
  expectError(infer(body, "empty"), 400, "expected the method saliency or integrated_gradients, but got 'lime'");
  body["parameters"] = {{"explain", "saliency"}};
  expectError(infer(body, "half"), 501, "has no gradients; compile it with --with-gradient");
  body["outputs"] = {{{"name", "y"}}};
  expectError(infer(body, "empty"), 400, "expected no outputs with the parameter 'explain'");
  models.services.explainer = nullptr;
  expectError(infer(body, "empty"), 501, "this server does not explain predictions");
}

TEST_F(OpenInferenceRestTest, SaysWhyAModelFailed) {
  expectError(infer(input({-12345}, {1, 1})), 400, "fake: a value is out of range");
  EXPECT_EQ(models.telemetry.calls().back().version, 2);
}

TEST(OpenInferenceStatus, MapsCodesAsTritonDoes) {
  const std::pair<Code, int> expected[] = {{Code::ok, 200},
                                           {Code::invalidArgument, 400},
                                           {Code::unknown, 400},
                                           {Code::alreadyExists, 400},
                                           {Code::notFound, 404},
                                           {Code::internal, 500},
                                           {Code::unimplemented, 501},
                                           {Code::unavailable, 503},
                                           {Code::cancelled, 499},
                                           {Code::deadlineExceeded, 504},
                                           {Code::outOfRange, 400},
                                           {Code::unauthenticated, 401},
                                           {Code::dataLoss, 500},
                                           {Code::failedPrecondition, 400},
                                           {Code::aborted, 400},
                                           {Code::permissionDenied, 403},
                                           {Code::resourceExhausted, 429}};
  for (auto [code, status] : expected)
    EXPECT_EQ(openInferenceHttpStatus(code), status) << codeName(code);
}

// -- Binary tensors --------------------------------------------------------------------------------------------------

TEST_F(OpenInferenceRestTest, TakesAndGivesBinaryTensors) {
  json header = {
      {"inputs",
       {{{"name", "x"}, {"shape", {1, 3}}, {"datatype", "FP32"}, {"parameters", {{"binary_data_size", 12}}}}}},
      {"parameters", {{"binary_data_output", true}}}};
  auto send = [&](const std::string &data) {
    std::string text = header.dump();
    return post("/v2/models/half/infer", text + data,
                {{"inference-header-content-length", std::to_string(text.size())}});
  };
  Parts parts = split(send(bytesOf({2, 4, 6})));
  EXPECT_EQ(parts.header["outputs"][0], json::parse(R"({"name":"y","datatype":"FP32","shape":[1,3],
                                                       "parameters":{"binary_data_size":12}})"));
  EXPECT_EQ(floatsOf(parts.binary), (std::vector<float>{4, 5, 6}));

  header["outputs"] = {{{"name", "y"}, {"parameters", {{"binary_data", false}}}}};
  http::Response response = send(bytesOf({2, 4, 6}));
  EXPECT_EQ(response.type, "application/json");
  EXPECT_EQ(headerOf(response, "Inference-Header-Content-Length"), "");
  EXPECT_EQ(json::parse(response.body)["outputs"][0]["data"], (json{4, 5, 6}));

  header.erase("parameters");
  header["outputs"] = {{{"name", "y"}, {"parameters", {{"binary_data", true}}}}};
  EXPECT_EQ(floatsOf(split(send(bytesOf({2, 4, 6}))).binary), (std::vector<float>{4, 5, 6}));

  expectError(send(bytesOf({2, 4})), 400, "expected 12 bytes behind the JSON, but got 8");
  expectError(send(bytesOf({2, 4, 6, 8})), 400, "4 bytes behind the binary tensors");
  header["inputs"][0]["parameters"]["binary_data_size"] = 8;
  expectError(send(bytesOf({2, 4})), 400, "expected 12 bytes for FP32[1,3], but got binary_data_size 8");
  header["inputs"][0]["parameters"]["binary_data_size"] = -12;
  expectError(send(bytesOf({2, 4, 6})), 400, "binary_data_size");
}

TEST_F(OpenInferenceRestTest, RefusesHeadersThatAreNotALength) {
  for (const char *length : {"x", "-1", "1000000", "99999999999999999999999", "2 "})
    expectError(post("/v2/models/half/infer", "{}", {{"Inference-Header-Content-Length", length}}), 400,
                "expected Inference-Header-Content-Length of 0 to 2");
}

TEST_F(OpenInferenceRestTest, TakesABodyThatIsTheOnlyInput) {
  const Headers raw = {{"Inference-Header-Content-Length", "0"}};
  Parts parts = split(post("/v2/models/half/infer", bytesOf({2, 4, 6}), raw));
  EXPECT_EQ(parts.header["outputs"][0]["shape"], (json{1, 3}));
  EXPECT_EQ(floatsOf(parts.binary), (std::vector<float>{4, 5, 6}));
  expectError(post("/v2/models/half/infer", "12345", raw), 400, "expected 4 bytes");
}

TEST(OpenInferenceRaw, FindsTheUnknownSize) {
  Signature signature;
  auto sizes = [&](std::vector<int64_t> known, size_t bytes) {
    signature.inputs = {{"x", MLC_I16, std::move(known), {}}};
    InferenceRequest request;
    readRawRequest(request, std::string(bytes, 0), signature);
    return request.inputs[0].sizes;
  };
  EXPECT_EQ(sizes({-1, 2, 3}, 24), (std::vector<int64_t>{2, 2, 3}));
  EXPECT_EQ(sizes({-1, -1, 3}, 24), (std::vector<int64_t>{1, 4, 3}));
  EXPECT_EQ(sizes({4}, 8), (std::vector<int64_t>{4}));
  EXPECT_EQ(sizes({-1, 0}, 0), (std::vector<int64_t>{0, 0}));
  EXPECT_THROW(sizes({-1, -1, -1}, 24), Error);
  signature.inputs.push_back(signature.inputs[0]);
  InferenceRequest request;
  EXPECT_THROW(readRawRequest(request, "", signature), Error);
}

// -- Element types ---------------------------------------------------------------------------------------------------

template <typename T> std::vector<T> readValues(const std::string &type, const std::string &data, size_t count) {
  std::string text = R"({"inputs":[{"name":"x","shape":[)" + std::to_string(count) + R"(],"datatype":")" + type +
                     R"(","data":)" + data + "}]}";
  InferenceRequest request;
  readInferenceRequest(request, text, "", text.size());
  EXPECT_EQ(request.inputs[0].bytes, count * sizeof(T));
  auto begin = static_cast<const T *>(request.inputs[0].data);
  return {begin, begin + count};
}

template <typename T> void expectRange(const std::string &type) {
  std::string least = std::to_string(std::numeric_limits<T>::min()),
              most = std::to_string(std::numeric_limits<T>::max());
  EXPECT_EQ(readValues<T>(type, "[" + least + "," + most + "]", 2),
            (std::vector<T>{std::numeric_limits<T>::min(), std::numeric_limits<T>::max()}));
  std::string more = most;
  for (size_t i = more.size(); i-- > 0;) { // one more, in decimal
    if (more[i] != '9') {
      ++more[i];
      break;
    }
    more[i] = '0';
  }
  for (const std::string &wrong : {more, std::string("1.0"), std::string("true"), std::string("\"1\""),
                                   std::string("1e2"), std::is_signed_v<T> ? "-" + more + "0" : std::string("-1")})
    EXPECT_THROW(readValues<T>(type, "[" + wrong + "]", 1), Error) << type << " " << wrong;
}

TEST(OpenInferenceTypes, AreReadWithTheirRanges) {
  expectRange<int8_t>("INT8");
  expectRange<int16_t>("INT16");
  expectRange<int32_t>("INT32");
  expectRange<int64_t>("INT64");
  expectRange<uint8_t>("UINT8");
  expectRange<uint16_t>("UINT16");
  expectRange<uint32_t>("UINT32");
  expectRange<uint64_t>("UINT64");
  EXPECT_EQ(readValues<float>("FP32", "[1,-2.5e-3]", 2), (std::vector<float>{1, -2.5e-3f}));
  EXPECT_EQ(readValues<double>("FP64", "[0.1,1e300]", 2), (std::vector<double>{0.1, 1e300}));
  EXPECT_EQ(readValues<uint8_t>("BOOL", "[true,false,1,0]", 4), (std::vector<uint8_t>{1, 0, 1, 0}));
  EXPECT_THROW(readValues<uint8_t>("BOOL", "[2]", 1), Error);
  EXPECT_TRUE(readValues<float>("FP32", "[]", 0).empty());
}

TEST(OpenInferenceTypes, OfHalvesAreBinary) {
  std::string text = R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},
                                   {"name":"b","shape":[1],"datatype":"BF16","parameters":{"binary_data_size":2}},
                                   {"name":"c","shape":[3],"datatype":"BOOL","parameters":{"binary_data_size":3}}]})";
  std::string body = text + "aaaabbccc";
  InferenceRequest request;
  std::string_view all = body;
  readInferenceRequest(request, all.substr(0, text.size()), all.substr(text.size()), body.size());
  ASSERT_EQ(request.inputs.size(), 3u);
  EXPECT_EQ(request.inputs[0].dtype, MLC_F16);
  EXPECT_EQ(request.inputs[1].dtype, MLC_BF16);
  EXPECT_EQ(request.inputs[0].data, body.data() + text.size()); // where it came, without a copy
  EXPECT_EQ(request.inputs[2].data, body.data() + text.size() + 6);
}

TEST_F(OpenInferenceRestTest, WritesEveryElementType) {
  std::shared_ptr<Version> version = models.registry.find({"half", 2, {}});
  auto write = [&](mlc_dtype dtype, const void *data, size_t bytes, bool binary = false) {
    InferenceRequest request;
    request.binaryOutputs = binary;
    Tensor tensor{"y", dtype, {int64_t(bytes / elementSize(dtype))}, data, bytes};
    return writeInferenceAnswer(*version, request, {&tensor, 1}).body;
  };
  auto data = [&](mlc_dtype dtype, const void *values, size_t bytes) {
    std::string body = write(dtype, values, bytes);
    size_t begin = body.find("\"data\":") + 7;
    return body.substr(begin, body.rfind("}]}") - begin);
  };
  const int8_t i8[] = {-128, 127};
  EXPECT_EQ(data(MLC_I8, i8, 2), "[-128,127]");
  EXPECT_EQ(data(MLC_U8, "\xff", 1), "[255]");
  EXPECT_EQ(data(MLC_BOOL, "\1\0", 2), "[true,false]");
  const uint64_t u64[] = {~uint64_t(0)};
  EXPECT_EQ(data(MLC_U64, u64, 8), "[18446744073709551615]");
  const int64_t i64[] = {std::numeric_limits<int64_t>::min()};
  EXPECT_EQ(data(MLC_I64, i64, 8), "[-9223372036854775808]");
  const float f32[] = {0.1f, 1e30f, -0.0f};
  EXPECT_EQ(data(MLC_F32, f32, 12), "[0.1,1e+30,-0.0]");
  const double f64[] = {0.1, 1e300};
  EXPECT_EQ(data(MLC_F64, f64, 16), "[0.1,1e+300]");
  const uint16_t half = 0x3c00;
  EXPECT_THROW(write(MLC_F16, &half, 2), Error);
  EXPECT_THROW(write(MLC_BF16, &half, 2), Error);
  EXPECT_TRUE(write(MLC_F16, &half, 2, /*binary=*/true).ends_with(std::string("\x00\x3c", 2)));
}

// -- What Triton adds ------------------------------------------------------------------------------------------------

TEST_F(OpenInferenceRestTest, ListsTheRepository) {
  json all = json::parse(post("/v2/repository/index").body);
  json expected = json::parse(R"([{"name":"classes","version":"7","state":"READY","reason":""},{"name":"empty"},
                                  {"name":"half","version":"2","state":"READY","reason":""},
                                  {"name":"half","version":"1","state":"READY","reason":""},
                                  {"name":"slow","version":"1","state":"READY","reason":""}])");
  EXPECT_EQ(all, expected);
  EXPECT_EQ(json::parse(post("/v2/repository/index", R"({"ready":true})").body).size(), 4u);
  expectError(post("/v2/repository/index", R"({"ready":1})"), 400, "expected true or false");
  expectError(post("/v2/repository/index", "[]"), 400, "expected an object");
  expectError(post("/v2/repository/index", std::string(70'000, ' ')), 400, "expected a request of at most 65536 bytes");
}

TEST_F(OpenInferenceRestTest, LoadsAndUnloadsModels) {
  EXPECT_EQ(post("/v2/repository/models/classes/unload", R"({"parameters":{"unload_dependents":false}})").status, 200);
  EXPECT_EQ(get("/v2/models/classes/ready").status, 503);
  json index = json::parse(post("/v2/repository/index").body);
  EXPECT_EQ(index[0], json::parse(R"({"name":"classes","version":"7","state":"UNAVAILABLE","reason":"unloaded"})"));
  http::Response loaded = post("/v2/repository/models/classes/load");
  EXPECT_EQ(loaded.status, 200) << loaded.body;
  EXPECT_TRUE(loaded.body.empty());
  EXPECT_EQ(get("/v2/models/classes/ready").status, 200);
  EXPECT_EQ(models.telemetry.calls().back().api, "ModelReady");
  expectError(post("/v2/repository/models/none/load"), 404, "none");
  expectError(post("/v2/repository/models/none/unload"), 404, "none");
  expectError(post("/v2/repository/models/half/load", R"({"parameters":{"config":"{}"}})"), 501,
              "unsupported parameter 'config'");
}

TEST_F(OpenInferenceRestTest, SumsUpStatistics) {
  infer(input({1, 2}, {2, 1}));
  infer(input({1}, {1, 1}));
  infer(input({-12345}, {1, 1}));
  json stats = json::parse(get("/v2/models/half/versions/2/stats").body)["model_stats"];
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_EQ(stats[0]["name"], "half");
  EXPECT_EQ(stats[0]["version"], "2");
  EXPECT_EQ(stats[0]["inference_count"], 3);
  EXPECT_EQ(stats[0]["execution_count"], 2);
  EXPECT_GT(stats[0]["last_inference"], 1'000'000'000'000);
  EXPECT_EQ(stats[0]["inference_stats"]["success"]["count"], 2);
  EXPECT_EQ(stats[0]["inference_stats"]["fail"]["count"], 1);
  for (const char *part :
       {"success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"})
    EXPECT_TRUE(stats[0]["inference_stats"][part]["ns"].is_number()) << part;
  EXPECT_EQ(stats[0]["batch_stats"].size(), 2u);
  EXPECT_EQ(stats[0]["batch_stats"][1]["batch_size"], 2);
  EXPECT_EQ(stats[0]["batch_stats"][1]["compute_infer"]["count"], 1);
  EXPECT_EQ(json::parse(get("/v2/models/half/stats").body)["model_stats"].size(), 2u);
  EXPECT_EQ(json::parse(get("/v2/models/stats").body)["model_stats"].size(), 4u);
  expectError(get("/v2/models/none/stats"), 404, "is not found");
}

TEST_F(OpenInferenceRestTest, DescribesConfigurations) {
  json config = json::parse(get("/v2/models/half/config").body);
  EXPECT_EQ(config["name"], "half");
  EXPECT_EQ(config["backend"], "mlc");
  EXPECT_EQ(config["max_batch_size"], 0);
  EXPECT_EQ(config["version_policy"], (json{{"all", json::object()}}));
  EXPECT_EQ(config["input"], json::parse(R"([{"name":"x","data_type":"TYPE_FP32","dims":[-1,-1]}])"));
  EXPECT_EQ(config["instance_group"][0]["kind"], "KIND_CPU");
  config = json::parse(get("/v2/models/classes/versions/7/config").body);
  EXPECT_EQ(config["version_policy"], (json{{"latest", {{"num_versions", 1}}}}));
  EXPECT_EQ(config["output"][0]["label_filename"], "labels.txt");
  expectError(get("/v2/models/none/config"), 404, "is not found");
}

TEST_F(OpenInferenceRestTest, HasTritonsSettings) {
  json settings = json::parse(get("/v2/logging").body);
  EXPECT_EQ(settings, json::parse(R"({"log_file":"","log_info":false,"log_warning":false,"log_error":false,
                                      "log_verbose_level":0,"log_format":"default"})"));
  EXPECT_EQ(post("/v2/logging", R"({"log_verbose_level":0})").status, 200);
  expectError(post("/v2/logging", R"({"log_info":true})"), 400, "unsupported log setting 'log_info'");
  expectError(post("/v2/logging", R"({"other":1})"), 400, "unsupported log setting 'other'");
  expectError(post("/v2/logging", R"({"log_verbose_level":4294967296})"), 400, "unsupported log setting");
  expectError(post("/v2/logging", R"({"log_info":null})"), 400, "unsupported log setting 'log_info': null");
  json trace = json::parse(get("/v2/trace/setting").body);
  EXPECT_EQ(trace["trace_level"], json{"OFF"});
  EXPECT_EQ(json::parse(get("/v2/models/half/trace/setting").body), trace);
  EXPECT_EQ(post("/v2/trace/setting", R"({"trace_level":["OFF"],"trace_rate":null})").status, 200);
  expectError(post("/v2/trace/setting", R"({"trace_rate":1})"), 400, "expected a string or a list of them, but got 1");
  expectError(post("/v2/trace/setting", R"({"trace_level":["TIMESTAMPS"]})"), 501,
              "unsupported trace setting 'trace_level'");
  expectError(get("/v2/models/none/trace/setting"), 404, "is not found");
}

TEST_F(OpenInferenceRestTest, HasNoSharedMemory) {
  for (std::string kind : {"system", "cuda"}) {
    EXPECT_EQ(get("/v2/" + kind + "sharedmemory/status").body, "[]");
    EXPECT_EQ(get("/v2/" + kind + "sharedmemory/region/r/status").body, "[]");
    EXPECT_EQ(post("/v2/" + kind + "sharedmemory/unregister").status, 200);
    expectError(post("/v2/" + kind + "sharedmemory/region/r/register", "{}"), 501, "unsupported shared memory");
  }
  json body = input({1}, {1, 1});
  body["inputs"][0]["parameters"] = {{"shared_memory_region", "r"}};
  expectError(infer(body), 501, "unsupported shared memory for input 'x'");
  body = input({1}, {1, 1});
  body["outputs"] = {{{"name", "y"}, {"parameters", {{"shared_memory_region", "r"}}}}};
  expectError(infer(body), 501, "unsupported shared memory for output 'y'");
}

} // namespace
