//===- GraphExporter.h - nodes and names of one exported model -------------------------------------------*- C++
//-*--===//
#ifndef MLC_LIB_EXPORT_ONNX_GRAPHEXPORTER_H
#define MLC_LIB_EXPORT_ONNX_GRAPHEXPORTER_H

#include "lib/Export/Onnx/ExportOnnx.h"
#include "onnx-ml.pb.h"

#include <map>
#include <set>

namespace mlc::onnxexport {

using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;

/// The ONNX data type of an element type; an index is an INT64.
onnx::TensorProto::DataType dataTypeOf(Type element);

/// The name of a location, or of one that it was fused from; empty where there is none.
llvm::StringRef nameOfLocation(mlir::Location loc);

/// The sizes of the function's results: a number, the name of a symbolic size of its arguments, or an empty string.
std::vector<std::vector<std::string>> findResultSymbols(mlir::func::FuncOp function);

/// The name of the symbolic size that an axis of an argument has; empty for a static one.
std::string symbolOf(mlir::func::FuncOp function, unsigned argument, int64_t axis);

/// Names and types.
using GraphOutputs = llvm::SmallVector<std::pair<std::string, RankedTensorType>>;

/// One export. Names of values and of nodes are unique in the whole model, in subgraphs too.
class GraphExporter {
public:
  GraphExporter(mlir::ModuleOp module, mlir::func::FuncOp function) : module(module), function(function) {}

  mlir::FailureOr<OnnxModel> run();

  /// A name that no value has, `wanted` where that is free.
  std::string uniqueValue(llvm::StringRef wanted) { return unique(wanted, valueNames, valueCounts); }
  std::string uniqueNode(llvm::StringRef wanted) { return unique(wanted, nodeNames, nodeCounts); }

  std::string nameOf(Value value);
  void bind(Value value, std::string name) { names[value] = std::move(name); }

  /// The graph that nodes are added to.
  onnx::GraphProto &current() { return *target; }
  /// An initializer of the main graph; equal ones are one.
  std::string constant(onnx::TensorProto tensor, llvm::StringRef wanted);
  /// The ops of a block as a graph: its inputs are the arguments that have no name yet, its outputs what the terminator
  /// gives.
  onnx::GraphProto exportBlock(mlir::Block &block, llvm::StringRef name = "branch");
  /// A graph of the nodes that `body` adds, which gives their outputs.
  onnx::GraphProto subgraph(llvm::function_ref<GraphOutputs()> body, llvm::StringRef name = "branch");
  /// Values as outputs of a subgraph, made by nodes of it wherever they come from.
  GraphOutputs passOn(mlir::Operation *op, mlir::ValueRange values);

  /// Records that an op cannot be exported.
  void fail() { failed = true; }

private:
  using NameSet = std::set<std::string, std::less<>>;
  std::string unique(llvm::StringRef wanted, NameSet &taken, std::map<std::string, unsigned> &counts);
  void exportOps(mlir::Block &block);
  void exportOp(mlir::Operation *op);
  void addInputs();
  void addOutputs(mlir::Operation *terminator);
  void addMetadata(onnx::ModelProto &model);

  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  onnx::GraphProto *target = nullptr;
  onnx::GraphProto main;
  std::vector<OnnxWeight> weights;
  llvm::StringMap<std::string> weightNames;
  llvm::DenseMap<Value, std::string> names;
  std::map<std::string, std::string> constants;
  NameSet valueNames, nodeNames;
  std::map<std::string, unsigned> valueCounts, nodeCounts;
  bool failed = false;
};

} // namespace mlc::onnxexport

#endif
