//===- Options.h - the command line of the server ----------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_OPTIONS_H
#define MLC_RUNTIME_SERVE_OPTIONS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlc::serve {

/// What mlc-serve was started with: TensorFlow Serving's flags under their names and with their defaults, then our own.
struct Options final {
  int port = 8500, restPort = 0;
  int restThreads = 0, restTimeoutMs = 30000;
  std::string grpcSocketPath, grpcChannelArguments;
  int grpcMaxThreads = 0;
  bool grpcHealthService = false;
  std::string sslConfigFile;
  bool cors = false;

  std::string modelName = "default", modelBasePath, modelConfigFile;
  double configPollSeconds = 0, folderPollSeconds = 1;
  bool labelsForUnavailable = false;
  int loadThreads = 0, maxLoadRetries = 5;
  int64_t loadRetryMicros = 60'000'000;
  bool warmUp = true;
  int warmUpIterations = 1;
  bool checkMethodNames = false; ///< whether Classify and Regress want signatures of their own

  bool batching = false, perModelBatching = false;
  std::string batchingFile;
  bool tensorContent = false; ///< whether answers of Predict carry tensor_content
  std::string monitoringFile;

  int threads = 0; ///< of all runs together; 0 for one a core
  std::string restSslConfigFile, tokenFile;
  std::string accessLog;      ///< a path, or "-" for standard error; empty for none
  double accessLogSample = 1; ///< the share of the calls without an error that is logged
  bool logInputs = false;     ///< whether the log has inputs, masked
  std::string maskingFile;
  int drainNoticeMs = 0; ///< how long it serves on, but is not ready, after SIGTERM
  int drainMs = 30000;   ///< all in all
  uint64_t maxBodyBytes = 256ull << 20, maxInflatedBytes = 100ull << 20;
  int maxConnections = 4096;
  size_t maxWaiting = 4096;
};

/// The command line as options; prints what is asked for or wrong and returns the exit code in `exitCode` where the
/// program should end. Arguments that nobody knows are named and ignored, as TensorFlow Serving does.
std::optional<Options> parseOptions(int argc, char **argv, int &exitCode);

} // namespace mlc::serve

#endif
