//===- ExportOnnx.h - the graph dialect as an ONNX model ---------------------------------------------*- C++ -*--===//
//
// Any other engine can check a model of ours when it can read it. A model is exported in two parts: what it computes,
// which is small, and its weights, which are written from where they are, one at a time, or by someone else later: a
// training executable holds the first part and the frames of the second.
//
// Operator set 21 and IR version 10: the first that quantize to 16 bits and in blocks, and what engines of 2024 read.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_EXPORT_ONNX_EXPORTONNX_H
#define MLC_LIB_EXPORT_ONNX_EXPORTONNX_H

#include "dialects/Graph/GraphDialect.h"
#include "lib/Support/WeightStore.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace mlc {

/// A weight of an exported model: an initializer whose bytes are not in it.
struct OnnxWeight {
  graph::ParameterOp parameter;
  /// Its name in the model: that of the source, or the parameter's symbol.
  std::string name;
};

/// An ONNX model without the bytes of its weights.
struct OnnxModel {
  /// The serialized fields of its ModelProto but for the graph, and those of its GraphProto but for the weights.
  std::string model, graph;
  /// In the order of the module. Their parameters are those of the exported module, which must live as long.
  std::vector<OnnxWeight> weights;
};

/// Exports `function` of `module`, as it is after the phase `import`; canonicalized is smaller. Names of inputs,
/// outputs, symbolic sizes, nodes and weights are those of the source where it had any. The module is as before
/// afterwards. Says of every op that cannot be exported why, and fails then.
mlir::FailureOr<OnnxModel> exportOnnx(mlir::ModuleOp module, mlir::func::FuncOp function);

/// The model as one serialized ModelProto that lacks its weights. Protobuf merges messages that follow each other, so
/// that this, and behind it for every weight its frame and its bytes, is the whole model.
std::string serializeWithoutWeights(const OnnxModel &model);

/// What stands before the bytes of a weight (dense, row-major, little-endian) in a message that adds it to a model:
/// ModelProto{graph{initializer{…, raw_data}}}.
std::string frameOfWeight(const OnnxWeight &weight);

/// Where the bytes of the weights go.
struct OnnxWriteOptions {
  /// The stream of a file beside the model, and the name by which the model calls it; null: into the model.
  llvm::raw_ostream *external = nullptr;
  std::string externalName;
};

/// Whether the model with its weights is more than the 2 GiB of a protobuf message, so that they must be external.
bool isTooLargeForOneFile(const OnnxModel &model);

/// Writes the model with its weights, of which only one is in memory at a time where they are computed. External ones
/// start at multiples of a page, as ONNX wants them for mapping; those below a KiB stay in the model.
void writeOnnx(const OnnxModel &model, const WeightStore &weights, const OnnxWriteOptions &options,
               llvm::raw_ostream &out);

} // namespace mlc

#endif
