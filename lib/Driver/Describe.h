//===- Describe.h - the signature of a module ----------------------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_DRIVER_DESCRIBE_H
#define MLC_LIB_DRIVER_DESCRIBE_H

#include "lib/Support/Signature.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlc {

/// The public function with a body; null when there is not exactly one.
mlir::func::FuncOp findEntry(mlir::ModuleOp module);

/// A tensor of a type; its sizes have no symbols.
TensorSignature describeTensor(mlir::Type type, llvm::StringRef name);

/// Names, types and symbols of the entry's arguments and results, as the importer wrote them; before the types lose
/// their signs. Sizes of results are dynamic where the type says so.
ModelSignature describeGraph(mlir::func::FuncOp entry, mlir::ModuleOp module);

/// Finds results' sizes that are symbols, on linalg ops: a size that comes from an argument's axis unchanged.
void describeResultSymbols(mlir::func::FuncOp entry, ModelSignature &signature);

/// What the marks of the entry are of, from the pass buffer-mark-nodes; empty without it.
std::vector<NodeSignature> describeNodes(mlir::func::FuncOp entry);

} // namespace mlc

#endif
