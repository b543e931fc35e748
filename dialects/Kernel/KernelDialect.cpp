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

static bool isLoop(int64_t loop, int64_t loops) { return loop >= 0 && loop < loops; }

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
  fits = fits && yield && yield.getValues().size() == 1 && yield.getValues()[0].getType() == elementOf(getInit());
  if (!fits) // (C3)
    return emitOpError("requires an epilogue from the sum and the extras to an element of the result");
  if (hasDots() && !getPacked()) // (C4)
    return emitOpError("expected a packed rhs with granules of ") << getGranule();
  if (auto triangle = getTriangle()) // (C5)
    if (triangle->size() != 3 || !isLoop((*triangle)[0], loops) || !isLoop((*triangle)[1], loops) ||
        (*triangle)[0] == (*triangle)[1])
      return emitOpError("requires two loops and an offset as its triangle");
  return success();
}

LogicalResult RowsOp::verify() {
  int64_t loops = getSizes().size(), rows = getRows();
  if (getMaps().size() != getNumOperands() || rows < 0 || rows >= loops) // (C1)
    return emitOpError("requires one map an operand and at least one loop over columns");
  for (auto [operand, map] : llvm::zip(getOperands(), getMaps().getAsValueRange<AffineMapAttr>()))
    if (map.getNumDims() != static_cast<unsigned>(loops) || // (C1)
        map.getNumResults() != cast<ShapedType>(operand.getType()).getRank())
      return emitOpError("requires maps from the loops to the axes of the operands");
  AffineMap all = AffineMap::getMultiDimIdentityMap(loops, getContext());
  for (unsigned i = 0; i < getInits().size(); ++i) {
    AffineMap map = getMap(getInputs().size() + i);
    if (map != all && map != getRowMap(loops, rows, getContext())) // (C2)
      return emitOpError("requires results whose axes are all loops in order, or those over rows");
  }
  Block &body = getBody().front();
  auto elementOf = [](Value value) { return getElementTypeOrSelf(value.getType()); };
  auto matches = [&](ValueRange inside, ValueRange outside) {
    return inside.size() == outside.size() && llvm::all_of(llvm::zip(inside, outside), [&](auto pair) {
             return std::get<0>(pair).getType() == elementOf(std::get<1>(pair));
           });
  };
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || !matches(body.getArguments(), getInputs()) || !matches(yield.getValues(), getInits())) // (C3)
    return emitOpError("requires a region from elements of the inputs to elements of the results");
  RowValues values(*this);
  for (unsigned i = 0; i < getInits().size(); ++i)
    if (isOfRow(i) && !values.isOfRow(yield.getValues()[i])) // (C4)
      return emitOpError("requires one value a row for result ") << i << ", but it differs from column to column";
  if (auto triangle = getTriangle()) // (C5)
    if (triangle->size() != 3 || !isLoop((*triangle)[0], rows) || (*triangle)[1] != loops - 1)
      return emitOpError("requires a loop over rows, the last one over columns and an offset as its triangle");
  return success();
}

LogicalResult PackOp::verify() {
  AffineMap map = getMap();
  if (map.getNumDims() != getSizes().size() || // (C1)
      map.getNumResults() != cast<ShapedType>(getSource().getType()).getRank())
    return emitOpError("requires a map from ") << getSizes().size() << " loops to the axes of the source";
  ArrayRef<int64_t> shape = getPanels().getShape();
  size_t behind = getGranules() ? 3 : 1; // axes behind those of loops
  bool fits = shape.size() == getOuter().size() + 1 + getInner().size() + behind;
  if (fits) {
    int64_t width = shape[shape.size() - (getGranules() ? 2 : 1)];
    SmallVector<int64_t> expected;
    for (int64_t loop : getOuter())
      expected.push_back(getSizes()[loop]);
    expected.push_back(llvm::divideCeil(getSizes()[getVector()], width));
    for (int64_t loop : getInner())
      expected.push_back(getSizes()[loop]);
    if (getGranules())
      expected.push_back(llvm::divideCeil(getSizes()[*getGranules()], shape.back()));
    expected.push_back(width);
    if (getGranules())
      expected.push_back(shape.back());
    fits = shape == ArrayRef(expected);
  }
  if (!fits) // (C2)
    return emitOpError("expected panels of the loops, but got ") << getPanels();
  return success();
}

LogicalResult AttentionOp::verify() {
  unsigned loops = getNumLoops();
  if (getMaps().size() != getNumOperands() || loops < 4) // (C1)
    return emitOpError("requires one map an operand and loops over queries, values, keys and depth");
  for (auto [operand, map] : llvm::zip(getOperands(), getMaps().getAsValueRange<AffineMapAttr>()))
    if (map.getNumDims() != loops || map.getNumResults() != cast<ShapedType>(operand.getType()).getRank()) // (C1)
      return emitOpError("requires maps from all loops to the axes of the operands");
  if (getMap(getNumOperands() - 1) != getRowMap(loops, loops - 2, getContext()) || getQueryLoop() >= loops - 3) // (C2)
    return emitOpError("requires a result whose axes are all loops but those over keys and depth");
  Block &body = getScore().front();
  bool fits = body.getNumArguments() == 1 + getExtras().size();
  for (size_t i = 0; fits && i < getExtras().size(); ++i)
    fits = body.getArgument(1 + i).getType() == getElementTypeOrSelf(getExtras()[i]);
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!fits || !yield || yield.getValues().size() != 1 ||
      yield.getValues()[0].getType() != body.getArgument(0).getType()) // (C3)
    return emitOpError("requires a region from a score and the extras to a score");
  for (unsigned i = 0; i < getNumOperands() - 1; ++i) {
    SmallVector<unsigned> still{static_cast<unsigned>(getQueryLoop()), getDepthLoop()}; // value
    if (i == 0)
      still = {getKeyLoop(), getValueLoop()};
    else if (i == 1)
      still = {static_cast<unsigned>(getQueryLoop()), getValueLoop()};
    else if (i > 2)
      still = {getValueLoop(), getDepthLoop()};
    for (unsigned loop : still)
      if (getMap(i).isFunctionOfDim(loop)) // (C4)
        return emitOpError("requires operand ") << i << " not to move with loop " << loop;
  }
  return success();
}

namespace mlc::kernel {

RowValues::RowValues(RowsOp op) {
  Block &body = op.getBody().front();
  auto isOfRow = [&](AffineMap map) {
    for (unsigned loop = op.getRows(); loop < op.getNumLoops(); ++loop)
      if (map.isFunctionOfDim(loop))
        return false;
    return true;
  };
  for (BlockArgument argument : body.getArguments())
    if (!isOfRow(op.getMap(argument.getArgNumber())))
      columns.insert(argument);
  for (Operation &inner : body.without_terminator()) {
    unsigned level = 0;
    for (Value operand : inner.getOperands())
      level = std::max(level, levelOf(operand));
    bool isReduce = isa<ReduceOp>(inner);
    bool moves = !isReduce && llvm::any_of(inner.getOperands(), [&](Value value) { return columns.contains(value); });
    for (Value result : inner.getResults()) {
      levels[result] = level + isReduce;
      if (moves)
        columns.insert(result);
    }
  }
}

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

AffineMap getRowMap(unsigned loops, unsigned rows, MLIRContext *context) {
  AffineMap all = AffineMap::getMultiDimIdentityMap(loops, context);
  return AffineMap::get(loops, 0, all.getResults().take_front(rows), context);
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

// What all kernels are to memory: inputs are read, destinations are written and never read.
namespace {

void addEffects(DestinationStyleOpInterface op,
                SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (isa<TensorType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand, SideEffects::DefaultResource::get());
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand, SideEffects::DefaultResource::get());
  }
}

LogicalResult shapesOfInits(DestinationStyleOpInterface op, OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  for (Value init : op.getDpsInits())
    shapes.push_back(tensor::getMixedSizes(b, op->getLoc(), init));
  return success();
}

bufferization::AliasingValueList resultOf(DestinationStyleOpInterface op, OpOperand &operand) {
  if (op.isDpsInit(&operand) && op->getNumResults())
    return {{op.getTiedOpResult(&operand), bufferization::BufferRelation::Equivalent}};
  return {};
}

/// The same op on the buffers of its operands.
LogicalResult moveToMemory(DestinationStyleOpInterface op, RewriterBase &rewriter,
                           const bufferization::BufferizationOptions &options,
                           bufferization::BufferizationState &state) {
  if (op->getNumResults() == 0)
    return success();
  SmallVector<Value> buffers, results;
  for (OpOperand &operand : op->getOpOperands()) {
    FailureOr<Value> buffer = bufferization::getBuffer(rewriter, operand.get(), options, state);
    if (failed(buffer))
      return failure();
    buffers.push_back(*buffer);
    if (op.isDpsInit(&operand))
      results.push_back(*buffer);
  }
  rewriter.setInsertionPoint(op);
  OperationState created(op->getLoc(), op->getName().getStringRef(), buffers, TypeRange(), op->getAttrs());
  for (Region &region : op->getRegions())
    created.addRegion()->takeBody(region);
  rewriter.create(created);
  bufferization::replaceOpWithBufferizedValues(rewriter, op, results);
  return success();
}

} // namespace

void ContractOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addEffects(*this, effects);
}

LogicalResult ContractOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return shapesOfInits(*this, b, shapes);
}

bool ContractOp::bufferizesToMemoryRead(OpOperand &operand, const bufferization::AnalysisState &) {
  return !isDpsInit(&operand);
}

bool ContractOp::bufferizesToMemoryWrite(OpOperand &operand, const bufferization::AnalysisState &) {
  return isDpsInit(&operand);
}

bufferization::AliasingValueList ContractOp::getAliasingValues(OpOperand &operand,
                                                               const bufferization::AnalysisState &) {
  return resultOf(*this, operand);
}

LogicalResult ContractOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                                    bufferization::BufferizationState &state) {
  return moveToMemory(*this, rewriter, options, state);
}

void RowsOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addEffects(*this, effects);
}

LogicalResult RowsOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return shapesOfInits(*this, b, shapes);
}

bool RowsOp::bufferizesToMemoryRead(OpOperand &operand, const bufferization::AnalysisState &) {
  return !isDpsInit(&operand);
}

bool RowsOp::bufferizesToMemoryWrite(OpOperand &operand, const bufferization::AnalysisState &) {
  return isDpsInit(&operand);
}

bufferization::AliasingValueList RowsOp::getAliasingValues(OpOperand &operand, const bufferization::AnalysisState &) {
  return resultOf(*this, operand);
}

LogicalResult RowsOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                                bufferization::BufferizationState &state) {
  return moveToMemory(*this, rewriter, options, state);
}

void PackOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addEffects(*this, effects);
}

bool PackOp::bufferizesToMemoryRead(OpOperand &operand, const bufferization::AnalysisState &) {
  return !isDpsInit(&operand);
}

bool PackOp::bufferizesToMemoryWrite(OpOperand &operand, const bufferization::AnalysisState &) {
  return isDpsInit(&operand);
}

bufferization::AliasingValueList PackOp::getAliasingValues(OpOperand &operand, const bufferization::AnalysisState &) {
  return resultOf(*this, operand);
}

LogicalResult PackOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                                bufferization::BufferizationState &state) {
  return moveToMemory(*this, rewriter, options, state);
}

void AttentionOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addEffects(*this, effects);
}

LogicalResult AttentionOp::reifyResultShapes(OpBuilder &b, ReifiedRankedShapedTypeDims &shapes) {
  return shapesOfInits(*this, b, shapes);
}

bool AttentionOp::bufferizesToMemoryRead(OpOperand &operand, const bufferization::AnalysisState &) {
  return !isDpsInit(&operand);
}

bool AttentionOp::bufferizesToMemoryWrite(OpOperand &operand, const bufferization::AnalysisState &) {
  return isDpsInit(&operand);
}

bufferization::AliasingValueList AttentionOp::getAliasingValues(OpOperand &operand,
                                                                const bufferization::AnalysisState &) {
  return resultOf(*this, operand);
}

LogicalResult AttentionOp::bufferize(RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                                     bufferization::BufferizationState &state) {
  return moveToMemory(*this, rewriter, options, state);
}
