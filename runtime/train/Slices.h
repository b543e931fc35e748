//===- Slices.h - steps and evaluations of batches that are cut -------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_SLICES_H
#define MLC_RUNTIME_TRAIN_SLICES_H

#include "runtime/train/Communicator.h"
#include "runtime/train/Metrics.h"
#include "runtime/train/Program.h"

namespace mlc::train {

/// How a batch is cut: into `shards` slices, of which each process computes some, in order; a slice into `pieces`
/// pieces, which run one by one (accumulation).
class Slices final {
public:
  /// Throws UsageError where the slices cannot be dealt so that sums keep their order.
  Slices(Program &program, State &state, Communicator &communicator, int64_t shards, int64_t pieces);

  /// Of a batch of `samples`: those that this process computes, as [begin, end).
  std::pair<int64_t, int64_t> own(int64_t samples) const;

  /// One update by a batch of `samples`, of which `batch` is what this process owns. Adds to `metrics` what all
  /// processes computed, and gives the loss. `stop` becomes true when it is anywhere.
  double step(const Batch &batch, int64_t samples, float learningRate, int64_t iteration, int64_t seed,
              Metrics &metrics, bool &stop);

  void evaluate(const Batch &batch, int64_t samples, Metrics &metrics);

private:
  /// The rows of a batch of `samples` at which piece `piece` of `all` begins.
  static int64_t beginOf(int64_t samples, int64_t piece, int64_t all) { return samples * piece / all; }
  void appendRecord(std::string &records, const Result &result, const Batch &piece) const;
  double addRecords(const std::string &records, int64_t samples, Metrics &metrics, bool &stop);
  void addAcross(std::vector<float> &partial);

  Program &program;
  Communicator &communicator;
  int64_t shards, pieces, firstShard, endShard;
  std::vector<std::pair<float *, uint64_t>> gradients, statistics;
};

} // namespace mlc::train

#endif
