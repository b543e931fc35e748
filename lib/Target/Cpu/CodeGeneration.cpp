//===- CodeGeneration.cpp - LLVM's optimiser and code generator --------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"
#include "lib/Target/Cpu/ObjectCache.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/LLVMContext.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/Transforms/IPO/DeadArgumentElimination.h"
#include "llvm/Transforms/IPO/SCCP.h"

#include <mutex>

using namespace llvm;

namespace mlc {

ArrayRef<CpuLevel> getCpuLevels() {
  static const CpuLevel levels[] = {
      {"_v2", "x86-64-v2", ""}, {"_v3", "x86-64-v3", ""}, {"_v4", "x86-64-v4", "+avx512vnni"}};
  return levels;
}

Expected<std::unique_ptr<TargetMachine>> createTargetMachine(const CpuTargetOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeAllTargetInfos();
    InitializeAllTargets();
    InitializeAllTargetMCs();
    InitializeAllAsmPrinters();
    InitializeAllAsmParsers();
  });
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
    features = options.features;
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

namespace {

void setTarget(Module &module, const TargetMachine &machine) {
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
}

/// Runs the passes that `build` chooses.
void runPasses(Module &module, TargetMachine &machine, unsigned optLevel,
               function_ref<ModulePassManager(PassBuilder &)> build) {
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopInterleaving = optLevel >= 2;
  // Unrolling would come before vectorisation, and small loops over channels would end as scalars.
  tuning.LoopUnrolling = false;
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
  build(passes).run(module, modules);
}

void optimize(Module &module, TargetMachine &machine, unsigned optLevel) {
  static const OptimizationLevel levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                             OptimizationLevel::O3};
  OptimizationLevel level = levels[std::min(optLevel, 3u)];
  runPasses(module, machine, optLevel, [&](PassBuilder &passes) {
    return optLevel == 0 ? passes.buildO0DefaultPipeline(level) : passes.buildPerModuleDefaultPipeline(level);
  });
}

/// Compiles one partition, in a context of its own, so that several threads can.
Expected<std::string> compilePartition(const Partition &partition, const CpuTargetOptions &options) {
  LLVMContext context;
  auto machine = createTargetMachine(options);
  if (!machine)
    return machine.takeError();
  auto module = parseBitcodeFile(MemoryBufferRef(partition.bitcode, partition.name), context);
  if (!module)
    return module.takeError();
  optimize(**module, **machine, options.optLevel);
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  if (Error error = emitCode(**module, **machine, CodeGenFileType::ObjectFile, stream))
    return error;
  return std::string(bytes.data(), bytes.size());
}

} // namespace

void optimizeModule(Module &module, TargetMachine &machine, unsigned optLevel) {
  setTarget(module, machine);
  optimize(module, machine, optLevel);
}

Expected<std::vector<std::string>> emitObjects(Module &module, const CpuTargetOptions &options, unsigned threads,
                                               const std::string &cacheFolder) {
  auto machine = createTargetMachine(options);
  if (!machine)
    return machine.takeError();
  setTarget(module, **machine);
  StripDebugInfo(module);   // where a kernel comes from is no part of it
  if (options.optLevel > 0) // what only the whole module shows: arguments that are constant, or that nobody reads
    runPasses(module, **machine, options.optLevel, [](PassBuilder &) {
      ModulePassManager manager;
      manager.addPass(IPSCCPPass());
      manager.addPass(DeadArgumentEliminationPass());
      return manager;
    });
  std::vector<Partition> partitions = splitModule(module);
  std::string target = (*machine)->getTargetTriple().str() + " " + (*machine)->getTargetCPU().str() + " " +
                       (*machine)->getTargetFeatureString().str() + " -O" + std::to_string(options.optLevel);
  ObjectCache cache(cacheFolder);
  std::vector<std::string> objects(partitions.size());
  std::vector<Error> errors;
  std::mutex lock;
  DefaultThreadPool pool(hardware_concurrency(threads));
  for (size_t i = 0; i < partitions.size(); ++i)
    pool.async([&, i] {
      std::string key = cache.keyOf(partitions[i].bitcode, target);
      if (std::optional<std::string> found = cache.find(key)) {
        objects[i] = std::move(*found);
        return;
      }
      Expected<std::string> object = compilePartition(partitions[i], options);
      if (object) {
        cache.store(key, *object);
        objects[i] = std::move(*object);
      } else {
        std::lock_guard guard(lock);
        errors.push_back(object.takeError());
      }
    });
  pool.wait();
  cache.prune();
  Error all = Error::success();
  for (Error &error : errors)
    all = joinErrors(std::move(all), std::move(error));
  if (all)
    return all;
  return objects;
}

Error emitCode(Module &module, TargetMachine &machine, CodeGenFileType kind, raw_pwrite_stream &out) {
  legacy::PassManager manager;
  if (machine.addPassesToEmitFile(manager, out, nullptr, kind))
    return createStringError("cannot emit this kind of file for " + machine.getTargetTriple().str());
  manager.run(module);
  return Error::success();
}

} // namespace mlc
