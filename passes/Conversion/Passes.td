//===- Passes.td - conversions between levels -------------------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_CONVERSION_PASSES_TD
#define MLC_PASSES_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertGraphToLinalgPass : Pass<"convert-graph-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lowers the graph dialect to linalg on tensors";
  let description = [{
    Every op becomes `linalg.generic` ops (or loops that carry a tensor, where the order matters). Sizes become index
    arithmetic; what only a run can check becomes `cf.assert` with the name of the node. Unsigned types become signless.

    ```
    %2 = graph.add %0, %1 : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    ```
    becomes a `linalg.generic` with the maps `(d0, d1) -> (d0, d1)`, `(d0, d1) -> (d1)` and `(d0, d1) -> (d0, d1)`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def ConvertRtToLLVMPass : Pass<"convert-rt-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Lowers what the code asks of the runtime to calls and loads of the frame";
  let description = [{
    The last lowering of our own: `!rt.frame` becomes a pointer to `mlc_frame` (abi.h), its ops become loads from it or
    calls of `mlc_rt_…` functions, `cf.assert` a branch to `mlc_rt_fail`. Everything else converts as upstream says.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def MoveBf16AsIntegersPass : Pass<"move-bf16-as-integers", "::mlir::ModuleOp"> {
  let summary = "Makes integers of the bf16 that a function only moves";
  let description = [{
    For processors without instructions for bf16, where LLVM moves its vectors element by element through f32. Runs when arithmetic in bf16 and its
    conversions are gone; functions that have some left stay as they are.
  }];
  let statistics = [Statistic<"numFunctions", "functions", "functions in which bf16 became integers">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif
