//===- Services.h - what every protocol works with ---------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_SERVICES_H
#define MLC_RUNTIME_SERVE_SERVICES_H

#include "runtime/serve/Explanation.h"
#include "runtime/serve/Registry.h"
#include "runtime/serve/Telemetry.h"

namespace mlc::serve {

/// The parts of a running server; they outlive the protocols.
struct Services final {
  Registry &registry;
  Telemetry &telemetry;
  Explainer *explainer = nullptr; ///< null where predictions are not explained
  /// Says that the server is not ready although its models are, since it is about to end; may be null.
  std::function<bool()> draining = nullptr;
  bool checksMethodNames = false; ///< --enable_signature_method_name_check

  /// Whether the server should be sent requests.
  bool ready() const { return registry.ready() && !(draining && draining()); }
};

} // namespace mlc::serve

#endif
