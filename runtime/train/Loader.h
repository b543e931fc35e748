//===- Loader.h - batches, put together in the background -------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_LOADER_H
#define MLC_RUNTIME_TRAIN_LOADER_H

#include "runtime/train/Dataset.h"

#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace mlc::train {

/// Samples side by side, as a program takes them. A part of a batch is one too.
struct Batch final {
  std::vector<Array> inputs;
  Array label; ///< without data where the data has none
  int64_t samples = 0;
};

/// Makes the batches [first, end) in order, some ahead of who takes them. `rowsOf(i)` gives the samples of batch `i`.
/// Errors of reading are thrown by `next`.
class Loader final {
public:
  Loader(const Dataset &dataset, int64_t first, int64_t end, std::function<std::vector<int64_t>(int64_t)> rowsOf,
         int threads);
  ~Loader();
  Loader(const Loader &) = delete;
  Loader &operator=(const Loader &) = delete;

  /// The next batch; its memory is the loader's again when it is given back.
  Batch next();
  void giveBack(Batch batch);

private:
  void work();
  Batch assemble(const std::vector<int64_t> &rows);

  const Dataset &dataset;
  std::function<std::vector<int64_t>(int64_t)> rowsOf;
  int64_t ahead, end, claimed, taken;
  std::mutex mutex;
  std::condition_variable isReady, isWanted;
  std::map<int64_t, Batch> ready;
  std::vector<Batch> spare;
  std::exception_ptr error;
  bool stop = false;
  std::vector<std::thread> workers;
};

} // namespace mlc::train

#endif
