//===- Schedule.cpp - the learning rate over time ----------------------------------------------------------------===//
#include "runtime/train/Schedule.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace mlc::train {

namespace {

constexpr double kPi = 3.14159265358979323846;

double get(const Json &config, const char *key, double fallback) { return valueOf(config, key, fallback); }

/// linear from `initial` to `warmup_target`, then alpha + (1 - alpha) (1 + cos(pi t)) / 2 of where it begins
double cosine(const Json &config, double initial, double step) {
  double steps = get(config, "decay_steps", 1), alpha = get(config, "alpha", 0),
         warmup = get(config, "warmup_steps", 0);
  double from = initial;
  auto target = config.find("warmup_target");
  if (warmup > 0 && target != config.end() && !target->is_null()) {
    if (step < warmup)
      return initial + (target->get<double>() - initial) * step / warmup;
    from = target->get<double>();
    step -= warmup;
  }
  double t = std::clamp(step / steps, 0.0, 1.0);
  return from * ((1 - alpha) * 0.5 * (1 + std::cos(kPi * t)) + alpha);
}

/// The cosine again and again, each period t_mul times as long and m_mul times as high as the one before.
double cosineRestarts(const Json &config, double initial, double step) {
  double first = get(config, "first_decay_steps", 1), longer = get(config, "t_mul", 2),
         higher = get(config, "m_mul", 1), alpha = get(config, "alpha", 0);
  double length = first, height = 1;
  while (step >= length) {
    step -= length;
    length *= longer;
    height *= higher;
  }
  return initial * ((1 - alpha) * 0.5 * height * (1 + std::cos(kPi * step / length)) + alpha);
}

double polynomial(const Json &config, double initial, double step) {
  double steps = get(config, "decay_steps", 1), end = get(config, "end_learning_rate", 1e-4),
         power = get(config, "power", 1);
  if (valueOf(config, "cycle", false))
    steps *= step == 0 ? 1 : std::ceil(step / steps);
  else
    step = std::min(step, steps);
  return (initial - end) * std::pow(1 - step / steps, power) + end;
}

/// Up from max / div_factor to max in pct_start of the steps, then down to the begin / final_div_factor.
double oneCycle(const Json &config, double initial, double step) {
  double most = get(config, "max_learning_rate", initial), total = get(config, "total_steps", 1);
  double begin = most / get(config, "div_factor", 25), end = begin / get(config, "final_div_factor", 1e4);
  bool isLinear = valueOf<std::string>(config, "anneal", "cos") == "linear";
  auto between = [&](double from, double to, double t) {
    t = std::clamp(t, 0.0, 1.0);
    return isLinear ? from + (to - from) * t : to + (from - to) / 2 * (1 + std::cos(kPi * t));
  };
  double peak = get(config, "pct_start", 0.3) * total - 1, last = total - 1;
  if (step <= peak)
    return between(begin, most, peak > 0 ? step / peak : 1);
  return between(most, end, last > peak ? (step - peak) / (last - peak) : 1);
}

double piecewise(const Json &config, double initial, double step) {
  std::vector<double> boundaries = valueOf(config, "boundaries", std::vector<double>{}),
                      values = valueOf(config, "values", std::vector<double>{initial});
  size_t place = 0;
  while (place < boundaries.size() && step > boundaries[place])
    ++place;
  return values.at(std::min(place, values.size() - 1));
}

} // namespace

Improvement::Improvement(const std::string &monitor, const std::string &mode, double minDelta)
    : wantsMax(mode == "max"), minDelta(std::fabs(minDelta)) {
  std::string name = monitor.rfind("val_", 0) == 0 ? monitor.substr(4) : monitor;
  static const std::set<std::string> growing{"accuracy", "binary_accuracy", "precision", "recall", "f1", "auc",
                                             "r2",       "confusion_matrix"};
  if (mode != "min" && mode != "max")
    wantsMax = growing.count(name) || name.rfind("top_", 0) == 0;
}

Schedule::Schedule(const Json &config, double learningRate)
    : config(config), kind(valueOf<std::string>(config, "kind", "constant")), base(learningRate) {
  static const std::set<std::string> kinds{"constant",        "exponential",  "piecewise",
                                           "polynomial",      "inverse_time", "cosine",
                                           "cosine_restarts", "one_cycle",    "reduce_on_plateau"};
  if (!kinds.count(kind))
    throw std::invalid_argument("unknown schedule '" + kind + "'");
  plateau.rate = base;
  plateau.best =
      Improvement(valueOf<std::string>(config, "monitor", "val_loss"), valueOf<std::string>(config, "mode", "auto"), 0)
          .worst();
}

double Schedule::at(int64_t iteration) const {
  double step = static_cast<double>(iteration);
  if (kind == "reduce_on_plateau")
    return plateau.rate;
  if (kind == "cosine")
    return cosine(config, base, step);
  if (kind == "cosine_restarts")
    return cosineRestarts(config, base, step);
  if (kind == "polynomial")
    return polynomial(config, base, step);
  if (kind == "one_cycle")
    return oneCycle(config, base, step);
  if (kind == "piecewise")
    return piecewise(config, base, step);
  if (kind == "exponential" || kind == "inverse_time") {
    double t = step / get(config, "decay_steps", 1), rate = get(config, "decay_rate", 1);
    t = valueOf(config, "staircase", false) ? std::floor(t) : t;
    return kind == "exponential" ? base * std::pow(rate, t) : base / (1 + rate * t);
  }
  return base;
}

void Schedule::endEpoch(const std::vector<std::pair<std::string, double>> &logs) {
  if (kind != "reduce_on_plateau")
    return;
  std::string monitor = valueOf<std::string>(config, "monitor", "val_loss");
  Improvement improvement(monitor, valueOf<std::string>(config, "mode", "auto"), get(config, "min_delta", 1e-4));
  for (const auto &[name, value] : logs) {
    if (name != monitor)
      continue;
    if (plateau.cooldown > 0) {
      --plateau.cooldown;
      plateau.wait = 0;
    }
    if (improvement.isBetter(value, plateau.best)) {
      plateau.best = value;
      plateau.wait = 0;
    } else if (plateau.cooldown == 0 && ++plateau.wait >= valueOf<int64_t>(config, "patience", 10)) {
      plateau.rate = std::max(plateau.rate * get(config, "factor", 0.1), get(config, "min_learning_rate", 0));
      plateau.cooldown = valueOf<int64_t>(config, "cooldown", 0);
      plateau.wait = 0;
    }
  }
}

Json Schedule::save() const {
  return {{"rate", exactly(plateau.rate)},
          {"best", exactly(plateau.best)},
          {"wait", plateau.wait},
          {"cooldown", plateau.cooldown}};
}

void Schedule::load(const Json &json) {
  plateau.rate = exactly(json.at("rate"));
  plateau.best = exactly(json.at("best"));
  plateau.wait = json.at("wait");
  plateau.cooldown = json.at("cooldown");
}

} // namespace mlc::train
