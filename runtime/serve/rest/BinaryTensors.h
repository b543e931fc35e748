//===- BinaryTensors.h - tensors as bytes behind the JSON ---------------------------------------------- -*- C++
//-*-===//
// The Open Inference Protocol's binary tensor extension: little-endian, row-major, no padding, in the order of the
// JSON. An element of strings is a length of 4 bytes and the bytes.
#ifndef MLC_RUNTIME_SERVE_REST_BINARYTENSORS_H
#define MLC_RUNTIME_SERVE_REST_BINARYTENSORS_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::serve {

/// What the header Inference-Header-Content-Length says: how much of the body is JSON; nothing where there is no such
/// header. Throws Error where it is not a number, or larger than the body.
std::optional<size_t> readJsonLength(std::string_view header, size_t bodyBytes);

/// Takes the next tensor's bytes from the front of `rest`. Throws Error where there are fewer.
std::string_view takeBinary(std::string_view &rest, size_t bytes, const std::string &input);

/// A tensor of strings.
std::string binaryStrings(const std::vector<std::string> &texts);

} // namespace mlc::serve

#endif
