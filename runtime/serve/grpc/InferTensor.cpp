//===- InferTensor.cpp - tensors of the Open Inference Protocol ---------------------------------------------------===//
#include "runtime/serve/grpc/InferTensor.h"

#include "runtime/serve/Error.h"

#include <algorithm>

namespace mlc::serve {

namespace {

using google::protobuf::RepeatedField;
using inference::InferTensorContents;

int64_t elementsInLists(const InferTensorContents &contents) {
  return int64_t(contents.bool_contents_size()) + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

/// Calls `use` with the list that has the elements of a type, and with an element of the type.
template <typename Use> void withList(mlc_dtype dtype, const InferTensorContents &contents, Use use) {
  switch (dtype) {
  case MLC_BOOL:
    return use(contents.bool_contents(), bool());
  case MLC_I8:
    return use(contents.int_contents(), int8_t());
  case MLC_I16:
    return use(contents.int_contents(), int16_t());
  case MLC_I32:
    return use(contents.int_contents(), int32_t());
  case MLC_I64:
    return use(contents.int64_contents(), int64_t());
  case MLC_U8:
    return use(contents.uint_contents(), uint8_t());
  case MLC_U16:
    return use(contents.uint_contents(), uint16_t());
  case MLC_U32:
    return use(contents.uint_contents(), uint32_t());
  case MLC_U64:
    return use(contents.uint64_contents(), uint64_t());
  case MLC_F32:
    return use(contents.fp32_contents(), float());
  case MLC_F64:
    return use(contents.fp64_contents(), double());
  case MLC_F16:
  case MLC_BF16:
    break;
  }
  throw Error(Code::invalidArgument,
              std::string("unsupported contents of type ") + openInferenceName(dtype) + "; raw_input_contents are");
}

} // namespace

std::vector<Tensor> fromInferRequest(const inference::ModelInferRequest &request,
                                     std::vector<std::vector<std::byte>> &storage) {
  bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size())
    throw Error(Code::invalidArgument, "expected raw_input_contents for each of " +
                                           std::to_string(request.inputs_size()) + " inputs, but got " +
                                           std::to_string(request.raw_input_contents_size()));
  std::vector<Tensor> tensors;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const auto &input = request.inputs(i);
    auto fail = [&](const std::string &expected, const std::string &got) {
      return Error(Code::invalidArgument,
                   "input '" + input.name().substr(0, 64) + "': expected " + expected + ", but got " + got);
    };
    Tensor tensor{input.name(), fromOpenInferenceName(input.datatype()), {}, nullptr, 0};
    tensor.sizes.assign(input.shape().begin(), input.shape().end());
    int64_t count = elementCount(tensor.sizes);
    tensor.bytes = count * elementSize(tensor.dtype);
    if (raw) {
      if (input.has_contents() && elementsInLists(input.contents()) > 0)
        throw fail("either contents or raw_input_contents", "both");
      const std::string &content = request.raw_input_contents(i);
      if (content.size() != tensor.bytes)
        throw fail(std::to_string(tensor.bytes) + " bytes for sizes " + sizesText(tensor.sizes),
                   std::to_string(content.size()));
      tensor.data = content.data();
    } else {
      withList(tensor.dtype, input.contents(),
               [&]<typename Element, typename T>(const RepeatedField<Element> &list, T) {
                 if (list.size() != count || elementsInLists(input.contents()) != count)
                   throw fail(std::to_string(count) + " elements of " + openInferenceName(tensor.dtype) +
                                  " for sizes " + sizesText(tensor.sizes),
                              list.size() != count ? std::to_string(list.size()) : "others as well");
                 if (std::is_same_v<Element, T>) {
                   tensor.data = list.data();
                   return;
                 }
                 std::vector<std::byte> &data = storage.emplace_back(tensor.bytes);
                 auto *at = reinterpret_cast<T *>(data.data());
                 for (Element element : list) {
                   if (element != static_cast<Element>(static_cast<T>(element)))
                     throw fail(openInferenceName(tensor.dtype), std::to_string(element));
                   *at++ = static_cast<T>(element);
                 }
                 tensor.data = data.data();
               });
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void toInferResponse(std::span<const Tensor> outputs, inference::ModelInferResponse &response) {
  for (const Tensor &output : outputs) {
    auto *tensor = response.add_outputs();
    tensor->set_name(output.name);
    tensor->set_datatype(openInferenceName(output.dtype));
    tensor->mutable_shape()->Add(output.sizes.begin(), output.sizes.end());
    response.add_raw_output_contents(output.data, output.bytes);
  }
}

} // namespace mlc::serve
