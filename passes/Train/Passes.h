//===- Passes.h - from a model to a training program ---------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_TRAIN_PASSES_H
#define MLC_PASSES_TRAIN_PASSES_H

#include "dialects/Train/TrainDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Train/Passes.h.inc"

} // namespace mlc

#endif
