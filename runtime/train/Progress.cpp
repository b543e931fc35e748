//===- Progress.cpp - what a terminal shows of a run -------------------------------------------------------------===//
#include "runtime/train/Progress.h"

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace mlc::train {

namespace {

template <typename... Arguments> std::string format(const char *text, Arguments... arguments) {
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, text, arguments...);
  return buffer;
}

std::string duration(double seconds) {
  auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  if (whole > 3600)
    return format("%lld:%02lld:%02lld", whole / 3600, whole % 3600 / 60, whole % 60);
  if (whole > 60)
    return format("%lld:%02lld", whole / 60, whole % 60);
  return format("%llds", whole);
}

} // namespace

std::string logsText(Logs logs) {
  std::sort(logs.begin(), logs.end());
  std::string text;
  for (const auto &[name, value] : logs)
    text += " - " + name + format(std::fabs(value) > 1e-3 || value == 0 ? ": %.4f" : ": %.4e", value);
  return text;
}

std::string timeOfStep(double seconds) {
  if (seconds >= 1 || seconds <= 0)
    return format("%.0fs/step", seconds);
  return seconds >= 1e-3 ? format("%.0fms/step", seconds * 1e3) : format("%.0fus/step", seconds * 1e6);
}

std::string barText(int64_t step, int64_t total, double seconds, double secondsOfStep, const Logs &logs,
                    bool isColoured) {
  constexpr int64_t kWidth = 20;
  std::string count = std::to_string(total), done = std::to_string(step);
  done = std::string(count.size() - std::min(count.size(), done.size()), ' ') + done + "/" + count;
  int64_t filled = total > 0 ? step * kWidth / total : kWidth;
  std::string bar, rest;
  for (int64_t i = 0; i < kWidth; ++i)
    (i < filled ? bar : rest) += "━";
  if (isColoured) {
    done = "\x1b[1m" + done + "\x1b[0m";
    bar = "\x1b[32m" + bar + "\x1b[0m\x1b[37m";
    rest += "\x1b[0m";
  }
  return done + " " + bar + rest + " " + duration(seconds) + " " + timeOfStep(secondsOfStep) + logsText(logs);
}

Progress::Progress(FILE *out, int verbose) : out(out), verbose(verbose), isTerminal(isatty(fileno(out))) {}

void Progress::begin(const std::string &title, int64_t count, int64_t done) {
  total = count;
  first = done;
  width = 0;
  started = drawn = Clock::now();
  if (verbose > 0 && !title.empty())
    std::fprintf(out, "%s\n", title.c_str());
  std::fflush(out);
}

bool Progress::isDue() const {
  return verbose == 1 && isTerminal && Clock::now() - drawn >= std::chrono::milliseconds(50);
}

void Progress::draw(int64_t step, const Logs &logs) {
  drawn = Clock::now();
  double passed = std::chrono::duration<double>(drawn - started).count();
  double ofStep = passed / static_cast<double>(std::max<int64_t>(1, step - first));
  std::string text =
      barText(step, total, step < total ? ofStep * static_cast<double>(total - step) : passed, ofStep, logs,
              /*isColoured=*/true);
  size_t old = width;
  width = text.size();
  text.append(old > width ? old - width : 0, ' '); // over what a longer line has left
  std::fprintf(out, "\r%s", text.c_str());
  std::fflush(out);
}

void Progress::end(const Logs &logs) {
  if (verbose == 0)
    return;
  if (verbose == 1 && isTerminal) {
    draw(total, logs);
    std::fputc('\n', out);
  } else {
    double passed = std::chrono::duration<double>(Clock::now() - started).count();
    double ofStep = passed / static_cast<double>(std::max<int64_t>(1, total - first));
    if (verbose == 1)
      std::fprintf(out, "%s\n", barText(total, total, passed, ofStep, logs, /*isColoured=*/false).c_str());
    else
      std::fprintf(out, "%lld/%lld - %s - %s%s\n", static_cast<long long>(total), static_cast<long long>(total),
                   duration(passed).c_str(), timeOfStep(ofStep).c_str(), logsText(logs).c_str());
  }
  std::fflush(out);
}

} // namespace mlc::train
