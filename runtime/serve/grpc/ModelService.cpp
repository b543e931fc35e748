//===- ModelService.cpp - TensorFlow Serving's status and reload by gRPC ------------------------------------------===//
#include "runtime/serve/grpc/ModelService.h"

#include "runtime/serve/Metrics.h"
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

/// Loads models, so it is done on a thread apart. The answer says by how much the metrics that were asked for have
/// increased meanwhile.
void ModelService::reload(UnaryRpc<ReloadConfigRequest, ReloadConfigResponse> &rpc) {
  rpc.queue().later([this, &rpc] {
    Status status;
    const auto &names = rpc.request.metric_names();
    auto values = [&] {
      return names.empty() ? std::map<std::string, int64_t>() : services.telemetry.metrics().totals(services.registry);
    };
    std::map<std::string, int64_t> before = values();
    try {
      if (rpc.request.config().config_case() == ModelServerConfig::CONFIG_NOT_SET)
        throw Error(Code::invalidArgument, "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                                           "ModelConfigList is currently supported");
      services.registry.reload(rpc.request.config());
    } catch (...) {
      status = currentExceptionStatus();
    }
    std::map<std::string, int64_t> after = values();
    for (const std::string &name : names) {
      Metric &metric = *rpc.response.add_metric();
      metric.set_name(name);
      std::string key = prometheusName(name);
      metric.set_int64_value_increase(after[key] - before[key]);
    }
    rpc.response.mutable_status()->set_error_code(static_cast<int>(status.code));
    rpc.response.mutable_status()->set_error_message(status.message);
    rpc.finish(status);
  });
}

} // namespace mlc::serve
