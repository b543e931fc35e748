//===- ImportOnnx.h - an ONNX model becomes a module of graph ops ------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_IMPORTONNX_H
#define MLC_LIB_IMPORT_ONNX_IMPORTONNX_H

#include "lib/Support/WeightStore.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <string>
#include <vector>

namespace mlc {

/// One reason why a model cannot be imported.
struct ImportProblem {
  /// The node's name, or its first output where it has none; empty for problems of the whole model.
  std::string node;
  /// "Conv", with its domain where that is not ai.onnx: "com.microsoft.FusedMatMul".
  std::string op;
  /// Version of the operator's domain in the model.
  int64_t opset = 0;
  /// The attribute or input at fault, or empty.
  std::string attribute;
  std::string reason;
  /// What the user can do about it, or empty.
  std::string wayOut;
  /// The model is well-formed, but mlc lacks something.
  bool unsupported = false;
};

struct ImportOnnxOptions {
  /// Sizes of inputs by name (`--shape`); -1 leaves one as it is.
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Sizes of symbolic dimensions by name (`--dim`).
  std::map<std::string, int64_t> dims;
  /// C identifier of the entry function.
  std::string name = "model";
  /// Float initializers become parameters under their own names, whatever their size: they will be trained.
  bool keepParameters = false;
};

/// Reads the model in the file `path`. Weights stay in `weights`; the module has one public function named
/// `options.name`, whose arguments carry `mlc.name` (string) and `mlc.symbols` (array of strings, "" for none), whose
/// results carry `mlc.name`, and `mlc.metadata` (a JSON object).
/// Returns null and at least one problem when the model cannot be imported; all unsupported nodes are reported at once.
/// Warnings go to the context's diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(mlir::MLIRContext &context, llvm::StringRef path,
                                             const ImportOnnxOptions &options, WeightStore &weights,
                                             std::vector<ImportProblem> &problems);

} // namespace mlc

#endif
