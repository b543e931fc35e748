//===- Strided.h - index arithmetic and loops on strided memory --------------------------------------*- C++ -*-===//
//
// Numbers that are constants as long as they can be, so that addresses become displacements; a nest of loops with the
// stride of every operand for each; and a place, the offset of every operand.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_STRIDED_H
#define MLC_PASSES_VECTOR_STRIDED_H

#include "passes/Vector/Passes.h"

namespace mlc {

/// An index that is a constant or a value.
class Index {
public:
  Index(int64_t constant = 0) : number(constant) {}
  Index(mlir::Value value);
  bool isConstant() const { return !dynamic; }
  bool is(int64_t constant) const { return !dynamic && number == constant; }
  int64_t constant() const {
    assert(!dynamic);
    return number;
  }
  mlir::Value dynamicValue() const { return dynamic; }

private:
  int64_t number = 0;
  mlir::Value dynamic;
};

/// Builds index arithmetic, folding constants, and loops.
class Arithmetic {
public:
  Arithmetic(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value value(Index index);
  Index add(Index lhs, Index rhs);
  Index sub(Index lhs, Index rhs);
  Index mul(Index lhs, Index rhs);
  Index floorDiv(Index lhs, Index rhs);
  Index ceilDiv(Index lhs, Index rhs);
  Index min(Index lhs, Index rhs);
  /// `index` between 0 and `last`.
  Index clamp(Index index, Index last);
  /// Quotient and remainder.
  std::pair<Index, Index> divide(Index lhs, Index rhs);
  /// `lhs >= rhs ? onTrue : onFalse`
  Index selectNotLess(Index lhs, Index rhs, Index onTrue, Index onFalse);

  /// A loop; one of a single iteration is its body.
  void forEach(Index begin, Index end, int64_t step, llvm::function_ref<void(Index)> body);
  void ifLess(Index lhs, Index rhs, llvm::function_ref<void()> body);
  void ifNotLess(Index lhs, Index rhs, llvm::function_ref<void()> body);
};

/// The mask of the first `left` lanes of a vector; null where a constant says that it is whole.
mlir::Value buildMask(Arithmetic &arithmetic, Index left, int64_t lanes);

/// The memory of an operand as one dimension: `buffer[offset + strides…]`.
struct Flat {
  mlir::Value buffer;
  Index offset = 0;
  llvm::SmallVector<Index> strides;
};

Flat flatten(Arithmetic &arithmetic, mlir::Value memref);

/// The elements by which a step of `loop` moves an operand whose axes are `map` of the loops.
Index strideOf(Arithmetic &arithmetic, const Flat &operand, mlir::AffineMap map, unsigned loop);

/// The size of `loop`: of `sizes`, or where that is dynamic, an axis of one of the `operands`, whose axes are `maps` of
/// the loops. The axes of operand `skip` are others.
Index sizeOfLoop(Arithmetic &arithmetic, llvm::ArrayRef<int64_t> sizes, mlir::ArrayAttr maps, mlir::ValueRange operands,
                 unsigned loop, std::optional<unsigned> skip = {});

/// A loop with the stride of every operand.
struct Loop {
  Index size;
  llvm::SmallVector<Index> strides;
};

/// Whether a step of the loop `around` is what the loop `inside` of it covers, in every operand.
bool joins(const Loop &around, const Loop &inside);

/// The offset of every operand.
struct Place {
  explicit Place(size_t operands) : offsets(operands) {}
  llvm::SmallVector<Index> offsets;
};

/// The loops of a contraction by what they are for. Operand 0 is lhs, 1 is rhs, the last is the result.
struct Nest {
  llvm::SmallVector<Flat> operands;
  llvm::SmallVector<Loop> loops;
  llvm::SmallVector<kernel::LoopKind> kinds;
  unsigned vector = 0;
  /// rhs is panels (kernel.contract).
  bool packed = false;
  /// From one panel of rhs to the next.
  Index panelStride = 0;
  /// With granules: the loop over whole ones, where elements are left behind it or their number is unknown, so that it
  /// cannot be joined; how many are left; and the step of lhs from one element of a granule to the next.
  std::optional<unsigned> granules;
  Index granuleRest = 0, granuleStep = 1;

  /// Where lhs was copied by tiles: rows of a tile, which lie side by side, and from one tile to the next.
  struct Tiles {
    int64_t rows;
    Index stride;
  };
  std::optional<Tiles> lhsTiles;

  /// Iterations where `column` is at most `row` + offset are those that count (kernel.contract). Its loops stay as they
  /// are: they are not joined.
  struct Triangle {
    unsigned row, column;
    Index offset; ///< moves with the beginning of a reduction
    bool has(unsigned loop) const { return loop == row || loop == column; }
  };
  std::optional<Triangle> triangle;

  // Set by join():
  llvm::SmallVector<unsigned> outer;      ///< batches and further columns, each a task
  llvm::SmallVector<unsigned> nested;     ///< those inside of a task
  llvm::SmallVector<unsigned> lines;      ///< loops over rows that are not evenly spaced with `row`
  std::optional<unsigned> row;            ///< the loop that register tiles take rows from
  std::optional<unsigned> line;           ///< the loop around it, where a tile takes whole lines of `row`
  llvm::SmallVector<unsigned> reductions; ///< outermost first

  /// Joins loops where a step of the outer one is what the inner one covers, in every operand, drops loops of one
  /// iteration, and sorts the rest.
  void join();

  /// Lets tiles of `rows` rows, more than `row` has, take whole lines of it.
  void takeLines(int64_t rows);

  /// Forgets the triangle where its loops are not those of tiles and reductions.
  void checkTriangle();

  /// Moves outer loops into the tasks where those outside are `enough` tasks already.
  void nestOuter(int64_t enough);

  /// Moves the beginning of a reduction to its step `first`.
  void beginReduction(Arithmetic &arithmetic, unsigned loop, Index first);

  /// The number of rows that tiles are cut from.
  Index rowCount(Arithmetic &arithmetic) const;

  /// `place` after `count` rows; with lines, a multiple of their size, or a constant.
  Place advanceRows(Arithmetic &arithmetic, Place place, Index count) const;

  /// `place` after `count` steps of `loop`, for all operands but `skip`.
  Place advance(Arithmetic &arithmetic, Place place, unsigned loop, Index count,
                std::optional<unsigned> skip = {}) const;
};

} // namespace mlc

#endif
