//===- Npy.h - NumPy's .npy files -------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_TOOLS_MLC_RUN_NPY_H
#define MLC_TOOLS_MLC_RUN_NPY_H

#include "mlc/runtime.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mlc {

/// A tensor that owns its elements: dense, row-major, little-endian.
struct Array {
  mlc_dtype dtype = MLC_F32;
  std::vector<int64_t> sizes;
  std::vector<char> bytes;
};

/// Bytes of an element of `dtype`.
size_t elementBytes(mlc_dtype dtype);

/// The number of elements of `sizes`.
int64_t elementCount(const std::vector<int64_t> &sizes);

/// Reads a file; throws std::runtime_error that names it. Fortran order is transposed. Two-byte voids are bf16, as
/// ml_dtypes saves them.
Array readNpy(const std::string &path);

/// Writes a file (under a temporary name first); throws std::runtime_error.
void writeNpy(const std::string &path, mlc_dtype dtype, const std::vector<int64_t> &sizes, const void *data);

} // namespace mlc

#endif
