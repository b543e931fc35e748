//===- NodeExporter.h - what the exporter of one op works with -------------------------------------------*- C++
//-*--===//
//
// Every op becomes one or a few nodes. The families are functions of a NodeExporter, which reads the names of operands,
// adds nodes and names results. A scalar (an index, an i64 …) is a tensor of one element and rank 1, so that shapes are
// joined from scalars as they are. What an engine computes in its own way where ONNX leaves it open (an integer divided
// by zero, a value out of range that is cast) is left to it.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_EXPORT_ONNX_NODEEXPORTER_H
#define MLC_LIB_EXPORT_ONNX_NODEEXPORTER_H

#include "lib/Export/Onnx/GraphExporter.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace mlc::onnxexport {

using Name = std::string;
using Names = llvm::SmallVector<Name, 4>;

/// One attribute of a node.
struct NodeAttribute {
  enum class Kind { integer, number, text, integers, tensor, graph };
  NodeAttribute(const char *name, int64_t value) : name(name), kind(Kind::integer), integer(value) {}
  NodeAttribute(const char *name, double value) : name(name), kind(Kind::number), number(value) {}
  NodeAttribute(const char *name, llvm::StringRef value) : name(name), kind(Kind::text), text(value.str()) {}
  NodeAttribute(const char *name, llvm::ArrayRef<int64_t> value)
      : name(name), kind(Kind::integers), integers(value.begin(), value.end()) {}
  NodeAttribute(const char *name, onnx::TensorProto value)
      : name(name), kind(Kind::tensor), tensor(std::make_shared<onnx::TensorProto>(std::move(value))) {}
  NodeAttribute(const char *name, onnx::GraphProto value)
      : name(name), kind(Kind::graph), graph(std::make_shared<onnx::GraphProto>(std::move(value))) {}

  const char *name;
  Kind kind;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  llvm::SmallVector<int64_t> integers;
  std::shared_ptr<onnx::TensorProto> tensor;
  std::shared_ptr<onnx::GraphProto> graph;
};
using NodeAttributes = llvm::SmallVector<NodeAttribute, 4>;

/// One op while it is exported.
class NodeExporter {
public:
  NodeExporter(GraphExporter &graph, mlir::Operation *op) : graph(graph), op(op) {}

  GraphExporter &graph;
  mlir::Operation *op;

  // -- Operands and results.
  Name name(Value value) { return graph.nameOf(value); }
  void bind(Value value, Name name) { graph.bind(value, std::move(name)); }
  static RankedTensorType type(Value value) { return llvm::cast<RankedTensorType>(value.getType()); }
  static int64_t rank(Value value) { return type(value).getRank(); }
  static Type element(Value value) { return mlir::getElementTypeOrSelf(value.getType()); }
  Type i1() { return mlir::IntegerType::get(op->getContext(), 1); }
  Type signless(unsigned width) { return mlir::IntegerType::get(op->getContext(), width); }
  Type unsignedOf(unsigned width) {
    return mlir::IntegerType::get(op->getContext(), width, mlir::IntegerType::Unsigned);
  }
  Type f32() { return mlir::Float32Type::get(op->getContext()); }
  Type f64() { return mlir::Float64Type::get(op->getContext()); }
  /// The operand in another element type.
  Name in(Value operand, Type compute) { return cast(name(operand), element(operand), compute); }
  /// Names a result that was computed in another element type.
  void finish(Value result, Name name, Type computed) { bind(result, cast(name, computed, element(result))); }

  // -- Nodes.
  Names emitAll(llvm::StringRef operation, llvm::ArrayRef<Name> inputs, NodeAttributes attributes, unsigned outputs);
  Name emit(llvm::StringRef operation, llvm::ArrayRef<Name> inputs, NodeAttributes attributes = {}) {
    return emitAll(operation, inputs, std::move(attributes), 1)[0];
  }
  Name cast(Name value, Type from, Type to);
  Name transpose(Name value, llvm::ArrayRef<int64_t> permutation);
  /// Moves the channels from the end to axis 1, or from there to the end.
  Name moveChannels(Name value, int64_t rank, bool toEnd);
  Name reshape(Name value, llvm::ArrayRef<int64_t> sizes) { return emit("Reshape", {value, ints(sizes)}); }
  /// `condition ? x : y` for any element type; the condition is boolean, and all broadcast.
  Name select(Name condition, Name x, Name y, Type element);

  // -- Constants.
  /// A rank-1 tensor of i64.
  Name ints(llvm::ArrayRef<int64_t> values);
  /// A constant of one element: of rank 0, or of rank 1.
  Name scalar(Type element, double value, bool rank1 = false);
  Name constant(mlir::DenseElementsAttr value);

  // -- Sizes.
  /// Sizes as a rank-1 tensor of i64.
  Name sizes(llvm::ArrayRef<mlir::OpFoldResult> values);
  /// One size, of rank 1.
  Name size(mlir::OpFoldResult value) { return sizes(value); }
  /// The sizes of `value` from axis `first` on, up to axis `last`.
  Name shapeOf(Name value, int64_t first, std::optional<int64_t> last = std::nullopt);

  /// Says why the op cannot be exported.
  void fail(const llvm::Twine &reason);
};

/// Whether an element is an 8-bit integer.
bool isByte(Type element);

/// The type that ONNX operators and their engines compute `element` in: bf16 in f32, and integers of less than 32 bits
/// in i32, from which what wraps is cast back.
Type computeTypeOf(Type element);

// The families, one file each: whether `op` is one of theirs, which then has its nodes or said why not.
bool exportContraction(NodeExporter &e);
bool exportElementwise(NodeExporter &e);
bool exportIndexing(NodeExporter &e);
bool exportMovement(NodeExporter &e);
bool exportQuantization(NodeExporter &e);
bool exportRecurrence(NodeExporter &e);
bool exportReduction(NodeExporter &e);
bool exportResize(NodeExporter &e);
bool exportScalar(NodeExporter &e);
bool exportWindow(NodeExporter &e);

/// Whether the division belongs to a quantization, as its scale, and becomes no node of its own.
bool isScaleOfQuantization(graph::DivOp op);

} // namespace mlc::onnxexport

#endif
