//===- GraphShapeFolds.cpp - shape arithmetic on tensors becomes arithmetic on sizes -----------------------------===//
//
// Models compute shapes with tensor ops: Shape, Gather, Concat, Reshape. Here such an op on tensors whose elements are
// known one by one (a constant or a tensor.from_elements) becomes scalar arithmetic and one tensor.from_elements, which
// folds where all is constant. What was dynamic only by the way it was computed becomes static. Cost: linear in the
// elements, at most `maxElements`.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace mlc::graph {
namespace {

constexpr int64_t maxElements = 64;

/// The elements of a tensor as constants or scalars, row-major.
using Scalars = SmallVector<OpFoldResult>;

std::optional<Scalars> getScalars(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() > maxElements ||
      !type.getElementType().isSignlessIntOrFloat())
    return std::nullopt;
  DenseElementsAttr elements;
  if (matchPattern(tensor, m_Constant(&elements))) {
    auto attributes = elements.getValues<Attribute>();
    return Scalars(attributes.begin(), attributes.end());
  }
  if (auto op = tensor.getDefiningOp<tensor::FromElementsOp>())
    return llvm::map_to_vector(op.getElements(), [](Value value) -> OpFoldResult {
      Attribute attr;
      if (matchPattern(value, m_Constant(&attr)))
        return attr;
      return value;
    });
  return std::nullopt;
}

/// Row-major strides of a static shape.
SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/// Calls `visit` with every index of a static shape, in row-major order.
void forEachIndex(ArrayRef<int64_t> shape, llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  int64_t count = ShapedType::getNumElements(shape);
  SmallVector<int64_t> strides = stridesOf(shape), index(shape.size());
  for (int64_t i = 0; i < count; ++i) {
    for (size_t axis = 0; axis < shape.size(); ++axis)
      index[axis] = i / strides[axis] % shape[axis];
    visit(index);
  }
}

/// Offset of a broadcast operand of `shape` for an index of the result.
int64_t broadcastOffset(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t offset = 0;
  for (size_t axis = 0, skip = index.size() - shape.size(); axis < shape.size(); ++axis)
    offset = offset * shape[axis] + (shape[axis] == 1 ? 0 : index[skip + axis]);
  return offset;
}

ArrayRef<int64_t> shapeOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getShape(); }

Value materialize(OpFoldResult scalar, RewriterBase &rewriter, Location loc) {
  if (auto value = dyn_cast<Value>(scalar))
    return value;
  return arith::ConstantOp::create(rewriter, loc, cast<TypedAttr>(cast<Attribute>(scalar)));
}

/// The result of a movement op as a choice among the elements of its operands; nullopt where the op is not one.
std::optional<Scalars> moveElements(Operation *op, ArrayRef<Scalars> operands) {
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  Scalars result;
  if (isa<ReshapeOp>(op))
    return operands[0];
  if (auto expand = dyn_cast<ExpandOp>(op)) {
    forEachIndex(resultType.getShape(), [&](ArrayRef<int64_t> index) {
      result.push_back(operands[0][broadcastOffset(shapeOf(expand.getInput()), index)]);
    });
    return result;
  }
  if (auto concat = dyn_cast<ConcatOp>(op)) {
    forEachIndex(resultType.getShape(), [&](ArrayRef<int64_t> index) {
      SmallVector<int64_t> from(index);
      size_t which = 0;
      while (from[concat.getAxis()] >= shapeOf(concat.getInputs()[which])[concat.getAxis()])
        from[concat.getAxis()] -= shapeOf(concat.getInputs()[which++])[concat.getAxis()];
      result.push_back(operands[which][broadcastOffset(shapeOf(concat.getInputs()[which]), from)]);
    });
    return result;
  }
  if (auto slice = dyn_cast<SliceOp>(op)) {
    if (!slice.getOffsets().empty() || !slice.getSizes().empty() || !slice.getSteps().empty())
      return std::nullopt;
    SmallVector<int64_t> strides = stridesOf(shapeOf(slice.getInput()));
    forEachIndex(resultType.getShape(), [&](ArrayRef<int64_t> index) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < index.size(); ++axis)
        offset += (slice.getStaticOffsets()[axis] + index[axis] * slice.getStaticSteps()[axis]) * strides[axis];
      result.push_back(operands[0][offset]);
    });
    return result;
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    if (shapeOf(gather.getInput()).size() != 1)
      return std::nullopt;
    int64_t size = shapeOf(gather.getInput())[0];
    for (OpFoldResult index : operands[1]) {
      auto attr = dyn_cast<Attribute>(index);
      if (!attr)
        return std::nullopt;
      int64_t i = cast<IntegerAttr>(attr).getInt();
      i = i < 0 ? i + size : i;
      if (i < 0 || i >= size)
        return std::nullopt;
      result.push_back(operands[0][i]);
    }
    return result;
  }
  return std::nullopt;
}

/// The result of an element-wise op or a whole reduction, computed scalar by scalar.
std::optional<Scalars> compute(Operation *op, ArrayRef<Scalars> operands, RewriterBase &rewriter) {
  Location loc = op->getLoc();
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  Scalars result;
  if (auto elementwise = dyn_cast<ElementwiseOpInterface>(op)) {
    forEachIndex(resultType.getShape(), [&](ArrayRef<int64_t> index) {
      SmallVector<Value> args;
      for (auto [operand, scalars] : llvm::zip(op->getOperands(), operands))
        args.push_back(materialize(scalars[broadcastOffset(shapeOf(operand), index)], rewriter, loc));
      result.push_back(elementwise.buildScalar(rewriter, args));
    });
    return result;
  }
  auto reduce = dyn_cast<ReduceOp>(op);
  bool isSum = reduce && reduce.getKind() == ReduceKind::sum, isProd = reduce && reduce.getKind() == ReduceKind::prod;
  if ((!isSum && !isProd) || resultType.getNumElements() != 1 || !resultType.getElementType().isInteger())
    return std::nullopt;
  Value total = arith::ConstantOp::create(rewriter, loc, rewriter.getIntegerAttr(resultType.getElementType(), isProd));
  for (OpFoldResult scalar : operands[0]) {
    Value value = materialize(scalar, rewriter, loc);
    total = isProd ? Value(arith::MulIOp::create(rewriter, loc, total, value))
                   : Value(arith::AddIOp::create(rewriter, loc, total, value));
  }
  return Scalars{total};
}

/// Folds the scalar ops that `value` hangs from, operands first.
OpFoldResult foldScalar(OpFoldResult scalar, RewriterBase &rewriter, llvm::SmallDenseMap<Value, OpFoldResult> &done) {
  auto value = dyn_cast<Value>(scalar);
  if (!value)
    return scalar;
  if (auto it = done.find(value); it != done.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  if (!op || !isa<arith::ArithDialect>(op->getDialect()) || op->getNumResults() != 1)
    return scalar;
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    OpFoldResult folded = foldScalar(operand, rewriter, done);
    operands.push_back(dyn_cast<Attribute>(folded));
  }
  SmallVector<OpFoldResult> results;
  OpFoldResult result = value;
  if (succeeded(op->fold(operands, results)) && !results.empty())
    result = results[0];
  Attribute constant;
  if (auto foldedValue = dyn_cast<Value>(result); foldedValue && matchPattern(foldedValue, m_Constant(&constant)))
    result = constant;
  done[value] = result;
  return result;
}

} // namespace

LogicalResult scalarizeShapeArithmetic(Operation *op, RewriterBase &rewriter) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 || !isa<GraphDialect>(op->getDialect()))
    return failure();
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() > maxElements ||
      !type.getElementType().isSignlessIntOrFloat() || type.getElementType().isF16() || type.getElementType().isBF16())
    return failure();
  SmallVector<Scalars> operands;
  for (Value operand : op->getOperands()) {
    if (operand.getType().isIndex())
      return failure();
    std::optional<Scalars> scalars = getScalars(operand);
    if (!scalars || getElementTypeOrSelf(operand.getType()).isF16() || getElementTypeOrSelf(operand.getType()).isBF16())
      return failure();
    operands.push_back(std::move(*scalars));
  }
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  std::optional<Scalars> result = moveElements(op, operands);
  if (!result)
    result = compute(op, operands, rewriter);
  if (!result)
    return failure();
  llvm::SmallDenseMap<Value, OpFoldResult> done;
  for (OpFoldResult &scalar : *result)
    scalar = foldScalar(scalar, rewriter, done);
  if (llvm::all_of(*result, [](OpFoldResult scalar) { return isa<Attribute>(scalar); })) {
    auto attributes = llvm::map_to_vector(*result, [](OpFoldResult scalar) { return cast<Attribute>(scalar); });
    rewriter.replaceOpWithNewOp<ConstantOp>(op, DenseElementsAttr::get(type, attributes));
    return success();
  }
  auto values = llvm::map_to_vector(*result, [&](OpFoldResult s) { return materialize(s, rewriter, op->getLoc()); });
  rewriter.replaceOpWithNewOp<tensor::FromElementsOp>(op, type, values);
  return success();
}

} // namespace mlc::graph
