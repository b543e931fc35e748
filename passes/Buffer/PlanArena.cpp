//===- PlanArena.cpp - all buffers of static size in one arena ----------------------------------------------------===//
//
// Liveness in positions of the function's top block: a buffer that is allocated or used inside of a loop lives as long
// as the whole loop. Greedy by size: sorted by decreasing size, each buffer takes the lowest gap among those already
// placed that live at the same time. O(n²) in the number of buffers.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Analysis/AliasAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERPLANARENAPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

constexpr int64_t kAlignment = 64;

/// A buffer with the positions of its first and last use in the top block.
struct LiveBuffer final {
  memref::AllocOp alloc;
  int64_t bytes, first, last, offset = 0;
};

struct PlanArena final : mlc::impl::BufferPlanArenaPassBase<PlanArena> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || function.getNumArguments() != 1 ||
        !isa<mlc::rt::FrameType>(function.getArgument(0).getType()))
      return;
    Block &top = function.getBody().front();
    DenseMap<Operation *, int64_t> position;
    for (auto [i, op] : llvm::enumerate(top))
      position[&op] = i;
    BufferViewFlowAnalysis views(function);
    SmallVector<LiveBuffer> fixed;
    SmallVector<memref::AllocOp> dynamic;
    function.walk([&](memref::AllocOp alloc) {
      if (!alloc.getType().hasStaticShape()) {
        dynamic.push_back(alloc);
        return;
      }
      LiveBuffer buffer{alloc, bytesOf(alloc.getType()), 0, 0};
      buffer.first = buffer.last = position[top.findAncestorOpInBlock(*alloc)];
      for (Value view : views.resolve(alloc.getResult()))
        for (Operation *user : view.getUsers())
          buffer.last = std::max(buffer.last, position[top.findAncestorOpInBlock(*user)]);
      fixed.push_back(buffer);
    });
    int64_t arena = place(fixed);
    function->setAttr("rt.arena_bytes", Builder(&getContext()).getI64IntegerAttr(arena));
    Value frame = function.getArgument(0);
    for (LiveBuffer &buffer : fixed) {
      OpBuilder b(buffer.alloc);
      auto workspace =
          mlc::rt::WorkspaceOp::create(b, buffer.alloc.getLoc(), buffer.alloc.getType(), frame, buffer.offset);
      buffer.alloc.replaceAllUsesWith(workspace.getResult());
      buffer.alloc.erase();
    }
    for (memref::AllocOp alloc : dynamic)
      takeFromPool(alloc, frame, views);
    numPlanned += fixed.size();
    numDynamic += dynamic.size();
  }

  static int64_t bytesOf(MemRefType type) {
    int64_t bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
    return llvm::alignTo(type.getNumElements() * std::max<int64_t>(1, bits / 8), kAlignment);
  }

  /// Gives every buffer its offset; returns the size of the arena.
  static int64_t place(SmallVectorImpl<LiveBuffer> &buffers) {
    SmallVector<LiveBuffer *> order;
    for (LiveBuffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(order, [](LiveBuffer *lhs, LiveBuffer *rhs) { return lhs->bytes > rhs->bytes; });
    SmallVector<LiveBuffer *> placed; // by offset
    int64_t arena = 0;
    for (LiveBuffer *buffer : order) {
      int64_t offset = 0;
      for (LiveBuffer *other : placed) {
        if (other->last < buffer->first || buffer->last < other->first)
          continue;
        if (offset + buffer->bytes <= other->offset)
          break;
        offset = std::max(offset, other->offset + other->bytes);
      }
      buffer->offset = offset;
      arena = std::max(arena, offset + buffer->bytes);
      placed.insert(
          llvm::upper_bound(placed, buffer, [](LiveBuffer *lhs, LiveBuffer *rhs) { return lhs->offset < rhs->offset; }),
          buffer);
    }
    return arena;
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
