//===- MarkNodes.cpp - where each node of the model ends, for profiles -------------------------------------------===//
//
// Runs after everything that makes or moves kernels. A mark costs a load and a branch in a run that is not profiled, so
// every library has them. Time between kernels counts for the one that follows.
//
// What a node does is in the table of nodes. Where that depends on sizes that only a run knows, the entry says it at
// its end, behind one branch. Inside of loops sizes may change from one iteration to the next: only those from outside
// count.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/NodeWork.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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
SizedWork describe(func::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (std::optional<SizedWork> work = sizedWorkOf(&op))
      return *work;
  return {"loop", {}, {}};
}

/// What a node does, in a run; the buffers are those of the kernel, which `operands` stand for.
struct Sized final {
  uint64_t node;
  SizedWork work;
  SmallVector<Value> operands;
};

/// Computes amounts at the end of a function.
class AmountBuilder final {
public:
  AmountBuilder(OpBuilder &b, Location loc, func::FuncOp function) : b(b), loc(loc), function(function) {}

  /// 0 where a size is not known at the end.
  Value build(const Amount &amount, ValueRange operands) {
    Value sum = number(0);
    for (const Amount::Term &term : amount.getTerms()) {
      Value product = number(static_cast<int64_t>(term.factor));
      for (RuntimeSize size : term.sizes) {
        Value value = sizeOf(size, operands);
        if (!value)
          return number(0);
        product = arith::MulIOp::create(b, loc, product, value);
      }
      sum = arith::AddIOp::create(b, loc, sum, product);
    }
    return amount.isKnown() ? sum : number(0);
  }

private:
  Value number(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }

  Value sizeOf(RuntimeSize size, ValueRange operands) {
    Value buffer = size.buffer;
    if (auto argument = dyn_cast<BlockArgument>(buffer); argument && !operands.empty()) {
      if (argument.getArgNumber() >= operands.size())
        return nullptr;
      buffer = operands[argument.getArgNumber()];
    }
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type || size.axis >= type.getRank() || !isOfFunction(buffer))
      return nullptr;
    Value dim = b.createOrFold<memref::DimOp>(loc, buffer, size.axis);
    return arith::IndexCastOp::create(b, loc, b.getI64Type(), dim);
  }

  /// Whether a value is there at the end of the function.
  bool isOfFunction(Value value) {
    Operation *op = value.getDefiningOp();
    return op ? op->getParentOp() == function : value.getParentBlock() == &function.getBody().front();
  }

  OpBuilder &b;
  Location loc;
  func::FuncOp function;
};

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
    SmallVector<Sized, 0> sized;
    OpBuilder b(&getContext());
    auto add = [&](Operation *op, const SizedWork &work, ValueRange operands, StringRef fallback) {
      if (work.flops.isOfRun() || work.bytes.isOfRun())
        sized.push_back({nodes.size(), work, SmallVector<Value>(operands)});
      b.setInsertionPointAfter(op);
      mlc::rt::MarkOp::create(b, op->getLoc(), function.getArgument(0), static_cast<uint64_t>(nodes.size()));
      nodes.push_back(b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(nodeNameOf(op->getLoc(), fallback))),
                                           b.getNamedAttr("kind", b.getStringAttr(work.kind)),
                                           b.getNamedAttr("flops", b.getI64IntegerAttr(work.flops.evaluate())),
                                           b.getNamedAttr("bytes", b.getI64IntegerAttr(work.bytes.evaluate()))}));
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
        add(op, describe(kernel), operandsOf(op), kernel.getName());
      } else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
        add(op, *sizedWorkOf(copy), {}, "copy");
      } else if (isa<LoopLikeOpInterface>(op)) {
        bool hasNodes = op->walk([&](Operation *inner) {
                            return isNode(inner) ? WalkResult::interrupt() : WalkResult::advance();
                          }).wasInterrupted();
        if (!hasNodes) {
          add(op, {"loop", {}, {}}, {}, "loop");
          return WalkResult::skip();
        }
      }
      return WalkResult::advance();
    });
    function->setAttr("rt.nodes", b.getArrayAttr(nodes));
    if (!sized.empty())
      say(function, sized);
  }

  /// The operands of a call, as the arguments of its kernel.
  static ValueRange operandsOf(Operation *op) {
    if (auto call = dyn_cast<func::CallOp>(op))
      return call.getOperands();
    return cast<mlc::rt::ParallelForOp>(op).getCaptures();
  }

  /// Says at the end of a run that is profiled what its nodes did.
  static void say(func::FuncOp function, ArrayRef<Sized> sized) {
    OpBuilder b(function.getBody().front().getTerminator());
    Location loc = function.getLoc();
    Value frame = function.getArgument(0);
    Value isProfiled = mlc::rt::ProfiledOp::create(b, loc, b.getI1Type(), frame);
    auto branch = scf::IfOp::create(b, loc, isProfiled, /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
    AmountBuilder amounts(b, loc, function);
    for (const Sized &node : sized)
      mlc::rt::WorkOp::create(b, loc, frame, node.node, amounts.build(node.work.flops, node.operands),
                              amounts.build(node.work.bytes, node.operands));
  }
};

} // namespace
