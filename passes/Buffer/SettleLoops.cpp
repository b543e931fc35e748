//===- SettleLoops.cpp - what a loop carries has one place
//-----------------------------------------------------------===//
//
// Bufferization lets a loop yield a buffer that it allocates in every step, where the one that it carries is still
// read. The next step then writes what it reads: an allocation has one place, in the arena or in the pool, whatever the
// step. Such a loop gets a buffer of its own for what it carries, and every step ends with a copy into it.
//
// Precondition: the canonicalizer has run, so that a buffer which stays is not carried any more.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERSETTLELOOPSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct SettleLoops final : mlc::impl::BufferSettleLoopsPassBase<SettleLoops> {
  void runOnOperation() override {
    getOperation().walk([&](scf::ForOp loop) { settle(loop); });
  }

  void settle(scf::ForOp loop) {
    Operation *yield = loop.getBody()->getTerminator();
    SmallVector<std::pair<unsigned, Value>> places;
    for (auto [i, carried] : llvm::enumerate(loop.getRegionIterArgs()))
      if (isa<MemRefType>(carried.getType()) && yield->getOperand(i) != carried)
        places.emplace_back(i, makePlace(loop, i));
    // First all new values apart from what the loop carries, then all copies: one may be the old value of another.
    OpBuilder b(yield);
    SmallVector<Value> values;
    for (auto [i, place] : places) {
      Value value = yield->getOperand(i);
      bool isOwn = value.getDefiningOp<memref::AllocOp>() && value.getParentBlock() == loop.getBody();
      values.push_back(isOwn ? value : copyOf(b, value));
    }
    for (auto [entry, value] : llvm::zip(places, values)) {
      auto [i, place] = entry;
      memref::CopyOp::create(b, loop.getLoc(), value, place);
      BlockArgument carried = loop.getRegionIterArg(i);
      yield->setOperand(i, carried);
      carried.replaceAllUsesExcept(place, yield);
      loop.getResult(i).replaceAllUsesWith(place);
      ++numSettled;
    }
  }

  /// A buffer before the loop that starts as what the loop starts with, in the type that the loop carries.
  static Value makePlace(scf::ForOp loop, unsigned i) {
    OpBuilder b(loop);
    Value place = copyOf(b, loop.getInitArgs()[i]);
    Type type = loop.getRegionIterArg(i).getType();
    return place.getType() == type ? place : Value(memref::CastOp::create(b, loop.getLoc(), type, place));
  }

  static Value copyOf(OpBuilder &b, Value value) {
    auto type = cast<MemRefType>(value.getType());
    SmallVector<Value> sizes;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (type.isDynamicDim(axis))
        sizes.push_back(memref::DimOp::create(b, value.getLoc(), value, axis));
    Value copy =
        memref::AllocOp::create(b, value.getLoc(), MemRefType::get(type.getShape(), type.getElementType()), sizes);
    memref::CopyOp::create(b, value.getLoc(), value, copy);
    return copy;
  }
};

} // namespace
