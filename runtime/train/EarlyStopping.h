//===- EarlyStopping.h - when it does not get better ------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_EARLYSTOPPING_H
#define MLC_RUNTIME_TRAIN_EARLYSTOPPING_H

#include "runtime/train/Schedule.h"

#include <string>
#include <utility>
#include <vector>

namespace mlc::train {

/// Keras's EarlyStopping (monitor, min_delta, patience, mode, baseline, restore_best_weights, start_from_epoch) with
/// Lightning's check_finite, stopping_threshold and divergence_threshold. It also says which epoch is the best, which
/// the checkpoints keep, and then without stopping.
class EarlyStopping final {
public:
  /// `stops` false only watches; `hasValidation` chooses val_loss or loss where no monitor is named.
  EarlyStopping(const Json &config, bool stops, bool hasValidation);

  /// Hears how an epoch ended; true when training has to stop, `reason` then says why.
  bool endEpoch(int64_t epoch, const std::vector<std::pair<std::string, double>> &logs);

  const std::string &monitored() const { return monitor; }
  bool isBest() const { return improved; } ///< whether the last epoch was the best one
  double bestValue() const { return best; }
  int64_t bestEpoch() const { return epochOfBest; } ///< -1 before there is one
  bool restoresBest() const { return restores; }
  const std::string &reason() const { return why; }

  Json save() const;
  void load(const Json &json);

private:
  std::string monitor, why;
  Improvement improvement;
  bool stops, restores, checksFinite, improved = false;
  int64_t patience, start, wait = 0, epochOfBest = -1;
  double baseline, stopping, divergence, best;
};

} // namespace mlc::train

#endif
