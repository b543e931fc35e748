//===- Rematerialize.cpp - values computed again instead of kept --------------------------------------------------===//
//
// What the forward part of a training step computes mostly lives until the backward part needs it. While the arena is
// larger than the budget, a buffer that lives over the peak without being used there is given up: it ends at its last
// use before the peak, and the kernels that computed it run again in front of the next one, into a buffer of their own.
// Of all buffers whose loss lowers the peak, the one is taken that costs the least for a byte.
//
// Kernels are the same ops on the same operands, so results are the same bits; random numbers too, which come from
// counters. Nothing is computed again whose operands have changed since: no state that is updated, nothing that was
// written twice. Precondition: memory, but no arena yet; every later pass sees kernels with effects, which nobody
// merges again. O(n²) in the number of buffers for each buffer that is given up.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "passes/Buffer/ArenaPlan.h"
#include "passes/Buffer/BufferRoots.h"
#include "passes/Buffer/NodeWork.h"
#include "passes/Buffer/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERREMATERIALIZEPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

/// How an op of the top block uses a buffer.
struct Access final {
  Value root;
  bool reads = false, writes = false;
};

/// What the top block does with one buffer.
struct Uses final {
  SmallVector<int64_t> all, writes; // positions, ascending
};

/// A buffer that is given up after `keptUntil`, and what it costs to have it again before `neededAt`.
struct Choice final {
  LiveBuffer *buffer = nullptr;
  llvm::SmallSetVector<int64_t, 4> producers; // positions of ops
  SmallVector<memref::AllocOp> besides;       // what the producers write, too
  int64_t neededAt = 0, saved = 0;
  NodeWork work;

  bool isNew(memref::AllocOp alloc) const { return alloc == buffer->alloc || llvm::is_contained(besides, alloc); }
  /// In bytes of traffic: arithmetic is about eight operations a byte on the processors that there are.
  double costPerByte() const {
    return (static_cast<double>(work.bytes) + static_cast<double>(work.flops) / 8) / static_cast<double>(saved);
  }
};

/// Buffers that have to live longer than they do, with their last uses so far.
using LongerLives = llvm::SmallMapVector<LiveBuffer *, int64_t, 4>;

/// The state of one function between two choices.
class Analysis final {
public:
  Analysis(func::FuncOp function, const BatchSizes &sizes)
      : top(function.getBody().front()), sizes(sizes), views(function), plan(function, views, sizes) {
    for (Operation &op : top) {
      position[&op] = static_cast<int64_t>(order.size());
      order.push_back(&op);
      accesses.push_back(accessesOf(&op));
    }
    for (auto [at, list] : llvm::enumerate(accesses))
      for (const Access &access : list) {
        Uses &uses = usesOf[keyOf(access.root)];
        if (uses.all.empty() || uses.all.back() != static_cast<int64_t>(at))
          uses.all.push_back(at);
        if (access.writes)
          uses.writes.push_back(at);
      }
    live.assign(order.size(), 0);
    for (LiveBuffer &buffer : plan.buffers) {
      buffers[buffer.alloc] = &buffer;
      for (int64_t i = buffer.first; i <= buffer.last; ++i)
        live[i] += buffer.bytes;
    }
    entering = live;
    for (LiveBuffer &buffer : plan.buffers)
      if (auto uses = usesOf.find(keyOf(buffer.alloc.getResult())); uses != usesOf.end())
        entering[uses->second.all.front()] -= buffer.bytes;
  }

  int64_t arena() const { return plan.bytes; }
  ArrayRef<memref::AllocOp> unplaced() const { return plan.unplaced; }

  /// The buffer whose loss lowers the peak at the least cost.
  std::optional<Choice> choose() {
    // At an allocation there is no more than at the op behind it, in front of which it moves.
    int64_t at = -1;
    for (auto [i, op] : llvm::enumerate(order))
      if (!isa<memref::AllocOp, ViewLikeOpInterface>(op) && (at < 0 || live[i] > live[at]))
        at = static_cast<int64_t>(i);
    std::optional<Choice> best;
    for (LiveBuffer &buffer : plan.buffers)
      if (std::optional<Choice> choice = consider(buffer, at))
        if (!best || choice->costPerByte() < best->costPerByte())
          best = std::move(choice);
    return best;
  }

  /// Computes the buffer again in front of its next use.
  void apply(const Choice &choice) {
    Operation *next = order[choice.neededAt];
    OpBuilder b(next);
    IRMapping mapping;
    mapping.map(choice.buffer->alloc.getResult(), b.clone(*choice.buffer->alloc)->getResult(0));
    for (memref::AllocOp alloc : choice.besides)
      mapping.map(alloc.getResult(), b.clone(*alloc)->getResult(0));
    for (Operation *producer : producersOf(choice)) {
      producer->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          viewAgain(operand, mapping, b);
      });
      b.clone(*producer, mapping);
    }
    SmallVector<OpOperand *> later;
    for (Value view : views.resolve(choice.buffer->alloc.getResult()))
      if (Operation *owner = view.getDefiningOp(); positionOf(owner) < choice.neededAt)
        for (OpOperand &use : view.getUses())
          if (auto known = position.find(top.findAncestorOpInBlock(*use.getOwner()));
              known != position.end() && known->second >= choice.neededAt)
            later.push_back(&use);
    for (OpOperand *use : later) {
      viewAgain(use->get(), mapping, b);
      use->set(mapping.lookup(use->get()));
    }
    // A view that nobody reads would still count as a use.
    for (Operation *op : llvm::reverse(order))
      if (op->use_empty() && isa<ViewLikeOpInterface>(op))
        op->erase();
  }

  /// The ops that run again, in order.
  SmallVector<Operation *> producersOf(const Choice &choice) const {
    SmallVector<int64_t> sorted(choice.producers.begin(), choice.producers.end());
    llvm::sort(sorted);
    return llvm::map_to_vector(sorted, [&](int64_t at) { return order[at]; });
  }

private:
  int64_t positionOf(Operation *op) const { return position.lookup(top.findAncestorOpInBlock(*op)); }

  /// All places that are one state count as one buffer.
  static const void *keyOf(Value root) {
    if (auto state = root.getDefiningOp<rt::StateOp>())
      return state.getStateAttr().getAsOpaquePointer();
    return root.getAsOpaquePointer();
  }

  /// What an op and all in it does to buffers from outside.
  SmallVector<Access> accessesOf(Operation *whole) {
    SmallVector<Access> result;
    if (isa<memref::AllocOp, ViewLikeOpInterface>(whole))
      return result;
    whole->walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands()) {
        if (!isa<BaseMemRefType>(operand.get().getType()))
          continue;
        Value root = rootOf(operand.get());
        if (!root) {
          unknown.insert(whole);
          continue;
        }
        Access access{root};
        auto effects = dyn_cast<MemoryEffectOpInterface>(op);
        bool isView = isa<ViewLikeOpInterface>(op); // inside of a loop: its uses are seen themselves
        if (effects && !isView) {
          access.reads = effects.getEffectOnValue<MemoryEffects::Read>(operand.get()).has_value();
          access.writes = effects.getEffectOnValue<MemoryEffects::Write>(operand.get()).has_value();
        } else if (!isView) {
          access.reads = access.writes = true;
        }
        if (!effects && !isView) // what it carries on or gives away is not followed
          carried.insert(root);
        auto known = llvm::find_if(result, [&](const Access &other) { return keyOf(other.root) == keyOf(root); });
        if (known == result.end()) {
          result.push_back(access);
        } else {
          known->reads |= access.reads;
          known->writes |= access.writes;
        }
      }
    });
    return result;
  }

  /// Whether a buffer is used by nothing but ops on it and on views of it, whose shapes are no memory of their own.
  bool isSimple(memref::AllocOp alloc) {
    return alloc->getBlock() == &top && buffers.contains(alloc) && !carried.contains(alloc.getResult()) &&
           llvm::all_of(views.resolve(alloc.getResult()), [&](Value view) {
             return rootOf(view) == alloc.getResult() && !view.getDefiningOp<memref::ReshapeOp>();
           });
  }

  /// Whether what is read from `root` at position `from` is still there at `to`.
  bool isUnchanged(Value root, int64_t from, int64_t to) {
    if (isa_and_present<rt::InputOp, rt::WeightOp, memref::GetGlobalOp>(root.getDefiningOp()))
      return true;
    auto alloc = root.getDefiningOp<memref::AllocOp>();
    if (alloc ? !isSimple(alloc) : !root.getDefiningOp<rt::StateOp>())
      return false;
    // A buffer that nobody can follow may be a state.
    if (!alloc && llvm::any_of(unknown, [&](Operation *op) { return position[op] > from && position[op] < to; }))
      return false;
    return llvm::none_of(usesOf[keyOf(root)].writes, [&](int64_t at) { return at > from && at < to; });
  }

  std::optional<Choice> consider(LiveBuffer &buffer, int64_t at) {
    constexpr int64_t kWorthwhile = 4096; // a page; a kernel has to be called for it
    if (buffer.first >= at || buffer.last <= at || buffer.bytes < kWorthwhile || !isSimple(buffer.alloc))
      return std::nullopt;
    const Uses &uses = usesOf[keyOf(buffer.alloc.getResult())];
    auto next = llvm::lower_bound(uses.all, at);
    if (next == uses.all.end() || *next == at || next == uses.all.begin() || uses.writes.empty())
      return std::nullopt;
    int64_t before = *std::prev(next);
    if (uses.writes.back() > before)
      return std::nullopt;
    Choice choice{&buffer, {}, {}, *next, buffer.bytes, {}};
    LongerLives longer;
    if (!collect(choice, buffer.alloc, longer) || !isComplete(choice))
      return std::nullopt;
    longer.remove_if([&](const auto &entry) { return choice.isNew(entry.first->alloc); });
    int64_t limit = live[at];
    int64_t more = 0;
    for (memref::AllocOp alloc : choice.besides)
      more += buffers[alloc]->bytes;
    for (auto [other, last] : longer) {
      more += other->bytes;
      if (last < at)
        choice.saved -= other->bytes;
    }
    // Below the peak everywhere: so there are fewer ops at the peak after each choice, and an end.
    if (choice.saved <= 0 || entering[choice.neededAt] + more >= limit)
      return std::nullopt;
    for (auto [other, last] : longer)
      for (int64_t i = last + 1; i < choice.neededAt; ++i) {
        int64_t bytes = live[i] - (i > before ? buffer.bytes : 0);
        for (auto [each, lastOfEach] : longer)
          bytes += i > lastOfEach ? each->bytes : 0;
        if (bytes >= limit)
          return std::nullopt;
      }
    return choice;
  }

  /// Adds the ops that computed a buffer, if they can run again in front of where it is needed. What they read and is
  /// not there any more lives longer where it is small, otherwise it is computed again as well.
  bool collect(Choice &choice, memref::AllocOp alloc, LongerLives &longer, unsigned depth = 0) {
    for (int64_t at : usesOf[keyOf(alloc.getResult())].writes) {
      Operation *op = order[at];
      if (unknown.contains(op) || op->getNumResults())
        return false;
      if (!choice.producers.insert(at))
        continue;
      if (isa<memref::StoreOp>(op)) {
        choice.work.bytes += 1;
      } else if (std::optional<NodeWork> work = workKnown(op)) {
        choice.work.flops += work->flops;
        choice.work.bytes += work->bytes;
      } else {
        return false;
      }
      for (const Access &access : accesses[at]) {
        auto other = access.root.getDefiningOp<memref::AllocOp>();
        if (other && choice.isNew(other))
          continue;
        if (access.writes) {
          if (!other || !isSimple(other))
            return false;
          choice.besides.push_back(other);
          continue;
        }
        if (!isUnchanged(access.root, at, choice.neededAt))
          return false;
        if (!other || buffers[other]->last >= choice.neededAt)
          continue;
        constexpr int64_t kSmall = 16;
        constexpr unsigned kDeepest = 6;
        Choice again = choice;
        LongerLives longerAgain = longer;
        again.besides.push_back(other);
        if (depth < kDeepest && buffers[other]->bytes * kSmall > choice.buffer->bytes &&
            collect(again, other, longerAgain, depth + 1)) {
          choice = std::move(again);
          longer = std::move(longerAgain);
        } else {
          longer[buffers[other]] = buffers[other]->last;
        }
      }
    }
    return true;
  }

  /// Whether what the producers read of new buffers is written by them, all of it.
  bool isComplete(const Choice &choice) {
    for (int64_t at : choice.producers)
      for (const Access &access : accesses[at]) {
        auto alloc = access.root.getDefiningOp<memref::AllocOp>();
        if (alloc && access.reads && choice.isNew(alloc) &&
            !llvm::all_of(usesOf[keyOf(access.root)].writes,
                          [&](int64_t write) { return choice.producers.contains(write); }))
          return false;
      }
    return true;
  }

  /// Nothing for what is no kernel.
  std::optional<NodeWork> workKnown(Operation *op) {
    std::optional<NodeWork> work = workOf(op, [&](Value buffer, unsigned axis) { return sizes.sizeOf(buffer, axis); });
    if (work && work->bytes == 0) // of sizes that are not known: as much as it holds
      for (const Access &access : accesses[position[op]])
        if (auto alloc = access.root.getDefiningOp<memref::AllocOp>(); alloc && buffers.contains(alloc))
          work->bytes += buffers[alloc]->bytes;
    return work;
  }

  /// Maps a view of a mapped buffer to the same view of the new one.
  static void viewAgain(Value value, IRMapping &mapping, OpBuilder &b) {
    Operation *op = value.getDefiningOp();
    bool isOfTop = op && isa<func::FuncOp>(op->getParentOp());
    if (mapping.contains(value) || !isOfTop || !isa<BaseMemRefType>(value.getType()))
      return;
    Value root = rootOf(value);
    if (!root || root == value || !mapping.contains(root))
      return;
    for (Value operand : op->getOperands())
      viewAgain(operand, mapping, b);
    b.clone(*op, mapping);
  }

  Block &top;
  const BatchSizes &sizes;
  BufferViewFlowAnalysis views;
  ArenaPlan plan;
  SmallVector<Operation *> order;
  DenseMap<Operation *, int64_t> position;
  SmallVector<SmallVector<Access>> accesses;
  DenseMap<const void *, Uses> usesOf;
  DenseMap<Operation *, LiveBuffer *> buffers;
  llvm::SmallPtrSet<Operation *, 4> unknown;
  DenseSet<Value> carried;
  SmallVector<int64_t> live;
  /// What is live in front of an op that is live at it, too.
  SmallVector<int64_t> entering;
};

struct Rematerialize final : mlc::impl::BufferRematerializePassBase<Rematerialize> {
  using PassBase = mlc::impl::BufferRematerializePassBase<Rematerialize>;
  using PassBase::PassBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (rt::isEntry(function) && failed(fit(function)))
        return signalPassFailure();
  }

  LogicalResult fit(func::FuncOp function) {
    DenseMap<train::Role, int64_t> bytesOf;
    int64_t states = 0;
    for (train::PlacedState placed : train::placeStates(getOperation())) {
      bytesOf[placed.state.getRole()] += placed.bytes;
      states += placed.bytes;
    }
    sinkAllocations(function);
    BatchSizes sizes(batch);
    auto analysis = std::make_unique<Analysis>(function, sizes);
    for (memref::AllocOp alloc : analysis->unplaced())
      return alloc.emitError("cannot plan memory because a size of '")
             << nodeNameOf(alloc.getLoc(), "a value")
             << "' is known only in a run; fix all sizes but the batch by --dim";
    int64_t limit = static_cast<int64_t>(budget) - states, before = analysis->arena(), least = before;
    Builder b(&getContext());
    SmallVector<Attribute> again;
    while (analysis->arena() > limit) {
      std::optional<Choice> choice = analysis->choose();
      if (!choice)
        break;
      again.push_back(describe(b, *choice, analysis->producersOf(*choice)));
      analysis->apply(*choice);
      ++numRecomputed;
      sinkAllocations(function);
      analysis = std::make_unique<Analysis>(function, sizes);
      least = std::min(least, analysis->arena());
    }
    if (analysis->arena() > limit) {
      auto mebibytes = [](int64_t bytes) {
        return llvm::formatv("{0:f1} MiB", static_cast<double>(bytes) / (1 << 20)).str();
      };
      return function.emitError("cannot train in ")
             << mebibytes(budget) << " because the least is " << mebibytes(states + least) << ": "
             << mebibytes(bytesOf[train::Role::parameter] + bytesOf[train::Role::statistic] +
                          bytesOf[train::Role::frozen])
             << " of weights, " << mebibytes(bytesOf[train::Role::optimizer] + bytesOf[train::Role::average])
             << " of the optimizer, " << mebibytes(bytesOf[train::Role::gradient]) << " of sums of gradients, and "
             << mebibytes(least) << " of values within a step, of " << mebibytes(before) << " with all of them kept";
    }
    auto number = [&](StringRef name, int64_t value) { return b.getNamedAttr(name, b.getI64IntegerAttr(value)); };
    function->setAttr("rt.memory", b.getDictionaryAttr({number("arena", analysis->arena()), number("before", before),
                                                        number("budget", budget), number("states", states),
                                                        b.getNamedAttr("recomputed", b.getArrayAttr(again))}));
    return success();
  }

  DictionaryAttr describe(Builder &b, const Choice &choice, ArrayRef<Operation *> producers) {
    llvm::SmallSetVector<StringRef, 4> kinds;
    for (Operation *producer : producers)
      if (std::optional<NodeWork> work = workOf(producer))
        kinds.insert(work->kind);
    memref::AllocOp alloc = choice.buffer->alloc;
    return b.getDictionaryAttr(
        {b.getNamedAttr("bytes", b.getI64IntegerAttr(choice.buffer->bytes)),
         b.getNamedAttr("by", b.getStringAttr(llvm::join(kinds, "+"))),
         b.getNamedAttr("flops", b.getI64IntegerAttr(choice.work.flops)),
         b.getNamedAttr("name", b.getStringAttr(nodeNameOf(producers.back()->getLoc(), "a value"))),
         b.getNamedAttr("type", TypeAttr::get(alloc.getType()))});
  }
};

} // namespace
