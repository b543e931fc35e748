//===- Permutation.h - copies that only exchange axes ------------------------------------------------*- C++ -*--===//
#ifndef MLC_PASSES_LINALG_PERMUTATION_H
#define MLC_PASSES_LINALG_PERMUTATION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlc {

/// Whether an op only permutes axes: its result is read in order, its operand by a permutation.
inline bool isPermutation(mlir::linalg::GenericOp copy) {
  mlir::Block *body = copy.getBody();
  return copy.getNumDpsInputs() == 1 && copy.getNumDpsInits() == 1 && !copy.getNumReductionLoops() &&
         body->getOperations().size() == 1 && body->getTerminator()->getOperand(0) == body->getArgument(0) &&
         copy.getMatchingIndexingMap(copy.getDpsInputOperand(0)).isPermutation() &&
         copy.getMatchingIndexingMap(copy.getDpsInitOperand(0)).isIdentity();
}

} // namespace mlc

#endif
