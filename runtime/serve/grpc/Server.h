//===- Server.h - the gRPC server ------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_SERVER_H
#define MLC_RUNTIME_SERVE_GRPC_SERVER_H

#include "runtime/serve/grpc/InferenceService.h"
#include "runtime/serve/grpc/ModelService.h"
#include "runtime/serve/grpc/PredictionService.h"

#include <climits>
#include <memory>
#include <optional>
#include <string>

namespace mlc::serve {

struct GrpcOptions final {
  std::string address = "[::]"; ///< all, IPv6 and IPv4
  int port = 0;                 ///< 0: one that is free
  bool listenTcp = true;        ///< false: on the socket file alone
  std::string socketPath;       ///< of a Unix socket to listen on as well, which has no TLS
  std::string channelArguments; ///< of gRPC: "name=value,…"
  int threads = 0;              ///< 0: four a processor
  int maxMessageBytes = INT_MAX;
  std::optional<tensorflow::serving::SSLConfig> tls;
  Admit admit;                ///< null: everyone may do everything. Those that ask for health and reflection may always
  bool healthService = false; ///< grpc.health.v1.Health
  bool tensorContent = false; ///< whether answers of Predict carry tensor_content rather than lists
};

/// Reads a file of --ssl_config_file; throws Error NOT_FOUND or INVALID_ARGUMENT.
tensorflow::serving::SSLConfig readSslConfig(const std::string &path);

/// Serves TensorFlow Serving's and the Open Inference Protocol's services on one port, from its construction on.
class GrpcServer final {
public:
  /// Throws Error: INVALID_ARGUMENT for options that are not valid, UNAVAILABLE where it cannot listen.
  GrpcServer(const Services &services, const GrpcOptions &options);
  /// Stops without a time to drain.
  ~GrpcServer();
  GrpcServer(const GrpcServer &) = delete;
  GrpcServer &operator=(const GrpcServer &) = delete;

  /// The port that it listens on; 0 for none.
  int port() const { return itsPort; }

  /// What the health service says, of all services.
  void setHealthy(bool healthy);

  /// Accepts no more calls and lets those in flight end; what has not by then is cancelled. Returns when the last one
  /// has ended.
  void stop(std::chrono::milliseconds drain);

  /// A channel to it without a socket, for tests.
  std::shared_ptr<grpc::Channel> inProcessChannel() { return server->InProcessChannel(grpc::ChannelArguments()); }

private:
  PredictionService prediction;
  ModelService model;
  InferenceService inference;
  std::unique_ptr<RpcQueue> queue; // outlives the server, which puts events on it
  std::unique_ptr<grpc::Server> server;
  int itsPort = 0;
};

} // namespace mlc::serve

#endif
