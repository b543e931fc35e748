//===- OutlineKernels.cpp - every loop nest becomes a function of its own ----------------------------------------===//
//
// LLVM's passes are superlinear in the size of a function, so one function a kernel compiles faster, and kernels that
// are equal compile once. Buffers that an op uses at one time do not overlap unless they are views of one (the arena
// planner and the runtime see to it), which the arguments say as `llvm.noalias`; equal operands become one argument.
// What an op does not write is `llvm.readonly`.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/BufferRoots.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFEROUTLINEKERNELSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct OutlineKernels final : mlc::impl::BufferOutlineKernelsPassBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<Operation *> ops;
    for (auto function : module.getOps<func::FuncOp>())
      function.walk([&](Operation *op) {
        auto loops = dyn_cast<linalg::LinalgOp>(op);
        if ((loops && loops.hasPureBufferSemantics() && loops.getNumLoops() > 0) ||
            isa<mlc::kernel::AttentionOp, mlc::kernel::ContractOp, mlc::kernel::PackOp, mlc::kernel::RowsOp>(op))
          ops.push_back(op);
      });
    llvm::StringMap<func::FuncOp> kernels;
    for (Operation *op : ops)
      outline(op, module, kernels);
  }

  /// Moves `op` into a function and calls it; an equal function that is there already is called instead.
  void outline(Operation *op, ModuleOp module, llvm::StringMap<func::FuncOp> &kernels) {
    llvm::SetVector<Value> used(op->getOperands().begin(), op->getOperands().end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    SmallVector<Value> arguments;
    SmallVector<Operation *> constants;
    for (Value value : used)
      if (matchPattern(value, m_Constant()))
        constants.push_back(value.getDefiningOp());
      else
        arguments.push_back(value);
    OpBuilder b(&getContext());
    auto type = b.getFunctionType(llvm::to_vector(ValueRange(arguments).getTypes()), {});
    auto kernel = func::FuncOp::create(b, op->getLoc(), "kernel", type);
    kernel.setPrivate();
    kernel->setAttr("llvm.linkage", LLVM::LinkageAttr::get(&getContext(), LLVM::Linkage::Internal));
    // LLVM would put a function with one call back where it came from.
    kernel->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
    Block *body = kernel.addEntryBlock();
    b.setInsertionPointToStart(body);
    IRMapping mapping;
    mapping.map(arguments, body->getArguments());
    for (Operation *constant : constants)
      b.clone(*constant, mapping);
    b.clone(*op, mapping);
    func::ReturnOp::create(b, op->getLoc());
    for (auto [i, argument] : llvm::enumerate(arguments))
      if (isAlone(argument, arguments))
        kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
    for (auto [i, argument] : llvm::enumerate(arguments))
      if (isa<MemRefType>(argument.getType()) && !isWritten(argument, op))
        kernel.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(), b.getUnitAttr());

    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel.print(stream, OpPrintingFlags().useLocalScope());
    auto [entry, isNew] = kernels.try_emplace(text, kernel);
    if (isNew) {
      kernel.setName("kernel_" + std::to_string(kernels.size() - 1));
      module.push_back(kernel);
      ++numKernels;
    } else {
      kernel.erase();
      ++numShared;
    }
    b.setInsertionPoint(op);
    func::CallOp::create(b, op->getLoc(), entry->second, arguments);
    op->erase();
  }

  /// Whether `op` may write `buffer`: an operand that it computes, or what its body stores to.
  static bool isWritten(Value buffer, Operation *op) {
    auto destinations = dyn_cast<DestinationStyleOpInterface>(op);
    if (!destinations || llvm::is_contained(destinations.getDpsInits(), buffer))
      return true;
    return llvm::any_of(op->getRegions(), [](Region &body) {
      return body
          .walk([](MemoryEffectOpInterface inner) {
            return inner.hasEffect<MemoryEffects::Write>() ? WalkResult::interrupt() : WalkResult::advance();
          })
          .wasInterrupted();
    });
  }

  /// Whether no other argument can reach the memory of this one.
  static bool isAlone(Value argument, ArrayRef<Value> arguments) {
    if (!isa<MemRefType>(argument.getType()))
      return false;
    Value root = mlc::rootOf(argument);
    if (!root)
      return false;
    return llvm::all_of(arguments, [&](Value other) {
      if (other == argument || !isa<MemRefType>(other.getType()))
        return true;
      Value otherRoot = mlc::rootOf(other);
      return otherRoot && otherRoot != root;
    });
  }
};

} // namespace
