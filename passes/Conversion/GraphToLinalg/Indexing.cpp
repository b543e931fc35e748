//===- Indexing.cpp - gathers and scatters ------------------------------------------------------------------------===//
//
// Indices are checked as a whole before they are used, so that the loops that use them are free of exits.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

struct LowerGather final : GraphPattern<GatherOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(GatherOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    int64_t axis = op.getAxis(), indexRank = cast<RankedTensorType>(op.getIndices().getType()).getRank();
    Size size = shapeOf(op.getInput())[axis];
    lower.checkIndices(adaptor.getIndices(), size);
    Value limit = lower.index(size);
    rewriter.replaceOp(
        op, lower.compute(convertedType(op), shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          Value index = tensor::ExtractOp::create(b, loc, adaptor.getIndices(), indices.slice(axis, indexRank));
          SmallVector<Value> from(indices.take_front(axis));
          from.push_back(wrapIndex(b, loc, index, limit));
          llvm::append_range(from, indices.drop_front(axis + indexRank));
          return tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
        }));
    return success();
  }
};

struct LowerGatherElements final : GraphPattern<GatherElementsOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(GatherElementsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Size size = shapeOf(op.getInput())[op.getAxis()];
    lower.checkIndices(adaptor.getIndices(), size);
    Value limit = lower.index(size);
    rewriter.replaceOp(
        op, lower.compute(convertedType(op), shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> from(indices);
          Value index = tensor::ExtractOp::create(b, loc, adaptor.getIndices(), indices);
          from[op.getAxis()] = wrapIndex(b, loc, index, limit);
          return tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
        }));
    return success();
  }
};

/// Checks each component of index tuples against its axis.
void checkTuples(Lowering &lower, Value indices, ArrayRef<Size> indexShape, ArrayRef<Size> limits) {
  auto type = cast<RankedTensorType>(indices.getType());
  Shape shape(indexShape.drop_back());
  auto partType = RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
  for (auto [component, limit] : llvm::enumerate(limits)) {
    Value part =
        lower.compute(partType, shape, [&, component = component](OpBuilder &b, Location loc, ValueRange at) -> Value {
          SmallVector<Value> from(at);
          from.push_back(arith::ConstantIndexOp::create(b, loc, component));
          return tensor::ExtractOp::create(b, loc, indices, from);
        });
    lower.checkIndices(part, limit);
  }
}

struct LowerGatherND final : GraphPattern<GatherNDOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(GatherNDOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    auto indexType = cast<RankedTensorType>(op.getIndices().getType());
    int64_t batch = op.getBatchDims(), tuple = indexType.getShape().back(), outer = indexType.getRank() - 1;
    ArrayRef<Size> inputShape = shapeOf(op.getInput());
    checkTuples(lower, adaptor.getIndices(), shapeOf(op.getIndices()), inputShape.slice(batch, tuple));
    SmallVector<Value> limits;
    for (Size size : inputShape)
      limits.push_back(lower.index(size));
    rewriter.replaceOp(
        op, lower.compute(convertedType(op), shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> from(indices.take_front(batch));
          for (int64_t i = 0; i < tuple; ++i) {
            SmallVector<Value> at(indices.take_front(outer));
            at.push_back(arith::ConstantIndexOp::create(b, loc, i));
            Value index = tensor::ExtractOp::create(b, loc, adaptor.getIndices(), at);
            from.push_back(wrapIndex(b, loc, index, limits[batch + i]));
          }
          llvm::append_range(from, indices.drop_front(outer));
          return tensor::ExtractOp::create(b, loc, adaptor.getInput(), from);
        }));
    return success();
  }
};

ReduceKind reductionOf(ScatterKind kind) {
  switch (kind) {
  case ScatterKind::mul:
    return ReduceKind::prod;
  case ScatterKind::max:
    return ReduceKind::max;
  case ScatterKind::min:
    return ReduceKind::min;
  default:
    return ReduceKind::sum;
  }
}

/// Loops over `updates` in row-major order and combines each with the element of `input` that `place` names.
Value scatter(Lowering &lower, Value input, Value updates, ArrayRef<Size> updateShape, ScatterKind kind,
              bool isUnsigned, llvm::function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)> place) {
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  SmallVector<Value> lows(updateShape.size(), lower.index(int64_t(0))), highs,
      steps(updateShape.size(), lower.index(int64_t(1)));
  for (Size size : updateShape)
    highs.push_back(lower.index(size));
  auto body = [&](OpBuilder &b, Location loc, ValueRange indices, ValueRange state) -> SmallVector<Value> {
    SmallVector<Value> to = place(b, loc, indices);
    Value update = tensor::ExtractOp::create(b, loc, updates, indices);
    if (kind != ScatterKind::none) {
      Value old = tensor::ExtractOp::create(b, loc, state[0], to);
      update = narrow(b, loc, combine(b, loc, reductionOf(kind), widen(b, loc, old), widen(b, loc, update), isUnsigned),
                      element);
    }
    return {tensor::InsertOp::create(b, loc, update, state[0], to)};
  };
  if (updateShape.empty())
    return body(lower.b, lower.loc, {}, input)[0];
  scf::LoopNest nest = scf::buildLoopNest(lower.b, lower.loc, lows, highs, steps, input, body);
  return nest.results[0];
}

struct LowerScatterElements final : GraphPattern<ScatterElementsOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ScatterElementsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Size size = shapeOf(op.getInput())[op.getAxis()];
    lower.checkIndices(adaptor.getIndices(), size);
    Value limit = lower.index(size);
    rewriter.replaceOp(op, scatter(lower, adaptor.getInput(), adaptor.getUpdates(), shapeOf(op.getIndices()),
                                   op.getKind(), isUnsignedElement(op.getInput().getType()),
                                   [&](OpBuilder &b, Location loc, ValueRange indices) {
                                     SmallVector<Value> to(indices);
                                     Value index = tensor::ExtractOp::create(b, loc, adaptor.getIndices(), indices);
                                     to[op.getAxis()] = wrapIndex(b, loc, index, limit);
                                     return to;
                                   }));
    return success();
  }
};

struct LowerScatterND final : GraphPattern<ScatterNDOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ScatterNDOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    auto indexType = cast<RankedTensorType>(op.getIndices().getType());
    int64_t tuple = indexType.getShape().back(), outer = indexType.getRank() - 1;
    ArrayRef<Size> inputShape = shapeOf(op.getInput());
    checkTuples(lower, adaptor.getIndices(), shapeOf(op.getIndices()), inputShape.take_front(tuple));
    SmallVector<Value> limits;
    for (Size size : inputShape)
      limits.push_back(lower.index(size));
    rewriter.replaceOp(op, scatter(lower, adaptor.getInput(), adaptor.getUpdates(), shapeOf(op.getUpdates()),
                                   op.getKind(), isUnsignedElement(op.getInput().getType()),
                                   [&](OpBuilder &b, Location loc, ValueRange indices) {
                                     SmallVector<Value> to;
                                     for (int64_t i = 0; i < tuple; ++i) {
                                       SmallVector<Value> at(indices.take_front(outer));
                                       at.push_back(arith::ConstantIndexOp::create(b, loc, i));
                                       Value index = tensor::ExtractOp::create(b, loc, adaptor.getIndices(), at);
                                       to.push_back(wrapIndex(b, loc, index, limits[i]));
                                     }
                                     llvm::append_range(to, indices.drop_front(outer));
                                     return to;
                                   }));
    return success();
  }
};

} // namespace

void mlc::graph::populateIndexingLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                           const ResolvedShapes &shapes) {
  patterns.add<LowerGather, LowerGatherElements, LowerGatherND, LowerScatterElements, LowerScatterND>(
      converter, patterns.getContext(), shapes);
}
