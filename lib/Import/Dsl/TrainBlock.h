//===- TrainBlock.h - a train block becomes a train.program ------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_TRAINBLOCK_H
#define MLC_LIB_IMPORT_DSL_TRAINBLOCK_H

#include "lib/Import/Dsl/Elaborator.h"

namespace mlc::dsl {

/// Adds the `train.program` of `entry`, and the function `<entry>.preprocess` where the block asks for it.
void importTrain(const Train &train, const Model &model, mlir::func::FuncOp entry, Elaborator &elaborator);

/// What the settings of a block are worth, those alone that it has; null where something is wrong with them.
mlir::DictionaryAttr importSettings(const Train &train, Elaborator &elaborator);

} // namespace mlc::dsl

#endif
