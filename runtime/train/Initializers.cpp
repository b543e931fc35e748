//===- Initializers.cpp - weights before the first step ----------------------------------------------------------===//
//
// Counter-based: element i takes word i of the Philox stream that the tensor's name chooses, and becomes a number of
// the distribution by the inverse of its cumulative function, so large tensors are filled by several threads with the
// same bits as by one. Orthogonal matrices are the Q of a Gaussian one: O(rows * columns * min(rows, columns)).
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Initializers.h"
#include "runtime/train/Philox.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <thread>

namespace mlc::train {

namespace {

/// FNV-1a, the stream of a name.
uint64_t hashOf(const std::string &text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text)
    hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

double polynomial(std::initializer_list<double> coefficients, double x) {
  double value = 0;
  for (double coefficient : coefficients)
    value = value * x + coefficient;
  return value;
}

/// The quantile of the normal distribution (Wichura: Algorithm AS 241, 1988), to about 1e-16.
double normalQuantile(double p) {
  double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q *
           polynomial({2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
                       13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608},
                      r) /
           polynomial({5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
                       5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0},
                      r);
  }
  double r = std::sqrt(-std::log(q < 0 ? p : 1 - p)), value;
  if (r <= 5)
    value =
        polynomial({7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
                    3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734},
                   r - 1.6) /
        polynomial({1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
                    0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0},
                   r - 1.6);
  else
    value = polynomial({2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
                        0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699,
                        6.6579046435011037772},
                       r - 5) /
            polynomial({2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
                        7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
                        0.59983220655588793769, 1.0},
                       r - 5);
  return q < 0 ? -value : value;
}

/// Draws `count` elements; `ofUnit` makes a number of the distribution from one in (0, 1).
template <typename Function>
void draw(uint64_t seed, uint64_t stream, uint64_t count, float *elements, Function ofUnit) {
  auto fill = [&](uint64_t begin, uint64_t end) { // in blocks of four
    for (uint64_t block = begin; block < end; ++block) {
      std::array<uint32_t, 4> words = philox(seed, stream, block);
      for (uint64_t i = 4 * block; i < std::min(count, 4 * block + 4); ++i)
        elements[i] = static_cast<float>(ofUnit(openUnit(words[i % 4])));
    }
  };
  uint64_t blocks = (count + 3) / 4;
  unsigned threads = count < (uint64_t(1) << 20) ? 1 : std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i)
    others.emplace_back(fill, blocks * i / threads, blocks * (i + 1) / threads);
  fill(0, blocks / threads);
  for (std::thread &other : others)
    other.join();
}

/// Orthonormal columns (rows, where there are fewer), by Householder reflections of a Gaussian matrix; the signs of R's
/// diagonal make Q uniform. All axes but the last are the rows, as in Keras.
void orthogonal(uint64_t seed, uint64_t stream, uint64_t rows, uint64_t columns, double gain, float *elements) {
  uint64_t m = std::max(rows, columns), n = std::min(rows, columns);
  std::vector<float> gaussian(m * n);
  draw(seed, stream, m * n, gaussian.data(), normalQuantile);
  // Columns are contiguous: a[j * m + i].
  std::vector<double> a(gaussian.begin(), gaussian.end()), scale(n), sign(n);
  for (uint64_t k = 0; k < n; ++k) {
    double *v = &a[k * m], norm = 0;
    for (uint64_t i = k; i < m; ++i)
      norm += v[i] * v[i];
    norm = std::sqrt(norm);
    double alpha = v[k] > 0 ? -norm : norm;
    sign[k] = alpha < 0 ? -1 : 1;
    v[k] -= alpha;
    double length = 0;
    for (uint64_t i = k; i < m; ++i)
      length += v[i] * v[i];
    scale[k] = length > 0 ? 2 / length : 0;
    for (uint64_t j = k + 1; j < n; ++j) {
      double *w = &a[j * m], dot = 0;
      for (uint64_t i = k; i < m; ++i)
        dot += v[i] * w[i];
      for (uint64_t i = k; i < m; ++i)
        w[i] -= scale[k] * dot * v[i];
    }
  }
  std::vector<double> q(m);
  for (uint64_t j = 0; j < n; ++j) {
    std::fill(q.begin(), q.end(), 0.0);
    q[j] = sign[j];
    for (uint64_t k = n; k-- > 0;) {
      const double *v = &a[k * m];
      double dot = 0;
      for (uint64_t i = k; i < m; ++i)
        dot += v[i] * q[i];
      for (uint64_t i = k; i < m; ++i)
        q[i] -= scale[k] * dot * v[i];
    }
    for (uint64_t i = 0; i < m; ++i)
      elements[rows >= columns ? i * columns + j : j * columns + i] = static_cast<float>(gain * q[i]);
  }
}

/// How the fan-scaled initializers scale.
struct FanScaled final {
  const char *kind;
  double scale;
  bool isOfBoth; ///< the mean of fan_in and fan_out instead of fan_in
  bool isUniform;
};
constexpr FanScaled kFanScaled[] = {{"glorot_uniform", 1, true, true}, {"glorot_normal", 1, true, false},
                                    {"he_uniform", 2, false, true},    {"he_normal", 2, false, false},
                                    {"lecun_uniform", 1, false, true}, {"lecun_normal", 1, false, false}};

/// The standard deviation of a normal distribution that is cut off at two.
constexpr double kTruncatedDeviation = 0.87962566103423978;

} // namespace

void initialize(const std::string &initializer, const std::string &name, uint64_t seed,
                const std::vector<int64_t> &sizes, float *elements) {
  nlohmann::json json = nlohmann::json::parse(initializer, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string())
    throw std::invalid_argument("'" + name + "': expected an initializer with a kind, but got '" + initializer + "'");
  std::string kind = json["kind"];
  auto number = [&](const char *key, double fallback) {
    if (!json.contains(key) || json[key].is_null())
      return fallback;
    if (!json[key].is_number())
      throw std::invalid_argument("'" + name + "': expected a number for '" + key + "' of the initializer " + kind +
                                  ", but got " + json[key].dump());
    return json[key].get<double>();
  };
  uint64_t count = 1;
  for (int64_t size : sizes)
    count *= static_cast<uint64_t>(size);
  uint64_t stream = hashOf(name);
  auto uniform = [&](double low, double high) {
    draw(seed, stream, count, elements, [=](double unit) { return low + (high - low) * unit; });
  };
  auto truncated = [&](double mean, double deviation) {
    const double below = 0.5 * std::erfc(std::sqrt(2.0)); // of what is cut off at one side
    draw(seed, stream, count, elements,
         [=](double unit) { return mean + deviation * normalQuantile(below + unit * (1 - 2 * below)); });
  };

  if (kind == "zeros" || kind == "ones" || kind == "constant") {
    std::fill_n(elements, count, static_cast<float>(kind == "ones" ? 1 : kind == "zeros" ? 0 : number("value", 0)));
  } else if (kind == "uniform") {
    uniform(number("low", -0.05), number("high", 0.05));
  } else if (kind == "normal") {
    double mean = number("mean", 0), deviation = number("stddev", 0.05);
    draw(seed, stream, count, elements, [=](double unit) { return mean + deviation * normalQuantile(unit); });
  } else if (kind == "truncated_normal") {
    truncated(number("mean", 0), number("stddev", 0.05));
  } else if (kind == "orthogonal" || kind == "identity") {
    if (sizes.size() < 2)
      throw std::invalid_argument("'" + name + "': expected at least two axes for the initializer " + kind +
                                  ", but got " + std::to_string(sizes.size()));
    uint64_t columns = static_cast<uint64_t>(sizes.back()), rows = columns ? count / columns : 0;
    if (kind == "orthogonal") {
      orthogonal(seed, stream, rows, columns, number("gain", 1), elements);
    } else {
      std::fill_n(elements, count, 0.0f);
      for (uint64_t i = 0; i < std::min(rows, columns); ++i)
        elements[i * columns + i] = static_cast<float>(number("gain", 1));
    }
  } else {
    auto found = std::find_if(std::begin(kFanScaled), std::end(kFanScaled),
                              [&](const FanScaled &each) { return kind == each.kind; });
    if (found == std::end(kFanScaled))
      throw std::invalid_argument("'" + name + "': unknown initializer '" + kind + "'");
    double in = number("fan_in", 0), out = number("fan_out", 0), fan = found->isOfBoth ? (in + out) / 2 : in;
    double variance = found->scale / std::max(1.0, fan);
    if (found->isUniform)
      uniform(-std::sqrt(3 * variance), std::sqrt(3 * variance));
    else
      truncated(0, std::sqrt(variance) / kTruncatedDeviation);
  }
}

} // namespace mlc::train
