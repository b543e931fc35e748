//===- InferenceService.h - the Open Inference Protocol by gRPC ---------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_INFERENCESERVICE_H
#define MLC_RUNTIME_SERVE_GRPC_INFERENCESERVICE_H

#include "inference.grpc.pb.h"
#include "runtime/serve/grpc/Rpc.h"

namespace mlc::serve {

/// What an inference needs beside its messages, and that is kept until it is done.
struct Inference final {
  const inference::ModelInferRequest *request;
  inference::ModelInferResponse *response;
  Call *call;
  std::vector<std::vector<std::byte>> *storage;
};

/// Has the version that a request means run, and fills in the response; `limit` gives the request the client's
/// deadline. `done` is called once, on any thread, unless this throws Error.
void infer(const Services &services, const Inference &inference, const std::function<void(Request &)> &limit,
           std::function<void(const Status &)> done);

/// The protocol's own calls, and Triton's: streams, configuration, statistics and the repository.
class InferenceService final {
public:
  explicit InferenceService(const Services &services) : services(services) {}

  grpc::Service &service() { return async; }
  /// Serves the calls that the queue brings, once the server runs.
  void listen(RpcQueue &queue);

private:
  void listenToTriton(RpcQueue &queue);
  void modelReady(UnaryRpc<inference::ModelReadyRequest, inference::ModelReadyResponse> &rpc);
  void modelMetadata(UnaryRpc<inference::ModelMetadataRequest, inference::ModelMetadataResponse> &rpc);
  void modelConfig(UnaryRpc<inference::ModelConfigRequest, inference::ModelConfigResponse> &rpc);
  void statistics(UnaryRpc<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse> &rpc);
  void index(UnaryRpc<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse> &rpc);
  void traceSetting(UnaryRpc<inference::TraceSettingRequest, inference::TraceSettingResponse> &rpc);
  void changeLogSettings(UnaryRpc<inference::LogSettingsRequest, inference::LogSettingsResponse> &rpc);

  const Services services;
  inference::GRPCInferenceService::AsyncService async;
};

} // namespace mlc::serve

#endif
