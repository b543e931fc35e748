//===- Passes.h - conversions between levels ---------------------------------------------------------*- C++ -*--===//
#ifndef MLC_PASSES_CONVERSION_PASSES_H
#define MLC_PASSES_CONVERSION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#include "passes/Conversion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Conversion/Passes.h.inc"

} // namespace mlc

#endif
