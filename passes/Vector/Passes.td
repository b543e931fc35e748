//===- Passes.td - register tiles: chosen on tensors, written out on memory --------------------*- tablegen -*----===//
#ifndef MLC_PASSES_VECTOR_PASSES_TD
#define MLC_PASSES_VECTOR_PASSES_TD

include "mlir/Pass/PassBase.td"

def VectorChooseTilesPass : Pass<"vector-choose-tiles", "::mlir::ModuleOp"> {
  let summary = "Chooses the register tile of every contraction, and packs the operand that it vectorises";
  let description = [{
    The tile is the cheapest by the model of `passes/Vector/TileModel.h`. A weight is packed into panels of the tile's width
    (at compile time, where the weight can be computed then); another operand is copied only where its vectors would not be
    contiguous. Where the target sums several products a lane, bf16 and bytes are packed in granules for that; a lhs whose sign
    does not fit is flipped, and the epilogue takes its offset off again.

    ```
    kernel.contract ins(%0, %w …) …     =>     %p = kernel.pack %w …, kernel.contract ins(%0, %p …) … tile [14, 2] packed
    ```
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">,
                 Option<"vectorRegisters", "vector-registers", "unsigned", "32", "number of vector registers">,
                 Option<"l1Bytes", "l1-bytes", "uint64_t", "32768", "size of the first data cache">,
                 Option<"l2Bytes", "l2-bytes", "uint64_t", "1048576", "size of the second cache">,
                 Option<"isX86", "is-x86", "bool", "true", "dot products are those of x86">,
                 Option<"isAArch64", "is-aarch64", "bool", "false", "dot products are those of AArch64">,
                 Option<"dotInt8", "dot-int8", "bool", "false", "lanes can sum four products of bytes at once">,
                 Option<"dotBf16", "dot-bf16", "bool", "false", "lanes can sum two products of bf16 at once">];
  let dependentDialects = ["::mlc::kernel::KernelDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numPacked", "packed", "operands packed">, Statistic<"numCopied", "copied", "operands copied">];
}

def VectorLowerContractionsPass : Pass<"vector-lower-contractions", "::mlir::ModuleOp"> {
  let summary = "Writes out contractions as loops over register tiles";
  let description = [{
    Loops over blocks for the caches, panels, tiles and the reductions; a tile is one vector of sums a register, a load of each
    vector of rhs, a broadcast of each element of lhs, one multiply-add for each pair; then the epilogue on the registers. What
    does not fill a tile gets bodies of its own: fewer rows, masked columns. Blocks are the tasks of a parallel loop.

    ```
    kernel.contract ins(%a, %b : memref…) outs(%c : memref…) … tile [14, 2]     =>     scf.for … vector.fma …
    ```
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">,
                 Option<"l1Bytes", "l1-bytes", "uint64_t", "32768", "size of the first data cache">,
                 Option<"l2Bytes", "l2-bytes", "uint64_t", "1048576", "size of the second cache">,
                 Option<"isX86", "is-x86", "bool", "true", "dot products are those of x86">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numLowered", "contractions", "contractions written out">,
                    Statistic<"numParallel", "parallel-contractions", "contractions that run on several threads">];
}

def VectorLowerPacksPass : Pass<"vector-lower-packs", "::mlir::ModuleOp"> {
  let summary = "Writes out the packing of operands that only a run knows";
  let description = [{
    Rows are read by vectors and interleaved, so that a granule of each column lies together. Panels are the tasks of a
    parallel loop, where they are large.

    ```
    kernel.pack ins(%b : memref…) outs(%p : memref…) …     =>     scf.for … vector.load, vector.interleave, vector.store
    ```
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numLowered", "packs", "operands that are packed in a run">,
                    Statistic<"numParallel", "parallel-packs", "those that run on several threads">];
}

def VectorLowerTranspositionsPass : Pass<"vector-lower-transpositions", "::mlir::ModuleOp"> {
  let summary = "Writes out element-wise loops that exchange the contiguous axis as squares of vectors";
  let description = [{
    A square is read by vectors along the axis that is contiguous in the input, transposed by shuffles, and written along the one
    that is contiguous in the result. Element-wise ops that were fused with the copy run on the transposed vectors. Large ones
    are the tasks of a parallel loop.

    ```
    linalg.generic … ins(%a : memref<64x3136xf32>) outs(%b : memref<3136x64xf32>) …     =>     vector.load, vector.shuffle, vector.store
    ```
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::ub::UBDialect", "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numLowered", "transpositions", "loops written out as squares">,
                    Statistic<"numParallel", "parallel-transpositions", "those that run on several threads">];
}

def VectorLowerAttentionPass : Pass<"vector-lower-attention", "::mlir::ModuleOp"> {
  let summary = "Cuts attention into products and rows of blocks";
  let description = [{
    Loops over blocks of queries and of keys; keys and values of a block are laid out as panels, then the scores of a few
    queries are a contraction, their softmax so far a kernel over rows, and the result another contraction. Steps of which a mask
    leaves everything out are skipped. Blocks of queries of each batch are the tasks of a parallel loop.

    ```
    kernel.attention ins(%q, %k, %v : memref…) …
    ```
    becomes loops around `kernel.contract … packed`, `kernel.rows …`, `kernel.contract … packed`.
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">,
                 Option<"vectorRegisters", "vector-registers", "unsigned", "32", "number of vector registers">,
                 Option<"l1Bytes", "l1-bytes", "uint64_t", "32768", "size of the first data cache">,
                 Option<"l2Bytes", "l2-bytes", "uint64_t", "1048576", "size of the second cache">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numLowered", "attentions", "attentions written out">,
                    Statistic<"numParallel", "parallel-attentions", "attentions that run on several threads">];
}

def VectorLowerRowsPass : Pass<"vector-lower-rows", "::mlir::ModuleOp"> {
  let summary = "Writes out kernels over rows as loops over vectors";
  let description = [{
    A loop over rows, ranges of which are the tasks of threads; in it a loop over the columns for each pass: reductions that do
    not wait for each other share one. Rows of a few vectors stay in registers and take no loop.

    ```
    kernel.rows ins(%x : memref…) outs(%y : memref…) …     =>     scf.for … vector.load … math.exp … vector.store …
    ```
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "width of a vector register">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
  let statistics = [Statistic<"numLowered", "rows-kernels", "kernels written out">,
                    Statistic<"numParallel", "parallel-rows", "kernels that run on several threads">];
}

def VectorApproximateMathPass : Pass<"vector-approximate-math", "::mlir::func::FuncOp"> {
  let summary = "Computes elementary functions of f32 by straight-line code";
  let description = [{
    Polynomials that vectorise, instead of calls: exponentials, logarithms, powers, trigonometric and hyperbolic functions, their
    inverses, and erf, with at most 4 units in the last place of error. Other types are left alone.

    ```
    math.exp %0 : vector<16xf32>     =>     arith ops
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

#endif
