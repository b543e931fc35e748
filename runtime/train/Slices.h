//===- Slices.h - steps and evaluations of batches that are cut -------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_SLICES_H
#define MLC_RUNTIME_TRAIN_SLICES_H

#include "runtime/train/Communicator.h"
#include "runtime/train/Exchange.h"
#include "runtime/train/Metrics.h"
#include "runtime/train/PairwiseSum.h"
#include "runtime/train/Program.h"

#include <optional>

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
  /// Tensor `i` has what the last of the own slices adds: makes it the sum of all own slices, and gives it away.
  void complete(size_t i);
  /// The same of the gradient at `offset` of the state.
  void completeAt(uint64_t offset);

  Program &program;
  Communicator &communicator;
  char *memory; ///< of the state
  int64_t shards, pieces, firstShard, endShard;
  /// That slices add to: running statistics, then gradients. Statistics are known when a slice has been computed, so
  /// they come first: the exchange begins with the last.
  std::vector<std::pair<float *, uint64_t>> tensors;
  size_t numStatistics = 0;
  std::vector<PairwiseSum<std::vector<float>>> sums; ///< of the own slices but the last, by tensor
  std::vector<bool> isComplete;                      ///< by tensor, in a step
  std::optional<Exchange> exchange;                  ///< from the first step on, where there are processes
};

} // namespace mlc::train

#endif
