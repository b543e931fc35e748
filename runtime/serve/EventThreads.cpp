//===- EventThreads.cpp - threads that take turns at a source of events -------------------------------------------===//
#include "runtime/serve/EventThreads.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mlc::serve {

namespace {

using Clock = std::chrono::steady_clock;

/// Bounds of `patience`: calling a thread costs some microseconds, and the first one that is called finds out whether
/// there is work for it.
constexpr int64_t leastPatience = 50'000, mostPatience = 2'000'000; // nanoseconds

bool longerThan(Clock::time_point since, int64_t patience) {
  return Clock::now() - since > std::chrono::nanoseconds(patience);
}

/// Whom the calling thread leads, if it does.
thread_local EventThreads *leads = nullptr;

} // namespace

EventThreads::EventThreads(std::function<bool()> wait, std::function<bool()> poll, int count)
    : wait(std::move(wait)), poll(std::move(poll)),
      mostBusy(std::min(count, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())))) {
  for (int i = 0; i < std::max(count, 1); ++i)
    threads.emplace_back([this] { run(); });
}

EventThreads::~EventThreads() {
  for (std::thread &thread : threads)
    thread.join();
}

void EventThreads::handOn() {
  EventThreads *all = std::exchange(leads, nullptr);
  if (!all)
    return;
  std::lock_guard lock(all->mutex);
  all->led = false;
  all->called.notify_one();
}

void EventThreads::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    called.wait(lock, [&] { return ended || !led || wanted > 0; });
    if (ended)
      return;
    if (!led) {
      led = true;
      lock.unlock();
      lead();
      lock.lock();
    } else {
      --wanted;
      ++helping;
      lock.unlock();
      help();
      lock.lock();
      --helping;
    }
  }
}

/// Handles events until the thread has handed the lead on, or there are no more.
void EventThreads::lead() {
  leads = this;
  for (Clock::time_point busySince = Clock::now(); leads;) {
    if (poll()) {
      if (leads && longerThan(busySince, patience.load(std::memory_order_relaxed))) {
        callAnother();
        busySince = Clock::now();
      }
      continue;
    }
    if (!wait()) {
      leads = nullptr;
      std::lock_guard lock(mutex);
      ended = true;
      called.notify_all();
      return;
    }
    busySince = Clock::now();
  }
}

/// Handles what is there, beside the leader. Whether that was much says how soon to call for help the next time.
void EventThreads::help() {
  int64_t before = patience.load(std::memory_order_relaxed);
  int handled = 0;
  for (Clock::time_point busySince = Clock::now(); poll(); ++handled)
    if (longerThan(busySince, before)) {
      callAnother();
      busySince = Clock::now();
    }
  constexpr int worthwhile = 4;
  patience.store(handled < worthwhile ? std::min(2 * before, mostPatience) : std::max(before / 2, leastPatience),
                 std::memory_order_relaxed);
}

/// Has another thread help, if there are processors for it.
void EventThreads::callAnother() {
  std::lock_guard lock(mutex);
  if (1 + helping + wanted >= mostBusy)
    return;
  ++wanted;
  called.notify_one();
}

} // namespace mlc::serve
