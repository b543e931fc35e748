//===- InferenceService.cpp - the Open Inference Protocol by gRPC -------------------------------------------------===//
#include "runtime/serve/grpc/InferenceService.h"

#include "runtime/serve/ModelMessages.h"
#include "runtime/serve/TritonSettings.h"
#include "runtime/serve/grpc/InferStream.h"
#include "runtime/serve/grpc/InferTensor.h"
#include "runtime/serve/rest/Classification.h"

#include <algorithm>

namespace mlc::serve {

using namespace inference;

namespace {

/// A number from 0 on of a request's parameter.
uint64_t number(const std::string &name, const InferParameter &parameter) {
  if (parameter.has_uint64_param())
    return parameter.uint64_param();
  if (parameter.has_int64_param() && parameter.int64_param() >= 0)
    return static_cast<uint64_t>(parameter.int64_param());
  throw Error(Code::invalidArgument, "parameter '" + name + "': expected an integer of at least 0, but got " +
                                         parameter.ShortDebugString().substr(0, 64));
}

/// Whether a parameter says nothing but what holds anyway.
bool isNothing(const InferParameter &parameter) {
  switch (parameter.parameter_choice_case()) {
  case InferParameter::kBoolParam:
    return !parameter.bool_param();
  case InferParameter::kInt64Param:
    return parameter.int64_param() == 0;
  case InferParameter::kUint64Param:
    return parameter.uint64_param() == 0;
  case InferParameter::kStringParam:
    return parameter.string_param().empty();
  default:
    return false;
  }
}

/// Triton's parameters. Those of sequences are refused: their requests would be run as if they knew nothing of each
/// other. Others are a client's own.
void readParameters(const ModelInferRequest &message, Request &request, ExplanationParameters &explanation) {
  for (const auto &[name, parameter] : message.parameters()) {
    if (name == "priority") {
      request.priority = static_cast<uint32_t>(std::min<uint64_t>(number(name, parameter), UINT32_MAX));
    } else if (name == "timeout") {
      constexpr uint64_t day = 86'400'000'000;
      if (uint64_t microseconds = std::min(number(name, parameter), day))
        request.deadline = std::min(request.deadline, Clock::now() + std::chrono::microseconds(microseconds));
    } else if (name == "explain") {
      explanation.method = parameter.string_param();
    } else if (name == "explain_output") {
      explanation.output = parameter.string_param();
    } else if (name == "explain_target" || name == "explain_steps") {
      (name == "explain_target" ? explanation.target : explanation.steps) =
          static_cast<int64_t>(std::min<uint64_t>(number(name, parameter), INT64_MAX));
    } else if (name.starts_with("sequence_") && !isNothing(parameter)) {
      throw Error(Code::unimplemented,
                  "unsupported parameter '" + name.substr(0, 64) + "'; models keep no state between requests");
    }
  }
  auto refuse = [](const auto &tensor, const char *name, const char *instead) {
    if (tensor.parameters().contains(name))
      throw Error(Code::unimplemented,
                  "tensor '" + tensor.name().substr(0, 64) + "': unsupported parameter '" + name + "'; " + instead);
  };
  for (const auto &input : message.inputs())
    refuse(input, "shared_memory_region", "send its elements in the request");
  for (const auto &output : message.outputs())
    refuse(output, "shared_memory_region", "its elements come in the response");
}

/// Triton's classification: the largest elements of an output in place of all of them.
void addClasses(const Tensor &output, uint64_t most, const Version &version, ModelInferResponse &response) {
  Classes classes = largestClasses(output, most, version.labels(), version.signature().batchable());
  auto *tensor = response.add_outputs();
  tensor->set_name(output.name);
  tensor->set_datatype("BYTES");
  tensor->mutable_shape()->Add(classes.sizes.begin(), classes.sizes.end());
  std::string &bytes = *response.add_raw_output_contents();
  for (const std::string &text : classes.texts) {
    auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char *>(&length), sizeof length);
    bytes += text;
  }
}

void addOutputs(const ModelInferRequest &message, const Version &version, std::span<const Tensor> outputs,
                ModelInferResponse &response) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    // Outputs come in the order in which they were asked for, or nothing was said of them.
    if (message.outputs_size() > 0) {
      const auto &parameters = message.outputs(static_cast<int>(i)).parameters();
      if (auto it = parameters.find("classification"); it != parameters.end()) {
        addClasses(outputs[i], number(it->first, it->second), version, response);
        continue;
      }
    }
    toInferResponse(outputs.subspan(i, 1), response);
  }
}

} // namespace

void infer(const Services &services, const Inference &inference, const std::function<void(Request &)> &limit,
           std::function<void(const Status &)> done) {
  const ModelInferRequest &message = *inference.request;
  Call &call = *inference.call;
  call.model = message.model_name();
  if (!message.id().empty())
    call.requestId = message.id();
  std::shared_ptr<Version> version = findModel(services.registry, message.model_name(), message.model_version());
  call.version = version->number;
  Request request;
  limit(request);
  ExplanationParameters explanation;
  readParameters(message, request, explanation);
  request.inputs = fromInferRequest(message, *inference.storage);
  if (!request.inputs.empty())
    call.examples = request.inputs[0].sizes.empty() ? 1 : request.inputs[0].sizes[0];
  for (const auto &output : message.outputs())
    request.outputs.push_back(output.name());
  services.telemetry.noteInputs(call, request.inputs);
  auto answer = [inference, version, done = std::move(done)](const Status &status, std::span<const Tensor> outputs,
                                                             const Timing &timing) {
    Call &call = *inference.call;
    call.timing = timing;
    Status result = status;
    if (result.ok()) {
      try {
        ModelInferResponse &response = *inference.response;
        response.set_model_name(call.model);
        response.set_model_version(std::to_string(call.version));
        response.set_id(inference.request->id());
        addOutputs(*inference.request, *version, outputs, response);
      } catch (...) {
        result = currentExceptionStatus();
      }
    }
    done(result);
  };
  inferOrExplain(version, std::move(request), explanation, services.explainer, std::move(answer));
}

void InferenceService::listen(RpcQueue &queue) {
  using Async = decltype(async);
  // Those that ask whether the server is well need no token.
  serveUnary<GRPCInferenceService>(
      queue, async, "ServerLive", &Async::RequestServerLive,
      [](auto &rpc) {
        rpc.response.set_live(true);
        rpc.finish({});
      },
      true);
  serveUnary<GRPCInferenceService>(
      queue, async, "ServerReady", &Async::RequestServerReady,
      [this](auto &rpc) {
        rpc.response.set_ready(services.ready());
        rpc.finish({});
      },
      true);
  serveUnary<GRPCInferenceService>(queue, async, "ModelReady", &Async::RequestModelReady,
                                   [this](auto &rpc) { modelReady(rpc); });
  serveUnary<GRPCInferenceService>(queue, async, "ServerMetadata", &Async::RequestServerMetadata, [](auto &rpc) {
    rpc.response = serverMetadata();
    rpc.finish({});
  });
  serveUnary<GRPCInferenceService>(queue, async, "ModelMetadata", &Async::RequestModelMetadata,
                                   [this](auto &rpc) { modelMetadata(rpc); });
  serveUnary<GRPCInferenceService>(queue, async, "ModelInfer", &Async::RequestModelInfer, [this](auto &rpc) {
    infer(
        services, {&rpc.request, &rpc.response, &rpc.call, &rpc.storage},
        [&rpc](Request &request) { rpc.limit(request); }, [&rpc](const Status &status) { rpc.finish(status); });
  });
  listenToTriton(queue);
}

void InferenceService::listenToTriton(RpcQueue &queue) {
  using Async = decltype(async);
  for (int i = 0; i < rpcsWaitedFor; ++i)
    InferStream::listen(queue, async);
  serveUnary<GRPCInferenceService>(queue, async, "ModelConfig", &Async::RequestModelConfig,
                                   [this](auto &rpc) { modelConfig(rpc); });
  serveUnary<GRPCInferenceService>(queue, async, "ModelStatistics", &Async::RequestModelStatistics,
                                   [this](auto &rpc) { statistics(rpc); });
  serveUnary<GRPCInferenceService>(queue, async, "RepositoryIndex", &Async::RequestRepositoryIndex,
                                   [this](auto &rpc) { index(rpc); });

  // Loads take long, so they are done on a thread apart.
  auto control = [this](void (Registry::*change)(const std::string &)) {
    return [this, change](auto &rpc) {
      rpc.call.model = rpc.request.model_name();
      for (const auto &[name, value] : rpc.request.parameters())
        if (name != "unload_dependents")
          throw Error(Code::unimplemented, "unsupported parameter '" + name.substr(0, 64) +
                                               "'; a model's configuration is beside it in the repository");
      rpc.queue().later([this, change, &rpc] {
        Status status;
        try {
          (services.registry.*change)(rpc.request.model_name());
        } catch (...) {
          status = currentExceptionStatus();
        }
        rpc.finish(status);
      });
    };
  };
  serveUnary<GRPCInferenceService>(queue, async, "RepositoryModelLoad", &Async::RequestRepositoryModelLoad,
                                   control(&Registry::load));
  serveUnary<GRPCInferenceService>(queue, async, "RepositoryModelUnload", &Async::RequestRepositoryModelUnload,
                                   control(&Registry::unload));

  // There is no shared memory, so that all of it has been unregistered already.
  auto nothing = [](auto &rpc) { rpc.finish({}); };
  auto refuse = [](auto &) { throw Error(Code::unimplemented, "unsupported shared memory; raw_input_contents are"); };
  serveUnary<GRPCInferenceService>(queue, async, "SystemSharedMemoryStatus", &Async::RequestSystemSharedMemoryStatus,
                                   nothing);
  serveUnary<GRPCInferenceService>(queue, async, "SystemSharedMemoryRegister",
                                   &Async::RequestSystemSharedMemoryRegister, refuse);
  serveUnary<GRPCInferenceService>(queue, async, "SystemSharedMemoryUnregister",
                                   &Async::RequestSystemSharedMemoryUnregister, nothing);
  serveUnary<GRPCInferenceService>(queue, async, "CudaSharedMemoryStatus", &Async::RequestCudaSharedMemoryStatus,
                                   nothing);
  serveUnary<GRPCInferenceService>(queue, async, "CudaSharedMemoryRegister", &Async::RequestCudaSharedMemoryRegister,
                                   refuse);
  serveUnary<GRPCInferenceService>(queue, async, "CudaSharedMemoryUnregister",
                                   &Async::RequestCudaSharedMemoryUnregister, nothing);
  serveUnary<GRPCInferenceService>(queue, async, "TraceSetting", &Async::RequestTraceSetting,
                                   [this](auto &rpc) { traceSetting(rpc); });
  serveUnary<GRPCInferenceService>(queue, async, "LogSettings", &Async::RequestLogSettings,
                                   [this](auto &rpc) { changeLogSettings(rpc); });
}

void InferenceService::traceSetting(UnaryRpc<TraceSettingRequest, TraceSettingResponse> &rpc) {
  if (rpc.call.model = rpc.request.model_name(); !rpc.call.model.empty())
    findModel(services.registry, rpc.call.model, "");
  TraceSettings wanted;
  for (const auto &[name, setting] : rpc.request.settings())
    wanted[name].assign(setting.value().begin(), setting.value().end());
  setTraceSettings(wanted);
  for (const auto &[name, values] : traceSettings())
    (*rpc.response.mutable_settings())[name].mutable_value()->Assign(values.begin(), values.end());
  rpc.finish({});
}

void InferenceService::changeLogSettings(UnaryRpc<LogSettingsRequest, LogSettingsResponse> &rpc) {
  LogSettings wanted;
  for (const auto &[name, setting] : rpc.request.settings())
    if (setting.has_bool_param())
      wanted[name] = setting.bool_param();
    else if (setting.has_uint32_param())
      wanted[name] = setting.uint32_param();
    else
      wanted[name] = setting.string_param();
  AccessLog *log = services.telemetry.accessLog();
  setLogSettings(log, wanted);
  for (const auto &[name, value] : logSettings(log)) {
    LogSettingsResponse::SettingValue &setting = (*rpc.response.mutable_settings())[name];
    if (const bool *flag = std::get_if<bool>(&value))
      setting.set_bool_param(*flag);
    else if (const uint32_t *number = std::get_if<uint32_t>(&value))
      setting.set_uint32_param(*number);
    else
      setting.set_string_param(std::get<std::string>(value));
  }
  rpc.finish({});
}

/// A model that is not there is not ready; it is no error to ask.
void InferenceService::modelReady(UnaryRpc<ModelReadyRequest, ModelReadyResponse> &rpc) {
  rpc.call.model = rpc.request.name();
  try {
    rpc.call.version = findModel(services.registry, rpc.request.name(), rpc.request.version())->number;
    rpc.response.set_ready(true);
  } catch (const Error &error) {
    if (error.code != Code::notFound && error.code != Code::unavailable)
      throw;
  }
  rpc.finish({});
}

void InferenceService::modelMetadata(UnaryRpc<ModelMetadataRequest, ModelMetadataResponse> &rpc) {
  rpc.call.model = rpc.request.name();
  std::shared_ptr<Version> version = findModel(services.registry, rpc.request.name(), rpc.request.version());
  rpc.call.version = version->number;
  rpc.response = toModelMetadata(*version, availableVersions(services.registry, version->model));
  rpc.finish({});
}

void InferenceService::modelConfig(UnaryRpc<ModelConfigRequest, ModelConfigResponse> &rpc) {
  rpc.call.model = rpc.request.name();
  std::shared_ptr<Version> version = findModel(services.registry, rpc.request.name(), rpc.request.version());
  rpc.call.version = version->number;
  *rpc.response.mutable_config() = toModelConfig(*version, services.registry.config());
  rpc.finish({});
}

/// Of one version, of the available ones of a model, or of all models.
void InferenceService::statistics(UnaryRpc<ModelStatisticsRequest, ModelStatisticsResponse> &rpc) {
  rpc.call.model = rpc.request.name();
  if (!rpc.request.name().empty()) {
    std::shared_ptr<Version> version = findModel(services.registry, rpc.request.name(), rpc.request.version());
    if (!rpc.request.version().empty()) {
      rpc.call.version = version->number;
      *rpc.response.add_model_stats() = toModelStatistics(*version);
      return rpc.finish({});
    }
  }
  for (const std::string &model : services.registry.models()) {
    if (!rpc.request.name().empty() && model != rpc.request.name())
      continue;
    for (int64_t number : availableVersions(services.registry, model))
      try {
        *rpc.response.add_model_stats() = toModelStatistics(*services.registry.find({model, number, {}}));
      } catch (const Error &) { // unloaded meanwhile
        rpc.response.mutable_model_stats()->RemoveLast();
      }
  }
  rpc.finish({});
}

void InferenceService::index(UnaryRpc<RepositoryIndexRequest, RepositoryIndexResponse> &rpc) {
  if (!rpc.request.repository_name().empty())
    throw Error(Code::unimplemented, "unsupported repository_name; there is one repository");
  rpc.response = toRepositoryIndex(services.registry, rpc.request.ready());
  rpc.finish({});
}

} // namespace mlc::serve
