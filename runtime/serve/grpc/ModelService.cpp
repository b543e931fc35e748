//===- ModelService.cpp - TensorFlow Serving's status and reload by gRPC ------------------------------------------===//
#include "runtime/serve/grpc/ModelService.h"

#include "runtime/serve/SignatureDef.h"

namespace mlc::serve {

using namespace tensorflow::serving;

void ModelService::listen(RpcQueue &queue) {
  using Async = decltype(async);
  serveUnary<tensorflow::serving::ModelService>(queue, async, "GetModelStatus", &Async::RequestGetModelStatus,
                                                [this](auto &rpc) { status(rpc); });
  serveUnary<tensorflow::serving::ModelService>(queue, async, "HandleReloadConfigRequest",
                                                &Async::RequestHandleReloadConfigRequest,
                                                [this](auto &rpc) { reload(rpc); });
}

/// A label is not looked at: all versions are told, as TensorFlow Serving does.
void ModelService::status(UnaryRpc<GetModelStatusRequest, GetModelStatusResponse> &rpc) {
  const tensorflow::serving::ModelSpec &spec = rpc.request.model_spec();
  if (!rpc.request.has_model_spec())
    throw Error(Code::invalidArgument, "Missing ModelSpec");
  rpc.call.model = spec.name();
  std::optional<int64_t> version;
  if (spec.has_version())
    version = spec.version().value();
  rpc.response = toModelStatus(services.registry.statuses(spec.name(), version));
  rpc.finish({});
}

/// Loads models, so it is done on a thread apart.
void ModelService::reload(UnaryRpc<ReloadConfigRequest, ReloadConfigResponse> &rpc) {
  rpc.queue().later([this, &rpc] {
    Status status;
    try {
      services.registry.reload(rpc.request.config());
    } catch (...) {
      status = currentExceptionStatus();
    }
    rpc.response.mutable_status()->set_error_code(static_cast<int>(status.code));
    rpc.response.mutable_status()->set_error_message(status.message);
    rpc.finish(status);
  });
}

} // namespace mlc::serve
