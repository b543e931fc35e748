//===- Tensor.cpp - element types of the protocols, and sizes ----------------------------------------------------===//
#include "runtime/serve/Tensor.h"

#include "runtime/serve/Error.h"

#include <algorithm>

namespace mlc::serve {

namespace {

struct ElementType final {
  mlc_dtype dtype;
  size_t bytes;
  const char *openInference;
  int tensorFlow;
  const char *tensorFlowName, *tensorFlowShort;
};

constexpr ElementType elementTypes[] = {
    {MLC_F32, 4, "FP32", 1, "DT_FLOAT", "float"},         {MLC_F64, 8, "FP64", 2, "DT_DOUBLE", "double"},
    {MLC_I32, 4, "INT32", 3, "DT_INT32", "int32"},        {MLC_U8, 1, "UINT8", 4, "DT_UINT8", "uint8"},
    {MLC_I16, 2, "INT16", 5, "DT_INT16", "int16"},        {MLC_I8, 1, "INT8", 6, "DT_INT8", "int8"},
    {MLC_I64, 8, "INT64", 9, "DT_INT64", "int64"},        {MLC_BOOL, 1, "BOOL", 10, "DT_BOOL", "bool"},
    {MLC_BF16, 2, "BF16", 14, "DT_BFLOAT16", "bfloat16"}, {MLC_U16, 2, "UINT16", 17, "DT_UINT16", "uint16"},
    {MLC_F16, 2, "FP16", 19, "DT_HALF", "half"},          {MLC_U32, 4, "UINT32", 22, "DT_UINT32", "uint32"},
    {MLC_U64, 8, "UINT64", 23, "DT_UINT64", "uint64"}};

const ElementType &find(mlc_dtype dtype) {
  for (const ElementType &type : elementTypes)
    if (type.dtype == dtype)
      return type;
  throw Error(Code::internal, "unknown element type " + std::to_string(dtype));
}

} // namespace

bool Signature::batchable() const {
  auto batched = [&](const TensorInfo &info) {
    return !info.sizes.empty() && info.symbols[0] >= 0 && info.symbols[0] == inputs.front().symbols[0];
  };
  return !inputs.empty() && !inputs.front().sizes.empty() && std::all_of(inputs.begin(), inputs.end(), batched) &&
         std::all_of(outputs.begin(), outputs.end(), batched);
}

size_t elementSize(mlc_dtype dtype) { return find(dtype).bytes; }

int64_t elementCount(const std::vector<int64_t> &sizes) {
  int64_t count = 1;
  for (int64_t size : sizes) {
    if (size < 0)
      throw Error(Code::invalidArgument, "expected sizes of at least 0, but got " + sizesText(sizes));
    if (__builtin_mul_overflow(count, size, &count) || count > (int64_t(1) << 48))
      throw Error(Code::invalidArgument, "expected a tensor that fits in memory, but got sizes " + sizesText(sizes));
  }
  return count;
}

std::string sizesText(const std::vector<int64_t> &sizes) {
  std::string text = "[";
  for (size_t i = 0; i < sizes.size(); ++i)
    text += (i ? "," : "") + std::to_string(sizes[i]);
  return text + "]";
}

const char *openInferenceName(mlc_dtype dtype) { return find(dtype).openInference; }

mlc_dtype fromOpenInferenceName(const std::string &name) {
  for (const ElementType &type : elementTypes)
    if (name == type.openInference)
      return type.dtype;
  throw Error(Code::invalidArgument, "unsupported datatype '" + name.substr(0, 64) +
                                         "'; BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 and BF16 are");
}

int tensorFlowType(mlc_dtype dtype) { return find(dtype).tensorFlow; }
const char *tensorFlowName(mlc_dtype dtype) { return find(dtype).tensorFlowName; }
const char *tensorFlowShortName(mlc_dtype dtype) { return find(dtype).tensorFlowShort; }

mlc_dtype fromTensorFlowType(int number) {
  for (const ElementType &type : elementTypes)
    if (number == type.tensorFlow)
      return type.dtype;
  throw Error(Code::invalidArgument, "unsupported element type " + std::to_string(number) + " of TensorFlow");
}

} // namespace mlc::serve
