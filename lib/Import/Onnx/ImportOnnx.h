//===- ImportOnnx.h - an ONNX model becomes a module of graph ops ------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_IMPORTONNX_H
#define MLC_LIB_IMPORT_ONNX_IMPORTONNX_H

#include "lib/Import/ImportOptions.h"
#include "lib/Import/ImportProblem.h"
#include "lib/Support/WeightStore.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <vector>

namespace mlc {

/// Reads the model in the file `path`. Weights stay in `weights`; the module has one public function named
/// `options.name`, whose arguments carry `mlc.name` (string) and `mlc.symbols` (array of strings, "" for none), whose
/// results carry `mlc.name`, and `mlc.metadata` (a JSON object).
/// Returns null and at least one problem when the model cannot be imported; all unsupported nodes are reported at once.
/// Warnings go to the context's diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(mlir::MLIRContext &context, llvm::StringRef path,
                                             const ImportOptions &options, WeightStore &weights,
                                             std::vector<ImportProblem> &problems);

} // namespace mlc

#endif
