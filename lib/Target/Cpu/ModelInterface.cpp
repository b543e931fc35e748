//===- ModelInterface.cpp - the descriptor of a model and the functions that it exports --------------------------===//
//
// Structs as in mlc/abi.h and mlc/runtime.h, written as constants; functions that pack their arguments into arrays and
// call the runtime. mlc_status travels in two registers: {i32, ptr}.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/InterfaceWriter.h"

using namespace llvm;

namespace mlc {

namespace {

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

/// A function that gives an mlc_api.
void returnApi(InterfaceWriter &w, const Twine &symbol, Constant *api) {
  Function *function = w.define(symbol, w.pointer, {});
  IRBuilder<> b(BasicBlock::Create(w.context, "", function));
  b.CreateRet(api);
}

/// The functions and the descriptor of one interface; gives its mlc_api.
Constant *emitInterface(InterfaceWriter &w, const ModelInterface &interface, Constant *gradient, Constant *weights,
                        Constant *file) {
  const ModelSignature &signature = interface.signature;
  const std::string &name = signature.name;
  ArrayRef<ModelEntry> entries = interface.entries;
  bool isMulti = entries.size() > 1;
  Function *rtCreate =
      w.declare(isMulti ? "mlc_rt_create_multi" : "mlc_rt_create", w.status, {w.pointer, w.pointer, w.pointer});
  Function *rtTyped = w.declare("mlc_rt_run_typed", w.status, {w.pointer, w.pointer, w.pointer, w.pointer});
  Function *rtDestroy = w.declare("mlc_rt_destroy", w.voidType, {w.pointer});

  Function *create = w.define(name + "_create", w.status, {w.pointer, w.pointer});
  Function *destroy = w.define(name + "_destroy", w.voidType, {w.pointer});

  Constant *api = w.description(signature, create, destroy, gradient);

  std::vector<Constant *> infos;
  for (const ModelEntry &entry : entries) {
    Function *function = w.declare(entry.function, w.voidType, {w.pointer});
    if (entry.weightsOffset)
      function = shiftWeights(w, function, entry.weightsOffset);
    infos.push_back(w.info(signature, entry, api, function, weights, file));
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

  returnApi(w, name + "_api", api);
  return api;
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

void emitModelInterface(Module &module, const ModelInterface &model, const ModelInterface &gradient, bool libraryApi,
                        StringRef externalWeights) {
  InterfaceWriter w{module};
  Constant *weights = ConstantPointerNull::get(w.pointer), *file = ConstantPointerNull::get(w.pointer);
  if (!externalWeights.empty()) {
    file = w.text(externalWeights);
  } else if (model.signature.weightsBytes) {
    auto *blob = new GlobalVariable(module, Type::getInt8Ty(w.context), /*isConstant=*/true,
                                    GlobalValue::ExternalLinkage, nullptr, model.signature.name + "_weights");
    blob->setVisibility(GlobalValue::HiddenVisibility);
    blob->setCodeModel(CodeModel::Large);
    weights = blob;
  }
  Constant *gradientApi = gradient.entries.empty() ? nullptr : emitInterface(w, gradient, nullptr, weights, file);
  Constant *api = emitInterface(w, model, gradientApi, weights, file);
  if (libraryApi)
    returnApi(w, MLC_LIBRARY_API_SYMBOL, api);
}

} // namespace mlc
