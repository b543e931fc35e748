//===- Loader.cpp - batches, put together in the background ------------------------------------------------------===//
//
// One thread copies rows (it is limited by memory); several decode images. Batches are claimed in order and at most a
// few wait to be taken, so memory is bounded; the buffers of taken batches go round.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Loader.h"

namespace mlc::train {

Loader::Loader(const Dataset &dataset, int64_t first, int64_t end, std::function<std::vector<int64_t>(int64_t)> rowsOf,
               int threads)
    : dataset(dataset), rowsOf(std::move(rowsOf)), ahead(threads + 1), end(end), claimed(first), taken(first) {
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    std::lock_guard lock(mutex);
    stop = true;
  }
  isWanted.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

Batch Loader::assemble(const std::vector<int64_t> &rows) {
  Batch batch;
  {
    std::lock_guard lock(mutex);
    if (!spare.empty()) {
      batch = std::move(spare.back());
      spare.pop_back();
    }
  }
  batch.samples = static_cast<int64_t>(rows.size());
  batch.inputs.resize(dataset.inputs.size());
  auto fill = [&](const Column &column, Array &array) {
    std::vector<int64_t> sizes = column.sizes;
    if (!dataset.isWhole)
      sizes.insert(sizes.begin(), batch.samples);
    if (!array.data || array.sizes != sizes)
      array = Array::make(static_cast<mlc_dtype>(column.dtype), sizes);
    char *to = array.mutableData();
    for (int64_t row : rows) {
      column.read(row, to);
      to += column.rowBytes();
    }
  };
  for (size_t i = 0; i < dataset.inputs.size(); ++i)
    fill(*dataset.inputs[i], batch.inputs[i]);
  if (dataset.label)
    fill(*dataset.label, batch.label);
  return batch;
}

void Loader::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    isWanted.wait(lock, [&] { return stop || error || claimed >= end || claimed < taken + ahead; });
    if (stop || error || claimed >= end)
      return;
    int64_t index = claimed++;
    lock.unlock();
    try {
      Batch batch = assemble(rowsOf(index));
      lock.lock();
      ready[index] = std::move(batch);
    } catch (...) {
      if (!lock.owns_lock())
        lock.lock();
      error = std::current_exception();
      isWanted.notify_all();
    }
    isReady.notify_all();
  }
}

Batch Loader::next() {
  std::unique_lock lock(mutex);
  isReady.wait(lock, [&] { return error || ready.count(taken); });
  if (!ready.count(taken))
    std::rethrow_exception(error);
  Batch batch = std::move(ready[taken]);
  ready.erase(taken++);
  isWanted.notify_all();
  return batch;
}

void Loader::giveBack(Batch batch) {
  std::lock_guard lock(mutex);
  spare.push_back(std::move(batch));
}

} // namespace mlc::train
