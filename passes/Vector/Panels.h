//===- Panels.h - the operand of a contraction in the order in which its tiles read it ---------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_PANELS_H
#define MLC_PASSES_VECTOR_PANELS_H

#include "dialects/Kernel/KernelDialect.h"

namespace mlc {

/// Panels of rhs: [outer…, panels, inner…, width], or with granules [outer…, panels, inner…, blocks, width, granule].
struct Panels {
  /// The loops of `op` that have axes of their own; those of granules and columns are not among `inner`.
  llvm::SmallVector<int64_t> outer, inner;
  unsigned vector;      ///< the loop of the columns
  unsigned granuleLoop; ///< meaningless without granules
  int64_t width, granule;
  mlir::RankedTensorType type;

  /// For an op of static sizes whose rhs has plain axes.
  Panels(kernel::ContractOp op, int64_t width, int64_t granule);
};

/// A kernel.pack of the rhs before `op`.
mlir::Value packAtRunTime(kernel::ContractOp op, const Panels &panels);

/// 128 Σ rhs over the reductions, or with `negative` -128 Σ rhs, in i32 for an rhs that only a run knows.
mlir::Value sumAtRunTime(kernel::ContractOp op, llvm::ArrayRef<int64_t> summed, bool negative);

} // namespace mlc

#endif
