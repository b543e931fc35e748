//===- Passes.h - from tensors to planned memory ------------------------------------------------------*- C++ -*--===//
#ifndef MLC_PASSES_BUFFER_PASSES_H
#define MLC_PASSES_BUFFER_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#include "passes/Buffer/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Buffer/Passes.h.inc"

} // namespace mlc

#endif
