//===- AccessLog.cpp - a line of JSON for every call -------------------------------------------------------------===//
#include "runtime/serve/AccessLog.h"

#include "runtime/serve/JsonText.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace mlc::serve {

namespace {

/// The time in UTC as RFC 3339 writes it, with microseconds.
void appendNow(std::string &text) {
  thread_local time_t second = -1;
  thread_local char date[32];
  auto now = std::chrono::system_clock::now().time_since_epoch();
  time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  if (seconds != second) {
    tm parts;
    gmtime_r(&seconds, &parts);
    std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S.", &parts);
    second = seconds;
  }
  text += date;
  char digits[7];
  int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count() % 1000000;
  for (int i = 5; i >= 0; --i, micros /= 10)
    digits[i] = char('0' + micros % 10);
  text.append(digits, 6);
  text += 'Z';
}

void member(std::string &line, const char *name, std::string_view value) {
  line.append(",\"").append(name).append("\":");
  appendJsonString(line, value);
}

template <std::integral T> void member(std::string &line, const char *name, T value) {
  line.append(",\"").append(name).append("\":");
  appendJsonNumber(line, value);
}

void member(std::string &line, const char *name, std::chrono::nanoseconds value) {
  member(line, name, std::chrono::duration_cast<std::chrono::microseconds>(value).count());
}

/// Whether the server is at fault rather than the client.
bool isServersFault(Code code) {
  switch (code) {
  case Code::unknown:
  case Code::deadlineExceeded:
  case Code::resourceExhausted:
  case Code::internal:
  case Code::unavailable:
  case Code::dataLoss:
    return true;
  default:
    return false;
  }
}

/// A number in [0, 1) that is the same on all servers that a trace goes through.
double share(std::string_view traceId) {
  uint64_t bits = 0;
  std::from_chars(traceId.data() + traceId.size() - 13, traceId.data() + traceId.size(), bits, 16);
  return double(bits) / double(uint64_t(1) << 52);
}

/// The same for a call without a trace, evenly spread.
double nextShare() {
  static std::atomic<uint32_t> turn{0};
  return (turn.fetch_add(1, std::memory_order_relaxed) * 0x9E3779B9u) / 4294967296.0; // multiples of the golden ratio
}

void appendCall(std::string &line, const Call &call, std::chrono::nanoseconds duration) {
  line += "{\"time\":\"";
  appendNow(line);
  line += '"';
  member(line, "status", codeName(call.status.code));
  if (call.httpStatus)
    member(line, "http_status", call.httpStatus);
  if (!call.status.ok())
    member(line, "error", std::string_view(call.status.message).substr(0, 1024));
  member(line, "entrypoint", call.entrypoint);
  member(line, "api", call.api);
  if (!call.method.empty())
    member(line, "method", call.method);
  member(line, "path", std::string_view(call.path).substr(0, 1024));
  member(line, "peer", call.peer);
  if (!call.trace.traceId.empty()) {
    member(line, "trace_id", call.trace.traceId);
    member(line, "span_id", call.trace.spanId);
    if (!call.trace.parentId.empty())
      member(line, "parent_id", call.trace.parentId);
  }
  if (!call.requestId.empty())
    member(line, "request_id", std::string_view(call.requestId).substr(0, 128));
  if (!call.model.empty())
    member(line, "model", std::string_view(call.model).substr(0, 256));
  if (call.version >= 0)
    member(line, "version", call.version);
  member(line, "request_bytes", call.requestBytes);
  member(line, "response_bytes", call.responseBytes);
  member(line, "duration_us", duration);
  if (call.examples > 0) {
    member(line, "examples", call.examples);
    member(line, "batch", call.timing.batch);
    member(line, "queue_us", call.timing.queue);
    member(line, "input_us", call.timing.input);
    member(line, "infer_us", call.timing.infer);
  }
  if (!call.loggedInputs.empty())
    line.append(",\"inputs\":").append(call.loggedInputs);
  line += "}\n";
}

} // namespace

AccessLog::AccessLog(const std::string &path, double sample, size_t maxWaitingBytes)
    : itsPath(path), sample(sample), maxWaitingBytes(maxWaitingBytes) {
  if (!(sample >= 0 && sample <= 1))
    throw Error(Code::invalidArgument,
                "expected a share of 0 to 1 for the access log, but got " + std::to_string(sample));
  open();
  if (file < 0)
    throw Error(Code::failedPrecondition, "cannot open the access log " + path + ": " + std::strerror(errno));
  writer = std::thread([this] { work(); });
}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  wake.notify_one();
  writer.join();
  if (itsPath != "-" && file >= 0)
    close(file);
}

void AccessLog::open() {
  file = itsPath == "-" ? STDERR_FILENO : ::open(itsPath.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

bool AccessLog::write(const Call &call, std::chrono::nanoseconds duration) {
  const std::atomic<bool> &level = call.status.ok()                   ? successes
                                   : isServersFault(call.status.code) ? serverErrors
                                                                      : clientErrors;
  if (!level.load(std::memory_order_relaxed))
    return false;
  if (call.status.ok() && sample < 1 &&
      (call.trace.traceId.empty() ? nextShare() : share(call.trace.traceId)) >= sample)
    return false;
  thread_local std::string line;
  line.clear();
  appendCall(line, call, duration);
  std::lock_guard lock(mutex);
  if (waiting.size() + line.size() > maxWaitingBytes) {
    lost.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  bool half = waiting.size() < maxWaitingBytes / 2 && waiting.size() + line.size() >= maxWaitingBytes / 2;
  waiting += line;
  ++waitingLines;
  if (half) // otherwise the writer looks by itself: waking it for every line would cost more than the line
    wake.notify_one();
  return true;
}

void AccessLog::flush() {
  std::unique_lock lock(mutex);
  uint64_t mine = ++flushes;
  wake.notify_one();
  written.wait(lock, [&] { return flushed >= mine; });
}

void AccessLog::put(const std::string &lines, uint64_t count) {
  if (reopening.exchange(false, std::memory_order_relaxed) && itsPath != "-") {
    int old = file;
    open();
    if (file < 0)
      file = old; // better the old file than none
    else if (old >= 0)
      close(old);
  }
  const char *at = lines.data();
  for (size_t left = lines.size(); left > 0;) {
    ssize_t bytes = ::write(file, at, left);
    if (bytes < 0 && errno == EINTR)
      continue;
    if (bytes < 0) {
      lost.fetch_add(count, std::memory_order_relaxed);
      return;
    }
    at += bytes, left -= bytes;
  }
}

void AccessLog::work() {
  std::string lines;
  for (std::unique_lock lock(mutex); !stopping || !waiting.empty();) {
    if (!stopping && flushed == flushes)
      wake.wait_for(lock, std::chrono::milliseconds(100));
    lines.swap(waiting);
    uint64_t count = std::exchange(waitingLines, 0), asked = flushes;
    lock.unlock();
    if (uint64_t now = dropped(); now > reported && !lines.empty()) {
      lines += "{\"time\":\"";
      appendNow(lines);
      lines += "\",\"dropped_lines\":" + std::to_string(now - reported) + "}\n";
      reported = now;
    }
    put(lines, count);
    lines.clear();
    lock.lock();
    flushed = asked;
    written.notify_all();
  }
}

} // namespace mlc::serve
