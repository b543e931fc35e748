//===- GraphDialect.h - the graph dialect and its ops ------------------------------------------------*- C++ -*--===//
//
// What a model computes: pure ops on ranked tensors with symbolic sizes. See GraphOps.td.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_GRAPHDIALECT_H
#define MLC_DIALECTS_GRAPH_GRAPHDIALECT_H

#include "dialects/Graph/Sizes.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlc::graph {
class GradientBuilder;
} // namespace mlc::graph

#include "dialects/Graph/GraphDialect.h.inc"
#include "dialects/Graph/GraphEnums.h.inc"
#include "dialects/Graph/GraphInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphOps.h.inc"

namespace mlc::graph {

/// The type of the scalars that `element` computes with: signless, halves widened to f32.
mlir::Type getComputeType(mlir::Type element);

/// The type that stands for `element` below the graph dialect: signless.
mlir::Type getStorageType(mlir::Type element);

/// A rank-0 constant of a numeric element type; integers truncate `value`.
mlir::Value buildScalarConstant(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element, double value);

/// Whether `op` may stand in the body of a parameter: lib/Support/WeightEvaluation.cpp computes it, on static shapes.
bool isEvaluable(mlir::Operation *op);

/// The bytes that a dense tensor takes; a boolean takes one.
int64_t getByteSize(mlir::RankedTensorType type);

/// A weight at its place in the blob that a compiled model reads.
struct PlacedWeight {
  ParameterOp parameter;
  /// Byte offset in the blob, a multiple of 64.
  int64_t offset;
  int64_t bytes;
};

/// Places the parameters of `module` that are read in the order of their declaration; whoever writes or reads the blob
/// asks here.
llvm::SmallVector<PlacedWeight> placeWeights(mlir::Operation *module);

/// The parameters that are read, also by the bodies of others, and are not computed from others themselves.
llvm::SmallVector<ParameterOp> getStoredParameters(mlir::Operation *module);

/// Replaces an op on few, small integer tensors whose elements are known one by one (constants, tensor.from_elements)
/// by scalar arithmetic and one tensor.from_elements, so that shape computations fold away. Fails when it does not
/// apply.
llvm::LogicalResult scalarizeShapeArithmetic(mlir::Operation *op, mlir::RewriterBase &rewriter);

} // namespace mlc::graph

#endif
