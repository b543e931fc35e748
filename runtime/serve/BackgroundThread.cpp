//===- BackgroundThread.cpp - work that may take long, away from the threads that serve --------------------------===//
#include "runtime/serve/BackgroundThread.h"

namespace mlc::serve {

BackgroundThread::~BackgroundThread() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  wake.notify_one();
  if (thread.joinable())
    thread.join();
}

void BackgroundThread::post(std::function<void()> work) {
  std::lock_guard lock(mutex);
  waiting.push_back(std::move(work));
  if (!thread.joinable())
    thread = std::thread([this] { run(); });
  wake.notify_one();
}

void BackgroundThread::run() {
  for (std::unique_lock lock(mutex);;) {
    wake.wait(lock, [&] { return stopping || !waiting.empty(); });
    if (waiting.empty())
      return;
    std::function<void()> work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    work();
    work = nullptr; // what it holds goes before the lock is taken again
    lock.lock();
  }
}

} // namespace mlc::serve
