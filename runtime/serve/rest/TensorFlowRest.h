//===- TensorFlowRest.h - TensorFlow Serving's REST API ----------------------------------------------- -*- C++ -*-===//
// All of /v1, also what KServe's first protocol adds to it: the list of models, `ready` in a model's status, and
// :explain.
#ifndef MLC_RUNTIME_SERVE_REST_TENSORFLOWREST_H
#define MLC_RUNTIME_SERVE_REST_TENSORFLOWREST_H

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"
#include "runtime/serve/rest/TensorJson.h"

namespace mlc::serve {

struct TensorFlowRestOptions final {
  std::chrono::milliseconds timeout{30'000}; ///< of a request, from its arrival
  bool cors = false;                         ///< whether answers may be read by pages from elsewhere
};

/// An http::Handler for the targets that it `handles`. Thread-safe; outlives its requests.
class TensorFlowRest final {
public:
  TensorFlowRest(Services &services, TensorFlowRestOptions options);

  static bool handles(std::string_view target);
  void operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond);

  /// POST /invocations of MLflow and SageMaker: a prediction of the only model that is served.
  void invoke(const std::shared_ptr<const http::Request> &request, http::Respond respond);

private:
  struct Exchange;
  using ExchangePointer = std::shared_ptr<Exchange>;
  using Write = std::function<std::string(std::span<const Tensor> outputs)>;

  ExchangePointer begin(const std::shared_ptr<const http::Request> &request, http::Respond respond);
  void route(const ExchangePointer &exchange);
  void preflight(const ExchangePointer &exchange);
  void status(const ExchangePointer &exchange);
  void metadata(const ExchangePointer &exchange);
  void list(const ExchangePointer &exchange);
  void predict(const ExchangePointer &exchange, PredictForm form);
  void useExamples(const ExchangePointer &exchange, bool classify);
  void explain(const ExchangePointer &exchange);
  void infer(const ExchangePointer &exchange, serve::Request request, Write write);
  static Completion answerWith(const ExchangePointer &exchange, Write write);
  Clock::time_point deadline(const Exchange &exchange) const;

  Services &services;
  const TensorFlowRestOptions options;
};

} // namespace mlc::serve

#endif
