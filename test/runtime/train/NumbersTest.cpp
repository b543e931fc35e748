//===- NumbersTest.cpp - initializers, orders, schedules, metrics, early stopping --------------------------------===//
#include "Scratch.h"
#include "runtime/train/EarlyStopping.h"
#include "runtime/train/Initializers.h"
#include "runtime/train/Metrics.h"
#include "runtime/train/Permutation.h"
#include "runtime/train/Progress.h"
#include "runtime/train/Schedule.h"
#include "runtime/train/TensorBoard.h"
#include "runtime/train/TfRecord.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

using namespace mlc::train;

namespace {

std::vector<float> drawn(const std::string &initializer, std::vector<int64_t> sizes, const std::string &name = "w",
                         uint64_t seed = 0) {
  std::vector<float> elements(
      static_cast<size_t>(std::accumulate(sizes.begin(), sizes.end(), int64_t(1), std::multiplies<>())));
  initialize(initializer, name, seed, sizes, elements.data());
  return elements;
}

void expectMoments(const std::vector<float> &elements, double mean, double deviation, double most) {
  double sum = 0, squares = 0, largest = 0;
  for (float element : elements) {
    sum += element;
    squares += double(element) * element;
    largest = std::max(largest, std::fabs(double(element)));
  }
  double count = static_cast<double>(elements.size());
  EXPECT_NEAR(sum / count, mean, 4 * deviation / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean), deviation, 0.01 * deviation);
  EXPECT_LE(largest, most);
}

TEST(Philox, KnownAnswers) { // of Random123's kat_vectors
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Initializers, HaveTheMomentsOfTheirDistributions) {
  const std::string fans = R"(, "fan_in": 300, "fan_out": 100})";
  std::vector<int64_t> sizes{1000, 300};
  double limit = std::sqrt(3.0 / 200);
  expectMoments(drawn(R"({"kind": "glorot_uniform")" + fans, sizes), 0, limit / std::sqrt(3.0), limit);
  expectMoments(drawn(R"({"kind": "he_uniform")" + fans, sizes), 0, std::sqrt(2.0 / 300), std::sqrt(6.0 / 300));
  expectMoments(drawn(R"({"kind": "glorot_normal")" + fans, sizes), 0, std::sqrt(1.0 / 200),
                2 * std::sqrt(1.0 / 200) / 0.8796);
  expectMoments(drawn(R"({"kind": "lecun_normal")" + fans, sizes), 0, std::sqrt(1.0 / 300),
                2 * std::sqrt(1.0 / 300) / 0.8796);
  expectMoments(drawn(R"({"kind": "normal", "mean": 3, "stddev": 2})", sizes), 3, 2, 3 + 2 * 6.5);
  expectMoments(drawn(R"({"kind": "uniform", "low": -1, "high": 1})", sizes), 0, std::sqrt(1.0 / 3), 1);
  EXPECT_EQ(drawn(R"({"kind": "constant", "value": 7})", {2}), (std::vector<float>{7, 7}));
  EXPECT_EQ(drawn(R"({"kind": "identity"})", {2, 3}), (std::vector<float>{1, 0, 0, 0, 1, 0}));
}

TEST(Initializers, QuantilesInvertTheNormalDistribution) {
  // The share of elements below a bound is what the error function says, in the tails too.
  std::vector<float> elements = drawn(R"({"kind": "normal", "stddev": 1})", {1000, 1000});
  for (double bound : {-3.5, -2.0, -0.7, 0.0, 0.5, 1.5, 3.0}) {
    double expected = 0.5 * std::erfc(-bound / std::sqrt(2.0));
    double below =
        static_cast<double>(std::count_if(elements.begin(), elements.end(), [&](float x) { return x < bound; }));
    EXPECT_NEAR(below / 1e6, expected, 5 * std::sqrt(expected * (1 - expected) / 1e6)) << bound;
  }
}

TEST(Initializers, DependOnSeedNameAndPlaceAlone) {
  const std::string uniform = R"({"kind": "uniform"})";
  std::vector<float> small = drawn(uniform, {10}), large = drawn(uniform, {3000000});
  EXPECT_TRUE(std::equal(small.begin(), small.end(), large.begin()));
  EXPECT_NE(drawn(uniform, {10}), drawn(uniform, {10}, "v"));
  EXPECT_NE(drawn(uniform, {10}), drawn(uniform, {10}, "w", 1));
  EXPECT_EQ(messageOf([&] { drawn(R"({"kind": "xavier"})", {1}); }), "'w': unknown initializer 'xavier'");
  EXPECT_EQ(messageOf([&] { drawn(R"({"kind": "orthogonal"})", {1}); }),
            "'w': expected at least two axes for the initializer orthogonal, but got 1");
}

TEST(Initializers, OrthogonalRowsOrColumns) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{20, 8}, {8, 20}, {9, 9}}) {
    std::vector<float> q = drawn(R"({"kind": "orthogonal", "gain": 2})", {rows, columns});
    int64_t n = std::min(rows, columns), m = std::max(rows, columns);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < m; ++k)
          dot += rows >= columns ? double(q[k * columns + i]) * q[k * columns + j]
                                 : double(q[i * columns + k]) * q[j * columns + k];
        EXPECT_NEAR(dot, i == j ? 4 : 0, 1e-5);
      }
  }
}

TEST(Permutation, IsOneForEveryCount) {
  for (uint64_t count : {1u, 2u, 3u, 5u, 16u, 17u, 1000u, 4097u}) {
    Permutation order(count, 42, 3);
    std::vector<bool> seen(count);
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_LT(order(i), count);
      EXPECT_FALSE(seen[order(i)]);
      seen[order(i)] = true;
    }
  }
  Permutation first(1000, 1, 0), second(1000, 1, 1);
  int equal = 0, near = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    equal += first(i) == second(i);
    near += first(i) + 1 == first((i + 1) % 1000);
  }
  EXPECT_LT(equal, 12);
  EXPECT_LT(near, 12);
}

double rate(const char *config, int64_t step) { return Schedule(Json::parse(config), 0.1).at(step); }

TEST(Schedule, FollowsTheFormulas) {
  EXPECT_DOUBLE_EQ(rate("{}", 7), 0.1);
  EXPECT_DOUBLE_EQ(rate(R"({"kind": "exponential", "decay_steps": 10, "decay_rate": 0.5})", 5), 0.1 * std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(rate(R"({"kind": "exponential", "decay_steps": 10, "decay_rate": 0.5, "staircase": true})", 19),
                   0.05);
  EXPECT_DOUBLE_EQ(rate(R"({"kind": "inverse_time", "decay_steps": 10, "decay_rate": 0.5})", 10), 0.1 / 1.5);
  const char *piecewise = R"({"kind": "piecewise", "boundaries": [10, 20], "values": [1, 0.5, 0.1]})";
  EXPECT_EQ(rate(piecewise, 10), 1);
  EXPECT_EQ(rate(piecewise, 11), 0.5);
  EXPECT_EQ(rate(piecewise, 99), 0.1);
  const char *polynomial = R"({"kind": "polynomial", "decay_steps": 10, "end_learning_rate": 0.02, "power": 2})";
  EXPECT_DOUBLE_EQ(rate(polynomial, 5), 0.08 * 0.25 + 0.02);
  EXPECT_DOUBLE_EQ(rate(polynomial, 50), 0.02);
  EXPECT_DOUBLE_EQ(rate(R"({"kind": "polynomial", "decay_steps": 10, "end_learning_rate": 0.02, "cycle": true})", 15),
                   0.08 * 0.25 + 0.02);
  const char *cosine =
      R"({"kind": "cosine", "decay_steps": 100, "alpha": 0.1, "warmup_steps": 10, "warmup_target": 0.3})";
  EXPECT_DOUBLE_EQ(rate(cosine, 5), 0.2);
  EXPECT_DOUBLE_EQ(rate(cosine, 60), 0.3 * (0.9 * 0.5 + 0.1));
  EXPECT_NEAR(rate(cosine, 110), 0.03, 1e-15);
  const char *restarts = R"({"kind": "cosine_restarts", "first_decay_steps": 10, "t_mul": 2, "m_mul": 0.5})";
  EXPECT_DOUBLE_EQ(rate(restarts, 10), 0.05);
  EXPECT_DOUBLE_EQ(rate(restarts, 20), 0.025);
  const char *oneCycle = R"({"kind": "one_cycle", "max_learning_rate": 1, "total_steps": 101, "pct_start": 0.2})";
  EXPECT_NEAR(rate(oneCycle, 0), 1.0 / 25, 1e-15);
  EXPECT_NEAR(rate(oneCycle, 19), 1, 1e-2);
  EXPECT_NEAR(rate(oneCycle, 100), 1.0 / 25 / 1e4, 1e-12);
  EXPECT_EQ(messageOf([] { Schedule(Json::parse(R"({"kind": "magic"})"), 1); }), "unknown schedule 'magic'");
}

TEST(Schedule, ReducesOnAPlateauAndKeepsItsState) {
  Json config = Json::parse(
      R"({"kind": "reduce_on_plateau", "monitor": "loss", "factor": 0.5, "patience": 2, "cooldown": 1, "min_learning_rate": 0.03})");
  Schedule schedule(config, 0.1);
  std::vector<double> rates;
  for (int epoch = 0; epoch < 9; ++epoch) {
    schedule.endEpoch({{"loss", 1.0}});
    rates.push_back(schedule.at(0));
    Schedule other(config, 0.1);
    other.load(Json::parse(schedule.save().dump()));
    schedule = other;
  }
  // The first epoch is the best; two more halve the rate, then one cools down, as Keras counts.
  EXPECT_EQ(rates, (std::vector<double>{0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03}));
}

int64_t classSizes[] = {-1}, valueSizes[] = {-1, 1};
int32_t noSymbols[] = {-1, -1};

Signature classSignature(int64_t classes) {
  Signature signature;
  signature.label = {"label", classSizes, noSymbols, MLC_I32, 1};
  signature.form = LabelForm::Classes;
  signature.classes = classes;
  return signature;
}

double valueOf(const Metrics &metrics, const std::string &name) {
  for (const auto &[each, value] : metrics.values())
    if (each == name)
      return value;
  return NAN;
}

TEST(Metrics, OfClassesAgainstNumbersByHand) {
  Signature signature = classSignature(3);
  Json config =
      Json::parse(R"({"metrics": ["accuracy", {"kind": "top_k", "k": 2}, {"kind": "precision", "average": "macro"},
      {"kind": "recall", "average": "macro"}, {"kind": "f1", "average": "macro"}, {"kind": "f1", "average": "micro", "name": "micro"}, "confusion_matrix"]})");
  Metrics metrics(config, signature);
  // Labels 0 0 1 2, predictions 0 1 1 0.
  metrics.add(0.5, 4, arrayOf<float>(MLC_F32, {4, 3}, {.7f, .2f, .1f, .3f, .6f, .1f, .1f, .8f, .1f, .5f, .2f, .3f}),
              arrayOf<int32_t>(MLC_I32, {4}, {0, 0, 1, 2}));
  EXPECT_DOUBLE_EQ(valueOf(metrics, "loss"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "top_2"), 1);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "precision"), (0.5 + 0.5 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "recall"), (0.5 + 1 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "f1"), (0.5 + 2.0 / 3 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "micro"), 0.5);
  EXPECT_EQ(metrics.confusion(), (std::vector<std::vector<double>>{{1, 1, 0}, {0, 1, 0}, {1, 0, 0}}));
  Metrics other(config, signature);
  other.load(Json::parse(metrics.save().dump()));
  EXPECT_EQ(other.values(), metrics.values());
  metrics.reset();
  EXPECT_EQ(valueOf(metrics, "accuracy"), 0);
  EXPECT_EQ(messageOf([&] { Metrics(Json::parse(R"({"metrics": ["taste"]})"), signature); }), "unknown metric 'taste'");
}

TEST(Metrics, OfValuesAgainstNumbersByHand) {
  Signature signature;
  signature.label = {"label", valueSizes, noSymbols, MLC_F32, 2};
  Metrics metrics(Json::parse(R"({"metrics": ["mse", "mae", "r2"]})"), signature);
  // Labels 1 2 3 4, predictions 1 2 3 6; the mean of the labels is 2.5, their squares around it are 5.
  for (int half = 0; half < 2; ++half)
    metrics.add(half, 2, arrayOf<float>(MLC_F32, {2, 1}, half ? std::vector<float>{3, 6} : std::vector<float>{1, 2}),
                arrayOf<float>(MLC_F32, {2, 1}, half ? std::vector<float>{3, 4} : std::vector<float>{1, 2}));
  EXPECT_DOUBLE_EQ(valueOf(metrics, "loss"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "mse"), 1);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "mae"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "r2"), 1 - 4.0 / 5);
}

TEST(Metrics, OfTwoClassesWithOneScore) {
  Signature signature;
  signature.label = {"label", valueSizes, noSymbols, MLC_F32, 2};
  Json config = Json::parse(
      R"({"metrics": ["accuracy", {"kind": "binary_accuracy", "threshold": 0.7}, "auc", "precision", "recall"]})");
  Array scores = arrayOf<float>(MLC_F32, {4, 1}, {.1f, .6f, .35f, .8f}),
        labels = arrayOf<float>(MLC_F32, {4, 1}, {0, 0, 1, 1});
  Metrics metrics(config, signature);
  metrics.add(0, 4, scores, labels);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "binary_accuracy"), 0.75);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "auc"), 0.75); // 3 of 4 pairs are in order
  EXPECT_DOUBLE_EQ(valueOf(metrics, "precision"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(metrics, "recall"), 0.5);
  // The same scores as logits.
  config["loss"] = {{"kind", "binary_crossentropy"}, {"from_logits", true}};
  std::vector<float> logits;
  for (float score : {.1f, .6f, .35f, .8f})
    logits.push_back(std::log(score / (1 - score)));
  Metrics ofLogits(config, signature);
  ofLogits.add(0, 4, arrayOf<float>(MLC_F32, {4, 1}, logits), labels);
  EXPECT_EQ(ofLogits.values(), metrics.values());
}

/// The epoch after which training stops, or the number of values.
size_t stopsAfter(const char *config, const std::vector<double> &values) {
  EarlyStopping watch(Json::parse(config), true, true);
  for (size_t i = 0; i < values.size(); ++i) {
    if (watch.endEpoch(static_cast<int64_t>(i), {{"val_loss", values[i]}, {"val_accuracy", values[i]}}))
      return i;
    EarlyStopping other(Json::parse(config), true, true);
    other.load(Json::parse(watch.save().dump()));
    watch = other;
  }
  return values.size();
}

TEST(EarlyStopping, FollowsEveryKey) {
  EXPECT_EQ(stopsAfter(R"({"patience": 2})", {3, 2, 2.5, 2.4, 1}), 3u);
  EXPECT_EQ(stopsAfter(R"({"patience": 0})", {3, 2, 2, 1}), 2u);
  EXPECT_EQ(stopsAfter(R"({"patience": 1, "min_delta": 0.5})", {3, 2.6, 1}), 1u);
  EXPECT_EQ(stopsAfter(R"({"monitor": "val_accuracy", "patience": 1})", {.1, .2, .3, .3, .4}), 3u);
  EXPECT_EQ(stopsAfter(R"({"mode": "max", "patience": 1})", {3, 4, 3, 9}), 2u);
  EXPECT_EQ(stopsAfter(R"({"patience": 1, "baseline": 1.0})", {3, 2, 2.5, 0.5}), 2u);
  EXPECT_EQ(stopsAfter(R"({"patience": 1, "start_from_epoch": 3})", {1, 2, 3, 4, 5, 6}), 4u);
  EXPECT_EQ(stopsAfter(R"({"patience": 9})", {3, NAN, 1}), 1u);
  EXPECT_EQ(stopsAfter(R"({"patience": 9, "check_finite": false})", {3, NAN, 1}), 3u);
  EXPECT_EQ(stopsAfter(R"({"patience": 9, "stopping_threshold": 1.5})", {3, 2, 1, 0}), 2u);
  EXPECT_EQ(stopsAfter(R"({"patience": 9, "divergence_threshold": 5})", {3, 2, 6, 1}), 2u);
}

TEST(Progress, LooksLikeKeras) {
  EXPECT_EQ(barText(12, 100, 3, 0.025, {{"loss", 0.2}, {"accuracy", 0.91}}, false),
            " 12/100 ━━━━━━━━━━━━━━━━━━━━ 3s 25ms/step - accuracy: 0.9100 - loss: 0.2000");
  EXPECT_EQ(barText(100, 100, 75, 2, {}, false), "100/100 ━━━━━━━━━━━━━━━━━━━━ 1:15 2s/step");
  EXPECT_EQ(barText(1, 2, 3700, 5e-5, {}, true),
            "\x1b[1m1/2\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━\x1b[0m 1:01:40 50us/step");
  EXPECT_EQ(logsText({{"loss", 4.25e-4}, {"mse", 0}}), " - loss: 4.2500e-04 - mse: 0.0000");
}

TEST(Progress, WritesPlainLinesToAPipe) {
  Scratch scratch;
  for (int verbose : {0, 1, 2}) {
    FILE *file = std::fopen((scratch / "out").c_str(), "w");
    {
      Progress progress(file, verbose);
      progress.begin("Epoch 1/2", 4, 0);
      for (int i = 1; i <= 4; ++i)
        progress.update(i, [] { return Logs{{"loss", 1.0}}; });
      progress.end({{"loss", 0.5}});
    }
    std::fclose(file);
    std::string text = readFile(scratch / "out");
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.rfind(verbose == 0   ? ""
                         : verbose == 1 ? "Epoch 1/2\n4/4 ━"
                                        : "Epoch 1/2\n4/4 - 0s - ",
                         0),
              0u)
        << text;
    EXPECT_EQ(verbose > 0, text.find(" - loss: 0.5000\n") != std::string::npos);
  }
}

TEST(TensorBoard, FramesRecords) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  std::string record = tfRecord("abc");
  ASSERT_EQ(record.size(), 8u + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  uint32_t masked;
  std::memcpy(&masked, &record[15], 4);
  uint32_t crc = masked - 0xa282ead8u;
  EXPECT_EQ(crc >> 17 | crc << 15, crc32c("abc"));
  Scratch scratch;
  {
    TensorBoard(scratch / "tb").scalar("epoch_loss", 3, 0.5);
  }
  std::string events;
  for (const auto &entry : std::filesystem::directory_iterator(scratch / "tb"))
    events = readFile(entry.path());
  // Event{wall_time, file_version}, then Event{wall_time, step = 3, summary{value{tag, simple_value}}}
  EXPECT_EQ(events.substr(12, 1), "\x09");
  EXPECT_EQ(events.substr(21, 15), "\x1a\x0d"
                                   "brain.Event:2");
  EXPECT_NE(
      events.find(std::string("\x10\x03\x2a\x13\x0a\x11\x0a\x0a") + "epoch_loss" + std::string("\x15\0\0\0\x3f", 5)),
      std::string::npos);
}

} // namespace
