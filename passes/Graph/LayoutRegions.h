//===- LayoutRegions.h - which convolutions keep their channels first ----------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_GRAPH_LAYOUTREGIONS_H
#define MLC_PASSES_GRAPH_LAYOUTREGIONS_H

#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace mlc::graph {

/// Whether the value costs nothing to transpose: it is a weight, a constant, computed from them, or has one element in
/// all axes but one.
bool isFreeToTranspose(mlir::Value value, unsigned depth = 0);

/// The convolutions that are cheaper with the channels first, because those around them do not make up for the
/// transpositions at the border of their region.
llvm::DenseSet<mlir::Operation *> chooseChannelsFirst(mlir::func::FuncOp function);

} // namespace mlc::graph

#endif
