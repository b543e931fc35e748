//===- CodeGeneration.cpp - LLVM's optimiser and code generator --------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;

namespace mlc {

Expected<std::unique_ptr<TargetMachine>> createTargetMachine(const CpuTargetOptions &options) {
  InitializeAllTargetInfos();
  InitializeAllTargets();
  InitializeAllTargetMCs();
  InitializeAllAsmPrinters();
  InitializeAllAsmParsers();
  std::string error;
  Triple triple(options.triple.empty() ? sys::getDefaultTargetTriple() : Triple::normalize(options.triple));
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError("unsupported target '" + triple.str() + "': " + error);
  std::string cpu = options.cpu, features;
  if (cpu == "native") {
    cpu = sys::getHostCPUName().str();
    for (const auto &feature : sys::getHostCPUFeatures())
      features += (features.empty() ? "" : ",") + std::string(feature.second ? "+" : "-") + feature.first().str();
    if (triple.getArch() != Triple(sys::getDefaultTargetTriple()).getArch()) { // no native CPU of another architecture
      cpu = "generic";
      features.clear();
    }
  } else {
    std::unique_ptr<MCSubtargetInfo> info(target->createMCSubtargetInfo(triple, "", ""));
    if (!info || !info->isCPUStringValid(cpu))
      return createStringError("unsupported CPU '" + cpu + "' for " + triple.str());
  }
  static const CodeGenOptLevel levels[] = {CodeGenOptLevel::None, CodeGenOptLevel::Less, CodeGenOptLevel::Default,
                                           CodeGenOptLevel::Aggressive};
  TargetOptions targetOptions;
  if (options.optLevel > 0)
    targetOptions.AllowFPOpFusion = FPOpFusion::Fast; // a * b + c in one rounding
  std::unique_ptr<TargetMachine> machine(target->createTargetMachine(
      triple, cpu, features, targetOptions, Reloc::PIC_, std::nullopt, levels[std::min(options.optLevel, 3u)]));
  if (!machine)
    return createStringError("cannot generate code for " + triple.str());
  return machine;
}

void optimizeModule(Module &module, TargetMachine &machine, unsigned optLevel) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.addFnAttr("frame-pointer", "none");
    // Native-width vectors where the CPU has them.
    function.addFnAttr("prefer-vector-width", "512");
  }
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopInterleaving = optLevel >= 2;
  PassBuilder passes(&machine, tuning);
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  static const OptimizationLevel levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                             OptimizationLevel::O3};
  OptimizationLevel level = levels[std::min(optLevel, 3u)];
  ModulePassManager manager =
      optLevel == 0 ? passes.buildO0DefaultPipeline(level) : passes.buildPerModuleDefaultPipeline(level);
  manager.run(module, modules);
}

Error emitCode(Module &module, TargetMachine &machine, CodeGenFileType kind, raw_pwrite_stream &out) {
  legacy::PassManager manager;
  if (machine.addPassesToEmitFile(manager, out, nullptr, kind))
    return createStringError("cannot emit this kind of file for " + machine.getTargetTriple().str());
  manager.run(module);
  return Error::success();
}

} // namespace mlc
