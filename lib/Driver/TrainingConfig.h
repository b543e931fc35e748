//===- TrainingConfig.h - what is said about training, between command line, IR and runtime ---------------*- C++
//-*-===//
#ifndef MLC_LIB_DRIVER_TRAININGCONFIG_H
#define MLC_LIB_DRIVER_TRAININGCONFIG_H

#include "lib/Driver/CompileOptions.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace mlc {

/// An attribute as JSON: dictionaries, arrays, strings, numbers, booleans.
std::string toJson(mlir::Attribute attribute);

/// Adds a `train.program` for `model` as the command line describes it, where the module has none; what the command
/// line says wins over what a `train` block does. Marks frozen parameters, and with `reinitialize` gives all others
/// initializers. Fails for what cannot be.
llvm::Error configureTraining(mlir::ModuleOp module, mlir::func::FuncOp model, const CompileOptions &options);

/// The samples of a training step, where the executable is not told another number.
int64_t samplesOfStep(mlir::ModuleOp module);

} // namespace mlc

#endif
