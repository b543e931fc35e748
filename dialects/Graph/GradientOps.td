//===- GradientOps.td - ops that only gradients need ----------------------------------------*- tablegen -*-------===//
//
// Included by GraphOps.td, whose classes they use.
//
//===------------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_GRADIENTOPS_TD
#define MLC_DIALECTS_GRAPH_GRADIENTOPS_TD

def ConvFilterGradientOp : Graph_Op<"conv_filter_gradient", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "finds how a convolution's filter changes a loss";
  let description = [{
    With the cotangent of what `graph.conv` with these attributes makes of the input and a filter, that of the filter
    `[F, C / groups, k…]`, where `kernel` are the sizes k:

      result[f, c, k…] = sum over n, y… of input[n, c, y * stride + k * dilation - pad] * cotangent[n, f, y…]

    Constraints: (C1) ranks agree and are at least 3; (C2) attributes have one entry a spatial axis, `pads` two; (C3)
    kernel, strides, dilations and `groups` are positive; (C4) the channels of both are multiples of `groups`.
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$cotangent, DenseI64ArrayAttr:$kernel,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
                       DefaultValuedAttr<I64Attr, "1">:$groups, UnitAttr:$channels_last);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def PoolGradientOp : Graph_Op<"pool_gradient", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "finds how a pool's input changes a loss";
  let description = [{
    With the cotangent of what `graph.pool` of the same kind and attributes makes of the input, that of the input. In
    a window of `max` its first maximum in row-major order takes all, found by comparing with `pooled`, the pool's result; NaN
    takes nothing. Of the input of a `sum` only the sizes matter.

    Constraints: (C1) the rank is at least 3; (C2) attributes have one entry a spatial axis, `pads` two; (C3) kernel and
    strides are positive, pads are not negative; (C4) `kind` is `max` or `sum`; (C5) `pooled` is present exactly for `max`.

    Example: `%1 = graph.pool_gradient max %x, %g, %y {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
    pads = array<i64: 0, 0, 0, 0>} : (tensor<1x1x4x4xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x1x4x4xf32>`
  }];
  let arguments = (ins Graph_PoolKind:$kind, Graph_FloatTensor:$input, Graph_FloatTensor:$cotangent,
                       Optional<Graph_FloatTensor>:$pooled, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, UnitAttr:$channels_last);
  let results = (outs Graph_FloatTensor:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif
