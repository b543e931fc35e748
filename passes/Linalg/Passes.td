//===- Passes.td - on linalg ops, before there is memory ---------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_LINALG_PASSES_TD
#define MLC_PASSES_LINALG_PASSES_TD

include "mlir/Pass/PassBase.td"

def LinalgInterchangeLoopsPass : Pass<"linalg-interchange-loops", "::mlir::func::FuncOp"> {
  let summary = "Puts a parallel loop over contiguous elements innermost";
  let description = [{
    Sums in the inner loop cannot be vectorised without changing the order of additions; a parallel loop can. Of the
    parallel loops the one that most operands read contiguously, or do not read at all, goes inside, if its size is not
    known to be small; the reductions keep their order.

    ```
    (i, j, k) -> C(i, j) += A(i, k) * B(k, j)      =>      (i, k, j) -> C(i, j) += A(i, k) * B(k, j)
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
  let statistics = [Statistic<"numInterchanged", "interchanged-ops", "ops whose loops changed order">];
}

def LinalgRecomputeElementwisePass : Pass<"linalg-recompute-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Computes cheap element-wise values again where they are read";
  let description = [{
    Where several element-wise ops read a value that follows from one tensor alone by a few instructions, and that tensor
    is in memory anyway. Runs before `linalg-fuse-elementwise`, which moves each copy into its reader.

    ```
    %1 = mul(%0), %2 = exp(%1), %3 = add(%1, %a)      =>      %1 = mul(%0), %2 = exp(%1), %1b = mul(%0), %3 = add(%1b, %a)
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
  let statistics = [Statistic<"numRecomputed", "recomputed-ops", "ops computed by each of their readers">];
}

def LinalgStoreBitsAsBytesPass : Pass<"linalg-store-bits-as-bytes", "::mlir::func::FuncOp"> {
  let summary = "Makes masks between loops tensors of bytes";
  let description = [{
    Vectors of i1 are packed, but memory has a byte for each element: LLVM accesses them one by one.

    ```
    %mask = linalg.generic … { yield %bit : i1 }      =>      %mask = linalg.generic … { yield (extui %bit) : i8 }
    ```
    and whatever reads the mask begins with `trunci … : i8 to i1`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numWidened", "masks", "tensors of bits made tensors of bytes">];
}

def LinalgFuseElementwisePass : Pass<"linalg-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Computes chains of element-wise ops in one loop";
  let description = [{
    Only where nothing is computed twice: the producer has one use, and its consumer reads every element once.

    ```
    %1 = exp(%0), %2 = neg(%1)      =>      %2 = neg(exp(%0)) in one linalg.generic
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def LinalgFormContractionsPass : Pass<"linalg-form-contractions", "::mlir::func::FuncOp"> {
  let summary = "Makes sums of products one op, with what follows them";
  let description = [{
    Permutations of the operands and of the result move into the maps; element-wise ops that alone read the result move into
    the epilogue.

    ```
    %2 = linalg.generic … { sum + %0 * %1 }, %3 = linalg.generic … { relu(%2 + %bias) }
    ```
    becomes `kernel.contract ins(%0, %1) extras(%bias) … { relu(sum + bias) }`.
  }];
  let dependentDialects = ["::mlc::kernel::KernelDialect"];
  let statistics = [Statistic<"numFormed", "contractions", "contractions formed">,
                    Statistic<"numFused", "fused-consumers", "element-wise ops moved into an epilogue">];
}

def LinalgFuseRowsPass : Pass<"linalg-fuse-rows", "::mlir::func::FuncOp"> {
  let summary = "Makes reductions along rows, with all that shares their loops, one op";
  let description = [{
    A reduction over the last axes, the ops that read or make its rows element by element, further reductions of them, and
    arithmetic on the results. Divisions by one number a row become products with its reciprocal, but for `exact`.

    ```
    %max = linalg.generic … { maximumf }, %e = linalg.generic … { exp(%x - %max) }, %sum = linalg.generic … { addf },
    %y = linalg.generic … { %e / %sum }
    ```
    becomes `kernel.rows ins(%x) outs(%i) … { kernel.reduce <maximumf> … kernel.reduce <add> … }`.
  }];
  let options = [Option<"exact", "exact", "bool", "false", "divide every element">];
  let dependentDialects = ["::mlc::kernel::KernelDialect"];
  let statistics = [Statistic<"numRows", "rows-kernels", "kernels formed">,
                    Statistic<"numFused", "fused-ops", "ops that became part of one">];
}

def LinalgFormAttentionPass : Pass<"linalg-form-attention", "::mlir::func::FuncOp"> {
  let summary = "Makes two products with a softmax in between one op";
  let description = [{
    What is done to the scores becomes the region of the op; transpositions of its operands move into the maps.

    ```
    %s = kernel.contract ins(%q, %k), %p = kernel.rows ins(%s) { softmax }, %o = kernel.contract ins(%p, %v)
    ```
    becomes `kernel.attention ins(%q, %k, %v)`.
  }];
  let dependentDialects = ["::mlc::kernel::KernelDialect"];
  let statistics = [Statistic<"numFormed", "attentions", "attentions formed">];
}

def LinalgFindTrianglesPass : Pass<"linalg-find-triangles", "::mlir::func::FuncOp"> {
  let summary = "Tells kernels what a causal mask leaves out";
  let description = [{
    A comparison of two indices is one value on one side of a diagonal. What follows from it there, kernel by kernel, says which
    sums nobody looks at, which products are zero and which columns of rows change nothing.

    ```
    %s = kernel.contract … { select(%j <= %i, %sum, -inf) }, %p = kernel.rows ins(%s) { softmax }, %o = kernel.contract ins(%p, %v)
    ```
    become the same ops with `triangle [i, j, 0]`.
  }];
  let dependentDialects = ["::mlc::kernel::KernelDialect"];
  let statistics = [Statistic<"numFound", "triangles", "kernels that leave something out">];
}

def LinalgReassociateSumsPass : Pass<"linalg-reassociate-sums", "::mlir::func::FuncOp"> {
  let summary = "Lets sums along the innermost loop be split into lanes";
  let description = [{
    The op that combines with the accumulator gets `fastmath<reassoc>`, nothing else.

    ```
    %2 = arith.addf %sum, %x : f32      =>      %2 = arith.addf %sum, %x fastmath<reassoc> : f32
    ```
  }];
  let statistics = [Statistic<"numRelaxed", "relaxed-sums", "combining ops that may be reassociated">];
}

def LinalgCollapseLoopsPass : Pass<"linalg-collapse-loops", "::mlir::func::FuncOp"> {
  let summary = "Joins element-wise loops over what lies side by side in memory";
  let description = [{
    LLVM vectorises the innermost loop alone, and the one over the taps of a filter has three iterations.

    ```
    linalg.generic … ins(%0 : memref<64x3x3xf32>) outs(%1 : memref<64x3x3xf32>) { … }
    ```
    becomes the same op on `memref<576xf32, strided<[1]>>`. Neighbouring loops are joined where every operand continues
    from one to the other, or moves with neither.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
  let statistics = [Statistic<"numCollapsed", "collapsed-ops", "ops with fewer loops">];
}

#endif
