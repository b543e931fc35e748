//===- EventThreads.cpp - threads that take turns at a source of events -------------------------------------------===//
#include "runtime/serve/EventThreads.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mlc::serve {

namespace {

using Clock = std::chrono::steady_clock;

/// How long events may keep a thread busy without a pause before it calls another one: long enough that calling it
/// costs little beside it.
constexpr std::chrono::microseconds patience{500};

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
      if (leads && Clock::now() - busySince > patience) {
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

/// Handles what is there, beside the leader.
void EventThreads::help() {
  for (Clock::time_point busySince = Clock::now(); poll();)
    if (Clock::now() - busySince > patience) {
      callAnother();
      busySince = Clock::now();
    }
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
