//===- Model.cpp - a compiled library, loaded and run ------------------------------------------------------------===//
#include "Model.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <dlfcn.h>
#include <random>
#include <stdexcept>

namespace mlc {

using train::Array;

namespace {

void check(mlc_status status) {
  if (status.code != MLC_OK)
    throw std::runtime_error(status.message);
}

template <typename T, typename Draw> void fill(Array &array, Draw draw) {
  T *data = reinterpret_cast<T *>(array.mutableData());
  for (int64_t i = 0; i < array.count(); ++i)
    data[i] = static_cast<T>(draw());
}

/// Floats in [-1, 1), integers in [0, 10), booleans of both kinds.
void randomize(Array &array, std::mt19937_64 &random) {
  auto real = [&] { return std::uniform_real_distribution<double>(-1, 1)(random); };
  auto whole = [&] { return std::uniform_int_distribution<int>(0, 9)(random); };
  auto bits = [&](float value) {
    uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    return word;
  };
  switch (array.dtype) {
  case MLC_F32:
    return fill<float>(array, real);
  case MLC_F64:
    return fill<double>(array, real);
  case MLC_BF16:
    return fill<uint16_t>(array, [&] { return bits(static_cast<float>(real())) >> 16; });
  case MLC_F16: // a sign, an exponent of 2^-4 to 2^-1, any mantissa
    return fill<uint16_t>(array,
                          [&] { return (random() & 0x8000) | ((11 + random() % 4) << 10) | (random() & 0x3ff); });
  case MLC_BOOL:
    return fill<uint8_t>(array, [&] { return random() & 1; });
  case MLC_I8:
  case MLC_U8:
    return fill<uint8_t>(array, whole);
  case MLC_I16:
  case MLC_U16:
    return fill<uint16_t>(array, whole);
  case MLC_I32:
  case MLC_U32:
    return fill<uint32_t>(array, whole);
  default:
    return fill<uint64_t>(array, whole);
  }
}

} // namespace

Model::Model(const std::string &path, int threads) {
  // A bare name is a file here, not one on the library path.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw std::runtime_error(dlerror());
  auto find = reinterpret_cast<const mlc_api *(*)()>(dlsym(library, MLC_LIBRARY_API_SYMBOL));
  if (!find)
    throw std::runtime_error(path + ": not a library compiled by mlc (no symbol " MLC_LIBRARY_API_SYMBOL ")");
  description = find();
  if (description->version != MLC_API_VERSION || description->struct_size != sizeof(mlc_api))
    throw std::runtime_error(path + ": expected version " + std::to_string(MLC_API_VERSION) + " of the API, but got " +
                             std::to_string(description->version));
  mlc_options options = {sizeof(mlc_options), threads, nullptr};
  check(description->create(&options, &context));
  results.resize(description->num_outputs);
}

Model::~Model() {
  if (description)
    description->destroy(context);
  if (library)
    dlclose(library);
}

std::vector<Array> Model::makeInputs(std::map<std::string, Array> given, const std::map<std::string, int64_t> &dims,
                                     uint64_t seed) const {
  std::vector<int64_t> symbols(description->num_symbols, -1);
  for (const auto &[name, size] : dims) {
    bool known = false;
    for (uint32_t i = 0; i < description->num_symbols; ++i)
      if (description->symbols[i] == name) {
        symbols[i] = size;
        known = true;
      }
    if (!known)
      throw std::runtime_error("--dim names '" + name + "', which is not a symbolic size of the model");
  }
  for (uint32_t i = 0; i < description->num_inputs; ++i) {
    const mlc_tensor_info &info = description->inputs[i];
    auto it = given.find(info.name);
    if (it == given.end() || it->second.sizes.size() != info.rank)
      continue; // the run says what is wrong with it
    for (uint32_t axis = 0; axis < info.rank; ++axis)
      if (info.symbols[axis] >= 0 && symbols[info.symbols[axis]] < 0)
        symbols[info.symbols[axis]] = it->second.sizes[axis];
  }
  std::mt19937_64 random(seed);
  std::vector<Array> inputs;
  for (uint32_t i = 0; i < description->num_inputs; ++i) {
    const mlc_tensor_info &info = description->inputs[i];
    if (auto it = given.find(info.name); it != given.end()) {
      inputs.push_back(std::move(it->second));
      given.erase(it);
      continue;
    }
    std::vector<int64_t> sizes;
    for (uint32_t axis = 0; axis < info.rank; ++axis) {
      int64_t size = info.sizes[axis];
      if (size == MLC_DYNAMIC_SIZE)
        size = info.symbols[axis] >= 0 && symbols[info.symbols[axis]] >= 0 ? symbols[info.symbols[axis]] : 1;
      sizes.push_back(size);
    }
    Array array = Array::make(static_cast<mlc_dtype>(info.dtype), sizes);
    randomize(array, random);
    inputs.push_back(std::move(array));
  }
  if (!given.empty())
    throw std::runtime_error("the model has no input '" + given.begin()->first + "'");
  return inputs;
}

void Model::run(const std::vector<Array> &inputs) {
  std::vector<mlc_tensor> tensors;
  for (const Array &input : inputs)
    tensors.push_back({const_cast<char *>(input.data), input.sizes.data(), input.bytes(),
                       static_cast<uint32_t>(input.sizes.size()), static_cast<uint32_t>(input.dtype)});
  check(description->run(context, tensors.data(), results.data()));
}

std::vector<Array> Model::outputs() const {
  std::vector<Array> arrays;
  for (const mlc_tensor &result : results)
    arrays.push_back({static_cast<mlc_dtype>(result.dtype),
                      {result.sizes, result.sizes + result.rank},
                      static_cast<const char *>(result.data),
                      nullptr});
  return arrays;
}

const mlc_profile *Model::startProfile() {
  const mlc_profile *profile = nullptr;
  check(description->profile_start(context, &profile));
  return profile;
}

std::string Model::signature() const {
  using nlohmann::ordered_json;
  auto describe = [&](const mlc_tensor_info *infos, uint32_t count) {
    ordered_json list = ordered_json::array();
    for (uint32_t i = 0; i < count; ++i) {
      ordered_json shape = ordered_json::array();
      for (uint32_t axis = 0; axis < infos[i].rank; ++axis) {
        if (infos[i].sizes[axis] != MLC_DYNAMIC_SIZE)
          shape.push_back(infos[i].sizes[axis]);
        else if (infos[i].symbols[axis] >= 0)
          shape.push_back(description->symbols[infos[i].symbols[axis]]);
        else
          shape.push_back("?");
      }
      list.push_back({{"name", infos[i].name}, {"dtype", train::dtypeName(infos[i].dtype)}, {"shape", shape}});
    }
    return list;
  };
  ordered_json symbols = ordered_json::array();
  for (uint32_t i = 0; i < description->num_symbols; ++i)
    symbols.push_back(description->symbols[i]);
  ordered_json json{{"name", description->name},
                    {"inputs", describe(description->inputs, description->num_inputs)},
                    {"outputs", describe(description->outputs, description->num_outputs)},
                    {"symbols", symbols},
                    {"metadata", ordered_json::parse(description->metadata)}};
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace mlc
