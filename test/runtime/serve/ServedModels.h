//===- ServedModels.h - a registry of fake models, and calls of handlers without sockets ---------------- -*- C++
//-*-===//
#ifndef MLC_TEST_RUNTIME_SERVE_SERVEDMODELS_H
#define MLC_TEST_RUNTIME_SERVE_SERVEDMODELS_H

#include "ModelFolder.h"

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"

#include <mutex>

namespace mlc::serve::test {

/// Keeps the calls that it is told of, besides counting them.
class RecordingTelemetry final : public Telemetry {
public:
  using Telemetry::Telemetry;
  void finished(const Call &call) override {
    Telemetry::finished(call);
    std::lock_guard lock(mutex);
    itsCalls.push_back(call);
  }
  std::vector<Call> calls() const {
    std::lock_guard lock(mutex);
    return itsCalls;
  }

private:
  mutable std::mutex mutex;
  std::vector<Call> itsCalls;
};

/// Serves `half` (version 1 is x/2+2 and has the label `stable`, version 2 x/2+3), `classes` (the identity, with names
/// for three classes), `slow` (the identity in 50 ms, one thread) and `empty`, which has no versions.
struct ServedModels {
  explicit ServedModels(const TelemetryOptions &options = {});
  /// Serves another model, of version 1.
  void add(const std::string &name, const std::string &fake);

  TemporaryFolder folder;
  Scheduler scheduler{1};
  RecordingTelemetry telemetry;
  Registry registry;
  Services services{registry, telemetry};
};

using Headers = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<http::Request> makeRequest(const std::string &method, const std::string &target,
                                           const std::string &body = "", const Headers &headers = {});

/// Calls a handler and waits for its answer.
http::Response call(const http::Handler &handler, const std::shared_ptr<const http::Request> &request);

std::string headerOf(const http::Response &response, const std::string &name);

} // namespace mlc::serve::test

#endif
