//===- Reverse.h - the cotangents of the values of a block ------------------------------------------*- C++ -*---===//
//
// Reverse mode. From some values of a block back through its ops, each op's vector-Jacobian product makes cotangents of
// its operands of those of its results; what reaches a value from several uses is added up, last use first, so that
// sums have one order. A branch is computed again where its cotangents are. Cost: linear in the ops of the block.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_GRADIENTS_REVERSE_H
#define MLC_DIALECTS_GRAPH_GRADIENTS_REVERSE_H

#include "dialects/Graph/Gradients/GradientBuilder.h"
#include "dialects/Graph/ResolvedShapes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlc::graph {

class Reverse final {
public:
  /// Builds where `builder` is, which has to see the values of the block, or to be given them later.
  Reverse(mlir::OpBuilder &builder, ResolvedShapes &shapes) : b(builder), shapes(shapes) {}

  /// Asked for a needed operand of an op with its only result's cotangent: whether someone else sees to it.
  using Elsewhere = llvm::function_ref<bool(mlir::OpOperand &operand, mlir::Value cotangent)>;

  /// What depends on `leaves` before `end`: the values that may have a cotangent, and the ops in `path`, if it is
  /// there.
  static llvm::DenseSet<mlir::Value> findActive(mlir::Block *block, mlir::Block::iterator end, mlir::ValueRange leaves,
                                                llvm::SmallVectorImpl<mlir::Operation *> *path = nullptr);

  /// Adds to what is known of a value's cotangent.
  void add(mlir::Value value, mlir::Value cotangent, mlir::Location loc);
  /// The cotangent of a value, or null where nothing reached it.
  mlir::Value lookup(mlir::Value value) const { return cotangents.lookup(value); }
  /// The cotangent of a value, in its own type; zeros where nothing reached it.
  mlir::Value finish(mlir::Value value, mlir::Location loc);

  /// Walks back from `end` to the begin of its block, as far as ops depend on `leaves`.
  llvm::LogicalResult run(mlir::Block *block, mlir::Block::iterator end, mlir::ValueRange leaves,
                          Elsewhere elsewhere = nullptr);

private:
  llvm::LogicalResult visit(mlir::Operation *op, llvm::ArrayRef<mlir::Value> ofResults, Elsewhere elsewhere);
  llvm::LogicalResult visitBranch(mlir::scf::IfOp op, llvm::ArrayRef<mlir::Value> ofResults);
  void replace(mlir::Operation *op, mlir::ValueRange results);

  mlir::OpBuilder &b;
  ResolvedShapes &shapes;
  llvm::DenseSet<mlir::Value> active;
  llvm::DenseMap<mlir::Value, mlir::Value> cotangents;
};

/// Whether there are derivatives with respect to a value at all.
bool isDifferentiable(mlir::Value value);

/// What an op reads, from outside of its regions too.
llvm::SmallVector<mlir::Value> getReads(mlir::Operation *op);

} // namespace mlc::graph

#endif
