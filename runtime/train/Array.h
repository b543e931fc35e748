//===- Array.h - tensors of files -------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_ARRAY_H
#define MLC_RUNTIME_TRAIN_ARRAY_H

#include "mlc/runtime.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlc::train {

/// A dense, row-major tensor; its bytes belong to `owner` (a mapped file, or memory).
struct Array final {
  mlc_dtype dtype = MLC_F32;
  std::vector<int64_t> sizes;
  const char *data = nullptr;
  std::shared_ptr<const void> owner;

  /// An array of new memory, which `mutableData` writes.
  static Array make(mlc_dtype dtype, std::vector<int64_t> sizes);
  char *mutableData() { return const_cast<char *>(data); }
  int64_t count() const;
  uint64_t bytes() const;
};

/// Bytes of an element.
size_t elementBytes(uint32_t dtype);

/// "f32", as messages and models write it.
const char *dtypeName(uint32_t dtype);

/// "[60000, 28, 28]"; a size that is not known is N.
std::string shapeText(const std::vector<int64_t> &sizes);

/// Converts `count` elements; floats become integers by truncation, anything becomes a boolean by != 0.
void convertElements(uint32_t fromType, const void *from, uint32_t toType, void *to, int64_t count);

} // namespace mlc::train

#endif
