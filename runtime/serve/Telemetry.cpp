//===- Telemetry.cpp - what is counted and logged of every call --------------------------------------------------===//
#include "runtime/serve/Telemetry.h"

#include "runtime/serve/AccessLog.h"
#include "runtime/serve/Masking.h"
#include "runtime/serve/Metrics.h"

#include <atomic>

namespace mlc::serve {

double nextShare() {
  static std::atomic<uint32_t> turn{0};
  return (turn.fetch_add(1, std::memory_order_relaxed) * 0x9E3779B9u) / 4294967296.0; // multiples of the golden ratio
}

Telemetry::Telemetry() : Telemetry(TelemetryOptions()) {}

Telemetry::Telemetry(const TelemetryOptions &options) : itsMetrics(std::make_unique<Metrics>()) {
  if (!options.accessLog.empty())
    log = std::make_unique<AccessLog>(options.accessLog, options.accessLogSample);
  if (!(options.logInputs >= 0 && options.logInputs <= 1))
    throw Error(Code::invalidArgument,
                "expected a share of 0 to 1 of calls with inputs, but got " + std::to_string(options.logInputs));
  // Rules that are not valid are an error also where nothing is logged yet.
  Masking rules = options.maskingRules.empty() ? Masking() : Masking::read(options.maskingRules);
  inputShare = options.logInputs;
  if (inputShare > 0 && log)
    masking = std::make_unique<Masking>(std::move(rules));
}

Telemetry::~Telemetry() = default;

void Telemetry::finished(const Call &call) {
  Clock::time_point now = Clock::now();
  itsMetrics->count(call, now - call.start);
  if (log)
    log->write(call, now - call.start);
}

void Telemetry::noteInputs(Call &call, std::span<const Tensor> inputs) const {
  if (masking && (inputShare >= 1 || nextShare() < inputShare))
    call.loggedInputs = masking->apply(call.model, inputs);
}

void Telemetry::reopenLog() noexcept {
  if (log)
    log->reopen();
}

} // namespace mlc::serve
