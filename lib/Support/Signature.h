//===- Signature.h - what a model takes and gives ---------------------------------------------------------------===//
//
// The one description of a model's inputs, outputs and symbolic sizes that the compiler hands from the IR to whatever
// writes something for the outside: the descriptor in the object file, the C header, `.pc` and CMake files.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_SIGNATURE_H
#define MLC_LIB_SUPPORT_SIGNATURE_H

#include "mlc/abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mlc {

/// One input or output.
struct TensorSignature {
  /// The name in the source model, any UTF-8.
  std::string name;
  mlc_dtype dtype;
  /// Sizes, MLC_DYNAMIC_SIZE where known only at run time.
  std::vector<int64_t> sizes;
  /// For each size, the index of its symbol in ModelSignature::symbols, or -1 (static, or computed by the model).
  std::vector<int32_t> symbols;
};

/// One step of the generated code, as mlc_node_info.
struct NodeSignature {
  std::string name, kind;
  uint64_t flops = 0, bytes = 0;
};

struct ModelSignature {
  /// C identifier that the exported functions are named after.
  std::string name;
  std::vector<TensorSignature> inputs;
  std::vector<TensorSignature> outputs;
  /// Symbolic sizes in the order they first appear in the inputs; each appears in at least one input.
  std::vector<std::string> symbols;
  /// A JSON object: producer, opset, target and the source's own key/value pairs.
  std::string metadata = "{}";
  /// Size of the blob of weights in bytes.
  uint64_t weightsBytes = 0;
};

} // namespace mlc

#endif
