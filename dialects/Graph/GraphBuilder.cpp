//===- GraphBuilder.cpp - making graph ops whose types are inferred ----------------------------------------------===//
#include "dialects/Graph/GraphBuilder.h"

#include "dialects/Graph/ScanBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace mlc::graph {

void GraphBuilder::settle(Operation *op) {
  SmallVector<Type> types;
  [[maybe_unused]] LogicalResult inferred = llvm::cast<InferTypeOpInterface>(op).inferReturnTypes(
      b.getContext(), op->getLoc(), op->getOperands(), op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
      op->getRegions(), types);
  assert(succeeded(inferred) && "operands that fit together");
  for (auto [result, type] : llvm::zip(op->getResults(), types))
    result.setType(type);
  assert(succeeded(verify(op)));
}

std::string GraphBuilder::trySettle(Operation *op) {
  std::string said;
  ScopedDiagnosticHandler handler(b.getContext(), [&](Diagnostic &diagnostic) {
    if (said.empty())
      said = diagnostic.str();
    return success();
  });
  auto inferable = llvm::cast<InferTypeOpInterface>(op);
  SmallVector<Type> types;
  bool fits = succeeded(inferable.inferReturnTypes(b.getContext(), op->getLoc(), op->getOperands(),
                                                   op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
                                                   op->getRegions(), types));
  if (fits) {
    for (auto [result, type] : llvm::zip(op->getResults(), types)) {
      auto shaped = llvm::cast<RankedTensorType>(type);
      int64_t count = 1;
      for (int64_t size : shaped.getShape())
        if (!ShapedType::isDynamic(size))
          fits &= !__builtin_mul_overflow(count, size, &count) && count < (int64_t(1) << 59);
      if (!fits && said.empty())
        said = "the result is too large to address";
      result.setType(type);
    }
    fits = fits && succeeded(verify(op));
  }
  if (fits)
    return "";
  op->erase();
  StringRef reason = said;
  if (reason.starts_with("'"))
    reason = reason.substr(reason.find(' ') + 1); // "'graph.add' op requires …"
  reason.consume_front("op ");
  return reason.empty() ? "the operands do not fit together" : reason.str();
}

Values GraphBuilder::finish(Operation *op) {
  settle(op);
  // Fold what is known; shapes become scalars.
  struct Replaced final : RewriterBase::Listener {
    Values values;
    void notifyOperationReplaced(Operation *, ValueRange with) override { values.assign(with.begin(), with.end()); }
  } replaced;
  SmallVector<Value> folded;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op);
  if (succeeded(b.tryFold(op, folded)) && !folded.empty()) {
    op->erase();
    return Values(folded.begin(), folded.end());
  }
  IRRewriter rewriter(b);
  rewriter.setListener(&replaced);
  if (succeeded(scalarizeShapeArithmetic(op, rewriter)))
    return replaced.values;
  // Remember the sizes of the results in terms of those of the operands, so that a symbol stays one value.
  b.setInsertionPointAfter(op);
  SmallVector<Shape> inferred;
  if (succeeded(llvm::cast<ShapeOpInterface>(op).inferShapes(sizes, inferred)))
    for (auto [result, shape] : llvm::zip(op->getResults(), inferred)) {
      for (auto [axis, size] : llvm::enumerate(shape))
        if (int64_t known = type(result).getDimSize(axis); !ShapedType::isDynamic(known))
          size = sizes.constant(known);
      shapes[result] = std::move(shape);
    }
  return Values(op->getResults());
}

Value GraphBuilder::ints(ArrayRef<int64_t> values) {
  return constant(
      DenseElementsAttr::get(RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI64Type()), values));
}

Value GraphBuilder::fromSizes(ArrayRef<Size> values) {
  if (llvm::all_of(values, [](Size size) { return getConstant(size).has_value(); }))
    return ints(llvm::map_to_vector(values, [](Size size) { return *getConstant(size); }));
  SmallVector<Value> elements;
  for (Size size : values)
    elements.push_back(b.createOrFold<arith::IndexCastOp>(loc, b.getI64Type(), sizes.value(size)));
  return tensor::FromElementsOp::create(
      b, loc, RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI64Type()), elements);
}

Value GraphBuilder::fromSize(Size size, Type element) { return cast(reshape(fromSizes(size), {}), element); }

Value GraphBuilder::cast(Value value, Type element) {
  return GraphBuilder::element(value) == element ? value : make<CastOp>(value, element);
}

namespace {
/// Index values and constants apart, as the ops take them.
struct Split final {
  explicit Split(ArrayRef<Size> sizes) { dispatchIndexOpFoldResults(sizes, values, statics); }
  SmallVector<Value> values;
  SmallVector<int64_t> statics;
};
} // namespace

Value GraphBuilder::reshape(Value value, ArrayRef<Size> shape) {
  Split split(shape);
  return make<ReshapeOp>(value, split.values, split.statics);
}

Value GraphBuilder::expand(Value value, ArrayRef<Size> shape) {
  Split split(shape);
  return make<ExpandOp>(value, split.values, split.statics);
}

Value GraphBuilder::transpose(Value value, ArrayRef<int64_t> permutation) {
  return make<TransposeOp>(value, permutation);
}

Value GraphBuilder::slice(Value value, ArrayRef<Size> offsets, ArrayRef<Size> sizes, ArrayRef<Size> steps) {
  Split offset(offsets), size(sizes), step(steps);
  return make<SliceOp>(value, offset.values, size.values, step.values, offset.statics, size.statics, step.statics);
}

Value GraphBuilder::sliceAxis(Value value, int64_t axis, Size start, Size size) {
  Shape offsets(rank(value), constantSize(0)), steps(rank(value), constantSize(1)), extents = shape(value);
  offsets[axis] = start;
  extents[axis] = size;
  return slice(value, offsets, extents, steps);
}

Value GraphBuilder::pad(PadMode mode, Value value, Value fill, ArrayRef<Size> low, ArrayRef<Size> high) {
  Split lows(low), highs(high);
  return make<PadOp>(mode, value, fill, lows.values, highs.values, lows.statics, highs.statics);
}

Value GraphBuilder::iota(int64_t axis, ArrayRef<Size> shape, Type element) {
  Split split(shape);
  return make<IotaOp>(static_cast<uint64_t>(axis), split.values, split.statics, element);
}

Values GraphBuilder::scan(ValueRange inits, ValueRange inputs, bool reverse, ScanBody body) {
  ScanBuilder scan(*this);
  {
    OpBuilder::InsertionGuard guard(b);
    for (Value init : inits) // which keeps its sizes
      assume(scan.block().addArgument(init.getType(), loc), shape(init));
    for (Value input : inputs) {
      Shape slice = shape(input);
      slice.erase(slice.begin());
      assume(scan.block().addArgument(ScanBuilder::sliceType(input), loc), std::move(slice));
    }
    b.setInsertionPointToStart(&scan.block());
    ValueRange arguments(scan.block().getArguments());
    YieldOp::create(b, loc, body(arguments.take_front(inits.size()), arguments.drop_front(inits.size())));
  }
  return scan.finish(inits, inputs, reverse);
}

Value GraphBuilder::unsqueeze(Value value, ArrayRef<int64_t> axes) {
  Shape old = shape(value), result;
  size_t next = 0;
  for (size_t i = 0; i < old.size() + axes.size(); ++i)
    result.push_back(llvm::is_contained(axes, static_cast<int64_t>(i)) ? constantSize(1) : old[next++]);
  return reshape(value, result);
}

} // namespace mlc::graph
