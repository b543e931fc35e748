//===- Safetensors.h - reading a file of named tensors -----------------------------------------------------------===//
//
// The format: the length N of the header (u64, little-endian), N bytes of JSON that give every name its dtype, shape
// and place, then the bytes of all tensors, row-major, without holes. They stay in the mapped file.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_SAFETENSORS_H
#define MLC_LIB_SUPPORT_SAFETENSORS_H

#include "lib/Support/WeightStore.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mlc {

class Safetensors {
public:
  struct Tensor {
    /// As the format writes it: "F32".
    std::string dtype;
    std::vector<int64_t> shape;
    llvm::ArrayRef<char> bytes;
  };

  /// Reads the header of `path`, which `weights` maps and keeps. Fails with what is wrong with the file.
  static llvm::Expected<Safetensors> open(llvm::StringRef path, WeightStore &weights);

  /// The tensor of a name, or null.
  const Tensor *find(llvm::StringRef name) const;
  const std::map<std::string, Tensor> &all() const { return tensors; }
  std::vector<std::string> names() const;

  const std::string &path() const { return file; }

  /// Why `tensor` cannot be a weight of `type`; empty where it can.
  static std::string mismatch(const Tensor &tensor, mlir::RankedTensorType type);

private:
  std::string file;
  std::map<std::string, Tensor> tensors;
};

/// What a file of weights says of a model: each weight has a tensor of its name, shape and dtype, and no tensor is left
/// over. Collects everything that is wrong.
class WeightMatcher {
public:
  explicit WeightMatcher(const Safetensors &file) : file(file) {}

  /// The bytes for a weight of the model, or nothing where there are none that fit; a `required` one must be there.
  std::optional<llvm::ArrayRef<char>> match(llvm::StringRef name, mlir::RankedTensorType type, bool required = true);

  /// All that is wrong, once every weight was asked for: one line each, empty when nothing is.
  std::vector<std::string> problems() const;

private:
  const Safetensors &file;
  std::vector<std::string> found, wrong, missing;
};

} // namespace mlc

#endif
