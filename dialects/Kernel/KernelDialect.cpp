//===- KernelDialect.cpp - verification and bufferization of the kernel dialect -----------------------------------===//
#include "dialects/Kernel/KernelDialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace mlc::kernel;

#include "dialects/Kernel/KernelDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/KernelOps.cpp.inc"
      >();
}

LogicalResult ContractOp::verify() {
  int64_t loops = getSizes().size(), parallel = getParallel();
  if (getMaps().size() != getNumOperands()) // (C1)
    return emitOpError("expected one map an operand, but got ") << getMaps().size();
  for (auto [operand, map] : llvm::zip(getOperands(), getMaps().getAsValueRange<AffineMapAttr>())) {
    bool isPackedRhs = getPacked() && operand == getRhs();
    if (map.getNumDims() != static_cast<unsigned>(loops) || // (C1)
        (!isPackedRhs && map.getNumResults() != cast<ShapedType>(operand.getType()).getRank()))
      return emitOpError("requires maps from ") << loops << " loops to the axes of the operands";
  }
  AffineMap out = getOutMap();
  if (out != AffineMap::getMultiDimIdentityMap(loops, getContext()).getMajorSubMap(parallel)) // (C2)
    return emitOpError("requires a result whose axes are the parallel loops in order");
  Block &body = getEpilogue().front();
  auto elementOf = [](Value value) { return getElementTypeOrSelf(value.getType()); };
  bool fits = body.getNumArguments() == 1 + getExtras().size();
  for (size_t i = 0; fits && i < getExtras().size(); ++i)
    fits = body.getArgument(1 + i).getType() == elementOf(getExtras()[i]);
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  fits = fits && yield && yield.getValue().getType() == elementOf(getInit());
  if (!fits) // (C3)
    return emitOpError("requires an epilogue from the sum and the extras to an element of the result");
  if (hasDots() && !getPacked()) // (C4)
    return emitOpError("expected a packed rhs with granules of ") << getGranule();
  return success();
}

namespace mlc::kernel {

SmallVector<LoopKind> classifyLoops(ContractOp op) {
  SmallVector<LoopKind> kinds;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool inLhs = op.getLhsMap().isFunctionOfDim(loop), inRhs = op.getRhsMap().isFunctionOfDim(loop);
    if (loop >= op.getParallel())
      kinds.push_back(LoopKind::reduction);
    else
      kinds.push_back(inLhs && inRhs ? LoopKind::batch : inRhs ? LoopKind::column : LoopKind::row);
  }
  return kinds;
}

unsigned getVectorLoop(ArrayRef<int64_t> sizes, unsigned parallel) {
  unsigned loop = parallel - 1;
  while (loop > 0 && sizes[loop] == 1)
    --loop;
  return sizes[loop] == 1 ? parallel - 1 : loop;
}

unsigned getGranuleLoop(ContractOp op) {
  unsigned loop = op.getNumLoops() - 1;
  while (loop > op.getParallel() && op.getSizes()[loop] == 1)
    --loop;
  return loop;
}

int64_t coefficientOf(AffineExpr expr, unsigned loop) {
  MLIRContext *context = expr.getContext();
  AffineExpr dim = getAffineDimExpr(loop, context);
  AffineExpr step =
      expr.replace(dim, getAffineConstantExpr(1, context)) - expr.replace(dim, getAffineConstantExpr(0, context));
  auto constant = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(step, loop + 64, 0));
  assert(constant && "indices of contractions are sums of loops");
  return constant.getValue();
}

bool movesByOne(AffineMap map, unsigned loop, ArrayRef<int64_t> sizes) {
  // From the last axis on, past those of one element.
  for (AffineExpr expr : llvm::reverse(map.getResults())) {
    if (expr.isFunctionOfDim(loop))
      return coefficientOf(expr, loop) == 1 &&
             llvm::count_if(map.getResults(), [&](AffineExpr other) { return other.isFunctionOfDim(loop); }) == 1;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!isa<AffineConstantExpr>(expr) && !(dim && sizes[dim.getPosition()] == 1))
      return false;
  }
  return false;
}

} // namespace mlc::kernel

void ContractOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  if (isa<TensorType>(getInit().getType()))
    return;
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    if (operand.get() == getInit())
      effects.emplace_back(MemoryEffects::Write::get(), &operand, SideEffects::DefaultResource::get());
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand, SideEffects::DefaultResource::get());
  }
}

LogicalResult ContractOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(b, getLoc(), getInit()));
  return success();
}

bool ContractOp::bufferizesToMemoryRead(OpOperand &operand, const bufferization::AnalysisState &) {
  return &operand != &getInitMutable();
}

bool ContractOp::bufferizesToMemoryWrite(OpOperand &operand, const bufferization::AnalysisState &) {
  return &operand == &getInitMutable();
}

bufferization::AliasingValueList ContractOp::getAliasingValues(OpOperand &operand,
                                                               const bufferization::AnalysisState &) {
  if (&operand == &getInitMutable() && !getResults().empty())
    return {{getResult(0), bufferization::BufferRelation::Equivalent}};
  return {};
}

LogicalResult ContractOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                                    bufferization::BufferizationState &state) {
  if (isa<BaseMemRefType>(getInit().getType()))
    return success();
  SmallVector<Value> buffers;
  for (Value operand : getOperands()) {
    FailureOr<Value> buffer = bufferization::getBuffer(rewriter, operand, options, state);
    if (failed(buffer))
      return failure();
    buffers.push_back(*buffer);
  }
  rewriter.setInsertionPoint(*this);
  OperationState created(getLoc(), getOperationName(), buffers, TypeRange(), (*this)->getAttrs());
  created.addRegion()->takeBody(getEpilogue());
  rewriter.create(created);
  bufferization::replaceOpWithBufferizedValues(rewriter, *this, buffers.back());
  return success();
}
