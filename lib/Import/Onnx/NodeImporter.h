//===- NodeImporter.h - what the importer of one node works with -------------------------------------------------===//
//
// Every operator has an importer: a function of a NodeImporter that reads inputs and attributes and makes graph ops.
// Problems of the model are thrown as ImportError and caught by the graph importer, which goes on with the next node.
// Ops on shapes fold as they are made, so that Shape → Gather → Concat → Reshape leaves sizes behind and no tensors.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_NODEIMPORTER_H
#define MLC_LIB_IMPORT_ONNX_NODEIMPORTER_H

#include "dialects/Graph/GraphBuilder.h"
#include "lib/Import/Onnx/ModelFile.h"
#include "mlir/IR/PatternMatch.h"

#include <optional>
#include <set>
#include <type_traits>

namespace mlc::onnximport {

using graph::Shape;
using graph::Size;
using graph::Values;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;
using Ints = llvm::SmallVector<int64_t, 8>;

class GraphImporter;

/// One node while it is imported. Ops that do not fit are the model's fault.
class NodeImporter final : public graph::GraphBuilder {
public:
  NodeImporter(GraphImporter &graph, const onnx::NodeProto &node, int64_t opset, mlir::OpBuilder &builder,
               mlir::Location loc);

  GraphImporter &graph;
  const onnx::NodeProto &node;
  /// The version of the node's domain that the model imports.
  const int64_t opset;

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
  std::optional<std::vector<double>> floatsAttr(llvm::StringRef name);
  std::optional<std::vector<std::string>> stringsAttr(llvm::StringRef name);
  const onnx::GraphProto &graphAttr(llvm::StringRef name);
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
  /// The element type for an ONNX data type.
  Type elementType(int64_t dataType);

  Value tensorConstant(const onnx::TensorProto &tensor);
  // Sizes that a model gives, which must not be negative.
  Value reshape(Value value, llvm::ArrayRef<Size> shape);
  Value expand(Value value, llvm::ArrayRef<Size> shape);
  /// Elements [start, start + size) of one axis, which a scalar does not have.
  Value sliceAxis(Value value, int64_t axis, Size start, Size size);
  /// Inserts axes of size 1 at `axes` (of the result, sorted), as far as there may be so many.
  Value unsqueeze(Value value, llvm::ArrayRef<int64_t> axes);

  /// A graph.scan along sequences, whose outputs have sizes that are known outside of it.
  Values scan(mlir::ValueRange inits, mlir::ValueRange inputs, bool reverse, ScanBody body);

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

protected:
  void settle(mlir::Operation *op) override;

private:
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
void registerLoops(Registry &);
void registerContractions(Registry &);
void registerEinsum(Registry &);
void registerWindows(Registry &);
void registerNormalizations(Registry &);
void registerQuantization(Registry &);
void registerRecurrent(Registry &);
void registerReductions(Registry &);
void registerResize(Registry &);

} // namespace mlc::onnximport

#endif
