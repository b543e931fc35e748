//===- OpenInferenceRest.h - the Open Inference Protocol (KServe v2) over HTTP ------------------------- -*- C++
//-*-===//
// All of /v2: the protocol's own routes, its binary tensor extension, and what Triton adds (TritonRest.h). Where the
// protocol's texts disagree with each other it serves the union, so that the clients of KServe and of Triton are
// content.
#ifndef MLC_RUNTIME_SERVE_REST_OPENINFERENCEREST_H
#define MLC_RUNTIME_SERVE_REST_OPENINFERENCEREST_H

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"
#include "runtime/serve/rest/TritonRest.h"

namespace mlc::serve {

/// An http::Handler for the targets that it `handles`. Thread-safe; outlives its requests.
class OpenInferenceRest final {
public:
  explicit OpenInferenceRest(Services &services) : services(services), triton(services) {}

  static bool handles(std::string_view target);
  void operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond);

private:
  struct Exchange;
  http::Response answer(Exchange &exchange);
  http::Response health(bool ready);
  http::Response modelReady(Exchange &exchange);
  http::Response modelMetadata(Exchange &exchange);
  void read(Exchange &exchange);
  void infer(const std::shared_ptr<Exchange> &exchange);

  Services &services;
  TritonRest triton;
};

/// What a status is in HTTP, as Triton answers; codes that Triton does not have as TensorFlow Serving does.
int openInferenceHttpStatus(Code code);

} // namespace mlc::serve

#endif
