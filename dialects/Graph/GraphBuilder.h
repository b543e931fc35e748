//===- GraphBuilder.h - making graph ops whose types are inferred -----------------------------------*- C++ -*---===//
//
// What importers and gradients write graph ops with. Result types follow from the operands; what is known folds as it
// is made, so that arithmetic on shapes leaves sizes behind and no tensors; and the sizes of all results are remembered
// in terms of those of the operands, so that a symbol stays one value.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_GRAPHBUILDER_H
#define MLC_DIALECTS_GRAPH_GRAPHBUILDER_H

#include "dialects/Graph/GraphDialect.h"

namespace mlc::graph {

using Values = llvm::SmallVector<mlir::Value, 4>;

class GraphBuilder {
public:
  /// `shapes` holds the sizes known so far and outlives the builder.
  GraphBuilder(mlir::OpBuilder &builder, mlir::Location loc, llvm::DenseMap<mlir::Value, Shape> &shapes)
      : b(builder), loc(loc), sizes(builder, loc), shapes(shapes) {
    sizes.useKnown(&shapes);
  }
  virtual ~GraphBuilder() = default;
  GraphBuilder(const GraphBuilder &) = delete;
  GraphBuilder &operator=(const GraphBuilder &) = delete;

  mlir::OpBuilder &b;
  mlir::Location loc;
  SizeBuilder sizes;

  // -- Types.
  static mlir::RankedTensorType type(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()); }
  static int64_t rank(mlir::Value value) { return type(value).getRank(); }
  static mlir::Type element(mlir::Value value) { return type(value).getElementType(); }
  static bool isFloat(mlir::Value value) { return llvm::isa<mlir::FloatType>(element(value)); }

  // -- Making ops.
  template <typename Op, typename... Args> Values makeAll(Args &&...args) {
    unsigned count = Op::template hasTrait<mlir::OpTrait::OneResult>() ? 1 : 2;
    llvm::SmallVector<mlir::Type> unknown(count, mlir::RankedTensorType::get({}, b.getI1Type()));
    return finish(Op::create(b, loc, mlir::TypeRange(unknown), std::forward<Args>(args)...));
  }
  template <typename Op, typename... Args> mlir::Value make(Args &&...args) {
    return makeAll<Op>(std::forward<Args>(args)...)[0];
  }

  mlir::Value constant(mlir::DenseElementsAttr value) { return ConstantOp::create(b, loc, value).getResult(); }
  mlir::Value ints(llvm::ArrayRef<int64_t> values);
  /// A rank-0 constant of an element type.
  mlir::Value scalar(mlir::Type element, double value) { return buildScalarConstant(b, loc, element, value); }
  mlir::Value scalarLike(mlir::Value value, double number) { return scalar(element(value), number); }
  /// A rank-1 i64 tensor of sizes.
  mlir::Value fromSizes(llvm::ArrayRef<Size> values);
  /// A scalar tensor of `element` with a size as its value.
  mlir::Value fromSize(Size size, mlir::Type element);
  Shape shape(mlir::Value value) { return sizes.shape(value); }
  Size constantSize(int64_t value) { return sizes.constant(value); }

  // -- Shorthands; binary ones broadcast.
  mlir::Value add(mlir::Value x, mlir::Value y) { return make<AddOp>(x, y); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return make<SubOp>(x, y); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return make<MulOp>(x, y); }
  mlir::Value div(mlir::Value x, mlir::Value y) { return make<DivOp>(x, y); }
  mlir::Value maximum(mlir::Value x, mlir::Value y) { return make<MaxOp>(x, y); }
  mlir::Value minimum(mlir::Value x, mlir::Value y) { return make<MinOp>(x, y); }
  mlir::Value compare(CompareDirection direction, mlir::Value x, mlir::Value y) {
    return make<CompareOp>(direction, x, y);
  }
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y) { return make<SelectOp>(condition, x, y); }
  mlir::Value exp(mlir::Value x) { return make<ExpOp>(x); }
  mlir::Value log(mlir::Value x) { return make<LogOp>(x); }
  mlir::Value sqrt(mlir::Value x) { return make<SqrtOp>(x); }
  mlir::Value cast(mlir::Value value, mlir::Type element);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<Size> shape);
  mlir::Value expand(mlir::Value value, llvm::ArrayRef<Size> shape);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  mlir::Value concat(mlir::ValueRange values, int64_t axis) { return make<ConcatOp>(values, axis); }
  mlir::Value slice(mlir::Value value, llvm::ArrayRef<Size> offsets, llvm::ArrayRef<Size> sizes,
                    llvm::ArrayRef<Size> steps);
  /// Elements [start, start + size) of one axis.
  mlir::Value sliceAxis(mlir::Value value, int64_t axis, Size start, Size size);
  mlir::Value pad(PadMode mode, mlir::Value value, mlir::Value fill, llvm::ArrayRef<Size> low,
                  llvm::ArrayRef<Size> high);
  mlir::Value iota(int64_t axis, llvm::ArrayRef<Size> sizes, mlir::Type element);
  mlir::Value reduce(ReduceKind kind, mlir::Value value, llvm::ArrayRef<int64_t> axes, bool keepDims) {
    return make<ReduceOp>(kind, value, axes, keepDims);
  }
  /// Inserts axes of size 1 at `axes` (of the result, sorted).
  mlir::Value unsqueeze(mlir::Value value, llvm::ArrayRef<int64_t> axes);

  /// Makes what a step yields of the states and of the slices of the inputs.
  using ScanBody = llvm::function_ref<Values(mlir::ValueRange states, mlir::ValueRange slices)>;
  /// A graph.scan; its body may read any value from outside.
  Values scan(mlir::ValueRange inits, mlir::ValueRange inputs, bool reverse, ScanBody body);

  /// Settles a new op, folds what is known of it and remembers its sizes; gives its results.
  Values finish(mlir::Operation *op);
  /// The sizes of a value are what someone knows better than its op, or nothing that anyone asks for again.
  void assume(mlir::Value value, Shape shape) { shapes[value] = std::move(shape); }
  void forget(mlir::Value value) { shapes.erase(value); }

protected:
  /// Gives a new op the types of its results and verifies it. Operands that do not fit are a bug of who builds here;
  /// whoever builds from what others wrote overrides this.
  virtual void settle(mlir::Operation *op);
  /// As `settle`; where the operands do not fit, erases the op and gives what it says against them, else nothing.
  std::string trySettle(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, Shape> &shapes;
};

} // namespace mlc::graph

#endif
