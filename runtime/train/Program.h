//===- Program.h - the compiled entries of a training program ---------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_PROGRAM_H
#define MLC_RUNTIME_TRAIN_PROGRAM_H

#include "runtime/train/Config.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Loader.h"
#include "runtime/train/State.h"

namespace mlc::train {

/// What an entry computes from a batch.
struct Result final {
  double loss = 0;            ///< the mean over the samples
  std::vector<Array> outputs; ///< of the model; memory of the entry, until it runs again
};

/// The entries, each with a context, on one state and one set of threads.
class Program final {
public:
  Program(const mlc_train_info &info, State &state, int threads);
  ~Program();
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  /// What the program takes.
  const Signature &signature() const { return takes; }

  /// How many samples a run takes where the program says so; 0 for any number.
  int64_t fixedSamples() const;

  Result step(const Batch &batch, float learningRate, int64_t iteration, int64_t seed);
  /// `listener`, where there is one, is told of each gradient that is complete while others are computed.
  Result gradients(const Batch &batch, float weight, int64_t iteration, int64_t seed,
                   const mlc_listener *listener = nullptr);
  void apply(float learningRate, int64_t iteration);
  Result evaluate(const Batch &batch);
  Result predict(const Batch &batch);

  /// From now on every run measures its nodes.
  void startProfile();

  /// What was measured, an entry after the other, as tables or as a JSON object.
  std::string profile(int threads, bool asJson) const;

private:
  /// Runs `entry` on the batch (and its label, where the entry has one), then scalars.
  Result run(const mlc_model_info *entry, mlc_model *context, const Batch *batch, bool hasLabel,
             const std::vector<mlc_tensor> &scalars, bool hasLoss);

  const mlc_train_info &info;
  Signature takes;
  std::vector<mlc_model *> contexts; ///< of step, gradients, apply, evaluate and predict
  std::vector<const mlc_profile *> profiles;
};

/// Rows [begin, end) of a batch, without a copy.
Batch sliceOf(const Batch &batch, int64_t begin, int64_t end);

} // namespace mlc::train

#endif
