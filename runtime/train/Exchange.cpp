//===- Exchange.cpp - sums of tensors over processes, while the program runs --------------------------------------===//
#include "runtime/train/Exchange.h"
#include "runtime/train/PairwiseSum.h"

#include <algorithm>

namespace mlc::train {

Exchange::Exchange(Communicator &communicator, std::vector<std::pair<float *, uint64_t>> tensors)
    : communicator(communicator), given(tensors.size()) {
  size_t room = 0;
  for (size_t i = tensors.size(); i-- > 0;)
    for (size_t begin = 0, count = tensors[i].second; begin < count;) {
      if (room == 0) {
        buckets.emplace_back();
        room = kBucket;
      }
      size_t taken = std::min(room, count - begin);
      buckets.back().push_back({i, {tensors[i].first + begin, taken}});
      begin += taken;
      room -= taken;
    }
  if (communicator.allowsThreads())
    thread = std::thread([this] { run(); });
}

Exchange::~Exchange() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ends = true;
  }
  changed.notify_all();
  if (thread.joinable())
    thread.join();
}

void Exchange::give(size_t i) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    given[i] = true;
  }
  changed.notify_all();
}

void Exchange::finish() {
  if (!thread.joinable()) {
    for (const Bucket &bucket : buckets)
      sum(bucket);
    given.assign(given.size(), false);
    return;
  }
  std::unique_lock<std::mutex> lock(mutex);
  given.assign(given.size(), true);
  changed.notify_all();
  changed.wait(lock, [&] { return failure || done == buckets.size(); });
  if (failure)
    std::rethrow_exception(failure);
  given.assign(given.size(), false);
  done = 0;
}

bool Exchange::isGiven(const Bucket &bucket) const {
  return std::all_of(bucket.begin(), bucket.end(), [&](const Piece &piece) { return given[piece.tensor]; });
}

void Exchange::run() {
  std::unique_lock<std::mutex> lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return ends || (done < buckets.size() && isGiven(buckets[done])); });
    if (ends)
      return;
    const Bucket &bucket = buckets[done];
    lock.unlock();
    try {
      sum(bucket);
      lock.lock();
    } catch (...) {
      lock.lock();
      failure = std::current_exception();
      changed.notify_all();
      return;
    }
    ++done;
    changed.notify_all();
  }
}

void Exchange::sum(const Bucket &bucket) {
  auto processes = static_cast<size_t>(communicator.size());
  size_t count = 0;
  for (const Piece &piece : bucket)
    count += piece.elements.size();
  size_t part = (count + processes - 1) / processes;
  sent.resize(part * processes); // what is behind the pieces is summed and dropped
  received.resize(part * processes);
  float *at = sent.data();
  for (const Piece &piece : bucket)
    at = std::copy(piece.elements.begin(), piece.elements.end(), at);
  communicator.exchange(sent.data(), static_cast<int64_t>(part), received.data(), ends);
  PairwiseSum<std::span<float>> sum;
  for (size_t i = 0; i < processes; ++i)
    sum.add({received.data() + i * part, part});
  communicator.gather(sum.take().data(), static_cast<int64_t>(part), sent.data(), ends);
  const float *from = sent.data();
  for (const Piece &piece : bucket) {
    std::copy_n(from, piece.elements.size(), piece.elements.begin());
    from += piece.elements.size();
  }
}

} // namespace mlc::train
