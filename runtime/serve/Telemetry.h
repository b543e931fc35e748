//===- Telemetry.h - what is counted and logged of every call ------------------------------------------ -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_TELEMETRY_H
#define MLC_RUNTIME_SERVE_TELEMETRY_H

#include "runtime/serve/Request.h"

#include <string>

namespace mlc::serve {

/// One call of a client, filled in by the protocol that serves it; then it goes to Telemetry::finished.
struct Call final {
  Clock::time_point start = Clock::now();
  const char *entrypoint = ""; ///< "REST" or "GRPC"
  std::string api;             ///< "Predict", "Classify", "ModelInfer" …
  std::string method, path;    ///< of HTTP; the full name of the method of gRPC
  std::string peer;            ///< the client's address
  std::string traceParent;     ///< W3C's header as it came, or empty
  std::string requestId;       ///< the client's own, or empty
  std::string model;           ///< as asked for
  int64_t version = -1;        ///< that served it
  Status status;
  int httpStatus = 0; ///< 0 for gRPC
  size_t requestBytes = 0, responseBytes = 0;
  int64_t examples = 0; ///< samples
  Timing timing;
};

/// Takes what is known of each call when it has ended. Thread-safe.
class Telemetry {
public:
  virtual ~Telemetry() = default;
  virtual void finished(const Call &call) {}
};

} // namespace mlc::serve

#endif
