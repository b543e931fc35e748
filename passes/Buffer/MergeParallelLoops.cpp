//===- MergeParallelLoops.cpp - consecutive parallel loops in one region ------------------------------------------===//
//
// Runs when all parallel loops are there, on each block of an entry function. A region goes from a parallel loop to the
// last one that can be reached without an op that has to stay where it is. Buffers of the pool are taken and given back
// in the same order as without regions, so a run needs no more memory. Linear in the ops, times the steps of a group.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/BufferRoots.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERMERGEPARALLELLOOPSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// A buffer that a step uses.
struct Access final {
  Value root; // null where it is not known
  bool writes;
};

int64_t bytesOf(MemRefType type) {
  int64_t bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
  return type.getNumElements() * std::max<int64_t>(1, bits / 8);
}
int64_t bytesOf(mlc::rt::WorkspaceOp op) { return op.getBytes() ? *op.getBytes() : bytesOf(op.getType()); }
int64_t bytesOf(mlc::rt::StateOp op) { return bytesOf(cast<MemRefType>(op.getType())); }

/// Whether two buffers at offsets of one block of memory have bytes in common.
template <typename Op> bool haveCommonBytes(Op lhs, Op rhs) {
  auto end = [](Op op) { return static_cast<int64_t>(op.getOffset()) + bytesOf(op); };
  return static_cast<int64_t>(lhs.getOffset()) < end(rhs) && static_cast<int64_t>(rhs.getOffset()) < end(lhs);
}

/// Whether two places of the same memory overlap; nothing where they are not both such places.
template <typename Op> std::optional<bool> overlapAs(Value lhs, Value rhs) {
  auto lhsPlace = lhs.getDefiningOp<Op>(), rhsPlace = rhs.getDefiningOp<Op>();
  if (!lhsPlace || !rhsPlace)
    return std::nullopt;
  return haveCommonBytes(lhsPlace, rhsPlace);
}

/// Different buffers do not overlap, as far as they are not places of the arena or the state of a training program;
/// weights are only read.
bool mayOverlap(Value lhs, Value rhs) {
  if (!lhs || !rhs || lhs == rhs)
    return true;
  if (std::optional<bool> common = overlapAs<mlc::rt::WorkspaceOp>(lhs, rhs))
    return *common;
  if (std::optional<bool> common = overlapAs<mlc::rt::StateOp>(lhs, rhs))
    return *common;
  auto lhsOutput = lhs.getDefiningOp<mlc::rt::OutputOp>(), rhsOutput = rhs.getDefiningOp<mlc::rt::OutputOp>();
  return lhsOutput && rhsOutput && lhsOutput.getIndex() == rhsOutput.getIndex();
}

bool conflict(ArrayRef<Access> before, ArrayRef<Access> after) {
  return llvm::any_of(before, [&](const Access &first) {
    return llvm::any_of(after, [&](const Access &second) {
      return (first.writes || second.writes) && mayOverlap(first.root, second.root);
    });
  });
}

/// What may become one region: its steps with the marks behind them, and what is between.
struct Stretch final {
  SmallVector<Operation *> steps, before, behind;
};

struct MergeParallelLoops final : mlc::impl::BufferMergeParallelLoopsPassBase<MergeParallelLoops> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    for (auto function : module.getOps<func::FuncOp>())
      if (mlc::rt::isEntry(function))
        function.walk<WalkOrder::PreOrder>([&](Block *block) {
          if (!isa<mlc::rt::ParallelOp>(block->getParentOp()))
            merge(*block, symbols);
        });
  }

  void merge(Block &block, const SymbolTable &symbols) {
    SmallVector<Stretch> stretches;
    for (auto it = block.begin(); it != block.end();) {
      if (!isa<mlc::rt::ParallelForOp>(*it)) {
        ++it;
        continue;
      }
      auto [stretch, end] = stretchFrom(it, symbols);
      stretches.push_back(stretch);
      it = end;
    }
    for (Stretch &stretch : stretches)
      if (llvm::count_if(stretch.steps, llvm::IsaPred<mlc::rt::ParallelForOp>) > 1)
        build(stretch, symbols);
  }

  /// The longest stretch from the loop `begin` to another one, and the op behind it.
  static std::pair<Stretch, Block::iterator> stretchFrom(Block::iterator begin, const SymbolTable &symbols) {
    Stretch stretch;
    size_t steps = 0, before = 0, behind = 0; // up to the last loop
    Block::iterator end = begin;
    for (auto it = begin; it != begin->getBlock()->end(); ++it) {
      Operation *op = &*it;
      bool isMark = isa<mlc::rt::MarkOp>(op);
      if (isa<mlc::rt::ParallelForOp>(op) || isKernel(op, symbols) || (isMark && isStepBehind(stretch, op)))
        stretch.steps.push_back(op);
      else if (isPure(op) || isa<cf::AssertOp, mlc::rt::OutputOp>(op) ||
               (isa<mlc::rt::AllocOp>(op) && stretch.behind.empty()))
        stretch.before.push_back(op);
      else if (isa<mlc::rt::FreeOp>(op))
        stretch.behind.push_back(op);
      else
        break;
      if (isa<mlc::rt::ParallelForOp>(op) || (isMark && isa<mlc::rt::ParallelForOp>(op->getPrevNode()))) {
        steps = stretch.steps.size();
        before = stretch.before.size();
        behind = stretch.behind.size();
        end = std::next(it);
      }
    }
    stretch.steps.truncate(steps);
    stretch.before.truncate(before);
    stretch.behind.truncate(behind);
    return {stretch, end};
  }

  static bool isStepBehind(const Stretch &stretch, Operation *mark) {
    return stretch.steps.back() == mark->getPrevNode() && !isa<mlc::rt::MarkOp>(mark->getPrevNode());
  }

  /// Whether `op` calls a kernel.
  static bool isKernel(Operation *op, const SymbolTable &symbols) {
    auto call = dyn_cast<func::CallOp>(op);
    auto kernel = call ? symbols.lookup<func::FuncOp>(call.getCallee()) : nullptr;
    return kernel && kernel.isPrivate() && call.getNumResults() == 0;
  }

  void build(Stretch &stretch, const SymbolTable &symbols) {
    Operation *first = stretch.steps.front(), *last = stretch.steps.back();
    for (Operation *op : stretch.before)
      op->moveBefore(first);
    for (Operation *op : llvm::reverse(stretch.behind))
      op->moveAfter(last);
    OpBuilder b(first);
    SmallVector<Location> locations;
    for (Operation *op : stretch.steps)
      locations.push_back(op->getLoc());
    Value frame = first->getParentOfType<func::FuncOp>().getArgument(0);
    auto region = mlc::rt::ParallelOp::create(b, b.getFusedLoc(locations), frame);
    Block &body = region.getBody().emplaceBlock();
    b.setInsertionPointToEnd(&body);
    SmallVector<Access> group;
    for (Operation *op : stretch.steps) {
      SmallVector<Access> accesses = accessesOf(op, symbols);
      if (conflict(group, accesses)) {
        mlc::rt::BarrierOp::create(b, op->getLoc());
        group.clear();
        ++numBarriers;
      }
      op->moveBefore(&body, body.end());
      group.append(accesses);
    }
    ++numRegions;
  }

  /// The buffers that a step uses; none for a mark.
  static SmallVector<Access> accessesOf(Operation *op, const SymbolTable &symbols) {
    StringRef name;
    ValueRange captures;
    if (auto loop = dyn_cast<mlc::rt::ParallelForOp>(op)) {
      name = loop.getKernel();
      captures = loop.getCaptures();
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      name = call.getCallee();
      captures = call.getOperands();
    }
    SmallVector<Access> accesses;
    for (auto [i, capture] : llvm::enumerate(captures))
      if (!capture.getType().isIntOrIndexOrFloat()) {
        auto kernel = symbols.lookup<func::FuncOp>(name);
        bool writes = !kernel.getArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName());
        accesses.push_back({mlc::rootOf(capture), writes});
      }
    return accesses;
  }
};

} // namespace
