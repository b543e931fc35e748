//===- Metrics.h - how good predictions are ---------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_METRICS_H
#define MLC_RUNTIME_TRAIN_METRICS_H

#include "runtime/train/Config.h"
#include "runtime/train/Dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace mlc::train {

/// Predictions and labels of a batch as numbers, `rows` by `width`: of classes, or of values.
struct Predictions final {
  int64_t rows = 0, width = 0;
  std::vector<float> scores;    ///< [rows, width]
  std::vector<int32_t> classes; ///< [rows], where labels are class numbers or one-hot
  std::vector<float> values;    ///< [rows, width], where they are values
  double threshold = 0.5;       ///< a score above it is positive, where there is one a row (0 for logits)
};

/// A metric over all samples since it was reset. What it keeps are sums, so they go into a checkpoint as they are.
class Metric {
public:
  virtual ~Metric() = default;
  virtual void add(const Predictions &predictions) = 0;
  virtual double value() const = 0;
  std::string name;
  std::vector<double> sums;
};

/// The loss and the metrics that a config asks for.
class Metrics final {
public:
  /// `outputs` names what the loss and the metrics look at, the program's first output; throws std::invalid_argument
  /// for a metric that is not known.
  Metrics(const Json &config, const Signature &signature);

  void reset();
  void add(double loss, int64_t samples, const Array &output, const Array &label);

  /// Names (loss first) and values since the reset, the loss as the mean over samples.
  std::vector<std::pair<std::string, double>> values() const;

  /// The rows of a confusion matrix, where one is asked for: actual classes by predicted ones.
  std::vector<std::vector<double>> confusion() const;

  Json save() const;
  void load(const Json &json);

private:
  Predictions predictionsOf(const Array &output, const Array &label) const;

  const Signature &signature;
  bool isLogits;
  double lossSum = 0, samples = 0;
  std::vector<std::unique_ptr<Metric>> metrics;
};

} // namespace mlc::train

#endif
