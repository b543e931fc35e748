//===- serve-load.cpp - requests a second and latencies of a server of models ------------------------------------===//
//
// C connections, each of which sends its next request when it has the answer, for S seconds behind a warm-up; then
// prints JSON. One tool for all protocols, so that they can be compared:
//   predict      TensorFlow Serving by gRPC (tensor_content)    rest-predict  the same by JSON over HTTP
//   infer        Open Inference Protocol by gRPC (raw)          rest-infer    the same by JSON over HTTP
//                                                               rest-binary   the same by its binary extension
//   echo         is a server: gRPC that answers the bytes that came, so that infer shows what gRPC itself takes
// HTTP is 1.1 and keeps its connections, all of them on one thread, which knows only as much of it as it needs: the
// client shares the machine with the server. gRPC has a thread for each. Latencies are those of the client: with
// everything on one machine they have the client's own work in them. With --rate, requests leave at fixed times whether
// or not the server keeps up, and a latency counts from the time its request was due: a stall delays all of those
// behind it, as it would for real callers.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "inference.grpc.pb.h"
#include "tensorflow_serving.grpc.pb.h"

#include <CLI/CLI.hpp>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <malloc.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
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

/// A connection of gRPC: a call sends a request and waits for its answer. Throws where that is not a good one.
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

/// A request over HTTP 1.1, as it is sent.
std::string httpRequest(const Options &options) {
  std::vector<float> values = elements(options);
  std::string target = options.mode == "rest-predict" ? "/v1/models/" + options.model + ":predict"
                                                      : "/v2/models/" + options.model + "/infer";
  std::string head = "POST " + target + " HTTP/1.1\r\nHost: " + options.host + "\r\n", body;
  if (!options.token.empty())
    head += "Authorization: Bearer " + options.token + "\r\n";
  nlohmann::json input = {{"name", options.input}, {"shape", options.shape}, {"datatype", "FP32"}};
  if (options.mode == "rest-binary") {
    std::string data = bytes(values);
    input["parameters"] = {{"binary_data_size", data.size()}};
    body = nlohmann::json({{"inputs", {input}}, {"parameters", {{"binary_data_output", true}}}}).dump();
    head +=
        "Content-Type: application/octet-stream\r\nInference-Header-Content-Length: " + std::to_string(body.size()) +
        "\r\n";
    body += data;
  } else if (options.mode == "rest-infer") {
    input["data"] = values;
    head += "Content-Type: application/json\r\n";
    body = nlohmann::json({{"inputs", {input}}}).dump();
  } else {
    const float *at = values.data();
    head += "Content-Type: application/json\r\n";
    body = nlohmann::json({{"instances", nested(options, 0, at)}}).dump();
  }
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Throws the error of a call that failed.
[[noreturn]] void failed(const char *call) {
  throw std::runtime_error(std::string(call) + ": " + std::strerror(errno));
}

/// A connection of HTTP. Its answers have a Content-Length.
class HttpConnection final {
public:
  explicit HttpConnection(const Options &options) {
    addrinfo hints = {}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (int error = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found))
      throw std::runtime_error(options.host + ": " + gai_strerror(error));
    std::unique_ptr<addrinfo, void (*)(addrinfo *)> owner(found, freeaddrinfo);
    for (; found && socket < 0; found = found->ai_next) {
      socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (socket >= 0 && ::connect(socket, found->ai_addr, found->ai_addrlen) != 0)
        close(std::exchange(socket, -1));
    }
    if (socket < 0)
      failed("connect");
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  HttpConnection(HttpConnection &&other) noexcept : socket(std::exchange(other.socket, -1)) {}
  HttpConnection &operator=(HttpConnection &&) = delete;
  ~HttpConnection() {
    if (socket >= 0)
      close(socket);
  }

  int handle() const { return socket; }

  void send(const std::string &request) {
    for (size_t done = 0; done < request.size();) {
      ssize_t count = ::send(socket, request.data() + done, request.size() - done, MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR)
        failed("send");
      done += static_cast<size_t>(std::max<ssize_t>(count, 0));
    }
  }

  /// Takes what has come; returns whether the answer is complete. Throws where it is not a good one.
  bool receive() {
    if (have == answer.size())
      answer.resize(std::max(2 * answer.size(), size_t(64) << 10));
    ssize_t count = recv(socket, answer.data() + have, answer.size() - have, 0);
    if (count < 0 && errno == EINTR)
      return false;
    if (count <= 0)
      throw std::runtime_error("the server has closed the connection");
    have += static_cast<size_t>(count);
    if (whole == 0 && !readHead())
      return false;
    if (have < whole)
      return false;
    if (std::string_view(answer).substr(0, have).substr(8, 5) != " 200 ")
      throw std::runtime_error(answer.substr(0, std::min<size_t>(have, 1024)));
    have = whole = 0;
    return true;
  }

private:
  /// Finds out how long the answer is.
  bool readHead() {
    std::string_view text = std::string_view(answer).substr(0, have);
    size_t end = text.find("\r\n\r\n");
    if (end == text.npos)
      return false;
    constexpr std::string_view name = "\r\ncontent-length:";
    text = text.substr(0, end);
    auto at = std::search(text.begin(), text.end(), name.begin(), name.end(),
                          [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; });
    if (at == text.end())
      throw std::runtime_error("expected an answer with a Content-Length");
    whole = end + 4 + std::strtoull(&*at + name.size(), nullptr, 10);
    answer.resize(std::max(answer.size(), whole));
    return true;
  }

  int socket = -1;
  std::string answer; // as long as its buffer is
  size_t have = 0, whole = 0;
};

/// A call of any method, answered with its own message.
class Echo final {
public:
  static void listen(grpc::AsyncGenericService &service, grpc::ServerCompletionQueue &queue) {
    auto *call = new Echo(service, queue);
    service.RequestCall(&call->context, &call->stream, &queue, &queue, call);
  }

  void proceed(bool ok) {
    if (step == Step::arrival && ok) {
      listen(service, queue);
      step = Step::request;
      stream.Read(&message, this);
    } else if (step == Step::request && ok) {
      step = Step::answer;
      stream.WriteAndFinish(message, {}, grpc::Status::OK, this);
    } else {
      delete this;
    }
  }

private:
  Echo(grpc::AsyncGenericService &service, grpc::ServerCompletionQueue &queue) : service(service), queue(queue) {}

  enum class Step { arrival, request, answer };
  grpc::AsyncGenericService &service;
  grpc::ServerCompletionQueue &queue;
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
  grpc::ByteBuffer message;
  Step step = Step::arrival;
};

/// Serves echoes until the process is ended.
int serveEchoes(const Options &options) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.host + ":" + std::to_string(options.port), grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterAsyncGenericService(&service);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) {
    std::fprintf(stderr, "serve-load: cannot listen on %s:%d\n", options.host.c_str(), options.port);
    return 1;
  }
  Echo::listen(service, *queue);
  void *tag;
  for (bool ok; queue->Next(&tag, &ok);)
    static_cast<Echo *>(tag)->proceed(ok);
  return 0;
}

/// The processor time of this process.
double processorMicroseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto micros = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

double at(const std::vector<double> &sorted, double share) {
  return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * sorted.size()))];
}

/// What one connection has measured.
struct Result final {
  std::vector<double> microseconds;
  std::string error;
};

/// When requests are sent: from `start` to `end`, of which those from `begin` on are measured. `interval` is the time
/// from one request of a connection to its next; 0: each when the one before has been answered.
struct Schedule final {
  Clock::time_point start, begin, end;
  Clock::duration interval{0}, apart{0}; ///< `apart`: from one connection's first request to the next one's

  /// When a connection sends the request behind one that was due at `due` and is answered now.
  Clock::time_point next(Clock::time_point due, Clock::time_point now) const {
    return interval.count() ? due + interval : now;
  }
  void note(Clock::time_point due, Clock::time_point now, Result &result) const {
    if (due >= begin)
      result.microseconds.push_back(std::chrono::duration<double, std::micro>(now - due).count());
  }
};

/// Drives all connections of HTTP on one thread: a thread for each would be a large part of what is measured.
void driveHttp(const Options &options, const Schedule &schedule, Result &result) {
  try {
    const std::string request = httpRequest(options);
    std::vector<HttpConnection> connections;
    std::vector<bool> waiting; // for answers
    std::vector<Clock::time_point> due;
    int events = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < options.connections; ++i) {
      connections.emplace_back(options);
      waiting.push_back(false);
      due.push_back(schedule.start + i * schedule.apart);
      epoll_event event = {EPOLLIN, {.u32 = static_cast<uint32_t>(i)}};
      if (epoll_ctl(events, EPOLL_CTL_ADD, connections[i].handle(), &event) != 0)
        failed("epoll_ctl");
    }
    std::vector<epoll_event> answered(connections.size());
    result.microseconds.reserve(1 << 20);
    for (size_t answers = 0;;) {
      Clock::time_point now = Clock::now(), soonest = Clock::time_point::max();
      for (size_t i = 0; i < connections.size(); ++i) {
        if (waiting[i] || due[i] >= schedule.end)
          continue;
        if (due[i] > now) {
          soonest = std::min(soonest, due[i]);
          continue;
        }
        connections[i].send(request);
        waiting[i] = true;
        ++answers;
      }
      if (answers == 0 && soonest == Clock::time_point::max())
        break;
      int count = 1;
      if (connections.size() > 1 || answers == 0) { // one alone receives without asking whether it can
        auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(soonest - Clock::now());
        left = std::max(left, std::chrono::nanoseconds(0));
        timespec time = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        count = epoll_pwait2(events, answered.data(), static_cast<int>(answered.size()),
                             soonest == Clock::time_point::max() ? nullptr : &time, nullptr);
        if (count < 0 && errno != EINTR)
          failed("epoll_pwait2");
      }
      for (int k = 0; k < count; ++k) {
        uint32_t i = answered[k].data.u32;
        if (!connections[i].receive())
          continue;
        now = Clock::now();
        schedule.note(due[i], now, result);
        due[i] = schedule.next(due[i], now);
        if (due[i] <= now && due[i] < schedule.end) {
          connections[i].send(request);
        } else {
          waiting[i] = false;
          --answers;
        }
      }
    }
    close(events);
  } catch (const std::exception &error) {
    result.error = error.what();
  }
}

/// Drives one connection of gRPC.
void driveRpc(const Options &options, const Schedule &schedule, Result &result) {
  try {
    Connection connection = options.mode == "predict" ? predict(options) : infer(options);
    result.microseconds.reserve(1 << 20);
    for (Clock::time_point due = schedule.start; due < schedule.end;) {
      std::this_thread::sleep_until(due);
      connection();
      Clock::time_point now = Clock::now();
      schedule.note(due, now, result);
      due = schedule.next(due, now);
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
  app.add_option("mode", options.mode, "predict, infer, rest-predict, rest-infer, rest-binary, or echo")
      ->required()
      ->check(CLI::IsMember({"predict", "infer", "rest-predict", "rest-infer", "rest-binary", "echo"}));
  app.add_option("--host", options.host, "numeric address or name")->capture_default_str();
  app.add_option("--port", options.port, "of gRPC or HTTP")->capture_default_str();
  app.add_option("--model", options.model, "name of the model");
  app.add_option("--input", options.input, "name of its input, of floats")->capture_default_str();
  app.add_option("--shape", options.shape, "sizes of the input")->delimiter(',')->capture_default_str();
  app.add_option("--connections", options.connections, "requests in flight")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "time that is measured")->capture_default_str();
  app.add_option("--warm-up", options.warmUp, "seconds before it")->capture_default_str();
  app.add_option("--rate", options.rate, "requests a second of all connections; 0: each follows an answer")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--token", options.token, "bearer token");
  CLI11_PARSE(app, argc, argv);
#ifdef __GLIBC__ // large messages take the memory of those before
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif

  if (options.mode == "echo")
    return serveEchoes(options);
  if (options.model.empty()) {
    std::fprintf(stderr, "serve-load: requires --model\n");
    return 1;
  }

  auto seconds = [](double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
  };
  Schedule schedule;
  schedule.start = Clock::now();
  schedule.begin = schedule.start + seconds(options.warmUp);
  schedule.end = schedule.begin + seconds(options.seconds);
  if (options.rate > 0) {
    schedule.apart = seconds(1 / options.rate);
    schedule.interval = seconds(options.connections / options.rate);
  }
  bool isHttp = options.mode.starts_with("rest");
  std::vector<Result> results(isHttp ? 1 : static_cast<size_t>(options.connections));
  std::vector<std::thread> threads;
  for (Result &result : results) {
    Schedule own = schedule;
    if (!isHttp)
      own.start += static_cast<Clock::rep>(&result - results.data()) * schedule.apart;
    threads.emplace_back([&, own] { (isHttp ? driveHttp : driveRpc)(options, own, result); });
  }
  std::this_thread::sleep_until(schedule.begin);
  double processor = processorMicroseconds();
  for (std::thread &thread : threads)
    thread.join();
  processor = processorMicroseconds() - processor;

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
                           {"client_cpu_microseconds", all.empty() ? 0 : processor / static_cast<double>(all.size())},
                           {"errors", errors}};
  std::puts(report.dump(2).c_str());
  return errors.empty() ? 0 : 1;
}
