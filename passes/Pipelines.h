//===- Pipelines.h - the phases of the compiler ---------------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_PIPELINES_H
#define MLC_PASSES_PIPELINES_H

#include "passes/TargetProperties.h"

#include "mlir/Pass/PassManager.h"

namespace mlc {

/// What all phases may depend on.
struct PipelineOptions {
  /// 0: plain loops, the oracle. 1 to 3: fused and reordered.
  unsigned optLevel = 3;
  /// No transformation that computes other terms than the model's: no Winograd convolutions.
  bool exact = false;
  /// The model becomes a training program.
  bool training = false;
  /// Next to the model's function comes one for its gradients.
  bool gradient = false;
  /// Bytes that a step may take, with `batch` samples; 0: as many as it takes.
  uint64_t memory = 0;
  int64_t batch = 0;
  /// The processor to generate code for.
  TargetProperties target;
};

/// A phase: its name on the command line, and the passes that lead to it from the phase before.
struct Phase {
  llvm::StringLiteral name;
  void (*build)(mlir::OpPassManager &, const PipelineOptions &);
};

/// All phases in order. The first, `import`, is what an importer leaves: it has no passes.
llvm::ArrayRef<Phase> getPhases();

void buildGraphPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildTrainPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildCompressPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildLinalgPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildVectorPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildBufferPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildLLVMPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);

/// Registers the passes of mlc and each phase as a pipeline `--phase-<name>`.
void registerPassesAndPipelines();

} // namespace mlc

#endif
