//===- GraphVerifiers.cpp - constraints of the ops that types cannot say ------------------------------------------===//
//
// Each check carries the number of the constraint in the op's description. Shapes are checked by type inference.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

int64_t rankOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank(); }

LogicalResult verifyAxis(Operation *op, int64_t axis, int64_t rank) {
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError("expected axis in [0, ") << rank << "), but got " << axis;
}

LogicalResult verifyDynamicCount(Operation *op, ArrayRef<int64_t> statics, size_t dynamics) {
  size_t expected = llvm::count_if(statics, ShapedType::isDynamic);
  if (expected == dynamics)
    return success();
  return op->emitOpError("expected ") << expected << " dynamic values, but got " << dynamics;
}

LogicalResult verifyEntries(Operation *op, StringRef name, ArrayRef<int64_t> values, size_t expected) {
  if (values.size() == expected)
    return success();
  return op->emitOpError("expected ") << expected << " entries in " << name << ", but got " << values.size();
}

LogicalResult verifyAtLeast(Operation *op, StringRef name, ArrayRef<int64_t> values, int64_t least) {
  for (int64_t value : values)
    if (value < least)
      return op->emitOpError("expected ") << name << " of at least " << least << ", but got " << value;
  return success();
}

LogicalResult verifySameElement(Operation *op, Value value, Value like) {
  Type got = getElementTypeOrSelf(value.getType()), expected = getElementTypeOrSelf(like.getType());
  if (got == expected)
    return success();
  return op->emitOpError("expected element type ") << expected << ", but got " << got;
}

LogicalResult verifyRank(Operation *op, StringRef name, Value value, int64_t expected) {
  if (rankOf(value) == expected)
    return success();
  return op->emitOpError("expected ") << name << " of rank " << expected << ", but got rank " << rankOf(value);
}

/// `channelAxis` is that of the input, `inputChannelAxis` that of the filter.
/// Operands whose elements can be multiplied: of one type, or 8-bit integers with and without a sign.
LogicalResult verifyFactors(Operation *op) {
  Type lhs = getElementTypeOrSelf(op->getOperand(0).getType()), rhs = getElementTypeOrSelf(op->getOperand(1).getType());
  auto isByte = [](Type type) { return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == 8; };
  if (lhs != rhs && !(isByte(lhs) && isByte(rhs)))
    return op->emitOpError("expected operands of one element type or 8-bit integers, but got ")
           << lhs << " and " << rhs;
  return success();
}

template <typename Op> LogicalResult verifyConvolution(Op op, int64_t channelAxis, int64_t inputChannelAxis) {
  int64_t rank = rankOf(op.getInput()), spatial = rank - 2;
  if (rank < 3) // (C1)
    return op.emitOpError("expected input of rank 3 or more, but got rank ") << rank;
  if (failed(verifyRank(op, "filter", op.getFilter(), rank)) ||         // (C1)
      failed(verifyEntries(op, "strides", op.getStrides(), spatial)) || // (C2)
      failed(verifyEntries(op, "dilations", op.getDilations(), spatial)) ||
      failed(verifyEntries(op, "pads", op.getPads(), 2 * spatial)) ||
      failed(verifyAtLeast(op, "strides", op.getStrides(), 1)) || // (C3)
      failed(verifyAtLeast(op, "dilations", op.getDilations(), 1)) ||
      failed(verifyAtLeast(op, "groups", {static_cast<int64_t>(op.getGroups())}, 1)))
    return failure();
  auto input = cast<RankedTensorType>(op.getInput().getType()),
       filter = cast<RankedTensorType>(op.getFilter().getType());
  int64_t channels = input.getDimSize(channelAxis), groups = op.getGroups();
  int64_t perGroup = filter.getDimSize(inputChannelAxis);
  int64_t expected = inputChannelAxis == 1 && !ShapedType::isDynamic(perGroup) ? perGroup * groups : perGroup;
  if (!ShapedType::isDynamic(channels) && !ShapedType::isDynamic(expected) && channels != expected) // (C4)
    return op.emitOpError("expected ") << expected << " input channels, but got " << channels;
  if (!filter.isDynamicDim(0) && filter.getDimSize(0) % groups) // (C4)
    return op.emitOpError("expected a multiple of ") << groups << " filters, but got " << filter.getDimSize(0);
  return success();
}

template <typename Op> LogicalResult verifyWindow(Op op) {
  int64_t rank = rankOf(op.getInput()), spatial = rank - 2;
  if (rank < 3) // (C1)
    return op.emitOpError("expected input of rank 3 or more, but got rank ") << rank;
  if (failed(verifyEntries(op, "kernel", op.getKernel(), spatial)) || // (C2)
      failed(verifyEntries(op, "strides", op.getStrides(), spatial)) ||
      failed(verifyEntries(op, "pads", op.getPads(), 2 * spatial)))
    return failure();
  if (failed(verifyAtLeast(op, "kernel", op.getKernel(), 1)) || // (C3)
      failed(verifyAtLeast(op, "strides", op.getStrides(), 1)) || failed(verifyAtLeast(op, "pads", op.getPads(), 0)))
    return failure();
  if constexpr (requires { op.getDilations(); }) {
    if (failed(verifyEntries(op, "dilations", op.getDilations(), spatial)) || // (C2)
        failed(verifyAtLeast(op, "dilations", op.getDilations(), 1)))         // (C3)
      return failure();
  }
  return success();
}

} // namespace

/// Whether the types are the same but for the sign of integers: it goes away below the graph dialect.
static bool haveSameStorage(Type a, Type b) {
  auto shaped = cast<RankedTensorType>(a);
  return shaped.clone(getStorageType(shaped.getElementType())) ==
         cast<RankedTensorType>(b).clone(getStorageType(getElementTypeOrSelf(b)));
}

LogicalResult ParameterOp::verify() {
  if (!cast<RankedTensorType>(getType()).hasStaticShape()) // (C1)
    return emitOpError("expected a static shape, but got ") << getType();
  if (getBody().empty())
    return success();
  auto yield = dyn_cast<YieldOp>(getBody().front().back());
  if (!yield || yield.getValues().size() != 1) // (C2)
    return emitOpError("requires a graph.yield of one value at the end of its body");
  if (Type type = yield.getValues()[0].getType(); !haveSameStorage(type, getType())) // (C2)
    return yield.emitOpError("expected a value of type ") << getType() << ", but got " << type;
  for (Operation &op : getBody().front().without_terminator())
    if (!isEvaluable(&op)) // (C3)
      return op.emitOpError("cannot be evaluated at compile time");
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto parameter = symbols.lookupNearestSymbolFrom<ParameterOp>(*this, getParameterAttr());
  if (!parameter) // (C1)
    return emitOpError("requires a graph.parameter named ") << getParameterAttr();
  bool isEvaluated = isa<ParameterOp>((*this)->getParentOp());
  if (isEvaluated ? !haveSameStorage(parameter.getType(), getType()) : parameter.getType() != getType()) // (C2)
    return emitOpError("expected type ") << parameter.getType() << ", but got " << getType();
  return success();
}

LogicalResult IotaOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), getStaticSizes().size()))) // (C1)
    return failure();
  return verifyDynamicCount(*this, getStaticSizes(), getSizes().size()); // (C2)
}

LogicalResult RandomOp::verify() {
  return verifyDynamicCount(*this, getStaticSizes(), getSizes().size()); // (C1)
}

LogicalResult SelectOp::verify() { return verifySameElement(*this, getOnFalse(), getOnTrue()); } // (C1)

LogicalResult ReshapeOp::verify() {
  if (failed(verifyDynamicCount(*this, getStaticSizes(), getSizes().size()))) // (C1)
    return failure();
  auto from = cast<RankedTensorType>(getInput().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.hasStaticShape() && to.hasStaticShape() && from.getNumElements() != to.getNumElements()) // (C2)
    return emitOpError("expected ") << from.getNumElements() << " elements, but got " << to.getNumElements();
  return success();
}

LogicalResult ExpandOp::verify() {
  if (failed(verifyDynamicCount(*this, getStaticSizes(), getSizes().size()))) // (C1)
    return failure();
  auto from = cast<RankedTensorType>(getInput().getType());
  int64_t offset = static_cast<int64_t>(getStaticSizes().size()) - from.getRank();
  if (offset < 0) // (C2)
    return emitOpError("expected rank ") << from.getRank() << " or more, but got " << getStaticSizes().size();
  for (auto [axis, size] : llvm::enumerate(from.getShape())) {
    int64_t target = getStaticSizes()[offset + axis];
    if (size != 1 && !ShapedType::isDynamic(size) && !ShapedType::isDynamic(target) && size != target) // (C3)
      return emitOpError("expected size 1 or ") << target << " at axis " << axis << ", but got " << size;
  }
  return success();
}

LogicalResult TransposeOp::verify() {
  int64_t rank = rankOf(getInput());
  if (failed(verifyEntries(*this, "permutation", getPermutation(), rank))) // (C1)
    return failure();
  if (!isPermutationVector(getPermutation())) // (C2)
    return emitOpError("expected permutation of [0, ") << rank << "), but got [" << getPermutation() << "]";
  return success();
}

LogicalResult ConcatOp::verify() { return verifyAxis(*this, getAxis(), rankOf(getInputs()[0])); } // (C1)

LogicalResult SliceOp::verify() {
  size_t rank = rankOf(getInput());
  if (failed(verifyEntries(*this, "offsets", getStaticOffsets(), rank)) || // (C1)
      failed(verifyEntries(*this, "sizes", getStaticSizes(), rank)) ||
      failed(verifyEntries(*this, "steps", getStaticSteps(), rank)))
    return failure();
  auto type = cast<RankedTensorType>(getInput().getType());
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t step = getStaticSteps()[axis], offset = getStaticOffsets()[axis], size = getStaticSizes()[axis];
    if (step == 0) // (C2)
      return emitOpError("expected step other than 0 at axis ") << axis;
    bool known = !ShapedType::isDynamic(step) && !ShapedType::isDynamic(offset) && !ShapedType::isDynamic(size);
    if (!known || type.isDynamicDim(axis) || size == 0)
      continue;
    int64_t last = offset + (size - 1) * step, limit = type.getDimSize(axis);
    if (size < 0 || offset < 0 || offset >= limit || last < 0 || last >= limit) // (C3)
      return emitOpError("expected a part of [0, ")
             << limit << ") at axis " << axis << ", but got [" << offset << ", " << last << "]";
  }
  return success();
}

LogicalResult PadOp::verify() {
  size_t rank = rankOf(getInput());
  if (failed(verifyEntries(*this, "low", getStaticLow(), rank)) || // (C1)
      failed(verifyEntries(*this, "high", getStaticHigh(), rank)))
    return failure();
  if ((getMode() == PadMode::constant) != static_cast<bool>(getValue())) // (C2)
    return emitOpError("requires a value exactly in mode constant");
  if (getValue() && (failed(verifySameElement(*this, getValue(), getInput())) || // (C2)
                     failed(verifyRank(*this, "value", getValue(), 0))))
    return failure();
  return success();
}

LogicalResult GatherOp::verify() { return verifyAxis(*this, getAxis(), rankOf(getInput())); } // (C1)

LogicalResult GatherElementsOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), rankOf(getInput())))) // (C1)
    return failure();
  return verifyRank(*this, "indices", getIndices(), rankOf(getInput())); // (C2)
}

LogicalResult GatherNDOp::verify() {
  auto indices = cast<RankedTensorType>(getIndices().getType());
  int64_t batch = getBatchDims(), rank = rankOf(getInput());
  if (batch < 0 || batch >= rank || batch >= indices.getRank()) // (C1)
    return emitOpError("expected batch_dims below both ranks, but got ") << batch;
  int64_t tuple = indices.getShape().back();
  if (ShapedType::isDynamic(tuple) || tuple > rank - batch) // (C2)
    return emitOpError("expected a static last size of indices of at most ") << rank - batch;
  return success();
}

LogicalResult ScatterElementsOp::verify() {
  int64_t rank = rankOf(getInput());
  if (failed(verifyAxis(*this, getAxis(), rank)) ||               // (C1)
      failed(verifyRank(*this, "indices", getIndices(), rank)) || // (C2)
      failed(verifyRank(*this, "updates", getUpdates(), rank)))
    return failure();
  return verifySameElement(*this, getUpdates(), getInput()); // (C3)
}

LogicalResult ScatterNDOp::verify() {
  auto indices = cast<RankedTensorType>(getIndices().getType());
  int64_t rank = rankOf(getInput()), tuple = indices.getRank() ? indices.getShape().back() : ShapedType::kDynamic;
  if (ShapedType::isDynamic(tuple) || tuple > rank) // (C1)
    return emitOpError("expected a static last size of indices of at most ") << rank;
  if (failed(verifyRank(*this, "updates", getUpdates(), indices.getRank() - 1 + rank - tuple))) // (C2)
    return failure();
  return verifySameElement(*this, getUpdates(), getInput()); // (C3)
}

LogicalResult MatMulOp::verify() {
  for (Value operand : getOperands())
    if (rankOf(operand) < 2) // (C1)
      return emitOpError("expected rank 2 or more, but got rank ") << rankOf(operand);
  return verifyFactors(*this); // (C3); (C2) is inference's
}

LogicalResult DequantizeOp::verify() {
  Type input = getElementTypeOrSelf(getInput().getType()), zero = getElementTypeOrSelf(getZeroPoint().getType());
  if (input != zero) // (C1)
    return emitOpError("expected a zero point of type ") << input << ", but got " << zero;
  return success();
}

LogicalResult ConvOp::verify() {
  int64_t last = std::max<int64_t>(1, rankOf(getInput()) - 1);
  if (failed(verifyFactors(*this))) // (C5)
    return failure();
  return verifyConvolution(*this, getChannelsLast() ? last : 1, /*inputChannelAxis=*/1);
}

LogicalResult WinogradConvOp::verify() {
  if (failed(verifyRank(*this, "input", getInput(), 4)) || failed(verifyRank(*this, "filter", getFilter(), 4))) // (C1)
    return failure();
  auto input = cast<RankedTensorType>(getInput().getType()), filter = cast<RankedTensorType>(getFilter().getType());
  if (filter.getDimSize(0) != 6 || filter.getDimSize(1) != 6) // (C2)
    return emitOpError("expected a filter of 6 by 6, but got ") << filter;
  if (failed(verifyEntries(*this, "pads", getPads(), 4)) || failed(verifyAtLeast(*this, "pads", getPads(), 0))) // (C3)
    return failure();
  if (!input.isDynamicDim(3) && !filter.isDynamicDim(2) && input.getDimSize(3) != filter.getDimSize(2)) // (C4)
    return emitOpError("expected ") << filter.getDimSize(2) << " input channels, but got " << input.getDimSize(3);
  return success();
}

LogicalResult WinogradFilterOp::verify() {
  if (failed(verifyRank(*this, "filter", getFilter(), 4))) // (C1)
    return failure();
  auto filter = cast<RankedTensorType>(getFilter().getType());
  if (filter.getDimSize(2) != 3 || filter.getDimSize(3) != 3) // (C2)
    return emitOpError("expected a filter of 3 by 3, but got ") << filter;
  return success();
}

LogicalResult WinogradFilterGradientOp::verify() {
  if (failed(verifyRank(*this, "input", getInput(), 4)) ||
      failed(verifyRank(*this, "cotangent", getCotangent(), 4)) ||                                              // (C1)
      failed(verifyEntries(*this, "pads", getPads(), 4)) || failed(verifyAtLeast(*this, "pads", getPads(), 0))) // (C2)
    return failure();
  return success();
}

LogicalResult ConvTransposeOp::verify() {
  if (failed(verifyConvolution(*this, 1, /*inputChannelAxis=*/0)))
    return failure();
  return verifyEntries(*this, "output_padding", getOutputPadding(), rankOf(getInput()) - 2); // (C5)
}

LogicalResult ConvFilterGradientOp::verify() {
  int64_t rank = rankOf(getInput()), spatial = rank - 2, groups = static_cast<int64_t>(getGroups());
  if (rank < 3) // (C1)
    return emitOpError("expected input of rank 3 or more, but got rank ") << rank;
  if (failed(verifyRank(*this, "cotangent", getCotangent(), rank)) || // (C1)
      failed(verifyEntries(*this, "kernel", getKernel(), spatial)) || // (C2)
      failed(verifyEntries(*this, "strides", getStrides(), spatial)) ||
      failed(verifyEntries(*this, "dilations", getDilations(), spatial)) ||
      failed(verifyEntries(*this, "pads", getPads(), 2 * spatial)) ||
      failed(verifyAtLeast(*this, "kernel", getKernel(), 1)) || // (C3)
      failed(verifyAtLeast(*this, "strides", getStrides(), 1)) ||
      failed(verifyAtLeast(*this, "dilations", getDilations(), 1)) ||
      failed(verifyAtLeast(*this, "groups", {groups}, 1)))
    return failure();
  for (Value operand : getOperands()) {
    int64_t channels = cast<RankedTensorType>(operand.getType()).getDimSize(getChannelsLast() ? rank - 1 : 1);
    if (!ShapedType::isDynamic(channels) && channels % groups) // (C4)
      return emitOpError("expected a multiple of ") << groups << " channels, but got " << channels;
  }
  return success();
}

LogicalResult PoolOp::verify() { return verifyWindow(*this); }
LogicalResult MaxPoolWithIndicesOp::verify() { return verifyWindow(*this); }

LogicalResult PoolGradientOp::verify() {
  if (failed(verifyWindow(*this)))
    return failure();
  if (getKind() == PoolKind::average) // (C4)
    return emitOpError("expected kind max or sum, but got average");
  if ((getKind() == PoolKind::max) != static_cast<bool>(getPooled())) // (C5)
    return emitOpError("requires the pool's result exactly for kind max");
  return verifyRank(*this, "cotangent", getCotangent(), rankOf(getInput())); // (C1)
}

LogicalResult ReduceOp::verify() {
  int64_t rank = rankOf(getInput()), previous = -1;
  for (int64_t axis : getAxes()) {
    if (axis <= previous || axis >= rank) // (C1)
      return emitOpError("expected sorted unique axes in [0, ") << rank << "), but got [" << getAxes() << "]";
    previous = axis;
  }
  return success();
}

LogicalResult ReduceByMaskOp::verify() {
  auto mask = cast<RankedTensorType>(getMask().getType());
  if (mask.getRank() != 1 || mask.getDimSize(0) != rankOf(getInput())) // (C1)
    return emitOpError("expected a mask of ") << rankOf(getInput()) << " booleans, but got " << mask;
  return success();
}

LogicalResult ArgReduceOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), rankOf(getInput())))) // (C1)
    return failure();
  if (getKind() != ReduceKind::max && getKind() != ReduceKind::min) // (C2)
    return emitOpError("expected max or min, but got ") << stringifyReduceKind(getKind());
  return success();
}

LogicalResult SoftmaxOp::verify() { return verifyAxis(*this, getAxis(), rankOf(getInput())); }   // (C1)
LogicalResult NormalizeOp::verify() { return verifyAxis(*this, getAxis(), rankOf(getInput())); } // (C1)

LogicalResult BatchNormOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  if (input.getRank() < 2) // (C1)
    return emitOpError("expected input of rank 2 or more, but got rank ") << input.getRank();
  for (Value operand : getOperands().drop_front()) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (type.getRank() != 1 || failed(verifyCompatibleShape(type.getShape(), {input.getDimSize(1)}))) // (C2)
      return emitOpError("expected one entry for each of the channels, but got ") << type;
  }
  return success();
}

LogicalResult CumulateOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), rankOf(getInput())))) // (C1)
    return failure();
  if (getKind() != ReduceKind::sum && getKind() != ReduceKind::prod) // (C2)
    return emitOpError("expected sum or prod, but got ") << stringifyReduceKind(getKind());
  return success();
}

LogicalResult TopKOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), rankOf(getInput())))) // (C1)
    return failure();
  if (failed(verifyEntries(*this, "k", getStaticK(), 1))) // (C2)
    return failure();
  return verifyDynamicCount(*this, getStaticK(), getK().size()); // (C2)
}

LogicalResult ResizeOp::verify() {
  int64_t rank = rankOf(getInput());
  if (failed(verifyEntries(*this, "sizes", getStaticSizes(), rank))) // (C1)
    return failure();
  auto hasSize = [](Value value, int64_t size) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.getRank() == 1 && (type.isDynamicDim(0) || type.getDimSize(0) == size);
  };
  if (!hasSize(getScales(), rank)) // (C2)
    return emitOpError("expected ") << rank << " scales, but got " << getScales().getType();
  if (!hasSize(getRoi(), 2 * rank) && !hasSize(getRoi(), 0)) // (C3)
    return emitOpError("expected ") << 2 * rank << " entries in roi, but got " << getRoi().getType();
  return success();
}
