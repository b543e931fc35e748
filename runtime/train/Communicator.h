//===- Communicator.h - the processes of a data-parallel run ----------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_COMMUNICATOR_H
#define MLC_RUNTIME_TRAIN_COMMUNICATOR_H

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace mlc::train {

/// The processes that mpirun started, or this one alone. Everything is exchanged by gathering to all, so each process
/// adds in the same order and decides the same.
class Communicator final {
public:
  /// Joins Open MPI where mpirun started this process. Throws InputError where its library is missing.
  Communicator();
  ~Communicator();
  Communicator(const Communicator &) = delete;
  Communicator &operator=(const Communicator &) = delete;

  int rank() const { return number; }
  int size() const { return count; }
  bool isParallel() const { return finalize != nullptr; }
  /// Whether another thread than the one that made this may exchange, if the two take turns.
  bool allowsThreads() const { return isThreaded; }

  /// What every process gives, one after the other: `count` floats each. Waits without keeping a processor busy; throws
  /// when `ends` becomes true.
  void gather(const float *from, int64_t count, float *to, const std::atomic<bool> &ends);
  /// As gather(), but each process has a part of `count` floats for every one, and gets its own from all.
  void exchange(const float *from, int64_t count, float *to, const std::atomic<bool> &ends);
  /// Texts of any length.
  std::vector<std::string> gather(const std::string &text);
  /// Ends all processes, because this one cannot go on.
  void abort(int code);

  /// Whether this process is the one that speaks; known before MPI is.
  static bool isFirst();

private:
  /// Of data, then MPI_COMM_WORLD, then the request that is begun.
  using Begin = int (*)(const void *, int, void *, void *, int, void *, void *, void **);

  void check(int code, const char *what);
  void run(Begin begin, const char *name, const float *from, int64_t count, float *to, const std::atomic<bool> &ends);
  void wait(void *request, const std::atomic<bool> &ends);

  int number = 0, count = 1;
  bool isThreaded = true;
  void *world = nullptr, *byte = nullptr;
  Begin iallgather = nullptr, ialltoall = nullptr;
  int (*test)(void **, int *, void *) = nullptr;
  int (*allgather)(const void *, int, void *, void *, int, void *, void *) = nullptr;
  int (*allgatherv)(const void *, int, void *, void *, const int *, const int *, void *, void *) = nullptr;
  int (*abortAll)(void *, int) = nullptr;
  int (*finalize)() = nullptr;
};

} // namespace mlc::train

#endif
