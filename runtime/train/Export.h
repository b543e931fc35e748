//===- Export.h - trained weights for others --------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_EXPORT_H
#define MLC_RUNTIME_TRAIN_EXPORT_H

#include "runtime/train/State.h"

#include <string>

namespace mlc::train {

/// Writes the weights as .safetensors, or with the model as .onnx, by the ending of `path`. Throws InputError.
void exportWeights(const mlc_train_info &info, State &state, const std::string &path);

} // namespace mlc::train

#endif
