//===- OpenInferenceJson.h - inference requests and answers of the Open Inference Protocol ------------- -*- C++
//-*-===//
// A request is JSON, with the data of tensors in it or behind it (BinaryTensors.h). Numbers are read straight into the
// buffers that the model gets, binary tensors stay where they are in the request's body; outputs are copied once, into
// the answer's body. Memory for JSON data is at most 8 bytes for each byte of the body.
#ifndef MLC_RUNTIME_SERVE_REST_OPENINFERENCEJSON_H
#define MLC_RUNTIME_SERVE_REST_OPENINFERENCEJSON_H

#include "runtime/serve/Explanation.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::serve {

/// An inference request as it is written.
struct InferenceRequest final {
  struct Output final {
    std::string name;
    std::optional<bool> binary; ///< the answer's form; `binaryOutputs` where it says nothing
    uint64_t classes = 0;       ///< Triton's classification: that many of the largest values; 0 for the tensor itself
  };
  std::string id;
  std::vector<Tensor> inputs; ///< data in `storage` or in the request's body
  std::vector<std::unique_ptr<std::byte[]>> storage;
  std::vector<Output> outputs; ///< that are asked for; empty for all
  bool binaryOutputs = false;
  uint32_t priority = 0;
  std::chrono::microseconds timeout{0}; ///< 0 for none
  ExplanationParameters explanation;
};

/// Reads a request: `json` is the first part of a body, the binary tensors are the rest of it. What is behind `json` in
/// memory, up to `readable` bytes from its start, may be read (not used), which saves a copy. Throws Error; the id is
/// known then, where it could be read.
void readInferenceRequest(InferenceRequest &request, std::string_view json, std::string_view binary, size_t readable);

/// A request that is nothing but the bytes of the model's only input, of which one size may be unknown; with another
/// one in axis 0, which is 1 then. The outputs are binary. Throws Error.
void readRawRequest(InferenceRequest &request, std::string_view body, const Signature &signature);

/// The answer: JSON, and the binary outputs behind it.
struct InferenceAnswer final {
  std::string body;
  size_t jsonBytes = 0; ///< for the header Inference-Header-Content-Length; 0 where the whole body is JSON
};

/// Writes the answer of a version to a request. Throws Error where an output cannot be written as it was asked for.
InferenceAnswer writeInferenceAnswer(const Version &version, const InferenceRequest &request,
                                     std::span<const Tensor> outputs);

} // namespace mlc::serve

#endif
