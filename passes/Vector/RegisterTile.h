//===- RegisterTile.h - one tile of sums in registers ------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_REGISTERTILE_H
#define MLC_PASSES_VECTOR_REGISTERTILE_H

#include "passes/Vector/Strided.h"

namespace mlc {

/// Builds tiles of one contraction.
class RegisterTile {
public:
  /// Where `continues` is given and true in a run, sums go on from what the result holds.
  RegisterTile(Arithmetic &arithmetic, kernel::ContractOp op, const Nest &nest, int64_t lanes, bool isX86,
               mlir::Value continues = nullptr)
      : a(arithmetic), op(op), nest(nest), lanes(lanes), isX86(isX86), continues(continues) {}

  /// Calls `body` with the number of vectors and their masks (null: whole) for a panel of which `left` columns are
  /// left: once for a static number of columns, or in two branches where only a run knows whether the panel is whole.
  void forWidths(Index left, int64_t vectors, llvm::function_ref<void(int64_t, llvm::ArrayRef<mlir::Value>)> body);

  /// Steps of one reduction.
  struct Range {
    unsigned loop;
    Index begin, end;
  };

  /// A tile of `rows` by masks.size() vectors at `place`: the sums over all reductions, of one maybe only a range, then
  /// the epilogue.
  void build(const Place &place, int64_t rows, int64_t vectors, llvm::ArrayRef<mlir::Value> masks,
             std::optional<Range> range = {});

  /// Copies the rows of rhs at `place`, a vector for each of the masks, to flat memory `target` where `strides` has the
  /// distance of its rows for each reduction.
  void copyRows(const Place &place, mlir::Value target, llvm::ArrayRef<Index> strides,
                llvm::ArrayRef<mlir::Value> masks);

  /// Copies `tiles` tiles of lhs from `place` on, of which `left` rows exist, to flat memory `target`: `rows` rows side
  /// by side; `strides` has the distance for each reduction, then that of tiles. Steps write whole vectors, of which
  /// the next one overwrites what is too much.
  void copyTiles(const Place &place, mlir::Value target, llvm::ArrayRef<Index> strides, Index tiles, int64_t rows,
                 Index left);

private:
  mlir::VectorType vectorOf(mlir::Type element) { return mlir::VectorType::get({lanes}, element); }
  mlir::Value load(unsigned operand, Index offset, mlir::Value mask);
  mlir::Value widen(mlir::Value value, bool isUnsigned);
  mlir::Value multiplyAdd(mlir::Value lhs, mlir::Value rhs, mlir::Value sum);
  mlir::Value loadGranule(Index offset, Index count);
  llvm::SmallVector<mlir::Value> step(const Place &place, int64_t rows, llvm::ArrayRef<mlir::Value> masks,
                                      mlir::ValueRange sums);
  llvm::SmallVector<mlir::Value> dotStep(const Place &place, int64_t rows, int64_t vectors, Index count,
                                         mlir::ValueRange sums);
  /// Calls `body` with the offset of an operand, `from` at first, and of its copy for every step of the reductions.
  void forEachReduction(Index from, unsigned operand, llvm::ArrayRef<Index> strides,
                        llvm::function_ref<void(Index, Index)> body);
  void reduceGranules(const Place &place, int64_t rows, int64_t vectors, llvm::SmallVectorImpl<mlir::Value> &sums);
  void reduce(const Place &place, llvm::ArrayRef<unsigned> loops, int64_t rows, llvm::ArrayRef<mlir::Value> masks,
              llvm::SmallVectorImpl<mlir::Value> &sums);
  llvm::SmallVector<mlir::Value> initialSums(const Place &place, int64_t rows, llvm::ArrayRef<mlir::Value> masks);
  void finish(const Place &place, mlir::Value sum, int64_t vector, mlir::Value mask);

  Arithmetic &a;
  kernel::ContractOp op;
  const Nest &nest;
  int64_t lanes;
  bool isX86;
  mlir::Value continues;
  std::optional<Range> range; ///< of the tile that is built
};

} // namespace mlc

#endif
