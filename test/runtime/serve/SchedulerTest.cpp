//===- SchedulerTest.cpp - queues, batches, deadlines and the budget of threads ----------------------------------===//
#include "runtime/serve/Scheduler.h"

#include <gtest/gtest.h>

#include <future>

using namespace mlc::serve;

namespace {

struct Answer final {
  Status status;
  std::vector<int64_t> sizes;
  std::vector<float> values;
  Timing timing;
};

/// Sends `values` as rows of `width`, and promises the answer.
std::future<Answer> send(Queue &queue, std::vector<float> values, int64_t width, Request request = {}) {
  auto data = std::make_shared<std::vector<float>>(std::move(values));
  auto promise = std::make_shared<std::promise<Answer>>();
  int64_t rows = data->size() / width;
  Tensor input{"x", MLC_F32, {rows, width}, data->data(), data->size() * sizeof(float)};
  queue.submit({input}, rows, request,
               [data, promise](const Status &status, std::span<const Tensor> outputs, const Timing &timing) {
                 Answer answer{status, {}, {}, timing};
                 if (!outputs.empty()) {
                   answer.sizes = outputs[0].sizes;
                   auto begin = static_cast<const float *>(outputs[0].data);
                   answer.values.assign(begin, begin + outputs[0].bytes / sizeof(float));
                 }
                 promise->set_value(answer);
               });
  return promise->get_future();
}

std::string model(const char *name) { return std::string(FAKE_MODELS "/lib") + name + ".so"; }

TEST(Scheduler, RunsARequestOnTheCallersThread) {
  Scheduler scheduler(2);
  Library library(model("half_plus_two"));
  Queue queue(scheduler, library, {});
  std::future<Answer> answer = send(queue, {1, 2, 3, 4}, 2);
  ASSERT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(answer.get().values, (std::vector<float>{2.5, 3, 3.5, 4}));
}

/// A model that several threads do not make faster leaves them to others.
TEST(Scheduler, RunsOnOneThreadWhereMoreDoNotHelp) {
  Scheduler scheduler(2);
  Library library(model("slow"));
  Queue queue(scheduler, library, {});
  for (int i = 0; i < 2; ++i) // on one thread, then on two: it sleeps as long
    send(queue, {1}, 1).get();
  auto first = std::async(std::launch::async, [&] { return send(queue, {1}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  Answer second = send(queue, {2}, 1).get();
  EXPECT_LT(second.timing.queue, std::chrono::milliseconds(25)); // the first one still runs
  EXPECT_TRUE(first.get().status.ok());
}

TEST(Scheduler, PutsWaitingRequestsIntoOneBatch) {
  Scheduler scheduler(1);
  Library library(model("slow"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 8;
  policy.allowedSizes = {4, 8};
  Queue queue(scheduler, library, policy);
  auto first = std::async(std::launch::async, [&] { return send(queue, {9}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10)); // it runs alone, and these wait for it
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 5; ++i)
    answers.push_back(send(queue, {float(i)}, 1));
  for (int i = 0; i < 5; ++i) {
    Answer answer = answers[i].get();
    ASSERT_TRUE(answer.status.ok()) << answer.status.message;
    EXPECT_EQ(answer.sizes, (std::vector<int64_t>{1, 1}));
    EXPECT_EQ(answer.values, std::vector<float>{float(i)});
    EXPECT_EQ(answer.timing.batch, 8);
  }
  EXPECT_EQ(first.get().timing.batch, 4);
  Statistics statistics = queue.statistics();
  EXPECT_EQ(statistics.inferences, 6u);
  EXPECT_EQ(statistics.executions, 2u);
}

TEST(Scheduler, WaitsForOthersUntilTheDelayHasPassed) {
  Scheduler scheduler(1);
  Library library(model("identity"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 4;
  policy.delay = std::chrono::milliseconds(50);
  Queue queue(scheduler, library, policy);
  Clock::time_point start = Clock::now();
  EXPECT_EQ(send(queue, {1}, 1).get().timing.batch, 1);
  EXPECT_GE(Clock::now() - start, policy.delay);
  // A full batch does not wait.
  start = Clock::now();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 4; ++i)
    answers.push_back(send(queue, {float(i)}, 1));
  for (std::future<Answer> &answer : answers)
    EXPECT_EQ(answer.get().timing.batch, 4);
  EXPECT_LT(Clock::now() - start, policy.delay);
}

TEST(Scheduler, LeavesAtOnceWithAPreferredSize) {
  Scheduler scheduler(1);
  Library library(model("identity"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 8;
  policy.delay = std::chrono::seconds(30);
  policy.preferredSizes = {2};
  Queue queue(scheduler, library, policy);
  std::future<Answer> first = send(queue, {1}, 1), second = send(queue, {2}, 1);
  EXPECT_EQ(first.get().timing.batch, 2);
  EXPECT_EQ(second.get().values, std::vector<float>{2});
}

TEST(Scheduler, KeepsSamplesOfOtherSizesApartOrFillsThemUp) {
  Scheduler scheduler(1);
  Library library(model("identity"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 4;
  policy.delay = std::chrono::milliseconds(20);
  {
    Queue queue(scheduler, library, policy);
    std::future<Answer> narrow = send(queue, {1, 2}, 2), wide = send(queue, {3, 4, 5}, 3);
    EXPECT_EQ(narrow.get().timing.batch, 1);
    EXPECT_EQ(wide.get().values, (std::vector<float>{3, 4, 5}));
  }
  policy.padVariableLength = true;
  Queue queue(scheduler, library, policy);
  std::future<Answer> narrow = send(queue, {1, 2, 7, 8}, 2), wide = send(queue, {3, 4, 5}, 3);
  Answer answer = narrow.get();
  EXPECT_EQ(answer.timing.batch, 3);
  EXPECT_EQ(answer.sizes, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(answer.values, (std::vector<float>{1, 2, 1, 7, 8, 1}));
  EXPECT_EQ(wide.get().values, (std::vector<float>{3, 4, 5}));
}

TEST(Scheduler, CutsLargeRequestsOrRefusesThem) {
  Scheduler scheduler(2);
  Library library(model("half_plus_two"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 2;
  Queue refusing(scheduler, library, policy);
  try {
    send(refusing, {1, 2, 3}, 1);
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::invalidArgument);
    EXPECT_STREQ(error.what(), "Task size 3 is larger than maximum batch size 2");
  }
  policy.splitLarge = true;
  Queue cutting(scheduler, library, policy);
  Answer answer = send(cutting, {2, 4, 6, 8, 10}, 1).get();
  EXPECT_EQ(answer.sizes, (std::vector<int64_t>{5, 1}));
  EXPECT_EQ(answer.values, (std::vector<float>{3, 4, 5, 6, 7}));
}

TEST(Scheduler, RunsTheOthersOfABatchThatFailed) {
  Scheduler scheduler(1);
  Library library(model("identity"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 3;
  policy.delay = std::chrono::seconds(30);
  Queue queue(scheduler, library, policy);
  std::future<Answer> good = send(queue, {1}, 1), bad = send(queue, {-12345}, 1), also = send(queue, {2}, 1);
  EXPECT_EQ(good.get().values, std::vector<float>{1});
  EXPECT_EQ(also.get().values, std::vector<float>{2});
  Answer answer = bad.get();
  EXPECT_EQ(answer.status.code, Code::invalidArgument);
  EXPECT_EQ(answer.status.message, "fake: a value is out of range");
}

TEST(Scheduler, RefusesWhatDoesNotFitTheQueue) {
  Scheduler scheduler(1);
  Library library(model("slow"));
  QueuePolicy policy;
  policy.maxWaiting = 1;
  Queue queue(scheduler, library, policy);
  auto running = std::async(std::launch::async, [&] { return send(queue, {1}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::future<Answer> waiting = send(queue, {2}, 1);
  try {
    send(queue, {3}, 1);
    FAIL() << "expected an error";
  } catch (const Error &error) {
    EXPECT_EQ(error.code, Code::unavailable);
  }
  EXPECT_TRUE(running.get().status.ok());
  EXPECT_TRUE(waiting.get().status.ok());
}

TEST(Scheduler, GivesUpRequestsBehindTheirDeadlineAndThoseOfClientsThatLeft) {
  Scheduler scheduler(1);
  Library library(model("slow"));
  Queue queue(scheduler, library, {});
  auto running = std::async(std::launch::async, [&] { return send(queue, {1}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  Request late, gone;
  late.deadline = Clock::now() + std::chrono::milliseconds(10);
  auto flag = std::make_shared<std::atomic<bool>>(false);
  gone.cancelled = flag;
  std::future<Answer> lateAnswer = send(queue, {2}, 1, late), goneAnswer = send(queue, {3}, 1, gone);
  *flag = true;
  EXPECT_EQ(lateAnswer.get().status.code, Code::deadlineExceeded);
  EXPECT_EQ(goneAnswer.get().status.code, Code::cancelled);
  EXPECT_TRUE(running.get().status.ok());
}

TEST(Scheduler, TakesTheHigherPriorityFirst) {
  Scheduler scheduler(1);
  Library library(model("slow"));
  QueuePolicy policy;
  policy.priorityLevels = 2;
  policy.defaultPriority = 2;
  Queue queue(scheduler, library, policy);
  auto running = std::async(std::launch::async, [&] { return send(queue, {1}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  Request urgent;
  urgent.priority = 1;
  std::future<Answer> low = send(queue, {2}, 1), high = send(queue, {3}, 1, urgent);
  EXPECT_LT(high.get().timing.queue, low.get().timing.queue);
  running.get();
}

TEST(Scheduler, TakesTheQueuesInTurn) {
  Scheduler scheduler(1);
  Library library(model("slow"));
  Queue busy(scheduler, library, {}), other(scheduler, library, {});
  auto running = std::async(std::launch::async, [&] { return send(busy, {1}, 1).get(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::vector<std::future<Answer>> flood;
  for (int i = 0; i < 10; ++i)
    flood.push_back(send(busy, {1}, 1));
  std::future<Answer> late = send(other, {1}, 1);
  // It waits for what runs and one of the flood at most, not for all of it.
  EXPECT_LT(late.get().timing.queue, flood[4].get().timing.queue);
  flood.back().get();
  running.get();
}

TEST(Scheduler, ServesManyThreadsAtOnce) {
  Scheduler scheduler(4);
  Library library(model("half_plus_two"));
  QueuePolicy policy;
  policy.batching = true;
  policy.maxBatch = 16;
  Queue queue(scheduler, library, policy);
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int client = 0; client < 8; ++client)
    clients.emplace_back([&, client] {
      for (int i = 0; i < 500; ++i) {
        float value = float(client * 1000 + i);
        if (send(queue, {value, value + 1}, 2).get().values != std::vector<float>{value / 2 + 2, (value + 1) / 2 + 2})
          ++wrong;
      }
    });
  for (std::thread &client : clients)
    client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(queue.statistics().inferences, 4000u);
}

} // namespace
