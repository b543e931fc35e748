//===- BufferRoots.cpp - the memory behind a view -----------------------------------------------------------------===//
#include "passes/Buffer/BufferRoots.h"

#include "dialects/Rt/RtDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace mlc {

Value rootOf(Value buffer) {
  while (Operation *op = buffer.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op)) {
      buffer = view.getViewSource();
      continue;
    }
    if (auto reshape = dyn_cast<memref::ReshapeOp>(op)) {
      buffer = reshape.getSource();
      continue;
    }
    if (isa<rt::WorkspaceOp, rt::InputOp, rt::OutputOp, rt::WeightOp, rt::StateOp, rt::AllocOp, memref::AllocOp,
            memref::GetGlobalOp>(op))
      return buffer;
    return nullptr;
  }
  return nullptr;
}

} // namespace mlc
