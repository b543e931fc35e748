//===- TensorFlowPath.h - the paths of TensorFlow Serving's REST API ---------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REST_TENSORFLOWPATH_H
#define MLC_RUNTIME_SERVE_REST_TENSORFLOWPATH_H

#include "runtime/serve/Registry.h"

#include <string>
#include <string_view>

namespace mlc::serve {

/// A path under /v1: /v1/models[/NAME[/versions/N | /labels/L]] and what follows. Upper and lower case are the same but
/// in names; the query is a part of the path, as it is for TensorFlow Serving.
struct TensorFlowPath final {
  bool list = false; ///< /v1/models alone
  ModelSpec model;   ///< names are percent-decoded
  std::string rest;  ///< what follows, in lower case: "", "/metadata", ":predict" …

  /// Whether TensorFlow Serving's REST API is asked for: (?i)/v1/.*
  static bool handles(std::string_view target);
  /// Returns false where the path is not of this form; throws Error INVALID_ARGUMENT for a version that is too large.
  bool parse(std::string_view target);
};

} // namespace mlc::serve

#endif
