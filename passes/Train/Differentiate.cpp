//===- Differentiate.cpp - gradients become the ops that compute them --------------------------------------------===//
//
// Reverse mode. From the loss back through the ops of the block, each op's vector-Jacobian product makes cotangents of
// its operands of those of its results; what reaches a value from several uses is added up, last use first, so that
// sums have one order. Only what lies between a `wrt` value and the loss is visited. A branch is computed again where
// its cotangents are. Cost: linear in the ops of the block.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"
#include "dialects/Graph/ResolvedShapes.h"
#include "passes/Train/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINDIFFERENTIATEPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;
using mlc::train::GradientOp;

namespace {

bool isFloatTensor(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

/// The cotangents of the values of a block, from some of its values back to others.
class Reverse final {
public:
  Reverse(OpBuilder &builder, ResolvedShapes &shapes) : b(builder), shapes(shapes) {}

  /// Adds to what is known of a value's cotangent.
  void add(Value value, Value cotangent, Location loc) {
    Value &sum = cotangents[value];
    sum = sum ? GraphBuilder(b, loc, shapes).add(sum, cotangent) : cotangent;
  }
  Value lookup(Value value) const { return cotangents.lookup(value); }
  /// The cotangent of a value, in its own type; zeros where nothing reached it.
  Value finish(Value value, Location loc) {
    GraphBuilder graph(b, loc, shapes);
    Value cotangent = lookup(value);
    if (!cotangent)
      cotangent = graph.expand(graph.scalarLike(value, 0), graph.shape(value));
    return cotangent.getType() == value.getType() ? cotangent
                                                  : tensor::CastOp::create(b, loc, value.getType(), cotangent);
  }

  /// Walks back from `end` to the begin of its block, as far as ops depend on `leaves`.
  LogicalResult run(Block *block, Block::iterator end, ValueRange leaves) {
    DenseSet<Value> active(leaves.begin(), leaves.end());
    SmallVector<Operation *> path;
    for (Operation &op : llvm::make_range(block->begin(), end)) {
      bool depends = llvm::any_of(getReads(&op), [&](Value value) { return active.contains(value); });
      if (!depends)
        continue;
      bool isOnPath = false;
      for (Value result : op.getResults())
        if (isFloatTensor(result) && !llvm::is_contained(leaves, result)) {
          active.insert(result);
          isOnPath = true;
        }
      if (isOnPath)
        path.push_back(&op);
    }
    for (Operation *op : llvm::reverse(path)) {
      SmallVector<Value> ofResults = llvm::map_to_vector(
          op->getResults(), [&](Value value) { return llvm::is_contained(leaves, value) ? Value() : lookup(value); });
      if (llvm::none_of(ofResults, [](Value value) { return static_cast<bool>(value); }))
        continue;
      if (failed(visit(op, ofResults, active)))
        return failure();
    }
    return success();
  }

private:
  /// What an op reads, its regions included.
  static SmallVector<Value> getReads(Operation *op) {
    SmallVector<Value> reads(op->getOperands());
    for (Region &region : op->getRegions())
      region.walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (operand.getParentRegion()->isProperAncestor(&region))
            reads.push_back(operand);
      });
    return reads;
  }

  LogicalResult visit(Operation *op, ArrayRef<Value> ofResults, const DenseSet<Value> &active) {
    if (auto cast = dyn_cast<tensor::CastOp>(op)) { // says nothing but what is known of sizes
      add(cast.getSource(), ofResults[0], op->getLoc());
      return success();
    }
    if (auto branch = dyn_cast<scf::IfOp>(op))
      return visitBranch(branch, ofResults, active);
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no derivative");
    SmallVector<bool> needed = llvm::map_to_vector(
        op->getOperands(), [&](Value operand) { return isFloatTensor(operand) && active.contains(operand); });
    GradientBuilder gradient(b, op, shapes, ofResults, needed);
    if (failed(differentiable.buildGradients(gradient)))
      return failure();
    for (auto [operand, cotangent] : llvm::zip(op->getOperands(), gradient.getGradients()))
      if (cotangent)
        add(operand, cotangent, op->getLoc());
    return success();
  }

  /// if (c) y = f(x) else y = g(x)  =>  if (c) dx = f'(x) dy else dx = g'(x) dy, each with its own f(x) or g(x)
  LogicalResult visitBranch(scf::IfOp op, ArrayRef<Value> ofResults, const DenseSet<Value> &active) {
    SmallVector<Value> captured;
    for (Value value : getReads(op))
      if (isFloatTensor(value) && active.contains(value) && !llvm::is_contained(captured, value))
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

  OpBuilder &b;
  ResolvedShapes &shapes;
  DenseMap<Value, Value> cotangents;
};

struct Differentiate final : mlc::impl::TrainDifferentiatePassBase<Differentiate> {
  void runOnOperation() override {
    SmallVector<GradientOp> ops;
    getOperation().walk([&](GradientOp op) { ops.push_back(op); });
    if (ops.empty())
      return markAllAnalysesPreserved();
    ResolvedShapes shapes = resolveShapes(getOperation());
    for (GradientOp op : ops) {
      if (failed(expand(op, shapes)))
        return signalPassFailure();
      ++numExpanded;
    }
  }

  static LogicalResult expand(GradientOp op, ResolvedShapes &shapes) {
    OpBuilder b(op);
    Reverse reverse(b, shapes);
    GraphBuilder graph(b, op.getLoc(), shapes);
    reverse.add(op.getLoss(), graph.scalarLike(op.getLoss(), 1), op.getLoc());
    if (failed(reverse.run(op->getBlock(), op->getIterator(), op.getWrt())))
      return failure();
    for (auto [wrt, result] : llvm::zip(op.getWrt(), op.getGradients()))
      result.replaceAllUsesWith(reverse.finish(wrt, op.getLoc()));
    op.erase();
    return success();
  }
};

} // namespace
