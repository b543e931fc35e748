//===- EventThreadsTest.cpp - threads that take turns at a source of events ---------------------------------------===//
#include "runtime/serve/EventThreads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <optional>

using namespace std::chrono_literals;

namespace mlc::serve {
namespace {

/// A source of events that are functions; remembers which threads handled them.
class Source final {
public:
  void add(std::function<void()> event) {
    std::lock_guard lock(mutex);
    events.push_back(std::move(event));
    changed.notify_one();
  }
  void close() {
    std::lock_guard lock(mutex);
    closed = true;
    changed.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return closed || !events.empty(); });
    return handle(lock);
  }
  bool poll() {
    std::unique_lock lock(mutex);
    return handle(lock);
  }
  size_t handlers() {
    std::lock_guard lock(mutex);
    return threads.size();
  }
  /// The events that the busiest thread handled.
  int most() {
    std::lock_guard lock(mutex);
    int most = 0;
    for (const auto &[thread, handled] : threads)
      most = std::max(most, handled);
    return most;
  }

private:
  bool handle(std::unique_lock<std::mutex> &lock) {
    if (events.empty())
      return false;
    std::function<void()> event = std::move(events.front());
    events.pop_front();
    ++threads[std::this_thread::get_id()];
    lock.unlock();
    event();
    return true;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> events;
  std::map<std::thread::id, int> threads;
  bool closed = false;
};

class EventThreadsTest : public ::testing::Test {
protected:
  void start(int count) {
    threads.emplace([this] { return source.wait(); }, [this] { return source.poll(); }, count);
  }
  /// Adds an event and waits until it has been handled.
  void handle(const std::function<void()> &event) {
    auto handled = std::make_shared<std::promise<void>>();
    source.add([&event, handled] {
      event();
      handled->set_value();
    });
    handled->get_future().wait();
  }
  /// Ends the threads, which use what the test has on its stack.
  void finish() {
    source.close();
    threads.reset();
  }
  void TearDown() override { finish(); }

  Source source;
  std::optional<EventThreads> threads;
};

TEST_F(EventThreadsTest, HandlesShortEventsOnOneThread) {
  start(4);
  for (int i = 0; i < 100; ++i)
    handle([] {});
  // All of them, unless the machine takes the processor away from it: then another thread helps.
  EXPECT_GT(source.most(), 50);
}

/// An event that waits for a later one ends only if another thread leads meanwhile.
TEST_F(EventThreadsTest, AnotherThreadLeadsDuringALongEvent) {
  start(2);
  std::promise<void> second;
  handle([&] {
    EventThreads::handOn();
    EventThreads::handOn(); // it leads nobody any more
    source.add([&] { second.set_value(); });
    EXPECT_EQ(second.get_future().wait_for(20s), std::future_status::ready);
  });
  finish();
  EXPECT_EQ(source.handlers(), 2u);
}

TEST_F(EventThreadsTest, ManyLongEventsEachHaveAThread) {
  start(3);
  std::promise<void> third;
  std::shared_future<void> last = third.get_future().share();
  auto wait = [&] {
    EventThreads::handOn();
    EXPECT_EQ(last.wait_for(20s), std::future_status::ready);
  };
  source.add(wait);
  source.add(wait);
  handle([&] { third.set_value(); });
  finish();
  EXPECT_EQ(source.handlers(), 3u);
}

TEST_F(EventThreadsTest, AThreadAloneGoesOnLeading) {
  start(1);
  for (int i = 0; i < 3; ++i)
    handle([] { EventThreads::handOn(); });
  EXPECT_EQ(source.handlers(), 1u);
}

TEST_F(EventThreadsTest, AThreadThatEventsKeepBusyGetsHelp) {
  if (std::thread::hardware_concurrency() < 2)
    GTEST_SKIP() << "one processor is busy with one thread";
  for (int i = 0; i < 200; ++i)
    source.add([] { std::this_thread::sleep_for(1ms); });
  start(2);
  for (int i = 0; i < 1000 && source.handlers() < 2; ++i)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(source.handlers(), 2u);
}

TEST_F(EventThreadsTest, HandsNothingOnOutsideOfEvents) { EventThreads::handOn(); }

} // namespace
} // namespace mlc::serve
