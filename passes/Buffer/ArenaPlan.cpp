//===- ArenaPlan.cpp - when buffers live, and where they lie in the arena -----------------------------------------===//
//
// Liveness in positions of the function's top block: a buffer that is allocated or used inside of a loop lives as long
// as the whole loop. Greedy by size: sorted by decreasing size, each buffer takes the lowest gap among those already
// placed that live at the same time. O(n²) in the number of buffers.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/ArenaPlan.h"

#include "dialects/Rt/RtDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace mlc {

namespace {

constexpr int64_t kAlignment = 64;

/// Gives every buffer its offset; returns the size of the arena.
int64_t place(SmallVectorImpl<LiveBuffer> &buffers) {
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

} // namespace

std::optional<int64_t> BatchSizes::largest(Value value) const {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  if (auto size = value.getDefiningOp<rt::InputSizeOp>())
    return batch > 0 && size.getAxis() == 0 ? std::optional(batch) : std::nullopt;
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() == 0 || op->getNumOperands() > 2)
    return std::nullopt;
  std::optional<int64_t> lhs = largest(op->getOperand(0));
  if (lhs && isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp, arith::ExtUIOp>(op))
    return lhs;
  std::optional<int64_t> rhs = op->getNumOperands() == 2 ? largest(op->getOperand(1)) : std::nullopt;
  // What is negative, as what a subtraction may give, need not grow by a product.
  if (!lhs || !rhs || *lhs < 0 || *rhs < 0)
    return std::nullopt;
  int64_t result;
  if (isa<arith::AddIOp>(op))
    return llvm::AddOverflow(*lhs, *rhs, result) ? std::nullopt : std::optional(result);
  if (isa<arith::MulIOp>(op))
    return llvm::MulOverflow(*lhs, *rhs, result) ? std::nullopt : std::optional(result);
  if (isa<arith::MaxSIOp>(op))
    return std::max(*lhs, *rhs);
  if (isa<arith::MinSIOp>(op))
    return std::min(*lhs, *rhs);
  bool byConstant = matchPattern(op->getOperand(1), m_ConstantInt(&constant)) && *rhs > 0;
  if (byConstant && isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>(op))
    return *lhs / *rhs;
  if (byConstant && isa<arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return llvm::divideCeil(*lhs, *rhs);
  return std::nullopt;
}

std::optional<int64_t> BatchSizes::bytesOf(memref::AllocOp alloc) const {
  MemRefType type = alloc.getType();
  int64_t bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
  int64_t bytes = std::max<int64_t>(1, bits / 8);
  for (int64_t size : type.getShape())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  for (Value size : alloc.getDynamicSizes()) {
    std::optional<int64_t> known = largest(size);
    if (!known || *known < 0 || llvm::MulOverflow(bytes, *known, bytes))
      return std::nullopt;
  }
  return llvm::alignTo(bytes, kAlignment);
}

int64_t BatchSizes::sizeOf(Value buffer, unsigned axis) const {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(axis))
    return type.getDimSize(axis);
  auto known = [&](ValueRange dynamic) {
    unsigned at = llvm::count_if(type.getShape().take_front(axis), ShapedType::isDynamic);
    return at < dynamic.size() ? largest(dynamic[at]).value_or(ShapedType::kDynamic) : ShapedType::kDynamic;
  };
  Operation *op = buffer.getDefiningOp();
  if (auto alloc = dyn_cast_if_present<memref::AllocOp>(op))
    return known(alloc.getDynamicSizes());
  if (auto input = dyn_cast_if_present<rt::InputOp>(op))
    return known(input.getSizes());
  if (auto output = dyn_cast_if_present<rt::OutputOp>(op))
    return known(output.getSizes());
  if (auto view = dyn_cast_if_present<memref::SubViewOp>(op))
    return view.getType().getRank() == view.getSourceType().getRank() ? known(view.getSizes()) : ShapedType::kDynamic;
  if (auto view = dyn_cast_if_present<memref::ExpandShapeOp>(op))
    return known(view.getOutputShape());
  if (auto view = dyn_cast_if_present<memref::CollapseShapeOp>(op)) {
    int64_t product = 1;
    ReassociationIndices joined = view.getReassociationIndices()[axis];
    for (int64_t from : joined) {
      int64_t size = sizeOf(view.getSrc(), from);
      if (ShapedType::isDynamic(size))
        return size;
      product *= size;
    }
    return product;
  }
  if (auto view = dyn_cast_if_present<memref::CastOp>(op))
    return isa<MemRefType>(view.getSource().getType()) ? sizeOf(view.getSource(), axis) : ShapedType::kDynamic;
  return ShapedType::kDynamic;
}

ArenaPlan::ArenaPlan(func::FuncOp function, const BufferViewFlowAnalysis &views, const BatchSizes &sizes) {
  Block &top = function.getBody().front();
  DenseMap<Operation *, int64_t> position;
  for (auto [i, op] : llvm::enumerate(top))
    position[&op] = i;
  function.walk([&](memref::AllocOp alloc) {
    std::optional<int64_t> known = sizes.bytesOf(alloc);
    if (!known) {
      unplaced.push_back(alloc);
      return;
    }
    LiveBuffer buffer{alloc, *known, 0, 0};
    buffer.first = buffer.last = position[top.findAncestorOpInBlock(*alloc)];
    for (Value view : views.resolve(alloc.getResult()))
      for (Operation *user : view.getUsers())
        buffer.last = std::max(buffer.last, position[top.findAncestorOpInBlock(*user)]);
    buffers.push_back(buffer);
  });
  bytes = place(buffers);
}

void sinkAllocations(func::FuncOp function) {
  SmallVector<memref::AllocOp> allocs;
  function.walk([&](memref::AllocOp alloc) { allocs.push_back(alloc); });
  for (memref::AllocOp alloc : allocs) {
    // Views have no cost of their own; they go along, so that the buffer begins where something is done with it.
    SmallVector<Operation *> moved{alloc};
    Operation *first = nullptr;
    for (size_t i = 0; i < moved.size(); ++i)
      for (Operation *user : moved[i]->getUsers()) {
        Operation *ancestor = alloc->getBlock()->findAncestorOpInBlock(*user);
        if (ancestor == user && isa<ViewLikeOpInterface>(user))
          moved.push_back(user);
        else if (!first || ancestor->isBeforeInBlock(first))
          first = ancestor;
      }
    llvm::SmallPtrSet<Operation *, 8> seen;
    for (Operation *op : moved)
      if (first && seen.insert(op).second && op->isBeforeInBlock(first))
        op->moveBefore(first);
  }
}

} // namespace mlc
