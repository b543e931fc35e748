//===- InputError.h - what is the user's fault ------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_INPUTERROR_H
#define MLC_RUNTIME_TRAIN_INPUTERROR_H

#include <stdexcept>
#include <string>

namespace mlc::train {

/// A file, an array or a disk is at fault: exit code 1. The message names it, what was expected and what came.
struct InputError final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The command line is at fault: exit code 2.
struct UsageError final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace mlc::train

#endif
