//===- WeightMatcher.h - the weights of a model in a file of named tensors ---------------------------------------===//
//
// The file is a .safetensors file, which runtime/train reads, as training executables write it. The bytes stay in the
// mapped file.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_WEIGHTMATCHER_H
#define MLC_LIB_SUPPORT_WEIGHTMATCHER_H

#include "lib/Support/WeightStore.h"
#include "runtime/train/Safetensors.h"

#include "mlir/IR/BuiltinTypes.h"

namespace mlc {

/// What a file of weights says of a model: each weight has a tensor of its name, shape and dtype, and no tensor is left
/// over. Collects everything that is wrong.
class WeightMatcher {
public:
  /// Reads the header of `path`, whose bytes `weights` keeps. Fails with what is wrong with the file.
  static llvm::Expected<WeightMatcher> open(llvm::StringRef path, WeightStore &weights);

  /// The bytes for a weight of the model, or nothing where there are none that fit; a `required` one must be there.
  std::optional<llvm::ArrayRef<char>> match(llvm::StringRef name, mlir::RankedTensorType type, bool required = true);

  /// All that is wrong, once every weight was asked for: one line each, empty when nothing is.
  std::vector<std::string> problems() const;

private:
  std::string path;
  std::map<std::string, train::Array> tensors;
  std::vector<std::string> found, wrong, missing;
};

} // namespace mlc

#endif
