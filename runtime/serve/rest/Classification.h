//===- Classification.h - Triton's classification extension -------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_REST_CLASSIFICATION_H
#define MLC_RUNTIME_SERVE_REST_CLASSIFICATION_H

#include "runtime/serve/Tensor.h"

namespace mlc::serve {

/// The largest values of a tensor as texts "value:index" or "value:index:label", the largest first.
struct Classes final {
  std::vector<int64_t> sizes; ///< [count], or [rows, count] of a batch
  std::vector<std::string> texts;
};

/// `most` classes of each row, or of the whole tensor where it is not a batch; all where there are fewer. Throws Error
/// for element types without an order.
Classes largestClasses(const Tensor &tensor, uint64_t most, const std::vector<std::string> &labels, bool batched);

} // namespace mlc::serve

#endif
