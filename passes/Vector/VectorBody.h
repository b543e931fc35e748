//===- VectorBody.h - element-wise bodies on vectors ----------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_VECTORBODY_H
#define MLC_PASSES_VECTOR_VECTORBODY_H

#include "passes/Vector/Strided.h"

namespace mlc {

/// What the terminator of `body`, a block of element-wise scalar ops, takes first, computed on vectors of `lanes`
/// elements that stand for its arguments. Scalars from outside have the same value in every lane.
mlir::Value computeBody(Arithmetic &arithmetic, mlir::Block &body, llvm::ArrayRef<mlir::Value> arguments,
                        int64_t lanes);

} // namespace mlc

#endif
