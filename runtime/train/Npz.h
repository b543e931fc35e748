//===- Npz.h - NumPy's .npz files -------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_NPZ_H
#define MLC_RUNTIME_TRAIN_NPZ_H

#include "runtime/train/Array.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mlc::train {

/// Reads all arrays of a .npz file; what is stored without compression stays mapped. Throws InputError.
std::map<std::string, Array> readNpz(const std::string &path);

/// Writes one array as .npy, or any number as .npz (stored), by the ending of `path`. Throws InputError.
void writeArrays(const std::string &path, const std::vector<std::pair<std::string, Array>> &arrays);

} // namespace mlc::train

#endif
