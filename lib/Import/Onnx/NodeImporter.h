//===- NodeImporter.h - what the importer of one node works with -------------------------------------------------===//
//
// Every operator has an importer: a function of a NodeImporter that reads inputs and attributes and makes graph ops.
// Problems of the model are thrown as ImportError and caught by the graph importer, which goes on with the next node.
// Ops on shapes fold as they are made, so that Shape → Gather → Concat → Reshape leaves sizes behind and no tensors.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_NODEIMPORTER_H
#define MLC_LIB_IMPORT_ONNX_NODEIMPORTER_H

#include "dialects/Graph/GraphDialect.h"
#include "lib/Import/Onnx/ModelFile.h"
#include "mlir/IR/PatternMatch.h"

#include <optional>
#include <set>
#include <type_traits>

namespace mlc::onnximport {

using graph::Shape;
using graph::Size;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;
using Values = llvm::SmallVector<Value, 4>;
using Ints = llvm::SmallVector<int64_t, 8>;

class GraphImporter;

/// One node while it is imported.
class NodeImporter {
public:
  NodeImporter(GraphImporter &graph, const onnx::NodeProto &node, int64_t opset, mlir::OpBuilder &builder,
               mlir::Location loc);

  GraphImporter &graph;
  const onnx::NodeProto &node;
  /// The version of the node's domain that the model imports.
  const int64_t opset;
  mlir::OpBuilder &b;
  mlir::Location loc;
  graph::SizeBuilder sizes;

  // -- Inputs and outputs. Optional ones may be missing or have an empty name.
  unsigned numInputs() const { return node.input_size(); }
  bool hasInput(unsigned i) const { return i < numInputs() && !node.input(i).empty(); }
  bool hasOutput(unsigned i) const { return i < static_cast<unsigned>(node.output_size()) && !node.output(i).empty(); }
  /// A required input.
  Value input(unsigned i);
  /// An optional input, or null.
  Value optionalInput(unsigned i) { return hasInput(i) ? input(i) : Value(); }
  /// All inputs; at least one.
  Values inputs();
  /// The rank that the model declares for an output, where it does.
  std::optional<int64_t> declaredRank(unsigned output) const;

  // -- Attributes. Each throws when the attribute has another type.
  int64_t intAttr(llvm::StringRef name, int64_t otherwise);
  std::optional<int64_t> optionalInt(llvm::StringRef name);
  double floatAttr(llvm::StringRef name, double otherwise);
  std::optional<double> optionalFloat(llvm::StringRef name);
  std::string stringAttr(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<Ints> intsAttr(llvm::StringRef name);
  /// A list of `count` numbers of less than 2^31 in size, or `count` times `otherwise`.
  Ints smallInts(llvm::StringRef name, int64_t otherwise, size_t count);
  const onnx::AttributeProto *attr(llvm::StringRef name);
  /// Marks an attribute as of no consequence.
  void ignoreAttr(llvm::StringRef name) { attr(name); }
  /// An axis in [-rank, rank), made not negative.
  int64_t axis(int64_t value, int64_t rank, llvm::StringRef what = "axis");

  [[noreturn]] void fail(const llvm::Twine &reason, llvm::StringRef attribute = "");
  [[noreturn]] void unsupported(const llvm::Twine &reason, llvm::StringRef wayOut = "", llvm::StringRef attribute = "");
  void require(bool condition, const llvm::Twine &reason) {
    if (!condition)
      fail(reason);
  }

  // -- Types.
  static RankedTensorType type(Value value) { return llvm::cast<RankedTensorType>(value.getType()); }
  static int64_t rank(Value value) { return type(value).getRank(); }
  static Type element(Value value) { return type(value).getElementType(); }
  static bool isFloat(Value value) { return llvm::isa<mlir::FloatType>(element(value)); }
  /// The element type for an ONNX data type.
  Type elementType(int64_t dataType);

  // -- Making ops. Result types are inferred; a shape that does not fit is the model's fault.
  template <typename Op, typename... Args> Values makeAll(Args &&...args) {
    unsigned count = Op::template hasTrait<mlir::OpTrait::OneResult>() ? 1 : 2;
    llvm::SmallVector<Type> unknown(count, RankedTensorType::get({}, b.getI1Type()));
    return finish(Op::create(b, loc, mlir::TypeRange(unknown), std::forward<Args>(args)...));
  }
  template <typename Op, typename... Args> Value make(Args &&...args) {
    return makeAll<Op>(std::forward<Args>(args)...)[0];
  }

  Value tensorConstant(const onnx::TensorProto &tensor);
  Value constant(mlir::DenseElementsAttr value);
  Value ints(llvm::ArrayRef<int64_t> values);
  /// A rank-0 constant of an element type.
  Value scalar(Type element, double value);
  Value scalarLike(Value value, double number) { return scalar(element(value), number); }
  /// A rank-1 i64 tensor of sizes.
  Value fromSizes(llvm::ArrayRef<Size> values);
  /// A scalar tensor of `element` with a size as its value.
  Value fromSize(Size size, Type element);
  Shape shape(Value value) { return sizes.shape(value); }
  Size constantSize(int64_t value) { return sizes.constant(value); }

  // Shorthands; binary ones broadcast.
  Value add(Value x, Value y) { return make<graph::AddOp>(x, y); }
  Value sub(Value x, Value y) { return make<graph::SubOp>(x, y); }
  Value mul(Value x, Value y) { return make<graph::MulOp>(x, y); }
  Value div(Value x, Value y) { return make<graph::DivOp>(x, y); }
  Value maximum(Value x, Value y) { return make<graph::MaxOp>(x, y); }
  Value minimum(Value x, Value y) { return make<graph::MinOp>(x, y); }
  Value compare(graph::CompareDirection direction, Value x, Value y) { return make<graph::CompareOp>(direction, x, y); }
  Value select(Value condition, Value x, Value y) { return make<graph::SelectOp>(condition, x, y); }
  Value exp(Value x) { return make<graph::ExpOp>(x); }
  Value log(Value x) { return make<graph::LogOp>(x); }
  Value sqrt(Value x) { return make<graph::SqrtOp>(x); }
  Value cast(Value value, Type element);
  Value reshape(Value value, llvm::ArrayRef<Size> shape);
  Value expand(Value value, llvm::ArrayRef<Size> shape);
  Value transpose(Value value, llvm::ArrayRef<int64_t> permutation);
  Value concat(mlir::ValueRange values, int64_t axis) { return make<graph::ConcatOp>(values, axis); }
  Value slice(Value value, llvm::ArrayRef<Size> offsets, llvm::ArrayRef<Size> sizes, llvm::ArrayRef<Size> steps);
  /// Elements [start, start + size) of one axis.
  Value sliceAxis(Value value, int64_t axis, Size start, Size size);
  Value pad(graph::PadMode mode, Value value, Value fill, llvm::ArrayRef<Size> low, llvm::ArrayRef<Size> high);
  Value iota(int64_t axis, llvm::ArrayRef<Size> sizes, Type element);
  Value reduce(graph::ReduceKind kind, Value value, llvm::ArrayRef<int64_t> axes, bool keepDims) {
    return make<graph::ReduceOp>(kind, value, axes, keepDims);
  }
  /// Inserts axes of size 1 at `axes` (of the result, sorted).
  Value unsqueeze(Value value, llvm::ArrayRef<int64_t> axes);

  /// The value of an integer tensor, where it is known now.
  std::optional<Ints> knownInts(Value value);
  /// The value of a number, where it is known now.
  std::optional<double> knownNumber(Value value);
  /// The elements of a rank-1 (or rank-0) integer tensor of known length, as sizes. `length` is used where the tensor's
  /// own length is not known, and must be right then.
  Shape sizesFrom(Value value, llvm::StringRef what, std::optional<int64_t> length = std::nullopt);
  /// As above; a list of unknown length is taken to have at most `count` elements and is filled up with `otherwise`.
  Shape sizesUpTo(Value value, llvm::StringRef what, int64_t count, int64_t otherwise, bool atFront = false);
  /// The only element of a tensor, as a scalar of rank 0.
  Value asScalar(Value value);

  // Axes that are known only at run time.
  /// tensor<rank x i1>: which axes the list `axes` names; negative ones count from the end.
  Value axisMask(Value axes, int64_t rank);
  /// The sizes of `shape` in places where the mask is not set, as a shape of `count`.
  Shape sizesWithout(llvm::ArrayRef<Size> shape, Value mask, int64_t count);
  /// A shape with 1 where the mask is set and the sizes of `shape` in order elsewhere.
  Shape sizesAround(llvm::ArrayRef<Size> shape, Value mask);

  // Arithmetic on index values that are only known at run time.
  Value indexValue(Size size) { return sizes.value(size); }
  Size foldIndex(Value value);

  /// Throws for attributes that no one asked for.
  void checkAttributes();

private:
  Values finish(mlir::Operation *op);
  std::set<std::string> read;
};

/// Imports one node: gives one value for each output, or fewer when the last ones are unused.
using ImportFunction = Values (*)(NodeImporter &);

/// Importers by operator and version.
class Registry {
public:
  static const Registry &get();
  /// `op` is "Add", or "com.microsoft.Gelu" for another domain than ai.onnx.
  void add(llvm::StringRef op, int64_t since, ImportFunction function);
  /// The newest importer that is not above `opset`; null when there is none.
  ImportFunction find(llvm::StringRef op, int64_t opset) const;
  /// The oldest version known, or nullopt for an operator that is not.
  std::optional<int64_t> oldest(llvm::StringRef op) const;

private:
  std::map<std::string, std::map<int64_t, ImportFunction>> functions;
};

// The families, one file each.
void registerElementwise(Registry &);
void registerActivations(Registry &);
void registerAttention(Registry &);
void registerConstants(Registry &);
void registerControl(Registry &);
void registerMovement(Registry &);
void registerIndexing(Registry &);
void registerContractions(Registry &);
void registerEinsum(Registry &);
void registerWindows(Registry &);
void registerNormalizations(Registry &);
void registerQuantization(Registry &);
void registerReductions(Registry &);
void registerResize(Registry &);

} // namespace mlc::onnximport

#endif
