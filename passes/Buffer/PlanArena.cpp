//===- PlanArena.cpp - all buffers of known size in one arena -----------------------------------------------------===//
//
// Buffers begin at their first use, and lie where ArenaPlan.h says. With a `batch`, sizes are known that grow with the
// number of samples: the arena is large enough for that many, and a run with more of them fails before it computes
// anything.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/ArenaPlan.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Analysis/AliasAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERPLANARENAPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct PlanArena final : mlc::impl::BufferPlanArenaPassBase<PlanArena> {
  using PassBase = mlc::impl::BufferPlanArenaPassBase<PlanArena>;
  using PassBase::PassBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || function.getNumArguments() != 1 ||
        !isa<mlc::rt::FrameType>(function.getArgument(0).getType()))
      return;
    mlc::sinkAllocations(function);
    BufferViewFlowAnalysis views(function);
    mlc::ArenaPlan plan(function, views, mlc::BatchSizes(batch));
    function->setAttr("rt.arena_bytes", Builder(&getContext()).getI64IntegerAttr(plan.bytes));
    Value frame = function.getArgument(0);
    bool dependsOnBatch = false;
    for (mlc::LiveBuffer &buffer : plan.buffers) {
      OpBuilder b(buffer.alloc);
      bool isStatic = buffer.alloc.getType().hasStaticShape();
      dependsOnBatch |= !isStatic;
      auto workspace = mlc::rt::WorkspaceOp::create(b, buffer.alloc.getLoc(), buffer.alloc.getType(), frame,
                                                    buffer.alloc.getDynamicSizes(), buffer.offset,
                                                    isStatic ? nullptr : b.getI64IntegerAttr(buffer.bytes));
      buffer.alloc.replaceAllUsesWith(workspace.getResult());
      buffer.alloc.erase();
    }
    if (dependsOnBatch)
      checkBatch(function);
    for (memref::AllocOp alloc : plan.unplaced)
      takeFromPool(alloc, frame, views);
    numPlanned += plan.buffers.size();
    numDynamic += plan.unplaced.size();
  }

  /// Ends a run that has more samples than the arena is for.
  void checkBatch(func::FuncOp function) {
    for (auto size : function.getBody().front().getOps<mlc::rt::InputSizeOp>()) {
      if (size.getAxis() != 0)
        continue;
      OpBuilder b(&getContext());
      b.setInsertionPointAfter(size);
      Value most = arith::ConstantIndexOp::create(b, size.getLoc(), batch);
      Value fits = arith::CmpIOp::create(b, size.getLoc(), arith::CmpIPredicate::ule, size, most);
      cf::AssertOp::create(b, size.getLoc(), fits,
                           "expected at most " + std::to_string(batch) +
                               " samples a step, which the program's memory is planned for (--train-memory)");
    }
  }

  /// A buffer that never leaves its block goes back after its last use there; any other when the run ends.
  static void takeFromPool(memref::AllocOp alloc, Value frame, BufferViewFlowAnalysis &views) {
    Block *block = alloc->getBlock();
    Operation *last = alloc;
    bool leaves = false;
    for (Value view : views.resolve(alloc.getResult())) {
      for (Operation *user : view.getUsers()) {
        Operation *ancestor = block->findAncestorOpInBlock(*user);
        if (!ancestor || ancestor->hasTrait<OpTrait::IsTerminator>())
          leaves = true;
        else if (last->isBeforeInBlock(ancestor))
          last = ancestor;
      }
      // A view that is born outside of the block is carried by a loop around it.
      Operation *owner = view.getDefiningOp() ? view.getDefiningOp() : view.getParentBlock()->getParentOp();
      leaves |= !block->findAncestorOpInBlock(*owner);
    }
    OpBuilder b(alloc);
    auto buffer = mlc::rt::AllocOp::create(b, alloc.getLoc(), alloc.getType(), frame, alloc.getDynamicSizes());
    if (!leaves) {
      b.setInsertionPointAfter(last == alloc.getOperation() ? buffer.getOperation() : last);
      mlc::rt::FreeOp::create(b, alloc.getLoc(), frame, buffer);
    }
    alloc.replaceAllUsesWith(buffer.getResult());
    alloc.erase();
  }
};

} // namespace
