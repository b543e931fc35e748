//===- Queue.cpp - the requests that wait for a model, and the batches they become -------------------------------===//
#include "runtime/serve/Scheduler.h"

#include "runtime/serve/EventThreads.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <numeric>

namespace mlc::serve {

namespace {

int64_t samples(const std::vector<int64_t> &sizes) {
  return std::accumulate(sizes.begin() + 1, sizes.end(), int64_t(1), std::multiplies<>());
}

/// Of the calling thread.
std::chrono::nanoseconds processorTime() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Copies a dense block of `sizes` into the corner of a dense block of `target` sizes from `axis` on, and fills the
/// rest with `filler`.
void copyPadded(std::byte *to, const std::vector<int64_t> &target, const std::byte *from,
                const std::vector<int64_t> &sizes, size_t axis, size_t element, const std::byte *filler) {
  if (std::equal(target.begin() + axis, target.end(), sizes.begin() + axis)) {
    size_t bytes = element;
    for (size_t i = axis; i < sizes.size(); ++i)
      bytes *= sizes[i];
    std::memcpy(to, from, bytes);
    return;
  }
  size_t toStride = element, fromStride = element;
  for (size_t i = axis + 1; i < sizes.size(); ++i)
    toStride *= target[i], fromStride *= sizes[i];
  for (int64_t i = 0; i < sizes[axis]; ++i)
    copyPadded(to + i * toStride, target, from + i * fromStride, sizes, axis + 1, element, filler);
  for (std::byte *end = to + target[axis] * toStride, *at = to + sizes[axis] * toStride; at < end; at += element)
    std::memcpy(at, filler, element);
}

/// The parts of a request that was cut: collects their outputs and completes it behind the last one.
struct Join final {
  std::mutex mutex;
  int64_t rows, left;
  Status status;
  Timing timing;
  std::vector<Tensor> outputs;
  std::vector<std::vector<std::byte>> storage;
  Completion done;

  void part(int64_t begin, int64_t partRows, const Status &partStatus, std::span<const Tensor> parts,
            const Timing &took) {
    {
      std::lock_guard lock(mutex);
      if (!partStatus.ok() && status.ok())
        status = partStatus;
      timing.queue = std::max(timing.queue, took.queue);
      timing.input += took.input;
      timing.infer += took.infer;
      timing.batch = std::max(timing.batch, took.batch);
      if (partStatus.ok()) {
        if (outputs.empty())
          for (const Tensor &tensor : parts) {
            storage.emplace_back(tensor.bytes / partRows * rows);
            outputs.push_back(tensor);
            outputs.back().sizes[0] = rows;
            outputs.back().data = storage.back().data();
            outputs.back().bytes = storage.back().size();
          }
        for (size_t i = 0; i < parts.size(); ++i)
          std::memcpy(storage[i].data() + parts[i].bytes / partRows * begin, parts[i].data, parts[i].bytes);
      }
      if (--left > 0)
        return;
    }
    done(status, status.ok() ? std::span<const Tensor>(outputs) : std::span<const Tensor>(), timing);
  }
};

} // namespace

Queue::Queue(Scheduler &scheduler, Library &library, QueuePolicy policy)
    : scheduler(scheduler), library(library), itsPolicy(std::move(policy)),
      levels(std::max<uint32_t>(itsPolicy.priorityLevels, 1)) {
  std::lock_guard lock(scheduler.mutex);
  scheduler.queues.push_back(this);
}

Queue::~Queue() {
  std::unique_lock lock(scheduler.mutex);
  scheduler.left.wait(lock, [&] { return active == 0; });
  std::erase(scheduler.queues, this);
}

size_t Queue::waiting() const {
  std::lock_guard lock(scheduler.mutex);
  return count;
}

Statistics Queue::statistics() const {
  std::lock_guard lock(statisticsMutex);
  return sums;
}

void Queue::submit(std::vector<Tensor> inputs, int64_t rows, const Request &request, Completion done) {
  if (!itsPolicy.batching)
    return submitPart(std::move(inputs), rows, request, std::move(done));
  int64_t most = itsPolicy.maxExecution ? std::min(itsPolicy.maxExecution, itsPolicy.maxBatch) : itsPolicy.maxBatch;
  if (itsPolicy.splitLarge && rows > most)
    return submitParts(std::move(inputs), rows, most, request, std::move(done));
  if (rows > itsPolicy.maxBatch)
    throw Error(Code::invalidArgument, "Task size " + std::to_string(rows) + " is larger than maximum batch size " +
                                           std::to_string(itsPolicy.maxBatch));
  submitPart(std::move(inputs), rows, request, std::move(done));
}

void Queue::submitParts(std::vector<Tensor> inputs, int64_t rows, int64_t most, const Request &request,
                        Completion done) {
  auto join = std::make_shared<Join>();
  join->rows = rows;
  join->left = (rows + most - 1) / most;
  join->done = std::move(done);
  for (int64_t begin = 0; begin < rows; begin += most) {
    int64_t partRows = std::min(most, rows - begin);
    std::vector<Tensor> part = inputs;
    for (Tensor &tensor : part) {
      size_t sample = tensor.bytes / rows;
      tensor.sizes[0] = partRows;
      tensor.data = static_cast<const std::byte *>(tensor.data) + begin * sample;
      tensor.bytes = partRows * sample;
    }
    auto partDone = [join, begin, partRows](const Status &status, std::span<const Tensor> outputs,
                                            const Timing &timing) {
      join->part(begin, partRows, status, outputs, timing);
    };
    try {
      submitPart(std::move(part), partRows, request, partDone);
    } catch (...) { // the parts before may run already, so the completion is where it is said
      partDone(currentExceptionStatus(), {}, {});
    }
  }
}

void Queue::submitPart(std::vector<Tensor> inputs, int64_t rows, const Request &request, Completion done) {
  Clock::time_point now = Clock::now(), deadline = request.deadline;
  if (deadline == Clock::time_point::max() && itsPolicy.defaultTimeout.count() > 0)
    deadline = now + itsPolicy.defaultTimeout;
  uint32_t priority = request.priority ? request.priority : itsPolicy.defaultPriority;
  uint32_t level = std::clamp<uint32_t>(priority, 1, static_cast<uint32_t>(levels.size())) - 1;
  scheduler.submit(*this, {std::move(inputs), rows, now, deadline, request.cancelled, std::move(done)}, level);
}

/// Whether two requests can be in one batch: all sizes but those of axis 0 are equal, or may be filled up.
bool Queue::sameSamples(const Pending &left, const Pending &right) const {
  for (size_t i = 0; i < left.inputs.size(); ++i) {
    const std::vector<int64_t> &a = left.inputs[i].sizes, &b = right.inputs[i].sizes;
    if (a.size() != b.size())
      return false;
    if (!itsPolicy.padVariableLength && !std::equal(a.begin() + 1, a.end(), b.begin() + 1))
      return false;
  }
  return true;
}

/// Whether a batch should leave now; otherwise `wake` becomes the time when it should, if that is sooner.
bool Queue::ready(Clock::time_point now, Clock::time_point &wake) const {
  if (count == 0 || (itsPolicy.concurrency > 0 && running >= itsPolicy.concurrency))
    return false;
  if (!itsPolicy.batching || itsPolicy.delay.count() == 0)
    return true;
  const Pending *head = nullptr;
  int64_t rows = 0;
  for (const std::deque<Pending> &level : levels)
    for (const Pending &pending : level) {
      if (!head)
        head = &pending;
      else if (!sameSamples(*head, pending))
        continue;
      else if (rows + pending.rows > itsPolicy.maxBatch)
        return true;
      rows += pending.rows;
      if (rows == itsPolicy.maxBatch)
        return true;
    }
  if (std::find(itsPolicy.preferredSizes.begin(), itsPolicy.preferredSizes.end(), rows) !=
      itsPolicy.preferredSizes.end())
    return true;
  if (head->arrived + itsPolicy.delay <= now)
    return true;
  wake = std::min(wake, head->arrived + itsPolicy.delay);
  return false;
}

/// What a batch of `rows` counts as: without a policy of batches, axis 0 need not be that of samples.
int64_t Queue::samplesOf(int64_t rows) const { return itsPolicy.batching ? std::max<int64_t>(rows, 1) : 1; }

/// Of its inputs, at least 1.
size_t Queue::bytesOf(const Batch &batch) {
  size_t bytes = 1;
  for (const Pending &pending : batch.requests)
    for (const Tensor &input : pending.inputs)
      bytes += input.bytes;
  return bytes;
}

/// How long a run on one thread will take, by its samples and by its bytes: sizes differ in other axes as well, and a
/// long run must not be taken for a short one.
std::chrono::nanoseconds Queue::expected(const Batch &batch) const {
  return std::max(alone * samplesOf(batch.rows),
                  std::chrono::nanoseconds(static_cast<int64_t>(aloneByte * static_cast<double>(bytesOf(batch)))));
}

/// Whether a run is faster on several threads, as far as is known. Where it is not, they would only be busy waiting for
/// each other, on processors that others could use, so that a little does not count. What one thread takes is its
/// processor time: under load the clock would say that it is slow. That may have slowed the several down, so that they
/// are tried again now and then.
bool Queue::threadsHelp() {
  constexpr unsigned period = 64;
  return shared.count() == 0 || shared * 5 < aloneBusy * 3 || ++refrained % period == 0;
}

/// Takes the batch that `ready` has promised: the first request, and those behind it that go with it.
Queue::Batch Queue::take() {
  Batch batch;
  int64_t most = itsPolicy.batching ? itsPolicy.maxBatch : 1;
  bool full = false;
  for (std::deque<Pending> &level : levels)
    for (auto it = level.begin(); it != level.end() && !full;) {
      bool first = batch.requests.empty();
      if (!first && !sameSamples(batch.requests.front(), *it)) {
        ++it;
        continue;
      }
      full = !first && batch.rows + it->rows > most; // the next batch begins with it
      if (full)
        break;
      batch.rows += it->rows;
      batch.requests.push_back(std::move(*it));
      it = level.erase(it);
      --count;
      --scheduler.waiting;
      full = batch.rows >= most;
    }
  if (count == 0)
    earliest = Clock::time_point::max();
  return batch;
}

/// Takes out what waits beyond its deadline, or for clients that have gone.
void Queue::takeHopeless(Clock::time_point now, std::vector<std::pair<Pending, Status>> &hopeless) {
  if (now < earliest)
    return;
  earliest = Clock::time_point::max();
  for (std::deque<Pending> &level : levels)
    for (auto it = level.begin(); it != level.end();) {
      if (it->deadline <= now) {
        hopeless.emplace_back(std::move(*it),
                              Status{Code::deadlineExceeded, "the deadline passed while the request waited"});
        it = level.erase(it);
        --count;
        --scheduler.waiting;
        continue;
      }
      earliest = std::min(earliest, it->deadline);
      ++it;
    }
}

/// The inputs of a batch of `rows` samples, one behind the other in `storage`; samples that are missing are copies of
/// the first one.
std::vector<Tensor> Queue::join(const Batch &batch, int64_t rows, std::vector<std::byte> &storage) const {
  std::vector<Tensor> inputs = batch.requests.front().inputs;
  std::vector<size_t> offsets;
  size_t bytes = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::vector<int64_t> &sizes = inputs[i].sizes;
    for (const Pending &pending : batch.requests)
      for (size_t axis = 1; axis < sizes.size(); ++axis)
        sizes[axis] = std::max(sizes[axis], pending.inputs[i].sizes[axis]);
    sizes[0] = rows;
    inputs[i].bytes = elementSize(inputs[i].dtype) * rows * samples(sizes);
    offsets.push_back(bytes);
    bytes += (inputs[i].bytes + 63) / 64 * 64;
  }
  if (storage.size() < bytes)
    storage.resize(bytes);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor &input = inputs[i];
    std::byte *at = storage.data() + offsets[i];
    input.data = at;
    size_t sample = input.bytes / std::max<int64_t>(rows, 1);
    for (const Pending &pending : batch.requests) {
      const Tensor &part = pending.inputs[i];
      std::vector<int64_t> target = input.sizes;
      target[0] = pending.rows;
      auto from = static_cast<const std::byte *>(part.data);
      copyPadded(at, target, from, part.sizes, 0, elementSize(part.dtype), from);
      at += sample * pending.rows;
    }
    for (int64_t row = batch.rows; row < rows; ++row, at += sample)
      std::memcpy(at, storage.data() + offsets[i], sample);
  }
  return inputs;
}

/// Takes out the requests whose clients have gone.
std::vector<Completion> Queue::dropCancelled(Batch &batch) {
  std::vector<Completion> gone;
  std::erase_if(batch.requests, [&](Pending &pending) {
    if (!pending.cancelled || !pending.cancelled->load(std::memory_order_relaxed))
      return false;
    batch.rows -= pending.rows;
    gone.push_back(std::move(pending.done));
    return true;
  });
  return gone;
}

/// Runs a batch on a context: a request alone as it lies, several joined.
void Queue::compute(const Batch &batch, Library::Context &context, Execution &execution) {
  if (batch.requests.size() == 1 && execution.rows == batch.rows) {
    context.run(batch.requests.front().inputs, execution.outputs);
    return;
  }
  {
    std::lock_guard lock(scheduler.mutex);
    if (!buffers.empty()) {
      execution.storage = std::move(buffers.back());
      buffers.pop_back();
    }
  }
  std::vector<Tensor> inputs = join(batch, execution.rows, execution.storage);
  execution.joined = Clock::now();
  context.run(inputs, execution.outputs);
  for (const Tensor &output : execution.outputs)
    if (output.sizes.empty() || output.sizes[0] != execution.rows)
      throw Error(Code::internal, "output '" + output.name + "' has sizes " + sizesText(output.sizes) +
                                      " for a batch of " + std::to_string(execution.rows));
}

void Queue::run(Batch &batch, int threads) {
  std::vector<Completion> gone = dropCancelled(batch);
  Execution execution;
  execution.start = execution.joined = Clock::now();
  execution.rows = batch.rows;
  for (int64_t size : itsPolicy.allowedSizes)
    if (size >= batch.rows) {
      execution.rows = size;
      break;
    }
  std::optional<Library::Context> context;
  if (!batch.requests.empty()) {
    try {
      context.emplace(library.lend(threads));
      std::chrono::nanoseconds before = batch.brief ? std::chrono::nanoseconds(0) : processorTime();
      compute(batch, *context, execution);
      if (!batch.brief)
        execution.busy = processorTime() - before;
    } catch (...) {
      execution.status = currentExceptionStatus();
    }
  }
  execution.end = Clock::now();

  // The threads are free for others while the answers are written.
  bool others;
  {
    std::lock_guard lock(scheduler.mutex);
    scheduler.free += threads;
    --running;
    std::chrono::nanoseconds took = execution.end - execution.joined;
    if (execution.status.ok() && !batch.requests.empty()) {
      std::chrono::nanoseconds sample = took / samplesOf(execution.rows);
      double byte = static_cast<double>(took.count()) / static_cast<double>(bytesOf(batch));
      if (threads == 1) {
        aloneByte = alone.count() ? (aloneByte * 7 + byte) / 8 : byte;
        if (std::chrono::nanoseconds busy = execution.busy / samplesOf(execution.rows); busy.count() > 0)
          aloneBusy = aloneBusy.count() ? (aloneBusy * 7 + busy) / 8 : busy;
        alone = alone.count() ? (alone * 7 + sample) / 8 : sample;
      } else {
        shared = shared.count() ? (shared + sample) / 2 : sample;
      }
    }
    if (!execution.storage.empty())
      buffers.push_back(std::move(execution.storage));
    others = scheduler.waiting > 0;
  }
  if (others)
    scheduler.wake.notify_one();

  if (!execution.status.ok() && batch.requests.size() > 1) {
    context.reset();
    runAlone(batch);
  } else {
    record(batch, execution);
    complete(batch, execution);
  }
  for (Completion &done : gone)
    done({Code::cancelled, "the client has gone"}, {}, {});
}

/// After a batch that failed: one of the requests may be at fault, so each is run again by itself.
void Queue::runAlone(Batch &batch) {
  for (Pending &pending : batch.requests) {
    Batch single;
    single.rows = pending.rows;
    single.requests.push_back(std::move(pending));
    {
      std::lock_guard lock(scheduler.mutex);
      --scheduler.free; // below zero for the time of the run where others have taken the threads
      ++running;
    }
    run(single, 1);
  }
}

void Queue::record(const Batch &batch, const Execution &execution) {
  if (batch.requests.empty())
    return;
  std::lock_guard lock(statisticsMutex);
  sums.lastInference = std::chrono::system_clock::now();
  if (!execution.status.ok()) {
    for (const Pending &pending : batch.requests)
      sums.fail.add(execution.end - pending.arrived);
    return;
  }
  ++sums.executions;
  ++sums.padding[execution.rows - batch.rows];
  auto &[input, infer] = sums.batches[execution.rows];
  input.add(execution.joined - execution.start);
  infer.add(execution.end - execution.joined);
  for (const Pending &pending : batch.requests) {
    sums.inferences += pending.rows;
    sums.success.add(execution.end - pending.arrived);
    sums.queue.add(execution.start - pending.arrived);
    sums.input.add(execution.joined - execution.start);
    sums.infer.add(execution.end - execution.joined);
  }
}

/// Gives each request its samples of the outputs.
void Queue::complete(const Batch &batch, const Execution &execution) {
  bool whole = batch.requests.size() == 1 && execution.rows == batch.rows;
  int64_t begin = 0;
  size_t bytes = 0;
  for (const Tensor &output : execution.outputs)
    bytes += output.bytes;
  if (bytes >= longMessage)
    EventThreads::handOn();
  std::vector<Tensor> parts;
  for (const Pending &pending : batch.requests) {
    if (!whole) {
      parts = execution.outputs;
      for (Tensor &tensor : parts) {
        size_t sample = tensor.bytes / std::max<int64_t>(execution.rows, 1);
        tensor.sizes[0] = pending.rows;
        tensor.data = static_cast<const std::byte *>(tensor.data) + begin * sample;
        tensor.bytes = pending.rows * sample;
      }
    }
    begin += pending.rows;
    Clock::time_point before = Clock::now();
    pending.done(execution.status, whole ? execution.outputs : parts,
                 {execution.start - pending.arrived, execution.joined - execution.start,
                  execution.end - execution.joined, execution.rows});
    if (execution.status.ok()) {
      std::lock_guard lock(statisticsMutex);
      sums.output.add(Clock::now() - before);
    }
  }
}

} // namespace mlc::serve
