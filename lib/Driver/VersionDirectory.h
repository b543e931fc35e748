//===- VersionDirectory.h - a compiled model as servers take it ----------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_DRIVER_VERSIONDIRECTORY_H
#define MLC_LIB_DRIVER_VERSIONDIRECTORY_H

#include "lib/Driver/CompileOptions.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

namespace mlc {

/// Whether an output is a version directory: it ends with '/', or is a folder that is called by a number.
bool isVersionDirectory(llvm::StringRef output);

/// Whether its name is a version: a decimal number.
bool hasVersionNumber(llvm::StringRef output);

/// Has a library compiled for the version directory `options.output`, which appears complete or not at all: library,
/// external weights, labels, and manifest.json with the hashes of all of them. One that is there is replaced.
ExitCode compileVersionDirectory(const CompileOptions &options,
                                 llvm::function_ref<ExitCode(const CompileOptions &)> compileLibrary);

} // namespace mlc

#endif
