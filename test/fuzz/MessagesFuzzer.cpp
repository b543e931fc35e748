//===- MessagesFuzzer.cpp - messages of gRPC, from the message to the tensors -------------------------------------===//
//
// The first character says which message the rest is, in protobuf's text format. Whatever it says, it becomes tensors
// whose data can be read to their last byte, or is refused with an Error.
//
//===--------------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/Error.h"
#include "runtime/serve/Examples.h"
#include "runtime/serve/grpc/InferTensor.h"
#include "runtime/serve/grpc/TensorProto.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cstdlib>

using namespace mlc::serve;

namespace {

struct Silent final : google::protobuf::io::ErrorCollector {
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string &) override {}
};

template <typename Message> bool parse(const std::string &text, Message &message) {
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  return parser.ParseFromString(text, &message);
}

void touch(const Tensor &tensor) {
  if (tensor.bytes != size_t(elementCount(tensor.sizes)) * elementSize(tensor.dtype))
    std::abort();
  volatile unsigned sum = 0;
  for (size_t i = 0; i < tensor.bytes; ++i)
    sum = sum + static_cast<const unsigned char *>(tensor.data)[i];
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string text(reinterpret_cast<const char *>(data) + 1, size - 1);
  std::vector<std::vector<std::byte>> storage;
  try {
    if (data[0] == 't') {
      if (tensorflow::TensorProto proto; parse(text, proto))
        touch(fromTensorProto("x", proto, storage));
    } else if (data[0] == 'i') {
      if (inference::ModelInferRequest request; parse(text, request))
        for (const Tensor &tensor : fromInferRequest(request, storage))
          touch(tensor);
    } else if (tensorflow::serving::Input input; parse(text, input)) {
      Signature signature{
          {{"x", data[0] & 1 ? MLC_F32 : MLC_U8, {-1, -1}, {0, 1}}, {"y", MLC_BF16, {-1, 2}, {0, -1}}}, {}, {"N", "D"}};
      if (data[0] & 2)
        signature.inputs.pop_back();
      ExampleInputs inputs = toInputs(input, signature);
      for (const Tensor &tensor : inputs.tensors)
        touch(tensor);
    }
  } catch (const Error &) {
  }
  return 0;
}
