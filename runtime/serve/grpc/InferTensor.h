//===- InferTensor.h - tensors of the Open Inference Protocol ------------------------------------------ -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_GRPC_INFERTENSOR_H
#define MLC_RUNTIME_SERVE_GRPC_INFERTENSOR_H

#include "inference.pb.h"
#include "runtime/serve/Tensor.h"

#include <span>
#include <vector>

namespace mlc::serve {

/// The inputs of a request. Their data lies in the message where that has it raw, or in a list of elements of the
/// tensor's own width; otherwise in `storage`. Throws Error INVALID_ARGUMENT.
std::vector<Tensor> fromInferRequest(const inference::ModelInferRequest &request,
                                     std::vector<std::vector<std::byte>> &storage);

/// Adds the outputs to an answer, raw. Costs one copy.
void toInferResponse(std::span<const Tensor> outputs, inference::ModelInferResponse &response);

} // namespace mlc::serve

#endif
