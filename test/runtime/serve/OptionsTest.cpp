//===- OptionsTest.cpp - TensorFlow Serving's flags, and our own --------------------------------------------------===//
#include "runtime/serve/Options.h"

#include <gtest/gtest.h>

using namespace mlc::serve;

namespace {

/// What a command line becomes, and what is printed on standard error.
struct Parsed final {
  std::optional<Options> options;
  int exitCode = -1;
  std::string said;
};

Parsed parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "mlc-serve");
  std::vector<char *> pointers;
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  Parsed parsed;
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  parsed.options = parseOptions(static_cast<int>(pointers.size()), pointers.data(), parsed.exitCode);
  parsed.said = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  return parsed;
}

/// The options of a command line that is good and about which nothing is said, beside a model's folder.
Options good(std::vector<std::string> arguments) {
  arguments.push_back("--model_base_path=/m");
  Parsed parsed = parse(arguments);
  EXPECT_EQ(parsed.said, "");
  EXPECT_TRUE(parsed.options) << arguments.front();
  return parsed.options.value_or(Options());
}

TEST(Options, HaveTensorFlowServingsDefaults) {
  Options options = good({});
  EXPECT_EQ(options.port, 8500);
  EXPECT_EQ(options.restPort, 0);
  EXPECT_EQ(options.restThreads, 0); // four a processor
  EXPECT_EQ(options.restTimeoutMs, 30000);
  EXPECT_EQ(options.modelName, "default");
  EXPECT_EQ(options.configPollSeconds, 0);
  EXPECT_EQ(options.folderPollSeconds, 1);
  EXPECT_FALSE(options.batching);
  EXPECT_FALSE(options.perModelBatching);
  EXPECT_FALSE(options.labelsForUnavailable);
  EXPECT_EQ(options.loadThreads, 0);
  EXPECT_EQ(options.maxLoadRetries, 5);
  EXPECT_EQ(options.loadRetryMicros, 60'000'000);
  EXPECT_EQ(options.grpcMaxThreads, 0);
  EXPECT_TRUE(options.warmUp);
  EXPECT_EQ(options.warmUpIterations, 1);
  EXPECT_FALSE(options.grpcHealthService);
  EXPECT_FALSE(options.tensorContent);
  EXPECT_FALSE(options.checkMethodNames);
  EXPECT_FALSE(options.cors);
}

TEST(Options, TakeTensorFlowServingsFlags) {
  EXPECT_EQ(good({"--port=0", "--rest_api_port=1"}).port, 0);
  EXPECT_EQ(good({"--rest_api_port=8501"}).restPort, 8501);
  EXPECT_EQ(good({"--rest_api_num_threads=3"}).restThreads, 3);
  EXPECT_EQ(good({"--rest_api_timeout_in_ms=60000"}).restTimeoutMs, 60000);
  EXPECT_EQ(good({"--model_name=half"}).modelName, "half");
  EXPECT_EQ(good({}).modelBasePath, "/m");
  EXPECT_EQ(good({"--model_config_file=/c"}).modelConfigFile, "/c");
  EXPECT_EQ(good({"--model_config_file_poll_wait_seconds=2"}).configPollSeconds, 2);
  EXPECT_EQ(good({"--file_system_poll_wait_seconds=-1"}).folderPollSeconds, -1);
  EXPECT_EQ(good({"--enable_batching", "--batching_parameters_file=/b"}).batchingFile, "/b");
  EXPECT_TRUE(good({"--enable_per_model_batching_parameters"}).perModelBatching);
  EXPECT_TRUE(good({"--allow_version_labels_for_unavailable_models=true"}).labelsForUnavailable);
  EXPECT_EQ(good({"--num_load_threads=2"}).loadThreads, 2);
  EXPECT_EQ(good({"--max_num_load_retries=1"}).maxLoadRetries, 1);
  EXPECT_EQ(good({"--load_retry_interval_micros=5"}).loadRetryMicros, 5);
  EXPECT_EQ(good({"--monitoring_config_file=/m"}).monitoringFile, "/m");
  EXPECT_EQ(good({"--ssl_config_file=/s"}).sslConfigFile, "/s");
  EXPECT_EQ(good({"--grpc_socket_path=/g"}).grpcSocketPath, "/g");
  EXPECT_EQ(good({"--grpc_channel_arguments=a=1,b=2"}).grpcChannelArguments, "a=1,b=2");
  EXPECT_EQ(good({"--grpc_max_threads=7"}).grpcMaxThreads, 7);
  EXPECT_EQ(good({"--num_request_iterations_for_warmup=4"}).warmUpIterations, 4);
  EXPECT_TRUE(good({"--enable_grpc_healthcheck_service"}).grpcHealthService);
  EXPECT_TRUE(good({"--enable_serialization_as_tensor_content=true"}).tensorContent);
  EXPECT_TRUE(good({"--enable_signature_method_name_check"}).checkMethodNames);
  EXPECT_TRUE(good({"--rest_api_enable_cors_support"}).cors);
}

TEST(Options, ReadSwitchesInEveryForm) {
  for (const char *text : {"--enable_batching", "--enable_batching=true", "--enable_batching=1"})
    EXPECT_TRUE(good({text}).batching) << text;
  for (const char *text : {"--enable_batching=false", "--enable_batching=0"})
    EXPECT_FALSE(good({text}).batching) << text;
  EXPECT_FALSE(good({"--enable_model_warmup=false"}).warmUp);
  EXPECT_TRUE(good({"--enable_model_warmup"}).warmUp);
}

TEST(Options, SayWhichFlagsHaveNoEffectAndWhy) {
  for (std::string name : {"tensorflow_session_parallelism",
                           "tensorflow_intra_op_parallelism",
                           "tensorflow_inter_op_parallelism",
                           "tensorflow_session_config_file",
                           "platform_config_file",
                           "saved_model_tags",
                           "per_process_gpu_memory_fraction",
                           "xla_cpu_compilation_enabled",
                           "xla_gpu_compilation_enabled",
                           "prefer_tflite_model",
                           "num_tflite_interpreters_per_pool",
                           "num_tflite_pools",
                           "mixed_precision",
                           "remove_unused_fields_from_bundle_metagraph",
                           "enable_profiler",
                           "skip_initialize_tpu",
                           "thread_pool_factory_config_file",
                           "use_alts_credentials",
                           "flush_filesystem_caches",
                           "num_unload_threads"}) {
    Parsed parsed = parse({"--" + name + "=1", "--model_base_path=/m"});
    ASSERT_TRUE(parsed.options) << parsed.said;
    EXPECT_EQ(parsed.said.find("mlc-serve: --" + name + " has no effect: "), 0u) << parsed.said;
    EXPECT_EQ(std::count(parsed.said.begin(), parsed.said.end(), '\n'), 1);
    EXPECT_TRUE(parse({"--" + name + "=1", "--" + name + "=2", "--model_base_path=/m"}).options) << name;
    // A switch without a value leaves the flag behind it alone.
    parsed = parse({"--" + name, "--port=1", "--model_base_path=/m"});
    ASSERT_TRUE(parsed.options) << parsed.said;
    EXPECT_EQ(parsed.options->port, 1) << name;
  }
}

TEST(Options, TolerateWhatNobodyKnows) {
  Parsed parsed = parse({"--of_the_future=3", "word", "--model_base_path=/m"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->modelBasePath, "/m");
  EXPECT_EQ(parsed.said, "mlc-serve: unknown argument: --of_the_future=3\nmlc-serve: unknown argument: word\n");
}

TEST(Options, RefuseWhatCannotBeServed) {
  auto refusal = [](const std::vector<std::string> &arguments) {
    Parsed parsed = parse(arguments);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exitCode, 2);
    return parsed.said;
  };
  EXPECT_EQ(refusal({"--batching_parameters_file=/b", "--model_base_path=/m"}),
            "mlc-serve: --batching_parameters_file requires --enable_batching\n");
  EXPECT_NE(refusal({}).find("requires --model_base_path or --model_config_file"), std::string::npos);
  EXPECT_NE(refusal({"--port=0", "--model_base_path=/m"}).find("requires a port"), std::string::npos);
  EXPECT_NE(refusal({"--port=many", "--model_base_path=/m"}).find("--port"), std::string::npos);
}

TEST(Options, TellTheVersionAndThemselves) {
  Parsed version = parse({"--version"});
  EXPECT_FALSE(version.options);
  EXPECT_EQ(version.exitCode, 0);
  EXPECT_EQ(version.said.find("mlc-serve "), 0u);
  Parsed help = parse({"--help"});
  EXPECT_EQ(help.exitCode, 0);
  EXPECT_NE(help.said.find("--enable_batching"), std::string::npos);
  EXPECT_EQ(help.said.find("--num_tflite_pools"), std::string::npos); // nothing to use it for
}

/// How the image and KServe's runtime for TensorFlow Serving start it.
TEST(Options, TakeTheCommandLinesOfImagesAndRuntimes) {
  Options image = good({"--port=8500", "--rest_api_port=8501", "--model_name=model"});
  EXPECT_EQ(image.restPort, 8501);
  // What is said last holds: users of an image add their flags behind its own.
  Options twice = good({"--port=8500", "--model_name=model", "--enable_batching", "--port=9000", "--model_name=mine",
                        "--enable_batching=false"});
  EXPECT_EQ(twice.port, 9000);
  EXPECT_EQ(twice.modelName, "mine");
  EXPECT_FALSE(twice.batching);
  Options kserve = good({"--model_name=m", "--port=9000", "--rest_api_port=8080", "--rest_api_timeout_in_ms=60000"});
  EXPECT_EQ(kserve.port, 9000);
  EXPECT_EQ(kserve.restTimeoutMs, 60000);
}

} // namespace
