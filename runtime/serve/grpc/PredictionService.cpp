//===- PredictionService.cpp - TensorFlow Serving's inference by gRPC ---------------------------------------------===//
#include "runtime/serve/grpc/PredictionService.h"

#include "runtime/serve/Examples.h"
#include "runtime/serve/SignatureDef.h"
#include "runtime/serve/grpc/TensorProto.h"

#include <algorithm>
#include <set>

namespace mlc::serve {

using namespace tensorflow::serving;

namespace {

/// The model, version and signature that served a call.
void fillSpec(const Call &call, tensorflow::serving::ModelSpec &spec) {
  spec.set_name(call.model);
  spec.mutable_version()->set_value(call.version);
  spec.set_signature_name(servingDefault);
}

/// A model's output by its name.
std::span<const Tensor> one(std::span<const Tensor> outputs, const std::string &name) {
  auto it = std::find_if(outputs.begin(), outputs.end(), [&](const Tensor &output) { return output.name == name; });
  return outputs.subspan(it - outputs.begin(), 1);
}

/// Has a version run; `fill` makes the answer of the outputs.
template <typename In, typename Out, typename Fill>
void run(UnaryRpc<In, Out> &rpc, Version &version, Request request, Fill fill) {
  rpc.limit(request);
  rpc.queue().services().telemetry.noteInputs(rpc.call, request.inputs);
  version.infer(std::move(request), [&rpc, fill = std::move(fill)](
                                        const Status &status, std::span<const Tensor> outputs, const Timing &timing) {
    rpc.call.timing = timing;
    Status result = status;
    if (result.ok()) {
      try {
        fill(outputs, rpc.response);
      } catch (...) {
        result = currentExceptionStatus();
      }
    }
    rpc.finish(result);
  });
}

} // namespace

void PredictionService::listen(RpcQueue &queue) {
  using Async = decltype(async);
  serveUnary<tensorflow::serving::PredictionService>(queue, async, "Predict", &Async::RequestPredict,
                                                     [this](auto &rpc) { predict(rpc); });
  serveUnary<tensorflow::serving::PredictionService>(queue, async, "Classify", &Async::RequestClassify,
                                                     [this](auto &rpc) { classify(rpc); });
  serveUnary<tensorflow::serving::PredictionService>(queue, async, "Regress", &Async::RequestRegress,
                                                     [this](auto &rpc) { regress(rpc); });
  serveUnary<tensorflow::serving::PredictionService>(queue, async, "MultiInference", &Async::RequestMultiInference,
                                                     [this](auto &rpc) { multiInference(rpc); });
  serveUnary<tensorflow::serving::PredictionService>(queue, async, "GetModelMetadata", &Async::RequestGetModelMetadata,
                                                     [this](auto &rpc) { metadata(rpc); });
}

/// The version that a request means; refuses signatures that there are not.
std::shared_ptr<Version> PredictionService::find(const tensorflow::serving::ModelSpec &spec, Call &call) const {
  if (spec.name().empty())
    throw Error(Code::invalidArgument, "Missing ModelSpec");
  call.model = spec.name();
  serve::ModelSpec wanted{spec.name(), std::nullopt, spec.version_label()};
  if (spec.has_version())
    wanted.version = spec.version().value();
  std::shared_ptr<Version> version = services.registry.find(wanted);
  call.version = version->number;
  if (const std::string &name = spec.signature_name(); !name.empty() && name != servingDefault)
    throw Error(Code::failedPrecondition, "Serving signature key \"" + name + "\" not found.");
  return version;
}

void PredictionService::predict(UnaryRpc<PredictRequest, PredictResponse> &rpc) {
  std::shared_ptr<Version> version = find(rpc.request.model_spec(), rpc.call);
  Request request;
  for (const auto &[name, proto] : rpc.request.inputs())
    request.inputs.push_back(fromTensorProto(name, proto, rpc.storage));
  if (!request.inputs.empty())
    rpc.call.examples = request.inputs[0].sizes.empty() ? 1 : request.inputs[0].sizes[0];
  request.outputs.assign(rpc.request.output_filter().begin(), rpc.request.output_filter().end());
  run(rpc, *version, std::move(request), [this, &rpc](std::span<const Tensor> outputs, PredictResponse &response) {
    for (const Tensor &output : outputs)
      toTensorProto(output, asContent, (*response.mutable_outputs())[output.name]);
    fillSpec(rpc.call, *response.mutable_model_spec());
  });
}

template <typename In, typename Out>
void PredictionService::runExamples(UnaryRpc<In, Out> &rpc, const std::shared_ptr<Version> &version,
                                    std::vector<std::string> outputs, Fill<Out> fill) {
  ExampleInputs inputs = toInputs(rpc.request.input(), version->signature());
  rpc.call.examples = inputs.examples;
  rpc.storage = std::move(inputs.storage);
  Request request;
  request.inputs = std::move(inputs.tensors);
  request.outputs = std::move(outputs);
  run(rpc, *version, std::move(request),
      [examples = inputs.examples, fill = std::move(fill)](std::span<const Tensor> results, Out &response) {
        fill(results, examples, response);
      });
}

void PredictionService::classify(UnaryRpc<ClassificationRequest, ClassificationResponse> &rpc) {
  std::shared_ptr<Version> version = find(rpc.request.model_spec(), rpc.call);
  checkMethodName(services.checksMethodNames, classifyMethod);
  runExamples<ClassificationRequest, ClassificationResponse>(
      rpc, version, classifyOutputs(version->signature()),
      [&rpc, version](std::span<const Tensor> outputs, int64_t examples, ClassificationResponse &response) {
        *response.mutable_result() = toClasses(outputs, examples, version->labels());
        fillSpec(rpc.call, *response.mutable_model_spec());
      });
}

void PredictionService::regress(UnaryRpc<RegressionRequest, RegressionResponse> &rpc) {
  std::shared_ptr<Version> version = find(rpc.request.model_spec(), rpc.call);
  checkMethodName(services.checksMethodNames, regressMethod);
  runExamples<RegressionRequest, RegressionResponse>(
      rpc, version, {regressOutput(version->signature())},
      [&rpc](std::span<const Tensor> outputs, int64_t examples, RegressionResponse &response) {
        *response.mutable_result() = toValues(outputs, examples);
        fillSpec(rpc.call, *response.mutable_model_spec());
      });
}

/// One run for all tasks.
void PredictionService::multiInference(UnaryRpc<MultiInferenceRequest, MultiInferenceResponse> &rpc) {
  const MultiInferenceRequest &message = rpc.request;
  if (message.tasks().empty())
    throw Error(Code::invalidArgument, "Inference request contains no tasks");
  std::shared_ptr<Version> version = find(message.tasks(0).model_spec(), rpc.call);
  std::set<std::string> methods, outputs;
  for (const InferenceTask &task : message.tasks()) {
    if (task.model_spec().name() != version->model)
      throw Error(Code::invalidArgument, "All ModelSpecs in a MultiInferenceRequest must access the same model name");
    if (find(task.model_spec(), rpc.call) != version)
      throw Error(Code::invalidArgument, "All ModelSpecs in a MultiInferenceRequest must access the same version");
    if (task.method_name() != classifyMethod && task.method_name() != regressMethod)
      throw Error(Code::unimplemented, "Unsupported signature method_name: " + task.method_name());
    checkMethodName(services.checksMethodNames, task.method_name());
    if (!methods.insert(task.method_name()).second)
      throw Error(Code::invalidArgument, std::string("Duplicate evaluation of signature: ") + servingDefault);
    if (task.method_name() == classifyMethod)
      for (const std::string &name : classifyOutputs(version->signature()))
        outputs.insert(name);
    else
      outputs.insert(regressOutput(version->signature()));
  }
  runExamples<MultiInferenceRequest, MultiInferenceResponse>(
      rpc, version, {outputs.begin(), outputs.end()},
      [&rpc, version](std::span<const Tensor> results, int64_t examples, MultiInferenceResponse &response) {
        for (const InferenceTask &task : rpc.request.tasks()) {
          InferenceResult &result = *response.add_results();
          fillSpec(rpc.call, *result.mutable_model_spec());
          if (task.method_name() == regressMethod) {
            *result.mutable_regression_result() = toValues(one(results, regressOutput(version->signature())), examples);
            continue;
          }
          std::vector<Tensor> classes;
          for (const std::string &name : classifyOutputs(version->signature()))
            classes.push_back(one(results, name).front());
          *result.mutable_classification_result() = toClasses(classes, examples, version->labels());
        }
      });
}

void PredictionService::metadata(UnaryRpc<GetModelMetadataRequest, GetModelMetadataResponse> &rpc) {
  if (!rpc.request.has_model_spec())
    throw Error(Code::invalidArgument, "Missing ModelSpec");
  if (rpc.request.metadata_field().empty())
    throw Error(Code::invalidArgument, "GetModelMetadataRequest must specify at least one metadata_field");
  for (const std::string &field : rpc.request.metadata_field())
    if (field != "signature_def")
      throw Error(Code::invalidArgument, "Metadata field " + field + " is not supported");
  rpc.response = toModelMetadata(*find(rpc.request.model_spec(), rpc.call));
  rpc.finish({});
}

} // namespace mlc::serve
