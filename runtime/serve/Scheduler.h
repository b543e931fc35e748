//===- Scheduler.h - who runs next, on how many threads, with whom ------------------------------------- -*- C++
//-*-===//
// All models share one budget of threads. A request that finds threads free runs at once on the thread that brought it;
// otherwise it waits in its model's queue, and the workers take the queues in turn. What waits for one model becomes a
// batch where the model's policy says so. A run takes the threads that are free, divided by the batches that wait.
#ifndef MLC_RUNTIME_SERVE_SCHEDULER_H
#define MLC_RUNTIME_SERVE_SCHEDULER_H

#include "runtime/serve/Library.h"
#include "runtime/serve/Request.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace mlc::serve {

/// How requests for a model wait and are put together. TensorFlow Serving's BatchingParameters and Triton's
/// dynamic_batching both become this.
struct QueuePolicy final {
  bool batching = false;
  int64_t maxBatch = 1000;             ///< samples of a batch
  std::chrono::microseconds delay{0};  ///< how long the first request of a batch waits for others
  std::vector<int64_t> allowedSizes;   ///< increasing; a batch is filled up to the next one. Empty for any size
  std::vector<int64_t> preferredSizes; ///< a batch that has one of these leaves at once
  bool padVariableLength = false;      ///< fills smaller samples up to the largest with their first element
  bool splitLarge = false;             ///< whether a request larger than maxExecution is cut
  int64_t maxExecution = 0;            ///< samples of a run where requests are cut; 0 for maxBatch
  int concurrency = 0;                 ///< batches of the model that run at a time; 0 for as many as there are threads
  size_t maxWaiting = 4096;            ///< requests; more are refused with UNAVAILABLE
  uint32_t priorityLevels = 1;         ///< level 1 goes first
  uint32_t defaultPriority = 1;
  std::chrono::microseconds defaultTimeout{0}; ///< in the queue, for requests without a deadline; 0 for none
};

/// Sums over the life of a version, as Triton's statistics need them.
struct Statistics final {
  struct Sum final {
    uint64_t count = 0;
    std::chrono::nanoseconds time{0};
    void add(std::chrono::nanoseconds more, uint64_t times = 1) { count += times, time += more; }
  };
  uint64_t inferences = 0; ///< samples
  uint64_t executions = 0; ///< runs
  Sum success, fail, queue, input, infer, output;
  std::map<int64_t, std::pair<Sum, Sum>> batches; ///< by samples of a run: input and infer
  std::map<int64_t, uint64_t> padding;            ///< runs by the samples that filled them up to an allowed size
  std::chrono::system_clock::time_point lastInference{};
};

class Scheduler;

/// Where the requests for one version wait. Lives as long as the version, which outlives its requests; its end waits
/// for threads that are about to leave it.
class Queue final {
public:
  Queue(Scheduler &scheduler, Library &library, QueuePolicy policy);
  ~Queue();
  Queue(const Queue &) = delete;
  Queue &operator=(const Queue &) = delete;

  /// Runs or enqueues a request whose inputs fit the model, in its order, with `rows` samples. Throws Error UNAVAILABLE
  /// where the queue is full, INVALID_ARGUMENT where the request is larger than a batch may be.
  void submit(std::vector<Tensor> inputs, int64_t rows, const Request &request, Completion done);

  const QueuePolicy &policy() const { return itsPolicy; }
  Statistics statistics() const;
  size_t waiting() const;

private:
  friend class Scheduler;
  struct Pending final {
    std::vector<Tensor> inputs;
    int64_t rows;
    Clock::time_point arrived, deadline;
    std::shared_ptr<const std::atomic<bool>> cancelled;
    Completion done;
  };
  struct Batch final {
    std::vector<Pending> requests;
    int64_t rows = 0;
    bool brief = false; // takes about as long as handing it to another thread
  };
  struct Execution final {
    Status status;
    Clock::time_point start, joined, end;
    std::chrono::nanoseconds busy{0}; // processor time of the thread that ran it, unless it was brief
    int64_t rows = 0;                 // with those that fill it up
    std::vector<Tensor> outputs;
    std::vector<std::byte> storage;
  };

  void submitPart(std::vector<Tensor> inputs, int64_t rows, const Request &request, Completion done);
  void submitParts(std::vector<Tensor> inputs, int64_t rows, int64_t most, const Request &request, Completion done);
  bool ready(Clock::time_point now, Clock::time_point &wake) const;
  Batch take();
  bool sameSamples(const Pending &left, const Pending &right) const;
  int64_t samplesOf(int64_t rows) const;
  static size_t bytesOf(const Batch &batch);
  std::chrono::nanoseconds expected(const Batch &batch) const;
  bool threadsHelp();
  void takeHopeless(Clock::time_point now, std::vector<std::pair<Pending, Status>> &hopeless);
  void run(Batch &batch, int threads);
  void runAlone(Batch &batch);
  static std::vector<Completion> dropCancelled(Batch &batch);
  void compute(const Batch &batch, Library::Context &context, Execution &execution);
  void record(const Batch &batch, const Execution &execution);
  void complete(const Batch &batch, const Execution &execution);
  std::vector<Tensor> join(const Batch &batch, int64_t rows, std::vector<std::byte> &storage) const;

  Scheduler &scheduler;
  Library &library;
  const QueuePolicy itsPolicy;
  // Guarded by the scheduler's mutex.
  std::vector<std::deque<Pending>> levels; // by priority, the highest first
  size_t count = 0;
  int running = 0;
  int active = 0;                                        // batches that a thread works on, answers included
  Clock::time_point earliest = Clock::time_point::max(); // no deadline of a waiting request is before it
  std::chrono::nanoseconds alone{0}, shared{0};          // time of a sample on one thread and on several, smoothed
  std::chrono::nanoseconds aloneBusy{0};                 // processor time of a sample on one thread, smoothed
  double aloneByte = 0;                                  // nanoseconds of a byte of the inputs on one thread, smoothed
  unsigned refrained = 0;                                // runs that might have had several threads
  std::vector<std::vector<std::byte>> buffers;           // for inputs of batches, to use again

  mutable std::mutex statisticsMutex;
  Statistics sums;
};

class Scheduler final {
public:
  /// `threads`: of all runs together, at least 1.
  explicit Scheduler(int threads);
  ~Scheduler();
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

  int threads() const { return total; }

private:
  friend class Queue;
  struct Work final {
    Queue *queue;
    Queue::Batch batch;
    int threads;
  };
  std::optional<Work> next(Clock::time_point &wake);
  void execute(Work work);
  void submit(Queue &queue, Queue::Pending pending, uint32_t level);
  void work();

  const int total;
  mutable std::mutex mutex;
  std::condition_variable wake, left;
  std::vector<Queue *> queues;
  size_t turn = 0;                                      // the queue that is asked first
  size_t waiting = 0;                                   // requests in all queues
  int free;                                             // threads
  Clock::time_point watched = Clock::time_point::max(); // a worker looks again at this time, or sooner
  bool stopping = false;
  std::vector<std::thread> workers;
};

} // namespace mlc::serve

#endif
