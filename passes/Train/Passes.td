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

def TrainBuildProgramPass : Pass<"train-build-program", "::mlir::ModuleOp"> {
  let summary = "Makes the functions of a training executable of a model";
  let description = [{
    Parameters become states, and the model's function becomes the functions `step`, `gradients`, `apply`, `evaluate` and `predict`, which
    `mlc_train_info` of abi.h describes. A module without a `train.program` stays as it is.

    ```
    train.program @f {loss = …, optimizer = …}        =>      func @step(x, label, learning_rate, iteration, seed) -> (loss, y)
    graph.parameter @w                                         train.state @w, train.state @"adam_m/w", …
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlc::train::TrainDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def TrainBuildGradientPass : Pass<"train-build-gradient", "::mlir::ModuleOp"> {
  let summary = "Makes a function of the gradients of a model's outputs by its inputs";
  let description = [{
    The public function gets a companion `gradient` that takes its inputs and a cotangent of each output of floats, and gives the gradient of each input of
    floats: the vector-Jacobian product, which explanations of predictions are made of.

    ```
    func @f(x) -> (y)        =>      func @f(x) -> (y), func @gradient(x, "cotangent/y") -> ("gradient/x")
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlc::train::TrainDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def TrainMixedPrecisionPass : Pass<"train-mixed-precision", "::mlir::ModuleOp"> {
  let summary = "Computes products and activations of a model in bf16";
  let description = [{
    Where the `train.program` says `precision = "bf16"`. Matmul and convolutions get operands in bf16, and give bf16; so do the
    element-wise ops and the moves of elements behind them that read nothing else but weights and constants. What else there is
    stays in f32; a batch normalization computes in f32 and gives bf16 where it gets it. Parameters are f32 and cast where they
    are read.

    ```
    graph.matmul %x, %w : tensor<4x8xf32>, tensor<8x2xf32>
    ```
    becomes
    ```
    %a = graph.cast %x : … to tensor<4x8xbf16>, %b = graph.cast %w : … to tensor<8x2xbf16>
    %c = graph.matmul %a, %b : tensor<4x8xbf16>, tensor<8x2xbf16>, %d = graph.cast %c : … to tensor<4x2xf32>
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numLowered", "lowered", "ops that compute in bf16">];
}

def TrainDifferentiatePass : Pass<"train-differentiate", "::mlir::func::FuncOp"> {
  let summary = "Expands gradients by reverse-mode differentiation";
  let description = [{
    Every op between the loss and what it is differentiated by says its vector-Jacobian product (`DifferentiableOpInterface`); cotangents are
    added up in a fixed order. An op on the way that has no derivative is an error, which names it. docs/Autodiff.md has the conventions.

    ```
    %l = graph.mul %x, %y; %g = train.gradient %l wrt %x      =>      %g = graph.mul %one, %y
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numExpanded", "expanded", "gradients that were expanded">];
}

#endif
