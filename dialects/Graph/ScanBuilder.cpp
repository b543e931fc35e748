//===- ScanBuilder.cpp - making graph.scan of a body that reads from outside -------------------------------------===//
#include "dialects/Graph/ScanBuilder.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace mlc::graph {

namespace {
/// Adds arguments for what a body reads from outside; gives the values. Constants are in the body, and scalars are made
/// there again: they cannot be captured.
SmallVector<Value> capture(Region &body, MLIRContext *context) {
  IRRewriter rewriter(context);
  return makeRegionIsolatedFromAbove(rewriter, body, [](Operation *op) {
    return op->hasTrait<OpTrait::ConstantLike>() || !isa<RankedTensorType, IndexType>(op->getResult(0).getType());
  });
}
} // namespace

ScanBuilder::ScanBuilder(GraphBuilder &g) : g(g) {
  OperationState state(g.loc, ScanOp::getOperationName());
  state.addRegion()->emplaceBlock();
  probe = g.b.create(state);
}

ScanBuilder::~ScanBuilder() {
  forgetSizes();
  probe->erase();
}

// No one asks for values of the body again, and they may go away.
void ScanBuilder::forgetSizes() {
  probe->walk([&](Block *block) {
    for (Value argument : block->getArguments())
      g.forget(argument);
    for (Operation &op : *block)
      for (Value result : op.getResults())
        g.forget(result);
  });
}

RankedTensorType ScanBuilder::sliceType(Value input) {
  RankedTensorType type = GraphBuilder::type(input);
  return RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
}

Values ScanBuilder::finish(ValueRange inits, ValueRange inputs, bool reverse) {
  forgetSizes();
  // A weight is read once, in front.
  for (Operation &op : llvm::make_early_inc_range(block()))
    if (isa<WeightOp>(op))
      op.moveBefore(probe);
  SmallVector<Value> captures = capture(probe->getRegion(0), g.b.getContext());
  OperationState state(g.loc, ScanOp::getOperationName());
  for (ValueRange operands : {inits, inputs, ValueRange(captures)})
    state.addOperands(operands);
  auto &properties = state.getOrAddProperties<ScanOp::Properties>();
  properties.operandSegmentSizes = {static_cast<int32_t>(inits.size()), static_cast<int32_t>(inputs.size()),
                                    static_cast<int32_t>(captures.size())};
  if (reverse)
    properties.reverse = g.b.getUnitAttr();
  state.addTypes(llvm::to_vector(block().getTerminator()->getOperandTypes()));
  state.addRegion()->takeBody(probe->getRegion(0));
  return g.finish(g.b.create(state));
}

void isolateScans(Operation *root) {
  root->walk([](ScanOp scan) { // the inner ones first
    SmallVector<Value> captured = capture(scan.getBody(), scan.getContext());
    scan.getCapturesMutable().append(captured);
  });
}

} // namespace mlc::graph
