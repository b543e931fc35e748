//===- ResolvedShapes.h - the sizes of all values of a function ------------------------------------*- C++ -*---===//
//
// Computes every size once, so that "the same N" is a comparison of values. Whoever needs it builds index arithmetic in
// the function; what stays unused is dropped by the next canonicalization.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_RESOLVEDSHAPES_H
#define MLC_DIALECTS_GRAPH_RESOLVEDSHAPES_H

#include "dialects/Graph/Sizes.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mlc::graph {

/// The sizes of tensors, each computed once.
using ResolvedShapes = llvm::DenseMap<mlir::Value, Shape>;

/// Computes the sizes of all results of graph ops in `root` and of the block arguments they use. Builds index
/// arithmetic before the ops; equal computations in one block are built once.
ResolvedShapes resolveShapes(mlir::Operation *root);

/// The symbols of a value's sizes (`mlc.symbols`): those of the arguments of the function that they come from; "" for a
/// size that is static or computed.
mlir::ArrayAttr getSymbols(mlir::FunctionOpInterface function, mlir::Value value, const ResolvedShapes &shapes);

} // namespace mlc::graph

#endif
