//===- Safetensors.h - named tensors in a file ------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_SAFETENSORS_H
#define MLC_RUNTIME_TRAIN_SAFETENSORS_H

#include "runtime/train/Array.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mlc::train {

/// What a .safetensors file holds.
struct Tensors final {
  std::map<std::string, Array> arrays; ///< views of the mapped file
  std::map<std::string, std::string> metadata;
};

/// Reads and checks a file: a header of at most 100 MB, no holes, no overlaps, no duplicates. Throws InputError.
Tensors readSafetensors(const std::string &path);

/// Writes a file that appears complete (see AtomicFile). Throws InputError.
void writeSafetensors(const std::string &path, const std::vector<std::pair<std::string, Array>> &arrays,
                      const std::map<std::string, std::string> &metadata);

} // namespace mlc::train

#endif
