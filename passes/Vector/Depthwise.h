//===- Depthwise.h - depthwise windows: their tiles and their tasks ------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_VECTOR_DEPTHWISE_H
#define MLC_PASSES_VECTOR_DEPTHWISE_H

#include "passes/Vector/Tasks.h"

namespace mlc {

/// The number of vectors that one tile of the bounded contraction `op` has, with `registers` vector registers.
int64_t chooseDepthwiseTile(kernel::ContractOp op, int64_t registers);

/// Writes out the bounded contraction `op`, alone in `kernel`. Returns whether it became tasks.
bool lowerDepthwise(kernel::ContractOp op, const Kernel &kernel, int64_t vectorBits, int64_t l2Bytes);

} // namespace mlc

#endif
