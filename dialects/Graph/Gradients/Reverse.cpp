//===- Reverse.cpp - the cotangents of the values of a block -----------------------------------------------------===//
#include "dialects/Graph/Gradients/Reverse.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace mlc::graph {

bool isDifferentiable(Value value) {
  return isa<RankedTensorType>(value.getType()) && isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

SmallVector<Value> getReads(Operation *op) {
  SmallVector<Value> reads(op->getOperands());
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (operand.getParentRegion()->isProperAncestor(&region))
          reads.push_back(operand);
    });
  return reads;
}

DenseSet<Value> Reverse::findActive(Block *block, Block::iterator end, ValueRange leaves,
                                    SmallVectorImpl<Operation *> *path) {
  DenseSet<Value> active(leaves.begin(), leaves.end());
  for (Operation &op : llvm::make_range(block->begin(), end)) {
    if (llvm::none_of(getReads(&op), [&](Value value) { return active.contains(value); }))
      continue;
    bool isOnPath = false;
    for (Value result : op.getResults())
      if (isDifferentiable(result) && !llvm::is_contained(leaves, result)) {
        active.insert(result);
        isOnPath = true;
      }
    if (isOnPath && path)
      path->push_back(&op);
  }
  return active;
}

void Reverse::add(Value value, Value cotangent, Location loc) {
  Value &sum = cotangents[value];
  sum = sum ? GraphBuilder(b, loc, shapes).add(sum, cotangent) : cotangent;
}

Value Reverse::finish(Value value, Location loc) {
  GraphBuilder graph(b, loc, shapes);
  Value cotangent = lookup(value);
  if (!cotangent)
    cotangent = graph.expand(graph.scalarLike(value, 0), graph.shape(value));
  return cotangent.getType() == value.getType() ? cotangent
                                                : tensor::CastOp::create(b, loc, value.getType(), cotangent);
}

LogicalResult Reverse::run(Block *block, Block::iterator end, ValueRange leaves, Elsewhere elsewhere) {
  SmallVector<Operation *> path;
  active = findActive(block, end, leaves, &path);
  for (Operation *op : llvm::reverse(path)) {
    SmallVector<Value> ofResults = llvm::map_to_vector(
        op->getResults(), [&](Value value) { return llvm::is_contained(leaves, value) ? Value() : lookup(value); });
    if (llvm::none_of(ofResults, [](Value value) { return static_cast<bool>(value); }))
      continue;
    if (failed(visit(op, ofResults, elsewhere)))
      return failure();
  }
  return success();
}

LogicalResult Reverse::visit(Operation *op, ArrayRef<Value> ofResults, Elsewhere elsewhere) {
  if (auto cast = dyn_cast<tensor::CastOp>(op)) { // says nothing but what is known of sizes
    add(cast.getSource(), ofResults[0], op->getLoc());
    return success();
  }
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return visitBranch(branch, ofResults);
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op->emitOpError("has no derivative");
  SmallVector<bool> needed = llvm::map_to_vector(op->getOpOperands(), [&](OpOperand &operand) {
    return isDifferentiable(operand.get()) && active.contains(operand.get()) &&
           !(elsewhere && op->getNumResults() == 1 && elsewhere(operand, ofResults[0]));
  });
  GradientBuilder gradient(b, op, shapes, ofResults, needed);
  if (failed(differentiable.buildGradients(gradient)))
    return failure();
  for (auto [operand, cotangent] : llvm::zip(op->getOperands(), gradient.getGradients()))
    if (cotangent)
      add(operand, cotangent, op->getLoc());
  if (!gradient.getReplacements().empty())
    replace(op, gradient.getReplacements());
  return success();
}

// What is known of the old results is known of the new ones.
void Reverse::replace(Operation *op, ValueRange results) {
  for (auto [from, to] : llvm::zip(op->getResults(), results)) {
    if (auto it = shapes.find(from); it != shapes.end())
      shapes[to] = Shape(it->second);
    if (Value cotangent = lookup(from))
      cotangents[to] = cotangent;
    if (active.contains(from))
      active.insert(to);
    shapes.erase(from);
    cotangents.erase(from);
    active.erase(from);
    from.replaceAllUsesWith(to);
  }
  op->erase();
}

/// if (c) y = f(x) else y = g(x)  =>  if (c) dx = f'(x) dy else dx = g'(x) dy, each with its own f(x) or g(x)
LogicalResult Reverse::visitBranch(scf::IfOp op, ArrayRef<Value> ofResults) {
  SmallVector<Value> captured;
  for (Value value : getReads(op))
    if (isDifferentiable(value) && active.contains(value) && !llvm::is_contained(captured, value))
      captured.push_back(value);
  auto reversed = scf::IfOp::create(b, op.getLoc(), TypeRange(ValueRange(captured)), op.getCondition(),
                                    /*addThenBlock=*/true, /*addElseBlock=*/true);
  for (auto [from, to] : llvm::zip(op->getRegions(), reversed->getRegions())) {
    OpBuilder inner = OpBuilder::atBlockEnd(&to.front());
    IRMapping copies;
    for (Operation &each : from.front().without_terminator())
      inner.clone(each, copies);
    Reverse nested(inner, shapes);
    for (auto [yielded, cotangent] : llvm::zip(from.front().getTerminator()->getOperands(), ofResults))
      if (cotangent)
        nested.add(copies.lookupOrDefault(yielded), cotangent, op.getLoc());
    if (failed(nested.run(&to.front(), to.front().end(), captured)))
      return failure();
    SmallVector<Value> yields =
        llvm::map_to_vector(captured, [&](Value value) { return nested.finish(value, op.getLoc()); });
    scf::YieldOp::create(inner, op.getLoc(), yields);
  }
  for (auto [value, cotangent] : llvm::zip(captured, reversed.getResults())) {
    if (auto it = shapes.find(value); it != shapes.end())
      shapes[cotangent] = Shape(it->second);
    add(value, cotangent, op.getLoc());
  }
  return success();
}

} // namespace mlc::graph
