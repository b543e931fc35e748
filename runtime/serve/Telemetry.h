//===- Telemetry.h - what is counted and logged of every call ------------------------------------------ -*- C++
//-*-===//
// Protocols fill in a Call and give it to `finished` once; it costs well under 2 µs and never waits for a disk: metrics
// are counters, and the access log is written by a thread of its own.
#ifndef MLC_RUNTIME_SERVE_TELEMETRY_H
#define MLC_RUNTIME_SERVE_TELEMETRY_H

#include "runtime/serve/Request.h"
#include "runtime/serve/TraceContext.h"

#include <memory>
#include <string>

namespace mlc::serve {

class AccessLog;
class Masking;
class Metrics;
struct WarmUpReport;

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
  TraceContext trace;       ///< our part of the client's trace; set by answerHeaders
  std::string loggedInputs; ///< JSON of the inputs as the masking rules leave them; set by Telemetry::noteInputs
};

struct TelemetryOptions final {
  std::string accessLog;      ///< file of the JSON access log; "-" for standard error, empty for none
  double accessLogSample = 1; ///< share of the calls without a failure that is logged
  bool logInputs = false;     ///< whether the log has inputs, as far as the masking rules let them through
  std::string maskingRules;   ///< file of masking rules; without one no input is logged
};

/// Takes what is known of each call when it has ended. Thread-safe.
class Telemetry {
public:
  Telemetry();
  /// Throws Error where the log cannot be opened or the rules are not valid.
  explicit Telemetry(const TelemetryOptions &options);
  virtual ~Telemetry();
  Telemetry(const Telemetry &) = delete;
  Telemetry &operator=(const Telemetry &) = delete;

  virtual void finished(const Call &call);

  /// Takes how the recorded requests of the version in `folder` ran.
  void warmedUp(const std::string &folder, const WarmUpReport &report);

  /// Keeps what may be logged of a request's inputs. To be called while their data is valid, before `finished`.
  void noteInputs(Call &call, std::span<const Tensor> inputs) const;

  /// Opens the log's file anew, for those who rotate it. Safe in a signal handler.
  void reopenLog() noexcept;

  const Metrics &metrics() const { return *itsMetrics; }
  /// Null where there is none.
  AccessLog *accessLog() const { return log.get(); }

private:
  std::unique_ptr<Metrics> itsMetrics;
  std::unique_ptr<AccessLog> log;
  std::unique_ptr<Masking> masking; // null where inputs are not logged
};

} // namespace mlc::serve

#endif
