//===- Lowering.h - what all lowerings of graph ops share --------------------------------------------*- C++ -*--===//
//
// A small vocabulary on linalg and tensor ops: empty and filled tensors, tensors computed index by index, reductions
// and loops. The sizes of every value were resolved to attributes and index values before (ResolvedShapes), so that
// equal sizes are the same value.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_CONVERSION_GRAPHTOLINALG_LOWERING_H
#define MLC_PASSES_CONVERSION_GRAPHTOLINALG_LOWERING_H

#include "dialects/Graph/GraphDialect.h"
#include "dialects/Graph/ResolvedShapes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlc::graph {

/// Builds one element from the indices of its place.
using ElementBuilder = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange indices)>;

/// Builds code for one graph op.
class Lowering {
public:
  Lowering(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc), sizes(builder, loc) {}

  mlir::OpBuilder &b;
  mlir::Location loc;
  SizeBuilder sizes;

  mlir::Value index(int64_t value);
  mlir::Value index(Size size) { return sizes.value(size); }
  /// A scalar constant of a compute type.
  mlir::Value scalar(mlir::Type type, double value);

  /// A tensor of undefined elements; static sizes of `type` win over `shape`.
  mlir::Value empty(mlir::RankedTensorType type, llvm::ArrayRef<Size> shape);
  /// A tensor whose elements are all `scalar`.
  mlir::Value filled(mlir::RankedTensorType type, llvm::ArrayRef<Size> shape, mlir::Value scalar);

  /// A tensor computed element by element, in any order.
  mlir::Value compute(mlir::RankedTensorType type, llvm::ArrayRef<Size> shape, ElementBuilder element);

  /// A tensor that starts as `init` and is combined over further loops of `reduced` sizes:
  /// `combine(b, loc, indices of the result then of the reduced loops, accumulator) -> accumulator`.
  mlir::Value
  reduce(mlir::Value init, llvm::ArrayRef<Size> reduced,
         llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange, mlir::Value)> combine);

  /// The operand, or where one of its sizes may turn out to be 1 at run time, the operand expanded to `target`; ends
  /// the run when they do not fit. Sizes that are the same value or static are left to the indexing map.
  mlir::Value alignForBroadcast(mlir::Value operand, llvm::ArrayRef<Size> shape, llvm::ArrayRef<Size> target);

  /// The map from loops over the sizes `target` to a broadcast operand of type `operand`.
  mlir::AffineMap broadcastMap(mlir::RankedTensorType operand, llvm::ArrayRef<int64_t> target);

  /// Ends the run with `message` unless `condition`.
  void check(mlir::Value condition, llvm::Twine message);

  /// Ends the run unless all `indices` lie in [-size, size).
  void checkIndices(mlir::Value indices, Size size);
};

/// `input` with `value` around it: `low` and `high` elements on every axis, negative ones crop; `shape` becomes its
/// sizes.
mlir::Value surround(Lowering &lower, mlir::Value input, llvm::ArrayRef<Size> inputShape, llvm::ArrayRef<Size> low,
                     llvm::ArrayRef<Size> high, mlir::Value value, Shape &shape);

// Scalar helpers; each builds at the builder it is given, for use inside of loop bodies.

/// Widens a half to f32; other scalars stay.
mlir::Value widen(mlir::OpBuilder &b, mlir::Location loc, mlir::Value scalar);
/// Converts a scalar of a compute type back to `element`.
mlir::Value narrow(mlir::OpBuilder &b, mlir::Location loc, mlir::Value scalar, mlir::Type element);
/// `index < 0 ? index + size : index` of an integer scalar, as an index.
mlir::Value wrapIndex(mlir::OpBuilder &b, mlir::Location loc, mlir::Value index, mlir::Value size);
/// `accumulator (op) value` for the kinds of `graph.reduce`; NaN wins in max and min.
mlir::Value combine(mlir::OpBuilder &b, mlir::Location loc, ReduceKind kind, mlir::Value accumulator, mlir::Value value,
                    bool isUnsigned);
/// The neutral element of a reduction in the compute type of `element`.
mlir::Value neutral(mlir::OpBuilder &b, mlir::Location loc, ReduceKind kind, mlir::Type element);
/// 0 <= value < size, of indices.
mlir::Value isInside(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value, mlir::Value size);

bool isUnsignedElement(mlir::Type tensor);

/// A lowering pattern: one graph op, with the resolved shapes at hand.
template <typename Op> class GraphPattern : public mlir::OpConversionPattern<Op> {
public:
  GraphPattern(const mlir::TypeConverter &converter, mlir::MLIRContext *context, const ResolvedShapes &shapes)
      : mlir::OpConversionPattern<Op>(converter, context), shapes(shapes) {}

protected:
  /// The sizes of a value of the graph (not of a converted one).
  llvm::ArrayRef<Size> shapeOf(mlir::Value value) const {
    auto it = shapes.find(value);
    assert(it != shapes.end() && "sizes of all graph values are resolved");
    return it->second;
  }
  /// The type of a value of the graph below it.
  mlir::RankedTensorType convertedType(mlir::Value value) const {
    return llvm::cast<mlir::RankedTensorType>(this->getTypeConverter()->convertType(value.getType()));
  }

private:
  const ResolvedShapes &shapes;
};

// The families of lowerings, one file each.
void populateElementwiseLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateMovementLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateIndexingLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateContractionLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateWindowLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateReductionLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateRecurrenceLowering(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateScanLowerings(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateWinogradLowering(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);
void populateResizeLowering(mlir::RewritePatternSet &, const mlir::TypeConverter &, const ResolvedShapes &);

} // namespace mlc::graph

#endif
