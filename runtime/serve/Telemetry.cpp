//===- Telemetry.cpp - what is counted and logged of every call --------------------------------------------------===//
#include "runtime/serve/Telemetry.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/Masking.h"
#include "runtime/serve/Metrics.h"

namespace mlc::serve {

Telemetry::Telemetry() : Telemetry(TelemetryOptions()) {}

Telemetry::Telemetry(const TelemetryOptions &options) : itsMetrics(std::make_unique<Metrics>()) {
  if (!options.accessLog.empty())
    log = std::make_unique<AccessLog>(options.accessLog, options.accessLogSample);
  // Rules that are not valid are an error also where nothing is logged yet.
  Masking rules = options.maskingRules.empty() ? Masking() : Masking::read(options.maskingRules);
  if (options.logInputs && log)
    masking = std::make_unique<Masking>(std::move(rules));
}

Telemetry::~Telemetry() = default;

void Telemetry::finished(const Call &call) {
  Clock::time_point now = Clock::now();
  bool isLogged = log && log->write(call, now - call.start);
  itsMetrics->count(call, now - call.start, isLogged);
}

void Telemetry::warmedUp(const std::string &folder, const WarmUpReport &report) {
  itsMetrics->countWarmUp(folder, report);
}

void Telemetry::noteInputs(Call &call, std::span<const Tensor> inputs) const {
  if (masking)
    call.loggedInputs = masking->apply(call.model, inputs);
}

void Telemetry::reopenLog() noexcept {
  if (log)
    log->reopen();
}

} // namespace mlc::serve
