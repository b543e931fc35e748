//===- KernelDialect.h - loop nests that the compiler writes itself ----------------------------------*- C++ -*-===//
#ifndef MLC_DIALECTS_KERNEL_KERNELDIALECT_H
#define MLC_DIALECTS_KERNEL_KERNELDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Kernel/KernelDialect.h.inc"

namespace mlc::kernel {

/// What has index `column` <= index `row` + `offset`, of loops or of the axes of a tensor.
struct Triangle {
  int64_t row, column, offset;
  bool has(int64_t index) const { return index == row || index == column; }
  bool operator==(const Triangle &) const = default;
};

/// The attribute `triangle` of an op; it has three numbers.
inline std::optional<Triangle> toTriangle(std::optional<llvm::ArrayRef<int64_t>> attribute) {
  return attribute ? std::optional(Triangle{(*attribute)[0], (*attribute)[1], (*attribute)[2]}) : std::nullopt;
}

} // namespace mlc::kernel

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.h.inc"

namespace mlc::kernel {

/// What a loop of a contraction is, by the operands that it moves.
enum class LoopKind {
  batch,     ///< parallel, in lhs and rhs
  row,       ///< parallel, in lhs alone
  column,    ///< parallel, in rhs alone
  reduction, ///< summed over
};

/// The kind of every loop; a parallel loop of neither operand counts as a row.
llvm::SmallVector<LoopKind> classifyLoops(ContractOp op);

/// The loop that register tiles vectorise: that of the last axis of the result which has more than one element. The
/// parallel loops are in the order of those axes.
unsigned getVectorLoop(llvm::ArrayRef<int64_t> sizes, unsigned parallel);
inline unsigned getVectorLoop(ContractOp op) { return getVectorLoop(op.getSizes(), op.getParallel()); }

/// The loop that granules are cut from: the last reduction of more than one iteration.
unsigned getGranuleLoop(ContractOp op);

/// How much an affine expression grows with one step of `loop`; the expressions of contractions are sums.
int64_t coefficientOf(mlir::AffineExpr expr, unsigned loop);

/// The map from `loops` loops to the first `rows` of them.
mlir::AffineMap getRowMap(unsigned loops, unsigned rows, mlir::MLIRContext *context);

/// Whether a step of `loop` moves the memory of a row-major tensor with this map by one element.
bool movesByOne(mlir::AffineMap map, unsigned loop, llvm::ArrayRef<int64_t> sizes);

/// What the values in the region of a kernel.rows are.
class RowValues {
public:
  explicit RowValues(RowsOp op);

  /// The same for all columns of a row.
  bool isOfRow(mlir::Value value) const { return !columns.contains(value); }
  /// How many reductions after each other it waits for: the passes over the row before it can be computed.
  unsigned levelOf(mlir::Value value) const { return levels.lookup(value); }

private:
  llvm::DenseMap<mlir::Value, unsigned> levels;
  llvm::DenseSet<mlir::Value> columns;
};

} // namespace mlc::kernel

#endif
