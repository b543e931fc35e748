//===- GraphImporter.h - nodes and names of one model ------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_GRAPHIMPORTER_H
#define MLC_LIB_IMPORT_ONNX_GRAPHIMPORTER_H

#include "lib/Import/Onnx/ImportOnnx.h"
#include "lib/Import/Onnx/NodeImporter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlc::onnximport {

/// A value under a name; null for the output of a node that could not be imported.
using Scope = std::map<std::string, Value>;

/// Walks graphs, subgraphs and model-local functions in order and keeps the names.
class GraphImporter {
public:
  GraphImporter(mlir::MLIRContext &context, const onnx::ModelProto &model, std::string folder,
                const ImportOptions &options, WeightStore &weights, std::vector<ImportProblem> &problems);

  mlir::OwningOpRef<mlir::ModuleOp> run();

  /// The value of a name, from the inner scope outwards. Throws for a name that nothing defines before.
  Value lookup(const std::string &name);
  std::optional<int64_t> declaredRank(const std::string &name) const;
  /// Follows a reference to an attribute of the calling function node; null when the caller leaves it out.
  const onnx::AttributeProto *resolve(const onnx::AttributeProto &attribute) const;
  Type elementType(int32_t dataType);
  /// Reads a new parameter.
  Value declareParameter(const std::string &name, RankedTensorType type, llvm::ArrayRef<char> bytes, mlir::OpBuilder &b,
                         mlir::Location loc);
  /// A small tensor as a constant, a larger one as a weight. `loaded` are its bytes where they come from another file.
  Value importTensor(const onnx::TensorProto &tensor, mlir::OpBuilder &b, mlir::Location loc,
                     std::optional<llvm::ArrayRef<char>> loaded = std::nullopt);
  /// Whether all elements of a tensor of 8-bit integers are known to be `number`.
  bool isFilledWith(Value value, int64_t number) const;
  /// The sizes of the results of ops, as far as they are known beyond a tensor.dim.
  llvm::DenseMap<Value, Shape> shapes;

  /// Imports the nodes of a subgraph in a scope of its own, where its inputs have the given values; returns its
  /// outputs. Throws when a node failed.
  Values importSubgraph(const onnx::GraphProto &graph, mlir::OpBuilder &b, mlir::ValueRange inputs = {});

private:
  /// Thrown through importSubgraph: the nodes have been reported already.
  struct AlreadyReported final {};

  void importInputs(const onnx::GraphProto &graph, mlir::func::FuncOp &entry, mlir::ModuleOp module);
  RankedTensorType inputType(const onnx::ValueInfoProto &info, std::vector<std::string> &symbols);
  void declare(const onnx::GraphProto &graph);
  void importInitializers(const onnx::GraphProto &graph, mlir::OpBuilder &b);
  std::optional<llvm::ArrayRef<char>> loadedBytes(const onnx::TensorProto &tensor);
  void importNodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
                   const std::set<std::string> &outputs, mlir::OpBuilder &b);
  void importNode(const onnx::NodeProto &node, mlir::OpBuilder &b);
  Values callFunction(NodeImporter &caller, const onnx::FunctionProto &function, mlir::OpBuilder &b);
  void define(const std::string &name, Value value);
  std::string metadata() const;

  mlir::MLIRContext &context;
  const onnx::ModelProto &model;
  std::string folder;
  const ImportOptions &options;
  WeightStore &weights;
  std::vector<ImportProblem> &problems;

  mlir::ModuleOp module;
  std::vector<Scope> scopes;
  std::map<std::string, int64_t> ranks;
  std::map<std::string, int64_t> opsets;
  /// The attributes of the function calls that are being imported, the innermost last.
  std::vector<const onnx::NodeProto *> calls;
  std::vector<const onnx::FunctionProto *> activeFunctions;
  unsigned numWeights = 0;
  graph::ParameterOp lastParameter;
  uint64_t numNodes = 0;
  unsigned depth = 0;
};

} // namespace mlc::onnximport

#endif
