//===- EventThreads.h - threads that take turns at a source of events --------------------------------- -*- C++ -*-===//
// Leader and followers: one thread, the leader, waits for the next event and handles it itself, so that a short request
// changes threads nowhere and wakes nobody. Many threads that wait at once wake each other for every event, which costs
// more than a small request. The leader calls others only where there is work for them: before it does something long
// it hands the lead on, and when events keep it busy without a pause it calls another thread to its side.
#ifndef MLC_RUNTIME_SERVE_EVENTTHREADS_H
#define MLC_RUNTIME_SERVE_EVENTTHREADS_H

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mlc::serve {

/// From how many bytes on what is done with a request or an answer is long enough to hand the lead on: where its data
/// is copied, and where it is read or written as text.
constexpr size_t longMessage = 1 << 20, longText = 64 << 10;

/// The threads of one source of events. Thread-safe.
class EventThreads final {
public:
  /// `wait` waits for an event and handles it, and returns false when there will be no more of them; `poll` handles one
  /// that is there, and returns false where there is none. Both are called by several threads at a time, and must not
  /// throw. `threads`: at least 1; so many can be in something long at a time.
  EventThreads(std::function<bool()> wait, std::function<bool()> poll, int threads);
  /// Waits for the end of the events.
  ~EventThreads();
  EventThreads(const EventThreads &) = delete;
  EventThreads &operator=(const EventThreads &) = delete;

  /// Says that the calling thread is about to do something long: if it leads others, one of them leads from now on.
  static void handOn();

private:
  void run();
  void lead();
  void help();
  void callAnother();

  const std::function<bool()> wait, poll;
  const int mostBusy; // threads that short work is spread over
  /// Nanoseconds that events may keep a thread busy without a pause before it calls another one.
  std::atomic<int64_t> patience = 100'000;
  std::mutex mutex;
  std::condition_variable called;
  bool led = false, ended = false;
  int wanted = 0, helping = 0; // at the leader's side: still to come, and there
  std::vector<std::thread> threads;
};

} // namespace mlc::serve

#endif
