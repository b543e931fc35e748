//===- Metrics.cpp - how good predictions are --------------------------------------------------------------------===//
//
// Definitions are Keras's; the area under the curve takes its 200 thresholds and trapezoids. All sums are of whole
// numbers, or are added sample by sample in the order of the data, so they are the same bits however batches are cut
// among threads and processes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Metrics.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace mlc::train {

namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// The class that a row of scores says: the first largest, or whether the only one is above the threshold.
int32_t predictedClass(const Predictions &batch, int64_t row) {
  const float *scores = &batch.scores[static_cast<size_t>(row * batch.width)];
  if (batch.width == 1)
    return scores[0] > batch.threshold;
  return static_cast<int32_t>(std::max_element(scores, scores + batch.width) - scores);
}

/// The class that the label of a row says.
int32_t actualClass(const Predictions &batch, int64_t row) {
  if (!batch.classes.empty())
    return batch.classes[static_cast<size_t>(row)];
  const float *values = &batch.values[static_cast<size_t>(row * batch.width)];
  if (batch.width == 1)
    return values[0] > 0.5f;
  return static_cast<int32_t>(std::max_element(values, values + batch.width) - values);
}

/// What the label says of one score: 1 for the class of the row (or the value itself).
float labelOf(const Predictions &batch, int64_t row, int64_t column) {
  if (batch.classes.empty())
    return batch.values[static_cast<size_t>(row * batch.width + column)];
  int32_t actual = batch.classes[static_cast<size_t>(row)];
  return batch.width == 1 ? static_cast<float>(actual) : actual == column ? 1.0f : 0.0f;
}

/// hits / count
class Accuracy final : public Metric {
public:
  Accuracy() { sums.assign(2, 0); }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row)
      sums[0] += predictedClass(batch, row) == actualClass(batch, row);
    sums[1] += static_cast<double>(batch.rows);
  }
  double value() const override { return ratio(sums[0], sums[1]); }
};

/// The share of scores that are on the label's side of the threshold.
class BinaryAccuracy final : public Metric {
public:
  explicit BinaryAccuracy(double threshold) : threshold(threshold) { sums.assign(2, 0); }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row)
      for (int64_t i = 0; i < batch.width; ++i) {
        double score = batch.scores[static_cast<size_t>(row * batch.width + i)];
        if (batch.threshold == 0) // a logit
          score = 1 / (1 + std::exp(-score));
        sums[0] += (score > threshold) == (labelOf(batch, row, i) > 0.5f);
      }
    sums[1] += static_cast<double>(batch.rows * batch.width);
  }
  double value() const override { return ratio(sums[0], sums[1]); }

private:
  double threshold;
};

/// Whether fewer than k scores are above that of the label's class.
class TopK final : public Metric {
public:
  explicit TopK(int64_t k) : k(k) { sums.assign(2, 0); }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row) {
      const float *scores = &batch.scores[static_cast<size_t>(row * batch.width)];
      int32_t actual = actualClass(batch, row);
      bool isInside = actual < batch.width && std::isfinite(scores[actual]);
      sums[0] += isInside &&
                 std::count_if(scores, scores + batch.width, [&](float score) { return score > scores[actual]; }) < k;
    }
    sums[1] += static_cast<double>(batch.rows);
  }
  double value() const override { return ratio(sums[0], sums[1]); }

private:
  int64_t k;
};

/// Precision, recall and F1 from the counts of true positives, false positives and false negatives of each class.
class ClassCounts final : public Metric {
public:
  ClassCounts(std::string kind, std::string average, int64_t classes)
      : kind(std::move(kind)), average(std::move(average)), classes(classes) {
    sums.assign(static_cast<size_t>(3 * classes), 0);
  }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row) {
      int32_t predicted = predictedClass(batch, row), actual = actualClass(batch, row);
      if (predicted == actual) {
        ++at(actual, 0);
      } else {
        ++at(predicted, 1);
        ++at(actual, 2);
      }
    }
  }
  double value() const override {
    auto score = [&](double truePositives, double falsePositives, double falseNegatives) {
      if (kind == "precision")
        return ratio(truePositives, truePositives + falsePositives);
      if (kind == "recall")
        return ratio(truePositives, truePositives + falseNegatives);
      return ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives);
    };
    auto ofClass = [&](int64_t i) {
      auto counts = sums.begin() + 3 * i;
      return score(counts[0], counts[1], counts[2]);
    };
    if (average == "binary")
      return ofClass(1);
    double total[3] = {}, mean = 0;
    for (int64_t i = 0; i < classes; ++i) {
      mean += ofClass(i) / static_cast<double>(classes);
      for (int64_t j = 0; j < 3; ++j)
        total[j] += sums[static_cast<size_t>(3 * i + j)];
    }
    return average == "micro" ? score(total[0], total[1], total[2]) : mean;
  }

private:
  double &at(int64_t i, int64_t what) {
    return sums[static_cast<size_t>(3 * std::clamp<int64_t>(i, 0, classes - 1) + what)];
  }
  std::string kind, average;
  int64_t classes;
};

/// The area under the curve of true positives over false positives, at 200 thresholds; several scores a row are taken
/// together.
class Auc final : public Metric {
public:
  Auc() { sums.assign(2 * kThresholds, 0); }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row)
      for (int64_t i = 0; i < batch.width; ++i) {
        double score = batch.scores[static_cast<size_t>(row * batch.width + i)];
        if (batch.threshold == 0)
          score = 1 / (1 + std::exp(-score));
        // The number of thresholds below the score: 0 is at -1e-7, the last at 1 + 1e-7, the others between.
        double place = std::ceil(score * (kThresholds - 1));
        auto bucket = static_cast<size_t>(std::clamp(place, 1.0, kThresholds - 1.0) - 1);
        ++sums[(labelOf(batch, row, i) > 0.5f ? 0 : kThresholds) + bucket];
      }
  }
  double value() const override {
    double positives = 0, negatives = 0, area = 0, truePositives = 0;
    for (size_t i = 0; i < kThresholds; ++i) {
      positives += sums[i];
      negatives += sums[kThresholds + i];
    }
    for (size_t i = kThresholds; i-- > 0;) { // from the highest threshold down
      area += sums[kThresholds + i] * (truePositives + sums[i] / 2);
      truePositives += sums[i];
    }
    return ratio(area, positives * negatives);
  }

private:
  static constexpr size_t kThresholds = 200;
};

/// Means of squared or absolute differences, and R2 = 1 - sum (y - p)^2 / sum (y - mean y)^2.
class Regression final : public Metric {
public:
  explicit Regression(std::string kind) : kind(std::move(kind)) { sums.assign(5, 0); }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row)
      for (int64_t i = 0; i < batch.width; ++i) {
        double label = labelOf(batch, row, i);
        double difference = label - batch.scores[static_cast<size_t>(row * batch.width + i)];
        sums[0] += 1;
        sums[1] += difference * difference;
        sums[2] += std::fabs(difference);
        // Welford: the mean, and the sum of squares around it.
        double before = label - sums[3];
        sums[3] += before / sums[0];
        sums[4] += before * (label - sums[3]);
      }
  }
  double value() const override {
    if (kind == "r2")
      return sums[4] > 0 ? 1 - sums[1] / sums[4] : 0;
    return ratio(kind == "mse" ? sums[1] : sums[2], sums[0]);
  }

private:
  std::string kind;
};

/// Counts of (actual, predicted); as a number, its accuracy.
class ConfusionMatrix final : public Metric {
public:
  explicit ConfusionMatrix(int64_t classes) : classes(classes) {
    sums.assign(static_cast<size_t>(classes * classes), 0);
  }
  void add(const Predictions &batch) override {
    for (int64_t row = 0; row < batch.rows; ++row) {
      int64_t actual = std::clamp<int64_t>(actualClass(batch, row), 0, classes - 1),
              predicted = std::clamp<int64_t>(predictedClass(batch, row), 0, classes - 1);
      ++sums[static_cast<size_t>(actual * classes + predicted)];
    }
  }
  double value() const override {
    double hits = 0, all = 0;
    for (int64_t i = 0; i < classes * classes; ++i) {
      all += sums[static_cast<size_t>(i)];
      hits += i % (classes + 1) == 0 ? sums[static_cast<size_t>(i)] : 0;
    }
    return ratio(hits, all);
  }
  std::vector<std::vector<double>> rows() const {
    std::vector<std::vector<double>> result;
    for (int64_t i = 0; i < classes; ++i)
      result.emplace_back(sums.begin() + i * classes, sums.begin() + (i + 1) * classes);
    return result;
  }

private:
  int64_t classes;
};

std::unique_ptr<Metric> makeMetric(const Json &config, const Signature &signature) {
  std::string kind = config.is_string() ? config.get<std::string>() : config.at("kind").get<std::string>();
  Json numbers = config.is_object() ? config : Json::object();
  int64_t classes = std::max<int64_t>(2, signature.classes);
  std::unique_ptr<Metric> metric;
  std::string name = kind;
  if (kind == "accuracy") {
    metric = std::make_unique<Accuracy>();
  } else if (kind == "binary_accuracy") {
    metric = std::make_unique<BinaryAccuracy>(valueOf(numbers, "threshold", 0.5));
  } else if (kind == "top_k") {
    int64_t k = valueOf<int64_t>(numbers, "k", 5);
    name = "top_" + std::to_string(k);
    metric = std::make_unique<TopK>(k);
  } else if (kind == "precision" || kind == "recall" || kind == "f1") {
    std::string average = valueOf<std::string>(numbers, "average", classes == 2 ? "binary" : "macro");
    metric = std::make_unique<ClassCounts>(kind, average, classes);
  } else if (kind == "auc") {
    metric = std::make_unique<Auc>();
  } else if (kind == "mse" || kind == "mae" || kind == "r2") {
    metric = std::make_unique<Regression>(kind);
  } else if (kind == "confusion_matrix") {
    metric = std::make_unique<ConfusionMatrix>(classes);
  } else {
    throw std::invalid_argument("unknown metric '" + kind + "'");
  }
  metric->name = valueOf(numbers, "name", name);
  return metric;
}

} // namespace

Metrics::Metrics(const Json &config, const Signature &signature) : signature(signature) {
  Json loss = objectOf(config, "loss");
  std::string kind = valueOf<std::string>(loss, "kind", "");
  isLogits = valueOf(loss, "from_logits", false) || kind == "sigmoid_cross_entropy" || kind == "softmax_cross_entropy";
  for (const Json &metric : config.value("metrics", Json::array()))
    metrics.push_back(makeMetric(metric, signature));
}

void Metrics::reset() {
  lossSum = samples = 0;
  for (auto &metric : metrics)
    std::fill(metric->sums.begin(), metric->sums.end(), 0.0);
}

Predictions Metrics::predictionsOf(const Array &output, const Array &label) const {
  Predictions predictions;
  int64_t scores = output.count(), labels = label.count();
  predictions.width = output.sizes.empty() ? 1 : output.sizes.back();
  // Class numbers stand for a last axis; without one, each number of the output is a row.
  if (output.sizes.size() == 1 || predictions.width == 0)
    predictions.width = 1;
  predictions.rows = scores / predictions.width;
  predictions.threshold = isLogits ? 0 : 0.5;
  predictions.scores.resize(static_cast<size_t>(scores));
  convertElements(output.dtype, output.data, MLC_F32, predictions.scores.data(), scores);
  if (labels == scores && (signature.form != LabelForm::Classes || predictions.width == 1)) {
    predictions.values.resize(static_cast<size_t>(labels));
    convertElements(label.dtype, label.data, MLC_F32, predictions.values.data(), labels);
    return predictions;
  }
  if (labels != predictions.rows)
    throw std::logic_error("expected a label for each of " + std::to_string(predictions.rows) +
                           " rows of predictions, but got " + std::to_string(labels));
  predictions.classes.resize(static_cast<size_t>(labels));
  convertElements(label.dtype, label.data, MLC_I32, predictions.classes.data(), labels);
  return predictions;
}

void Metrics::add(double loss, int64_t count, const Array &output, const Array &label) {
  lossSum += loss * static_cast<double>(count);
  samples += static_cast<double>(count);
  if (metrics.empty())
    return;
  Predictions predictions = predictionsOf(output, label);
  for (auto &metric : metrics)
    metric->add(predictions);
}

std::vector<std::pair<std::string, double>> Metrics::values() const {
  std::vector<std::pair<std::string, double>> result{{"loss", ratio(lossSum, samples)}};
  for (const auto &metric : metrics)
    result.emplace_back(metric->name, metric->value());
  return result;
}

std::vector<std::vector<double>> Metrics::confusion() const {
  for (const auto &metric : metrics)
    if (const auto *matrix = dynamic_cast<const ConfusionMatrix *>(metric.get()))
      return matrix->rows();
  return {};
}

Json Metrics::save() const {
  Json json = {{"loss", exactly(lossSum)}, {"samples", exactly(samples)}, {"metrics", Json::array()}};
  for (const auto &metric : metrics) {
    Json sums = Json::array();
    for (double sum : metric->sums)
      sums.push_back(exactly(sum));
    json["metrics"].push_back(std::move(sums));
  }
  return json;
}

void Metrics::load(const Json &json) {
  lossSum = exactly(json.at("loss"));
  samples = exactly(json.at("samples"));
  for (size_t i = 0; i < metrics.size(); ++i)
    for (size_t k = 0; k < metrics[i]->sums.size(); ++k)
      metrics[i]->sums[k] = exactly(json.at("metrics").at(i).at(k));
}

} // namespace mlc::train
