//===- serve-load.cpp - requests a second and latencies of a server of models ------------------------------------===//
//
// C connections, each with a thread that sends its next request when it has the answer, for S seconds behind a
// warm-up; then prints JSON. One tool for all protocols, so that they can be compared:
//   predict      TensorFlow Serving by gRPC (tensor_content)    rest-predict  the same by JSON over HTTP
//   infer        Open Inference Protocol by gRPC (raw)          rest-infer    the same by JSON over HTTP
//                                                               rest-binary   the same by its binary extension
// HTTP is 1.1 and keeps its connections. Latencies are those of the client: with everything on one machine they have
// the client's own work in them. With --rate, requests leave at fixed times whether or not the server keeps up, and a
// latency counts from the time its request was due: a stall delays all of those behind it, as it would for real
// callers.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "inference.grpc.pb.h"
#include "tensorflow_serving.grpc.pb.h"

#include <CLI/CLI.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options final {
  std::string mode = "infer", host = "127.0.0.1", model, input = "x", token;
  int port = 8500, connections = 1;
  double seconds = 5, warmUp = 0.5, rate = 0;
  std::vector<int64_t> shape = {1, 1};
};

/// The elements of the input: all 1, so that a request is the same size in each run.
std::vector<float> elements(const Options &options) {
  size_t count = 1;
  for (int64_t size : options.shape)
    count *= static_cast<size_t>(size);
  return std::vector<float>(count, 1.0f);
}

std::string bytes(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

/// A connection: a call sends a request and waits for its answer. Throws where that is not a good one.
using Connection = std::function<void()>;

std::shared_ptr<grpc::Channel> connect(const Options &options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); // a connection of its own
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(options.host + ":" + std::to_string(options.port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

/// Calls a method of a stub again and again with one request.
template <typename Stub, typename In, typename Out>
Connection unary(const Options &options, std::shared_ptr<Stub> stub,
                 grpc::Status (Stub::*method)(grpc::ClientContext *, const In &, Out *), In request) {
  return [options, stub, method, request = std::make_shared<In>(std::move(request)), answer = std::make_shared<Out>()] {
    grpc::ClientContext context;
    if (!options.token.empty())
      context.AddMetadata("authorization", "Bearer " + options.token);
    grpc::Status status = ((*stub).*method)(&context, *request, answer.get());
    if (!status.ok())
      throw std::runtime_error(status.error_message());
  };
}

Connection predict(const Options &options) {
  using tensorflow::serving::PredictionService;
  tensorflow::serving::PredictRequest request;
  request.mutable_model_spec()->set_name(options.model);
  tensorflow::TensorProto &tensor = (*request.mutable_inputs())[options.input];
  tensor.set_dtype(tensorflow::DT_FLOAT);
  for (int64_t size : options.shape)
    tensor.mutable_tensor_shape()->add_dim()->set_size(size);
  tensor.set_tensor_content(bytes(elements(options)));
  std::shared_ptr<PredictionService::Stub> stub = PredictionService::NewStub(connect(options));
  return unary(options, stub, &PredictionService::Stub::Predict, std::move(request));
}

Connection infer(const Options &options) {
  using inference::GRPCInferenceService;
  inference::ModelInferRequest request;
  request.set_model_name(options.model);
  auto *tensor = request.add_inputs();
  tensor->set_name(options.input);
  tensor->set_datatype("FP32");
  tensor->mutable_shape()->Add(options.shape.begin(), options.shape.end());
  request.add_raw_input_contents(bytes(elements(options)));
  std::shared_ptr<GRPCInferenceService::Stub> stub = GRPCInferenceService::NewStub(connect(options));
  return unary(options, stub, &GRPCInferenceService::Stub::ModelInfer, std::move(request));
}

/// The elements as nested lists.
nlohmann::json nested(const Options &options, size_t axis, const float *&at) {
  if (axis == options.shape.size())
    return *at++;
  nlohmann::json list = nlohmann::json::array();
  for (int64_t i = 0; i < options.shape[axis]; ++i)
    list.push_back(nested(options, axis + 1, at));
  return list;
}

Connection rest(const Options &options) {
  namespace http = boost::beast::http;
  using boost::asio::ip::tcp;
  std::vector<float> values = elements(options);
  auto request = std::make_shared<http::request<http::string_body>>(http::verb::post,
                                                                    options.mode == "rest-predict"
                                                                        ? "/v1/models/" + options.model + ":predict"
                                                                        : "/v2/models/" + options.model + "/infer",
                                                                    11);
  request->set(http::field::host, options.host);
  if (!options.token.empty())
    request->set(http::field::authorization, "Bearer " + options.token);
  nlohmann::json input = {{"name", options.input}, {"shape", options.shape}, {"datatype", "FP32"}};
  if (options.mode == "rest-binary") {
    std::string data = bytes(values);
    input["parameters"] = {{"binary_data_size", data.size()}};
    std::string header = nlohmann::json({{"inputs", {input}}, {"parameters", {{"binary_data_output", true}}}}).dump();
    request->set("Inference-Header-Content-Length", std::to_string(header.size()));
    request->set(http::field::content_type, "application/octet-stream");
    request->body() = header + data;
  } else if (options.mode == "rest-infer") {
    input["data"] = values;
    request->set(http::field::content_type, "application/json");
    request->body() = nlohmann::json({{"inputs", {input}}}).dump();
  } else {
    const float *at = values.data();
    request->set(http::field::content_type, "application/json");
    request->body() = nlohmann::json({{"instances", nested(options, 0, at)}}).dump();
  }
  request->prepare_payload();

  struct Link final {
    boost::asio::io_context context;
    tcp::socket socket{context};
    boost::beast::flat_buffer buffer;
  };
  auto link = std::make_shared<Link>();
  tcp::resolver resolver(link->context);
  boost::asio::connect(link->socket, resolver.resolve(options.host, std::to_string(options.port)));
  link->socket.set_option(tcp::no_delay(true));
  return [link, request] {
    http::write(link->socket, *request);
    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    http::read(link->socket, link->buffer, parser);
    if (parser.get().result() != http::status::ok)
      throw std::runtime_error(parser.get().body());
  };
}

double at(const std::vector<double> &sorted, double share) {
  return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * sorted.size()))];
}

/// What one connection has measured.
struct Result final {
  std::vector<double> microseconds;
  std::string error;
};

/// Sends requests from `start` to `end`, and keeps the latencies of those from `begin` on. `interval` is the time from
/// one to the next; 0: each when the one before has been answered.
void drive(const Options &options, Clock::time_point start, Clock::duration interval, Clock::time_point begin,
           Clock::time_point end, Result &result) {
  try {
    Connection connection = options.mode == "predict" ? predict(options)
                            : options.mode == "infer" ? infer(options)
                                                      : rest(options);
    result.microseconds.reserve(1 << 20);
    while (start < end) {
      std::this_thread::sleep_until(start);
      connection();
      Clock::time_point now = Clock::now();
      if (start >= begin)
        result.microseconds.push_back(std::chrono::duration<double, std::micro>(now - start).count());
      start = interval.count() ? start + interval : now;
    }
  } catch (const std::exception &error) {
    result.error = error.what();
  }
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app{
      "Measures a server of models.\nExample: serve-load infer --model mnist_cnn --input image --shape 1,28,28,1 "
      "--connections 16 --seconds 10"};
  app.add_option("mode", options.mode, "predict, infer, rest-predict, rest-infer or rest-binary")
      ->required()
      ->check(CLI::IsMember({"predict", "infer", "rest-predict", "rest-infer", "rest-binary"}));
  app.add_option("--host", options.host, "numeric address or name")->capture_default_str();
  app.add_option("--port", options.port, "of gRPC or HTTP")->capture_default_str();
  app.add_option("--model", options.model, "name of the model")->required();
  app.add_option("--input", options.input, "name of its input, of floats")->capture_default_str();
  app.add_option("--shape", options.shape, "sizes of the input")->delimiter(',')->capture_default_str();
  app.add_option("--connections", options.connections, "requests in flight")->capture_default_str();
  app.add_option("--seconds", options.seconds, "time that is measured")->capture_default_str();
  app.add_option("--warm-up", options.warmUp, "seconds before it")->capture_default_str();
  app.add_option("--rate", options.rate, "requests a second of all connections; 0: each follows an answer")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--token", options.token, "bearer token");
  CLI11_PARSE(app, argc, argv);

  auto seconds = [](double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
  };
  std::vector<Result> results(static_cast<size_t>(std::max(options.connections, 1)));
  double apart = options.rate > 0 ? 1 / options.rate : 0; // from one connection's request to the next one's
  Clock::duration interval = seconds(apart * static_cast<double>(results.size()));
  Clock::time_point now = Clock::now(), begin = now + seconds(options.warmUp), end = begin + seconds(options.seconds);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, first = now + seconds(apart * static_cast<double>(i)), i] {
      drive(options, first, interval, begin, end, results[i]);
    });
  for (std::thread &thread : threads)
    thread.join();

  std::vector<double> all;
  nlohmann::json errors = nlohmann::json::array();
  for (const Result &result : results) {
    all.insert(all.end(), result.microseconds.begin(), result.microseconds.end());
    if (!result.error.empty())
      errors.push_back(result.error);
  }
  std::sort(all.begin(), all.end());
  double sum = 0;
  for (double value : all)
    sum += value;
  nlohmann::json report = {{"mode", options.mode},
                           {"model", options.model},
                           {"shape", options.shape},
                           {"connections", options.connections},
                           {"seconds", options.seconds},
                           {"requests", all.size()},
                           {"requests_per_second", static_cast<double>(all.size()) / options.seconds},
                           {"microseconds",
                            {{"mean", all.empty() ? 0 : sum / static_cast<double>(all.size())},
                             {"p50", at(all, 0.5)},
                             {"p90", at(all, 0.9)},
                             {"p99", at(all, 0.99)},
                             {"p99.9", at(all, 0.999)},
                             {"max", all.empty() ? 0 : all.back()}}},
                           {"errors", errors}};
  std::puts(report.dump(2).c_str());
  return errors.empty() ? 0 : 1;
}
