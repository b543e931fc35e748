//===- Windows.cpp - pooling and its gradients -----------------------------------------------------------------===//
//
// One loop nest over the result and the window; places outside of the input are skipped by a comparison, which keeps
// padding, dilation and ceil_mode in one formula.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Attributes of a window and the index arithmetic that follows from them.
struct Window final {
  unsigned firstSpatial;
  ArrayRef<int64_t> kernel, strides, pads, dilations;
  SmallVector<Value> limits;

  template <typename Op>
  Window(Op op, Lowering &lower, ArrayRef<Size> inputShape, unsigned firstSpatial = 2)
      : firstSpatial(firstSpatial), kernel(op.getKernel()), strides(op.getStrides()), pads(op.getPads()),
        dilations(op.getDilations()) {
    for (size_t i = 0; i < kernel.size(); ++i)
      limits.push_back(lower.index(inputShape[firstSpatial + i]));
  }

  Shape sizes(Lowering &lower) const {
    return Shape(llvm::map_range(kernel, [&](int64_t size) { return lower.sizes.constant(size); }));
  }

  /// Indices into the input for a place of the result and one of the window, and whether they are inside.
  std::pair<SmallVector<Value>, Value> place(OpBuilder &b, Location loc, ValueRange indices) const {
    SmallVector<Value> from(indices.take_front(2));
    Value inside = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
    for (size_t i = 0; i < kernel.size(); ++i) {
      auto constant = [&](int64_t value) { return Value(arith::ConstantIndexOp::create(b, loc, value)); };
      Value start = arith::MulIOp::create(b, loc, indices[2 + i], constant(strides[i]));
      Value tap = arith::MulIOp::create(b, loc, indices[2 + kernel.size() + i], constant(dilations[i]));
      Value at = arith::AddIOp::create(b, loc, start, tap);
      at = arith::SubIOp::create(b, loc, at, constant(pads[i]));
      inside = arith::AndIOp::create(b, loc, inside, isInside(b, loc, at, limits[i]));
      from.push_back(at);
    }
    return {from, inside};
  }

  /// How many places of the window at `indices` lie in the input, or with `padded` in input and padding.
  Value count(OpBuilder &b, Location loc, ValueRange indices, bool padded) const {
    Value total = arith::ConstantIndexOp::create(b, loc, 1);
    for (size_t i = 0; i < kernel.size(); ++i) {
      auto constant = [&](int64_t value) { return Value(arith::ConstantIndexOp::create(b, loc, value)); };
      Value start = arith::SubIOp::create(
          b, loc, Value(arith::MulIOp::create(b, loc, indices[firstSpatial + i], constant(strides[i]))),
          constant(pads[i]));
      Value low = padded ? constant(-pads[i]) : constant(0);
      Value high =
          padded ? Value(arith::AddIOp::create(b, loc, limits[i], constant(pads[kernel.size() + i]))) : limits[i];
      // Taps t in [0, kernel) with low <= start + t * dilation < high.
      Value step = constant(dilations[i]);
      Value first = arith::CeilDivSIOp::create(b, loc, Value(arith::SubIOp::create(b, loc, low, start)), step);
      first = arith::MaxSIOp::create(b, loc, first, constant(0));
      Value end = arith::CeilDivSIOp::create(b, loc, Value(arith::SubIOp::create(b, loc, high, start)), step);
      end = arith::MinSIOp::create(b, loc, end, constant(kernel[i]));
      Value taps = arith::MaxSIOp::create(b, loc, Value(arith::SubIOp::create(b, loc, end, first)), constant(0));
      total = arith::MulIOp::create(b, loc, total, taps);
    }
    return total;
  }
};

/// Windows of so many taps at most are read tap by tap in one element-wise loop, instead of a loop over their taps that
/// adds to what it has written.
constexpr int64_t kFewTaps = 9;

int64_t product(ArrayRef<int64_t> values) {
  int64_t result = 1;
  for (int64_t value : values)
    result *= value;
  return result;
}

/// Whether a window is read tap by tap. Not where it moves by one element: the loops would seem to be those of the
/// input, whose axes then are as long as all windows together.
bool readsTapByTap(ArrayRef<int64_t> kernel, ArrayRef<int64_t> strides) {
  return product(kernel) <= kFewTaps && llvm::all_of(llvm::zip(kernel, strides), [](auto axis) {
           return std::get<0>(axis) == 1 || std::get<1>(axis) != 1;
         });
}

/// The place of a tap along each axis of a window, from its row-major number.
SmallVector<int64_t> placeOfTap(int64_t tap, ArrayRef<int64_t> kernel) {
  SmallVector<int64_t> place(kernel.size());
  for (size_t i = kernel.size(); i-- > 0; tap /= kernel[i])
    place[i] = tap % kernel[i];
  return place;
}

/// A channels-last pool: the input is padded by whole rows, so that the loop over channels has nothing to test.
/// Loops: n, y…, c, and where the window has many taps, window….
Value poolChannelsLast(Lowering &lower, PoolOp op, Value input, ArrayRef<Size> inputShape, RankedTensorType type,
                       ArrayRef<Size> shape, ReduceKind kind) {
  OpBuilder &b = lower.b;
  SizeBuilder &sizes = lower.sizes;
  int64_t spatial = op.getKernel().size(), outer = spatial + 2, loops = outer + spatial;
  Type element = getElementTypeOrSelf(op.getInput().getType()), compute = getComputeType(element);
  bool isUnsigned = isUnsignedElement(op.getInput().getType());
  Value nothing = neutral(b, lower.loc, kind, element);
  Shape low(inputShape.size(), sizes.constant(0)), high(low), padded, window;
  for (int64_t i = 0; i < spatial; ++i) {
    // The last window ends at (y - 1) * stride + reach, maybe behind the padding above.
    int64_t reach = (op.getKernel()[i] - 1) * op.getDilations()[i] + 1;
    Size end = sizes.add(sizes.mul(sizes.sub(shape[1 + i], sizes.constant(1)), sizes.constant(op.getStrides()[i])),
                         sizes.constant(reach - op.getPads()[i]));
    low[1 + i] = sizes.constant(op.getPads()[i]);
    high[1 + i] = sizes.max(sizes.sub(end, inputShape[1 + i]), sizes.constant(0));
    window.push_back(sizes.constant(op.getKernel()[i]));
  }
  input = surround(lower, input, inputShape, low, high, narrow(b, lower.loc, nothing, type.getElementType()), padded);
  auto dim = [&](int64_t i) { return b.getAffineDimExpr(i); };
  if (readsTapByTap(op.getKernel(), op.getStrides())) {
    int64_t count = product(op.getKernel());
    SmallVector<AffineMap> maps;
    for (int64_t tap = 0; tap < count; ++tap) {
      SmallVector<int64_t> place = placeOfTap(tap, op.getKernel());
      SmallVector<AffineExpr> in{dim(0)};
      for (int64_t i = 0; i < spatial; ++i)
        in.push_back(dim(1 + i) * op.getStrides()[i] + place[i] * op.getDilations()[i]);
      in.push_back(dim(outer - 1));
      maps.push_back(AffineMap::get(outer, 0, in, b.getContext()));
    }
    maps.push_back(b.getMultiDimIdentityMap(outer));
    SmallVector<utils::IteratorType> iterators(outer, utils::IteratorType::parallel);
    Value init = lower.empty(type.clone(compute), shape);
    return linalg::GenericOp::create(b, lower.loc, init.getType(), SmallVector<Value>(count, input), init, maps,
                                     iterators,
                                     [&](OpBuilder &b, Location loc, ValueRange args) {
                                       Value result = widen(b, loc, args[0]);
                                       for (Value tap : args.drop_front().drop_back())
                                         result = combine(b, loc, kind, result, widen(b, loc, tap), isUnsigned);
                                       linalg::YieldOp::create(b, loc, result);
                                     })
        .getResult(0);
  }
  SmallVector<AffineExpr> in{dim(0)}, taps, out;
  for (int64_t i = 0; i < spatial; ++i) {
    in.push_back(dim(1 + i) * op.getStrides()[i] + dim(outer + i) * op.getDilations()[i]);
    taps.push_back(dim(outer + i));
  }
  in.push_back(dim(outer - 1));
  for (int64_t i = 0; i < outer; ++i)
    out.push_back(dim(i));
  SmallVector<AffineMap> maps{AffineMap::get(loops, 0, in, b.getContext()),
                              AffineMap::get(loops, 0, taps, b.getContext()),
                              AffineMap::get(loops, 0, out, b.getContext())};
  SmallVector<utils::IteratorType> iterators(outer, utils::IteratorType::parallel);
  iterators.append(spatial, utils::IteratorType::reduction);
  // An operand that no one reads gives the window's loops their sizes.
  Value range = lower.empty(RankedTensorType::get(op.getKernel(), b.getI1Type()), window);
  Value init = lower.filled(type.clone(compute), shape, nothing);
  return linalg::GenericOp::create(b, lower.loc, init.getType(), ValueRange{input, range}, init, maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     Value value = widen(b, loc, args[0]);
                                     linalg::YieldOp::create(b, loc, combine(b, loc, kind, args[2], value, isUnsigned));
                                   })
      .getResult(0);
}

struct LowerPool final : GraphPattern<PoolOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(PoolOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    ArrayRef<Size> shape = shapeOf(op);
    Window window(op, lower, shapeOf(op.getInput()), op.getChannelsLast() ? 1 : 2);
    ReduceKind kind = op.getKind() == PoolKind::max ? ReduceKind::max : ReduceKind::sum;
    bool isUnsigned = isUnsignedElement(op.getInput().getType());
    Type element = getElementTypeOrSelf(op.getInput().getType()), compute = getComputeType(element);
    Value input = adaptor.getInput();
    auto plain = [&] {
      Value init = lower.filled(type.clone(compute), shape, neutral(rewriter, op.getLoc(), kind, element));
      return lower.reduce(init, window.sizes(lower),
                          [&](OpBuilder &b, Location loc, ValueRange indices, Value old) -> Value {
                            auto [from, inside] = window.place(b, loc, indices);
                            auto branch = scf::IfOp::create(
                                b, loc, inside,
                                [&, from = from](OpBuilder &b, Location loc) {
                                  Value value = widen(b, loc, tensor::ExtractOp::create(b, loc, input, from));
                                  scf::YieldOp::create(b, loc, combine(b, loc, kind, old, value, isUnsigned));
                                },
                                [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, old); });
                            return branch.getResult(0);
                          });
    };
    Value result =
        op.getChannelsLast() ? poolChannelsLast(lower, op, input, shapeOf(op.getInput()), type, shape, kind) : plain();
    if (op.getKind() != PoolKind::average && compute == type.getElementType()) {
      rewriter.replaceOp(op, result);
      return success();
    }
    rewriter.replaceOp(op, lower.compute(type, shape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      Value value = tensor::ExtractOp::create(b, loc, result, indices);
      if (op.getKind() == PoolKind::average) {
        Value count =
            arith::IndexCastOp::create(b, loc, b.getI64Type(), window.count(b, loc, indices, op.getCountIncludePad()));
        if (isa<FloatType>(compute)) {
          value = arith::DivFOp::create(b, loc, value, Value(arith::SIToFPOp::create(b, loc, compute, count)));
        } else {
          Value wide =
              value.getType().isInteger(64) ? value : Value(arith::ExtSIOp::create(b, loc, b.getI64Type(), value));
          Value one = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(1));
          wide = arith::DivSIOp::create(b, loc, wide, Value(arith::MaxSIOp::create(b, loc, count, one)));
          value = compute.isInteger(64) ? wide : Value(arith::TruncIOp::create(b, loc, compute, wide));
        }
      }
      return narrow(b, loc, value, type.getElementType());
    }));
    return success();
  }
};

/// First the maximum, then the first place that has it: two plain reductions.
struct LowerMaxPoolWithIndices final : GraphPattern<MaxPoolWithIndicesOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(MaxPoolWithIndicesOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op.getResult()), indexType = convertedType(op.getIndices());
    ArrayRef<Size> shape = shapeOf(op.getResult()), inputShape = shapeOf(op.getInput());
    Window window(op, lower, inputShape);
    bool isUnsigned = isUnsignedElement(op.getInput().getType());
    Type element = getElementTypeOrSelf(op.getInput().getType());
    Value input = adaptor.getInput();
    // The best place so far as a row-major tap number; -1 for none.
    Value none = lower.filled(indexType, shape, lower.scalar(rewriter.getI64Type(), -1));
    SmallVector<Value> strides(inputShape.size());
    Size stride = lower.sizes.constant(1);
    SmallVector<size_t> order; // axes from the fastest on
    for (size_t axis = inputShape.size(); axis-- > 2;)
      order.push_back(axis);
    if (op.getColumnMajor())
      std::reverse(order.begin(), order.end());
    order.push_back(1);
    order.push_back(0);
    for (size_t axis : order) {
      strides[axis] = lower.index(stride);
      stride = lower.sizes.mul(stride, inputShape[axis]);
    }
    auto offsetOf = [&](OpBuilder &b, Location loc, ValueRange at) {
      Value offset = arith::ConstantIndexOp::create(b, loc, 0);
      for (auto [index, stride] : llvm::zip(at, strides))
        offset = arith::AddIOp::create(b, loc, offset, Value(arith::MulIOp::create(b, loc, index, stride)));
      return Value(arith::IndexCastOp::create(b, loc, b.getI64Type(), offset));
    };
    auto readAt = [&](OpBuilder &b, Location loc, Value offset) {
      Value rest = arith::IndexCastOp::create(b, loc, b.getIndexType(), offset);
      SmallVector<Value> at(inputShape.size());
      for (size_t axis : llvm::reverse(order)) {
        at[axis] = arith::DivUIOp::create(b, loc, rest, strides[axis]);
        rest = arith::RemUIOp::create(b, loc, rest, strides[axis]);
      }
      return widen(b, loc, tensor::ExtractOp::create(b, loc, input, at));
    };
    Value places = lower.reduce(
        none, window.sizes(lower), [&](OpBuilder &b, Location loc, ValueRange indices, Value best) -> Value {
          auto [from, inside] = window.place(b, loc, indices);
          auto branch = scf::IfOp::create(
              b, loc, inside,
              [&, from = from](OpBuilder &b, Location loc) {
                Value here = offsetOf(b, loc, from);
                Value zero = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
                Value isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, best, zero);
                Value old = readAt(b, loc, arith::SelectOp::create(b, loc, isFirst, here, best));
                Value value = widen(b, loc, tensor::ExtractOp::create(b, loc, input, from));
                Value better;
                if (isa<FloatType>(value.getType())) {
                  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
                  Value wasNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, old, old);
                  better = arith::OrIOp::create(
                      b, loc, Value(arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, value, old)),
                      Value(arith::AndIOp::create(b, loc, isNaN, wasNumber)));
                } else {
                  better = arith::CmpIOp::create(
                      b, loc, isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt, value, old);
                }
                Value take = arith::OrIOp::create(b, loc, isFirst, better);
                scf::YieldOp::create(b, loc, Value(arith::SelectOp::create(b, loc, take, here, best)));
              },
              [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, best); });
          return branch.getResult(0);
        });
    Value nothing =
        narrow(rewriter, op.getLoc(), neutral(rewriter, op.getLoc(), ReduceKind::max, element), type.getElementType());
    Value values = lower.compute(type, shape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
      Value place = tensor::ExtractOp::create(b, loc, places, indices);
      Value zero = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
      Value found = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, place, zero);
      auto branch = scf::IfOp::create(
          b, loc, found,
          [&](OpBuilder &b, Location loc) {
            scf::YieldOp::create(b, loc, narrow(b, loc, readAt(b, loc, place), type.getElementType()));
          },
          [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, nothing); });
      return branch.getResult(0);
    });
    rewriter.replaceOp(op, {values, places});
    return success();
  }
};

/// Place i of the padded input is q·s + r; the windows over it start at (q - j)·s, j < J = ceil(k / s), and have it as
/// tap j·s + r:
///
///   dx[q, r] = sum over j of g[q - j] where the maximum of window q - j is at tap j·s + r (of a sum: where j·s + r <
///   k)
///
/// Everything moves by affine maps, and with the channels last they are the inner loop. Windows that do not overlap
/// have J = 1: then nothing is summed.
struct LowerPoolGradient final : GraphPattern<PoolGradientOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(PoolGradientOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    SizeBuilder &sizes = lower.sizes;
    RankedTensorType type = convertedType(op);
    int64_t spatial = op.getKernel().size(), first = op.getChannelsLast() ? 1 : 2;
    ArrayRef<Size> inputShape = shapeOf(op.getInput()), windows = shapeOf(op.getCotangent());
    Type compute = getComputeType(type.getElementType());
    SmallVector<int64_t> reads; // J
    Shape around(inputShape.size(), sizes.constant(0));
    for (int64_t i = 0; i < spatial; ++i) {
      reads.push_back(llvm::divideCeil(op.getKernel()[i], op.getStrides()[i]));
      around[first + i] = sizes.constant(reads[i] - 1);
    }
    Shape padded;
    Value cotangent = surround(lower, adaptor.getCotangent(), windows, around, around,
                               lower.scalar(type.getElementType(), 0), padded);
    SmallVector<Value> operands{cotangent};
    if (op.getKind() == PoolKind::max) {
      Value none = lower.scalar(rewriter.getI32Type(), -1);
      operands.push_back(
          surround(lower, findFirst(lower, op, adaptor.getInput(), inputShape, adaptor.getPooled(), windows, reads),
                   windows, around, around, none, padded));
    }

    // Loops: the result's axes, the spatial ones as q and r, then j from the last window on.
    int64_t rank = type.getRank(), outer = rank + spatial;
    bool overlap = llvm::any_of(reads, [](int64_t count) { return count > 1; });
    auto dim = [&](int64_t i) { return rewriter.getAffineDimExpr(i); };
    SmallVector<AffineExpr> in, taps, out;
    SmallVector<ReassociationIndices> joins;
    Shape shape, range, low(inputShape.size(), sizes.constant(0)), high(low), joined;
    SmallVector<int64_t> places; // the loop of r, an axis each
    for (int64_t axis = 0; axis < rank; ++axis) {
      int64_t i = axis - first, loop = shape.size();
      joins.push_back({loop});
      if (i < 0 || i >= spatial) {
        in.push_back(dim(loop));
        shape.push_back(windows[axis]);
        joined.push_back(windows[axis]);
        continue;
      }
      joins.back().push_back(loop + 1);
      Size count = sizes.add(windows[axis], sizes.constant(reads[i] - 1)), stride = sizes.constant(op.getStrides()[i]);
      places.push_back(loop + 1);
      shape.append({count, stride});
      joined.push_back(sizes.mul(count, stride));
      in.push_back(overlap ? dim(loop) + dim(outer + i) : dim(loop));
      low[axis] = sizes.constant(-op.getPads()[i]);
      high[axis] = sizes.sub(sizes.add(inputShape[axis], sizes.constant(op.getPads()[i])), joined.back());
      range.push_back(sizes.constant(reads[i]));
      taps.push_back(dim(outer + i));
    }
    for (int64_t i = 0; i < outer; ++i)
      out.push_back(dim(i));
    int64_t loops = overlap ? outer + spatial : outer;
    SmallVector<AffineMap> maps(operands.size(), AffineMap::get(loops, 0, in, rewriter.getContext()));
    SmallVector<utils::IteratorType> iterators(outer, utils::IteratorType::parallel);
    RankedTensorType loopType = type.clone(getStaticSizes(shape)).clone(compute);
    Value init = lower.empty(loopType, shape);
    if (overlap) { // an operand that no one reads gives the loops over windows their sizes
      iterators.append(spatial, utils::IteratorType::reduction);
      operands.push_back(lower.empty(RankedTensorType::get(getStaticSizes(range), rewriter.getI1Type()), range));
      maps.push_back(AffineMap::get(loops, 0, taps, rewriter.getContext()));
      init = linalg::FillOp::create(rewriter, op.getLoc(), lower.scalar(compute, 0), init).getResult(0);
    }
    maps.push_back(AffineMap::get(loops, 0, out, rewriter.getContext()));
    auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
      Value taken = widen(b, loc, args[0]);
      auto tapOf = [&](int64_t i) { // (J - 1 - j)·s + r
        Value tap = linalg::IndexOp::create(b, loc, places[i]);
        if (!overlap)
          return tap;
        auto constant = [&](int64_t value) { return Value(arith::ConstantIndexOp::create(b, loc, value)); };
        Value before =
            arith::SubIOp::create(b, loc, constant(reads[i] - 1), Value(linalg::IndexOp::create(b, loc, outer + i)));
        Value start = arith::MulIOp::create(b, loc, before, constant(op.getStrides()[i]));
        return Value(arith::AddIOp::create(b, loc, start, tap));
      };
      Value isTaken;
      if (op.getKind() == PoolKind::max) {
        Value number = tapNumber(b, loc, op, reads, tapOf);
        isTaken = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, args[1], number);
      } else {
        for (int64_t i = 0; i < spatial; ++i) {
          if (reads[i] * op.getStrides()[i] == op.getKernel()[i])
            continue;
          Value limit = arith::ConstantIndexOp::create(b, loc, op.getKernel()[i]);
          Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, tapOf(i), limit);
          isTaken = isTaken ? Value(arith::AndIOp::create(b, loc, isTaken, inside)) : inside;
        }
      }
      if (isTaken) {
        Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, 0));
        taken = arith::SelectOp::create(b, loc, isTaken, taken, zero);
      }
      if (overlap)
        taken = arith::AddFOp::create(b, loc, args.back(), taken);
      linalg::YieldOp::create(b, loc, taken);
    };
    Value result =
        linalg::GenericOp::create(rewriter, op.getLoc(), loopType, operands, init, maps, iterators, body).getResult(0);
    result = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), result, joins);
    result = surround(lower, result, joined, low, high, lower.scalar(compute, 0), padded);
    if (compute != type.getElementType())
      result = lower.compute(type, inputShape, [&](OpBuilder &b, Location loc, ValueRange indices) {
        return narrow(b, loc, tensor::ExtractOp::create(b, loc, result, indices), type.getElementType());
      });
    else if (result.getType() != type)
      result = tensor::CastOp::create(rewriter, op.getLoc(), type, result);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// The number of a tap, row-major in a window of J·s places an axis, as an i32.
  static Value tapNumber(OpBuilder &b, Location loc, PoolGradientOp op, ArrayRef<int64_t> reads,
                         llvm::function_ref<Value(int64_t)> tapOf) {
    Value number = tapOf(0);
    for (size_t i = 1; i < reads.size(); ++i) {
      Value size = arith::ConstantIndexOp::create(b, loc, reads[i] * op.getStrides()[i]);
      number = arith::MulIOp::create(b, loc, number, size);
      number = arith::AddIOp::create(b, loc, number, tapOf(i));
    }
    return arith::IndexCastOp::create(b, loc, b.getI32Type(), number);
  }

  /// The number of the first tap of each window that is its maximum; where there is none (NaN) the largest integer.
  static Value findFirst(Lowering &lower, PoolGradientOp op, Value input, ArrayRef<Size> inputShape, Value pooled,
                         ArrayRef<Size> windows, ArrayRef<int64_t> reads) {
    OpBuilder &b = lower.b;
    SizeBuilder &sizes = lower.sizes;
    int64_t spatial = op.getKernel().size(), first = op.getChannelsLast() ? 1 : 2, rank = inputShape.size();
    Type element = getElementTypeOrSelf(op.getInput().getType());
    Shape low(rank, sizes.constant(0)), high(low), padded, window;
    SmallVector<AffineExpr> in, taps, out;
    for (int64_t axis = 0; axis < rank; ++axis) {
      int64_t i = axis - first;
      out.push_back(b.getAffineDimExpr(axis));
      in.push_back(out.back());
      if (i < 0 || i >= spatial)
        continue;
      Size end = sizes.add(sizes.mul(sizes.sub(windows[axis], sizes.constant(1)), sizes.constant(op.getStrides()[i])),
                           sizes.constant(op.getKernel()[i] - op.getPads()[i]));
      low[axis] = sizes.constant(op.getPads()[i]);
      high[axis] = sizes.max(sizes.sub(end, inputShape[axis]), sizes.constant(0));
      window.push_back(sizes.constant(op.getKernel()[i]));
      taps.push_back(b.getAffineDimExpr(rank + i));
      in.back() = out.back() * op.getStrides()[i] + taps.back();
    }
    Value nothing = narrow(b, lower.loc, neutral(b, lower.loc, ReduceKind::max, element), element);
    input = surround(lower, input, inputShape, low, high, nothing, padded);
    auto placeType = RankedTensorType::get(getStaticSizes(windows), b.getI32Type());
    int32_t none = std::numeric_limits<int32_t>::max();
    if (readsTapByTap(op.getKernel(), op.getStrides())) {
      int64_t count = product(op.getKernel());
      SmallVector<AffineMap> maps;
      SmallVector<int32_t> numbers;
      for (int64_t tap = 0; tap < count; ++tap) {
        SmallVector<AffineExpr> from(out);
        int64_t number = 0;
        for (auto [i, at] : llvm::enumerate(placeOfTap(tap, op.getKernel()))) {
          from[first + i] = out[first + i] * op.getStrides()[i] + at;
          number = number * reads[i] * op.getStrides()[i] + at;
        }
        maps.push_back(AffineMap::get(rank, 0, from, b.getContext()));
        numbers.push_back(static_cast<int32_t>(number));
      }
      maps.append(2, b.getMultiDimIdentityMap(rank));
      SmallVector<Value> operands(count, input);
      operands.push_back(pooled);
      SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
      return linalg::GenericOp::create(
                 b, lower.loc, placeType, operands, lower.empty(placeType, windows), maps, iterators,
                 [&](OpBuilder &b, Location loc, ValueRange args) {
                   auto constant = [&](int32_t value) -> Value {
                     return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
                   };
                   Value place = constant(none);
                   for (int64_t tap = count; tap-- > 0;) {
                     Value isMaximum = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, args[tap], args[count]);
                     place = arith::SelectOp::create(b, loc, isMaximum, constant(numbers[tap]), place);
                   }
                   linalg::YieldOp::create(b, loc, place);
                 })
          .getResult(0);
    }
    Value init = lower.filled(placeType, windows, lower.scalar(b.getI32Type(), none));
    Value range = lower.empty(RankedTensorType::get(op.getKernel(), b.getI1Type()), window);
    auto map = [&](ArrayRef<AffineExpr> axes) { return AffineMap::get(rank + spatial, 0, axes, b.getContext()); };
    SmallVector<AffineMap> maps{map(in), map(out), map(taps), map(out)};
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    iterators.append(spatial, utils::IteratorType::reduction);
    return linalg::GenericOp::create(
               b, lower.loc, placeType, ValueRange{input, pooled, range}, init, maps, iterators,
               [&](OpBuilder &b, Location loc, ValueRange args) {
                 Value number = tapNumber(b, loc, op, reads,
                                          [&](int64_t i) { return Value(linalg::IndexOp::create(b, loc, rank + i)); });
                 Value isMaximum = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, args[0], args[1]);
                 Value smaller = arith::MinSIOp::create(b, loc, args[3], number);
                 linalg::YieldOp::create(b, loc, Value(arith::SelectOp::create(b, loc, isMaximum, smaller, args[3])));
               })
        .getResult(0);
  }
};

} // namespace

void mlc::graph::populateWindowLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                         const ResolvedShapes &shapes) {
  patterns.add<LowerPool, LowerMaxPoolWithIndices, LowerPoolGradient>(converter, patterns.getContext(), shapes);
}
