//===- TrainDialect.cpp - registration and verification of the train dialect --------------------------------------===//
#include "dialects/Train/TrainDialect.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlc::train;

#include "dialects/Train/TrainDialect.cpp.inc"
#include "dialects/Train/TrainEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Train/TrainOps.cpp.inc"

void TrainDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Train/TrainOps.cpp.inc"
      >();
}

LogicalResult StateOp::verify() {
  if (!cast<RankedTensorType>(getType()).hasStaticShape()) // (C1)
    return emitOpError("requires a static shape, but got ") << getType();
  return success();
}

namespace {

LogicalResult verifyState(Operation *op, SymbolTableCollection &symbols, FlatSymbolRefAttr name, Type type) {
  auto state = symbols.lookupNearestSymbolFrom<StateOp>(op, name);
  if (!state) // (C1)
    return op->emitOpError("requires a train.state named ") << name;
  if (state.getType() != type) // (C2)
    return op->emitOpError("expected the type of the state, ") << state.getType() << ", but got " << type;
  return success();
}

int64_t rankOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getRank(); }

LogicalResult verifyAxis(Operation *op, int64_t axis, int64_t first, int64_t rank) {
  if (axis < first || axis >= rank)
    return op->emitOpError("expected axis in [") << first << ", " << rank << "), but got " << axis;
  return success();
}

} // namespace

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyState(*this, symbols, getStateAttr(), getType());
}

LogicalResult WriteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyState(*this, symbols, getStateAttr(), getValue().getType());
}

LogicalResult GradientOp::verify() {
  if (rankOf(getLoss()) != 0) // (C1)
    return emitOpError("expected a loss of rank 0, but got ") << getLoss().getType();
  if (getWrt().getTypes() != getGradients().getTypes()) // (C2)
    return emitOpError("expected results of ") << getWrt().getTypes() << ", but got " << getGradients().getTypes();
  return success();
}

LogicalResult DropoutOp::verify() {
  double rate = getRate().convertToDouble();
  if (!(rate >= 0 && rate < 1)) // (C1)
    return emitOpError("expected a rate in [0, 1), but got ") << rate;
  return success();
}

LogicalResult BatchNormOp::verify() {
  if (failed(verifyAxis(*this, getAxis(), 0, rankOf(getInput())))) // (C1)
    return failure();
  int64_t channels = cast<RankedTensorType>(getInput().getType()).getDimSize(getAxis());
  for (Value vector : {getScale(), getBias(), getMean(), getVariance()}) {
    auto type = cast<RankedTensorType>(vector.getType());
    if (type.getRank() != 1 || (!ShapedType::isDynamic(channels) && type.getDimSize(0) != channels)) // (C2)
      return emitOpError("expected vectors of ") << channels << " channels, but got " << type;
  }
  double momentum = getMomentum().convertToDouble();
  if (!(momentum >= 0 && momentum <= 1)) // (C3)
    return emitOpError("expected a momentum in [0, 1], but got ") << momentum;
  for (Value statistic : {getMean(), getVariance()})
    if (Operation *op = statistic.getDefiningOp(); !op || !isa<mlc::graph::WeightOp, ReadOp>(op)) // (C4)
      return emitOpError("requires statistics that are read from a weight or a state");
  return success();
}

LogicalResult RandomFlipOp::verify() { return verifyAxis(*this, getAxis(), 1, rankOf(getInput())); } // (C1)

LogicalResult RandomCropOp::verify() {
  int64_t last = 0;
  for (int64_t axis : getAxes()) { // (C1)
    if (failed(verifyAxis(*this, axis, last + 1, rankOf(getInput()))))
      return failure();
    last = axis;
  }
  if (static_cast<int64_t>(getPadding()) <= 0) // (C2)
    return emitOpError("expected a positive padding, but got ") << static_cast<int64_t>(getPadding());
  return success();
}

SmallVector<PlacedState> mlc::train::placeStates(Operation *module) {
  SmallVector<PlacedState> states;
  int64_t next = 0;
  for (auto state : module->getRegion(0).getOps<StateOp>()) {
    int64_t bytes = mlc::graph::getByteSize(cast<RankedTensorType>(state.getType()));
    next = llvm::alignTo(next, 64);
    states.push_back({state, next, bytes});
    next += bytes;
  }
  return states;
}
