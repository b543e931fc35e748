//===- Recurrence.td - ops with a state, part of GraphOps.td --------------------------------*- tablegen -*------===//
#ifndef MLC_DIALECTS_GRAPH_RECURRENCE_TD
#define MLC_DIALECTS_GRAPH_RECURRENCE_TD

def ScanOp : Graph_Op<"scan", [AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock, Graph_Differentiable]> {
  let summary = "walks along sequences with a state";
  let description = [{
    For every step t, in order, or from the last to the first with `reverse`:

      state, output[t] = body(state, input[t], captures)

    The state starts as `inits`. Inputs are cut along axis 0, whose size is the number of steps; the body sees slices of
    one rank less. Captures are what the body reads as it is in every step, tensors and sizes: nothing else from outside is
    visible there. The body yields the new state, then the step's outputs. Results are the last state (the first one
    where there are no steps), then the outputs of all steps along a new axis 0, each at the place of its inputs.

    Constraints: (C1) there is an input, and inputs have rank 1 at least; (C2) the body's arguments are the state, a slice of each
    input and the captures; (C3) it ends with a `graph.yield` of a value a state, of the state's type but for sizes that
    only a run knows, and any number of outputs; (C4) inputs have the same number of steps.

    Example:
    ```
    %last, %sums = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<?x4xf32>) captures(%w : tensor<4xf32>) {
    ^bb0(%sum: tensor<4xf32>, %slice: tensor<4xf32>, %weight: tensor<4xf32>):
      %0 = graph.mul %slice, %weight : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      %1 = graph.add %sum, %0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      graph.yield %1, %1 : tensor<4xf32>, tensor<4xf32>
    } -> tensor<4xf32>, tensor<?x4xf32>
    ```
  }];
  let arguments = (ins Variadic<Graph_Tensor>:$inits, Variadic<Graph_Tensor>:$inputs,
                       Variadic<AnyTypeOf<[Graph_Tensor, Index]>>:$captures, UnitAttr:$reverse);
  let results = (outs Variadic<Graph_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`inits` `(` $inits^ `:` type($inits) `)`)? `inputs` `(` $inputs `:` type($inputs) `)`
    (`captures` `(` $captures^ `:` type($captures) `)`)? (`reverse` $reverse^)? attr-dict-with-keyword $body
    (`->` type($results)^)?
  }];
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$inits, "::mlir::ValueRange":$inputs, "::mlir::ValueRange":$captures,
                                 "bool":$reverse, "::mlir::Region &&":$body)>];
  let extraClassDeclaration = shapeDeclarations # [{
    /// The results that are the last state.
    ::mlir::ResultRange getLast() { return getResults().take_front(getInits().size()); }
    /// The results that hold the outputs of all steps.
    ::mlir::ResultRange getOutputs() { return getResults().drop_front(getInits().size()); }
    /// The body's arguments for the state, the slices and the captures.
    ::mlir::Block::BlockArgListType getStateArguments();
    ::mlir::Block::BlockArgListType getSliceArguments();
    ::mlir::Block::BlockArgListType getCaptureArguments();
    YieldOp getYield();
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

#endif
