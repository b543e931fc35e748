//===- Losses.h - loss functions as graph ops ----------------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_TRAIN_LOSSES_H
#define MLC_PASSES_TRAIN_LOSSES_H

#include "dialects/Graph/GraphBuilder.h"
#include "passes/Train/Config.h"

namespace mlc {

/// The type of the labels that a loss compares predictions of `prediction` with: class numbers (i32, without the last
/// axis) for `sparse_categorical_crossentropy`, otherwise the prediction's own type.
mlir::RankedTensorType getLabelType(Config loss, mlir::RankedTensorType prediction);

/// How the labels of a loss look in the data, for the runtime: `name`, `form` (class numbers, one-hot rows or numbers)
/// and, where the prediction's type says it, the number of `classes`.
mlir::DictionaryAttr describeLabel(llvm::StringRef name, llvm::StringRef loss, mlir::RankedTensorType prediction);

/// The mean loss over all samples, a scalar f32; null for a kind that is not known. Definitions are those of Keras 3:
/// cross entropies sum over the last axis, whatever else there is is averaged. Probabilities that come from a softmax
/// or a sigmoid are not computed: the loss takes what is under it, which cannot overflow.
mlir::Value buildLoss(graph::GraphBuilder &g, Config loss, mlir::Value prediction, mlir::Value label);

} // namespace mlc

#endif
