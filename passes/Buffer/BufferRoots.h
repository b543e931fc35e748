//===- BufferRoots.h - the memory behind a view ---------------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_BUFFER_BUFFERROOTS_H
#define MLC_PASSES_BUFFER_BUFFERROOTS_H

#include "mlir/IR/Value.h"

namespace mlc {

/// The buffer that a view is of; null where that is not certain.
mlir::Value rootOf(mlir::Value buffer);

} // namespace mlc

#endif
