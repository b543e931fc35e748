//===- BackgroundThread.h - work that may take long, away from the threads that serve ------------------ -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_BACKGROUNDTHREAD_H
#define MLC_RUNTIME_SERVE_BACKGROUNDTHREAD_H

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace mlc::serve {

/// Does what it is given, one after the other. The thread begins with the first work. Thread-safe.
class BackgroundThread final {
public:
  BackgroundThread() = default;
  /// Does what is left, and returns.
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread &) = delete;
  BackgroundThread &operator=(const BackgroundThread &) = delete;

  /// `work` must not throw.
  void post(std::function<void()> work);

private:
  void run();

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> waiting;
  bool stopping = false;
  std::thread thread;
};

} // namespace mlc::serve

#endif
