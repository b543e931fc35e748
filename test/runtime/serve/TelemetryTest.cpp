//===- TelemetryTest.cpp - metrics, the access log, traces and masking -------------------------------------------===//
#include "ServedModels.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/JsonText.h"
#include "runtime/serve/Masking.h"
#include "runtime/serve/Metrics.h"
#include "runtime/serve/page/StatusPage.h"
#include "runtime/serve/rest/MonitoringRest.h"
#include "runtime/serve/rest/OpenInferenceRest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace mlc::serve;
using namespace mlc::serve::test;
using nlohmann::json;

namespace {

Call inference(const std::string &model, int64_t version = 1, Status status = {}) {
  Call call;
  call.entrypoint = "REST";
  call.api = "predict";
  call.method = "POST";
  call.path = "/v1/models/" + model + ":predict";
  call.peer = "10.0.0.1:5000";
  call.model = model;
  call.version = version;
  call.status = std::move(status);
  call.httpStatus = call.status.ok() ? 200 : 400;
  call.examples = 3;
  call.timing = {std::chrono::microseconds(5), std::chrono::microseconds(1), std::chrono::microseconds(70), 8};
  return call;
}

bool has(const std::string &text, const std::string &line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::vector<json> lines(const std::string &path) {
  std::vector<json> all;
  std::istringstream text(readFile(path));
  for (std::string line; std::getline(text, line);)
    all.push_back(json::parse(line));
  return all;
}

// -- Metrics ---------------------------------------------------------------------------------------------------------

TEST(Metrics, HaveTensorFlowServingsNames) {
  ServedModels models;
  Metrics metrics;
  metrics.count(inference("half"), std::chrono::microseconds(100));
  metrics.count(inference("half"), std::chrono::microseconds(15));
  metrics.count(inference("half", 1, {Code::invalidArgument, "no"}), std::chrono::microseconds(100));
  std::string text = metricsText(metrics.tensorFlow(models.registry));
  EXPECT_TRUE(has(text, "# TYPE :tensorflow:serving:request_count counter"));
  EXPECT_EQ(text.find("# HELP"), std::string::npos);
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"half\",status=\"OK\"} 2")) << text;
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"half\",status=\"INVALID_ARGUMENT\"} 1"));
  EXPECT_TRUE(has(text, "# TYPE :tensorflow:serving:request_latency histogram"));
  std::string latency = ":tensorflow:serving:request_latency",
              labels = "{API=\"predict\",entrypoint=\"REST\",model_name=\"half\"";
  EXPECT_TRUE(has(text, latency + "_count" + labels + "} 2")) << text; // only of those that ended well
  EXPECT_TRUE(has(text, latency + "_sum" + labels + "} 115"));
  EXPECT_TRUE(has(text, latency + "_bucket" + labels + ",le=\"10\"} 0"));
  EXPECT_TRUE(has(text, latency + "_bucket" + labels + ",le=\"18\"} 1"));
  EXPECT_TRUE(has(text, latency + "_bucket" + labels + ",le=\"+Inf\"} 2"));
  EXPECT_TRUE(
      has(text, ":tensorflow:serving:runtime_latency_sum{API=\"predict\",model_name=\"half\",runtime=\"mlc\"} 140"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_example_counts_sum{model=\"half\"} 6"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_example_count_total{model=\"half\"} 6"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:batching_session:queuing_latency_sum{model_name=\"half\"} 10"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:batching_session:input_batch_size_sum{model_name=\"half\"} 6"));
  // 33 buckets of 10 * 1.8^k, and the rest.
  Metrics::Latencies latencies = metrics.latencies("half");
  EXPECT_EQ(latencies.bounds.size(), 33u);
  EXPECT_EQ(latencies.counts.size(), 34u);
  EXPECT_EQ(latencies.counts[1], 1u);
  EXPECT_EQ(std::accumulate(latencies.counts.begin(), latencies.counts.end(), uint64_t(0)), 2u);
}

TEST(Metrics, CountCallsOfModelsThatAreServedByName) {
  ServedModels models;
  Metrics metrics;
  for (int i = 0; i < 100; ++i)
    metrics.count(inference("guess" + std::to_string(i), -1, {Code::notFound, "no"}), {});
  metrics.count(inference("half"), {});
  metrics.count(inference("half", -1, {Code::notFound, "no such version"}), {});
  Call other = inference("half");
  other.api = "GetModelMetadata";
  metrics.count(other, {});
  std::string text = metricsText(metrics.tensorFlow(models.registry));
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"\",status=\"NOT_FOUND\"} 100")) << text;
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"half\",status=\"NOT_FOUND\"} 1"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"half\",status=\"OK\"} 1"));
  EXPECT_EQ(text.find("guess"), std::string::npos);
}

TEST(Metrics, KeepNamesOfModelsApart) {
  ServedModels models;
  Metrics metrics;
  metrics.count(inference("a\"b\\c\nd"), {});
  EXPECT_NE(metricsText(metrics.tensorFlow(models.registry)).find("model_name=\"a\\\"b\\\\c\\nd\""), std::string::npos);
}

TEST(Metrics, AreCountedByManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 1000; ++i)
        metrics.count(inference("m" + std::to_string((i + thread) % 7), i % 3), std::chrono::microseconds(i));
    });
  for (std::thread &thread : threads)
    thread.join();
  uint64_t sum = 0;
  for (int i = 0; i < 7; ++i)
    for (uint64_t count : metrics.latencies("m" + std::to_string(i)).counts)
      sum += count;
  EXPECT_EQ(sum, 4000u);
}

TEST(Metrics, AreServedOnTwoPaths) {
  ServedModels models;
  OpenInferenceRest rest(models.services);
  std::string body = R"({"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[VALUE,2]}]})";
  for (const char *value : {"1", "2", "-12345"}) {
    std::string text = body;
    call(std::ref(rest), makeRequest("POST", "/v2/models/half/infer", text.replace(text.find("VALUE"), 5, value)));
  }
  MonitoringRest monitoring(models.services, "/monitoring/prometheus/metrics");
  EXPECT_TRUE(monitoring.handles("/metrics"));
  EXPECT_TRUE(monitoring.handles("/monitoring/prometheus/metrics"));
  EXPECT_FALSE(MonitoringRest(models.services, "").handles("/monitoring/prometheus/metrics"));
  http::Response all = call(monitoring, makeRequest("GET", "/metrics"));
  EXPECT_TRUE(all.type.starts_with("text/plain"));
  for (
      const char *line :
      {"nv_inference_request_success{model=\"half\",version=\"2\"} 2",
       "nv_inference_request_success{model=\"half\",version=\"1\"} 0",
       "nv_inference_request_failure{model=\"half\",reason=\"OTHER\",version=\"2\"} 1",
       "nv_inference_count{model=\"half\",version=\"2\"} 4", "nv_inference_exec_count{model=\"half\",version=\"2\"} 2",
       "nv_inference_pending_request_count{model=\"half\",version=\"2\"} 0",
       "# TYPE nv_inference_request_duration_us counter", "# TYPE nv_inference_queue_duration_us counter",
       "# TYPE nv_inference_compute_input_duration_us counter", "# TYPE nv_inference_compute_infer_duration_us counter",
       "# TYPE nv_inference_compute_output_duration_us counter", "# TYPE nv_inference_pending_request_count gauge",
       "# TYPE process_resident_memory_bytes gauge",
       ":tensorflow:serving:batching_session:wrapped_run_count{model_name=\"half\",version=\"2\"} 2",
       ":tensorflow:serving:batching_session:processed_batch_size_sum{model_name=\"half\",version=\"2\"} 4",
       ":tensorflow:serving:batching_session:processed_batch_size_bucket{model_name=\"half\",version=\"2\",le=\"1\"} 0",
       ":tensorflow:serving:batching_session:processed_batch_size_bucket{model_name=\"half\",version=\"2\",le=\"2\"} 2",
       ":tensorflow:serving:request_count{model_name=\"half\",status=\"OK\"} 2"})
    EXPECT_TRUE(has(all.body, line)) << line << "\n" << all.body;
  EXPECT_EQ(call(monitoring, makeRequest("GET", "/metrics?x=1")).status, 200);

  http::Response tensorFlow = call(monitoring, makeRequest("GET", "/monitoring/prometheus/metrics"));
  EXPECT_EQ(tensorFlow.type, "text/plain");
  EXPECT_NE(tensorFlow.body.find(":tensorflow:serving:request_count"), std::string::npos);
  EXPECT_EQ(tensorFlow.body.find("nv_"), std::string::npos);
  http::Response query = call(monitoring, makeRequest("GET", "/monitoring/prometheus/metrics?x=1"));
  EXPECT_EQ(query.status, 400);
  EXPECT_NE(query.body.find("Unexpected path"), std::string::npos);
  EXPECT_EQ(call(monitoring, makeRequest("POST", "/metrics")).status, 405);
}

TEST(Metrics, CountWarmUps) {
  ServedModels models;
  writeVersion(models.folder.path("empty/1"), "half_plus_two", {{warmUpName, warmUpRecords(3)}});
  writeVersion(models.folder.path("half/3"), "half_plus_two", {{warmUpName, warmUpRecords(2) + "cut off"}});
  models.registry.poll();
  std::string text = metricsText(models.telemetry.metrics().tensorFlow(models.registry));
  auto labels = [&](const char *version, const char *status) {
    return "{model_path=\"" + models.folder.path(version) + "\",status=\"" + status + "\"}";
  };
  EXPECT_TRUE(has(text, "# TYPE :tensorflow:serving:model_warmup_latency histogram"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:model_warmup_latency_count" + labels("empty/1", "OK") + " 1")) << text;
  EXPECT_TRUE(has(text, ":tensorflow:serving:model_warmup_records_read" + labels("empty/1", "OK") + " 3"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:model_warmup_records_read" + labels("half/3", "DATA_LOSS") + " 2"));
}

TEST(Metrics, CountTheSamplesThatFillBatches) {
  ServedModels models;
  LoadOptions options;
  options.queue.batching = true;
  options.queue.maxBatch = 8;
  options.queue.allowedSizes = {4, 8};
  writeVersion(models.folder.path("padded/1"), "half_plus_two");
  std::shared_ptr<Version> version =
      Version::load("padded", 1, models.folder.path("padded/1"), options, models.scheduler);
  for (int64_t rows : {1, 4, 3}) {
    std::vector<float> values(rows, 1);
    std::vector<std::vector<std::byte>> storage;
    Request request;
    request.inputs = {{"x", MLC_F32, {rows, 1}, values.data(), values.size() * sizeof(float)}};
    EXPECT_EQ(version->inferNow(std::move(request), storage)[0].sizes[0], rows);
  }
  EXPECT_EQ(version->statistics().padding, (std::map<int64_t, uint64_t>{{0, 1}, {1, 1}, {3, 1}}));
  // A model of the registry is filled up by nothing.
  OpenInferenceRest rest(models.services);
  call(std::ref(rest), makeRequest("POST", "/v2/models/half/infer",
                                   R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]})"));
  std::string text = metricsText(models.telemetry.metrics().tensorFlow(models.registry));
  const std::string name = ":tensorflow:serving:batching_session:padding_size",
                    half = "{model_name=\"half\",version=\"2\"";
  EXPECT_TRUE(has(text, "# TYPE " + name + " histogram"));
  EXPECT_TRUE(has(text, name + "_count" + half + "} 1")) << text;
  EXPECT_TRUE(has(text, name + "_sum" + half + "} 0"));
  EXPECT_TRUE(has(text, name + "_bucket" + half + ",le=\"1\"} 1"));
}

TEST(Metrics, CountTheLinesOfTheAccessLog) {
  TemporaryFolder folder;
  TelemetryOptions telemetry;
  telemetry.accessLog = folder.path("log");
  ServedModels models(telemetry);
  OpenInferenceRest rest(models.services);
  auto infer = [&](const std::string &value) {
    call(std::ref(rest),
         makeRequest("POST", "/v2/models/half/infer",
                     R"({"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[)" + value + "]}]}"));
  };
  infer("1");
  infer("2");
  infer("-12345"); // fails
  models.telemetry.accessLog()->successes = false;
  infer("1");
  std::string text = metricsText(models.telemetry.metrics().tensorFlow(models.registry));
  const std::string name = ":tensorflow:serving:request_log_count{model_name=\"half\",status_code=";
  EXPECT_TRUE(has(text, name + "\"OK\"} 2")) << text;
  EXPECT_TRUE(has(text, name + "\"INVALID_ARGUMENT\"} 1"));
  EXPECT_TRUE(has(text, ":tensorflow:serving:request_count{model_name=\"half\",status=\"OK\"} 3"));
  EXPECT_EQ(models.telemetry.metrics().totals(models.registry).at(":tensorflow:serving:request_log_count"), 3);
}

TEST(Metrics, HaveTheirPathFromAConfiguration) {
  TemporaryFolder folder;
  auto path = [&](const std::string &text) {
    writeFile(folder.path("monitoring.txt"), text);
    return monitoringPath(folder.path("monitoring.txt"));
  };
  EXPECT_EQ(path("prometheus_config { enable: true path: \"/m\" }"), "/m");
  EXPECT_EQ(path("prometheus_config { enable: true }"), "/monitoring/prometheus/metrics");
  EXPECT_EQ(path("prometheus_config { enable: false path: \"/m\" }"), "");
  EXPECT_EQ(path(""), "");
  EXPECT_THROW(path("prometheus {"), Error);
  EXPECT_THROW(monitoringPath(folder.path("none")), Error);
}

// -- Access log ------------------------------------------------------------------------------------------------------

TEST(AccessLog, HasALineForEveryCall) {
  TemporaryFolder folder;
  std::string path = folder.path("access.log");
  {
    AccessLog log(path, 1);
    Call call = inference("half");
    call.path = "/v1/models/\"half\"\n\xff";
    call.traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    call.requestId = "r";
    answerHeaders(call);
    log.write(call, std::chrono::microseconds(1234));
    log.write(inference("half", -1, {Code::notFound, "no \xc3\xbc"}), {});
  }
  std::vector<json> all = lines(path);
  ASSERT_EQ(all.size(), 2u);
  const json &line = all[0];
  EXPECT_EQ(line["status"], "OK");
  EXPECT_EQ(line["http_status"], 200);
  EXPECT_EQ(line["entrypoint"], "REST");
  EXPECT_EQ(line["api"], "predict");
  EXPECT_EQ(line["method"], "POST");
  EXPECT_EQ(line["path"], "/v1/models/\"half\"\n\xc3\xbf");
  EXPECT_EQ(line["peer"], "10.0.0.1:5000");
  EXPECT_EQ(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(line["parent_id"], "00f067aa0ba902b7");
  EXPECT_EQ(line["span_id"].get<std::string>().size(), 16u);
  EXPECT_EQ(line["request_id"], "r");
  EXPECT_EQ(line["model"], "half");
  EXPECT_EQ(line["version"], 1);
  EXPECT_EQ(line["duration_us"], 1234);
  EXPECT_EQ(line["examples"], 3);
  EXPECT_EQ(line["batch"], 8);
  EXPECT_EQ(line["queue_us"], 5);
  EXPECT_EQ(line["infer_us"], 70);
  EXPECT_FALSE(line.contains("error"));
  EXPECT_FALSE(line.contains("inputs"));
  std::string time = line["time"];
  EXPECT_EQ(time.size(), 27u) << time;
  EXPECT_EQ(time[10], 'T');
  EXPECT_EQ(time.back(), 'Z');
  EXPECT_EQ(all[1]["error"], "no \xc3\xbc");
  EXPECT_FALSE(all[1].contains("version"));
  EXPECT_FALSE(all[1].contains("trace_id"));
}

TEST(AccessLog, IsOpenedAnewForThoseWhoRotateIt) {
  TemporaryFolder folder;
  std::string path = folder.path("access.log");
  AccessLog log(path, 1);
  log.write(inference("first"), {});
  log.flush();
  std::filesystem::rename(path, path + ".1");
  log.write(inference("second"), {});
  log.flush();
  log.reopen();
  log.write(inference("third"), {});
  log.flush();
  EXPECT_EQ(lines(path + ".1").size(), 2u);
  ASSERT_EQ(lines(path).size(), 1u);
  EXPECT_EQ(lines(path)[0]["model"], "third");
}

TEST(AccessLog, LogsAShareOfWhatEndedWell) {
  TemporaryFolder folder;
  {
    AccessLog log(folder.path("share.log"), 0.25);
    for (int i = 0; i < 1000; ++i)
      log.write(inference("half"), {});
    for (int i = 0; i < 10; ++i)
      log.write(inference("half", 1, {Code::internal, "bug"}), {});
  }
  std::vector<json> all = lines(folder.path("share.log"));
  size_t failed = std::count_if(all.begin(), all.end(), [](const json &line) { return line["status"] != "OK"; });
  EXPECT_EQ(failed, 10u);
  EXPECT_NEAR(double(all.size() - failed), 250, 5);
  {
    // A trace is logged everywhere or nowhere.
    AccessLog one(folder.path("one.log"), 0.5), other(folder.path("other.log"), 0.5);
    for (int i = 0; i < 200; ++i) {
      Call call = inference("half");
      call.traceParent = "not valid, so a new trace begins";
      answerHeaders(call);
      one.write(call, {});
      other.write(call, {});
    }
  }
  std::vector<json> one = lines(folder.path("one.log")), other = lines(folder.path("other.log"));
  EXPECT_EQ(one.size(), other.size());
  EXPECT_GT(one.size(), 50u);
  EXPECT_LT(one.size(), 150u);
  EXPECT_THROW(AccessLog(folder.path("x"), 1.5), Error);
  EXPECT_THROW(AccessLog(folder.path("none/x"), 1), Error);
}

TEST(AccessLog, DropsLinesRatherThanWait) {
  TemporaryFolder folder;
  // A pipe that nobody reads holds the writer up.
  std::string path = folder.path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  {
    AccessLog log(path, 1, 32 << 10);
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 2000; ++i)
      log.write(inference("half"), {});
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    EXPECT_GT(log.dropped(), 0u);
    // The reader takes what waits, and reads how much was lost.
    fcntl(reader, F_SETFL, 0);
    std::string text(1 << 20, 0);
    size_t bytes = 0;
    while (text.find("\"dropped_lines\":") == std::string::npos) {
      ssize_t more = read(reader, text.data() + bytes, text.size() - bytes);
      ASSERT_GT(more, 0);
      bytes += more;
      log.write(inference("half"), {});
    }
  }
  close(reader);
}

TEST(AccessLog, HasSwitches) {
  TemporaryFolder folder;
  TelemetryOptions options;
  options.accessLog = folder.path("access.log");
  ServedModels models(options);
  OpenInferenceRest rest(models.services);
  auto post = [&](const std::string &path, const std::string &body) {
    return call(std::ref(rest), makeRequest("POST", path, body));
  };
  json settings = json::parse(post("/v2/logging", R"({"log_info":false,"log_warning":true})").body);
  EXPECT_EQ(settings["log_info"], false);
  EXPECT_EQ(settings["log_warning"], true);
  EXPECT_EQ(settings["log_file"], options.accessLog);
  post("/v2/repository/index", "");
  post("/v2/nothing", "");
  models.telemetry.accessLog()->flush();
  std::vector<json> all = lines(options.accessLog);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["http_status"], 404);
  EXPECT_EQ(post("/v2/logging", R"({"log_info":"yes"})").status, 400);
}

// -- Traces ----------------------------------------------------------------------------------------------------------

TEST(TraceContext, ContinuesWhatIsValid) {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", parent = "00f067aa0ba902b7";
  TraceContext context = TraceContext::continued("00-" + trace + "-" + parent + "-01");
  EXPECT_EQ(context.traceId, trace);
  EXPECT_EQ(context.parentId, parent);
  EXPECT_TRUE(context.sampled);
  EXPECT_EQ(context.header(), "00-" + trace + "-" + context.spanId + "-01");
  EXPECT_FALSE(TraceContext::continued("00-" + trace + "-" + parent + "-00").sampled);
  EXPECT_EQ(TraceContext::continued("cc-" + trace + "-" + parent + "-01-later").traceId, trace);
  for (const std::string &wrong :
       {std::string(), "00-" + trace, "ff-" + trace + "-" + parent + "-01", "00-" + trace + "-" + parent + "-01-x",
        "00-" + std::string(32, '0') + "-" + parent + "-01", "00-" + trace + "-" + std::string(16, '0') + "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + parent + "-01", "00-" + trace + "_" + parent + "-01",
        "00-" + trace + "-" + parent + "-0x", std::string(200, 'x')}) {
    context = TraceContext::continued(wrong);
    EXPECT_NE(context.traceId, trace) << wrong;
    EXPECT_EQ(context.traceId.size(), 32u);
    EXPECT_EQ(context.spanId.size(), 16u);
    EXPECT_TRUE(context.parentId.empty());
  }
}

TEST(TraceContext, AnswersOnlyWhatIsPlain) {
  Call call;
  EXPECT_TRUE(answerHeaders(call).empty());
  for (std::string wrong :
       {std::string("a\r\nSet-Cookie: x"), std::string("a b"), std::string(200, 'a'), std::string("\xff")}) {
    call.requestId = wrong;
    EXPECT_TRUE(answerHeaders(call).empty()) << wrong;
  }
}

// -- Masking ---------------------------------------------------------------------------------------------------------

class MaskingTest : public testing::Test {
protected:
  MaskingTest() {
    writeFile(folder.path("key"), "0123456789abcdef\n");
    writeFile(folder.path("short"), "secret");
  }
  Masking rules(const std::string &text) { return Masking::parse(text, folder.path("")); }

  TemporaryFolder folder;
  const std::vector<float> data = {1, 2.5, 3, 4};
  const std::vector<Tensor> inputs = {{"age", MLC_F32, {1}, data.data(), 4},
                                      {"image", MLC_F32, {2, 2}, data.data(), 16}};
};

TEST_F(MaskingTest, DropsWhatNoRuleKeeps) {
  EXPECT_EQ(Masking().apply("m", inputs), "");
  EXPECT_EQ(rules(R"({"rules":[]})").apply("m", inputs), "");
  EXPECT_EQ(rules(R"({"rules":[{"field":"age","action":"drop"},{"field":"a*","action":"keep"}]})").apply("m", inputs),
            "");
  EXPECT_EQ(rules(R"({"rules":[{"model":"other","action":"keep"}]})").apply("m", inputs), "");
}

TEST_F(MaskingTest, KeepsTruncatesAndHashes) {
  Masking masking = rules(R"({"key_file":"key","rules":[{"model":"m*","field":"age","action":"hash"},
                              {"field":"image","action":"truncate","length":2}]})");
  json masked = json::parse(masking.apply("m", inputs));
  EXPECT_EQ(masked["image"], json::parse(R"({"datatype":"FP32","shape":[2,2],"data":[1.0,2.5],"truncated":true})"));
  std::string digest = masked["age"]["hmac_sha256"];
  EXPECT_EQ(digest.size(), 64u);
  // Equal inputs are found again; without the key nobody can try values.
  EXPECT_EQ(json::parse(masking.apply("m2", inputs))["age"]["hmac_sha256"], digest);
  writeFile(folder.path("key"), "another key of 16 bytes");
  Masking other = rules(R"({"key_file":"key","rules":[{"field":"age","action":"hash"}]})");
  EXPECT_NE(json::parse(other.apply("m", inputs))["age"]["hmac_sha256"], digest);
  masked = json::parse(rules(R"({"rules":[{"field":"image","action":"keep"}]})").apply("m", inputs));
  EXPECT_EQ(masked, json::parse(R"({"image":{"datatype":"FP32","shape":[2,2],"data":[1.0,2.5,3.0,4.0]}})"));
}

TEST_F(MaskingTest, HashesAsHmacOfRfc2104) {
  // openssl dgst -sha256 -hmac 0123456789abcdef of the four bytes of 1.0f.
  json masked =
      json::parse(rules(R"({"key_file":"key","rules":[{"field":"age","action":"hash"}]})").apply("m", inputs));
  EXPECT_EQ(masked["age"]["hmac_sha256"], "b9e0b53d2869f15ff9a0667ae4f3d9bde86df46d47d82c2a229f52ad6ec821e6");
}

TEST_F(MaskingTest, RefusesRulesThatAreNotValid) {
  for (const char *text :
       {"", "[]", "{}", R"({"rules":{"a":1}})", R"({"rules":[{"action":"show"}]})", R"({"rules":[{"field":"x"}]})",
        R"({"rules":[{"action":"hash"}]})", R"({"rules":[{"action":"truncate"}]})",
        R"({"rules":[{"action":"keep","length":3}]})", R"({"rules":[{"action":"keep","feild":"x"}]})",
        R"({"rules":[],"default":"keep"})", R"({"key_file":"short","rules":[]})"}) {
    try {
      rules(text);
      ADD_FAILURE() << "expected an error for " << text;
    } catch (const Error &error) {
      EXPECT_EQ(error.code, Code::invalidArgument) << error.what();
    }
  }
  EXPECT_THROW(rules(R"({"key_file":"none","rules":[]})"), Error);
  EXPECT_THROW(Masking::read(folder.path("none")), Error);
}

TEST_F(MaskingTest, DecidesWhatTheLogHas) {
  writeFile(folder.path("rules.json"), R"({"rules":[{"model":"half","field":"x","action":"truncate","length":1}]})");
  TelemetryOptions options;
  options.accessLog = folder.path("access.log");
  options.maskingRules = folder.path("rules.json");
  std::string body = R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[5,6]}]})";
  for (bool inputs : {false, true}) {
    options.logInputs = inputs;
    ServedModels models(options);
    OpenInferenceRest rest(models.services);
    call(std::ref(rest), makeRequest("POST", "/v2/models/half/infer", body));
    call(std::ref(rest), makeRequest("POST", "/v2/models/classes/infer", body));
  }
  std::vector<json> all = lines(options.accessLog);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_FALSE(all[0].contains("inputs"));
  EXPECT_EQ(all[2]["inputs"], json::parse(R"({"x":{"datatype":"FP32","shape":[1,2],"data":[5.0],"truncated":true}})"));
  EXPECT_FALSE(all[3].contains("inputs"));
  writeFile(options.maskingRules, "{}");
  EXPECT_THROW(Telemetry{options}, Error);
}

// -- Cost ------------------------------------------------------------------------------------------------------------

TEST(Telemetry, CostsLittle) {
  TemporaryFolder folder;
  TelemetryOptions options;
  options.accessLog = folder.path("access.log");
  Telemetry telemetry(options);
  Call call = inference("half");
  call.traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  answerHeaders(call);
  constexpr int calls = 20'000;
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i)
    telemetry.finished(call);
  double each = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / calls;
  RecordProperty("microseconds_a_call", std::to_string(each));
  std::cout << "telemetry: " << each << " µs a call\n";
  EXPECT_LT(each, 50); // 2 on an idle machine without sanitizers
}

// -- Status page -----------------------------------------------------------------------------------------------------

TEST(StatusPage, HasItsFiles) {
  ServedModels models;
  StatusPage page(models.services);
  for (const auto &[path, type] : {std::pair<std::string, std::string>{"/", "text/html; charset=utf-8"},
                                   {"/page.css", "text/css; charset=utf-8"},
                                   {"/page.js", "text/javascript; charset=utf-8"},
                                   {"/status.json", "application/json"}}) {
    EXPECT_TRUE(StatusPage::handles(path));
    http::Response response = call(page, makeRequest("GET", path));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.type, type);
    EXPECT_LT(response.body.size(), 60'000u);
    EXPECT_NE(headerOf(response, "Content-Security-Policy").find("default-src 'none'"), std::string::npos);
    EXPECT_EQ(headerOf(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.body.find("http://", 0),
              path == "/page.js" ? response.body.find("http://www.w3.org/2000/svg") : std::string::npos);
    EXPECT_EQ(response.body.find("https://"), std::string::npos);
  }
  EXPECT_FALSE(StatusPage::handles("/other"));
  EXPECT_EQ(call(page, makeRequest("POST", "/")).status, 405);
}

TEST(StatusPage, DescribesWhatIsServed) {
  ServedModels models;
  OpenInferenceRest rest(models.services);
  call(std::ref(rest), makeRequest("POST", "/v2/models/half/infer",
                                   R"({"inputs":[{"name":"x","shape":[2,1],"datatype":"FP32","data":[1,2]}]})"));
  StatusPage page(models.services);
  json status = json::parse(call(page, makeRequest("GET", "/status.json")).body);
  EXPECT_EQ(status["ready"], false);
  ASSERT_EQ(status["models"].size(), 4u);
  EXPECT_EQ(status["models"][1]["versions"], json::array());
  json half = status["models"][2];
  EXPECT_EQ(half["name"], "half");
  EXPECT_EQ(half["labels"], (json{{"stable", 1}}));
  ASSERT_EQ(half["versions"].size(), 2u);
  EXPECT_EQ(half["versions"][0]["version"], "2");
  EXPECT_EQ(half["versions"][0]["state"], "AVAILABLE");
  EXPECT_EQ(half["versions"][0]["inputs"], json::parse(R"([{"name":"x","datatype":"FP32","sizes":["N","D"]}])"));
  EXPECT_EQ(half["versions"][0]["inferences"], 2);
  EXPECT_EQ(half["versions"][0]["success"], 1);
  EXPECT_EQ(half["versions"][0]["waiting"], 0);
  EXPECT_EQ(half["versions"][0]["source"], "half_plus_three.onnx");
  uint64_t calls = 0;
  for (uint64_t count : half["latency"]["counts"])
    calls += count;
  EXPECT_EQ(calls, 1u);
}

} // namespace
