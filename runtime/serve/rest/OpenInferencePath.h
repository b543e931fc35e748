//===- OpenInferencePath.h - the parts of a path below /v2 --------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_REST_OPENINFERENCEPATH_H
#define MLC_RUNTIME_SERVE_REST_OPENINFERENCEPATH_H

#include "runtime/serve/Registry.h"

#include <string>
#include <string_view>
#include <vector>

namespace mlc::serve {

/// "/v2/models/M/versions/V/infer": the model, the version where there is one, and what is behind them. Other paths:
/// `rest` is everything behind "/v2".
struct OpenInferencePath final {
  ModelSpec model;  ///< without a name where the path is not of a model
  std::string rest; ///< parts with a "/" between: "infer", "health/live", "" for the metadata

  /// Of a path that begins with "/v2". A version that is not a number is a label. Throws Error for one beyond 64 bits.
  static OpenInferencePath parse(std::string_view path);
};

/// What a path is called in the log and the metrics, and the methods that it has; empty for a path that nothing has.
struct OpenInferenceRoute final {
  std::string_view api;
  std::string_view methods;
};

/// Which version serves a request. Throws Error in Triton's words: NOT_FOUND, UNAVAILABLE where it is not ready.
std::shared_ptr<Version> findVersion(const Registry &registry, const ModelSpec &spec);

} // namespace mlc::serve

#endif
