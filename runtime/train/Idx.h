//===- Idx.h - the format of MNIST ------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_IDX_H
#define MLC_RUNTIME_TRAIN_IDX_H

#include "runtime/train/Array.h"

namespace mlc::train {

/// Reads an IDX file, also compressed by gzip: two zero bytes, a type, a rank, big-endian extents, the elements.
/// Throws InputError that names the file.
Array readIdx(const std::string &path);

/// Whether the file begins like one (behind gzip, where it is compressed).
bool isIdx(const std::string &path);

} // namespace mlc::train

#endif
