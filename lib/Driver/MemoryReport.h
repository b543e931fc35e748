//===- MemoryReport.h - how a training step fits into its memory ------------------------------------------*- C++
//-*-===//
#ifndef MLC_LIB_DRIVER_MEMORYREPORT_H
#define MLC_LIB_DRIVER_MEMORYREPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace mlc {

/// The budget, what the entry takes, and a table of the values that it computes twice (the attribute `rt.memory` that
/// `buffer-rematerialize` leaves).
std::string formatMemory(mlir::func::FuncOp entry);

} // namespace mlc

#endif
