//===- Recurrence.cpp - graph.scan as a loop whose state is updated in place
//---------------------------------------===//
//
// scf.for carries the state and the outputs of all steps. A step reads a slice of the inputs and puts its outputs in
// their place; the new state is written over the old one, which costs a copy of the state where the body computes it
// elsewhere, and no memory but that of one state.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Where the slice of step `position`, of type `slice`, is in a tensor of the given shape.
struct StepSlice final {
  StepSlice(Lowering &lower, Value position, ArrayRef<Size> shape, RankedTensorType slice)
      : offsets(shape.size(), lower.sizes.constant(0)), sizes(shape.size(), lower.sizes.constant(1)),
        strides(shape.size(), lower.sizes.constant(1)) {
    offsets[0] = position;
    for (auto [axis, size] : llvm::enumerate(slice.getShape()))
      sizes[1 + axis] = ShapedType::isDynamic(size) ? Size(lower.index(shape[1 + axis])) : lower.sizes.constant(size);
  }
  SmallVector<OpFoldResult> offsets, sizes, strides;
};

struct LowerScan final : GraphPattern<ScanOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ScanOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    for (Value output : op.getOutputs())
      for (Size size : shapeOf(output))
        if (auto dim = dyn_cast<Value>(size);
            dim && dim.getDefiningOp<tensor::DimOp>() && dim.getDefiningOp<tensor::DimOp>().getSource() == output)
          return op.emitError("cannot be lowered because only a step knows the size of its output");
    Size steps = shapeOf(op.getInputs()[0])[0];
    for (Value input : op.getInputs().drop_front()) {
      Size other = shapeOf(input)[0];
      if (other == steps || (getConstant(other) && getConstant(steps)))
        continue;
      lower.check(
          arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq, lower.index(steps), lower.index(other)),
          "sequences have different lengths");
      if (getConstant(other))
        steps = other;
    }

    SmallVector<Value> carried(adaptor.getInits());
    for (Value output : op.getOutputs())
      carried.push_back(lower.empty(convertedType(output), shapeOf(output)));
    Value count = lower.index(steps), zero = lower.index(0), one = lower.index(1);
    auto loop = scf::ForOp::create(rewriter, loc, zero, count, one, carried);
    Block *body = loop.getBody();
    rewriter.setInsertionPointToStart(body);
    Value position = loop.getInductionVar();
    if (op.getReverse()) {
      Value last = arith::SubIOp::create(rewriter, loc, count, one);
      position = arith::SubIOp::create(rewriter, loc, last, position);
    }
    SmallVector<Value> arguments(loop.getRegionIterArgs().take_front(op.getInits().size()));
    for (auto [input, original, slice] : llvm::zip(adaptor.getInputs(), op.getInputs(), op.getSliceArguments())) {
      RankedTensorType type = convertedType(slice);
      StepSlice step(lower, position, shapeOf(original), type);
      arguments.push_back(
          tensor::ExtractSliceOp::create(rewriter, loc, type, input, step.offsets, step.sizes, step.strides));
    }
    llvm::append_range(arguments, adaptor.getCaptures());
    YieldOp yield = op.getYield();
    rewriter.inlineBlockBefore(&op.getBody().front(), body, body->end(), arguments);
    rewriter.setInsertionPoint(yield);
    SmallVector<Value> next(loop.getNumRegionIterArgs());
    size_t states = op.getInits().size();
    for (size_t i = states; i < next.size(); ++i) // which may be the old state
      next[i] = placeOutput(lower, op.getResult(i), yield.getValues()[i], position, loop.getRegionIterArg(i));
    for (size_t i = 0; i < states; ++i)
      next[i] = keepState(lower, op.getInits()[i], yield.getValues()[i], loop.getRegionIterArg(i));
    rewriter.replaceOpWithNewOp<scf::YieldOp>(yield, next);

    rewriter.setInsertionPointAfter(loop);
    SmallVector<Value> results;
    for (auto [result, value] : llvm::zip(op.getResults(), loop.getResults())) {
      RankedTensorType type = convertedType(result);
      results.push_back(value.getType() == type ? value : Value(tensor::CastOp::create(rewriter, loc, type, value)));
    }
    rewriter.replaceOp(op, results);
    return success();
  }

  /// A value of the body, which is not lowered yet, in the type that it will have then.
  Value withoutSign(Lowering &lower, Value value) const {
    RankedTensorType type = convertedType(value);
    return type == value.getType() ? value : Value(tensor::BitcastOp::create(lower.b, lower.loc, type, value));
  }

  /// Writes the new state over the old one.
  Value keepState(Lowering &lower, Value init, Value value, Value target) const {
    for (auto [before, now] : llvm::zip(shapeOf(init), shapeOf(value)))
      if (before != now && !(getConstant(before) && getConstant(now)))
        lower.check(
            arith::CmpIOp::create(lower.b, lower.loc, arith::CmpIPredicate::eq, lower.index(before), lower.index(now)),
            "a state changes its size");
    if (value.getType() != init.getType())
      value = tensor::CastOp::create(lower.b, lower.loc, init.getType(), value);
    return linalg::CopyOp::create(lower.b, lower.loc, withoutSign(lower, value), target).getResult(0);
  }

  /// Writes the outputs of a step to their place in those of all steps.
  Value placeOutput(Lowering &lower, Value output, Value value, Value position, Value target) const {
    StepSlice step(lower, position, shapeOf(output), cast<RankedTensorType>(value.getType()));
    return tensor::InsertSliceOp::create(lower.b, lower.loc, withoutSign(lower, value), target, step.offsets,
                                         step.sizes, step.strides);
  }
};

} // namespace

void mlc::graph::populateRecurrenceLowering(RewritePatternSet &patterns, const TypeConverter &converter,
                                            const ResolvedShapes &shapes) {
  patterns.add<LowerScan>(converter, patterns.getContext(), shapes);
}
