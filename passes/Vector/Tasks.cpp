//===- Tasks.cpp - the work of a kernel as tasks on threads -------------------------------------------------------===//
#include "passes/Vector/Tasks.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace mlc {

llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> callsOf(ModuleOp module) {
  SymbolTable symbols(module);
  llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> calls;
  for (auto function : module.getOps<func::FuncOp>())
    function.walk([&](func::CallOp call) {
      if (auto kernel = symbols.lookup<func::FuncOp>(call.getCallee()))
        calls[kernel].push_back(call);
    });
  return calls;
}

bool canRunAsTasks(Operation *op, const Kernel &kernel) {
  func::FuncOp function = kernel.function;
  return function && function.isPrivate() && llvm::all_of(op->getOperands(), llvm::IsaPred<BlockArgument>);
}

std::pair<Index, Index> runAsTasks(Operation *op, const Kernel &kernel, int64_t grain,
                                   llvm::function_ref<Index(Arithmetic &, ValueRange)> count) {
  func::FuncOp function = kernel.function;
  Type index = IndexType::get(op->getContext());
  unsigned first = function.getNumArguments();
  (void)function.insertArguments({first, first}, {index, index}, {DictionaryAttr(), DictionaryAttr()},
                                 {function.getLoc(), function.getLoc()});
  for (func::CallOp call : kernel.calls) {
    OpBuilder caller(call);
    Arithmetic outside(caller, call.getLoc());
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(call.getOperand(cast<BlockArgument>(operand).getArgNumber()));
    Value tasks = outside.value(count(outside, operands));
    Value frame = call->getParentOfType<func::FuncOp>().getArgument(0);
    rt::ParallelForOp::create(caller, call.getLoc(), frame, call.getCalleeAttr().getLeafReference(), call.getOperands(),
                              tasks, static_cast<uint64_t>(grain));
    call.erase();
  }
  return {Index(Value(function.getArgument(first))), Index(Value(function.getArgument(first + 1)))};
}

} // namespace mlc
