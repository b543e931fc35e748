//===- Tensor.h - tensors of requests and what a model says of its own -------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_TENSOR_H
#define MLC_RUNTIME_SERVE_TENSOR_H

#include "mlc/runtime.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mlc::serve {

/// A tensor in memory that somebody else keeps: dense, row-major, little-endian. Data need not be aligned.
struct Tensor final {
  std::string name;
  mlc_dtype dtype = MLC_F32;
  std::vector<int64_t> sizes;
  const void *data = nullptr;
  size_t bytes = 0;
};

/// An input or output of a model: -1 for a size that is known only at run time, and its symbol, -1 where it has none.
struct TensorInfo final {
  std::string name;
  mlc_dtype dtype = MLC_F32;
  std::vector<int64_t> sizes;
  std::vector<int32_t> symbols;
};

/// What a model takes and gives, in its own order.
struct Signature final {
  std::vector<TensorInfo> inputs, outputs;
  std::vector<std::string> symbols;

  /// Whether samples of several requests can be run as one batch: axis 0 of every input and output is the same symbol.
  bool batchable() const;
};

/// Bytes of an element.
size_t elementSize(mlc_dtype dtype);
/// Elements of a tensor of these sizes; throws Error INVALID_ARGUMENT where a size is negative or the product too
/// large.
int64_t elementCount(const std::vector<int64_t> &sizes);
/// "[2,3]".
std::string sizesText(const std::vector<int64_t> &sizes);

/// The name of an element type in the Open Inference Protocol ("FP32"), and back; throws Error INVALID_ARGUMENT.
const char *openInferenceName(mlc_dtype dtype);
mlc_dtype fromOpenInferenceName(const std::string &name);
/// The number of an element type in TensorFlow's DataType, its name there ("DT_FLOAT") and its short one in messages
/// ("float"); and back; throws Error INVALID_ARGUMENT.
int tensorFlowType(mlc_dtype dtype);
const char *tensorFlowName(mlc_dtype dtype);
const char *tensorFlowShortName(mlc_dtype dtype);
mlc_dtype fromTensorFlowType(int type);

} // namespace mlc::serve

#endif
