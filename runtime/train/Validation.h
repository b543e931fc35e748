//===- Validation.h - metrics over data -------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_VALIDATION_H
#define MLC_RUNTIME_TRAIN_VALIDATION_H

#include "runtime/train/Progress.h"
#include "runtime/train/Slices.h"

#include <functional>

namespace mlc::train {

/// Rows [begin, end) of a dataset.
struct Rows final {
  const Dataset *dataset = nullptr;
  int64_t begin = 0, end = 0;
  int64_t count() const { return end - begin; }
};

/// Threads that put the batches of `dataset` together.
int loaderThreads(const Dataset &dataset, int threads);

/// Runs @evaluate over the rows, `batch` at a time; `metrics` holds the result. `done` hears of each batch.
void evaluateRows(Slices &slices, const Rows &rows, int64_t batch, int threads, Metrics &metrics,
                  const std::function<void(int64_t)> &done);

} // namespace mlc::train

#endif
