//===- Schedule.h - the learning rate over time ------------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_SCHEDULE_H
#define MLC_RUNTIME_TRAIN_SCHEDULE_H

#include "runtime/train/Config.h"

#include <cmath>
#include <limits>

namespace mlc::train {

/// Whether a number that is watched has become better, as Keras's callbacks decide.
class Improvement final {
public:
  /// `mode` is min, max or auto: max for names of metrics that grow, min for losses and errors.
  Improvement(const std::string &monitor, const std::string &mode, double minDelta);
  bool isBetter(double value, double than) const {
    return wantsMax ? value - minDelta > than : value + minDelta < than;
  }
  /// Worse than any number.
  double worst() const { return wantsMax ? -INFINITY : INFINITY; }
  bool isMax() const { return wantsMax; }

private:
  bool wantsMax;
  double minDelta;
};

/// The learning rate of each step (double precision), by the formulas of Keras's schedules and PyTorch's OneCycleLR.
/// reduce_on_plateau is the only one with a state.
class Schedule final {
public:
  /// Throws std::invalid_argument for a kind that is not known.
  Schedule(const Json &config, double learningRate);

  /// The rate of step `iteration`, the number of updates before it.
  double at(int64_t iteration) const;

  /// Tells a plateau schedule how an epoch ended.
  void endEpoch(const std::vector<std::pair<std::string, double>> &logs);

  Json save() const;
  void load(const Json &json);

private:
  Json config;
  std::string kind;
  double base;
  struct Plateau {
    double rate, best;
    int64_t wait = 0, cooldown = 0;
  } plateau;
};

} // namespace mlc::train

#endif
