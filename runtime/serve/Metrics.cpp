//===- Metrics.cpp - what Prometheus reads -----------------------------------------------------------------------===//
#include "runtime/serve/Metrics.h"

#include "runtime/serve/ModelConfigs.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <shared_mutex>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>
#include <unordered_map>

namespace mlc::serve {

namespace {

using Bounds = prometheus::Histogram::BucketBoundaries;

Bounds exponential(double first, double factor, int count) {
  Bounds bounds;
  for (double bound = first; count > 0; --count, bound *= factor)
    bounds.push_back(bound);
  return bounds;
}

const Bounds &latencyBounds() {
  static const Bounds bounds = exponential(10, 1.8, 33);
  return bounds;
}

const Bounds &sampleBounds() {
  static const Bounds bounds = exponential(1, 2, 15);
  return bounds;
}

double micros(std::chrono::nanoseconds time) { return double(time.count()) / 1000; }

/// Whether a call runs a model; the others are not counted, as TensorFlow Serving does not.
bool runsModel(const std::string &api) {
  static constexpr std::string_view names[] = {"predict",    "classify", "regress",          "multiinference", "infer",
                                               "modelinfer", "explain",  "modelstreaminfer", "invocations"};
  return std::any_of(std::begin(names), std::end(names), [&](std::string_view name) {
    return std::equal(name.begin(), name.end(), api.begin(), api.end(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b | 0x20 : b); });
  });
}

/// Why a request failed, in Triton's words.
const char *reason(Code code) {
  switch (code) {
  case Code::cancelled:
    return "CANCELED";
  case Code::unavailable:
  case Code::resourceExhausted:
  case Code::deadlineExceeded:
    return "REJECTED";
  case Code::internal:
    return "BACKEND";
  default:
    return "OTHER";
  }
}

prometheus::ClientMetric sample(std::initializer_list<prometheus::ClientMetric::Label> labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = labels;
  metric.counter.value = metric.gauge.value = value; // the family's type says which is read
  return metric;
}

prometheus::MetricFamily family(const char *name, const char *help, prometheus::MetricType type) {
  return {name, help, type, {}};
}

/// A histogram of how many runs there were by a number of samples.
prometheus::ClientMetric::Histogram histogramOf(const std::map<int64_t, uint64_t> &runs) {
  prometheus::ClientMetric::Histogram histogram;
  for (double bound : sampleBounds())
    histogram.bucket.push_back({0, bound});
  histogram.bucket.push_back({0, std::numeric_limits<double>::infinity()});
  for (const auto &[samples, count] : runs) {
    histogram.sample_count += count;
    histogram.sample_sum += double(samples) * double(count);
    for (auto &bucket : histogram.bucket)
      if (double(samples) <= bucket.upper_bound)
        bucket.cumulative_count += count;
  }
  return histogram;
}

/// Resident memory, processor time and open files, under the names that Prometheus' own libraries use.
void appendProcess(std::vector<prometheus::MetricFamily> &families) {
  auto add = [&](const char *name, const char *help, prometheus::MetricType type, double value) {
    families.push_back(family(name, help, type));
    families.back().metric.push_back(sample({}, value));
  };
  std::ifstream statm("/proc/self/statm");
  double pages = 0, resident = 0;
  if (statm >> pages >> resident)
    add("process_resident_memory_bytes", "Resident memory", prometheus::MetricType::Gauge,
        resident * double(sysconf(_SC_PAGESIZE)));
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    auto seconds = [](const timeval &time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; };
    add("process_cpu_seconds_total", "Processor time of user and system", prometheus::MetricType::Counter,
        seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
}

} // namespace

/// What is counted of one model. Counters are added when they are first needed, under the families' lock.
struct Metrics::Model final {
  struct Series final {
    const char *entrypoint;
    std::string api;
    prometheus::Histogram *latency, *runtime;
  };
  std::array<std::atomic<prometheus::Counter *>, 17> byStatus{}, logged{};
  prometheus::Histogram *examples = nullptr, *queuing = nullptr, *batches = nullptr;
  prometheus::Counter *exampleTotal = nullptr;
  std::vector<Series> series;
  std::unordered_map<int64_t, std::array<prometheus::Counter *, 17>> failures; // by version
};

struct Metrics::Families final {
  prometheus::Registry tensorFlow, triton;
  prometheus::Family<prometheus::Counter> &requests, &exampleTotal, &failures, &logged, &warmUpRecords;
  prometheus::Family<prometheus::Histogram> &latency, &runtime, &examples, &queuing, &batches, &warmUps;

  mutable std::shared_mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<Model>> models;

  prometheus::Family<prometheus::Counter> &counter(const char *name) {
    return prometheus::BuildCounter().Name(name).Register(tensorFlow);
  }
  prometheus::Family<prometheus::Histogram> &histogram(const char *name) {
    return prometheus::BuildHistogram().Name(name).Register(tensorFlow);
  }

  Families()
      : requests(counter(":tensorflow:serving:request_count")),
        exampleTotal(counter(":tensorflow:serving:request_example_count_total")),
        failures(prometheus::BuildCounter()
                     .Name("nv_inference_request_failure")
                     .Help("Number of failed inference requests, all batch sizes")
                     .Register(triton)),
        logged(counter(":tensorflow:serving:request_log_count")),
        warmUpRecords(counter(":tensorflow:serving:model_warmup_records_read")),
        latency(histogram(":tensorflow:serving:request_latency")),
        runtime(histogram(":tensorflow:serving:runtime_latency")),
        examples(histogram(":tensorflow:serving:request_example_counts")),
        queuing(histogram(":tensorflow:serving:batching_session:queuing_latency")),
        batches(histogram(":tensorflow:serving:batching_session:input_batch_size")),
        warmUps(histogram(":tensorflow:serving:model_warmup_latency")) {}

  /// The model of a call, with all that its `count` reads; under the exclusive lock.
  Model &add(const std::string &name, const Call &call, bool isLogged) {
    std::unique_ptr<Model> &model = models[name];
    if (!model) {
      model = std::make_unique<Model>();
      model->examples = &examples.Add({{"model", name}}, sampleBounds());
      model->exampleTotal = &exampleTotal.Add({{"model", name}});
      model->queuing = &queuing.Add({{"model_name", name}}, latencyBounds());
      model->batches = &batches.Add({{"model_name", name}}, sampleBounds());
    }
    auto code = static_cast<size_t>(call.status.code);
    if (!model->byStatus[code].load(std::memory_order_relaxed))
      model->byStatus[code] = &requests.Add({{"model_name", name}, {"status", codeName(call.status.code)}});
    if (isLogged && !model->logged[code].load(std::memory_order_relaxed))
      model->logged[code] = &logged.Add({{"model_name", name}, {"status_code", codeName(call.status.code)}});
    if (call.status.ok()) {
      if (!find(*model, call))
        model->series.push_back(
            {call.entrypoint, call.api,
             &latency.Add({{"model_name", name}, {"API", call.api}, {"entrypoint", call.entrypoint}}, latencyBounds()),
             &runtime.Add({{"model_name", name}, {"API", call.api}, {"runtime", "mlc"}}, latencyBounds())});
    } else if (call.version >= 0) {
      auto &counters = model->failures[call.version];
      if (!counters[code])
        counters[code] = &failures.Add(
            {{"model", name}, {"version", std::to_string(call.version)}, {"reason", reason(call.status.code)}});
    }
    return *model;
  }

  static const Model::Series *find(const Model &model, const Call &call) {
    for (const Model::Series &series : model.series)
      if (series.api == call.api && std::string_view(series.entrypoint) == call.entrypoint)
        return &series;
    return nullptr;
  }

  /// Whether the model has all that this call is counted with.
  static bool complete(const Model &model, const Call &call, bool isLogged) {
    auto code = static_cast<size_t>(call.status.code);
    if (!model.byStatus[code].load(std::memory_order_relaxed) ||
        (isLogged && !model.logged[code].load(std::memory_order_relaxed)))
      return false;
    if (call.status.ok())
      return find(model, call);
    auto it = model.failures.find(call.version);
    return call.version < 0 || (it != model.failures.end() && it->second[code]);
  }

  static void count(Model &model, const Call &call, std::chrono::nanoseconds duration, bool isLogged) {
    auto code = static_cast<size_t>(call.status.code);
    model.byStatus[code].load(std::memory_order_relaxed)->Increment();
    if (isLogged)
      model.logged[code].load(std::memory_order_relaxed)->Increment();
    if (!call.status.ok()) {
      if (call.version >= 0)
        model.failures.at(call.version)[code]->Increment();
      return;
    }
    const Model::Series *series = find(model, call);
    series->latency->Observe(micros(duration));
    series->runtime->Observe(micros(call.timing.infer));
    model.examples->Observe(double(call.examples));
    model.exampleTotal->Increment(double(call.examples));
    model.queuing->Observe(micros(call.timing.queue));
    model.batches->Observe(double(call.examples));
  }
};

Metrics::Metrics() : families(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::count(const Call &call, std::chrono::nanoseconds duration, bool isLogged) {
  if (!runsModel(call.api))
    return;
  static const std::string unknown;
  {
    std::shared_lock lock(families->mutex);
    auto it = families->models.find(call.model);
    if (it == families->models.end() && call.version < 0)
      it = families->models.find(unknown);
    if (it != families->models.end() && Families::complete(*it->second, call, isLogged))
      return Families::count(*it->second, call, duration, isLogged);
  }
  std::unique_lock lock(families->mutex);
  bool known = call.version >= 0 || families->models.contains(call.model);
  Families::count(families->add(known ? call.model : unknown, call, isLogged), call, duration, isLogged);
}

void Metrics::countWarmUp(const std::string &folder, const WarmUpReport &report) {
  prometheus::Labels labels = {{"model_path", folder}, {"status", codeName(report.status.code)}};
  families->warmUps.Add(labels, latencyBounds()).Observe(micros(report.duration));
  families->warmUpRecords.Add(labels).Increment(report.records);
}

std::map<std::string, int64_t> Metrics::totals(const Registry &registry) const {
  std::map<std::string, int64_t> sums;
  for (const std::vector<prometheus::MetricFamily> &families : {tensorFlow(registry), triton(registry)})
    for (const prometheus::MetricFamily &family : families)
      for (const prometheus::ClientMetric &metric : family.metric)
        sums[family.name] += family.type == prometheus::MetricType::Histogram
                                 ? static_cast<int64_t>(metric.histogram.sample_count)
                                 : static_cast<int64_t>(metric.counter.value + metric.gauge.value);
  return sums;
}

std::vector<prometheus::MetricFamily> Metrics::tensorFlow(const Registry &registry) const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> all = families->tensorFlow.Collect();
  prometheus::MetricFamily runs =
      family(":tensorflow:serving:batching_session:wrapped_run_count", "", MetricType::Counter);
  prometheus::MetricFamily sizes =
      family(":tensorflow:serving:batching_session:processed_batch_size", "", MetricType::Histogram);
  prometheus::MetricFamily padding =
      family(":tensorflow:serving:batching_session:padding_size", "", MetricType::Histogram);
  for (const std::string &model : registry.models())
    for (const std::shared_ptr<Version> &version : registry.available(model)) {
      Statistics sums = version->statistics();
      std::string number = std::to_string(version->number);
      runs.metric.push_back(sample({{"model_name", model}, {"version", number}}, double(sums.executions)));
      sizes.metric.push_back(sample({{"model_name", model}, {"version", number}}, 0));
      std::map<int64_t, uint64_t> runsBySize;
      for (const auto &[size, times] : sums.batches)
        runsBySize[size] = times.second.count;
      sizes.metric.back().histogram = histogramOf(runsBySize);
      padding.metric.push_back(sample({{"model_name", model}, {"version", number}}, 0));
      padding.metric.back().histogram = histogramOf(sums.padding);
    }
  all.push_back(std::move(runs));
  all.push_back(std::move(sizes));
  all.push_back(std::move(padding));
  return all;
}

std::vector<prometheus::MetricFamily> Metrics::triton(const Registry &registry) const {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> all;
  struct Column final {
    const char *name, *help;
    MetricType type;
    double (*value)(const Statistics &, size_t waiting);
  };
  static constexpr Column columns[] = {
      {"nv_inference_request_success", "Number of successful inference requests, all batch sizes", MetricType::Counter,
       [](const Statistics &sums, size_t) { return double(sums.success.count); }},
      {"nv_inference_count", "Number of inferences performed (does not include cached requests)", MetricType::Counter,
       [](const Statistics &sums, size_t) { return double(sums.inferences); }},
      {"nv_inference_exec_count", "Number of model executions performed (does not include cached requests)",
       MetricType::Counter, [](const Statistics &sums, size_t) { return double(sums.executions); }},
      {"nv_inference_request_duration_us", "Cumulative inference request duration in microseconds", MetricType::Counter,
       [](const Statistics &sums, size_t) { return micros(sums.success.time); }},
      {"nv_inference_queue_duration_us", "Cumulative inference queuing duration in microseconds", MetricType::Counter,
       [](const Statistics &sums, size_t) { return micros(sums.queue.time); }},
      {"nv_inference_compute_input_duration_us", "Cumulative compute input duration in microseconds",
       MetricType::Counter, [](const Statistics &sums, size_t) { return micros(sums.input.time); }},
      {"nv_inference_compute_infer_duration_us", "Cumulative compute inference duration in microseconds",
       MetricType::Counter, [](const Statistics &sums, size_t) { return micros(sums.infer.time); }},
      {"nv_inference_compute_output_duration_us", "Cumulative inference compute output duration in microseconds",
       MetricType::Counter, [](const Statistics &sums, size_t) { return micros(sums.output.time); }},
      {"nv_inference_pending_request_count", "Instantaneous number of pending requests awaiting execution",
       MetricType::Gauge, [](const Statistics &, size_t waiting) { return double(waiting); }}};
  for (const Column &column : columns)
    all.push_back(family(column.name, column.help, column.type));
  for (const std::string &model : registry.models())
    for (const std::shared_ptr<Version> &version : registry.available(model)) {
      Statistics sums = version->statistics();
      size_t waiting = version->waiting();
      for (size_t i = 0; i < std::size(columns); ++i)
        all[i].metric.push_back(
            sample({{"model", model}, {"version", std::to_string(version->number)}}, columns[i].value(sums, waiting)));
    }
  std::vector<prometheus::MetricFamily> failures = families->triton.Collect();
  std::move(failures.begin(), failures.end(), std::back_inserter(all));
  appendProcess(all);
  return all;
}

Metrics::Latencies Metrics::latencies(const std::string &model) const {
  Latencies sum{latencyBounds(), std::vector<uint64_t>(latencyBounds().size() + 1)};
  std::shared_lock lock(families->mutex);
  auto it = families->models.find(model);
  if (it == families->models.end())
    return sum;
  for (const Model::Series &series : it->second->series) {
    std::vector<prometheus::ClientMetric::Bucket> buckets = series.latency->Collect().histogram.bucket;
    uint64_t below = 0;
    for (size_t i = 0; i < buckets.size(); ++i) {
      sum.counts[i] += buckets[i].cumulative_count - below;
      below = buckets[i].cumulative_count;
    }
  }
  return sum;
}

std::string prometheusName(std::string name) {
  std::replace(name.begin(), name.end(), '/', ':');
  return name;
}

std::string metricsText(const std::vector<prometheus::MetricFamily> &families) {
  std::ostringstream stream;
  prometheus::TextSerializer().Serialize(stream, families);
  return std::move(stream).str();
}

std::string monitoringPath(const std::string &file) {
  tensorflow::serving::MonitoringConfig config;
  readTextFile(file, config);
  const tensorflow::serving::PrometheusConfig &prometheus = config.prometheus_config();
  if (!prometheus.enable())
    return {};
  return prometheus.path().empty() ? "/monitoring/prometheus/metrics" : prometheus.path();
}

} // namespace mlc::serve
