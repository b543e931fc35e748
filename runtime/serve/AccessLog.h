//===- AccessLog.h - a line of JSON for every call ----------------------------------------------------- -*- C++
//-*-===//
// `write` appends to a buffer in memory; a thread writes the buffer to the file. Where the file is slower than the
// calls, lines are dropped and counted, and the log says how many: a disk never holds a request up.
#ifndef MLC_RUNTIME_SERVE_ACCESSLOG_H
#define MLC_RUNTIME_SERVE_ACCESSLOG_H

#include "runtime/serve/Telemetry.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace mlc::serve {

/// Thread-safe.
class AccessLog final {
public:
  /// `path`: a file that is appended to, or "-" for standard error. `sample`: share of the calls without a failure that
  /// is logged; a trace is logged on all servers or on none. Throws Error where the file cannot be opened.
  AccessLog(const std::string &path, double sample, size_t maxWaitingBytes = size_t(4) << 20);
  /// Writes what waits.
  ~AccessLog();
  AccessLog(const AccessLog &) = delete;
  AccessLog &operator=(const AccessLog &) = delete;

  /// Returns whether the call gets a line.
  bool write(const Call &call, std::chrono::nanoseconds duration);

  /// Opens the file anew before the next line is written. Safe in a signal handler.
  void reopen() noexcept { reopening.store(true, std::memory_order_relaxed); }
  /// Returns when all lines so far are in the file.
  void flush();
  /// Lines that were lost because the file was too slow, or could not be written.
  uint64_t dropped() const { return lost.load(std::memory_order_relaxed); }
  const std::string &path() const { return itsPath; }

  // What is logged; Triton's log settings change them.
  std::atomic<bool> successes{true}, clientErrors{true}, serverErrors{true};

private:
  void work();
  void open();
  void put(const std::string &lines, uint64_t count);

  const std::string itsPath;
  const double sample;
  const size_t maxWaitingBytes;
  int file = -1; // of the writing thread
  std::atomic<bool> reopening{false};
  std::atomic<uint64_t> lost{0};
  uint64_t reported = 0; // of the lost lines, in the log

  std::mutex mutex;
  std::condition_variable wake, written;
  std::string waiting;
  uint64_t waitingLines = 0, flushes = 0, flushed = 0;
  bool stopping = false;
  std::thread writer;
};

} // namespace mlc::serve

#endif
