//===- OpenInferenceFuzzer.cpp - requests of the Open Inference Protocol as bytes come
//-----------------------------===//
// The first byte says how a request is read: as JSON, as JSON with binary tensors behind it (the second byte and third
// say how long it is), or as the bytes of one input. Whatever is accepted is read to its last byte, so that a tensor
// that points beyond the request is found.
#include "runtime/serve/rest/BinaryTensors.h"
#include "runtime/serve/rest/Classification.h"
#include "runtime/serve/rest/OpenInferenceJson.h"
#include "runtime/serve/rest/OpenInferencePath.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace mlc::serve;

namespace {

void check(bool holds) {
  if (!holds)
    std::abort();
}

void touch(const InferenceRequest &request) {
  volatile unsigned sum = 0;
  for (const Tensor &input : request.inputs) {
    check(input.bytes == size_t(elementCount(input.sizes)) * elementSize(input.dtype));
    auto bytes = static_cast<const unsigned char *>(input.data);
    for (size_t i = 0; i < input.bytes; ++i)
      sum = sum + bytes[i];
    if (input.dtype == MLC_F32)
      largestClasses(input, 3, {"a", "b"}, !input.sizes.empty() && input.bytes > 0);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3)
    return 0;
  // A copy of exactly these bytes, so that the sanitizer sees what lies behind them; sometimes with room for the
  // parser.
  size_t bytes = size - 3, room = data[0] & 8 ? 64 : 0;
  std::unique_ptr<char[]> copy(new char[bytes + room]());
  std::memcpy(copy.get(), data + 3, bytes);
  std::string_view body(copy.get(), bytes);
  try {
    switch (data[0] & 3) {
    case 0:
    case 1: {
      size_t length = data[0] & 1 ? std::min<size_t>(data[1] | data[2] << 8, bytes) : bytes;
      InferenceRequest request;
      readInferenceRequest(request, body.substr(0, length), body.substr(length), bytes + room);
      touch(request);
      break;
    }
    case 2: {
      Signature signature;
      signature.inputs.push_back({"x", data[1] & 1 ? MLC_F32 : MLC_I8, {}, {}});
      for (int axis = 0; axis < (data[1] >> 1 & 3); ++axis)
        signature.inputs[0].sizes.push_back(data[2] >> 2 * axis & 1 ? -1 : 1 + (data[2] & 2));
      InferenceRequest request;
      readRawRequest(request, body, signature);
      check(request.inputs[0].data == body.data() && request.inputs[0].bytes == bytes);
      break;
    }
    default:
      OpenInferencePath::parse("/v2" + std::string(body));
      readJsonLength(body, bytes);
    }
  } catch (const Error &error) {
    check(error.code == Code::invalidArgument || error.code == Code::unimplemented);
  }
  return 0;
}
