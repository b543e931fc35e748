//===- Tasks.h - the work of a kernel as tasks on threads ----------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_TASKS_H
#define MLC_PASSES_VECTOR_TASKS_H

#include "passes/Vector/Strided.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlc {

/// A kernel function and the calls of it.
struct Kernel {
  mlir::func::FuncOp function;
  llvm::SmallVector<mlir::func::CallOp> calls;
};

/// The calls of every function of `module`.
llvm::MapVector<mlir::func::FuncOp, llvm::SmallVector<mlir::func::CallOp>> callsOf(mlir::ModuleOp module);

/// Whether all operands of `op` are arguments of `kernel`, so that its callers can count its tasks.
bool canRunAsTasks(mlir::Operation *op, const Kernel &kernel);

/// The range of tasks that `kernel`, a function around `op`, is to compute, as two new arguments. Its calls become
/// parallel loops over `count(arithmetic, operands of op as the caller has them)` tasks, at least `grain` of them for a
/// thread.
std::pair<Index, Index> runAsTasks(mlir::Operation *op, const Kernel &kernel, int64_t grain,
                                   llvm::function_ref<Index(Arithmetic &, mlir::ValueRange)> count);

} // namespace mlc

#endif
