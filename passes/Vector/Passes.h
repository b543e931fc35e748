//===- Passes.h - register tiles: chosen on tensors, written out on memory --------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_PASSES_H
#define MLC_PASSES_VECTOR_PASSES_H

#include "dialects/Kernel/KernelDialect.h"
#include "dialects/Rt/RtDialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace mlc {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Vector/Passes.h.inc"

} // namespace mlc

#endif
