//===- Passes.td - from a model to a training program ------------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_TRAIN_PASSES_TD
#define MLC_PASSES_TRAIN_PASSES_TD

include "mlir/Pass/PassBase.td"

def TrainToInferencePass : Pass<"train-to-inference", "::mlir::func::FuncOp"> {
  let summary = "Makes layers that train differently what they are at inference";
  let description = [{
    Dropout and augmentation vanish; batch normalizations use the running statistics.

    ```
    train.batch_norm %x, %s, %b, %m, %v      =>      graph.batch_norm %x, %s, %b, %m, %v
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numReplaced", "replaced", "layers that were replaced">];
}

#endif
