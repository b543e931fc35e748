//===- Passes.h - on the graph, before anything is lowered -------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_GRAPH_PASSES_H
#define MLC_PASSES_GRAPH_PASSES_H

#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Graph/Passes.h.inc"

} // namespace mlc

#endif
