//===- PredictionService.h - TensorFlow Serving's inference by gRPC ------------------------------------ -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_PREDICTIONSERVICE_H
#define MLC_RUNTIME_SERVE_GRPC_PREDICTIONSERVICE_H

#include "runtime/serve/grpc/Rpc.h"
#include "tensorflow_serving.grpc.pb.h"

namespace mlc::serve {

/// Predict, Classify, Regress, MultiInference and GetModelMetadata.
class PredictionService final {
public:
  /// `asContent`: whether answers carry tensor_content rather than lists of elements.
  PredictionService(const Services &services, bool asContent) : services(services), asContent(asContent) {}

  grpc::Service &service() { return async; }
  /// Serves the calls that the queue brings, once the server runs.
  void listen(RpcQueue &queue);

private:
  template <typename Out> using Fill = std::function<void(std::span<const Tensor>, int64_t examples, Out &response)>;

  std::shared_ptr<Version> find(const tensorflow::serving::ModelSpec &spec, Call &call) const;
  template <typename In, typename Out>
  void runExamples(UnaryRpc<In, Out> &rpc, const std::shared_ptr<Version> &version, std::vector<std::string> outputs,
                   Fill<Out> fill);

  void predict(UnaryRpc<tensorflow::serving::PredictRequest, tensorflow::serving::PredictResponse> &rpc);
  void classify(UnaryRpc<tensorflow::serving::ClassificationRequest, tensorflow::serving::ClassificationResponse> &rpc);
  void regress(UnaryRpc<tensorflow::serving::RegressionRequest, tensorflow::serving::RegressionResponse> &rpc);
  void multiInference(
      UnaryRpc<tensorflow::serving::MultiInferenceRequest, tensorflow::serving::MultiInferenceResponse> &rpc);
  void
  metadata(UnaryRpc<tensorflow::serving::GetModelMetadataRequest, tensorflow::serving::GetModelMetadataResponse> &rpc);

  const Services services;
  const bool asContent;
  tensorflow::serving::PredictionService::AsyncService async;
};

} // namespace mlc::serve

#endif
