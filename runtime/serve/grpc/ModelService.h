//===- ModelService.h - TensorFlow Serving's status and reload by gRPC --------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_MODELSERVICE_H
#define MLC_RUNTIME_SERVE_GRPC_MODELSERVICE_H

#include "runtime/serve/grpc/Rpc.h"
#include "tensorflow_serving.grpc.pb.h"

namespace mlc::serve {

/// GetModelStatus and HandleReloadConfigRequest.
class ModelService final {
public:
  explicit ModelService(const Services &services) : services(services) {}

  grpc::Service &service() { return async; }
  /// Serves the calls that the queue brings, once the server runs.
  void listen(RpcQueue &queue);

private:
  void status(UnaryRpc<tensorflow::serving::GetModelStatusRequest, tensorflow::serving::GetModelStatusResponse> &rpc);
  void reload(UnaryRpc<tensorflow::serving::ReloadConfigRequest, tensorflow::serving::ReloadConfigResponse> &rpc);

  const Services services;
  tensorflow::serving::ModelService::AsyncService async;
};

} // namespace mlc::serve

#endif
