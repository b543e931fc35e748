//===- Passes.h - on linalg ops, before there is memory ------------------------------------------------*- C++ -*--===//
#ifndef MLC_PASSES_LINALG_PASSES_H
#define MLC_PASSES_LINALG_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#include "passes/Linalg/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Linalg/Passes.h.inc"

} // namespace mlc

#endif
