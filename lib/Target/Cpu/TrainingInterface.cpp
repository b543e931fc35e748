//===- TrainingInterface.cpp - the descriptor and the main function of a training executable ----------------------===//
//
// mlc_train_info of mlc/abi.h as constants; main hands it to the runtime.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/InterfaceWriter.h"

using namespace llvm;

namespace mlc {

static Constant *describeState(InterfaceWriter &w, const StateSignature &state, Constant *weights) {
  Constant *none = ConstantPointerNull::get(w.pointer), *data = none;
  if (state.data)
    data = ConstantExpr::getInBoundsGetElementPtr(Type::getInt8Ty(w.context), weights, w.number(*state.data));
  Constant *sizes = w.global(ConstantDataArray::get(
      w.context, ArrayRef<uint64_t>(reinterpret_cast<const uint64_t *>(state.sizes.data()), state.sizes.size())));
  return ConstantStruct::getAnon({w.text(state.name), sizes, w.number(state.offset), data,
                                  state.initializer.empty() ? none : w.text(state.initializer), w.small(state.dtype),
                                  w.small(state.sizes.size()), w.small(state.role), w.small(0)});
}

void emitTrainingProgram(Module &module, const TrainingSignature &program) {
  InterfaceWriter w{module};
  Constant *none = ConstantPointerNull::get(w.pointer), *weights = none;
  if (program.weightsBytes) {
    auto *blob = new GlobalVariable(module, Type::getInt8Ty(w.context), /*isConstant=*/true,
                                    GlobalValue::ExternalLinkage, nullptr, program.name + "_weights");
    blob->setVisibility(GlobalValue::HiddenVisibility);
    blob->setCodeModel(CodeModel::Large);
    weights = blob;
  }
  std::vector<Constant *> states,
      fields{w.small(MLC_ABI_VERSION), w.small(sizeof(mlc_train_info)), w.text(program.name), w.text(program.config)};
  for (const auto &[signature, entry] : program.entries) {
    Constant *api = w.description(signature, none, w.declare("mlc_rt_destroy", w.voidType, {w.pointer}));
    fields.push_back(w.info(signature, entry, api, w.declare(entry.function, w.voidType, {w.pointer}), none, none));
  }
  for (const StateSignature &state : program.states)
    states.push_back(describeState(w, state, weights));
  Constant *onnx =
      program.onnx.empty() ? none : w.global(ConstantDataArray::getString(w.context, program.onnx, /*AddNull=*/false));
  for (Constant *field :
       {w.table(states), w.number(program.stateBytes), onnx, w.number(program.onnx.size()),
        program.onnxReason.empty() ? none : w.text(program.onnxReason), w.small(states.size()), w.small(0)})
    fields.push_back(field);
  Constant *info = w.global(ConstantStruct::getAnon(fields), program.name + "_program");
  Function *trainMain = w.declare("mlc_train_main", w.i32, {w.pointer, w.i32, w.pointer});
  Function *main = w.define("main", w.i32, {w.i32, w.pointer});
  IRBuilder<> b(BasicBlock::Create(w.context, "", main));
  b.CreateRet(b.CreateCall(trainMain, {info, main->getArg(0), main->getArg(1)}));
}

} // namespace mlc
