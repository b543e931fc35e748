//===- NodeWork.h - what a kernel of the model does --------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_BUFFER_NODEWORK_H
#define MLC_PASSES_BUFFER_NODEWORK_H

#include "mlir/IR/Operation.h"

#include <optional>
#include <string>

namespace mlc {

/// What one node does; unknown numbers are 0.
struct NodeWork final {
  llvm::StringRef kind;
  uint64_t flops = 0, bytes = 0;
};

/// One size of a buffer; kDynamic where it is not known.
using SizeOfBuffer = llvm::function_ref<int64_t(mlir::Value buffer, unsigned axis)>;

/// The work of an op on buffers that is a kernel or a copy; nothing for others. `sizeOf` may know more than the types.
std::optional<NodeWork> workOf(mlir::Operation *op, SizeOfBuffer sizeOf = nullptr);

/// The names of the nodes that an op came from, `fallback` where it does not say.
std::string nodeNameOf(mlir::Location loc, llvm::StringRef fallback);

} // namespace mlc

#endif
