//===- Explanation.cpp - which parts of an input a prediction comes from -----------------------------------------===//
#include "runtime/serve/Explanation.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <map>
#include <numbers>
#include <numeric>
#include <utility>

namespace mlc::serve {

namespace {

constexpr size_t mostWaiting = 64;
/// Samples of a run of gradients, where the model takes any number.
constexpr int64_t samplesOfRun = 32;

bool isFloat(mlc_dtype dtype) { return dtype == MLC_F32 || dtype == MLC_F64 || dtype == MLC_F16 || dtype == MLC_BF16; }

/// Points and weights of Gauss-Legendre's rule on [0, 1]: roots of the Legendre polynomial by Newton's method.
std::vector<std::pair<double, double>> gaussLegendre(int count) {
  std::vector<std::pair<double, double>> rule(count);
  for (int i = 0; i < count; ++i) {
    double x = std::cos(std::numbers::pi * (i + 0.75) / (count + 0.5)), slope = 1;
    for (int iteration = 0; iteration < 100; ++iteration) {
      double before = 1, value = x;
      for (int k = 2; k <= count; ++k)
        before = std::exchange(value, ((2 * k - 1) * x * value - (k - 1) * before) / k);
      slope = count * (x * value - before) / (x * x - 1);
      double move = value / slope;
      x -= move;
      if (std::abs(move) < 1e-15)
        break;
    }
    rule[i] = {(1 - x) / 2, 1 / ((1 - x * x) * slope * slope)};
  }
  return rule;
}

/// An input as the explanation works with it.
struct Input final {
  Tensor tensor;
  std::vector<double> value, baseline, sum; // of floats only; `sum` of the gradients
};

std::vector<double> toDoubles(const Tensor &tensor) {
  std::vector<double> values(tensor.bytes / elementSize(tensor.dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte *at = static_cast<const std::byte *>(tensor.data) + i * elementSize(tensor.dtype);
    if (tensor.dtype == MLC_F32) {
      float value;
      std::memcpy(&value, at, sizeof value);
      values[i] = value;
    } else {
      std::memcpy(&values[i], at, sizeof(double));
    }
  }
  return values;
}

/// Writes `value` as an element of the tensor.
void put(std::byte *data, size_t index, mlc_dtype dtype, double value) {
  if (dtype == MLC_F32) {
    float narrow = static_cast<float>(value);
    std::memcpy(data + index * sizeof narrow, &narrow, sizeof narrow);
  } else {
    std::memcpy(data + index * sizeof value, &value, sizeof value);
  }
}

class Explaining final {
public:
  Explaining(Version &version, const ExplanationRequest &request) : version(version), request(request) {
    if (!version.hasGradient())
      throw Error(Code::unimplemented,
                  "model '" + version.model + "' has no gradients; compile it with --with-gradient");
    if (request.steps < 1 || request.steps > 1000)
      throw Error(Code::invalidArgument, "expected 1 to 1000 steps, but got " + std::to_string(request.steps));
    chooseOutput();
    for (const Tensor &tensor : request.inputs)
      addInput(tensor);
    if (inputs.empty())
      throw Error(Code::invalidArgument, "the request has no inputs");
    rows = inputs.front().tensor.sizes.empty() ? 1 : inputs.front().tensor.sizes[0];
    addBaselines();
  }

  Explanation run() {
    std::vector<double> at = outputs(false);
    chooseTargets(at);
    Explanation result;
    result.targets = targets;
    bool isSaliency = request.method == ExplanationMethod::saliency;
    if (isSaliency) {
      addGradients({{1, 1}});
    } else {
      std::vector<std::pair<double, double>> rule = gaussLegendre(request.steps);
      size_t perRun =
          version.signature().batchable() ? std::max<int64_t>(1, samplesOfRun / std::max<int64_t>(rows, 1)) : 1;
      for (size_t begin = 0; begin < rule.size(); begin += perRun)
        addGradients({rule.begin() + begin, rule.begin() + std::min(rule.size(), begin + perRun)});
      std::vector<double> from = outputs(true);
      for (int64_t row = 0; row < rows; ++row)
        result.convergenceDelta.push_back(from[index(row)] - at[index(row)]);
    }
    for (Input &input : inputs) {
      if (!isFloat(input.tensor.dtype))
        continue;
      Tensor attribution = input.tensor;
      std::vector<std::byte> &data = result.storage.emplace_back(attribution.bytes);
      size_t sample = input.value.size() / std::max<int64_t>(rows, 1);
      for (size_t i = 0; i < input.value.size(); ++i) {
        double value = isSaliency ? std::abs(input.sum[i]) : input.sum[i] * (input.value[i] - input.baseline[i]);
        put(data.data(), i, attribution.dtype, value);
        if (!isSaliency)
          result.convergenceDelta[i / sample] += value;
      }
      attribution.data = data.data();
      result.attributions.push_back(std::move(attribution));
    }
    return result;
  }

private:
  void chooseOutput() {
    for (const TensorInfo &info : version.signature().outputs)
      if (request.output.empty() ? isFloat(info.dtype) : info.name == request.output) {
        output = &info;
        break;
      }
    if (!output)
      throw Error(Code::invalidArgument, "the model has no output '" + request.output + "' to explain");
    if (output->dtype != MLC_F32 && output->dtype != MLC_F64)
      throw Error(Code::unimplemented, "output '" + output->name + "': expected float or double, but got " +
                                           tensorFlowShortName(output->dtype));
  }

  void addInput(const Tensor &tensor) {
    Input input{tensor, {}, {}, {}};
    if (isFloat(tensor.dtype)) {
      if (tensor.dtype != MLC_F32 && tensor.dtype != MLC_F64)
        throw Error(Code::unimplemented, "input '" + tensor.name + "': expected float or double, but got " +
                                             tensorFlowShortName(tensor.dtype));
      input.value = toDoubles(tensor);
      input.baseline.assign(input.value.size(), 0);
      input.sum.assign(input.value.size(), 0);
    }
    inputs.push_back(std::move(input));
  }

  void addBaselines() {
    for (const Tensor &baseline : request.baselines) {
      auto it = std::find_if(inputs.begin(), inputs.end(),
                             [&](const Input &input) { return input.tensor.name == baseline.name; });
      if (it == inputs.end() || it->value.empty())
        throw Error(Code::invalidArgument, "the model has no input of floats '" + baseline.name + "' for a baseline");
      if (baseline.dtype != it->tensor.dtype)
        throw Error(Code::invalidArgument, "baseline '" + baseline.name + "': expected the type of the input");
      std::vector<double> values = toDoubles(baseline);
      if (values.empty() || it->value.size() % values.size() != 0 ||
          (values.size() != it->value.size() && values.size() != it->value.size() / std::max<int64_t>(rows, 1)))
        throw Error(Code::invalidArgument, "baseline '" + baseline.name + "': expected sizes " +
                                               sizesText(it->tensor.sizes) + " or those of one sample, but got " +
                                               sizesText(baseline.sizes));
      for (size_t i = 0; i < it->value.size(); ++i)
        it->baseline[i] = values[i % values.size()];
    }
  }

  /// The inputs at points on the way from the baseline to them, one copy of all samples behind the other.
  std::vector<Tensor> pointsOnTheWay(const std::vector<std::pair<double, double>> &points,
                                     std::vector<std::vector<std::byte>> &storage) {
    std::vector<Tensor> tensors;
    for (const Input &input : inputs) {
      Tensor tensor = input.tensor;
      std::vector<std::byte> &data = storage.emplace_back(tensor.bytes * points.size());
      for (size_t p = 0; p < points.size(); ++p) {
        if (!isFloat(tensor.dtype)) {
          std::memcpy(data.data() + p * tensor.bytes, tensor.data, tensor.bytes);
          continue;
        }
        for (size_t i = 0; i < input.value.size(); ++i)
          put(data.data(), p * input.value.size() + i, tensor.dtype,
              input.baseline[i] + points[p].first * (input.value[i] - input.baseline[i]));
      }
      tensor.data = data.data();
      tensor.bytes = data.size();
      if (points.size() > 1)
        tensor.sizes[0] *= points.size();
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

  /// The output at the inputs or at the baseline.
  std::vector<double> outputs(bool ofBaseline) {
    std::vector<std::vector<std::byte>> storage, results;
    Request run;
    run.inputs = pointsOnTheWay({{ofBaseline ? 0 : 1, 1}}, storage);
    run.deadline = request.deadline;
    Tensor explained;
    for (const Tensor &tensor : version.inferNow(std::move(run), results)) {
      sizes[tensor.name] = tensor.sizes;
      if (tensor.name == output->name)
        explained = tensor;
    }
    if (explained.sizes.empty() || explained.sizes[0] != rows)
      throw Error(Code::invalidArgument, "output '" + output->name + "' with sizes " + sizesText(explained.sizes) +
                                             " has no value for each of the " + std::to_string(rows) + " samples");
    return toDoubles(explained);
  }

  /// Elements of a sample's output.
  int64_t width() const {
    const std::vector<int64_t> &all = sizes.at(output->name);
    return std::accumulate(all.begin() + 1, all.end(), int64_t(1), std::multiplies<>());
  }
  size_t index(int64_t row) const { return row * width() + targets[row]; }

  void chooseTargets(const std::vector<double> &values) {
    if (!request.targets.empty() && request.targets.size() != 1 && request.targets.size() != size_t(rows))
      throw Error(Code::invalidArgument, "expected one target, or " + std::to_string(rows) + ", but got " +
                                             std::to_string(request.targets.size()));
    for (int64_t row = 0; row < rows; ++row) {
      auto begin = values.begin() + row * width();
      int64_t target = request.targets.empty() ? std::max_element(begin, begin + width()) - begin
                                               : request.targets[request.targets.size() == 1 ? 0 : row];
      if (target < 0 || target >= width())
        throw Error(Code::invalidArgument,
                    "expected a target in [0, " + std::to_string(width()) + "), but got " + std::to_string(target));
      targets.push_back(target);
    }
  }

  /// Adds the gradients of the targets at points, each by its weight.
  void addGradients(const std::vector<std::pair<double, double>> &points) {
    std::vector<std::vector<std::byte>> storage, results;
    Request run;
    run.inputs = pointsOnTheWay(points, storage);
    run.deadline = request.deadline;
    for (const TensorInfo &info : version.signature().outputs) {
      if (!isFloat(info.dtype))
        continue;
      Tensor cotangent{"cotangent/" + info.name, info.dtype, sizes.at(info.name), nullptr, 0};
      if (points.size() > 1)
        cotangent.sizes[0] *= points.size();
      std::vector<std::byte> &data = storage.emplace_back(elementCount(cotangent.sizes) * elementSize(info.dtype));
      if (&info == output)
        for (size_t p = 0; p < points.size(); ++p)
          for (int64_t row = 0; row < rows; ++row)
            put(data.data(), p * rows * width() + index(row), info.dtype, 1);
      cotangent.data = data.data();
      cotangent.bytes = data.size();
      run.inputs.push_back(std::move(cotangent));
    }
    for (const Tensor &gradient : version.gradientNow(std::move(run), results)) {
      std::string name = gradient.name.substr(std::strlen("gradient/"));
      auto it =
          std::find_if(inputs.begin(), inputs.end(), [&](const Input &input) { return input.tensor.name == name; });
      std::vector<double> values = toDoubles(gradient);
      for (size_t i = 0; i < values.size(); ++i)
        it->sum[i % it->sum.size()] += points[i / it->sum.size()].second * values[i];
    }
  }

  Version &version;
  const ExplanationRequest &request;
  const TensorInfo *output = nullptr;
  std::map<std::string, std::vector<int64_t>> sizes; // of the outputs, by name
  std::vector<int64_t> targets;
  std::vector<Input> inputs;
  int64_t rows = 1;
};

} // namespace

ExplanationMethod parseExplanationMethod(const std::string &name) {
  if (name == "saliency")
    return ExplanationMethod::saliency;
  if (name == "integrated_gradients")
    return ExplanationMethod::integratedGradients;
  throw Error(Code::invalidArgument,
              "expected the method saliency or integrated_gradients, but got '" + name.substr(0, 64) + "'");
}

Explanation explain(Version &version, const ExplanationRequest &request) { return Explaining(version, request).run(); }

Explainer::Explainer() : worker([this] { work(); }) {}

Explainer::~Explainer() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  worker.join();
}

void Explainer::submit(std::shared_ptr<Version> version, ExplanationRequest request, Completion done) {
  {
    std::lock_guard lock(mutex);
    if (tasks.size() >= mostWaiting)
      throw Error(Code::unavailable, "too many explanations wait");
    tasks.push_back({std::move(version), std::move(request), std::move(done)});
  }
  wake.notify_one();
}

void Explainer::work() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return stopping || !tasks.empty(); });
      if (tasks.empty())
        return;
      task = std::move(tasks.front());
      tasks.pop_front();
    }
    Status status;
    Explanation explanation;
    try {
      explanation = explain(*task.version, task.request);
    } catch (...) {
      status = currentExceptionStatus();
    }
    std::vector<Tensor> outputs = explanation.attributions;
    auto add = [&](const char *name, mlc_dtype dtype, const auto &values) {
      if (!values.empty())
        outputs.push_back({name, dtype, {int64_t(values.size())}, values.data(), values.size() * sizeof(values[0])});
    };
    add("convergence_delta", MLC_F64, explanation.convergenceDelta);
    add("target", MLC_I64, explanation.targets);
    task.done(status, outputs, {});
  }
}

void inferOrExplain(const std::shared_ptr<Version> &version, Request request, const ExplanationParameters &parameters,
                    Explainer *explainer, Completion done) {
  if (parameters.method.empty())
    return version->infer(std::move(request), std::move(done));
  if (!explainer)
    throw Error(Code::unimplemented, "this server does not explain predictions");
  if (!request.outputs.empty())
    throw Error(Code::invalidArgument, "expected no outputs with the parameter 'explain', which gives those of the "
                                       "explanation; 'explain_output' is the one that is explained");
  ExplanationRequest explanation;
  explanation.inputs = std::move(request.inputs);
  explanation.method = parseExplanationMethod(parameters.method);
  explanation.output = parameters.output;
  if (parameters.target)
    explanation.targets = {*parameters.target};
  if (parameters.steps)
    explanation.steps = static_cast<int>(std::clamp<int64_t>(*parameters.steps, 0, INT_MAX));
  explanation.deadline = request.deadline;
  explainer->submit(version, std::move(explanation), std::move(done));
}

} // namespace mlc::serve
