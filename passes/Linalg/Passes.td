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

#endif
