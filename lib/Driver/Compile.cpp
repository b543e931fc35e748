//===- Compile.cpp - a compilation from the model to its artifact ------------------------------------------------===//
//
// import → the phases of passes/Pipelines.cpp → LLVM → object → link. Artifacts are written under temporary names and
// renamed when all of them are complete, so that a failure leaves nothing behind. What is different for a training
// executable is in TrainingExecutable.cpp.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Driver/Compilation.h"

#include "dialects/Train/TrainDialect.h"
#include "lib/Driver/Describe.h"
#include "lib/Driver/InitialWeights.h"
#include "lib/Driver/MemoryReport.h"
#include "lib/Driver/Registration.h"
#include "lib/Driver/Report.h"
#include "lib/Driver/TrainingConfig.h"
#include "lib/Driver/VersionDirectory.h"
#include "lib/Export/Header/HeaderExport.h"
#include "lib/Export/Onnx/ExportOnnx.h"
#include "lib/Import/Dsl/ImportDsl.h"
#include "lib/Import/Onnx/ImportOnnx.h"
#include "lib/Support/WeightEvaluation.h"
#include "lib/Target/Cpu/ObjectCache.h"
#include "passes/Train/Passes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/TargetParser/Host.h"

#include <iostream>

using namespace mlir;

namespace mlc {

Compilation::Compilation(const CompileOptions &options, const std::string &program)
    : options(options), program(program) {
  DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  loadDialects(context);
  context.printOpOnDiagnostic(false);
}

ExitCode Compilation::fail(llvm::Error error) {
  std::cerr << "mlc-opt: " << options.input << ": " << llvm::toString(std::move(error)) << "\n";
  return exitBadInput;
}

std::string Compilation::outputPath() const {
  if (!options.output.empty())
    return options.output;
  std::string stem = llvm::sys::path::stem(options.input).str();
  switch (options.emit) {
  case EmitKind::object:
    return stem + ".o";
  case EmitKind::archive:
    return "lib" + stem + ".a";
  case EmitKind::library:
    return "lib" + stem + ".so";
  case EmitKind::executable:
    return stem;
  default:
    return "-";
  }
}

std::string Compilation::modelName() const {
  if (!options.name.empty())
    return options.name;
  StringRef stem =
      llvm::sys::path::stem(options.output.empty() || options.output == "-" ? options.input : options.output);
  if (options.emit == EmitKind::library || options.emit == EmitKind::archive)
    stem.consume_front("lib");
  return toIdentifier(stem.str());
}

OwningOpRef<ModuleOp> Compilation::importModel(ExitCode &code) {
  code = exitBadInput;
  if (StringRef(options.input).ends_with(".mlir") || options.input == "-") {
    ParserConfig config(&context);
    std::string message;
    auto file = openInputFile(options.input, &message);
    if (!file) {
      std::cerr << "mlc-opt: " << message << "\n";
      return nullptr;
    }
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(file->getBuffer(), config, options.input);
    if (!module)
      return nullptr;
    for (graph::ParameterOp parameter : graph::getStoredParameters(*module)) {
      uint64_t bytes = graph::getByteSize(cast<RankedTensorType>(parameter.getType()));
      std::string name = parameter.getSymName().str(), reason;
      if (parameter.getInitializer() && !parameter.getFile()) {
        llvm::Error error = defineInitialWeight(parameter, weights);
        if (!error)
          continue;
        reason = "has no values: " + llvm::toString(std::move(error));
      } else if (!parameter.getFile() || !parameter.getOffset()) {
        reason = "does not say in which file it is; compile the model that this was printed from";
      } else if (llvm::Expected<ArrayRef<char>> file = weights.mapFile(*parameter.getFile()); !file) {
        reason = "cannot be read: " + llvm::toString(file.takeError());
      } else if (uint64_t offset = *parameter.getOffset(); offset > file->size() || bytes > file->size() - offset) {
        reason = "ends behind the end of '" + parameter.getFile()->str() + "'";
      } else {
        weights.define(name, file->slice(offset, bytes));
        continue;
      }
      std::cerr << "mlc-opt: " << options.input << ": the weight '" << name << "' " << reason << "\n";
      return nullptr;
    }
    return module;
  }
  bool isText = StringRef(options.input).ends_with(".mlc");
  ImportOptions importing{options.shapes, options.dims, isText ? options.name : modelName(), options.training};
  std::optional<WeightMatcher> matcher;
  if (!options.loadWeights.empty()) {
    llvm::Expected<WeightMatcher> opened = WeightMatcher::open(options.loadWeights, weights);
    if (!opened) {
      std::cerr << "mlc-opt: " << llvm::toString(opened.takeError()) << "\n";
      return nullptr;
    }
    importing.loaded = &matcher.emplace(std::move(*opened));
  }
  std::vector<ImportProblem> problems;
  OwningOpRef<ModuleOp> module = isText ? importDsl(context, options.input, importing, problems)
                                        : importOnnx(context, options.input, importing, weights, problems);
  if (options.report != ReportKind::none) {
    std::cout << (options.report == ReportKind::json ? formatReportJson(options.input, problems)
                                                     : formatReport(options.input, problems));
    code = problems.empty() ? exitDone : exitBadInput;
    return nullptr;
  }
  for (const ImportProblem &problem : problems)
    std::cerr << (problem.line ? "" : "mlc-opt: ") << formatProblem(options.input, problem) << "\n";
  if (module && isText && !initializeWeights(*module, importing.loaded))
    return nullptr;
  std::vector<std::string> unmatched = module && matcher ? matcher->problems() : std::vector<std::string>();
  for (const std::string &problem : unmatched)
    std::cerr << "mlc-opt: " << options.input << ": " << problem << "\n";
  if (!unmatched.empty())
    return nullptr;
  return module;
}

/// The weights of a model that says how they begin: those of a file, or what its initializers give.
bool Compilation::initializeWeights(ModuleOp module, WeightMatcher *loaded) {
  bool isNeeded = options.compileTo.empty() && options.emit != EmitKind::mlir && !options.training;
  for (graph::ParameterOp parameter : graph::getStoredParameters(module)) {
    if (loaded) {
      if (auto bytes = loaded->match(parameter.getSymName(), cast<RankedTensorType>(parameter.getType())))
        weights.define(parameter.getSymName(), *bytes);
    } else if (isNeeded) {
      if (llvm::Error error = defineInitialWeight(parameter, weights)) {
        fail(std::move(error));
        return false;
      }
    }
  }
  return true;
}

/// A library does not train: it has no program, and nobody prepares its inputs.
void Compilation::dropTraining(ModuleOp module) {
  for (auto program : llvm::make_early_inc_range(module.getOps<train::ProgramOp>())) {
    if (FlatSymbolRefAttr preprocess = program.getPreprocessAttr())
      module.lookupSymbol(preprocess)->erase();
    program.erase();
  }
}

bool Compilation::dump(StringRef phase, ModuleOp module) {
  if (options.dumpPhasesTo.empty())
    return true;
  if (std::error_code error = llvm::sys::fs::create_directories(options.dumpPhasesTo)) {
    std::cerr << "mlc-opt: cannot make the folder '" << options.dumpPhasesTo << "': " << error.message() << "\n";
    return false;
  }
  std::string number = std::to_string(dumped++),
              path = options.dumpPhasesTo + "/" + (number.size() < 2 ? "0" : "") + number + "-" + phase.str() + ".mlir";
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  Artifacts artifacts;
  llvm::Error error = artifacts.writeText(path, text);
  if (!error)
    error = artifacts.commit();
  if (error) {
    std::cerr << "mlc-opt: " << llvm::toString(std::move(error)) << "\n";
    return false;
  }
  return true;
}

bool Compilation::runPhase(const Phase &phase, Variant &variant) {
  PassManager passes(&context);
  passes.enableVerifier(true);
  if (options.timing)
    passes.enableTiming();
  phase.build(passes, PipelineOptions{options.optLevel, options.exact, options.training, options.withGradient,
                                      variant.memory, batch, variant.target});
  if (failed(passes.run(*variant.module))) {
    std::cerr << "mlc-opt: " << options.input << ": the phase " << phase.name.str() << " failed\n";
    return false;
  }
  return true;
}

/// The blob of a variant. How its weights are computed is kept apart, as the module forgets it.
void Compilation::placeWeights(Variant &variant) {
  OpBuilder builder(&context);
  variant.weights = ModuleOp::create(builder, variant.module->getLoc());
  builder.setInsertionPointToEnd(variant.weights->getBody());
  for (auto parameter : variant.module->getOps<graph::ParameterOp>())
    builder.clone(*parameter);
  for (graph::PlacedWeight weight : graph::placeWeights(*variant.module)) {
    auto parameter = variant.weights->lookupSymbol<graph::ParameterOp>(weight.parameter.getSymName());
    variant.blob.segments.push_back({static_cast<uint64_t>(weight.offset), static_cast<uint64_t>(weight.bytes),
                                     [this, parameter] { return evaluateWeight(parameter, weights); }});
    variant.blob.bytes = weight.offset + weight.bytes;
    variant.placed.push_back(parameter);
  }
}

/// Makes one blob of the variants' weights. Variants whose weights are all the same share them; others have their own,
/// so that a library for several processors is up to as many times as large.
void Compilation::mergeWeights() {
  auto isSame = [](const Variant &a, const Variant &b) { return llvm::equal(a.placed, b.placed, areSameWeights); };
  blob = {};
  for (Variant &variant : variants) {
    auto same = llvm::find_if(variants, [&](const Variant &other) { return isSame(other, variant); });
    if (&*same != &variant) {
      variant.entry.weightsOffset = same->entry.weightsOffset;
      continue;
    }
    uint64_t offset = llvm::alignTo(blob.bytes, 64);
    variant.entry.weightsOffset = offset;
    for (const WeightSegment &segment : variant.blob.segments)
      blob.segments.push_back({offset + segment.offset, segment.size, segment.produce});
    if (variant.blob.bytes)
      blob.bytes = offset + variant.blob.bytes;
  }
  signature.weightsBytes = blob.bytes;
}

/// Compiles the partitions of all modules into temporary objects.
llvm::Expected<std::vector<std::string>> Compilation::compileObjects(LLVMModules modules, Artifacts &artifacts) {
  std::string cache = options.noCache ? "" : options.cache.empty() ? ObjectCache::defaultFolder() : options.cache;
  std::vector<std::string> paths;
  for (auto [variant, module] : llvm::zip(variants, modules)) {
    llvm::Expected<std::vector<std::string>> objects = emitObjects(*module, variant.cpu, options.threads, cache);
    if (!objects)
      return objects.takeError();
    for (const std::string &object : *objects) {
      llvm::Expected<std::string> path = artifacts.scratch(outputPath() + "." + std::to_string(paths.size()) + ".o",
                                                           [&](llvm::raw_pwrite_stream &out) {
                                                             out << object;
                                                             return llvm::Error::success();
                                                           });
      if (!path)
        return path.takeError();
      paths.push_back(*path);
    }
  }
  return paths;
}

/// The weights as a temporary object; nothing where there are none, or where they stay outside.
llvm::Expected<std::vector<std::string>> Compilation::weightsObjects(const std::string &triple, Artifacts &artifacts) {
  if (options.externalWeights || !blob.bytes)
    return std::vector<std::string>();
  llvm::Expected<std::string> path = artifacts.scratch(outputPath() + ".weights.o", [&](llvm::raw_pwrite_stream &out) {
    return writeWeightsObject(blob, signature.name, triple, out);
  });
  if (!path)
    return path.takeError();
  return std::vector{*path};
}

/// One object: the model with its weights, but without the runtime.
llvm::Error Compilation::emitObject(LLVMModules modules) {
  std::string output = outputPath();
  Artifacts artifacts;
  llvm::Expected<std::vector<std::string>> objects = compileObjects(modules, artifacts);
  if (!objects)
    return objects.takeError();
  llvm::Expected<std::vector<std::string>> weightsObject =
      weightsObjects(variants[0].machine->getTargetTriple().str(), artifacts);
  if (!weightsObject)
    return weightsObject.takeError();
  objects->insert(objects->end(), weightsObject->begin(), weightsObject->end());
  std::string temporary = artifacts.reserve(output);
  if (llvm::Error error = linkObject(*objects, temporary))
    return error;
  return artifacts.commit();
}

llvm::Error Compilation::emitLibrary(LLVMModules modules) {
  std::string output = outputPath(), stem = llvm::sys::path::stem(output).str(),
              folder = llvm::sys::path::parent_path(output).str();
  if (StringRef(stem).starts_with("lib"))
    stem = stem.substr(3);
  auto beside = [&](const std::string &name) { return folder.empty() ? name : folder + "/" + name; };
  std::string triple = variants[0].machine->getTargetTriple().str(), fileName = llvm::sys::path::filename(output).str();
  bool shared = options.emit == EmitKind::library;
  Artifacts artifacts;
  llvm::Expected<std::vector<std::string>> compiled = compileObjects(modules, artifacts);
  if (!compiled)
    return compiled.takeError();
  std::vector<std::string> objects = *compiled;
  if (options.externalWeights)
    if (llvm::Error error = artifacts.write(beside(stem + ".weights"),
                                            [&](llvm::raw_pwrite_stream &out) { return writeWeights(blob, out); }))
      return error;
  llvm::Expected<std::vector<std::string>> alone = weightsObjects(triple, artifacts);
  if (!alone)
    return alone.takeError();
  weights.clear(); // written; the linker needs the memory
  llvm::Expected<std::string> runtime = findRuntime("libmlcrt.a", program, triple);
  if (!runtime)
    return runtime.takeError();
  std::string temporary = artifacts.reserve(output);
  if (shared) {
    objects.insert(objects.end(), alone->begin(), alone->end());
    if (llvm::Error error = linkSharedLibrary(objects, *runtime, triple, fileName, temporary))
      return error;
  } else if (llvm::Error error = linkArchive(objects, *alone, *runtime, temporary)) {
    return error;
  }
  if (llvm::Error error = artifacts.writeText(
          beside(stem + ".h"), exportHeader(signature, options.withGradient ? &gradientSignature : nullptr)))
    return error;
  if (llvm::Error error = artifacts.writeText(beside(stem + ".pc"), exportPkgConfig(signature, stem, fileName)))
    return error;
  if (llvm::Error error =
          artifacts.writeText(beside(stem + "Config.cmake"), exportCMakeConfig(signature, stem, fileName, shared)))
    return error;
  return artifacts.commit();
}

/// Variants for the phases that depend on the processor, and what each takes and gives.
llvm::Error Compilation::describeVariants() {
  if (options.training) {
    placeStates();
    if (llvm::Error error = splitEntries())
      return error;
  }
  if (options.withGradient)
    if (llvm::Error error = splitGradient())
      return error;
  for (Variant &variant : variants) {
    if (!variant.module)
      variant.module = variants[0].module->clone();
    func::FuncOp entry = findEntry(*variant.module);
    if (!entry)
      return llvm::createStringError("expected exactly one public function with a body");
    variant.signature = describeGraph(entry, *variant.module);
  }
  if (!options.training)
    signature = variants[0].signature;
  return llvm::Error::success();
}

/// Behind the variants of the model those of its gradients. Each keeps the function that is its own.
llvm::Error Compilation::splitGradient() {
  size_t models = variants.size();
  for (size_t i = 0; i < models; ++i) {
    if (!variants[i].module)
      variants[i].module = variants[0].module->clone();
    Variant &variant = variants.emplace_back();
    variant.isGradient = true;
    variant.suffix = variants[i].suffix + "-gradient";
    variant.cpu = variants[i].cpu;
    variant.target = variants[i].target;
    llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = createTargetMachine(variant.cpu);
    if (!machine)
      return machine.takeError();
    variant.machine = std::move(*machine);
    variant.module = variants[i].module->clone();
  }
  for (Variant &variant : variants)
    for (auto function : llvm::make_early_inc_range(variant.module->getOps<func::FuncOp>()))
      if (function.isPublic() && (function.getName() == "gradient") != variant.isGradient)
        function.erase();
  return llvm::Error::success();
}

ExitCode Compilation::emit() {
  llvm::LLVMContext llvmContext;
  std::vector<std::unique_ptr<llvm::Module>> modules;
  ModelInterface model, gradient;
  if (options.training)
    signature.name = modelName();
  for (Variant &variant : variants) {
    modules.push_back(translateModuleToLLVMIR(*variant.module, llvmContext, signature.name));
    if (!modules.back()) {
      std::cerr << "mlc-opt: " << options.input << ": cannot translate to LLVM IR\n";
      return exitBug;
    }
    variant.entry.function = signature.name + "_entry" + variant.suffix;
    nameEntry(*modules.back(), variant.signature.name, variant.entry.function);
    (variant.isGradient ? gradient : model).entries.push_back(variant.entry);
    if (options.training)
      training.entries.emplace_back(variant.signature, variant.entry);
  }
  if (options.emit == EmitKind::executable) {
    if (llvm::Error error = emitExecutable(std::move(modules)))
      return fail(std::move(error));
    return exitDone;
  }
  std::string output = outputPath(), stem = llvm::sys::path::stem(output).str();
  if (StringRef(stem).starts_with("lib"))
    stem = stem.substr(3);
  if (options.withGradient) {
    // One module a processor, so that kernels which the model and its gradients have are one.
    size_t models = model.entries.size();
    for (size_t i = 0; i < models; ++i)
      if (llvm::Linker::linkModules(*modules[i], std::move(modules[models + i])))
        return fail(llvm::createStringError("cannot join the model and its gradients"));
    modules.resize(models);
    gradient.signature = gradientSignature;
    gradient.signature.weightsBytes = signature.weightsBytes;
  }
  model.signature = signature;
  emitModelInterface(*modules[0], model, gradient, options.emit == EmitKind::library,
                     options.externalWeights ? stem + ".weights" : "");
  if (options.emit == EmitKind::library || options.emit == EmitKind::archive) {
    if (llvm::Error error = emitLibrary(modules))
      return fail(std::move(error));
    return exitDone;
  }
  if (options.emit == EmitKind::object && output != "-") {
    if (llvm::Error error = emitObject(modules))
      return fail(std::move(error));
    return exitDone;
  }
  if (modules.size() > 1)
    return fail(llvm::createStringError("--mcpu=multi needs a library, an archive or an object file as its output"));
  llvm::Module &llvmModule = *modules[0];
  llvm::TargetMachine &machine = *variants[0].machine;
  optimizeModule(llvmModule, machine, options.optLevel);
  auto body = [&](llvm::raw_pwrite_stream &out) -> llvm::Error {
    if (options.emit == EmitKind::llvm) {
      llvmModule.print(out, nullptr);
      return llvm::Error::success();
    }
    return emitCode(llvmModule, machine,
                    options.emit == EmitKind::object ? llvm::CodeGenFileType::ObjectFile
                                                     : llvm::CodeGenFileType::AssemblyFile,
                    out);
  };
  if (output == "-") {
    SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    if (llvm::Error error = body(stream))
      return fail(std::move(error));
    llvm::outs() << StringRef(bytes.data(), bytes.size());
    return exitDone;
  }
  Artifacts artifacts;
  if (llvm::Error error = artifacts.write(output, body))
    return fail(std::move(error));
  if (llvm::Error error = artifacts.commit())
    return fail(std::move(error));
  return exitDone;
}

/// The model at inference, simplified.
bool Compilation::simplifyForExport(ModuleOp module) {
  PassManager passes(&context);
  if (options.timing)
    passes.enableTiming();
  passes.addNestedPass<func::FuncOp>(createTrainToInferencePass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  return succeeded(passes.run(module));
}

/// The model after the phase `import` as an ONNX file, with its weights in it or in a file beside it.
ExitCode Compilation::emitOnnx(ModuleOp module) {
  if (!simplifyForExport(module))
    return exitBug;
  func::FuncOp entry = findEntry(module);
  if (!entry) {
    std::cerr << "mlc-opt: " << options.input << ": expected exactly one public function with a body\n";
    return exitBadInput;
  }
  for (graph::ParameterOp parameter : graph::getStoredParameters(module))
    if (!weights.lookup(parameter.getSymName()))
      return fail(llvm::createStringError("the weight '" + parameter.getSymName() + "' has no value yet"));
  FailureOr<OnnxModel> model = exportOnnx(module, entry);
  if (failed(model))
    return exitBadInput;
  std::string output = outputPath(), externalName = llvm::sys::path::filename(output).str() + ".data";
  bool isTooLarge = isTooLargeForOneFile(*model), external = options.externalWeights || isTooLarge;
  if (output == "-") {
    if (external)
      return fail(llvm::createStringError("weights beside the model need the name of a file for it; give it with -o"));
    writeOnnx(*model, weights, {}, llvm::outs());
    return exitDone;
  }
  if (isTooLarge && !options.externalWeights)
    std::cerr << "mlc-opt: " << options.input
              << ": note: the model is larger than the 2 GiB that an ONNX file may have; "
              << "its weights are beside it in '" << externalName << "'\n";
  Artifacts artifacts;
  auto write = [&](llvm::raw_pwrite_stream *data) {
    return artifacts.write(output, [&](llvm::raw_pwrite_stream &out) {
      writeOnnx(*model, weights, {data, externalName}, out);
      return llvm::Error::success();
    });
  };
  StringRef folder = llvm::sys::path::parent_path(output);
  std::string externalPath = folder.empty() ? externalName : folder.str() + "/" + externalName;
  llvm::Error error = external
                          ? artifacts.write(externalPath, [&](llvm::raw_pwrite_stream &data) { return write(&data); })
                          : write(nullptr);
  if (!error)
    error = artifacts.commit();
  return error ? fail(std::move(error)) : exitDone;
}

/// One processor, or those of --mcpu=multi.
llvm::Error Compilation::chooseTargets() {
  if (options.cpu == "multi") {
    for (const CpuLevel &level : getCpuLevels()) {
      Variant &variant = variants.emplace_back();
      variant.suffix = level.suffix;
      variant.cpu = {options.triple, level.cpu, level.features, options.optLevel};
    }
    llvm::Triple triple(options.triple.empty() ? llvm::sys::getDefaultTargetTriple()
                                               : llvm::Triple::normalize(options.triple));
    if (triple.getArch() != llvm::Triple::x86_64)
      return llvm::createStringError("unsupported --mcpu=multi for " + triple.str() + "; name one CPU");
  } else {
    variants.emplace_back().cpu = {options.triple, options.cpu, "", options.optLevel};
  }
  for (Variant &variant : variants) {
    llvm::Expected<std::unique_ptr<llvm::TargetMachine>> created = createTargetMachine(variant.cpu);
    if (!created)
      return created.takeError();
    variant.machine = std::move(*created);
    variant.target = describeTarget(*variant.machine, options.cpu == "native" && options.triple.empty());
  }
  return llvm::Error::success();
}

ExitCode Compilation::run() {
  // Warnings and errors of passes name the node that they are about.
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    std::string where;
    if (auto name = dyn_cast<NameLoc>(diagnostic.getLocation()))
      where = "node '" + name.getName().str() + "': ";
    const char *kind = diagnostic.getSeverity() == DiagnosticSeverity::Error     ? "error: "
                       : diagnostic.getSeverity() == DiagnosticSeverity::Warning ? "warning: "
                                                                                 : "note: ";
    if (auto file = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
      where = std::to_string(file.getLine()) + ":" + std::to_string(file.getColumn()) + ": ";
    std::cerr << "mlc-opt: " << options.input << ": " << kind << where << diagnostic.str() << "\n";
    return success();
  });
  ExitCode code;
  OwningOpRef<ModuleOp> module = importModel(code);
  if (!module)
    return code;
  if (options.emit == EmitKind::onnx && options.compileTo.empty())
    return dump("import", *module) ? emitOnnx(*module) : exitBadInput;
  if (llvm::Error error = chooseTargets())
    return fail(std::move(error));
  if (options.training) {
    func::FuncOp model = findEntry(*module);
    if (!model)
      return fail(llvm::createStringError("expected exactly one public function with a body"));
    if (llvm::Error error = configureTraining(*module, model, options))
      return fail(std::move(error));
    batch = samplesOfStep(*module);
    training.config = toJson((*module->getOps<train::ProgramOp>().begin()).getConfig());
    exportForTraining(*module, model.getName());
  }
  std::string last = options.compileTo;
  if (last.empty() && options.emit == EmitKind::mlir)
    last = "llvm";
  variants[0].module = std::move(module);
  bool isShared = true;
  for (const Phase &phase : getPhases()) {
    if (phase.name == "linalg") {
      if (llvm::Error error = describeVariants())
        return fail(std::move(error));
      isShared = false;
    }
    if (phase.name == "graph" && !options.training)
      dropTraining(*variants[0].module);
    for (Variant &variant : llvm::MutableArrayRef(variants).take_front(isShared ? 1 : variants.size())) {
      if (phase.name == "buffer" && !options.training) // which binds the weights, and forgets how they are computed
        placeWeights(variant);
      if (!runPhase(phase, variant)) { // what cannot be differentiated is the model's, a memory too small the user's
        bool isOfUser =
            phase.name == (options.withGradient ? "graph" : "train") || (phase.name == "buffer" && variant.memory);
        return isOfUser ? exitBadInput : exitBug;
      }
      if (!dump(phase.name.str() + (isShared ? "" : variant.suffix), *variant.module))
        return exitBadInput;
      if (phase.name == "buffer") {
        func::FuncOp entry = findEntry(*variant.module);
        variant.entry.arenaBytes = entry->getAttrOfType<IntegerAttr>("rt.arena_bytes").getInt();
        variant.entry.nodes = describeNodes(entry);
        if (variant.memory)
          std::cerr << formatMemory(entry);
      }
    }
    if (phase.name == "linalg")
      for (Variant &variant : variants)
        describeResultSymbols(findEntry(*variant.module), variant.signature);
    if (phase.name == "linalg" && !options.training) {
      signature = variants[0].signature;
      gradientSignature = variants.back().signature; // of the model itself where there are no gradients
      gradientSignature.name = signature.name + "_gradient";
    }
    if (phase.name == "buffer" && !options.training)
      mergeWeights();
    if (phase.name == last)
      break;
  }
  if (!last.empty()) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    for (Variant &variant : variants)
      if (variant.module) { // several are apart as --split-input-file wants it
        stream << (text.empty() ? "" : "// -----\n");
        variant.module->print(stream);
        stream << "\n";
      }
    if (options.output.empty() || options.output == "-") {
      llvm::outs() << text;
      return exitDone;
    }
    Artifacts artifacts;
    if (llvm::Error error = artifacts.writeText(options.output, text))
      return fail(std::move(error));
    if (llvm::Error error = artifacts.commit())
      return fail(std::move(error));
    return exitDone;
  }
  return emit();
}

ExitCode compile(const CompileOptions &options, const std::string &program) {
  auto run = [&](const CompileOptions &options) { return Compilation(options, program).run(); };
  if (isVersionDirectory(options.output) && options.report == ReportKind::none && options.compileTo.empty())
    return compileVersionDirectory(options, run);
  return run(options);
}

} // namespace mlc
