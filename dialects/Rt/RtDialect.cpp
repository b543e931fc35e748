//===- RtDialect.cpp - verification and bufferization of the rt dialect -------------------------------------------===//
#include "dialects/Rt/RtDialect.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlc::rt;

#include "dialects/Rt/RtDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Rt/RtTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Rt/RtOps.cpp.inc"

void RtDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Rt/RtTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Rt/RtOps.cpp.inc"
      >();
}

bool mlc::rt::isEntry(FunctionOpInterface function) {
  return function.isPublic() && function.getNumArguments() == 1 && isa<FrameType>(function.getArgumentTypes()[0]);
}

namespace {

LogicalResult verifySizes(Operation *op, Type type, ValueRange sizes) {
  int64_t dynamic = cast<ShapedType>(type).getNumDynamicDims();
  if (static_cast<int64_t>(sizes.size()) != dynamic) // (C1)
    return op->emitOpError("expected ") << dynamic << " sizes, but got " << sizes.size();
  return success();
}

LogicalResult verifyStatic(Operation *op, Type type) {
  if (!cast<ShapedType>(type).hasStaticShape()) // (C1)
    return op->emitOpError("requires a static shape, but got ") << type;
  return success();
}

BaseMemRefType bufferTypeOf(Type type) {
  if (auto memref = dyn_cast<BaseMemRefType>(type))
    return memref;
  return bufferization::getMemRefTypeWithStaticIdentityLayout(cast<TensorType>(type));
}

} // namespace

LogicalResult InputOp::verify() { return verifySizes(*this, getType(), getSizes()); }
LogicalResult OutputOp::verify() { return verifySizes(*this, getType(), getSizes()); }
LogicalResult AllocOp::verify() { return verifySizes(*this, getType(), getSizes()); }
LogicalResult WeightOp::verify() { return verifyStatic(*this, getType()); }
LogicalResult StateOp::verify() { return verifyStatic(*this, getType()); }

LogicalResult WorkspaceOp::verify() {
  if (failed(verifySizes(*this, getType(), getSizes())))
    return failure();
  if (getOffset() % 64 != 0) // (C2)
    return emitOpError("expected an offset that is a multiple of 64, but got ") << getOffset();
  if (getBytes().has_value() == cast<ShapedType>(getType()).hasStaticShape()) // (C3)
    return emitOpError("requires a number of bytes where a size is dynamic, and only there");
  return success();
}

LogicalResult ParallelForOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(*this, getKernelAttr());
  if (!kernel || kernel.getNumResults() != 0) // (C1)
    return emitOpError("requires a function without results named ") << getKernelAttr();
  SmallVector<Type> expected(getCaptures().getTypes());
  expected.append(2, IndexType::get(getContext()));
  if (!llvm::equal(kernel.getArgumentTypes(), expected)) // (C2)
    return emitOpError("expected a kernel of ") << TypeRange(expected) << ", but got " << kernel.getArgumentTypes();
  return success();
}

LogicalResult ParallelOp::verifyRegions() {
  auto isStep = [](Operation *op) { return op && isa<ParallelForOp, CallOpInterface>(op); };
  for (Operation &op : getBody().front()) {
    if (!(isStep(&op) && op.getNumResults() == 0) && !isa<BarrierOp, MarkOp>(op)) // (C1)
      return op.emitOpError("expected a parallel loop, a call without results, a barrier or a mark in '")
             << getOperationName() << "'";
    if (isa<MarkOp>(op) && !isStep(op.getPrevNode())) // (C2)
      return op.emitOpError("requires a step before it in '") << getOperationName() << "'";
  }
  return success();
}

// Inputs and weights are memory that the code reads and never writes; states are written where they are updated.
#define MLC_SOURCE_OP(OP, WRITABLE)                                                                                    \
  bool OP::bufferizesToMemoryRead(OpOperand &, const bufferization::AnalysisState &) { return false; }                 \
  bool OP::bufferizesToMemoryWrite(OpOperand &, const bufferization::AnalysisState &) { return false; }                \
  bufferization::AliasingValueList OP::getAliasingValues(OpOperand &, const bufferization::AnalysisState &) {          \
    return {};                                                                                                         \
  }                                                                                                                    \
  bool OP::isWritable(Value, const bufferization::AnalysisState &) { return WRITABLE; }                                \
  FailureOr<bufferization::BufferLikeType> OP::getBufferType(Value value, const bufferization::BufferizationOptions &, \
                                                             const bufferization::BufferizationState &,                \
                                                             SmallVector<Value> &) {                                   \
    return cast<bufferization::BufferLikeType>(Type(bufferTypeOf(value.getType())));                                   \
  }
MLC_SOURCE_OP(InputOp, false)
MLC_SOURCE_OP(WeightOp, false)
MLC_SOURCE_OP(StateOp, getWritable())
#undef MLC_SOURCE_OP

LogicalResult InputOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &,
                                 bufferization::BufferizationState &) {
  bufferization::replaceOpWithNewBufferizedOp<InputOp>(rewriter, *this, bufferTypeOf(getType()), getFrame(),
                                                       getIndexAttr(), getSizes());
  return success();
}

LogicalResult WeightOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &,
                                  bufferization::BufferizationState &) {
  bufferization::replaceOpWithNewBufferizedOp<WeightOp>(rewriter, *this, bufferTypeOf(getType()), getFrame(),
                                                        getParameterAttr(), getOffsetAttr());
  return success();
}

LogicalResult StateOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &,
                                 bufferization::BufferizationState &) {
  bufferization::replaceOpWithNewBufferizedOp<StateOp>(rewriter, *this, bufferTypeOf(getType()), getFrame(),
                                                       getStateAttr(), getOffsetAttr(), getWritableAttr());
  return success();
}
