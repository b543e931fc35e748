//===- Scans.cpp - cumulative sums and sorting: ops whose loops carry state --------------------------------------===//
//
// Loops over tensors that are updated in place. top_k is a stable bottom-up merge sort of indices: each element finds
// its place in the merged run by binary search, O(n log² n) whatever k is.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Loops over `shape` in row-major order, updating `state`.
Value updateInOrder(OpBuilder &b, Location loc, ArrayRef<Value> shape, Value state,
                    llvm::function_ref<Value(OpBuilder &, Location, ValueRange, Value)> body) {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0), one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> lows(shape.size(), zero), steps(shape.size(), one);
  return scf::buildLoopNest(b, loc, lows, shape, steps, state,
                            [&](OpBuilder &b, Location loc, ValueRange indices, ValueRange state) -> scf::ValueVector {
                              return {body(b, loc, indices, state[0])};
                            })
      .results[0];
}

SmallVector<Value> indexValues(Lowering &lower, ArrayRef<Size> shape) {
  SmallVector<Value> values;
  for (Size size : shape)
    values.push_back(lower.index(size));
  return values;
}

struct LowerCumulate final : GraphPattern<CumulateOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(CumulateOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    RankedTensorType type = convertedType(op);
    Type element = getElementTypeOrSelf(op.getInput().getType()), compute = getComputeType(element);
    SmallVector<Value> shape = indexValues(lower, shapeOf(op));
    int64_t axis = op.getAxis();
    Value start = neutral(rewriter, loc, op.getKind(), element), input = adaptor.getInput();
    Value sums = updateInOrder(
        rewriter, loc, shape, lower.empty(type.clone(compute), shapeOf(op)),
        [&](OpBuilder &b, Location loc, ValueRange indices, Value state) -> Value {
          Value one = arith::ConstantIndexOp::create(b, loc, 1), zero = arith::ConstantIndexOp::create(b, loc, 0);
          auto placed = [&](Value step) {
            SmallVector<Value> at(indices);
            at[axis] =
                op.getReverse()
                    ? Value(arith::SubIOp::create(b, loc, Value(arith::SubIOp::create(b, loc, shape[axis], one)), step))
                    : step;
            return at;
          };
          SmallVector<Value> here = placed(indices[axis]);
          SmallVector<Value> before = placed(arith::SubIOp::create(b, loc, indices[axis], one));
          Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, indices[axis], zero);
          Value sum = scf::IfOp::create(
                          b, loc, isFirst, [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, start); },
                          [&](OpBuilder &b, Location loc) {
                            Value old = tensor::ExtractOp::create(b, loc, state, before);
                            if (op.getExclusive()) {
                              Value value = widen(b, loc, tensor::ExtractOp::create(b, loc, input, before));
                              old = combine(b, loc, op.getKind(), old, value, false);
                            }
                            scf::YieldOp::create(b, loc, old);
                          })
                          .getResult(0);
          if (!op.getExclusive())
            sum = combine(b, loc, op.getKind(), sum, widen(b, loc, tensor::ExtractOp::create(b, loc, input, here)),
                          false);
          return tensor::InsertOp::create(b, loc, sum, state, here);
        });
    if (compute != type.getElementType())
      sums = lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
        return narrow(b, loc, tensor::ExtractOp::create(b, loc, sums, indices), type.getElementType());
      });
    rewriter.replaceOp(op, sums);
    return success();
  }
};

struct LowerTopK final : GraphPattern<TopKOp> {
  using GraphPattern::GraphPattern;

  /// Whether `lhs` comes strictly before `rhs`.
  static Value precedes(OpBuilder &b, Location loc, Value lhs, Value rhs, bool smallest, bool isUnsigned) {
    if (smallest)
      std::swap(lhs, rhs);
    if (!isa<FloatType>(lhs.getType()))
      return arith::CmpIOp::create(b, loc, isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, lhs,
                                   rhs);
    Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, lhs, rhs);
    Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, lhs, lhs);
    Value isNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, rhs, rhs);
    return arith::OrIOp::create(b, loc, greater, Value(arith::AndIOp::create(b, loc, isNaN, isNumber)));
  }

  LogicalResult matchAndRewrite(TopKOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    Value input = adaptor.getInput();
    bool isUnsigned = isUnsignedElement(op.getInput().getType());
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), shape = shapeOf(op.getValues());
    auto inputType = cast<RankedTensorType>(input.getType());
    SmallVector<Value> sizes = indexValues(lower, inputShape);
    Value count = sizes[axis];
    if (!getConstant(inputShape[axis]) || !getConstant(shape[axis]))
      lower.check(arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sle, lower.index(shape[axis]), count),
                  "k is larger than the axis");
    RankedTensorType orderType = inputType.clone(rewriter.getI64Type());
    Value order = lower.compute(orderType, inputShape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      return arith::IndexCastOp::create(b, loc, b.getI64Type(), indices[axis]);
    });
    Value scratch = lower.empty(orderType, inputShape);
    Value zero = lower.index(int64_t(0)), one = lower.index(int64_t(1));
    // Runs of 1, 2, 4 … elements are merged until one holds all: ceil(log2(count)) rounds.
    auto counting = scf::WhileOp::create(
        rewriter, loc, TypeRange{rewriter.getIndexType(), rewriter.getIndexType()}, ValueRange{one, zero},
        [&](OpBuilder &b, Location loc, ValueRange state) {
          Value more = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, state[0], count);
          scf::ConditionOp::create(b, loc, more, state);
        },
        [&](OpBuilder &b, Location loc, ValueRange state) {
          Value wider = arith::AddIOp::create(b, loc, state[0], state[0]),
                next = arith::AddIOp::create(b, loc, state[1], one);
          scf::YieldOp::create(b, loc, ValueRange{wider, next});
        });
    Value rounds = counting.getResult(1);
    auto loop = scf::ForOp::create(
        rewriter, loc, zero, rounds, one, ValueRange{order, scratch},
        [&](OpBuilder &b, Location loc, Value round, ValueRange state) {
          Value width = arith::ShLIOp::create(b, loc, one, round);
          Value merged = updateInOrder(
              b, loc, sizes, state[1], [&](OpBuilder &b, Location loc, ValueRange at, Value target) -> Value {
                auto add = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, loc, x, y); };
                auto sub = [&](Value x, Value y) -> Value { return arith::SubIOp::create(b, loc, x, y); };
                auto min = [&](Value x, Value y) -> Value { return arith::MinUIOp::create(b, loc, x, y); };
                Value place = at[axis], pair = add(width, width);
                Value inPair = arith::RemUIOp::create(b, loc, place, pair), base = sub(place, inPair),
                      middle = add(base, width);
                Value isLeft = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, inPair, width);
                Value start = min(arith::SelectOp::create(b, loc, isLeft, middle, base), count);
                Value end = min(arith::SelectOp::create(b, loc, isLeft, add(base, pair), middle), count);
                auto elementAt = [&](OpBuilder &b, Location loc, Value index) {
                  SmallVector<Value> from(at);
                  from[axis] = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
                  return widen(b, loc, tensor::ExtractOp::create(b, loc, input, from));
                };
                Value mine = tensor::ExtractOp::create(b, loc, state[0], at), element = elementAt(b, loc, mine);
                // How many of the other run come before this one; among equals the left run does.
                auto search = scf::WhileOp::create(
                    b, loc, TypeRange{b.getIndexType(), b.getIndexType()}, ValueRange{start, end},
                    [&](OpBuilder &b, Location loc, ValueRange range) {
                      Value more = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, range[0], range[1]);
                      scf::ConditionOp::create(b, loc, more, range);
                    },
                    [&](OpBuilder &b, Location loc, ValueRange range) {
                      Value sum = arith::AddIOp::create(b, loc, range[0], range[1]);
                      Value middle = arith::ShRUIOp::create(b, loc, sum, one);
                      SmallVector<Value> from(at);
                      from[axis] = middle;
                      Value other = elementAt(b, loc, tensor::ExtractOp::create(b, loc, state[0], from));
                      Value before = precedes(b, loc, other, element, op.getSmallest(), isUnsigned);
                      Value after = precedes(b, loc, element, other, op.getSmallest(), isUnsigned);
                      Value truth = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
                      Value notAfter = arith::XOrIOp::create(b, loc, after, truth);
                      Value counts = arith::SelectOp::create(b, loc, isLeft, before, notAfter);
                      Value next = arith::AddIOp::create(b, loc, middle, one);
                      Value low = arith::SelectOp::create(b, loc, counts, next, range[0]);
                      Value high = arith::SelectOp::create(b, loc, counts, range[1], middle);
                      scf::YieldOp::create(b, loc, ValueRange{low, high});
                    });
                Value own = arith::SelectOp::create(b, loc, isLeft, inPair, sub(inPair, width));
                SmallVector<Value> to(at);
                to[axis] = add(base, add(own, sub(search.getResult(0), start)));
                return tensor::InsertOp::create(b, loc, mine, target, to);
              });
          Value next = linalg::CopyOp::create(b, loc, merged, state[0]).getResult(0);
          scf::YieldOp::create(b, loc, ValueRange{next, merged});
        });
    Value sorted = loop.getResult(0);
    RankedTensorType valueType = convertedType(op.getValues()), indexType = convertedType(op.getIndices());
    Value indices = lower.compute(indexType, shape, [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
      return tensor::ExtractOp::create(b, loc, sorted, at);
    });
    Value values = lower.compute(valueType, shape, [&](OpBuilder &b, Location loc, ValueRange at) -> Value {
      SmallVector<Value> from(at);
      Value index = tensor::ExtractOp::create(b, loc, sorted, at);
      from[axis] = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
      return tensor::ExtractOp::create(b, loc, input, from);
    });
    rewriter.replaceOp(op, {values, indices});
    return success();
  }
};

} // namespace

void mlc::graph::populateScanLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                       const ResolvedShapes &shapes) {
  patterns.add<LowerCumulate, LowerTopK>(converter, patterns.getContext(), shapes);
}
