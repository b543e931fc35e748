//===- BinaryTensors.cpp - tensors as bytes behind the JSON ------------------------------------------------------===//
#include "runtime/serve/rest/BinaryTensors.h"

#include "runtime/serve/rest/OpenInferenceJson.h"

#include <charconv>

namespace mlc::serve {

std::optional<size_t> readJsonLength(std::string_view header, size_t bodyBytes) {
  if (header.empty())
    return std::nullopt;
  size_t length = 0;
  auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), length);
  if (error != std::errc() || end != header.data() + header.size() || length > bodyBytes)
    throw Error(Code::invalidArgument, "expected Inference-Header-Content-Length of 0 to " + std::to_string(bodyBytes) +
                                           ", but got " + std::string(header.substr(0, 64)));
  return length;
}

std::string_view takeBinary(std::string_view &rest, size_t bytes, const std::string &input) {
  if (bytes > rest.size())
    throw Error(Code::invalidArgument, "input '" + input + "': expected " + std::to_string(bytes) +
                                           " bytes behind the JSON, but got " + std::to_string(rest.size()));
  std::string_view taken = rest.substr(0, bytes);
  rest.remove_prefix(bytes);
  return taken;
}

std::string binaryStrings(const std::vector<std::string> &texts) {
  std::string bytes;
  for (const std::string &text : texts) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(text.size() >> shift & 255);
    bytes += text;
  }
  return bytes;
}

void readRawRequest(InferenceRequest &request, std::string_view body, const Signature &signature) {
  auto invalid = [](const std::string &message) { return Error(Code::invalidArgument, message); };
  if (signature.inputs.size() != 1)
    throw invalid("expected a model of one input for a raw binary request, but got one of " +
                  std::to_string(signature.inputs.size()));
  const TensorInfo &info = signature.inputs.front();
  Tensor tensor{info.name, info.dtype, info.sizes, body.data(), body.size()};
  std::vector<size_t> unknown;
  size_t known = elementSize(info.dtype);
  for (size_t axis = 0; axis < info.sizes.size(); ++axis) {
    if (info.sizes[axis] < 0)
      unknown.push_back(axis);
    else
      known *= info.sizes[axis];
  }
  if (unknown.size() == 2 && unknown.front() == 0) {
    tensor.sizes[0] = 1;
    unknown.erase(unknown.begin());
  }
  if (unknown.size() > 1)
    throw invalid("expected an input with at most one unknown size for a raw binary request, but got " +
                  sizesText(info.sizes));
  if (!unknown.empty())
    tensor.sizes[unknown.front()] = known ? int64_t(body.size() / known) : 0;
  // Whether the bytes are as many as the sizes say is checked with all other requests.
  request.inputs.push_back(std::move(tensor));
  request.binaryOutputs = true;
}

} // namespace mlc::serve
