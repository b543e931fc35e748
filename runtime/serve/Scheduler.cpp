//===- Scheduler.cpp - the budget of threads and the workers -----------------------------------------------------===//
#include "runtime/serve/Scheduler.h"

#include "runtime/serve/EventThreads.h"

#include <algorithm>
#include <bit>

namespace mlc::serve {

namespace {

/// A run that takes less than this on one thread gains nothing from more of them.
constexpr std::chrono::microseconds shortRun{150};

/// Threads of a run where `free` ones are left and `others` batches wait. Powers of two or all of them, so that a model
/// keeps few contexts.
int share(int free, int total, size_t others) {
  int threads = std::max<int>(1, static_cast<int>(free / (1 + others)));
  return threads == total ? total : static_cast<int>(std::bit_floor(static_cast<unsigned>(threads)));
}

} // namespace

Scheduler::Scheduler(int threads) : total(std::max(threads, 1)), free(total) {
  for (int i = 0; i < total; ++i)
    workers.emplace_back([this] { work(); });
}

Scheduler::~Scheduler() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

/// The next batch that can run, with its threads taken from the budget; otherwise the time to look again.
std::optional<Scheduler::Work> Scheduler::next(Clock::time_point &when) {
  if (free <= 0 || queues.empty())
    return std::nullopt;
  Clock::time_point now = Clock::now();
  for (size_t i = 0; i < queues.size(); ++i) {
    size_t index = (turn + i) % queues.size();
    Queue &queue = *queues[index];
    if (!queue.ready(now, when))
      continue;
    turn = index + 1;
    Work work{&queue, queue.take(), 1};
    std::chrono::nanoseconds expected = queue.expected(work.batch);
    work.batch.brief = queue.alone.count() > 0 && expected <= shortRun;
    size_t others = 0;
    for (const Queue *other : queues)
      others += other->itsPolicy.batching ? other->count > 0 : other->count;
    // The first run is on one thread, to learn how long that takes.
    if (expected > shortRun && queue.threadsHelp())
      work.threads = share(free, total, others);
    free -= work.threads;
    ++queue.running;
    ++queue.active;
    return work;
  }
  return std::nullopt;
}

void Scheduler::execute(Work work) {
  work.queue->run(work.batch, work.threads);
  std::lock_guard lock(mutex);
  if (--work.queue->active == 0)
    left.notify_all();
  // Behind this the end of the batch may be that of its version, and so of the queue.
}

void Scheduler::submit(Queue &queue, Queue::Pending pending, uint32_t level) {
  std::optional<Work> work;
  bool waits;
  {
    std::lock_guard lock(mutex);
    if (queue.count >= queue.itsPolicy.maxWaiting)
      throw Error(Code::unavailable,
                  "the queue of the model is full: " + std::to_string(queue.count) + " requests wait");
    queue.earliest = std::min(queue.earliest, pending.deadline);
    queue.levels[level].push_back(std::move(pending));
    ++queue.count;
    ++waiting;
    Clock::time_point when = Clock::time_point::max();
    work = next(when);
    // Somebody has to take what waits, also where the turn was another queue's, or to keep its time. Where no thread
    // is free, the end of a run is the time to look.
    waits = queue.count > 0 && (free > 0 || std::min(when, queue.earliest) < watched);
  }
  if (waits)
    wake.notify_one();
  if (!work)
    return;
  if (!work->batch.brief)
    EventThreads::handOn();
  execute(std::move(*work));
}

void Scheduler::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    Clock::time_point when = Clock::time_point::max();
    std::vector<std::pair<Queue::Pending, Status>> hopeless;
    Clock::time_point now = Clock::now();
    for (Queue *queue : queues) {
      queue->takeHopeless(now, hopeless);
      when = std::min(when, queue->earliest);
    }
    if (!hopeless.empty()) {
      lock.unlock();
      for (auto &[pending, status] : hopeless) {
        pending.done(status, {}, {});
        pending.done = nullptr; // may be what kept the version alive
      }
      lock.lock();
      continue;
    }
    if (std::optional<Work> work = next(when)) {
      if (waiting > 0)
        wake.notify_one(); // for what is left, and to keep its time
      lock.unlock();
      execute(std::move(*work));
      work.reset();
      lock.lock();
      continue;
    }
    if (stopping)
      return;
    watched = when;
    if (when == Clock::time_point::max())
      wake.wait(lock);
    else
      wake.wait_until(lock, when);
    watched = Clock::time_point::max(); // which others may keep still
  }
}

} // namespace mlc::serve
