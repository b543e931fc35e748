//===- Classification.cpp - Triton's classification extension ----------------------------------------------------===//
#include "runtime/serve/rest/Classification.h"

#include "runtime/serve/Error.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace mlc::serve {

namespace {

template <typename T>
Classes largest(const Tensor &tensor, int64_t rows, int64_t width, int64_t most,
                const std::vector<std::string> &labels) {
  Classes classes;
  std::vector<T> values(width);
  std::vector<int64_t> order(width);
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(values.data(), static_cast<const std::byte *>(tensor.data) + row * width * sizeof(T),
                width * sizeof(T));
    std::iota(order.begin(), order.end(), 0);
    // Values that are not numbers would be no order, so they go last.
    std::partial_sort(order.begin(), order.begin() + most, order.end(), [&](int64_t left, int64_t right) {
      bool leftIsNumber = values[left] == values[left], rightIsNumber = values[right] == values[right];
      if (!leftIsNumber || !rightIsNumber)
        return leftIsNumber && !rightIsNumber;
      return values[left] > values[right] || (values[left] == values[right] && left < right);
    });
    for (int64_t i = 0; i < most; ++i) {
      std::string text = std::to_string(values[order[i]]) + ":" + std::to_string(order[i]);
      if (size_t(order[i]) < labels.size())
        text += ":" + labels[order[i]];
      classes.texts.push_back(std::move(text));
    }
  }
  return classes;
}

Classes largestOf(const Tensor &tensor, int64_t rows, int64_t width, int64_t most,
                  const std::vector<std::string> &labels) {
  switch (tensor.dtype) {
  case MLC_F32:
    return largest<float>(tensor, rows, width, most, labels);
  case MLC_F64:
    return largest<double>(tensor, rows, width, most, labels);
  case MLC_I8:
    return largest<int8_t>(tensor, rows, width, most, labels);
  case MLC_I16:
    return largest<int16_t>(tensor, rows, width, most, labels);
  case MLC_I32:
    return largest<int32_t>(tensor, rows, width, most, labels);
  case MLC_I64:
    return largest<int64_t>(tensor, rows, width, most, labels);
  case MLC_U8:
    return largest<uint8_t>(tensor, rows, width, most, labels);
  case MLC_U16:
    return largest<uint16_t>(tensor, rows, width, most, labels);
  case MLC_U32:
    return largest<uint32_t>(tensor, rows, width, most, labels);
  case MLC_U64:
    return largest<uint64_t>(tensor, rows, width, most, labels);
  default:
    throw Error(Code::invalidArgument, "unsupported classification of output '" + tensor.name + "' of type " +
                                           openInferenceName(tensor.dtype));
  }
}

} // namespace

Classes largestClasses(const Tensor &tensor, uint64_t most, const std::vector<std::string> &labels, bool batched) {
  batched = batched && !tensor.sizes.empty();
  int64_t rows = batched ? tensor.sizes[0] : 1;
  int64_t width = 1;
  for (size_t axis = batched ? 1 : 0; axis < tensor.sizes.size(); ++axis)
    width *= tensor.sizes[axis];
  int64_t count = int64_t(std::min<uint64_t>(most, uint64_t(width)));
  Classes classes;
  if (count > 0) // rows without values may be any number
    classes = largestOf(tensor, rows, width, count, labels);
  if (batched)
    classes.sizes.push_back(rows);
  classes.sizes.push_back(count);
  return classes;
}

} // namespace mlc::serve
