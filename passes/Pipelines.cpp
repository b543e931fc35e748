//===- Pipelines.cpp - the table of contents of the compiler -----------------------------------------------------===//
#include "passes/Pipelines.h"

#include "passes/Buffer/Passes.h"
#include "passes/Conversion/Passes.h"
#include "passes/Graph/Passes.h"
#include "passes/Linalg/Passes.h"
#include "passes/Train/Passes.h"
#include "passes/Vector/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace mlc {

namespace {
void importPhase(OpPassManager &, const PipelineOptions &) {}
} // namespace

void buildGraphPipeline(OpPassManager &pm, const PipelineOptions &options) {
  if (!options.training)
    pm.addNestedPass<func::FuncOp>(createTrainToInferencePass()); // layers that train differently
  pm.addPass(createCanonicalizerPass());                          // folds, and drops what nobody uses
  pm.addPass(createCSEPass());                                    // equal subgraphs once
  bool known = !options.training;                                 // weights that change are not computed with
  if (options.optLevel > 0) {
    if (known && !options.exact)
      pm.addNestedPass<func::FuncOp>(createGraphFormIntegerProductsPass()); // quantized models compute in integers
    if (known)
      pm.addNestedPass<func::FuncOp>(createGraphFoldBatchNormPass());     // normalizations move into filters
    pm.addNestedPass<func::FuncOp>(createGraphExpandConvTransposePass()); // transposed convolutions by phases
    pm.addNestedPass<func::FuncOp>(createGraphAssignLayoutPass());        // convolutions run with the channels last
    pm.addPass(createCanonicalizerPass());
    if (known)
      pm.addPass(createGraphFoldWeightsPass()); // what is made of weights alone becomes a weight
    pm.addPass(createCSEPass());                // also of weights that are read twice
  }
  if (options.gradient) {
    pm.addPass(createTrainBuildGradientPass()); // of the model as it is now, before it computes other terms
    pm.addNestedPass<func::FuncOp>(createTrainDifferentiatePass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }
  if (options.optLevel > 0 && known && !options.exact)
    pm.addPass(createGraphChooseWinogradPass()); // fewer products for 3×3 convolutions
  pm.addPass(createSymbolDCEPass());             // weights that no node reads
}

void buildTrainPipeline(OpPassManager &pm, const PipelineOptions &options) {
  if (options.training) {
    pm.addPass(createTrainMixedPrecisionPass()); // products in bf16, where that is asked for
    pm.addPass(createTrainBuildProgramPass());   // one function an entry of the executable, weights as states
    pm.addNestedPass<func::FuncOp>(createTrainToInferencePass()); // of those that do not train
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  }
  pm.addNestedPass<func::FuncOp>(createTrainDifferentiatePass()); // gradients become graph ops,
  if (options.optLevel > 0) {
    GraphExpandConvTransposePassOptions expand;
    expand.runtimeFilters = true;
    pm.addNestedPass<func::FuncOp>(createGraphExpandConvTransposePass(expand)); // those of strides by phases
  }
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.training && options.optLevel > 0 && !options.exact) {
    GraphChooseWinogradPassOptions winograd;
    winograd.runtimeFilters = true;
    pm.addPass(createGraphChooseWinogradPass(winograd)); // fewer products, in the gradients too
    pm.addPass(createCanonicalizerPass());               // drops what turned the filters
  }
}

// Compression has no passes yet.
void buildCompressPipeline(OpPassManager &, const PipelineOptions &) {}

void buildLinalgPipeline(OpPassManager &pm, const PipelineOptions &options) {
  if (options.optLevel > 0)
    pm.addNestedPass<func::FuncOp>(createGraphLowerDepthwisePass()); // windows along lines read no padded copy
  pm.addPass(createConvertGraphToLinalgPass());                      // every op becomes loops over its result
  pm.addPass(createCanonicalizerPass());                             // size arithmetic folds
  pm.addPass(createCSEPass());
  if (options.optLevel == 0)
    return;
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createLinalgStoreBitsAsBytesPass());     // so that masks are vectors like others
  function.addPass(createLinalgRecomputeElementwisePass()); // what two chains share and is cheap
  function.addPass(createLinalgFormContractionsPass());     // sums of products, with what follows them
  function.addPass(createLinalgFuseElementwisePass());      // other element-wise chains in one loop
  function.addPass(createLinalgFormContractionsPass());     // chains that are one loop only now, behind a sum
  LinalgFuseRowsPassOptions rows;
  rows.exact = options.exact;
  function.addPass(createLinalgFuseRowsPass(rows));  // softmax and normalizations, with what is around them
  function.addPass(createLinalgFormAttentionPass()); // a softmax between two products
  function.addPass(createCanonicalizerPass());
  function.addPass(createCSEPass());
  function.addPass(createLinalgFindTrianglesPass()); // what a causal mask leaves out
}

void buildVectorPipeline(OpPassManager &pm, const PipelineOptions &options) {
  if (options.optLevel == 0)
    return;
  VectorChooseTilesPassOptions tiles;
  tiles.vectorBits = options.target.vectorBits;
  tiles.vectorRegisters = options.target.vectorRegisters;
  tiles.l1Bytes = options.target.l1Bytes;
  tiles.l2Bytes = options.target.l2Bytes;
  tiles.isX86 = options.target.family == TargetProperties::Family::x86;
  tiles.isAArch64 = options.target.family == TargetProperties::Family::aarch64;
  tiles.dotInt8 = options.target.dotInt8;
  tiles.dotBf16 = options.target.dotBf16;
  pm.addPass(createVectorChooseTilesPass(tiles)); // a register tile each; weights in panels of its width
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createLoopInvariantCodeMotionPass()); // operands that every step reads are packed before the first
  function.addPass(createLinalgInterchangeLoopsPass());  // so that LLVM vectorises the inner loop of the rest,
  function.addPass(createLinalgReassociateSumsPass());   // sums along it included
  function.addPass(createCanonicalizerPass());
}

void buildBufferPipeline(OpPassManager &pm, const PipelineOptions &options) {
  pm.addPass(createBufferBindEntryPass()); // arguments and results become the frame
  if (options.optLevel > 0) {
    pm.addNestedPass<func::FuncOp>(createBufferReuseStatesPass());         // what a loop carries, in place
    pm.addNestedPass<func::FuncOp>(createBufferUnshareDestinationsPass()); // what CSE made one
    pm.addPass(bufferization::createEmptyTensorEliminationPass());         // results are computed where they are wanted
  }
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.allowReturnAllocsFromLoops = true;
  bufferize.copyBeforeWrite = false;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize)); // tensors become memory
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createBufferSettleLoopsPass()); // what a loop carries stays where it is
  function.addPass(createCanonicalizerPass());
  BufferPlanArenaPassOptions arena;
  if (options.memory) {
    BufferRematerializePassOptions fit;
    fit.budget = options.memory;
    arena.batch = fit.batch = options.batch;
    pm.addPass(createBufferRematerializePass(fit)); // what does not fit is computed again
  }
  OpPassManager &planned = pm.nest<func::FuncOp>();
  planned.addPass(createBufferPlanArenaPass(arena)); // every buffer of known size gets its place
  planned.addPass(createBufferExpandCopiesPass());   // what is no memcpy becomes a loop
  planned.addPass(createBufferExpandReshapesPass()); // what upstream cannot view becomes a cast
  if (options.optLevel > 0) {
    pm.addPass(createBufferOutlineKernelsPass());     // one function a kernel, equal ones once
    pm.addPass(createBufferParallelizeKernelsPass()); // large ones on the threads of the run
    pm.addPass(createBufferMarkNodesPass());          // so that runs can be profiled
    pm.addPass(createBufferAnnounceGradientsPass());  // so that processes exchange them while others are computed
  }
}

void buildLLVMPipeline(OpPassManager &pm, const PipelineOptions &options) {
  if (options.optLevel > 0) {
    VectorLowerAttentionPassOptions attention;
    attention.vectorBits = options.target.vectorBits;
    attention.vectorRegisters = options.target.vectorRegisters;
    attention.l1Bytes = options.target.l1Bytes;
    attention.l2Bytes = options.target.l2Bytes;
    pm.addPass(createVectorLowerAttentionPass(attention)); // attention by blocks of keys, as the next two
    VectorLowerContractionsPassOptions contractions;
    contractions.vectorBits = options.target.vectorBits;
    contractions.l1Bytes = options.target.l1Bytes;
    contractions.l2Bytes = options.target.l2Bytes;
    contractions.isX86 = options.target.family == TargetProperties::Family::x86;
    pm.addPass(createVectorLowerContractionsPass(contractions)); // register tiles, written out
    VectorLowerPacksPassOptions packs;
    packs.vectorBits = options.target.vectorBits;
    pm.addPass(createVectorLowerPacksPass(packs)); // operands in the order of their tiles
    VectorLowerTranspositionsPassOptions transpositions;
    transpositions.vectorBits = options.target.vectorBits;
    pm.addPass(createVectorLowerTranspositionsPass(transpositions)); // squares of vectors, instead of strided loops
    VectorLowerRowsPassOptions rows;
    rows.vectorBits = options.target.vectorBits;
    pm.addPass(createVectorLowerRowsPass(rows)); // rows by vectors
  }
  OpPassManager &function = pm.nest<func::FuncOp>();
  if (options.optLevel > 0)
    function.addPass(createLinalgCollapseLoopsPass()); // element-wise loops without gaps are one, which is vectorised
  function.addPass(createConvertLinalgToLoopsPass());
  if (options.optLevel > 0)
    function.addPass(createVectorApproximateMathPass()); // exp, tanh and the like as polynomials
  pm.addPass(memref::createFoldMemRefAliasOpsPass());    // accesses of views become accesses of their buffers
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.optLevel > 0)
    pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  const bool emulatesBf16 = options.optLevel > 0 && !options.target.dotBf16;
  if (emulatesBf16) {
    arith::ArithEmulateUnsupportedFloatsOptions emulate;
    emulate.sourceTypeStrs = {"bf16"};
    emulate.targetTypeStr = "f32";
    pm.addPass(arith::createArithEmulateUnsupportedFloats(emulate)); // LLVM would call a function for each element
  }
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand)); // rounding divisions, bf16 without hardware
  if (options.optLevel > 0)
    pm.addPass(createConvertMathToLLVMPass()); // instructions, where there are
  pm.addPass(createConvertMathToLibmPass());   // what LLVM has no intrinsic for
  if (options.optLevel > 0)
    pm.addPass(createBufferMergeParallelLoopsPass()); // threads are woken once for many loops
  pm.addPass(createConvertRtToLLVMPass());
  if (emulatesBf16)
    pm.addPass(createMoveBf16AsIntegersPass()); // LLVM would take vectors of it apart
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

ArrayRef<Phase> getPhases() {
  static const Phase phases[] = {{"import", importPhase},         {"graph", buildGraphPipeline},
                                 {"train", buildTrainPipeline},   {"compress", buildCompressPipeline},
                                 {"linalg", buildLinalgPipeline}, {"vector", buildVectorPipeline},
                                 {"buffer", buildBufferPipeline}, {"llvm", buildLLVMPipeline}};
  return phases;
}

void registerPassesAndPipelines() {
  registerConversionPasses();
  registerGraphPasses();
  registerTrainPasses();
  registerLinalgPasses();
  registerVectorPasses();
  registerBufferPasses();
  struct Options : PassPipelineOptions<Options> {
    Option<unsigned> optLevel{*this, "opt-level", llvm::cl::desc("0 to 3"), llvm::cl::init(3)};
    Option<bool> exact{*this, "exact", llvm::cl::desc("no Winograd convolutions, no integer products of floats"),
                       llvm::cl::init(false)};
  };
  for (const Phase &phase : getPhases())
    PassPipelineRegistration<Options>(
        "phase-" + phase.name.str(), "the passes that lead to the phase " + phase.name.str(),
        [&phase](OpPassManager &pm, const Options &options) {
          phase.build(pm, PipelineOptions{options.optLevel, options.exact, false, false, 0, 0, {}});
        });
}

} // namespace mlc
