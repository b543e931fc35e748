//===- TritonRest.h - what Triton adds to the Open Inference Protocol ---------------------------------- -*- C++
//-*-===//
// The model repository, statistics, the configuration of models, log and trace settings, and shared memory, of which
// there is none. For OpenInferenceRest, which answers and counts the calls.
#ifndef MLC_RUNTIME_SERVE_REST_TRITONREST_H
#define MLC_RUNTIME_SERVE_REST_TRITONREST_H

#include "runtime/serve/BackgroundThread.h"
#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"
#include "runtime/serve/rest/OpenInferencePath.h"

#include <nlohmann/json_fwd.hpp>

namespace mlc::serve {

class TritonRest final {
public:
  explicit TritonRest(Services &services) : services(services) {}

  /// The route of a path; an empty one where the path is none of Triton's.
  static OpenInferenceRoute route(const OpenInferencePath &path);

  /// Answers a call whose API is that of its route by one of `finish` and `fail`, maybe later. Throws Error, as `fail`
  /// would say.
  void handle(const http::Request &request, const OpenInferencePath &path, Call &call,
              const std::function<void(http::Response)> &finish, const std::function<void(const Status &)> &fail);

private:
  void control(const http::Request &request, const OpenInferencePath &path, Call &call,
               const std::function<void(http::Response)> &finish, const std::function<void(const Status &)> &fail);
  nlohmann::json index(const http::Request &request);
  nlohmann::json statistics(const OpenInferencePath &path);
  nlohmann::json configuration(const OpenInferencePath &path);
  nlohmann::json logSettings(const http::Request &request);
  nlohmann::json traceSetting(const http::Request &request, const OpenInferencePath &path);

  Services &services;
  BackgroundThread loads; // which take long
};

} // namespace mlc::serve

#endif
