//===- ArenaPlan.h - when buffers live, and where they lie in the arena ---------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_BUFFER_ARENAPLAN_H
#define MLC_PASSES_BUFFER_ARENAPLAN_H

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <optional>

namespace mlc {

/// Sizes that only a run knows, where the first axis of every input counts at most `batch` samples; 0: nothing is
/// known.
class BatchSizes final {
public:
  explicit BatchSizes(int64_t batch) : batch(batch) {}

  /// The value of an index or integer for a full batch, where it is no larger for a smaller one.
  std::optional<int64_t> largest(mlir::Value value) const;
  /// The bytes of a buffer for a full batch, a multiple of its alignment.
  std::optional<int64_t> bytesOf(mlir::memref::AllocOp alloc) const;
  /// One size of a buffer or of a view for a full batch; kDynamic where it is not known.
  int64_t sizeOf(mlir::Value buffer, unsigned axis) const;

private:
  int64_t batch;
};

/// A buffer with the positions of its first and last use in the top block.
struct LiveBuffer final {
  mlir::memref::AllocOp alloc;
  int64_t bytes, first, last, offset = 0;
};

/// All buffers of a function, each at an offset that it shares with none that lives at the same time.
struct ArenaPlan final {
  ArenaPlan(mlir::func::FuncOp function, const mlir::BufferViewFlowAnalysis &views, const BatchSizes &sizes);

  llvm::SmallVector<LiveBuffer> buffers;
  /// Those whose size only a run knows; they have no place.
  llvm::SmallVector<mlir::memref::AllocOp> unplaced;
  int64_t bytes = 0;
};

/// Moves every allocation to the first use of its buffer.
void sinkAllocations(mlir::func::FuncOp function);

} // namespace mlc

#endif
