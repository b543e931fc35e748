//===- InterfaceWriter.h - structs of mlc/abi.h as LLVM constants ----------------------------------------*- C++
//-*-===//
#ifndef MLC_LIB_TARGET_CPU_INTERFACEWRITER_H
#define MLC_LIB_TARGET_CPU_INTERFACEWRITER_H

#include "lib/Target/Cpu/CpuTarget.h"
#include "mlc/abi.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/IRBuilder.h"

namespace mlc {

/// Writes constants and declares functions in a module.
struct InterfaceWriter final {
  llvm::Module &module;
  llvm::LLVMContext &context = module.getContext();
  llvm::PointerType *pointer = llvm::PointerType::getUnqual(context);
  llvm::IntegerType *i32 = llvm::Type::getInt32Ty(context), *i64 = llvm::Type::getInt64Ty(context);
  llvm::StructType *status = llvm::StructType::get(i32, pointer);
  llvm::Type *voidType = llvm::Type::getVoidTy(context);

  llvm::Constant *number(uint64_t value) { return llvm::ConstantInt::get(i64, value); }
  llvm::Constant *small(uint64_t value) { return llvm::ConstantInt::get(i32, value); }

  llvm::Constant *global(llvm::Constant *value, const llvm::Twine &name = "") {
    auto *variable = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                              llvm::GlobalValue::InternalLinkage, value, name);
    variable->setAlignment(llvm::Align(8));
    return variable;
  }
  llvm::Constant *text(llvm::StringRef value) { return global(llvm::ConstantDataArray::getString(context, value)); }

  llvm::Constant *tensors(llvm::ArrayRef<TensorSignature> infos) {
    std::vector<llvm::Constant *> all;
    for (const TensorSignature &info : infos) {
      llvm::Constant *sizes = global(llvm::ConstantDataArray::get(
          context, llvm::ArrayRef<uint64_t>(reinterpret_cast<const uint64_t *>(info.sizes.data()), info.sizes.size())));
      llvm::Constant *symbols = global(llvm::ConstantDataArray::get(
          context,
          llvm::ArrayRef<uint32_t>(reinterpret_cast<const uint32_t *>(info.symbols.data()), info.symbols.size())));
      all.push_back(llvm::ConstantStruct::getAnon(
          {text(info.name), sizes, symbols, small(info.dtype), small(info.sizes.size())}));
    }
    return table(all);
  }

  /// Constants of one type as an array; NULL for none.
  llvm::Constant *table(llvm::ArrayRef<llvm::Constant *> all) {
    if (all.empty())
      return llvm::ConstantPointerNull::get(pointer);
    return global(llvm::ConstantArray::get(llvm::ArrayType::get(all[0]->getType(), all.size()), all));
  }

  llvm::Constant *nodes(llvm::ArrayRef<NodeSignature> nodes) {
    std::vector<llvm::Constant *> all;
    for (const NodeSignature &node : nodes)
      all.push_back(
          llvm::ConstantStruct::getAnon({text(node.name), text(node.kind), number(node.flops), number(node.bytes)}));
    return table(all);
  }

  llvm::Function *declare(const llvm::Twine &name, llvm::Type *result, llvm::ArrayRef<llvm::Type *> arguments) {
    llvm::FunctionCallee callee =
        module.getOrInsertFunction(name.str(), llvm::FunctionType::get(result, arguments, false));
    auto *function = llvm::cast<llvm::Function>(callee.getCallee());
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return function;
  }
  llvm::Function *define(const llvm::Twine &name, llvm::Type *result, llvm::ArrayRef<llvm::Type *> arguments) {
    return llvm::Function::Create(llvm::FunctionType::get(result, arguments, false), llvm::GlobalValue::ExternalLinkage,
                                  name, module);
  }

  /// mlc_api of a model; `gradient` is that of its gradients, or null.
  llvm::Constant *description(const ModelSignature &signature, llvm::Constant *create, llvm::Constant *destroy,
                              llvm::Constant *gradient = nullptr) {
    std::vector<llvm::Constant *> symbols;
    for (const std::string &symbol : signature.symbols)
      symbols.push_back(text(symbol));
    llvm::Constant *symbolTable =
        global(llvm::ConstantArray::get(llvm::ArrayType::get(pointer, symbols.size()), symbols));
    llvm::Function *run = declare("mlc_rt_run", status, {pointer, pointer, pointer});
    llvm::Function *profileStart = declare("mlc_rt_profile_start", status, {pointer, pointer});
    llvm::Function *profileStop = declare("mlc_rt_profile_stop", voidType, {pointer});
    return global(
        llvm::ConstantStruct::getAnon({small(MLC_API_VERSION), small(sizeof(mlc_api)), text(signature.name),
                                       text(signature.metadata), tensors(signature.inputs), tensors(signature.outputs),
                                       symbolTable, small(signature.inputs.size()), small(signature.outputs.size()),
                                       small(symbols.size()), small(0), create, run, destroy, profileStart, profileStop,
                                       gradient ? gradient : llvm::ConstantPointerNull::get(pointer)}),
        signature.name + "_description");
  }

  /// mlc_model_info of an entry.
  llvm::Constant *info(const ModelSignature &signature, const ModelEntry &entry, llvm::Constant *api,
                       llvm::Constant *function, llvm::Constant *weights, llvm::Constant *file) {
    return global(
        llvm::ConstantStruct::getAnon({small(MLC_ABI_VERSION), small(sizeof(mlc_model_info)), api,
                                       number(entry.arenaBytes), weights, number(signature.weightsBytes), file,
                                       function, nodes(entry.nodes), small(entry.nodes.size()), small(0)}),
        signature.name + "_info");
  }
};

} // namespace mlc

#endif
