//===- Passes.td - on graph ops, before there are loops ----------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_GRAPH_PASSES_TD
#define MLC_PASSES_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

def GraphFoldBatchNormPass : Pass<"graph-fold-batch-norm", "::mlir::func::FuncOp"> {
  let summary = "Makes batch normalizations by known statistics part of the convolutions before them";
  let description = [{
    With s = scale / sqrt(variance + epsilon) and t = bias - mean * s, a normalization is x * s + t; a factor for each
    channel of a convolution with a known filter is one for its filter, and for the bias between the two.

    ```
    batch_norm(conv(x, w) + b, scale, bias, mean, variance)      =>      conv(x, w * s) + (b * s + t)
    ```

    What is computed of weights alone stands in the function afterwards: `graph-fold-weights` takes it away.
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numExpanded", "batch-norms", "normalizations that became a factor and a term">,
                    Statistic<"numScaled", "scaled-filters", "factors that moved into a filter">];
}

def GraphExpandConvTransposePass : Pass<"graph-expand-conv-transpose", "::mlir::func::FuncOp"> {
  let summary = "Makes transposed convolutions convolutions whose results interleave";
  let description = [{
    With a stride s, every s-th place of the result is a convolution of the input with every s-th tap of the filter. Where all of
    them have as many taps, they are one convolution, with the channels last; then the places move where they belong, and the
    padding is cut off. Otherwise each is a convolution of its own, unless it has few channels.

    ```
    conv_transpose(x, w; strides 2)      =>      pad(reshape(transpose(reshape(conv(x, w')))))
                                         or      reshape(concat(concat(conv(x, w00), conv(x, w01)), concat(conv(x, w10), conv(x, w11))))
    ```

    Dilations are left alone, and filters that are no weights unless `runtime-filters` is given.
  }];
  let options = [Option<"runtimeFilters", "runtime-filters", "bool", "false",
                        "also where the filter is known only at run time: in the gradients of convolutions with strides">];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numExpanded", "expanded", "transposed convolutions that became convolutions">];
}

def GraphFormIntegerProductsPass : Pass<"graph-form-integer-products", "::mlir::func::FuncOp"> {
  let summary = "Makes products of dequantized values products of 8-bit integers";
  let description = [{
    Scales that do not vary along the sum leave it as factors. Dequantizations move behind reshapes, transpositions and
    maxima, and vanish where a quantization by the same numbers follows. What is quantized behind such a product is multiplied by
    the reciprocal of its scale.

    ```
    conv(dequantize(x, s, 0), dequantize(w, t, 0))      =>      cast(conv(x, w)) * (s * t)
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numFormed", "integer-products", "products of integers">];
}

def GraphFoldWeightsPass : Pass<"graph-fold-weights", "::mlir::ModuleOp"> {
  let summary = "Computes at compile time what depends on weights alone";
  let description = [{
    The largest subgraphs whose leaves are weights and constants become the bodies of parameters, if their results are
    static and take at most twice the memory of what they are computed from. Of constants alone only floats are computed.

    ```
    %0 = graph.weight @w, %1 = graph.transpose %0      =>      %1 = graph.weight @w.folded
    ```
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numFolded", "folded-values", "values that became parameters">];
}

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

    A region that holds only convolutions of single pixels is left with its channels first where the transpositions at its
    border cost more; strides of such a convolution become a slice before it. Where an image of few channels is padded, that is
    done before the transposition, which then is no copy but strides.
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numAssigned", "channels-last", "ops that run with the channels last">,
                    Statistic<"numPadded", "padded-first", "convolutions of few channels whose padding is a copy of lines">,
                    Statistic<"numGathered", "gathered", "channels-first convolutions whose pixels are gathered first">];
}

def GraphLowerDepthwisePass : Pass<"graph-lower-depthwise", "::mlir::func::FuncOp"> {
  let summary = "Turns depthwise convolutions with the channels first into contractions";
  let description = [{
    Of images of static size, in f32 or f64, with strides of 1 or 2 along the lines. The contraction is `bounded`: it reads the
    input where it is, and what lies outside counts as zero.

    ```
    %1 = graph.conv %0, %w {groups = 8 : i64 …} : (tensor<1x8x14x14xf32>, tensor<8x1x3x3xf32>) -> tensor<1x8x14x14xf32>
    ```
    becomes
    ```
    %1 = kernel.contract ins(%0, %w …) outs(%empty …) maps [(n, c, y, x, i, j) -> (n, c, y + i - 1, x + j - 1), …] parallel 4 … bounded
    ```
  }];
  let dependentDialects = ["::mlc::kernel::KernelDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numLowered", "depthwise", "convolutions that became contractions">];
}

def GraphChooseWinogradPass : Pass<"graph-choose-winograd", "::mlir::ModuleOp"> {
  let summary = "Computes 3×3 convolutions by tiles, with fewer products, where that pays";
  let description = [{
    Channels-last convolutions of f32 with strides of 1. Filters that are weights are transformed at compile time. With
    `runtime-filters` others are too, by a `graph.winograd_filter`, and the gradients of filters are computed by tiles.

    ```
    graph.conv %0, %w {channels_last …}             =>      graph.winograd_conv %0, %w.winograd
    graph.conv %0, transpose(flip(%f))              =>      graph.winograd_conv %0, (graph.winograd_filter %f {turned})
    graph.conv_filter_gradient %0, %1 {kernel 3×3}  =>      graph.winograd_filter_gradient %0, %1
    ```
  }];
  let options = [Option<"runtimeFilters", "runtime-filters", "bool", "false",
                        "also where the filter is known only at run time: in training programs">];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
  let statistics = [Statistic<"numChosen", "winograd-convolutions", "convolutions computed by tiles">];
}

#endif
