//===- Registration.h - dialects and passes ------------------------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_DRIVER_REGISTRATION_H
#define MLC_LIB_DRIVER_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace mlc {

/// Everything that a compilation needs: our dialects, upstream ones, and their interface models.
void registerDialects(mlir::DialectRegistry &registry);

/// All passes, ours and upstream's, for mlc-opt as an mlir-opt.
void registerPasses();

} // namespace mlc

#endif
