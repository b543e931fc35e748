//===- MarkNodes.cpp - where each node of the model ends, for profiles -------------------------------------------===//
//
// Runs after everything that makes or moves kernels. A mark costs a load and a branch in a run that is not profiled, so
// every library has them. Time between kernels counts for the one that follows.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/NodeWork.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERMARKNODESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

/// A kernel is a function around one op.
NodeWork describe(func::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (std::optional<NodeWork> work = workOf(&op))
      return *work;
  return {"loop"};
}

struct MarkNodes final : mlc::impl::BufferMarkNodesPassBase<MarkNodes> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    for (auto function : module.getOps<func::FuncOp>())
      if (mlc::rt::isEntry(function))
        mark(function, symbols);
  }

  void mark(func::FuncOp function, const SymbolTable &symbols) {
    SmallVector<Attribute> nodes;
    OpBuilder b(&getContext());
    auto add = [&](Operation *op, const NodeWork &work, StringRef fallback) {
      b.setInsertionPointAfter(op);
      mlc::rt::MarkOp::create(b, op->getLoc(), function.getArgument(0), static_cast<uint64_t>(nodes.size()));
      nodes.push_back(b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(nodeNameOf(op->getLoc(), fallback))),
                                           b.getNamedAttr("kind", b.getStringAttr(work.kind)),
                                           b.getNamedAttr("flops", b.getI64IntegerAttr(work.flops)),
                                           b.getNamedAttr("bytes", b.getI64IntegerAttr(work.bytes))}));
      ++numNodes;
    };
    auto kernelOf = [&](Operation *op) -> func::FuncOp {
      StringRef name;
      if (auto call = dyn_cast<func::CallOp>(op))
        name = call.getCallee();
      else if (auto call = dyn_cast<mlc::rt::ParallelForOp>(op))
        name = call.getKernel();
      auto kernel = name.empty() ? nullptr : symbols.lookup<func::FuncOp>(name);
      return kernel && kernel.isPrivate() && !kernel.isExternal() ? kernel : nullptr;
    };
    auto isNode = [&](Operation *op) { return isa<memref::CopyOp>(op) || kernelOf(op); };
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (func::FuncOp kernel = kernelOf(op)) {
        add(op, describe(kernel), kernel.getName());
      } else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
        add(op, *workOf(copy), "copy");
      } else if (isa<LoopLikeOpInterface>(op)) {
        bool hasNodes = op->walk([&](Operation *inner) {
                            return isNode(inner) ? WalkResult::interrupt() : WalkResult::advance();
                          }).wasInterrupted();
        if (!hasNodes) {
          add(op, {"loop"}, "loop");
          return WalkResult::skip();
        }
      }
      return WalkResult::advance();
    });
    function->setAttr("rt.nodes", b.getArrayAttr(nodes));
  }
};

} // namespace
