//===- ImportDsl.h - a model in the language becomes a module of graph ops ---------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_IMPORTDSL_H
#define MLC_LIB_IMPORT_DSL_IMPORTDSL_H

#include "lib/Import/ImportOptions.h"
#include "lib/Import/ImportProblem.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <vector>

namespace mlc {

/// Reads the model in the file `path` (docs/Language.md). The module has one public function, as from importOnnx, named
/// `options.name` or, where that is empty, as the model; its weights are `graph.parameter` with an `initializer` and
/// without bytes. A `train` block becomes a `train.program`, and what it says of preprocessing the private function
/// `<model>.preprocess` from the inputs as the data has them to those of the model.
/// Returns null and at least one problem when the model cannot be imported; all problems are reported at once.
mlir::OwningOpRef<mlir::ModuleOp> importDsl(mlir::MLIRContext &context, llvm::StringRef path,
                                            const ImportOptions &options, std::vector<ImportProblem> &problems);

/// Settings of training that stand on a command line: pairs of a key of a `train` block and its value, in the syntax of
/// the language. Null and at least one problem where they are wrong.
mlir::DictionaryAttr importTrainSettings(mlir::MLIRContext &context,
                                         llvm::ArrayRef<std::pair<std::string, std::string>> settings,
                                         std::vector<ImportProblem> &problems);

/// What the language comes with, for the reference and for editors: keywords, functions, groups.
std::string describeLanguage();

} // namespace mlc

#endif
