//===- Exchange.h - sums of tensors over processes, while the program runs ---------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_EXCHANGE_H
#define MLC_RUNTIME_TRAIN_EXCHANGE_H

#include "runtime/train/Communicator.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace mlc::train {

/// Makes tensors their sums over all processes. They are exchanged in buckets, the last tensors first, since a step
/// computes those gradients first. A bucket leaves when its tensors have been given and the buckets before it have
/// left, on a thread of its own; the same order in every process.
///
/// A bucket's sum: each process gets one part of it from all others and adds those in the order of their ranks
/// (PairwiseSum.h), then all get all parts. Traffic of a process: twice the tensors, for any number of processes.
class Exchange final {
public:
  /// Floats of a bucket.
  static constexpr size_t kBucket = size_t(1) << 18;

  /// `tensors` are the caller's, as pointers and counts.
  Exchange(Communicator &communicator, std::vector<std::pair<float *, uint64_t>> tensors);
  /// Gives up what is under way.
  ~Exchange();
  Exchange(const Exchange &) = delete;
  Exchange &operator=(const Exchange &) = delete;

  /// Tensor `i` holds what this process adds; until finish() it belongs to the exchange. A second time means nothing.
  void give(size_t i);

  /// Gives all tensors, and returns when they are sums. Throws what failed. Then the next exchange may begin.
  void finish();

private:
  /// Some elements of a tensor.
  struct Piece final {
    size_t tensor;
    std::span<float> elements;
  };
  using Bucket = std::vector<Piece>;

  void run();
  void sum(const Bucket &bucket);
  bool isGiven(const Bucket &bucket) const;

  Communicator &communicator;
  std::vector<Bucket> buckets;
  std::vector<float> sent, received;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> given; ///< by tensor
  size_t done = 0;         ///< buckets that are sums
  std::exception_ptr failure;
  std::atomic<bool> ends{false};
  std::thread thread; ///< none where MPI allows one thread only: then finish() does all
};

} // namespace mlc::train

#endif
