//===- Passes.td - on the graph, before anything is lowered ------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_GRAPH_PASSES_TD
#define MLC_PASSES_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def GraphAssignLayoutPass : Pass<"graph-assign-layout", "::mlir::func::FuncOp"> {
  let summary = "Runs convolutions and pools with the channels last";
  let description = [{
    Register tiles vectorise channels, which then lie side by side. Every convolution and pool gets a transposition before
    and after it; they sink through element-wise ops, reductions, concatenations, paddings and slices until they meet and
    cancel, so that only those at the ends of the graph stay.

    ```
    %1 = graph.conv %0, %w … : (tensor<1x3x8x8xf32>, …) -> tensor<1x4x8x8xf32>
    ```
    becomes
    ```
    %1 = graph.transpose %0 {permutation = array<i64: 0, 2, 3, 1>} …
    %2 = graph.conv %1, %w {channels_last} … : (tensor<1x8x8x3xf32>, …) -> tensor<1x8x8x4xf32>
    %3 = graph.transpose %2 {permutation = array<i64: 0, 3, 1, 2>} …
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numAssigned", "channels-last", "ops that run with the channels last">];
}

#endif
