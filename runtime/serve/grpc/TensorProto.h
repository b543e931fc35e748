//===- TensorProto.h - TensorFlow's tensors ----------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_TENSORPROTO_H
#define MLC_RUNTIME_SERVE_GRPC_TENSORPROTO_H

#include "runtime/serve/Tensor.h"
#include "tensorflow.pb.h"

#include <string>
#include <vector>

namespace mlc::serve {

/// A tensor of a request. Its data lies in the message where that has it dense: as tensor_content, or as a list of
/// elements of the tensor's own width; otherwise in `storage`. A list that is too short repeats its last element, and
/// no element at all means zeros. Throws Error INVALID_ARGUMENT.
Tensor fromTensorProto(const std::string &name, const tensorflow::TensorProto &proto,
                       std::vector<std::vector<std::byte>> &storage);

/// A tensor of an answer, as tensor_content or as a list of elements. Costs one copy.
void toTensorProto(const Tensor &tensor, bool asContent, tensorflow::TensorProto &proto);

} // namespace mlc::serve

#endif
