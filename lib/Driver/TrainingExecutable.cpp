//===- TrainingExecutable.cpp - from a training program to an executable
//-------------------------------------------===//
//
// A training program has several functions on one memory of states. Before the phase `linalg` the states get their
// places, and the module is cloned once a function, so that the later phases see one entry each. At the end the LLVM
// modules are joined, so that kernels which several functions have are compiled once, and linked with the runtime that
// trains.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Driver/Compilation.h"

#include "dialects/Train/TrainDialect.h"
#include "lib/Driver/Describe.h"
#include "lib/Driver/TrainingConfig.h"
#include "lib/Export/Onnx/ExportOnnx.h"

#include "llvm/Linker/Linker.h"

using namespace mlir;

namespace mlc {

/// One variant for each function of a training program.
llvm::Error Compilation::splitEntries() {
  OwningOpRef<ModuleOp> whole = std::move(variants[0].module);
  Variant first = std::move(variants[0]);
  variants.clear();
  for (StringRef name : {"step", "gradients", "apply", "evaluate", "predict"}) {
    Variant &variant = variants.emplace_back();
    variant.suffix = "-" + name.str();
    variant.memory = name == "step" || name == "gradients" ? options.trainMemory : 0;
    variant.cpu = first.cpu;
    variant.target = first.target;
    llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = createTargetMachine(first.cpu);
    if (!machine)
      return machine.takeError();
    variant.machine = std::move(*machine);
    variant.module = whole->clone();
    for (auto function : llvm::make_early_inc_range(variant.module->getOps<func::FuncOp>()))
      if (function.isPublic() && function.getName() != name)
        function.erase();
  }
  return llvm::Error::success();
}

/// The states of a training program; first bytes that the model has go to the blob.
void Compilation::placeStates() {
  for (train::PlacedState placed : train::placeStates(*variants[0].module)) {
    train::StateOp op = placed.state;
    TensorSignature tensor = describeTensor(op.getType(), op.getSymName());
    StateSignature state{tensor.name,
                         tensor.dtype,
                         tensor.sizes,
                         static_cast<uint64_t>(placed.offset),
                         static_cast<mlc_state_role>(op.getRole()),
                         std::nullopt,
                         ""};
    if (DictionaryAttr initializer = op.getInitializerAttr()) {
      state.initializer = toJson(initializer);
    } else if (std::optional<ArrayRef<char>> bytes = weights.lookup(op.getSymName())) {
      state.data = llvm::alignTo(blob.bytes, 64);
      blob.segments.push_back({*state.data, bytes->size(), [bytes = *bytes] { return WeightBytes{bytes, nullptr}; }});
      blob.bytes = *state.data + bytes->size();
    }
    training.stateBytes = llvm::alignTo(placed.offset + placed.bytes, 64);
    training.states.push_back(std::move(state));
  }
  training.weightsBytes = blob.bytes;
}

llvm::Error Compilation::emitExecutable(std::vector<std::unique_ptr<llvm::Module>> modules) {
  std::string output = outputPath(), triple = variants[0].machine->getTargetTriple().str();
  training.name = signature.name;
  // One module, so that kernels which several entries have are one.
  for (std::unique_ptr<llvm::Module> &module : llvm::drop_begin(modules))
    if (llvm::Linker::linkModules(*modules[0], std::move(module)))
      return llvm::createStringError("cannot join the entries of the program");
  modules.resize(1);
  emitTrainingProgram(*modules[0], training);
  Artifacts artifacts;
  variants.resize(1);
  llvm::Expected<std::vector<std::string>> objects = compileObjects(modules, artifacts);
  if (!objects)
    return objects.takeError();
  llvm::Expected<std::vector<std::string>> first = weightsObjects(triple, artifacts);
  if (!first)
    return first.takeError();
  weights.clear(); // written; the linker needs the memory
  objects->insert(objects->end(), first->begin(), first->end());
  std::vector<std::string> runtimes;
  for (StringRef archive : {"libmlctrain.a", "libmlcrt.a"}) {
    llvm::Expected<std::string> runtime = findRuntime(archive, program, triple);
    if (!runtime)
      return runtime.takeError();
    runtimes.push_back(*runtime);
  }
  std::string temporary = artifacts.reserve(output);
  if (llvm::Error error = linkExecutable(*objects, runtimes, triple, temporary))
    return error;
  return artifacts.commit();
}

/// The model that a training executable exports with its weights; where it cannot be exported, why.
void Compilation::exportForTraining(ModuleOp module, StringRef name) {
  OwningOpRef<ModuleOp> copy = module.clone();
  // The runtime adds the weights, by the names that states have.
  copy->walk([&](Operation *op) {
    if (auto parameter = dyn_cast<graph::ParameterOp>(op))
      parameter->setLoc(NameLoc::get(parameter.getSymNameAttr()));
    else if (auto weight = dyn_cast<graph::WeightOp>(op))
      weight->setLoc(NameLoc::get(weight.getParameterAttr().getAttr()));
  });
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (training.onnxReason.empty())
      training.onnxReason = diagnostic.str();
    return success();
  });
  FailureOr<OnnxModel> model = failure();
  if (simplifyForExport(*copy))
    model = exportOnnx(*copy, copy->lookupSymbol<func::FuncOp>(name));
  if (succeeded(model)) {
    training.onnx = serializeWithoutWeights(*model);
    training.onnxReason.clear();
  }
}

} // namespace mlc
