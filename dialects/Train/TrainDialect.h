//===- TrainDialect.h - what a training program is ----------------------------------------------------*- C++ -*-===//
//
// States, gradients, and layers that behave differently while they train. See TrainDialect.td.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_TRAIN_TRAINDIALECT_H
#define MLC_DIALECTS_TRAIN_TRAINDIALECT_H

#include "dialects/Graph/GraphDialect.h"

#include "dialects/Train/TrainDialect.h.inc"
#include "dialects/Train/TrainEnums.h.inc"

#define GET_OP_CLASSES
#include "dialects/Train/TrainOps.h.inc"

namespace mlc::train {

/// A state at its place in the memory that a training program owns.
struct PlacedState {
  StateOp state;
  /// Byte offset, a multiple of 64.
  int64_t offset;
  int64_t bytes;
};

/// Places all states of `module` in the order of their declaration; whoever reads or writes the memory asks here.
llvm::SmallVector<PlacedState> placeStates(mlir::Operation *module);

} // namespace mlc::train

#endif
