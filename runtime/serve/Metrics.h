//===- Metrics.h - what Prometheus reads --------------------------------------------------------------- -*- C++
//-*-===//
// Under TensorFlow Serving's names what is counted call by call, under Triton's what the versions' queues have summed
// up. A model's name is a label only once the model has been served, so that clients cannot make series.
#ifndef MLC_RUNTIME_SERVE_METRICS_H
#define MLC_RUNTIME_SERVE_METRICS_H

#include "runtime/serve/Registry.h"
#include "runtime/serve/Telemetry.h"

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

namespace mlc::serve {

/// Thread-safe.
class Metrics final {
public:
  Metrics();
  ~Metrics();

  /// `isLogged`: whether the call has a line in the access log.
  void count(const Call &call, std::chrono::nanoseconds duration, bool isLogged = false);
  /// Counts the warm-up of a version in `folder`.
  void countWarmUp(const std::string &folder, const WarmUpReport &report);

  /// TensorFlow Serving's metrics; those of batches are of the versions that are served now.
  std::vector<prometheus::MetricFamily> tensorFlow(const Registry &registry) const;
  /// Triton's, of the versions that are served now, and the process's own.
  std::vector<prometheus::MetricFamily> triton(const Registry &registry) const;

  /// The sums of all series of each metric, by name: of counters the values, of histograms how many there were.
  std::map<std::string, int64_t> totals(const Registry &registry) const;

  /// How long calls of a model took that ended well: how many up to each bound in µs, and the rest behind them.
  struct Latencies final {
    std::vector<double> bounds;
    std::vector<uint64_t> counts;
  };
  Latencies latencies(const std::string &model) const;

private:
  struct Families;
  struct Model;
  std::unique_ptr<Families> families;
};

/// "/tensorflow/serving/request_count", as TensorFlow calls a metric, is ":tensorflow:serving:request_count" here.
std::string prometheusName(std::string name);

/// Prometheus' text format.
std::string metricsText(const std::vector<prometheus::MetricFamily> &families);

/// The path of a MonitoringConfig file's `prometheus_config`; empty where it is not enabled. Throws Error.
std::string monitoringPath(const std::string &file);

} // namespace mlc::serve

#endif
