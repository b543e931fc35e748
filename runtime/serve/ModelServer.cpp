//===- ModelServer.cpp - the running server ----------------------------------------------------------------------===//
//
// Data flows one way: HTTP and gRPC take requests apart, the registry finds the version, its queue and the scheduler
// run it, the completion writes the answer. What is started last ends first.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/ModelServer.h"

#include "runtime/serve/BatchingFiles.h"
#include "runtime/serve/Metrics.h"
#include "runtime/serve/ModelConfigs.h"
#include "runtime/serve/Services.h"
#include "runtime/serve/Tokens.h"
#include "runtime/serve/grpc/Server.h"
#include "runtime/serve/http/Server.h"
#include "runtime/serve/page/StatusPage.h"
#include "runtime/serve/rest/MonitoringRest.h"
#include "runtime/serve/rest/OpenInferenceRest.h"
#include "runtime/serve/rest/Routes.h"
#include "runtime/serve/rest/TensorFlowRest.h"

#include <csignal>
#include <filesystem>
#include <iostream>
#include <malloc.h>
#include <optional>
#include <pthread.h>

namespace mlc::serve {

namespace {

using namespace std::chrono;

void say(const std::string &message) { std::cerr << "mlc-serve: " << message << std::endl; }

/// The models of the command line: a file, or one name and folder.
tensorflow::serving::ModelServerConfig readModels(const Options &options) {
  tensorflow::serving::ModelServerConfig config;
  if (!options.modelConfigFile.empty()) {
    readTextFile(options.modelConfigFile, config);
    return config;
  }
  tensorflow::serving::ModelConfig &model = *config.mutable_model_config_list()->add_config();
  model.set_name(options.modelName);
  model.set_base_path(std::filesystem::absolute(options.modelBasePath).lexically_normal().string());
  model.set_model_platform("tensorflow"); // the name that clients of TensorFlow Serving pass when they reload
  return config;
}

RegistryOptions registryOptions(const Options &options, Telemetry &telemetry) {
  RegistryOptions registry;
  registry.poll = duration_cast<milliseconds>(duration<double>(options.folderPollSeconds));
  registry.maxLoadRetries = options.maxLoadRetries;
  registry.loadRetryInterval = microseconds(options.loadRetryMicros);
  registry.loadThreads = options.loadThreads;
  registry.labelsForUnavailable = options.labelsForUnavailable;
  registry.load.warmUp = options.warmUp;
  registry.load.warmUpIterations = options.warmUpIterations;
  registry.load.perModelBatching = options.perModelBatching;
  registry.load.warmedUp = [&telemetry](const std::string &folder, const WarmUpReport &report) {
    telemetry.warmedUp(folder, report);
  };
  registry.log = say;
  registry.load.queue.batching = options.batching;
  registry.load.queue.maxWaiting = options.maxWaiting;
  if (!options.batchingFile.empty()) // which says itself how many may wait
    registry.load.queue = readBatchingParameters(options.batchingFile);
  return registry;
}

TelemetryOptions telemetryOptions(const Options &options) {
  TelemetryOptions telemetry;
  telemetry.accessLog = options.accessLog;
  telemetry.accessLogSample = options.accessLogSample;
  telemetry.logInputs = options.logInputs;
  telemetry.maskingRules = options.maskingFile;
  return telemetry;
}

/// The path of TensorFlow Serving's metrics; empty where they are not enabled.
std::string metricsPath(const Options &options) {
  return options.monitoringFile.empty() ? "" : monitoringPath(options.monitoringFile);
}

class ModelServer final {
public:
  explicit ModelServer(const Options &options)
      : options(options), signals(signalsToWaitFor()), tokens(readTokens(options)),
        scheduler(options.threads ? options.threads : static_cast<int>(std::thread::hardware_concurrency())),
        telemetry(telemetryOptions(options)), registry(registryOptions(options, telemetry), scheduler),
        services{registry, telemetry, &explainer, [this] { return draining.load(); }, options.checkMethodNames},
        tensorFlow(services, {milliseconds(options.restTimeoutMs), options.cors}), openInference(services),
        monitoring(services, metricsPath(options)), page(services), routes([this] { return services.ready(); }) {
    auto add = [&](auto &protocol) {
      routes.add([&](std::string_view target) { return protocol.handles(target); },
                 [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
                   protocol(request, std::move(respond));
                 });
    };
    add(tensorFlow);
    add(openInference);
    add(monitoring);
    add(page);
    routes.add([](std::string_view target) { return target == "/invocations"; },
               [&](const std::shared_ptr<const http::Request> &request, http::Respond respond) {
                 tensorFlow.invoke(request, std::move(respond));
               });
  }

  int run() {
    // The ports open when the models are there, so that whoever waits for them can send requests.
    tensorflow::serving::ModelServerConfig config = readModels(options);
    lastRead = config.SerializeAsString();
    registry.start(config);
    if (!registry.waitUntilReady([this] { return nextSignal(milliseconds(0)) == SIGTERM; }))
      return 0;
    openPorts();
    serve();
    return drain() ? 0 : 1;
  }

private:
  /// Blocks the signals that `nextSignal` waits for in this thread and those that it starts.
  static sigset_t signalsToWaitFor() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGHUP})
      sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN); // a client that has gone is an error of a write
    return set;
  }

  static std::shared_ptr<const Tokens> readTokens(const Options &options) {
    return options.tokenFile.empty() ? nullptr : std::make_shared<const Tokens>(Tokens::read(options.tokenFile));
  }

  /// The signal that came within a time, or 0; one that ends the server is SIGTERM.
  int nextSignal(milliseconds within) {
    timespec time{within.count() / 1000, within.count() % 1000 * 1'000'000};
    int signal = sigtimedwait(&signals, nullptr, &time);
    return signal == SIGINT ? SIGTERM : std::max(signal, 0);
  }

  /// HTTP last: it is where those who wait for the server ask.
  void openPorts() {
    if (options.port > 0 || !options.grpcSocketPath.empty()) {
      GrpcOptions rpc;
      rpc.port = options.port;
      rpc.listenTcp = options.port > 0;
      rpc.socketPath = options.grpcSocketPath;
      rpc.channelArguments = options.grpcChannelArguments;
      rpc.threads = options.grpcMaxThreads;
      rpc.healthService = options.grpcHealthService;
      rpc.tensorContent = options.tensorContent;
      if (tokens)
        rpc.admit = [tokens = tokens](std::string_view authorization) { return tokens->accept(authorization); };
      if (!options.sslConfigFile.empty())
        rpc.tls = readSslConfig(options.sslConfigFile);
      grpcServer.emplace(services, rpc);
      if (rpc.listenTcp)
        say("gRPC on port " + std::to_string(grpcServer->port()));
    }
    if (options.restPort > 0) {
      http::Options rest;
      rest.port = static_cast<uint16_t>(options.restPort);
      rest.threads = options.restThreads;
      rest.limits.connections = options.maxConnections;
      rest.limits.body = options.maxBodyBytes;
      rest.limits.inflated = options.maxInflatedBytes;
      rest.tokens = tokens;
      if (!options.restSslConfigFile.empty()) {
        tensorflow::serving::SSLConfig ssl = readSslConfig(options.restSslConfigFile);
        rest.tls = std::make_shared<http::TlsOptions>(
            http::TlsOptions{ssl.server_cert(), ssl.server_key(), ssl.custom_ca(), ssl.client_verify()});
      }
      httpServer.emplace(std::move(rest), [this](const std::shared_ptr<const http::Request> &request,
                                                 http::Respond respond) { routes(request, std::move(respond)); });
      say("HTTP on port " + std::to_string(httpServer->port()));
    }
    say("ready");
  }

  /// Until a signal ends it.
  void serve() {
    auto period = duration_cast<milliseconds>(duration<double>(options.configPollSeconds));
    bool polls = period > milliseconds(0) && !options.modelConfigFile.empty();
    for (;;) {
      int signal = nextSignal(polls ? period : hours(1));
      if (signal == SIGTERM)
        return;
      if (signal == SIGHUP)
        telemetry.reopenLog();
      if (!options.modelConfigFile.empty() && (polls || signal == SIGHUP))
        readModelsAgain();
    }
  }

  /// A file that is not valid changes nothing.
  void readModelsAgain() {
    try {
      tensorflow::serving::ModelServerConfig config = readModels(options);
      if (std::string text = config.SerializeAsString(); text != lastRead) {
        lastRead = text;
        registry.reload(config);
      }
    } catch (const std::exception &error) {
      say(options.modelConfigFile + ": " + error.what() + "; the models stay as they are");
    }
  }

  /// Tells balancers to go elsewhere, then finishes what is in flight. Returns whether it was in time.
  bool drain() {
    say("draining");
    draining = true;
    auto until = steady_clock::now() + milliseconds(options.drainMs);
    auto left = [&] { return std::max(duration_cast<milliseconds>(until - steady_clock::now()), milliseconds(0)); };
    if (httpServer)
      httpServer->closeAfterAnswers();
    if (grpcServer)
      grpcServer->setHealthy(false);
    nextSignal(std::min(milliseconds(options.drainNoticeMs), left())); // a second signal cuts the notice short
    std::thread rpc([&] {
      if (grpcServer)
        grpcServer->stop(left());
    });
    bool inTime = !httpServer || httpServer->drain(left());
    rpc.join();
    inTime = inTime && steady_clock::now() <= until;
    say(inTime ? "drained" : "calls in flight were cut off at the end of --drain_timeout_in_ms");
    return inTime;
  }

  const Options &options;
  const sigset_t signals; // before all that starts threads
  const std::shared_ptr<const Tokens> tokens;
  Scheduler scheduler;
  Telemetry telemetry;
  Registry registry;
  Explainer explainer;
  Services services;
  TensorFlowRest tensorFlow;
  OpenInferenceRest openInference;
  MonitoringRest monitoring;
  StatusPage page;
  Routes routes;
  std::atomic<bool> draining = false;
  std::string lastRead; // the configuration that was tried last, serialized
  std::optional<http::Server> httpServer;
  std::optional<GrpcServer> grpcServer;
};

/// Keeps memory that requests have given back: with the C library's own thresholds a message of some 100 KB goes back
/// to the system with each request, and to clear its pages anew takes longer than to read it. The values are those that
/// the library would come to itself once larger blocks had been freed.
void keepMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

} // namespace

int runModelServer(const Options &options) {
  keepMemory();
  try {
    return ModelServer(options).run();
  } catch (const std::exception &error) {
    say(std::string("Failed to start server. Error: ") + error.what());
    return 1;
  }
}

} // namespace mlc::serve
