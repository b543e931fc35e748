//===- Padding.h - what windows reach over the edges -------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_LAYERS_PADDING_H
#define MLC_LIB_IMPORT_DSL_LAYERS_PADDING_H

#include "lib/Import/Dsl/Elaborator.h"

namespace mlc::dsl {

/// The pads of windows on `x` ([N, …, channels]), low ones first: none, or with `same` as many as give size / stride
/// results, rounded up, the odd one behind. Where that depends on a size that only a run knows, `x` is padded with
/// `fill` instead.
Ints padWindows(Call &n, mlir::Value &x, llvm::ArrayRef<int64_t> kernel, llvm::ArrayRef<int64_t> strides,
                llvm::ArrayRef<int64_t> dilations, bool same, double fill);

} // namespace mlc::dsl

#endif
