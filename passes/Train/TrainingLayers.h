//===- TrainingLayers.h - layers that behave differently, while they train ------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_TRAIN_TRAININGLAYERS_H
#define MLC_PASSES_TRAIN_TRAININGLAYERS_H

#include "dialects/Train/TrainDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlc {

/// The statistics of a batch that a batch normalization saw.
struct BatchStatistic {
  mlir::FlatSymbolRefAttr state;
  mlir::Value batch;
  /// state = momentum * state + (1 - momentum) * batch
  double momentum;
};

/// Replaces the layers of `function` by what they do in a training step. `seed` (i64, a scalar) is another one each
/// step; every layer draws from a stream of its own.
llvm::SmallVector<BatchStatistic> expandTrainingLayers(mlir::func::FuncOp function, mlir::Value seed);

} // namespace mlc

#endif
