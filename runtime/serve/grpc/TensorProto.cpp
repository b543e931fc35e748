//===- TensorProto.cpp - TensorFlow's tensors ---------------------------------------------------------------------===//
#include "runtime/serve/grpc/TensorProto.h"

#include "runtime/serve/Error.h"

#include <algorithm>
#include <cstring>

namespace mlc::serve {

namespace {

using google::protobuf::RepeatedField;
using tensorflow::TensorProto;

/// A few bytes can ask for a large tensor of one repeated element; what that may take.
constexpr int64_t mostRepeatedBytes = int64_t(64) << 20;

/// Calls `use` with the list that has the elements of a type, and with an element of the type; for both directions.
template <typename Proto, typename Use> void withList(mlc_dtype dtype, Proto &proto, Use use) {
  auto list = [&](auto constant, auto writable) -> auto & {
    if constexpr (std::is_const_v<Proto>)
      return (proto.*constant)();
    else
      return *(proto.*writable)();
  };
#define LIST(name, T)                                                                                                  \
  list(static_cast<const RepeatedField<T> &(TensorProto::*)() const>(&TensorProto::name),                              \
       static_cast<RepeatedField<T> *(TensorProto::*)()>(&TensorProto::mutable_##name))
  switch (dtype) {
  case MLC_F32:
    return use(LIST(float_val, float), float());
  case MLC_F64:
    return use(LIST(double_val, double), double());
  case MLC_I32:
    return use(LIST(int_val, int32_t), int32_t());
  case MLC_I16:
    return use(LIST(int_val, int32_t), int16_t());
  case MLC_I8:
    return use(LIST(int_val, int32_t), int8_t());
  case MLC_U16:
    return use(LIST(int_val, int32_t), uint16_t());
  case MLC_U8:
    return use(LIST(int_val, int32_t), uint8_t());
  case MLC_F16:
  case MLC_BF16:
    return use(LIST(half_val, int32_t), uint16_t());
  case MLC_I64:
    return use(LIST(int64_val, int64_t), int64_t());
  case MLC_BOOL:
    return use(LIST(bool_val, bool), bool());
  case MLC_U32:
    return use(LIST(uint32_val, uint32_t), uint32_t());
  case MLC_U64:
    return use(LIST(uint64_val, uint64_t), uint64_t());
  }
#undef LIST
  throw Error(Code::internal, "unknown element type " + std::to_string(dtype));
}

bool hasElements(const TensorProto &proto) {
  return proto.float_val_size() || proto.double_val_size() || proto.int_val_size() || proto.string_val_size() ||
         proto.scomplex_val_size() || proto.int64_val_size() || proto.bool_val_size() || proto.dcomplex_val_size() ||
         proto.half_val_size() || proto.uint32_val_size() || proto.uint64_val_size() || !proto.float8_val().empty();
}

} // namespace

Tensor fromTensorProto(const std::string &name, const TensorProto &proto,
                       std::vector<std::vector<std::byte>> &storage) {
  auto fail = [&](const std::string &expected, const std::string &got) {
    return Error(Code::invalidArgument,
                 "input '" + name.substr(0, 64) + "': expected " + expected + ", but got " + got);
  };
  Tensor tensor{name, fromTensorFlowType(proto.dtype()), {}, nullptr, 0};
  if (proto.tensor_shape().unknown_rank())
    throw fail("a tensor with sizes", "one of unknown rank");
  for (const auto &dim : proto.tensor_shape().dim())
    tensor.sizes.push_back(dim.size());
  int64_t count = elementCount(tensor.sizes);
  tensor.bytes = count * elementSize(tensor.dtype);
  if (const std::string &content = proto.tensor_content(); !content.empty()) {
    if (content.size() != tensor.bytes)
      throw fail(std::to_string(tensor.bytes) + " bytes of tensor_content for sizes " + sizesText(tensor.sizes),
                 std::to_string(content.size()));
    tensor.data = content.data();
    return tensor;
  }
  withList(tensor.dtype, proto, [&]<typename Element, typename T>(const RepeatedField<Element> &list, T) {
    if (list.size() > count)
      throw fail("at most " + std::to_string(count) + " elements for sizes " + sizesText(tensor.sizes),
                 std::to_string(list.size()));
    if (list.empty() && hasElements(proto))
      throw fail(std::string("the list of ") + tensorFlowShortName(tensor.dtype) + " elements", "another one");
    if (std::is_same_v<Element, T> && list.size() == count) {
      tensor.data = list.data();
      return;
    }
    if (list.size() < count && count * static_cast<int64_t>(sizeof(T)) > mostRepeatedBytes)
      throw fail(std::to_string(count) + " elements for sizes " + sizesText(tensor.sizes),
                 std::to_string(list.size()) + ", which are repeated only up to " + std::to_string(mostRepeatedBytes) +
                     " bytes");
    std::vector<std::byte> &data = storage.emplace_back(tensor.bytes);
    auto *at = reinterpret_cast<T *>(data.data());
    std::transform(list.begin(), list.end(), at, [](Element element) { return static_cast<T>(element); });
    std::fill(at + list.size(), at + count, list.empty() ? T() : static_cast<T>(list[list.size() - 1]));
    tensor.data = data.data();
  });
  return tensor;
}

void toTensorProto(const Tensor &tensor, bool asContent, TensorProto &proto) {
  proto.set_dtype(static_cast<tensorflow::DataType>(tensorFlowType(tensor.dtype)));
  auto *shape = proto.mutable_tensor_shape();
  for (int64_t size : tensor.sizes)
    shape->add_dim()->set_size(size);
  if (asContent) {
    proto.set_tensor_content(tensor.data, tensor.bytes);
    return;
  }
  withList(tensor.dtype, proto, [&]<typename Element, typename T>(RepeatedField<Element> &list, T) {
    int count = static_cast<int>(tensor.bytes / sizeof(T));
    list.Resize(count, Element());
    if constexpr (std::is_same_v<Element, T>) {
      if (count)
        std::memcpy(list.mutable_data(), tensor.data, tensor.bytes);
      return;
    }
    for (int i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, static_cast<const std::byte *>(tensor.data) + i * sizeof(T), sizeof(T));
      list[i] = value;
    }
  });
}

} // namespace mlc::serve
