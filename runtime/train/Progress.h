//===- Progress.h - what a terminal shows of a run --------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_PROGRESS_H
#define MLC_RUNTIME_TRAIN_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace mlc::train {

using Logs = std::vector<std::pair<std::string, double>>;

/// " - accuracy: 0.9100 - loss: 0.2000": sorted by name, four digits, or with an exponent below 1e-3.
std::string logsText(Logs logs);

/// "25ms/step".
std::string timeOfStep(double seconds);

/// `step` of `total` as Keras shows it: a bar of 20, green as far as it is done where the terminal has colours;
/// `seconds` are those left while it runs, those passed at the end.
std::string barText(int64_t step, int64_t total, double seconds, double secondsOfStep, const Logs &logs,
                    bool isColoured);

/// The line of an epoch: a bar that is drawn again at most every 50 ms on a terminal, one line at the end elsewhere.
class Progress final {
public:
  /// `verbose` is 0 (nothing), 1 (bar) or 2 (one line).
  Progress(FILE *out, int verbose);

  /// Begins a count to `total`, `done` of it before; `title` ("Epoch 1/5") stands above where it is not empty.
  void begin(const std::string &title, int64_t total, int64_t done);
  /// `step` is done; `logs` makes the numbers when the line is drawn.
  template <typename Function> void update(int64_t step, Function logs) {
    if (isDue())
      draw(step, logs());
  }
  /// The last line of the count.
  void end(const Logs &logs);

private:
  bool isDue() const;
  void draw(int64_t step, const Logs &logs);

  using Clock = std::chrono::steady_clock;
  FILE *out;
  int verbose;
  bool isTerminal;
  int64_t total = 0, first = 0;
  size_t width = 0;
  Clock::time_point started, drawn;
};

} // namespace mlc::train

#endif
