//===- ModelInterface.cpp - the descriptor of a model and the functions that it exports --------------------------===//
//
// Structs as in mlc/abi.h and mlc/runtime.h, written as constants; functions that pack their arguments into arrays and
// call the runtime. mlc_status travels in two registers: {i32, ptr}.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"
#include "mlc/abi.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/IRBuilder.h"

using namespace llvm;

namespace mlc {

namespace {

/// Writes the pieces of one model.
struct InterfaceWriter final {
  Module &module;
  const ModelSignature &signature;
  LLVMContext &context = module.getContext();
  PointerType *pointer = PointerType::getUnqual(context);
  IntegerType *i32 = Type::getInt32Ty(context), *i64 = Type::getInt64Ty(context);
  StructType *status = StructType::get(i32, pointer);
  Type *voidType = Type::getVoidTy(context);

  Constant *number(uint64_t value) { return ConstantInt::get(i64, value); }
  Constant *small(uint64_t value) { return ConstantInt::get(i32, value); }

  Constant *global(Constant *value, const Twine &name = "") {
    auto *variable =
        new GlobalVariable(module, value->getType(), /*isConstant=*/true, GlobalValue::InternalLinkage, value, name);
    variable->setAlignment(Align(8));
    return variable;
  }
  Constant *text(StringRef value) { return global(ConstantDataArray::getString(context, value)); }

  Constant *tensors(ArrayRef<TensorSignature> infos) {
    std::vector<Constant *> all;
    for (const TensorSignature &info : infos) {
      Constant *sizes = global(ConstantDataArray::get(
          context, ArrayRef<uint64_t>(reinterpret_cast<const uint64_t *>(info.sizes.data()), info.sizes.size())));
      Constant *symbols = global(ConstantDataArray::get(
          context, ArrayRef<uint32_t>(reinterpret_cast<const uint32_t *>(info.symbols.data()), info.symbols.size())));
      all.push_back(
          ConstantStruct::getAnon({text(info.name), sizes, symbols, small(info.dtype), small(info.sizes.size())}));
    }
    if (all.empty())
      return ConstantPointerNull::get(pointer);
    return global(ConstantArray::get(ArrayType::get(all[0]->getType(), all.size()), all));
  }

  Constant *nodes(ArrayRef<NodeSignature> nodes) {
    std::vector<Constant *> all;
    for (const NodeSignature &node : nodes)
      all.push_back(
          ConstantStruct::getAnon({text(node.name), text(node.kind), number(node.flops), number(node.bytes)}));
    if (all.empty())
      return ConstantPointerNull::get(pointer);
    return global(ConstantArray::get(ArrayType::get(all[0]->getType(), all.size()), all));
  }

  Function *declare(const Twine &name, Type *result, ArrayRef<Type *> arguments) {
    FunctionCallee callee = module.getOrInsertFunction(name.str(), FunctionType::get(result, arguments, false));
    auto *function = cast<Function>(callee.getCallee());
    function->setVisibility(GlobalValue::HiddenVisibility);
    return function;
  }
  Function *define(const Twine &name, Type *result, ArrayRef<Type *> arguments) {
    return Function::Create(FunctionType::get(result, arguments, false), GlobalValue::ExternalLinkage, name, module);
  }
};

/// A function that lets `entry` see the weights from `offset` on.
Function *shiftWeights(InterfaceWriter &w, Function *entry, uint64_t offset) {
  Function *shifted = w.define(entry->getName() + "_shifted", w.voidType, {w.pointer});
  shifted->setLinkage(GlobalValue::InternalLinkage);
  IRBuilder<> b(BasicBlock::Create(w.context, "", shifted));
  Value *place = b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), shifted->getArg(0), offsetof(mlc_frame, weights));
  b.CreateStore(b.CreateConstInBoundsGEP1_64(b.getInt8Ty(), b.CreateLoad(w.pointer, place), offset), place);
  b.CreateCall(entry, shifted->getArg(0));
  b.CreateRetVoid();
  return shifted;
}

} // namespace

void nameEntry(Module &module, StringRef name, StringRef entry) {
  Function *function = module.getFunction(name);
  function->setName(entry);
  function->setVisibility(GlobalValue::HiddenVisibility);
  for (Function &callee : module)
    if (callee.getName().starts_with("mlc_rt_"))
      callee.setVisibility(GlobalValue::HiddenVisibility);
}

void emitModelInterface(Module &module, const ModelSignature &signature, ArrayRef<ModelEntry> entries, bool libraryApi,
                        StringRef externalWeights) {
  InterfaceWriter w{module, signature};
  const std::string &name = signature.name;
  bool isMulti = entries.size() > 1;
  Function *rtCreate =
      w.declare(isMulti ? "mlc_rt_create_multi" : "mlc_rt_create", w.status, {w.pointer, w.pointer, w.pointer});
  Function *rtRun = w.declare("mlc_rt_run", w.status, {w.pointer, w.pointer, w.pointer});
  Function *rtTyped = w.declare("mlc_rt_run_typed", w.status, {w.pointer, w.pointer, w.pointer, w.pointer});
  Function *rtDestroy = w.declare("mlc_rt_destroy", w.voidType, {w.pointer});
  Function *rtProfileStart = w.declare("mlc_rt_profile_start", w.status, {w.pointer, w.pointer});
  Function *rtProfileStop = w.declare("mlc_rt_profile_stop", w.voidType, {w.pointer});

  Function *create = w.define(name + "_create", w.status, {w.pointer, w.pointer});
  Function *destroy = w.define(name + "_destroy", w.voidType, {w.pointer});

  std::vector<Constant *> symbols;
  for (const std::string &symbol : signature.symbols)
    symbols.push_back(w.text(symbol));
  Constant *symbolTable = w.global(ConstantArray::get(ArrayType::get(w.pointer, symbols.size()), symbols));
  Constant *api =
      w.global(ConstantStruct::getAnon({w.small(MLC_API_VERSION), w.small(sizeof(mlc_api)), w.text(name),
                                        w.text(signature.metadata), w.tensors(signature.inputs),
                                        w.tensors(signature.outputs), symbolTable, w.small(signature.inputs.size()),
                                        w.small(signature.outputs.size()), w.small(symbols.size()), w.small(0), create,
                                        rtRun, destroy, rtProfileStart, rtProfileStop}),
               name + "_description");

  Constant *weights = ConstantPointerNull::get(w.pointer), *file = ConstantPointerNull::get(w.pointer);
  if (!externalWeights.empty()) {
    file = w.text(externalWeights);
  } else if (signature.weightsBytes) {
    auto *blob = new GlobalVariable(module, Type::getInt8Ty(w.context), /*isConstant=*/true,
                                    GlobalValue::ExternalLinkage, nullptr, name + "_weights");
    blob->setVisibility(GlobalValue::HiddenVisibility);
    blob->setCodeModel(CodeModel::Large);
    weights = blob;
  }
  std::vector<Constant *> infos;
  for (const ModelEntry &entry : entries) {
    Function *function = w.declare(entry.function, w.voidType, {w.pointer});
    if (entry.weightsOffset)
      function = shiftWeights(w, function, entry.weightsOffset);
    infos.push_back(
        w.global(ConstantStruct::getAnon({w.small(MLC_ABI_VERSION), w.small(sizeof(mlc_model_info)), api,
                                          w.number(entry.arenaBytes), weights, w.number(signature.weightsBytes), file,
                                          function, w.nodes(entry.nodes), w.small(entry.nodes.size()), w.small(0)}),
                 name + "_info"));
  }
  Constant *info = isMulti
                       ? w.global(ConstantArray::get(ArrayType::get(w.pointer, infos.size()), infos), name + "_levels")
                       : infos[0];

  IRBuilder<> b(BasicBlock::Create(w.context, "", create));
  b.CreateRet(b.CreateCall(rtCreate, {info, create->getArg(0), create->getArg(1)}));
  b.SetInsertPoint(BasicBlock::Create(w.context, "", destroy));
  b.CreateCall(rtDestroy, destroy->getArg(0));
  b.CreateRetVoid();

  // <name>_run(model, inputs…, symbols…, outputs…)
  std::vector<Type *> arguments{w.pointer};
  arguments.insert(arguments.end(), signature.inputs.size(), w.pointer);
  arguments.insert(arguments.end(), signature.symbols.size(), w.i64);
  arguments.insert(arguments.end(), signature.outputs.size(), w.pointer);
  Function *run = w.define(name + "_run", w.status, arguments);
  b.SetInsertPoint(BasicBlock::Create(w.context, "", run));
  unsigned next = 1;
  auto array = [&](Type *element, size_t count) -> Value * {
    Value *storage = b.CreateAlloca(ArrayType::get(element, std::max<size_t>(count, 1)));
    for (size_t i = 0; i < count; ++i)
      b.CreateStore(run->getArg(next++), b.CreateConstInBoundsGEP1_64(element, storage, i));
    return storage;
  };
  Value *inputArray = array(w.pointer, signature.inputs.size());
  Value *symbolArray = array(w.i64, signature.symbols.size());
  Value *outputArray = array(w.pointer, signature.outputs.size());
  b.CreateRet(b.CreateCall(rtTyped, {run->getArg(0), inputArray, symbolArray, outputArray}));

  auto returnApi = [&](const Twine &symbol) {
    Function *function = w.define(symbol, w.pointer, {});
    b.SetInsertPoint(BasicBlock::Create(w.context, "", function));
    b.CreateRet(api);
  };
  returnApi(name + "_api");
  if (libraryApi)
    returnApi(MLC_LIBRARY_API_SYMBOL);
}

} // namespace mlc
