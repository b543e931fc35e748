//===- Quantization.cpp - QuantizeLinear, DequantizeLinear, products of 8-bit integers ---------------------------===//
//
// Products stay products of 8-bit integers; zero points are applied to their sums (IntegerProducts.h). The QLinear
// operators are such a product, a factor a scale, and graph.quantize.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/IntegerProducts.h"
#include "lib/Import/Onnx/GraphImporter.h"
#include "lib/Import/Onnx/Windowing.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

bool isByte(Type type) { return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == 8; }
bool isQuantized(Type type) {
  return isa<IntegerType>(type) && (type.getIntOrFloatBitWidth() == 8 || type.getIntOrFloatBitWidth() == 16);
}

//===----------------------------------------------------------------------------------------------------------===//
// QuantizeLinear, DequantizeLinear
//===----------------------------------------------------------------------------------------------------------===//

/// A scale or zero point, so that it broadcasts against `x`: one number; one an index of `axis`; or with blocks, one
/// for `block` elements in a row of `axis`.
Value alignScale(NodeImporter &n, Value scale, Value x, int64_t axis, int64_t block) {
  int64_t rank = n.rank(x);
  auto sizeOf = [&](Value value, int64_t i) { return n.type(value).getDimSize(i); };
  if (block) {
    axis = n.axis(axis, rank);
    n.require(n.rank(scale) == rank,
              "expected a scale of the input's rank " + Twine(rank) + ", but got rank " + Twine(n.rank(scale)));
    // Each entry `block` times, then cut to the input's size.
    Shape shape = n.shape(scale), inner = shape, target = n.shape(x);
    inner.insert(inner.begin() + axis + 1, n.constantSize(block));
    Value repeated = n.expand(n.unsqueeze(scale, axis + 1), inner);
    shape[axis] = n.sizes.mul(shape[axis], n.constantSize(block));
    repeated = n.reshape(repeated, shape);
    int64_t size = sizeOf(x, axis), count = sizeOf(scale, axis);
    if (!ShapedType::isDynamic(size) && !ShapedType::isDynamic(count)) {
      n.require(count == llvm::divideCeil(size, block),
                "expected " + Twine(llvm::divideCeil(size, block)) + " blocks, but got " + Twine(count));
      if (count * block == size)
        return repeated;
    }
    return n.sliceAxis(repeated, axis, n.constantSize(0), target[axis]);
  }
  if (n.rank(scale) == 0 || (n.rank(scale) == 1 && sizeOf(scale, 0) == 1))
    return n.asScalar(scale); // whatever the axis
  n.require(n.rank(scale) == 1, "expected a scale of rank 0 or 1, but got rank " + Twine(n.rank(scale)));
  axis = n.axis(axis, rank);
  Ints ones;
  for (int64_t i = 1; i < rank - axis; ++i)
    ones.push_back(i);
  return n.unsqueeze(scale, ones);
}

/// A zero point that is the same for all, as most are, as one number.
Value simplifyZeroPoint(NodeImporter &n, Value zero) {
  Type element = n.element(zero);
  for (int64_t number : {0, 128})
    if ((number == 0 || element.isUnsignedInteger(8)) && n.graph.isFilledWith(zero, number))
      return n.scalar(element, static_cast<double>(number));
  return zero;
}

/// The attributes that both have.
struct Granularity final {
  int64_t axis, block;
  explicit Granularity(NodeImporter &n) : axis(n.intAttr("axis", 1)), block(n.intAttr("block_size", 0)) {
    n.require(block >= 0 && block < (int64_t(1) << 31), "expected a block_size that is not negative");
  }
  Value align(NodeImporter &n, Value scale, Value x) const {
    return n.rank(scale) == 0 ? scale : alignScale(n, scale, x, axis, block);
  }
};

Values quantizeLinear(NodeImporter &n) {
  Value x = n.input(0), scale = n.input(1), zero = n.optionalInput(2);
  Granularity granularity(n);
  n.ignoreAttr("saturate"); // of consequence for 8-bit floats only, which are refused as types
  Type element = n.b.getIntegerType(8, /*isSigned=*/false);
  if (int64_t dtype = n.intAttr("output_dtype", 0))
    element = n.elementType(dtype);
  if (zero)
    element = n.element(zero);
  if (!isQuantized(element))
    n.unsupported("quantization to another type than u8, i8, u16 and i16");
  Type compute = n.element(scale);
  if (int64_t precision = n.intAttr("precision", 0))
    compute = n.elementType(precision);
  n.require(isa<FloatType>(compute), "expected a scale of floats");
  scale = granularity.align(n, n.cast(scale, compute), x);
  zero = zero ? granularity.align(n, simplifyZeroPoint(n, zero), x) : n.scalar(element, 0);
  return {n.make<QuantizeOp>(n.div(n.cast(x, compute), scale), zero)};
}

Values dequantizeLinear(NodeImporter &n) {
  Value x = n.input(0), scale = n.input(1), zero = n.optionalInput(2);
  Granularity granularity(n);
  Type element = n.element(x), result = n.element(scale);
  if (int64_t dtype = n.intAttr("output_dtype", 0))
    result = n.elementType(dtype);
  if (!isQuantized(element) && !element.isSignlessInteger(32))
    n.unsupported("dequantization of another type than u8, i8, u16, i16 and i32");
  n.require(n.isFloat(scale) && isa<FloatType>(result), "expected a scale and a result of floats");
  scale = granularity.align(n, scale, x);
  zero = zero ? granularity.align(n, simplifyZeroPoint(n, zero), x) : n.scalar(element, 0);
  return {n.cast(n.make<DequantizeOp>(x, scale, zero), result)};
}

/// Scale and zero point from the range of all elements, 0 included.
Values dynamicQuantizeLinear(NodeImporter &n) {
  Value x = n.input(0);
  Type u8 = n.b.getIntegerType(8, /*isSigned=*/false);
  Ints axes;
  for (int64_t axis = 0; axis < n.rank(x); ++axis)
    axes.push_back(axis);
  Value zero = n.scalarLike(x, 0);
  Value high = n.maximum(n.reduce(ReduceKind::max, x, axes, false), zero);
  Value low = n.minimum(n.reduce(ReduceKind::min, x, axes, false), zero);
  Value range = n.sub(high, low);
  range = n.select(n.compare(CompareDirection::eq, range, zero), n.scalarLike(x, 1), range);
  Value scale = n.div(range, n.scalarLike(x, 255));
  Value zeroPoint = n.make<QuantizeOp>(n.div(n.sub(zero, low), scale), n.scalar(u8, 0));
  return {n.make<QuantizeOp>(n.div(x, scale), zeroPoint), scale, zeroPoint};
}

//===----------------------------------------------------------------------------------------------------------===//
// Integer products
//===----------------------------------------------------------------------------------------------------------===//

/// Input `i` with its zero point `zeroPoint`, or none where that is known to be zero.
QuantizedOperand quantizedInput(NodeImporter &n, unsigned i, unsigned zeroPoint) {
  QuantizedOperand operand{n.input(i), n.optionalInput(zeroPoint)};
  n.require(isByte(n.element(operand.value)), "expected 8-bit integers");
  if (!operand.zeroPoint)
    return operand;
  n.require(n.element(operand.zeroPoint) == n.element(operand.value), "expected a zero point of its operand's type");
  if (n.graph.isFilledWith(operand.zeroPoint, 0))
    operand.zeroPoint = nullptr;
  return operand;
}

/// A number a row of the left operand: [M] -> [M, 1]. Others broadcast as they are.
Value alignRows(NodeImporter &n, Value value) {
  if (!value || n.rank(value) != 1)
    return value;
  return n.type(value).getDimSize(0) == 1 ? n.asScalar(value) : n.unsqueeze(value, 1);
}

Value integerMatMul(NodeImporter &n, QuantizedOperand lhs, QuantizedOperand rhs) {
  n.require(n.rank(lhs.value) > 0 && n.rank(rhs.value) > 0, "expected operands of rank 1 at least");
  bool row = n.rank(lhs.value) == 1, column = n.rank(rhs.value) == 1;
  if (row)
    lhs.value = n.unsqueeze(lhs.value, 0);
  if (column)
    rhs.value = n.unsqueeze(rhs.value, 1);
  lhs.zeroPoint = alignRows(n, lhs.zeroPoint);
  Value result = makeIntegerMatMul(n, lhs, rhs);
  Shape shape = n.shape(result);
  if (column)
    shape.pop_back();
  if (row)
    shape.erase(shape.end() - (column ? 1 : 2));
  return row || column ? n.reshape(result, shape) : result;
}

/// A number a filter, [F] -> [F, 1…] of the rank given.
Value alignFilters(NodeImporter &n, Value value, int64_t rank) {
  if (n.rank(value) == 0 || n.type(value).getDimSize(0) == 1)
    return n.asScalar(value);
  n.require(n.rank(value) == 1, "expected one number a filter");
  Ints ones;
  for (int64_t axis = 1; axis < rank; ++axis)
    ones.push_back(axis);
  return n.unsqueeze(value, ones);
}

Value integerConv(NodeImporter &n, QuantizedOperand input, QuantizedOperand filter) {
  int64_t rank = n.rank(input.value);
  n.require(rank >= 3 && n.rank(filter.value) == rank, "expected input and filter of one rank, 3 at least");
  if (input.zeroPoint)
    input.zeroPoint = n.asScalar(input.zeroPoint);
  Shape shape = n.shape(input.value);
  Windowing w(n, ArrayRef<Size>(shape).drop_front(2), n.type(filter.value).getShape().drop_front(2));
  int64_t groups = n.intAttr("group", 1);
  Value fill = input.zeroPoint ? input.zeroPoint : n.scalarLike(input.value, 0);
  Ints pads = w.padsFor(n, input.value, fill);
  Type i8 = n.b.getI8Type(), i32 = n.b.getI32Type();
  if (filter.zeroPoint && n.element(filter.value).isUnsignedInteger(8) && n.graph.isFilledWith(filter.zeroPoint, 128)) {
    // u8 around 128 is i8 around 0.
    filter.value = n.cast(n.sub(n.cast(filter.value, i32), n.scalar(i32, 128)), i8);
    filter.zeroPoint = nullptr;
  }
  if (!filter.zeroPoint)
    return makeIntegerConv(n, input, filter.value, w.strides, pads, w.dilations, groups);
  filter.zeroPoint = alignFilters(n, filter.zeroPoint, rank);
  return n.make<ConvOp>(makeCentred(n, input), makeCentred(n, filter), w.strides, pads, w.dilations,
                        static_cast<uint64_t>(groups));
}

/// quantize(sum * (scale of the sum / scale of the result))
Value requantize(NodeImporter &n, Value sum, Value sumScale, Value scale, Value zeroPoint) {
  n.require(isQuantized(n.element(zeroPoint)), "expected a zero point of 8-bit integers");
  Value factor = n.div(sumScale, n.asScalar(scale));
  return n.make<QuantizeOp>(n.mul(n.cast(sum, n.element(factor)), factor), n.asScalar(zeroPoint));
}

Values matMulInteger(NodeImporter &n) { return {integerMatMul(n, quantizedInput(n, 0, 2), quantizedInput(n, 1, 3))}; }

Values convInteger(NodeImporter &n) { return {integerConv(n, quantizedInput(n, 0, 2), quantizedInput(n, 1, 3))}; }

/// a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point
Values qlinearMatMul(NodeImporter &n) {
  if (!isByte(n.element(n.input(0))))
    n.unsupported("products of other types than 8-bit integers");
  Value sum = integerMatMul(n, quantizedInput(n, 0, 2), quantizedInput(n, 3, 5));
  return {requantize(n, sum, n.mul(alignRows(n, n.input(1)), n.input(4)), n.input(6), n.input(7))};
}

/// x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, bias
Values qlinearConv(NodeImporter &n) {
  Value sum = integerConv(n, quantizedInput(n, 0, 2), quantizedInput(n, 3, 5));
  int64_t rank = n.rank(sum);
  if (Value bias = n.optionalInput(8)) {
    n.require(n.rank(bias) == 1 && n.element(bias).isSignlessInteger(32), "expected a bias of rank 1 and type i32");
    sum = n.add(sum, alignFilters(n, bias, rank - 1));
  }
  Value filterScale = alignFilters(n, n.input(4), rank - 1);
  return {requantize(n, sum, n.mul(n.asScalar(n.input(1)), filterScale), n.input(6), n.input(7))};
}

//===----------------------------------------------------------------------------------------------------------===//
// com.microsoft: what ONNX Runtime's quantizer writes in its operator format
//===----------------------------------------------------------------------------------------------------------===//

/// Input `i` in floats, by the scale and the zero point in the two inputs behind it.
Value dequantizedInput(NodeImporter &n, unsigned i) {
  Value x = n.input(i), zero = n.optionalInput(i + 2);
  return n.make<DequantizeOp>(x, n.asScalar(n.input(i + 1)), zero ? n.asScalar(zero) : n.scalar(n.element(x), 0));
}

/// `x` by the scale in input `i` and the zero point behind it; without one it has the type of input 0 around zero.
Value quantizedResult(NodeImporter &n, Value x, unsigned i) {
  Value zero = n.optionalInput(i + 1);
  zero = zero ? n.asScalar(zero) : n.scalar(n.element(n.input(0)), 0);
  n.require(isQuantized(n.element(zero)), "expected a zero point of 8 or 16 bits");
  return n.make<QuantizeOp>(n.div(x, n.asScalar(n.input(i))), zero);
}

/// A, its scale and zero point, B, its scale and zero point, the scale and the zero point of C
template <typename Op> Values qlinearBinary(NodeImporter &n) {
  return {quantizedResult(n, n.make<Op>(dequantizedInput(n, 0), dequantizedInput(n, 3)), 6)};
}

/// X, its scale and zero point, the scale and the zero point of Y
Values qlinearGlobalAveragePool(NodeImporter &n) {
  Value x = dequantizedInput(n, 0);
  bool channelsLast = n.intAttr("channels_last", 0);
  int64_t rank = n.rank(x);
  n.require(rank >= 3, "expected a rank of at least 3");
  Ints axes;
  for (int64_t axis = channelsLast ? 1 : 2; axis < (channelsLast ? rank - 1 : rank); ++axis)
    axes.push_back(axis);
  Shape shape = n.shape(x);
  Size count = n.sizes.product(ArrayRef<Size>(shape).slice(axes.front(), axes.size()));
  return {quantizedResult(n, n.div(n.reduce(ReduceKind::sum, x, axes, true), n.fromSize(count, n.element(x))), 3)};
}

/// alpha A' B' + C, whose bias has the scale alpha * a_scale * b_scale; without a scale for Y the result is floats.
Values qgemm(NodeImporter &n) {
  QuantizedOperand a = quantizedInput(n, 0, 2), b = quantizedInput(n, 3, 5);
  n.require(n.rank(a.value) == 2 && n.rank(b.value) == 2, "expected matrices");
  double alpha = n.floatAttr("alpha", 1);
  if (n.intAttr("transA", 0))
    a.value = n.transpose(a.value, {1, 0});
  if (n.intAttr("transB", 0))
    b.value = n.transpose(b.value, {1, 0});
  if (a.zeroPoint)
    a.zeroPoint = n.asScalar(a.zeroPoint);
  Value sum = makeIntegerMatMul(n, a, b);
  if (Value bias = n.optionalInput(6))
    sum = n.add(sum, bias);
  Value factor = n.mul(n.asScalar(n.input(1)), n.input(4));
  if (alpha != 1)
    factor = n.mul(factor, n.scalarLike(factor, alpha));
  if (n.hasInput(7))
    return {requantize(n, sum, factor, n.input(7), n.input(8))};
  return {n.mul(n.cast(sum, n.element(factor)), factor)};
}

} // namespace

void registerQuantization(Registry &r) {
  r.add("QuantizeLinear", 10, quantizeLinear);
  r.add("DequantizeLinear", 10, dequantizeLinear);
  r.add("DynamicQuantizeLinear", 11, dynamicQuantizeLinear);
  r.add("MatMulInteger", 10, matMulInteger);
  r.add("ConvInteger", 10, convInteger);
  r.add("QLinearMatMul", 10, qlinearMatMul);
  r.add("QLinearConv", 10, qlinearConv);
  r.add("com.microsoft.QLinearAdd", 1, qlinearBinary<AddOp>);
  r.add("com.microsoft.QLinearMul", 1, qlinearBinary<MulOp>);
  r.add("com.microsoft.QLinearGlobalAveragePool", 1, qlinearGlobalAveragePool);
  r.add("com.microsoft.QGemm", 1, qgemm);
}

} // namespace mlc::onnximport
