//===- Compile.cpp - a compilation from the model to its artifact ------------------------------------------------===//
//
// import → the phases of passes/Pipelines.cpp → LLVM → object → link. Artifacts are written under temporary names and
// renamed when all of them are complete, so that a failure leaves nothing behind.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "lib/Driver/CompileOptions.h"
#include "lib/Driver/Describe.h"
#include "lib/Driver/Registration.h"
#include "lib/Driver/Report.h"
#include "lib/Export/Header/HeaderExport.h"
#include "lib/Import/Onnx/ImportOnnx.h"
#include "lib/Target/Cpu/CpuTarget.h"
#include "lib/Target/Cpu/ObjectCache.h"
#include "passes/Pipelines.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"

#include <iostream>

using namespace mlir;

namespace mlc {

namespace {

/// Files that appear together or not at all.
class Artifacts final {
public:
  ~Artifacts() {
    for (const auto &[temporary, path] : files) {
      llvm::sys::fs::remove(temporary);
      llvm::sys::DontRemoveFileOnSignal(temporary);
    }
  }
  /// A temporary file in the same folder that becomes `path`.
  std::string reserve(const std::string &path) {
    std::string temporary = path + ".tmp" + std::to_string(llvm::sys::Process::getProcessId());
    files.emplace_back(temporary, path);
    llvm::sys::RemoveFileOnSignal(temporary); // a kill leaves nothing behind
    return temporary;
  }
  llvm::Error writeText(const std::string &path, StringRef text) {
    return write(path, [&](llvm::raw_pwrite_stream &out) {
      out << text;
      return llvm::Error::success();
    });
  }
  llvm::Error write(const std::string &path, llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    return writeAt(reserve(path), path, body);
  }
  /// A file for this compilation only.
  llvm::Expected<std::string> scratch(const std::string &path,
                                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    std::string temporary = reserve(path);
    scratches.push_back(temporary);
    if (llvm::Error error = writeAt(temporary, path, body))
      return error;
    return temporary;
  }
  llvm::Error commit() {
    for (const auto &[temporary, path] : files) {
      if (llvm::is_contained(scratches, temporary))
        continue;
      if (std::error_code error = llvm::sys::fs::rename(temporary, path))
        return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    }
    return llvm::Error::success();
  }

private:
  llvm::Error writeAt(const std::string &temporary, const std::string &path,
                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    std::error_code error;
    llvm::raw_fd_ostream out(temporary, error);
    if (error)
      return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    if (llvm::Error failed = body(out))
      return failed;
    out.close();
    if (out.has_error()) {
      error = out.error();
      out.clear_error();
      return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    }
    return llvm::Error::success();
  }
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> scratches;
};

/// One compilation.
class Compilation final {
public:
  Compilation(const CompileOptions &options, const std::string &program) : options(options), program(program) {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.printOpOnDiagnostic(false);
  }

  ExitCode run();

private:
  ExitCode fail(llvm::Error error) {
    std::cerr << "mlc-opt: " << options.input << ": " << llvm::toString(std::move(error)) << "\n";
    return exitBadInput;
  }
  OwningOpRef<ModuleOp> importModel(ExitCode &code);
  bool runPhase(const Phase &phase, ModuleOp module);
  bool dump(StringRef phase, ModuleOp module);
  WeightBlob placeWeights(ModuleOp module);
  ExitCode emit(ModuleOp module);
  llvm::Error emitLibrary(llvm::Module &module, llvm::TargetMachine &machine);
  llvm::Error emitObject(llvm::Module &module, llvm::TargetMachine &machine);
  llvm::Expected<std::vector<std::string>> compileObjects(llvm::Module &module, Artifacts &artifacts);
  llvm::Expected<std::vector<std::string>> weightsObjects(const std::string &triple, Artifacts &artifacts);
  std::string modelName() const;
  std::string outputPath() const;

  const CompileOptions &options;
  const std::string &program;
  std::unique_ptr<llvm::TargetMachine> machine;
  TargetProperties target;
  MLIRContext context;
  WeightStore weights;
  ModelSignature signature;
  WeightBlob blob;
  unsigned dumped = 0;
};

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
    for (graph::PlacedWeight weight : graph::placeWeights(*module)) {
      graph::ParameterOp parameter = weight.parameter;
      std::string name = parameter.getSymName().str(), reason;
      if (!parameter.getFile() || !parameter.getOffset()) {
        reason = "does not say in which file it is; compile the model that this was printed from";
      } else if (llvm::Expected<ArrayRef<char>> file = weights.mapFile(*parameter.getFile()); !file) {
        reason = "cannot be read: " + llvm::toString(file.takeError());
      } else if (uint64_t offset = *parameter.getOffset();
                 offset > file->size() || static_cast<uint64_t>(weight.bytes) > file->size() - offset) {
        reason = "ends behind the end of '" + parameter.getFile()->str() + "'";
      } else {
        weights.define(name, file->slice(offset, weight.bytes));
        continue;
      }
      std::cerr << "mlc-opt: " << options.input << ": the weight '" << name << "' " << reason << "\n";
      return nullptr;
    }
    return module;
  }
  ImportOnnxOptions importing{options.shapes, options.dims, modelName()};
  std::vector<ImportProblem> problems;
  OwningOpRef<ModuleOp> module = importOnnx(context, options.input, importing, weights, problems);
  if (options.report != ReportKind::none) {
    std::cout << (options.report == ReportKind::json ? formatReportJson(options.input, problems)
                                                     : formatReport(options.input, problems));
    code = problems.empty() ? exitDone : exitBadInput;
    return nullptr;
  }
  for (const ImportProblem &problem : problems)
    std::cerr << "mlc-opt: " << formatProblem(options.input, problem) << "\n";
  return module;
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

bool Compilation::runPhase(const Phase &phase, ModuleOp module) {
  PassManager passes(&context);
  passes.enableVerifier(true);
  if (options.timing)
    passes.enableTiming();
  phase.build(passes, PipelineOptions{options.optLevel, target});
  if (failed(passes.run(module))) {
    std::cerr << "mlc-opt: " << options.input << ": the phase " << phase.name.str() << " failed\n";
    return false;
  }
  return true;
}

WeightBlob Compilation::placeWeights(ModuleOp module) {
  WeightBlob result;
  for (graph::PlacedWeight weight : graph::placeWeights(module)) {
    std::optional<ArrayRef<char>> bytes = weights.lookup(weight.parameter.getSymName());
    assert(bytes && static_cast<int64_t>(bytes->size()) == weight.bytes && "importers define every weight");
    result.segments.push_back({static_cast<uint64_t>(weight.offset), *bytes});
    result.bytes = weight.offset + weight.bytes;
  }
  return result;
}

/// Compiles the partitions of `module` into temporary objects.
llvm::Expected<std::vector<std::string>> Compilation::compileObjects(llvm::Module &module, Artifacts &artifacts) {
  std::string cache = options.noCache ? "" : options.cache.empty() ? ObjectCache::defaultFolder() : options.cache;
  llvm::Expected<std::vector<std::string>> objects =
      emitObjects(module, {options.triple, options.cpu, options.optLevel}, options.threads, cache);
  if (!objects)
    return objects.takeError();
  std::vector<std::string> paths;
  for (const std::string &object : *objects) {
    llvm::Expected<std::string> path =
        artifacts.scratch(outputPath() + "." + std::to_string(paths.size()) + ".o", [&](llvm::raw_pwrite_stream &out) {
          out << object;
          return llvm::Error::success();
        });
    if (!path)
      return path.takeError();
    paths.push_back(*path);
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
llvm::Error Compilation::emitObject(llvm::Module &module, llvm::TargetMachine &machine) {
  std::string output = outputPath();
  Artifacts artifacts;
  llvm::Expected<std::vector<std::string>> objects = compileObjects(module, artifacts);
  if (!objects)
    return objects.takeError();
  llvm::Expected<std::vector<std::string>> weightsObject = weightsObjects(machine.getTargetTriple().str(), artifacts);
  if (!weightsObject)
    return weightsObject.takeError();
  objects->insert(objects->end(), weightsObject->begin(), weightsObject->end());
  std::string temporary = artifacts.reserve(output);
  if (llvm::Error error = linkObject(*objects, temporary))
    return error;
  return artifacts.commit();
}

llvm::Error Compilation::emitLibrary(llvm::Module &module, llvm::TargetMachine &machine) {
  std::string output = outputPath(), stem = llvm::sys::path::stem(output).str(),
              folder = llvm::sys::path::parent_path(output).str();
  if (StringRef(stem).starts_with("lib"))
    stem = stem.substr(3);
  auto beside = [&](const std::string &name) { return folder.empty() ? name : folder + "/" + name; };
  std::string triple = machine.getTargetTriple().str(), fileName = llvm::sys::path::filename(output).str();
  bool shared = options.emit == EmitKind::library;
  Artifacts artifacts;
  llvm::Expected<std::vector<std::string>> compiled = compileObjects(module, artifacts);
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
  llvm::Expected<std::string> runtime = findRuntime(program);
  if (!runtime)
    return runtime.takeError();
  std::string temporary = artifacts.reserve(output);
  if (shared) {
    objects.insert(objects.end(), alone->begin(), alone->end());
    if (llvm::Error error = linkSharedLibrary(objects, *runtime, fileName, temporary))
      return error;
  } else if (llvm::Error error = linkArchive(objects, *alone, *runtime, temporary)) {
    return error;
  }
  if (llvm::Error error = artifacts.writeText(beside(stem + ".h"), exportHeader(signature)))
    return error;
  if (llvm::Error error = artifacts.writeText(beside(stem + ".pc"), exportPkgConfig(signature, stem, fileName)))
    return error;
  if (llvm::Error error =
          artifacts.writeText(beside(stem + "Config.cmake"), exportCMakeConfig(signature, stem, fileName, shared)))
    return error;
  return artifacts.commit();
}

ExitCode Compilation::emit(ModuleOp module) {
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(module, llvmContext, signature.name);
  if (!llvmModule) {
    std::cerr << "mlc-opt: " << options.input << ": cannot translate to LLVM IR\n";
    return exitBug;
  }
  std::string output = outputPath(), stem = llvm::sys::path::stem(output).str();
  if (StringRef(stem).starts_with("lib"))
    stem = stem.substr(3);
  emitModelInterface(*llvmModule, signature, options.emit == EmitKind::library,
                     options.externalWeights ? stem + ".weights" : "");
  if (options.emit == EmitKind::library || options.emit == EmitKind::archive) {
    if (llvm::Error error = emitLibrary(*llvmModule, *machine))
      return fail(std::move(error));
    return exitDone;
  }
  if (options.emit == EmitKind::object && output != "-") {
    if (llvm::Error error = emitObject(*llvmModule, *machine))
      return fail(std::move(error));
    return exitDone;
  }
  optimizeModule(*llvmModule, *machine, options.optLevel);
  auto body = [&](llvm::raw_pwrite_stream &out) -> llvm::Error {
    if (options.emit == EmitKind::llvm) {
      llvmModule->print(out, nullptr);
      return llvm::Error::success();
    }
    return emitCode(*llvmModule, *machine,
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
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> created =
      createTargetMachine({options.triple, options.cpu, options.optLevel});
  if (!created)
    return fail(created.takeError());
  machine = std::move(*created);
  target = describeTarget(*machine, options.cpu == "native" && options.triple.empty());
  std::string last = options.compileTo;
  if (last.empty() && options.emit == EmitKind::mlir)
    last = "llvm";
  for (const Phase &phase : getPhases()) {
    if (phase.name == "linalg") {
      func::FuncOp entry = findEntry(*module);
      if (!entry) {
        std::cerr << "mlc-opt: " << options.input << ": expected exactly one public function with a body\n";
        return exitBadInput;
      }
      signature = describeGraph(entry, *module);
    }
    if (!runPhase(phase, *module))
      return exitBug;
    if (!dump(phase.name, *module))
      return exitBadInput;
    if (phase.name == "linalg")
      describeResultSymbols(findEntry(*module), signature);
    if (phase.name == "buffer") {
      func::FuncOp entry = findEntry(*module);
      signature.arenaBytes = entry->getAttrOfType<IntegerAttr>("rt.arena_bytes").getInt();
      blob = placeWeights(*module);
      signature.weightsBytes = blob.bytes;
    }
    if (phase.name == last)
      break;
  }
  if (!last.empty()) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    stream << "\n";
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
  return emit(*module);
}

} // namespace

ExitCode compile(const CompileOptions &options, const std::string &program) {
  return Compilation(options, program).run();
}

} // namespace mlc
