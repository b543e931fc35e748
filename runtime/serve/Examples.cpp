//===- Examples.cpp - Classify and Regress: samples by the names of their features -------------------------------===//
#include "runtime/serve/Examples.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/HalfFloat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace mlc::serve {

namespace {

using tensorflow::Example;
using tensorflow::Feature;

std::string quoted(const std::string &name) { return "feature '" + name.substr(0, 64) + "'"; }

int64_t length(const Feature &feature) {
  switch (feature.kind_case()) {
  case Feature::kBytesList: // one string holds all elements
    return feature.bytes_list().value_size() == 1 ? static_cast<int64_t>(feature.bytes_list().value(0).size()) : -1;
  case Feature::kFloatList:
    return feature.float_list().value_size();
  case Feature::kInt64List:
    return feature.int64_list().value_size();
  case Feature::KIND_NOT_SET:
    break;
  }
  return 0;
}

const char *kindName(const Feature &feature) {
  switch (feature.kind_case()) {
  case Feature::kBytesList:
    return "bytes";
  case Feature::kFloatList:
    return "floats";
  case Feature::kInt64List:
    return "integers";
  case Feature::KIND_NOT_SET:
    break;
  }
  return "nothing";
}

/// A feature of an example, or else of the context.
const Feature &find(const Example &example, const Example *context, const TensorInfo &info, int64_t index) {
  const auto &own = example.features().feature();
  if (auto it = own.find(info.name); it != own.end() && it->second.kind_case() != Feature::KIND_NOT_SET)
    return it->second;
  if (context) {
    const auto &shared = context->features().feature();
    if (auto it = shared.find(info.name); it != shared.end() && it->second.kind_case() != Feature::KIND_NOT_SET)
      return it->second;
  }
  throw Error(Code::invalidArgument, "example " + std::to_string(index) + ": " + quoted(info.name) + " (data type: " +
                                         tensorFlowShortName(info.dtype) + ") is required but could not be found");
}

template <typename T> struct Numbers final {
  static constexpr bool floating = std::is_floating_point_v<T>;
  /// Whether the numbers of a feature can be this type, and their conversion.
  static void convert(const Feature &feature, std::byte *at, const std::string &name) {
    auto store = [&](T value) {
      std::memcpy(at, &value, sizeof(T));
      at += sizeof(T);
    };
    if (feature.has_float_list()) {
      if constexpr (floating) {
        for (float value : feature.float_list().value())
          store(static_cast<T>(value));
        return;
      }
    } else if (feature.has_int64_list()) {
      for (int64_t value : feature.int64_list().value()) {
        if constexpr (!floating)
          if (!std::in_range<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>(value) ||
              (std::is_same_v<T, bool> && value > 1))
            throw Error(Code::invalidArgument, quoted(name) + ": " + std::to_string(value) + " does not fit the input");
        store(static_cast<T>(value));
      }
      return;
    } else if constexpr (sizeof(T) == 1 && !std::is_same_v<T, bool>) {
      const std::string &bytes = feature.bytes_list().value(0);
      std::memcpy(at, bytes.data(), bytes.size());
      return;
    }
    throw Error(Code::invalidArgument,
                quoted(name) + ": expected " + (floating ? "floats" : "integers") + ", but got " + kindName(feature));
  }
};

/// The 16-bit floats: by way of float.
void convertHalf(const Feature &feature, std::byte *at, const std::string &name, uint16_t (*narrow)(float)) {
  std::vector<float> wide(length(feature));
  Numbers<float>::convert(feature, reinterpret_cast<std::byte *>(wide.data()), name);
  for (float value : wide) {
    uint16_t bits = narrow(value);
    std::memcpy(at, &bits, sizeof bits);
    at += sizeof bits;
  }
}

void convert(const Feature &feature, const TensorInfo &info, std::byte *at) {
  switch (info.dtype) {
  case MLC_F32:
    return Numbers<float>::convert(feature, at, info.name);
  case MLC_F64:
    return Numbers<double>::convert(feature, at, info.name);
  case MLC_I8:
    return Numbers<int8_t>::convert(feature, at, info.name);
  case MLC_I16:
    return Numbers<int16_t>::convert(feature, at, info.name);
  case MLC_I32:
    return Numbers<int32_t>::convert(feature, at, info.name);
  case MLC_I64:
    return Numbers<int64_t>::convert(feature, at, info.name);
  case MLC_U8:
    return Numbers<uint8_t>::convert(feature, at, info.name);
  case MLC_U16:
    return Numbers<uint16_t>::convert(feature, at, info.name);
  case MLC_U32:
    return Numbers<uint32_t>::convert(feature, at, info.name);
  case MLC_U64:
    return Numbers<uint64_t>::convert(feature, at, info.name);
  case MLC_BOOL:
    return Numbers<bool>::convert(feature, at, info.name);
  case MLC_F16:
    return convertHalf(feature, at, info.name, toFloat16);
  case MLC_BF16:
    return convertHalf(feature, at, info.name, toBfloat16);
  }
  throw Error(Code::internal, "unknown element type " + std::to_string(info.dtype));
}

/// The sizes of an input for examples of which the first one has `count` elements; one size may be left open.
std::vector<int64_t> sizesFor(const TensorInfo &info, int64_t examples, int64_t count) {
  if (info.sizes.empty())
    throw Error(Code::failedPrecondition, "input '" + info.name + "' has no axis for the examples");
  std::vector<int64_t> sizes = info.sizes;
  sizes[0] = examples;
  int64_t known = 1;
  int64_t *open = nullptr;
  for (auto it = sizes.begin() + 1; it != sizes.end(); ++it) {
    if (*it >= 0) {
      known *= *it;
      continue;
    }
    if (open)
      throw Error(Code::failedPrecondition,
                  "input '" + info.name + "' leaves more than one size of an example open: " + sizesText(info.sizes));
    open = &*it;
  }
  if (open)
    *open = known > 0 && count > 0 ? count / known : 0;
  int64_t expected = known * (open ? *open : 1);
  if (count != expected)
    throw Error(Code::invalidArgument, quoted(info.name) + ": expected " + std::to_string(expected) +
                                           " elements an example for sizes " + sizesText(info.sizes) + ", but got " +
                                           (count < 0 ? "several strings" : std::to_string(count)));
  return sizes;
}

bool isFloat(mlc_dtype dtype) { return dtype == MLC_F32 || dtype == MLC_F64 || dtype == MLC_F16 || dtype == MLC_BF16; }

const TensorInfo *outputNamed(const Signature &signature, const char *name) {
  for (const TensorInfo &info : signature.outputs)
    if (info.name == name)
      return &info;
  return nullptr;
}

Error cannot(const std::string &what, const std::string &expected, const Signature &signature) {
  std::string outputs;
  for (const TensorInfo &info : signature.outputs)
    outputs +=
        (outputs.empty() ? "" : ", ") + info.name + ": " + tensorFlowShortName(info.dtype) + sizesText(info.sizes);
  return Error(Code::failedPrecondition,
               "the model cannot " + what + ": expected " + expected + ", but its outputs are " + outputs);
}

/// An element as a number.
double element(const Tensor &tensor, int64_t index) {
  auto read = [&]<typename T>(T value) {
    std::memcpy(&value, static_cast<const std::byte *>(tensor.data) + index * sizeof(T), sizeof(T));
    return value;
  };
  switch (tensor.dtype) {
  case MLC_F32:
    return read(float());
  case MLC_F64:
    return read(double());
  case MLC_F16:
    return fromFloat16(read(uint16_t()));
  case MLC_BF16:
    return fromBfloat16(read(uint16_t()));
  case MLC_I8:
    return read(int8_t());
  case MLC_I16:
    return read(int16_t());
  case MLC_I32:
    return read(int32_t());
  case MLC_I64:
    return static_cast<double>(read(int64_t()));
  case MLC_U8:
  case MLC_BOOL:
    return read(uint8_t());
  case MLC_U16:
    return read(uint16_t());
  case MLC_U32:
    return read(uint32_t());
  case MLC_U64:
    return static_cast<double>(read(uint64_t()));
  }
  throw Error(Code::internal, "unknown element type " + std::to_string(tensor.dtype));
}

/// Elements an example of an output that has `examples` rows.
int64_t perExample(const Tensor &output, int64_t examples, size_t most) {
  if (output.sizes.empty() || output.sizes.size() > most || output.sizes[0] != examples)
    throw Error(Code::failedPrecondition, "output '" + output.name + "': expected " + std::to_string(examples) +
                                              " rows, but got sizes " + sizesText(output.sizes));
  return output.sizes.size() == 2 ? output.sizes[1] : 1;
}

} // namespace

ExampleInputs toInputs(const tensorflow::serving::Input &input, const Signature &signature) {
  const Example *context = nullptr;
  const google::protobuf::RepeatedPtrField<Example> *examples = nullptr;
  if (input.has_example_list()) {
    examples = &input.example_list().examples();
  } else if (input.has_example_list_with_context()) {
    examples = &input.example_list_with_context().examples();
    context = &input.example_list_with_context().context();
  }
  if (!examples || examples->empty())
    throw Error(Code::invalidArgument, "Input is empty.");

  ExampleInputs inputs;
  inputs.examples = examples->size();
  for (const TensorInfo &info : signature.inputs) {
    int64_t count = length(find(examples->Get(0), context, info, 0));
    Tensor tensor{info.name, info.dtype, sizesFor(info, inputs.examples, count), nullptr, 0};
    size_t row = count * elementSize(info.dtype);
    tensor.bytes = row * inputs.examples;
    // A context is one feature for many examples, so the data can be much larger than the message.
    constexpr size_t most = size_t(1) << 30;
    if (tensor.bytes > most)
      throw Error(Code::invalidArgument, quoted(info.name) + ": expected at most " + std::to_string(most) +
                                             " bytes in all examples, but got " + std::to_string(tensor.bytes));
    std::vector<std::byte> &data = inputs.storage.emplace_back(tensor.bytes);
    for (int index = 0; index < examples->size(); ++index) {
      const Feature &feature = find(examples->Get(index), context, info, index);
      if (length(feature) != count)
        throw Error(Code::invalidArgument,
                    "example " + std::to_string(index) + ": " + quoted(info.name) + ": expected " +
                        std::to_string(count) + " elements, but got " +
                        (length(feature) < 0 ? "several strings" : std::to_string(length(feature))));
      convert(feature, info, data.data() + index * row);
    }
    tensor.data = data.data();
    inputs.tensors.push_back(std::move(tensor));
  }
  return inputs;
}

std::vector<std::string> classifyOutputs(const Signature &signature) {
  const TensorInfo *scores = outputNamed(signature, "scores"), *classes = outputNamed(signature, "classes");
  if (!scores && !classes && signature.outputs.size() == 1)
    (isFloat(signature.outputs[0].dtype) ? scores : classes) = &signature.outputs[0];
  std::vector<std::string> names;
  for (const TensorInfo *info : {scores, classes}) {
    if (!info)
      continue;
    if (info->sizes.size() != 2 || isFloat(info->dtype) != (info == scores))
      throw cannot("classify", "scores (floats, [N, C]) or classes (integers, [N, C])", signature);
    names.push_back(info->name);
  }
  if (names.empty())
    throw cannot("classify", "scores (floats, [N, C]) or classes (integers, [N, C])", signature);
  return names;
}

std::string regressOutput(const Signature &signature) {
  const TensorInfo *output = outputNamed(signature, "outputs");
  if (!output && signature.outputs.size() == 1)
    output = &signature.outputs[0];
  if (!output || !isFloat(output->dtype) || output->sizes.empty() || output->sizes.size() > 2 ||
      (output->sizes.size() == 2 && output->sizes[1] != 1 && output->sizes[1] >= 0))
    throw cannot("regress", "outputs (floats, [N] or [N, 1])", signature);
  return output->name;
}

tensorflow::serving::ClassificationResult toClasses(std::span<const Tensor> outputs, int64_t examples,
                                                    const std::vector<std::string> &labels) {
  const Tensor *scores = nullptr, *classes = nullptr;
  for (const Tensor &output : outputs)
    (isFloat(output.dtype) ? scores : classes) = &output;
  int64_t count = perExample(scores ? *scores : *classes, examples, 2);
  if (scores && classes && perExample(*classes, examples, 2) != count)
    throw Error(Code::failedPrecondition, "expected as many classes as scores, but got sizes " +
                                              sizesText(classes->sizes) + " and " + sizesText(scores->sizes));
  tensorflow::serving::ClassificationResult result;
  for (int64_t example = 0; example < examples; ++example) {
    auto *row = result.add_classifications();
    for (int64_t i = 0; i < count; ++i) {
      int64_t index = example * count + i;
      auto number = classes ? static_cast<int64_t>(element(*classes, index)) : i;
      auto *one = row->add_classes();
      one->set_label(number >= 0 && number < static_cast<int64_t>(labels.size()) ? labels[number]
                                                                                 : std::to_string(number));
      if (scores)
        one->set_score(static_cast<float>(element(*scores, index)));
    }
  }
  return result;
}

tensorflow::serving::RegressionResult toValues(std::span<const Tensor> outputs, int64_t examples) {
  const Tensor &output = outputs.front();
  if (perExample(output, examples, 2) != 1)
    throw Error(Code::failedPrecondition, "output '" + output.name +
                                              "': expected one value an example, but got sizes " +
                                              sizesText(output.sizes));
  tensorflow::serving::RegressionResult result;
  for (int64_t example = 0; example < examples; ++example)
    result.add_regressions()->set_value(static_cast<float>(element(output, example)));
  return result;
}

} // namespace mlc::serve
