//===- Transposition.h - loops that exchange the contiguous axis ---------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_TRANSPOSITION_H
#define MLC_PASSES_VECTOR_TRANSPOSITION_H

#include "passes/Vector/Strided.h"

namespace mlc {

/// The two loops of a transposition: `column` is contiguous in the result, `row` in the inputs that are not read along
/// `column`.
struct Transposition {
  unsigned row, column;
};

/// What `op` exchanges, if it is element-wise on memory, its result is contiguous along one loop and some of its inputs
/// along another one; the others lie along the first or do not move with it.
std::optional<Transposition> matchTransposition(mlir::linalg::GenericOp op);

/// The transposition of a square of vectors: `rows` are n vectors of n elements, n a power of two, as are the columns
/// that are returned. Made of shuffles that are one instruction each: within 128 bits (unpack, zip), then of whole 128
/// bits.
llvm::SmallVector<mlir::Value> transposeVectors(mlir::OpBuilder &b, mlir::Location loc,
                                                llvm::SmallVector<mlir::Value> rows);

} // namespace mlc

#endif
