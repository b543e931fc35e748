//===- FakeProgram.cpp - a training program that is written by hand ----------------------------------------------===//
//
// One entry is as the compiler makes it: a function on a frame, whose weights are the state. The gradient is summed in
// the order of the samples, then scaled, so that the program itself is deterministic. The running statistic is
// 0.9 * old + 0.1 * mean of x[:, 0], and a little noise that (seed, iteration) chooses goes into the weights.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "FakeProgram.h"

#include <cmath>
#include <cstddef>
#include <cstring>

namespace {

constexpr int64_t kInputs = 4, kClasses = 3, kWeights = kInputs * kClasses;

struct State final {
  float kernel[16], bias[16], mean[16], momentumKernel[16], momentumBias[16], average[16], gradientKernel[16],
      gradientBias[16];
};
static_assert(sizeof(State) == 512);

State &stateOf(mlc_frame *frame) { return *static_cast<State *>(const_cast<void *>(frame->weights)); }
template <typename T> T scalarOf(mlc_frame *frame, int input) { return *static_cast<const T *>(frame->inputs[input]); }

/// Probabilities of all samples into output `index`.
const float *forward(mlc_frame *frame, uint32_t index) {
  const State &state = stateOf(frame);
  int64_t n = frame->input_sizes[0][0], sizes[] = {n, kClasses};
  const auto *x = static_cast<const float *>(frame->inputs[0]);
  auto *p = static_cast<float *>(mlc_rt_output(frame, index, sizes));
  for (int64_t i = 0; i < n; ++i) {
    float z[kClasses], sum = 0;
    for (int64_t c = 0; c < kClasses; ++c) {
      z[c] = state.bias[c];
      for (int64_t k = 0; k < kInputs; ++k)
        z[c] += x[i * kInputs + k] * state.kernel[k * kClasses + c];
      sum += std::exp(z[c]);
    }
    for (int64_t c = 0; c < kClasses; ++c)
      p[i * kClasses + c] = std::exp(z[c]) / sum;
  }
  return p;
}

void writeLoss(mlc_frame *frame, const float *p) {
  int64_t n = frame->input_sizes[0][0];
  const auto *labels = static_cast<const int32_t *>(frame->inputs[1]);
  float sum = 0;
  for (int64_t i = 0; i < n; ++i)
    sum -= std::log(p[i * kClasses + labels[i]]);
  *static_cast<float *>(mlc_rt_output(frame, 0, nullptr)) = sum / static_cast<float>(n);
}

/// Adds the gradient of `weight` * loss, and moves the statistic.
void addGradient(mlc_frame *frame, float weight, const float *p) {
  State &state = stateOf(frame);
  int64_t n = frame->input_sizes[0][0];
  const auto *x = static_cast<const float *>(frame->inputs[0]);
  const auto *labels = static_cast<const int32_t *>(frame->inputs[1]);
  float scale = weight / static_cast<float>(n), mean = 0;
  for (int64_t i = 0; i < n; ++i) {
    mean += x[i * kInputs] / static_cast<float>(n);
    for (int64_t c = 0; c < kClasses; ++c) {
      float d = scale * (p[i * kClasses + c] - (labels[i] == c ? 1.0f : 0.0f));
      state.gradientBias[c] += d;
      for (int64_t k = 0; k < kInputs; ++k)
        state.gradientKernel[k * kClasses + c] += d * x[i * kInputs + k];
    }
  }
  state.mean[0] = 0.9f * state.mean[0] + 0.1f * mean;
}

void update(State &state, float rate) {
  auto each = [&](float *weights, float *momentum, float *gradient, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      momentum[i] = 0.9f * momentum[i] - rate * gradient[i];
      weights[i] += momentum[i];
      gradient[i] = 0;
    }
  };
  each(state.kernel, state.momentumKernel, state.gradientKernel, kWeights);
  each(state.bias, state.momentumBias, state.gradientBias, kClasses);
  for (int64_t i = 0; i < kWeights; ++i)
    state.average[i] = 0.5f * state.average[i] + 0.5f * state.kernel[i];
}

void addNoise(State &state, int64_t iteration, int64_t seed) {
  uint64_t mixed = (static_cast<uint64_t>(seed) * 1000003 + static_cast<uint64_t>(iteration)) * 0x9E3779B97F4A7C15u;
  state.gradientBias[0] += static_cast<float>(mixed >> 40) * 0x1p-24f * 1e-3f;
}

void predictEntry(mlc_frame *frame) { forward(frame, 0); }
void evaluateEntry(mlc_frame *frame) { writeLoss(frame, forward(frame, 1)); }
void gradientsEntry(mlc_frame *frame) {
  const float *p = forward(frame, 1);
  writeLoss(frame, p);
  addGradient(frame, scalarOf<float>(frame, 2), p);
  if (frame->listener) // of one of them, and not in the order of the state
    mlc_rt_ready(frame, offsetof(State, gradientKernel));
  addNoise(stateOf(frame), scalarOf<int64_t>(frame, 3), scalarOf<int64_t>(frame, 4));
}
void stepEntry(mlc_frame *frame) {
  const float *p = forward(frame, 1);
  writeLoss(frame, p);
  addGradient(frame, 1, p);
  addNoise(stateOf(frame), scalarOf<int64_t>(frame, 3), scalarOf<int64_t>(frame, 4));
  update(stateOf(frame), scalarOf<float>(frame, 2));
}
void applyEntry(mlc_frame *frame) { update(stateOf(frame), scalarOf<float>(frame, 0)); }

int64_t xSizes[] = {MLC_DYNAMIC_SIZE, kInputs}, labelSizes[] = {MLC_DYNAMIC_SIZE},
        pSizes[] = {MLC_DYNAMIC_SIZE, kClasses};
int32_t twoSymbols[] = {0, -1}, oneSymbol[] = {0};
const char *symbols[] = {"N"};
mlc_tensor_info withLabel[] = {{"x", xSizes, twoSymbols, MLC_F32, 2},
                               {"label", labelSizes, oneSymbol, MLC_I32, 1},
                               {"learning_rate", nullptr, nullptr, MLC_F32, 0},
                               {"iteration", nullptr, nullptr, MLC_I64, 0},
                               {"seed", nullptr, nullptr, MLC_I64, 0}};
mlc_tensor_info scalars[] = {{"learning_rate", nullptr, nullptr, MLC_F32, 0},
                             {"iteration", nullptr, nullptr, MLC_I64, 0}};
mlc_tensor_info results[] = {{"loss", nullptr, nullptr, MLC_F32, 0}, {"p", pSizes, twoSymbols, MLC_F32, 2}};

constexpr mlc_api makeApi(const char *name, const mlc_tensor_info *inputs, uint32_t numInputs,
                          const mlc_tensor_info *outputs, uint32_t numOutputs) {
  return {MLC_API_VERSION,
          sizeof(mlc_api),
          name,
          "{}",
          inputs,
          outputs,
          symbols,
          numInputs,
          numOutputs,
          numInputs > 2 || numOutputs ? 1u : 0u,
          0,
          nullptr,
          mlc_rt_run,
          mlc_rt_destroy,
          nullptr,
          nullptr};
}
const mlc_api stepApi = makeApi("step", withLabel, 5, results, 2), applyApi = makeApi("apply", scalars, 2, nullptr, 0),
              evaluateApi = makeApi("evaluate", withLabel, 2, results, 2),
              predictApi = makeApi("predict", withLabel, 1, results + 1, 1);

mlc_model_info makeModel(const mlc_api &api, void (*entry)(mlc_frame *)) {
  return {MLC_ABI_VERSION, sizeof(mlc_model_info), &api, 0, nullptr, 0, nullptr, entry, nullptr, 0, 0};
}
const mlc_model_info step = makeModel(stepApi, stepEntry), gradients = makeModel(stepApi, gradientsEntry),
                     apply = makeModel(applyApi, applyEntry), evaluate = makeModel(evaluateApi, evaluateEntry),
                     predict = makeModel(predictApi, predictEntry);

int64_t kernelSizes[] = {kInputs, kClasses}, biasSizes[] = {kClasses}, meanSizes[] = {1};
const mlc_state_info states[] = {
    {"dense.kernel", kernelSizes, 0, nullptr, R"({"kind": "glorot_uniform", "fan_in": 4, "fan_out": 3})", MLC_F32, 2,
     MLC_STATE_PARAMETER, 0},
    {"dense.bias", biasSizes, 64, nullptr, nullptr, MLC_F32, 1, MLC_STATE_PARAMETER, 0},
    {"norm.mean", meanSizes, 128, nullptr, nullptr, MLC_F32, 1, MLC_STATE_STATISTIC, 0},
    {"momentum/dense.kernel", kernelSizes, 192, nullptr, nullptr, MLC_F32, 2, MLC_STATE_OPTIMIZER, 0},
    {"momentum/dense.bias", biasSizes, 256, nullptr, nullptr, MLC_F32, 1, MLC_STATE_OPTIMIZER, 0},
    {"average/dense.kernel", kernelSizes, 320, nullptr, nullptr, MLC_F32, 2, MLC_STATE_AVERAGE, 0},
    {"gradient/dense.kernel", kernelSizes, 384, nullptr, nullptr, MLC_F32, 2, MLC_STATE_GRADIENT, 0},
    {"gradient/dense.bias", biasSizes, 448, nullptr, nullptr, MLC_F32, 1, MLC_STATE_GRADIENT, 0}};

/// ModelProto{ir_version: 8}: what follows is merged with it.
constexpr char onnx[] = "\x08\x08";

constexpr const char *kConfig =
    R"({"model": "iris", "loss": {"kind": "sparse_categorical_crossentropy"}, "batch": 16, "epochs": 3,
        "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "metrics": [{"kind": "accuracy"}, {"kind": "f1", "average": "macro"}],
        "label": {"name": "label", "form": "classes", "classes": 3}})";

} // namespace

const mlc_train_info *fakeProgram(const char *config) {
  static mlc_train_info info;
  info = {MLC_ABI_VERSION,
          sizeof(mlc_train_info),
          "iris",
          config ? config : kConfig,
          &step,
          &gradients,
          &apply,
          &evaluate,
          &predict,
          states,
          512,
          onnx,
          2,
          nullptr,
          8,
          0};
  return &info;
}
