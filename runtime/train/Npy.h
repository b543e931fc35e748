//===- Npy.h - NumPy's .npy files -------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_NPY_H
#define MLC_RUNTIME_TRAIN_NPY_H

#include "runtime/train/Array.h"
#include "runtime/train/File.h"

#include <string>

namespace mlc::train {

/// Reads a .npy file, mapped where it is little-endian and in C order. Two-byte voids are bf16, as ml_dtypes saves
/// them. Throws InputError that names `name`.
Array readNpy(const MappedFile &file, const std::string &name);

/// Writes a file that appears complete; see AtomicFile for `isDurable`. Throws InputError.
void writeNpy(const std::string &path, const Array &array, bool isDurable = true);

/// What is before the elements in a .npy file.
std::string npyHeader(const Array &array);

} // namespace mlc::train

#endif
