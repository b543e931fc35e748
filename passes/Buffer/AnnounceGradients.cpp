//===- AnnounceGradients.cpp - where each gradient of a step is complete ------------------------------------------===//
//
// So that processes that train together exchange the gradients of the last layers while those of the first ones are
// computed. An announcement ends a parallel region, which is why only the entry that is used for this has them.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "passes/Buffer/BufferRoots.h"
#include "passes/Buffer/Passes.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERANNOUNCEGRADIENTSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

struct AnnounceGradients final : mlc::impl::BufferAnnounceGradientsPassBase<AnnounceGradients> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    auto function = symbols.lookup<func::FuncOp>("gradients");
    if (!function || !rt::isEntry(function) || !function.getBody().hasOneBlock())
      return;
    Block &body = function.getBody().front();

    // Of each gradient the last op of the function that may use it, views of it included; and the last one that uses
    // memory of which that is not known.
    llvm::MapVector<int64_t, Operation *> last;
    Operation *unknown = nullptr;
    function.walk([&](Operation *op) {
      if (isa<memref::DimOp>(op)) // asks for no memory
        return;
      for (Value operand : op->getOperands()) {
        if (!isa<MemRefType>(operand.getType()))
          continue;
        Value root = rootOf(operand);
        auto state = root ? root.getDefiningOp<rt::StateOp>() : rt::StateOp();
        if (root && !(state && isGradient(symbols, state)))
          continue;
        Operation *outer = body.findAncestorOpInBlock(*op);
        Operation *&known = state ? last[static_cast<int64_t>(state.getOffset())] : unknown;
        if (!known || known->isBeforeInBlock(outer))
          known = outer;
      }
    });
    for (auto [offset, op] : last) {
      if (unknown && op->isBeforeInBlock(unknown))
        op = unknown;
      Operation *behind = op->getNextNode();
      if (behind && isa<rt::MarkOp>(behind)) // a mark directly follows what it measures
        op = behind;
      OpBuilder b(&getContext());
      b.setInsertionPointAfter(op);
      rt::ReadyOp::create(b, op->getLoc(), function.getArgument(0), static_cast<uint64_t>(offset));
      ++numAnnounced;
    }
  }

  static bool isGradient(const SymbolTable &symbols, rt::StateOp state) {
    auto declared = symbols.lookup<train::StateOp>(state.getState());
    return declared && declared.getRole() == train::Role::gradient;
  }
};

} // namespace
