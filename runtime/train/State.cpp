//===- State.cpp - the weights and what training keeps -----------------------------------------------------------===//
#include "runtime/train/State.h"
#include "runtime/core/memory.h"
#include "runtime/train/Initializers.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace mlc::train {

State::State(const mlc_train_info &info, uint64_t seed) : info(info), block(nullptr, std::free) {
  uint64_t bytes = (info.state_bytes + 63) / 64 * 64 + 64;
  block.reset(static_cast<char *>(mlc_aligned_alloc(bytes)));
  if (!block)
    throw std::bad_alloc();
  std::memset(block.get(), 0, bytes);
  for (uint32_t i = 0; i < size(); ++i) {
    const mlc_state_info &tensor = info.states[i];
    if (tensor.data) {
      std::memcpy(data(i), tensor.data, this->bytes(i));
    } else if (tensor.initializer) {
      uint64_t count = this->bytes(i) / elementBytes(tensor.dtype);
      if (tensor.dtype == MLC_F32) {
        initialize(tensor.initializer, tensor.name, seed, sizes(i), reinterpret_cast<float *>(data(i)));
        continue;
      }
      std::vector<float> elements(count);
      initialize(tensor.initializer, tensor.name, seed, sizes(i), elements.data());
      convertElements(MLC_F32, elements.data(), tensor.dtype, data(i), static_cast<int64_t>(count));
    }
  }
  resetAverages();
}

uint64_t State::bytes(uint32_t i) const {
  uint64_t bytes = elementBytes(info.states[i].dtype);
  for (uint32_t axis = 0; axis < info.states[i].rank; ++axis)
    bytes *= static_cast<uint64_t>(info.states[i].sizes[axis]);
  return bytes;
}

std::vector<int64_t> State::sizes(uint32_t i) const {
  return {info.states[i].sizes, info.states[i].sizes + info.states[i].rank};
}

std::vector<std::pair<float *, uint64_t>> State::floats(uint32_t role) {
  std::vector<std::pair<float *, uint64_t>> tensors;
  for (uint32_t i = 0; i < size(); ++i) {
    if (info.states[i].role != role)
      continue;
    if (info.states[i].dtype != MLC_F32)
      throw std::logic_error(std::string("expected the state '") + info.states[i].name + "' to be f32, but it is " +
                             dtypeName(info.states[i].dtype));
    tensors.emplace_back(reinterpret_cast<float *>(data(i)), bytes(i) / sizeof(float));
  }
  return tensors;
}

int64_t State::averageOf(uint32_t parameter) const {
  std::string name = info.states[parameter].name;
  if (info.states[parameter].role != MLC_STATE_PARAMETER)
    return -1;
  for (uint32_t i = 0; i < size(); ++i)
    if (info.states[i].role == MLC_STATE_AVERAGE) {
      std::string average = info.states[i].name;
      size_t slash = average.find('/');
      if (slash != std::string::npos && average.compare(slash + 1, std::string::npos, name) == 0)
        return i;
    }
  return -1;
}

void State::resetAverages() {
  for (uint32_t i = 0; i < size(); ++i)
    if (int64_t average = averageOf(i); average >= 0)
      std::memcpy(data(static_cast<uint32_t>(average)), data(i), bytes(i));
}

std::string State::firstNotFinite() {
  for (uint32_t i = 0; i < size(); ++i) {
    if (!isWeight(info.states[i].role) || info.states[i].dtype != MLC_F32)
      continue;
    const float *elements = reinterpret_cast<const float *>(data(i));
    // x * 0 is NaN for what is not finite, so a tensor is one sum.
    float sum = 0;
    for (uint64_t k = 0; k < bytes(i) / sizeof(float); ++k)
      sum += elements[k] * 0.0f;
    if (sum != 0)
      return info.states[i].name;
  }
  return "";
}

std::vector<std::pair<std::string, Array>> State::weights() {
  std::vector<std::pair<std::string, Array>> result;
  for (uint32_t i = 0; i < size(); ++i) {
    if (!isWeight(info.states[i].role))
      continue;
    int64_t average = averageOf(i);
    Array array;
    array.dtype = static_cast<mlc_dtype>(info.states[i].dtype);
    array.sizes = sizes(i);
    array.data = data(average >= 0 ? static_cast<uint32_t>(average) : i);
    result.emplace_back(info.states[i].name, array);
  }
  return result;
}

AveragedWeights::AveragedWeights(State &state) : state(state) {
  for (uint32_t i = 0; i < state.size(); ++i)
    if (int64_t average = state.averageOf(i); average >= 0) {
      kept.emplace_back(i, std::vector<char>(state.data(i), state.data(i) + state.bytes(i)));
      std::memcpy(state.data(i), state.data(static_cast<uint32_t>(average)), state.bytes(i));
    }
}

AveragedWeights::~AveragedWeights() {
  for (const auto &[i, bytes] : kept)
    std::memcpy(state.data(i), bytes.data(), bytes.size());
}

} // namespace mlc::train
