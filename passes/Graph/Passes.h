//===- Passes.h - on graph ops, before there are loops -------------------------------------------------*- C++ -*--===//
#ifndef MLC_PASSES_GRAPH_PASSES_H
#define MLC_PASSES_GRAPH_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#include "passes/Graph/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/Graph/Passes.h.inc"

} // namespace mlc

#endif
