//===- EarlyStopping.cpp - when it does not get better -----------------------------------------------------------===//
#include "runtime/train/EarlyStopping.h"

#include <cmath>

namespace mlc::train {

namespace {

std::string monitorOf(const Json &config, bool hasValidation) {
  std::string monitor = valueOf<std::string>(config, "monitor", hasValidation ? "val_loss" : "loss");
  // Without data for validation there is no val_loss to watch.
  return !hasValidation && monitor.rfind("val_", 0) == 0 ? monitor.substr(4) : monitor;
}

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

} // namespace

EarlyStopping::EarlyStopping(const Json &config, bool stops, bool hasValidation)
    : monitor(monitorOf(config, hasValidation)),
      improvement(monitor, valueOf<std::string>(config, "mode", "auto"), valueOf(config, "min_delta", 0.0)),
      stops(stops), restores(stops && valueOf(config, "restore_best_weights", false)),
      checksFinite(valueOf(config, "check_finite", true)), patience(valueOf<int64_t>(config, "patience", 0)),
      start(valueOf<int64_t>(config, "start_from_epoch", 0)), baseline(valueOf<double>(config, "baseline", NAN)),
      stopping(valueOf<double>(config, "stopping_threshold", NAN)),
      divergence(valueOf<double>(config, "divergence_threshold", NAN)), best(improvement.worst()) {}

bool EarlyStopping::endEpoch(int64_t epoch, const std::vector<std::pair<std::string, double>> &logs) {
  improved = false;
  double value = NAN;
  bool found = false;
  for (const auto &[name, each] : logs)
    if (name == monitor) {
      value = each;
      found = true;
    }
  if (!found || epoch < start)
    return false;
  if (checksFinite && stops && !std::isfinite(value)) {
    why = monitor + " is " + text(value);
    return true;
  }
  ++wait;
  if (epochOfBest < 0 || improvement.isBetter(value, best)) {
    best = value;
    epochOfBest = epoch;
    improved = true;
    // A baseline has to be beaten before patience begins anew.
    if (std::isnan(baseline) || improvement.isBetter(value, baseline))
      wait = 0;
  }
  if (!stops)
    return false;
  bool isMax = improvement.isMax();
  if (!std::isnan(stopping) && (isMax ? value > stopping : value < stopping)) {
    why = monitor + " has reached " + text(value) + ", better than the threshold " + text(stopping);
    return true;
  }
  if (!std::isnan(divergence) && (isMax ? value < divergence : value > divergence)) {
    why = monitor + " is " + text(value) + ", worse than the threshold " + text(divergence);
    return true;
  }
  if (!improved && wait >= patience && epoch > 0) {
    why = monitor + " has not become better than " + text(best) + " for " + std::to_string(wait) +
          (wait == 1 ? " epoch" : " epochs");
    return true;
  }
  return false;
}

Json EarlyStopping::save() const {
  return {{"monitor", monitor}, {"best", exactly(best)}, {"epoch", epochOfBest}, {"wait", wait}};
}

void EarlyStopping::load(const Json &json) {
  best = exactly(json.at("best"));
  epochOfBest = json.at("epoch");
  wait = json.at("wait");
}

} // namespace mlc::train
