//===- RtDialect.h - what generated code asks of the runtime -----------------------------------------*- C++ -*--===//
//
// The other side of mlc/abi.h. See RtDialect.td.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_RT_RTDIALECT_H
#define MLC_DIALECTS_RT_RTDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Rt/RtDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Rt/RtTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Rt/RtOps.h.inc"

namespace mlc::rt {

/// Whether a function is an entry: public, from a frame alone. Others with a body are kernels.
bool isEntry(mlir::FunctionOpInterface function);

} // namespace mlc::rt

#endif
