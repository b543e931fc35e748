//===- GraphShapes.cpp - shapes and element types of the ops' results -------------------------------------------===//
//
// One shape function an op, used by inference, verification, reification and lowering (see Sizes.h). A function fails
// where the operands cannot fit together whatever the unknown sizes are; what depends on them is checked at run time.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlc::graph;

using Shapes = SmallVectorImpl<Shape>;

namespace {

/// The element type of a tensor.
Type elementOf(Value tensor) { return getElementTypeOrSelf(tensor.getType()); }

int64_t rankOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank(); }

/// Merges static entries and dynamic values; a missing dynamic value is unknown.
Shape mixed(ArrayRef<int64_t> statics, ValueRange dynamics, SizeBuilder &sizes) {
  Shape result;
  size_t next = 0;
  for (int64_t size : statics) {
    if (!ShapedType::isDynamic(size))
      result.push_back(sizes.constant(size));
    else if (next < dynamics.size() && (sizes.canBuild() || getConstantIntValue(dynamics[next])))
      result.push_back(getAsOpFoldResult(dynamics[next++]));
    else
      result.push_back(Size()), ++next;
  }
  return result;
}

/// The size of the window's reach: (kernel - 1) * dilation + 1.
Size reach(Size kernel, int64_t dilation, SizeBuilder &sizes) {
  return sizes.add(sizes.mul(sizes.sub(kernel, sizes.constant(1)), sizes.constant(dilation)), sizes.constant(1));
}

/// Sizes of the spatial axes after sliding a window: floor((x + pads - reach) / stride) + 1, never negative.
Size slide(Size input, Size kernel, int64_t stride, int64_t dilation, int64_t low, int64_t high, bool ceil,
           SizeBuilder &sizes) {
  Size padded = sizes.add(input, sizes.constant(low + high));
  Size room = sizes.sub(padded, reach(kernel, dilation, sizes));
  Size one = sizes.constant(1), step = sizes.constant(stride);
  if (!ceil)
    return sizes.max(sizes.add(sizes.floorDiv(room, step), one), sizes.constant(0));
  Size count = sizes.add(sizes.ceilDiv(room, step), one);
  // The last window must start inside of the input or the padding below it: (count - 1) * stride < x + low.
  Size limit = sizes.ceilDiv(sizes.add(input, sizes.constant(low)), step);
  return sizes.max(sizes.min(count, limit), sizes.constant(0));
}

template <typename Adaptor>
LogicalResult poolShape(Adaptor adaptor, SizeBuilder &sizes, Shape &shape, size_t firstSpatial = 2) {
  Value input = adaptor.getInput();
  size_t spatial = rankOf(input) - 2;
  if (rankOf(input) < 3 || adaptor.getKernel().size() != spatial || adaptor.getStrides().size() != spatial ||
      adaptor.getDilations().size() != spatial || adaptor.getPads().size() != 2 * spatial)
    return failure();
  shape = sizes.shape(input);
  for (size_t i = 0; i < spatial; ++i)
    shape[firstSpatial + i] = slide(shape[firstSpatial + i], sizes.constant(adaptor.getKernel()[i]),
                                    adaptor.getStrides()[i], adaptor.getDilations()[i], adaptor.getPads()[i],
                                    adaptor.getPads()[spatial + i], adaptor.getCeilMode(), sizes);
  return success();
}

/// The input's shape without `axes`, or with ones in their place.
Shape reducedShape(Value input, ArrayRef<int64_t> axes, bool keepDims, SizeBuilder &sizes) {
  Shape result;
  for (auto [axis, size] : llvm::enumerate(sizes.shape(input))) {
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      result.push_back(size);
    else if (keepDims)
      result.push_back(sizes.constant(1));
  }
  return result;
}

LogicalResult sameShape(Value input, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(sizes.shape(input));
  return success();
}

} // namespace

// Element-wise ops whose result type differs from the operands'.
Type IsNaNOp::elementType(Adaptor adaptor, unsigned) { return IntegerType::get(adaptor.getInput().getContext(), 1); }
Type IsInfOp::elementType(Adaptor adaptor, unsigned) { return IntegerType::get(adaptor.getInput().getContext(), 1); }
Type CompareOp::elementType(Adaptor adaptor, unsigned) { return IntegerType::get(adaptor.getLhs().getContext(), 1); }
Type SelectOp::elementType(Adaptor adaptor, unsigned) { return elementOf(adaptor.getOnTrue()); }
Type CastOp::elementType(Adaptor adaptor, unsigned) { return adaptor.getElement(); }
Type QuantizeOp::elementType(Adaptor adaptor, unsigned) { return elementOf(adaptor.getZeroPoint()); }
Type DequantizeOp::elementType(Adaptor adaptor, unsigned) { return elementOf(adaptor.getScale()); }

/// What products of elements of `operand` are summed to: 8-bit integers to i32, others to themselves.
static Type sumOfProducts(Value operand) {
  Type element = elementOf(operand);
  bool isByte = isa<IntegerType>(element) && element.getIntOrFloatBitWidth() == 8;
  return isByte ? IntegerType::get(element.getContext(), 32) : element;
}
Type MatMulOp::elementType(Adaptor adaptor, unsigned) { return sumOfProducts(adaptor.getLhs()); }
Type ConvOp::elementType(Adaptor adaptor, unsigned) { return sumOfProducts(adaptor.getInput()); }

// Ops that keep the element type of their first operand.
#define MLC_ELEMENT_OF_INPUT(OP)                                                                                       \
  Type OP::elementType(Adaptor adaptor, unsigned) { return elementOf(adaptor.getOperands()[0]); }
MLC_ELEMENT_OF_INPUT(ReshapeOp)
MLC_ELEMENT_OF_INPUT(ExpandOp)
MLC_ELEMENT_OF_INPUT(TransposeOp)
MLC_ELEMENT_OF_INPUT(ConcatOp)
MLC_ELEMENT_OF_INPUT(SliceOp)
MLC_ELEMENT_OF_INPUT(PadOp)
MLC_ELEMENT_OF_INPUT(GatherOp)
MLC_ELEMENT_OF_INPUT(GatherElementsOp)
MLC_ELEMENT_OF_INPUT(GatherNDOp)
MLC_ELEMENT_OF_INPUT(ScatterElementsOp)
MLC_ELEMENT_OF_INPUT(ScatterNDOp)
MLC_ELEMENT_OF_INPUT(WinogradConvOp)
MLC_ELEMENT_OF_INPUT(WinogradFilterOp)
MLC_ELEMENT_OF_INPUT(WinogradFilterGradientOp)
MLC_ELEMENT_OF_INPUT(ConvTransposeOp)
MLC_ELEMENT_OF_INPUT(ConvFilterGradientOp)
MLC_ELEMENT_OF_INPUT(PoolOp)
MLC_ELEMENT_OF_INPUT(PoolGradientOp)
MLC_ELEMENT_OF_INPUT(ReduceOp)
MLC_ELEMENT_OF_INPUT(ReduceByMaskOp)
MLC_ELEMENT_OF_INPUT(SoftmaxOp)
MLC_ELEMENT_OF_INPUT(NormalizeOp)
MLC_ELEMENT_OF_INPUT(BatchNormOp)
MLC_ELEMENT_OF_INPUT(CumulateOp)
MLC_ELEMENT_OF_INPUT(ResizeOp)
#undef MLC_ELEMENT_OF_INPUT

Type IotaOp::elementType(Adaptor adaptor, unsigned) { return adaptor.getElement(); }

Type RandomOp::elementType(Adaptor adaptor, unsigned) { return Float32Type::get(adaptor.getSeed().getContext()); }

Type MaxPoolWithIndicesOp::elementType(Adaptor adaptor, unsigned result) {
  return result == 0 ? elementOf(adaptor.getInput()) : IntegerType::get(adaptor.getInput().getContext(), 64);
}

Type TopKOp::elementType(Adaptor adaptor, unsigned result) {
  return result == 0 ? elementOf(adaptor.getInput()) : IntegerType::get(adaptor.getInput().getContext(), 64);
}

Type ArgReduceOp::elementType(Adaptor adaptor, unsigned) {
  return IntegerType::get(adaptor.getInput().getContext(), 64);
}

LogicalResult IotaOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success();
}

LogicalResult RandomOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success();
}

LogicalResult ReshapeOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success();
}

LogicalResult ExpandOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success();
}

LogicalResult TransposeOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), result;
  if (!isPermutationVector(adaptor.getPermutation()) || adaptor.getPermutation().size() != input.size())
    return failure();
  for (int64_t axis : adaptor.getPermutation())
    result.push_back(input[axis]);
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult ConcatOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  if (adaptor.getInputs().empty())
    return failure();
  Shape result = sizes.shape(adaptor.getInputs()[0]);
  size_t axis = adaptor.getAxis();
  if (axis >= result.size())
    return failure();
  for (Value input : adaptor.getInputs().drop_front()) {
    Shape shape = sizes.shape(input);
    if (shape.size() != result.size())
      return failure();
    for (size_t i = 0; i < shape.size(); ++i) {
      if (i == axis)
        result[i] = sizes.add(result[i], shape[i]);
      else if (getConstant(shape[i]) && getConstant(result[i]) && getConstant(shape[i]) != getConstant(result[i]))
        return failure();
      else if (getConstant(shape[i]))
        result[i] = shape[i];
    }
  }
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult SliceOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success(static_cast<int64_t>(adaptor.getStaticSizes().size()) == rankOf(adaptor.getInput()));
}

LogicalResult PadOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape result = sizes.shape(adaptor.getInput());
  Shape low = mixed(adaptor.getStaticLow(), adaptor.getLow(), sizes);
  Shape high = mixed(adaptor.getStaticHigh(), adaptor.getHigh(), sizes);
  if (low.size() != result.size() || high.size() != result.size())
    return failure();
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = sizes.max(sizes.add(sizes.add(result[i], low[i]), high[i]), sizes.constant(0));
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult GatherOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), indices = sizes.shape(adaptor.getIndices());
  size_t axis = adaptor.getAxis();
  if (axis >= input.size())
    return failure();
  Shape result(input.begin(), input.begin() + axis);
  llvm::append_range(result, indices);
  result.append(input.begin() + axis + 1, input.end());
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult GatherElementsOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getIndices(), sizes, shapes);
}

LogicalResult GatherNDOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), indices = sizes.shape(adaptor.getIndices());
  std::optional<int64_t> tuple = indices.empty() ? std::nullopt : getConstant(indices.back());
  int64_t batch = adaptor.getBatchDims();
  if (!tuple || *tuple + batch > static_cast<int64_t>(input.size()) || batch >= static_cast<int64_t>(indices.size()))
    return failure();
  Shape result(indices.begin(), indices.end() - 1);
  result.append(input.begin() + batch + *tuple, input.end());
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult ScatterElementsOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult ScatterNDOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult MatMulOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape lhs = sizes.shape(adaptor.getLhs()), rhs = sizes.shape(adaptor.getRhs());
  if (lhs.size() < 2 || rhs.size() < 2)
    return failure();
  std::optional<int64_t> inner = getConstant(lhs.back()), other = getConstant(rhs[rhs.size() - 2]);
  if (inner && other && *inner != *other)
    return failure();
  Size rows = lhs[lhs.size() - 2], columns = rhs.back();
  Shape result(lhs.begin(), lhs.end() - 2), batch(rhs.begin(), rhs.end() - 2);
  if (result.size() < batch.size())
    std::swap(result, batch);
  for (size_t i = 0, offset = result.size() - batch.size(); i < batch.size(); ++i) {
    FailureOr<Size> both = sizes.broadcast(result[offset + i], batch[i]);
    if (failed(both))
      return failure();
    result[offset + i] = *both;
  }
  result.push_back(rows);
  result.push_back(columns);
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult ConvOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), filter = sizes.shape(adaptor.getFilter());
  size_t spatial = input.size() - 2;
  if (input.size() < 3 || filter.size() != input.size() || adaptor.getStrides().size() != spatial ||
      adaptor.getDilations().size() != spatial || adaptor.getPads().size() != 2 * spatial)
    return failure();
  bool channelsLast = adaptor.getChannelsLast();
  Shape result{input[0]};
  if (!channelsLast)
    result.push_back(filter[0]);
  for (size_t i = 0; i < spatial; ++i)
    result.push_back(slide(input[(channelsLast ? 1 : 2) + i], filter[2 + i], adaptor.getStrides()[i],
                           adaptor.getDilations()[i], adaptor.getPads()[i], adaptor.getPads()[spatial + i],
                           /*ceil=*/false, sizes));
  if (channelsLast)
    result.push_back(filter[0]);
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult WinogradConvOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  if (rankOf(adaptor.getInput()) != 4 || rankOf(adaptor.getFilter()) != 4 || adaptor.getPads().size() != 4)
    return failure();
  Shape input = sizes.shape(adaptor.getInput()), filter = sizes.shape(adaptor.getFilter());
  auto slid = [&](int64_t i) {
    return slide(input[1 + i], sizes.constant(3), 1, 1, adaptor.getPads()[i], adaptor.getPads()[2 + i], /*ceil=*/false,
                 sizes);
  };
  shapes.push_back(Shape{input[0], slid(0), slid(1), filter[3]});
  return success();
}

LogicalResult WinogradFilterOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  if (rankOf(adaptor.getFilter()) != 4)
    return failure();
  Shape filter = sizes.shape(adaptor.getFilter());
  Size six = sizes.constant(6);
  shapes.push_back(adaptor.getTurned() ? Shape{six, six, filter[0], filter[1]} : Shape{six, six, filter[1], filter[0]});
  return success();
}

LogicalResult WinogradFilterGradientOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  if (rankOf(adaptor.getInput()) != 4 || rankOf(adaptor.getCotangent()) != 4)
    return failure();
  Size three = sizes.constant(3);
  shapes.push_back(Shape{sizes.shape(adaptor.getCotangent())[3], sizes.shape(adaptor.getInput())[3], three, three});
  return success();
}

LogicalResult ConvTransposeOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), filter = sizes.shape(adaptor.getFilter());
  size_t spatial = input.size() - 2;
  if (input.size() < 3 || filter.size() != input.size() || adaptor.getStrides().size() != spatial ||
      adaptor.getDilations().size() != spatial || adaptor.getPads().size() != 2 * spatial ||
      adaptor.getOutputPadding().size() != spatial)
    return failure();
  Shape result{input[0], sizes.mul(filter[1], sizes.constant(adaptor.getGroups()))};
  for (size_t i = 0; i < spatial; ++i) {
    Size span = sizes.mul(sizes.sub(input[2 + i], sizes.constant(1)), sizes.constant(adaptor.getStrides()[i]));
    span = sizes.add(span, reach(filter[2 + i], adaptor.getDilations()[i], sizes));
    int64_t extra = adaptor.getOutputPadding()[i] - adaptor.getPads()[i] - adaptor.getPads()[spatial + i];
    result.push_back(sizes.max(sizes.add(span, sizes.constant(extra)), sizes.constant(0)));
  }
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult ConvFilterGradientOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape input = sizes.shape(adaptor.getInput()), cotangent = sizes.shape(adaptor.getCotangent());
  if (input.size() < 3 || cotangent.size() != input.size())
    return failure();
  size_t channel = adaptor.getChannelsLast() ? input.size() - 1 : 1;
  Shape result{cotangent[channel], sizes.floorDiv(input[channel], sizes.constant(adaptor.getGroups()))};
  for (int64_t size : adaptor.getKernel())
    result.push_back(sizes.constant(size));
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult PoolOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return poolShape(adaptor, sizes, shapes.emplace_back(), adaptor.getChannelsLast() ? 1 : 2);
}

LogicalResult PoolGradientOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult MaxPoolWithIndicesOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape shape;
  if (failed(poolShape(adaptor, sizes, shape)))
    return failure();
  shapes.push_back(shape);
  shapes.push_back(shape);
  return success();
}

LogicalResult ReduceOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(reducedShape(adaptor.getInput(), adaptor.getAxes(), adaptor.getKeepDims(), sizes));
  return success();
}

LogicalResult ReduceByMaskOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape result = sizes.shape(adaptor.getInput());
  for (auto [axis, size] : llvm::enumerate(result)) {
    if (getConstant(size) == 1)
      continue;
    Size reduced = sizes.element(adaptor.getMask(), axis);
    size = sizes.selectIfZero(reduced, size, sizes.constant(1));
  }
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult ArgReduceOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(
      reducedShape(adaptor.getInput(), {static_cast<int64_t>(adaptor.getAxis())}, adaptor.getKeepDims(), sizes));
  return success();
}

LogicalResult SoftmaxOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult NormalizeOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult BatchNormOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult CumulateOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  return sameShape(adaptor.getInput(), sizes, shapes);
}

LogicalResult TopKOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  Shape result = sizes.shape(adaptor.getInput());
  if (static_cast<size_t>(adaptor.getAxis()) >= result.size() || adaptor.getStaticK().size() != 1)
    return failure();
  result[adaptor.getAxis()] = mixed(adaptor.getStaticK(), adaptor.getK(), sizes)[0];
  shapes.push_back(result);
  shapes.push_back(result);
  return success();
}

LogicalResult ResizeOp::shapes(Adaptor adaptor, SizeBuilder &sizes, Shapes &shapes) {
  shapes.push_back(mixed(adaptor.getStaticSizes(), adaptor.getSizes(), sizes));
  return success();
}
