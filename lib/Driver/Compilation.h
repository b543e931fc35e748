//===- Compilation.h - the state of one compilation ---------------------------------------------------------------===//
#ifndef MLC_LIB_DRIVER_COMPILATION_H
#define MLC_LIB_DRIVER_COMPILATION_H

#include "dialects/Graph/GraphDialect.h"
#include "lib/Driver/Artifacts.h"
#include "lib/Driver/CompileOptions.h"
#include "lib/Support/Signature.h"
#include "lib/Support/WeightMatcher.h"
#include "lib/Support/WeightStore.h"
#include "lib/Target/Cpu/CpuTarget.h"
#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/IR/Module.h"

namespace mlc {

/// The model for one processor, or one entry of a training program. What is before the phase `linalg` is done once for
/// all.
struct Variant {
  std::string suffix;
  /// What it takes and gives; of an entry its own.
  ModelSignature signature;
  CpuTargetOptions cpu;
  std::unique_ptr<llvm::TargetMachine> machine;
  TargetProperties target;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  WeightBlob blob;
  /// The parameters alone, and of those the ones in the blob, in its order.
  mlir::OwningOpRef<mlir::ModuleOp> weights;
  llvm::SmallVector<graph::ParameterOp> placed;
  ModelEntry entry;
  /// Whether it computes the model's gradients.
  bool isGradient = false;
  /// Bytes that a run may take, states included; 0: as many as it takes.
  uint64_t memory = 0;
};

/// One compilation.
class Compilation final {
public:
  Compilation(const CompileOptions &options, const std::string &program);

  ExitCode run();

private:
  ExitCode fail(llvm::Error error);
  mlir::OwningOpRef<mlir::ModuleOp> importModel(ExitCode &code);
  bool initializeWeights(mlir::ModuleOp module, WeightMatcher *loaded);
  void dropTraining(mlir::ModuleOp module);
  /// One for each variant.
  using LLVMModules = llvm::ArrayRef<std::unique_ptr<llvm::Module>>;
  llvm::Error chooseTargets();
  bool runPhase(const Phase &phase, Variant &variant);
  bool dump(llvm::StringRef phase, mlir::ModuleOp module);
  void placeWeights(Variant &variant);
  void mergeWeights();
  ExitCode emit();
  ExitCode emitOnnx(mlir::ModuleOp module);
  bool simplifyForExport(mlir::ModuleOp module);
  llvm::Error splitGradient();
  llvm::Error emitLibrary(LLVMModules modules);
  llvm::Error describeVariants();
  llvm::Error emitObject(LLVMModules modules);
  llvm::Expected<std::vector<std::string>> compileObjects(LLVMModules modules, Artifacts &artifacts);
  llvm::Expected<std::vector<std::string>> weightsObjects(const std::string &triple, Artifacts &artifacts);
  std::string modelName() const;
  std::string outputPath() const;

  // TrainingExecutable.cpp
  void exportForTraining(mlir::ModuleOp module, llvm::StringRef name);
  llvm::Error splitEntries();
  void placeStates();
  llvm::Error emitExecutable(std::vector<std::unique_ptr<llvm::Module>> modules);

  const CompileOptions &options;
  const std::string &program;
  mlir::MLIRContext context;
  std::vector<Variant> variants;
  WeightStore weights;
  ModelSignature signature;
  /// Of the model's gradients, with --with-gradient.
  ModelSignature gradientSignature;
  TrainingSignature training;
  WeightBlob blob;
  /// Samples of a training step.
  int64_t batch = 0;
  unsigned dumped = 0;
};

} // namespace mlc

#endif
