//===- Registration.h - dialects and passes -----------------------------------------------------------*- C++ -*-===//
#ifndef MLC_LIB_DRIVER_REGISTRATION_H
#define MLC_LIB_DRIVER_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"

namespace mlc {

/// Everything that a compilation needs: our dialects, upstream ones, and their interface models.
void registerDialects(mlir::DialectRegistry &registry);

/// Loads those that a compilation uses. Each canonicalization looks through the patterns of all that are loaded.
void loadDialects(mlir::MLIRContext &context);

/// All passes, ours and upstream's, for mlc-opt as an mlir-opt.
void registerPasses();

} // namespace mlc

#endif
