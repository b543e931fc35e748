//===- RowBuilder.h - the code of one row of a kernel over rows --------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_ROWBUILDER_H
#define MLC_PASSES_VECTOR_ROWBUILDER_H

#include "passes/Vector/Strided.h"

namespace mlc {

/// The number of rows of `op`, with `operands` in the place of its own.
Index countRows(Arithmetic &arithmetic, kernel::RowsOp op, mlir::ValueRange operands);

/// Builds rows of one kernel.
class RowBuilder {
public:
  RowBuilder(Arithmetic &arithmetic, kernel::RowsOp op, int64_t vectorBits);

  Index rowCount() { return countRows(a, op, op.getOperands()); }

  /// About how many instructions on elements a row takes; of unknown sizes, some.
  int64_t workOfRow();

  /// All of row `row`.
  void build(Index row);

private:
  using Vectors = llvm::SmallVector<mlir::Value>;
  /// Some vectors of columns next to each other.
  struct Piece {
    Place place;      ///< of the first column
    int64_t vectors;  ///< how many
    mlir::Value mask; ///< of the last one; null: whole
    llvm::DenseMap<mlir::Value, Vectors> known = llvm::DenseMap<mlir::Value, Vectors>(); ///< values computed already
  };
  /// What is written in one pass to be read in later ones.
  struct Kept {
    unsigned pass, operand;
  };

  bool isOfRow(mlir::Value value) const { return values.isOfRow(value); }
  int64_t costOf(mlir::Value value, unsigned pass);
  void choosePasses();
  int64_t unrolledOf(unsigned pass);
  /// Of a reduction: a sum for each vector of a step, and one to find NaN.
  int64_t numSums() const { return unrolled + 1; }
  bool keep(mlir::Value value, unsigned pass);

  mlir::Value broadcast(mlir::Value scalar);
  mlir::Value scalarOf(mlir::Value value);
  const Vectors &vectorsOf(mlir::Value value, Piece &piece);
  void store(unsigned operand, const Vectors &vectors, const Piece &piece);
  mlir::Value findNaN(llvm::ArrayRef<mlir::Value> vectors, mlir::Value mask, mlir::Value found);
  void buildPiece(Piece &piece, llvm::MutableArrayRef<mlir::Value> sums);
  void buildColumns(const Place &place, llvm::ArrayRef<unsigned> loops, llvm::MutableArrayRef<mlir::Value> sums);
  void buildVectors(const Place &place, llvm::MutableArrayRef<mlir::Value> sums);
  void clearOutside(const Place &place);
  void iterate(Index begin, Index end, int64_t step, llvm::MutableArrayRef<mlir::Value> sums,
               llvm::function_ref<void(Index, llvm::MutableArrayRef<mlir::Value>)> body);
  /// The mask of the last of the vectors that `columns` take.
  mlir::Value maskOfLast(int64_t columns) { return buildMask(a, (columns - 1) % lanes + 1, lanes); }
  void finishReductions(llvm::ArrayRef<mlir::Value> sums);

  Place advance(Place place, unsigned loop, Index count);
  mlir::VectorType vectorOf(mlir::Type element) const { return mlir::VectorType::get({lanes}, element); }

  Arithmetic &a;
  kernel::RowsOp op;
  std::optional<kernel::Triangle> triangle;
  kernel::RowValues values;
  int64_t lanes;
  int64_t unrolled = 4; ///< vectors of a step, in the pass that is built
  bool isShort = false;
  unsigned lastPass = 0;

  llvm::SmallVector<Flat> operands; ///< of the op, then rows on the stack
  llvm::SmallVector<Loop> loops;
  llvm::SmallVector<unsigned> rowLoops, columnLoops; ///< joined; the last column loop is the vectorised one
  llvm::DenseMap<mlir::Value, Kept> kept;
  llvm::SmallVector<llvm::SmallVector<kernel::ReduceOp>> reductions; ///< of every pass

  // While a row is built:
  unsigned pass = 0;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars; ///< of values of the row
  Place rowPlace{0};
  Index visible = 0; ///< columns that count: those of the triangle, or all
};

} // namespace mlc

#endif
