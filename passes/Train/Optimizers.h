//===- Optimizers.h - what an optimizer does to a parameter ---------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_TRAIN_OPTIMIZERS_H
#define MLC_PASSES_TRAIN_OPTIMIZERS_H

#include "dialects/Graph/GraphBuilder.h"
#include "passes/Train/Config.h"

namespace mlc {

/// A tensor of a parameter's type that an optimizer keeps for each parameter.
struct OptimizerSlot {
  /// As "adam_m".
  std::string name;
  /// Its value before the first step.
  double initial = 0;
};

/// The slots of an optimizer; fails for a kind that is not known.
llvm::FailureOr<llvm::SmallVector<OptimizerSlot>> getOptimizerSlots(Config optimizer);

/// What all parameters share in a step: scalars.
struct OptimizerStep {
  mlir::Value learningRate; ///< f32
  mlir::Value iteration;    ///< i64, the steps that are done
};

/// The new value of a parameter, and of its slots in `slots`, which holds the old ones. Formulas and defaults are those
/// of Keras 3 (keras/src/optimizers); `weight_decay` is decoupled for every optimizer: parameter -= learning rate *
/// decay * parameter.
mlir::Value buildUpdate(graph::GraphBuilder &g, Config optimizer, const OptimizerStep &step, mlir::Value parameter,
                        mlir::Value gradient, llvm::MutableArrayRef<mlir::Value> slots);

/// Makes gradients smaller as `clip` says: each element (`value`), each tensor (`norm`) or all together
/// (`global_norm`).
void buildClipping(graph::GraphBuilder &g, Config clip, llvm::MutableArrayRef<mlir::Value> gradients);

} // namespace mlc

#endif
