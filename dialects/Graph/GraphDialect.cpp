//===- GraphDialect.cpp - the graph dialect: registration, builders, accessors ------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlc::graph;

#include "dialects/Graph/GraphDialect.cpp.inc"
#include "dialects/Graph/GraphEnums.cpp.inc"
#include "dialects/Graph/GraphInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphOps.cpp.inc"

void GraphDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphOps.cpp.inc"
      >();
}

Operation *GraphDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  if (auto elements = dyn_cast<ElementsAttr>(value); elements && isa<RankedTensorType>(type))
    return ConstantOp::create(builder, loc, elements);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}

Type mlc::graph::getStorageType(Type element) {
  if (auto integer = dyn_cast<IntegerType>(element); integer && !integer.isSignless())
    return IntegerType::get(element.getContext(), integer.getWidth());
  return element;
}

Type mlc::graph::getComputeType(Type element) {
  if (element.isF16() || element.isBF16())
    return Float32Type::get(element.getContext());
  return getStorageType(element);
}

Value mlc::graph::buildScalarConstant(OpBuilder &builder, Location loc, Type element, double value) {
  auto type = RankedTensorType::get({}, element);
  Attribute attr;
  if (auto floatType = dyn_cast<FloatType>(element))
    attr = builder.getFloatAttr(floatType, value);
  else
    attr = builder.getIntegerAttr(element, APInt(element.getIntOrFloatBitWidth(), static_cast<int64_t>(value),
                                                 /*isSigned=*/true, /*implicitTrunc=*/true));
  return ConstantOp::create(builder, loc, DenseElementsAttr::get(type, attr));
}

//===----------------------------------------------------------------------------------------------------------===//
// Builders and accessors of ops with mixed static and dynamic sizes
//===----------------------------------------------------------------------------------------------------------===//

namespace {
/// Splits sizes into constants and values.
struct Split final {
  explicit Split(ArrayRef<OpFoldResult> sizes) { dispatchIndexOpFoldResults(sizes, values, statics); }
  SmallVector<Value> values;
  SmallVector<int64_t> statics;
};
} // namespace

void IotaOp::build(OpBuilder &builder, OperationState &state, int64_t axis, ArrayRef<OpFoldResult> sizes,
                   Type element) {
  Split split(sizes);
  build(builder, state, builder.getI64IntegerAttr(axis), split.values, builder.getDenseI64ArrayAttr(split.statics),
        TypeAttr::get(element));
}

void RandomOp::build(OpBuilder &builder, OperationState &state, Value seed, int64_t stream,
                     ArrayRef<OpFoldResult> sizes) {
  Split split(sizes);
  build(builder, state, seed, builder.getI64IntegerAttr(stream), split.values,
        builder.getDenseI64ArrayAttr(split.statics));
}

void ReshapeOp::build(OpBuilder &builder, OperationState &state, Value input, ArrayRef<OpFoldResult> sizes) {
  Split split(sizes);
  build(builder, state, input, split.values, split.statics);
}

void ExpandOp::build(OpBuilder &builder, OperationState &state, Value input, ArrayRef<OpFoldResult> sizes) {
  Split split(sizes);
  build(builder, state, input, split.values, split.statics);
}

void SliceOp::build(OpBuilder &builder, OperationState &state, Value input, ArrayRef<OpFoldResult> offsets,
                    ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> steps) {
  Split offset(offsets), size(sizes), step(steps);
  build(builder, state, input, offset.values, size.values, step.values, offset.statics, size.statics, step.statics);
}

void PadOp::build(OpBuilder &builder, OperationState &state, PadMode mode, Value input, Value value,
                  ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high) {
  Split lows(low), highs(high);
  build(builder, state, mode, input, value, lows.values, highs.values, lows.statics, highs.statics);
}

void TopKOp::build(OpBuilder &builder, OperationState &state, Value input, OpFoldResult k, int64_t axis,
                   bool smallest) {
  Split split(k);
  build(builder, state, input, split.values, split.statics, axis, smallest);
}

SmallVector<OpFoldResult> IotaOp::getMixedSizes() { return getMixedValues(getStaticSizes(), getSizes(), getContext()); }
SmallVector<OpFoldResult> RandomOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}
SmallVector<OpFoldResult> ReshapeOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}
SmallVector<OpFoldResult> ExpandOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}
SmallVector<OpFoldResult> ResizeOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}
SmallVector<OpFoldResult> SliceOp::getMixedOffsets() {
  return getMixedValues(getStaticOffsets(), getOffsets(), getContext());
}
SmallVector<OpFoldResult> SliceOp::getMixedSizes() {
  return getMixedValues(getStaticSizes(), getSizes(), getContext());
}
SmallVector<OpFoldResult> SliceOp::getMixedSteps() {
  return getMixedValues(getStaticSteps(), getSteps(), getContext());
}
SmallVector<OpFoldResult> PadOp::getMixedLow() { return getMixedValues(getStaticLow(), getLow(), getContext()); }
SmallVector<OpFoldResult> PadOp::getMixedHigh() { return getMixedValues(getStaticHigh(), getHigh(), getContext()); }

//===----------------------------------------------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------------------------------------------===//

bool mlc::graph::isEvaluable(Operation *op) {
  auto isStatic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  };
  if (!llvm::all_of(op->getOperandTypes(), isStatic) || !llvm::all_of(op->getResultTypes(), isStatic))
    return false;
  if (auto constant = dyn_cast<ConstantOp>(op))
    return isa<DenseElementsAttr>(constant.getValue());
  if (auto pad = dyn_cast<PadOp>(op))
    return pad.getMode() == PadMode::constant;
  if (auto reduce = dyn_cast<ReduceOp>(op)) // of integers: the order of a sum of floats is the model's
    return reduce.getKind() == ReduceKind::sum && isa<IntegerType>(getElementTypeOrSelf(reduce.getType()));
  if (isa<AddOp, SubOp, MulOp, DivOp, MaxOp, MinOp, PowOp, DequantizeOp>(op))
    return true;
  return isa<WeightOp, AbsOp, NegOp, SqrtOp, ExpOp, CastOp, TransposeOp, ReshapeOp, ExpandOp, SliceOp, ConcatOp>(op);
}

int64_t mlc::graph::getByteSize(RankedTensorType type) {
  return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}

/// The names of the parameters that are read: what only other weights are made of is not there at run time.
static llvm::DenseSet<StringAttr> collectReads(Operation *module, bool withBodies) {
  llvm::DenseSet<StringAttr> read;
  module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto name = op->getAttrOfType<FlatSymbolRefAttr>("parameter"))
      read.insert(name.getAttr());
    return isa<ParameterOp>(op) && !withBodies ? WalkResult::skip() : WalkResult::advance();
  });
  return read;
}

SmallVector<PlacedWeight> mlc::graph::placeWeights(Operation *module) {
  SmallVector<PlacedWeight> weights;
  int64_t next = 0;
  llvm::DenseSet<StringAttr> read = collectReads(module, /*withBodies=*/false);
  for (auto parameter : module->getRegion(0).getOps<ParameterOp>()) {
    if (!read.contains(parameter.getSymNameAttr()))
      continue;
    int64_t bytes = getByteSize(cast<RankedTensorType>(parameter.getType()));
    next = llvm::alignTo(next, 64);
    weights.push_back({parameter, next, bytes});
    next += bytes;
  }
  return weights;
}

SmallVector<ParameterOp> mlc::graph::getStoredParameters(Operation *module) {
  llvm::DenseSet<StringAttr> read = collectReads(module, /*withBodies=*/true);
  SmallVector<ParameterOp> stored;
  for (auto parameter : module->getRegion(0).getOps<ParameterOp>())
    if (parameter.getBody().empty() && read.contains(parameter.getSymNameAttr()))
      stored.push_back(parameter);
  return stored;
}
