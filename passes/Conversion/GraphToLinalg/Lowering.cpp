//===- Lowering.cpp - what all lowerings of graph ops share -------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace mlc::graph {

Value Lowering::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value Lowering::scalar(Type type, double value) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(floatType, value));
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value Lowering::empty(RankedTensorType type, ArrayRef<Size> shape) {
  SmallVector<Value> dynamic;
  for (auto [axis, size] : llvm::enumerate(shape))
    if (type.isDynamicDim(axis))
      dynamic.push_back(sizes.value(size));
  return tensor::EmptyOp::create(b, loc, type, dynamic);
}

Value Lowering::filled(RankedTensorType type, ArrayRef<Size> shape, Value scalar) {
  return linalg::FillOp::create(b, loc, scalar, empty(type, shape)).getResult(0);
}

Value Lowering::compute(RankedTensorType type, ArrayRef<Size> shape, ElementBuilder element) {
  Value init = empty(type, shape);
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(type.getRank())};
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, type, ValueRange{}, init, maps, iterators,
                                   [&](OpBuilder &body, Location loc, ValueRange) {
                                     SmallVector<Value> indices;
                                     for (int64_t axis = 0; axis < type.getRank(); ++axis)
                                       indices.push_back(linalg::IndexOp::create(body, loc, axis));
                                     linalg::YieldOp::create(body, loc, element(body, loc, indices));
                                   })
      .getResult(0);
}

Value Lowering::reduce(Value init, ArrayRef<Size> reduced,
                       llvm::function_ref<Value(OpBuilder &, Location, ValueRange, Value)> combine) {
  auto type = cast<RankedTensorType>(init.getType());
  int64_t rank = type.getRank(), loops = rank + reduced.size();
  // An operand that no one reads gives the reduction loops their sizes.
  auto rangeType = RankedTensorType::get(getStaticSizes(reduced), b.getI1Type());
  Value range = empty(rangeType, reduced);
  SmallVector<AffineExpr> outer, inner;
  for (int64_t i = 0; i < loops; ++i)
    (i < rank ? outer : inner).push_back(b.getAffineDimExpr(i));
  SmallVector<AffineMap> maps{AffineMap::get(loops, 0, inner, b.getContext()),
                              AffineMap::get(loops, 0, outer, b.getContext())};
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.append(reduced.size(), utils::IteratorType::reduction);
  return linalg::GenericOp::create(b, loc, type, range, init, maps, iterators,
                                   [&](OpBuilder &body, Location loc, ValueRange args) {
                                     SmallVector<Value> indices;
                                     for (int64_t i = 0; i < loops; ++i)
                                       indices.push_back(linalg::IndexOp::create(body, loc, i));
                                     linalg::YieldOp::create(body, loc, combine(body, loc, indices, args.back()));
                                   })
      .getResult(0);
}

AffineMap Lowering::broadcastMap(RankedTensorType operand, ArrayRef<int64_t> target) {
  SmallVector<AffineExpr> results;
  int64_t loops = target.size();
  for (int64_t axis = 0, offset = loops - operand.getRank(); axis < operand.getRank(); ++axis) {
    // An axis of one element that meets another does not stretch: the map stays an identity where it can be.
    bool stretches = operand.getDimSize(axis) == 1 && target[offset + axis] != 1;
    results.push_back(stretches ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(offset + axis));
  }
  return AffineMap::get(loops, 0, results, b.getContext());
}

Value Lowering::alignForBroadcast(Value operand, ArrayRef<Size> shape, ArrayRef<Size> target) {
  auto type = cast<RankedTensorType>(operand.getType());
  size_t offset = target.size() - shape.size();
  SmallVector<bool> uncertain(shape.size(), false);
  for (size_t axis = 0; axis < shape.size(); ++axis)
    uncertain[axis] = type.isDynamicDim(axis) && shape[axis] != target[offset + axis];
  if (!llvm::is_contained(uncertain, true))
    return operand;
  SmallVector<Value> stretches(shape.size());
  SmallVector<int64_t> resultSizes(type.getShape());
  Shape resultShape(shape);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (!uncertain[axis])
      continue;
    Size wanted = target[offset + axis];
    resultShape[axis] = wanted;
    resultSizes[axis] = getConstant(wanted).value_or(ShapedType::kDynamic);
    Value size = index(shape[axis]);
    stretches[axis] = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, size, index(1));
    Value equal = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, size, index(wanted));
    check(arith::OrIOp::create(b, loc, stretches[axis], equal), "sizes cannot be broadcast together");
  }
  return compute(type.clone(resultSizes), resultShape, [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
    SmallVector<Value> from(indices);
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    for (size_t axis = 0; axis < from.size(); ++axis)
      if (stretches[axis])
        from[axis] = arith::SelectOp::create(b, loc, stretches[axis], zero, from[axis]);
    return tensor::ExtractOp::create(b, loc, operand, from);
  });
}

Value surround(Lowering &lower, Value input, ArrayRef<Size> inputShape, ArrayRef<Size> low, ArrayRef<Size> high,
               Value value, Shape &shape) {
  SizeBuilder &sizes = lower.sizes;
  auto type = cast<RankedTensorType>(input.getType());
  Size zero = sizes.constant(0), one = sizes.constant(1);
  bool crops = false, grows = false;
  Shape from, kept(inputShape), to;
  shape.assign(inputShape.begin(), inputShape.end());
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    Size below = sizes.max(sizes.sub(zero, low[axis]), zero), above = sizes.max(sizes.sub(zero, high[axis]), zero);
    bool none = getConstant(below) == 0 && getConstant(above) == 0;
    crops |= !none;
    from.push_back(below);
    if (!none)
      kept[axis] = sizes.max(sizes.sub(sizes.sub(shape[axis], below), above), zero);
    to.push_back(sizes.max(low[axis], zero));
    if (getConstant(low[axis]) != 0 || getConstant(high[axis]) != 0) {
      shape[axis] = sizes.max(sizes.add(sizes.add(shape[axis], low[axis]), high[axis]), zero);
      grows |= getConstant(low[axis]).value_or(1) > 0 || getConstant(high[axis]).value_or(1) > 0;
    }
  }
  auto mixed = [&](ArrayRef<Size> list) { return SmallVector<OpFoldResult>(list.begin(), list.end()); };
  SmallVector<OpFoldResult> steps(shape.size(), one);
  if (crops)
    input = tensor::ExtractSliceOp::create(lower.b, lower.loc, input, mixed(from), mixed(kept), steps);
  if (!grows)
    return input;
  // Only what lies around is filled: a slab below and one above on every axis that grows.
  Value result = lower.empty(type.clone(getStaticSizes(shape)), shape);
  for (size_t axis = 0; axis < shape.size(); ++axis)
    for (bool isAbove : {false, true}) {
      Size extent = isAbove ? sizes.max(high[axis], zero) : to[axis];
      if (getConstant(extent) == 0)
        continue;
      Shape offsets(shape.size(), zero), extents(shape);
      offsets[axis] = isAbove ? sizes.add(to[axis], kept[axis]) : zero;
      extents[axis] = extent;
      Value slab = tensor::ExtractSliceOp::create(lower.b, lower.loc, result, mixed(offsets), mixed(extents), steps);
      slab = linalg::FillOp::create(lower.b, lower.loc, value, slab).getResult(0);
      result = tensor::InsertSliceOp::create(lower.b, lower.loc, slab, result, mixed(offsets), mixed(extents), steps);
    }
  return tensor::InsertSliceOp::create(lower.b, lower.loc, input, result, mixed(to), mixed(kept), steps);
}

void Lowering::check(Value condition, Twine message) {
  std::string text = message.str();
  if (auto name = dyn_cast<NameLoc>(loc))
    text = "node '" + name.getName().str() + "': " + text;
  cf::AssertOp::create(b, loc, condition, text);
}

void Lowering::checkIndices(Value indices, Size size) {
  auto type = cast<RankedTensorType>(indices.getType());
  auto flagType = RankedTensorType::get({}, b.getI1Type());
  Value limit = index(size);
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(type.getRank()),
                              AffineMap::get(type.getRank(), 0, b.getContext())};
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::reduction);
  Value init = filled(flagType, {}, scalar(b.getI1Type(), 1));
  Value all =
      linalg::GenericOp::create(b, loc, flagType, indices, init, maps, iterators,
                                [&](OpBuilder &b, Location loc, ValueRange args) {
                                  Value i = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
                                  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
                                  Value lowest = arith::SubIOp::create(b, loc, zero, limit);
                                  Value ok = arith::AndIOp::create(
                                      b, loc, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, i, lowest),
                                      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, i, limit));
                                  Value both = arith::AndIOp::create(b, loc, args[1], ok);
                                  linalg::YieldOp::create(b, loc, both);
                                })
          .getResult(0);
  check(tensor::ExtractOp::create(b, loc, all, ValueRange{}), "an index is out of range");
}

Value widen(OpBuilder &b, Location loc, Value scalar) {
  Type type = scalar.getType();
  if (type.isF16() || type.isBF16())
    return arith::ExtFOp::create(b, loc, b.getF32Type(), scalar);
  return scalar;
}

Value narrow(OpBuilder &b, Location loc, Value scalar, Type element) {
  if (element.isF16() || element.isBF16())
    return arith::TruncFOp::create(b, loc, element, scalar);
  return scalar;
}

Value wrapIndex(OpBuilder &b, Location loc, Value index, Value size) {
  Value i = index.getType().isIndex() ? index : arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, i, zero);
  return arith::SelectOp::create(b, loc, negative, Value(arith::AddIOp::create(b, loc, i, size)), i);
}

Value combine(OpBuilder &b, Location loc, ReduceKind kind, Value accumulator, Value value, bool isUnsigned) {
  bool isFloat = isa<FloatType>(value.getType());
  switch (kind) {
  case ReduceKind::sum:
    return isFloat ? Value(arith::AddFOp::create(b, loc, accumulator, value))
                   : Value(arith::AddIOp::create(b, loc, accumulator, value));
  case ReduceKind::prod:
    return isFloat ? Value(arith::MulFOp::create(b, loc, accumulator, value))
                   : Value(arith::MulIOp::create(b, loc, accumulator, value));
  case ReduceKind::max:
    if (isFloat)
      return arith::MaximumFOp::create(b, loc, accumulator, value);
    return isUnsigned ? Value(arith::MaxUIOp::create(b, loc, accumulator, value))
                      : Value(arith::MaxSIOp::create(b, loc, accumulator, value));
  case ReduceKind::min:
    if (isFloat)
      return arith::MinimumFOp::create(b, loc, accumulator, value);
    return isUnsigned ? Value(arith::MinUIOp::create(b, loc, accumulator, value))
                      : Value(arith::MinSIOp::create(b, loc, accumulator, value));
  }
  llvm_unreachable("a kind of reduction");
}

Value neutral(OpBuilder &b, Location loc, ReduceKind kind, Type element) {
  Type type = getComputeType(element);
  bool isUnsigned = element.isUnsignedInteger() || element.isInteger(1);
  if (kind == ReduceKind::sum || kind == ReduceKind::prod) {
    double value = kind == ReduceKind::prod;
    if (isa<FloatType>(type))
      return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, static_cast<int64_t>(value)));
  }
  bool isMax = kind == ReduceKind::max;
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        b, loc, FloatAttr::get(floatType, APFloat::getInf(floatType.getFloatSemantics(), /*Negative=*/isMax)));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt lowest = isUnsigned ? APInt::getMinValue(width) : APInt::getSignedMinValue(width);
  APInt highest = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, isMax ? lowest : highest));
}

Value isInside(OpBuilder &b, Location loc, Value value, Value size) {
  // One unsigned comparison: negative values are large.
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, value, size);
}

bool isUnsignedElement(Type tensor) {
  Type element = getElementTypeOrSelf(tensor);
  return element.isUnsignedInteger() || element.isInteger(1);
}

} // namespace mlc::graph
