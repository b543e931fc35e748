//===- GradientBuilder.h - what the gradient of one op works with -----------------------------------*- C++ -*---===//
//
// An op's `buildGradients` asks for the cotangents of its results and gives those of its operands, which it makes of
// graph ops by the vocabulary of GraphBuilder and some more. What was broadcast is summed up here, in one place.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_GRADIENTS_GRADIENTBUILDER_H
#define MLC_DIALECTS_GRAPH_GRADIENTS_GRADIENTBUILDER_H

#include "dialects/Graph/GraphBuilder.h"

namespace mlc::graph {

class GradientBuilder final : public GraphBuilder {
public:
  /// For `op` with a cotangent a result (null: zero); `needed` tells which operands need one.
  GradientBuilder(mlir::OpBuilder &builder, mlir::Operation *op, llvm::DenseMap<mlir::Value, Shape> &shapes,
                  llvm::ArrayRef<mlir::Value> cotangents, llvm::ArrayRef<bool> needed)
      : GraphBuilder(builder, op->getLoc(), shapes), op(op), cotangents(cotangents), needed(needed),
        gradients(op->getNumOperands()) {}

  /// The cotangent of a result, or null for zero; the only result of an op has one.
  mlir::Value cotangent(unsigned result = 0) const { return cotangents[result]; }
  bool needs(unsigned operand) const { return needed[operand]; }

  /// The sizes of all values so far.
  llvm::DenseMap<mlir::Value, Shape> &getShapes() { return shapes; }

  /// Says what the cotangent of an operand is, where it needs one. Sums over what the operand was broadcast to.
  void give(unsigned operand, llvm::function_ref<mlir::Value()> build) {
    if (needs(operand))
      gradients[operand] = sumTo(build(), op->getOperand(operand));
  }
  /// What was given, one an operand; null where nothing was.
  llvm::ArrayRef<mlir::Value> getGradients() const { return gradients; }

  /// Says what the results of the op are computed by from now on; it goes away.
  void replaceOp(mlir::ValueRange results) { replacements.assign(results.begin(), results.end()); }
  llvm::ArrayRef<mlir::Value> getReplacements() const { return replacements; }

  /// Ends with "has no derivative because …".
  llvm::LogicalResult refuse(const llvm::Twine &reason) {
    return op->emitOpError("has no derivative because ") << reason;
  }

  // -- Arithmetic.
  mlir::Value scale(mlir::Value x, double factor) { return mul(x, scalarLike(x, factor)); }
  mlir::Value plus(mlir::Value x, double term) { return add(x, scalarLike(x, term)); }
  /// number - x
  mlir::Value minus(double number, mlir::Value x) { return sub(scalarLike(x, number), x); }
  mlir::Value negate(mlir::Value x) { return make<NegOp>(x); }
  mlir::Value square(mlir::Value x) { return mul(x, x); }
  /// A tensor of the shape of `like`, filled.
  mlir::Value filledLike(mlir::Value like, double number) { return expand(scalarLike(like, number), shape(like)); }
  mlir::Value zerosLike(mlir::Value like) { return filledLike(like, 0); }
  /// `x` where the condition holds, zero elsewhere.
  mlir::Value where(mlir::Value condition, mlir::Value x) { return select(condition, x, scalarLike(x, 0)); }
  /// The cotangent of the one matrix that all rows of `lhs` were multiplied by.
  mlir::Value matrixGradient(mlir::Value lhs, mlir::Value cotangent);
  /// `matrix` with its last two axes exchanged.
  mlir::Value transposeMatrix(mlir::Value matrix);
  /// The number of elements along `axes` as a scalar of the element type of `x`.
  mlir::Value countAlong(mlir::Value x, llvm::ArrayRef<int64_t> axes);
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims = true) {
    return reduce(ReduceKind::sum, x, axes, keepDims);
  }
  mlir::Value mean(mlir::Value x, llvm::ArrayRef<int64_t> axes) { return div(sum(x, axes), countAlong(x, axes)); }

  // -- Movement.
  /// `value` summed over the axes along which `like` was broadcast to it.
  mlir::Value sumTo(mlir::Value value, mlir::Value like);
  /// Moves axis `from` to `to`; the others keep their order.
  mlir::Value moveAxis(mlir::Value value, int64_t from, int64_t to);
  /// Reverses the elements along the axes.
  mlir::Value flip(mlir::Value value, llvm::ArrayRef<int64_t> axes);
  /// Puts `step - 1` zeros behind every element of an axis but the last.
  mlir::Value dilate(mlir::Value value, int64_t axis, Size step);
  mlir::Value padZeros(mlir::Value value, llvm::ArrayRef<Size> low, llvm::ArrayRef<Size> high) {
    return pad(PadMode::constant, value, scalarLike(value, 0), low, high);
  }
  /// Zeros of the shape of `like`, where row `indices[i…]` of axis `axis` has the sum of all `value[a…, i…, b…]`: what
  /// undoes `graph.gather`.
  mlir::Value scatterRows(mlir::Value value, mlir::Value indices, int64_t axis, mlir::Value like);

private:
  mlir::Operation *op;
  llvm::ArrayRef<mlir::Value> cotangents;
  llvm::ArrayRef<bool> needed;
  Values gradients, replacements;
};

} // namespace mlc::graph

#endif
