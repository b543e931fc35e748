//===- PackWeight.h - panels of a weight, computed at compile time
//---------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_PACKWEIGHT_H
#define MLC_LIB_SUPPORT_PACKWEIGHT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <vector>

namespace mlc {

/// The panels of a weight: `pack` is the attribute `kernel.pack` of a parameter of type `to`, `source` the bytes of its
/// source, which has the type `from`.
std::vector<char> packWeight(llvm::ArrayRef<char> source, mlir::RankedTensorType from, mlir::RankedTensorType to,
                             mlir::DictionaryAttr pack);

} // namespace mlc

#endif
