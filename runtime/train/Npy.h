//===- Npy.h - NumPy's .npy and .npz files ----------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_NPY_H
#define MLC_RUNTIME_TRAIN_NPY_H

#include "runtime/train/Array.h"
#include "runtime/train/File.h"

#include <map>
#include <string>
#include <utility>

namespace mlc::train {

/// Reads a .npy file, mapped where it is little-endian and in C order. Throws InputError that names `name`.
Array readNpy(const MappedFile &file, const std::string &name);

/// Reads all arrays of a .npz file; what is stored without compression stays mapped. Throws InputError.
std::map<std::string, Array> readNpz(const std::string &path);

/// Writes one array as .npy, or any number as .npz (stored), by the ending of `path`. Throws InputError.
void writeArrays(const std::string &path, const std::vector<std::pair<std::string, Array>> &arrays);

} // namespace mlc::train

#endif
