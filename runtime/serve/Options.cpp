//===- Options.cpp - the command line of the server --------------------------------------------------------------===//
#include "runtime/serve/Options.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace mlc::serve {

namespace {

/// A flag of TensorFlow Serving that chooses devices, sessions or formats of its own, or how it works inside. Scripts
/// that start it pass them; here they have no effect, which is said with the reason.
struct WithoutEffect final {
  const char *name, *reason;
};
constexpr const char *ownThreads = "--threads is what all runs share", *noSessions = "there are no sessions",
                     *libraries = "models are compiled libraries",
                     *compiledFor = "a library runs on what it was compiled for";
constexpr WithoutEffect withoutEffect[] = {
    {"tensorflow_session_parallelism", ownThreads},
    {"tensorflow_intra_op_parallelism", ownThreads},
    {"tensorflow_inter_op_parallelism", ownThreads},
    {"thread_pool_factory_config_file", ownThreads},
    {"tensorflow_session_config_file", noSessions},
    {"platform_config_file", noSessions},
    {"saved_model_tags", libraries},
    {"prefer_tflite_model", libraries},
    {"num_tflite_interpreters_per_pool", libraries},
    {"num_tflite_pools", libraries},
    {"remove_unused_fields_from_bundle_metagraph", libraries},
    {"per_process_gpu_memory_fraction", compiledFor},
    {"xla_cpu_compilation_enabled", compiledFor},
    {"xla_gpu_compilation_enabled", compiledFor},
    {"mixed_precision", compiledFor},
    {"skip_initialize_tpu", compiledFor},
    {"enable_profiler", "there is no profiler; --access_log has the time of each call"},
    {"use_alts_credentials", "it encrypts nothing here; --ssl_config_file does"},
    {"flush_filesystem_caches", "models are read from local folders"},
    {"num_unload_threads", "one thread unloads versions, and no request waits for it"}};

void addFlags(CLI::App &app, Options &o) {
  // Images start us with flags of their own, and users add theirs behind them.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.option_defaults()->always_capture_default()->group("Ports");
  app.add_option("--port", o.port, "port of gRPC, for both protocols; 0 for none");
  app.add_option("--rest_api_port", o.restPort, "port of HTTP: both REST protocols, metrics, status page; 0 for none");
  app.add_option("--rest_api_num_threads", o.restThreads, "threads that serve HTTP; 0 for four a core");
  app.add_option("--rest_api_timeout_in_ms", o.restTimeoutMs, "time a REST call may take");
  app.add_flag("--rest_api_enable_cors_support,--enable_cors_support", o.cors, "answer with CORS headers");
  app.add_option("--grpc_socket_path", o.grpcSocketPath, "listen for gRPC on this Unix socket, too");
  app.add_option("--grpc_channel_arguments", o.grpcChannelArguments, "KEY=VALUE,… of the gRPC server");
  app.add_option("--grpc_max_threads", o.grpcMaxThreads, "threads of gRPC; 0 for four a core");
  app.add_flag("--enable_grpc_healthcheck_service", o.grpcHealthService, "serve grpc.health.v1");
  app.add_option("--ssl_config_file", o.sslConfigFile, "SSLConfig as text: TLS on the gRPC port");
  app.add_option("--rest_ssl_config_file", o.restSslConfigFile, "the same for the HTTP port");
  app.add_option("--token_file", o.tokenFile, "bearer tokens, one a line: clients need one, on both ports");

  app.option_defaults()->group("Models");
  app.add_option("--model_name", o.modelName, "name of the one model of --model_base_path");
  app.add_option("--model_base_path", o.modelBasePath, "its folder, which has a folder a version: BASE/3/");
  app.add_option("--model_config_file", o.modelConfigFile, "ModelServerConfig as text, for several models");
  app.add_option("--model_config_file_poll_wait_seconds", o.configPollSeconds,
                 "read that file again this often; 0 for never");
  app.add_option("--file_system_poll_wait_seconds", o.folderPollSeconds,
                 "look for new versions this often; 0 for once, below 0 for never");
  app.add_flag("--allow_version_labels_for_unavailable_models", o.labelsForUnavailable,
               "new labels may name versions that are not available yet");
  app.add_option("--num_load_threads", o.loadThreads, "threads that load versions; 0 for the registry's own");
  app.add_option("--max_num_load_retries", o.maxLoadRetries, "tries of a load that failed, after the first");
  app.add_option("--load_retry_interval_micros", o.loadRetryMicros, "time between them");
  app.add_flag("--enable_model_warmup", o.warmUp, "run a version's recorded requests before it serves")
      ->default_str("true");
  app.add_option("--num_request_iterations_for_warmup", o.warmUpIterations, "how often each of them is run");

  app.add_flag("--enable_signature_method_name_check", o.checkMethodNames,
               "refuse Classify and Regress, since the signatures of compiled models are of Predict");

  app.option_defaults()->group("Scheduling");
  app.add_option("--threads", o.threads, "threads that all runs share; 0 for one a core");
  app.add_flag("--enable_batching", o.batching, "put waiting requests together");
  app.add_option("--batching_parameters_file", o.batchingFile, "BatchingParameters as text");
  app.add_flag("--enable_per_model_batching_parameters", o.perModelBatching,
               "read batching_params.pbtxt or config.pbtxt in the folder of a model");
  app.add_option("--max_waiting_requests", o.maxWaiting, "requests that wait for one model; more are refused");

  app.option_defaults()->group("Operations");
  app.add_option("--monitoring_config_file", o.monitoringFile, "MonitoringConfig as text: metrics for Prometheus");
  app.add_flag("--enable_serialization_as_tensor_content", o.tensorContent,
               "answer Predict with tensor_content instead of typed lists");
  app.add_option("--access_log", o.accessLog, "a line of JSON a call into this file; - for standard error");
  app.add_option("--access_log_sample", o.accessLogSample, "share of the calls without an error that is logged")
      ->check(CLI::Range(0.0, 1.0));
  app.add_flag("--log_inputs", o.logInputs, "log inputs, too, as far as --masking_file lets them through");
  app.add_option("--masking_file", o.maskingFile, "rules for inputs that are logged");
  app.add_option("--drain_notice_in_ms", o.drainNoticeMs,
                 "time after SIGTERM that it serves on, but is not ready, so that balancers notice");
  app.add_option("--drain_timeout_in_ms", o.drainMs, "time that calls in flight have after SIGTERM");
  app.add_option("--max_body_bytes", o.maxBodyBytes, "size of a request's body; larger ones are refused");
  app.add_option("--max_inflated_bytes", o.maxInflatedBytes, "the same for a body that is compressed");
  app.add_option("--max_connections", o.maxConnections, "connections of HTTP; more are refused");
}

} // namespace

std::optional<Options> parseOptions(int argc, char **argv, int &exitCode) {
  Options options;
  CLI::App app("Serves models compiled by mlc-opt: TensorFlow Serving's protocol and the Open Inference Protocol, on "
               "REST and gRPC.\nmlc-serve publish|rollback|list maintains a folder of versions; see their --help.",
               "mlc-serve");
  app.set_version_flag("--version", "mlc-serve " MLC_VERSION);
  app.allow_extras();
  app.footer("Example: mlc-opt mnist_cnn.onnx -o models/mnist_cnn/1/\n"
             "         mlc-serve --rest_api_port=8501 --model_name=mnist_cnn --model_base_path=$PWD/models/mnist_cnn");
  addFlags(app, options);
  std::string ignored;
  std::vector<std::pair<const CLI::Option *, const WithoutEffect *>> given;
  for (const WithoutEffect &flag : withoutEffect) // switches among them come without a value
    given.emplace_back(app.add_option(std::string("--") + flag.name, ignored)->expected(0, 1)->group(""), &flag);
  exitCode = 2;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    exitCode = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  for (const auto &[option, flag] : given)
    if (option->count() > 0)
      std::cerr << "mlc-serve: --" << flag->name << " has no effect: " << flag->reason << '\n';
  for (const std::string &extra : app.remaining())
    std::cerr << "mlc-serve: unknown argument: " << extra << '\n';
  auto refuse = [](const char *message) {
    std::cerr << "mlc-serve: " << message << '\n';
    return std::nullopt;
  };
  if (!options.batchingFile.empty() && !options.batching)
    return refuse("--batching_parameters_file requires --enable_batching");
  if (options.modelBasePath.empty() && options.modelConfigFile.empty())
    return refuse("requires --model_base_path or --model_config_file; --help lists what there is");
  if (options.port == 0 && options.restPort == 0 && options.grpcSocketPath.empty())
    return refuse("requires a port: --port, --rest_api_port or --grpc_socket_path");
  return options;
}

} // namespace mlc::serve
