//===- KernelDialect.td - loop nests that the compiler writes itself ---------------------------*- tablegen -*----===//
#ifndef MLC_DIALECTS_KERNEL_KERNELDIALECT_TD
#define MLC_DIALECTS_KERNEL_KERNELDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/Dialect/Vector/IR/VectorAttributes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::mlc::kernel";
  let summary = "Loop nests that the compiler writes itself";
  let description = [{
    Between linalg and vector: an op stands for a whole kernel, on tensors until there is memory and on memrefs after it. What a
    general loop vectoriser cannot find (register tiles, packed panels, fused epilogues) is chosen here as attributes and
    written out by the passes of `passes/Vector`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::bufferization::BufferizationDialect",
                           "::mlir::vector::VectorDialect"];
}

def Kernel_Buffer : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;

def Kernel_ContractOp : Op<Kernel_Dialect, "contract", [
    DestinationStyleOpInterface, SingleBlock, RecursiveMemoryEffects, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
      "getAliasingValues"]>]> {
  let summary = "sums products and finishes each sum";
  let description = [{
    Over loops d, of which the first `parallel` are independent and the others are summed over:

      init[out(d)] = epilogue(sum over the reductions of lhs[lhs(d)] * rhs[rhs(d)], extras[extra_i(d)]…)

    A matrix product, a batched one, a convolution of any rank: what they are is in the affine `maps` of lhs, rhs, the extras
    and the result. Products are summed in the type of the region's first argument. The region gets one sum and one element
    of each extra and yields an element of the result. 8-bit integers are widened as signed ones, or with `lhs_unsigned` and
    `rhs_unsigned` as unsigned ones.

    With `tile` = [rows, vectors] the register tile is chosen; with `packed` rhs is no longer what its map says but panels
    [outer…, N / width, K…, width]: the loops before the vectorised one that rhs moves with, the panels, the reductions, and the
    columns of a panel, 0 behind the last; what one tile reads, in the order in which it does. A weight is packed at compile
    time: its `graph.parameter` has an attribute `kernel.pack` with the `source` and how it is read.

    With `granule` = g above 1 a lane sums g products at once, as dot-product instructions do. Then g elements along the last
    loop of more than one iteration lie together: the panels are [outer…, N / width, K…, ceil(k / g), width, g], k the size of
    that loop, 0 behind its end. `lhs_flipped` says that the highest bit of lhs is flipped before it is multiplied, so that it
    changes between signed and unsigned; the attributes say what it is in memory, and the epilogue undoes the offset.

    With `bounded` lhs may be indexed outside of its axes, where it counts as zero: what the padding of a convolution reads.

    With `triangle` = [a, b, c] iterations with d_b > d_a + c may be left out: either their products are zero, or they go into
    sums that nobody looks at, which may then be 0 or complete. So a product with a triangular matrix takes half of the time.

    Constraints: (C1) one map an operand, over as many loops as `sizes` has; (C2) the axes of the result are the
    parallel loops in order; (C3) the region's arguments are the sum and an element of each extra, and it yields an element of
    the result; (C4) `granule` is 1, or rhs is packed; (C5) `triangle` has two different loops.

    Example:
    ```mlir
    %2 = kernel.contract ins(%0, %1 : tensor<4x8xf32>, tensor<8x16xf32>) extras(%b : tensor<16xf32>) outs(%i : tensor<4x16xf32>)
      maps [#lhs, #rhs, #bias, #out] parallel 2 sizes [4, 16, 8] {
    ^bb0(%sum: f32, %bias: f32):
      %3 = arith.addf %sum, %bias : f32
      kernel.yield %3 : f32
    } -> tensor<4x16xf32>
    ```
  }];
  let arguments = (ins Kernel_Buffer:$lhs, Kernel_Buffer:$rhs, Variadic<Kernel_Buffer>:$extras, Kernel_Buffer:$init,
                       AffineMapArrayAttr:$maps, I64Attr:$parallel, DenseI64ArrayAttr:$sizes,
                       OptionalAttr<DenseI64ArrayAttr>:$tile, UnitAttr:$packed,
                       DefaultValuedAttr<I64Attr, "1">:$granule, UnitAttr:$lhs_unsigned, UnitAttr:$rhs_unsigned,
                       UnitAttr:$lhs_flipped, UnitAttr:$bounded, OptionalAttr<DenseI64ArrayAttr>:$triangle);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $rhs `:` type($lhs) `,` type($rhs) `)` (`extras` `(` $extras^ `:` type($extras) `)`)?
    `outs` `(` $init `:` type($init) `)` `maps` $maps `parallel` $parallel `sizes` $sizes (`tile` $tile^)? (`packed` $packed^)?
    (`bounded` $bounded^)? (`triangle` $triangle^)?
    attr-dict-with-keyword $epilogue (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    ::mlir::AffineMap getMap(unsigned operand) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[operand]).getValue();
    }
    ::mlir::AffineMap getLhsMap() { return getMap(0); }
    ::mlir::AffineMap getRhsMap() { return getMap(1); }
    ::mlir::AffineMap getExtraMap(unsigned extra) { return getMap(2 + extra); }
    ::mlir::AffineMap getOutMap() { return getMap(getMaps().size() - 1); }
    unsigned getNumLoops() { return getSizes().size(); }
    /// Whether a lane sums several products at once.
    bool hasDots() { return getGranule() > 1; }
    /// The type that products are summed in.
    ::mlir::Type getSumType() { return getEpilogue().front().getArgument(0).getType(); }
  }];
  let hasVerifier = 1;
}

def Kernel_RowsOp : Op<Kernel_Dialect, "rows", [
    AttrSizedOperandSegments, DestinationStyleOpInterface, SingleBlock, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
      "getAliasingValues"]>]> {
  let summary = "computes rows, each from itself alone";
  let description = [{
    The first `rows` loops go over rows, the others over the columns of one. The region says what happens to one element; where
    it asks for `kernel.reduce`, that is the sum (the maximum, …) over all columns of the row, which every element sees. So a
    softmax, a normalization, and what is done before and after them is one op, and a row is read from memory once, however
    often its elements are needed.

    Inputs are read through affine `maps`; along the last column loop they move by one element or not at all. A result has an
    element for every element of the rows, or one a row.

    With `triangle` = [a, b, c], a a loop over rows and b the last one, columns with d_b > d_a + c are left out: reductions are of
    the others, and results are 0 there. What a causal mask hides is neither read nor computed.

    Constraints: (C1) one map an operand, over as many loops as `sizes` has, of which at least one is of columns; (C2) the axes
    of a result are all loops in order, or those over rows; (C3) the region's arguments are an element of each input, and it
    yields an element of each result; (C4) what is yielded for a row as a whole is the same for all of its elements; (C5) the loops
    of `triangle` are one over rows and the last one over columns.

    Example:
    ```mlir
    %1 = kernel.rows ins(%0 : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) maps [#all, #all] rows 1 sizes [4, 8] {
    ^bb0(%x: f32):
      %max = kernel.reduce <maximumf> %x : f32
      %2 = arith.subf %x, %max : f32
      %3 = math.exp %2 : f32
      %sum = kernel.reduce <add> %3 : f32
      %4 = arith.divf %3, %sum : f32
      kernel.yield %4 : f32
    } -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Variadic<Kernel_Buffer>:$inputs, Variadic<Kernel_Buffer>:$inits, AffineMapArrayAttr:$maps,
                       I64Attr:$rows, DenseI64ArrayAttr:$sizes, OptionalAttr<DenseI64ArrayAttr>:$triangle);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $inits `:` type($inits) `)` `maps` $maps `rows` $rows `sizes` $sizes
    (`triangle` $triangle^)?
    attr-dict-with-keyword $body (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
    ::mlir::AffineMap getMap(unsigned operand) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[operand]).getValue();
    }
    unsigned getNumLoops() { return getSizes().size(); }
    /// Whether a result has one element a row.
    bool isOfRow(unsigned result) { return getMap(getInputs().size() + result).getNumResults() < getNumLoops(); }
  }];
  let hasVerifier = 1;
}

def Kernel_PackOp : Op<Kernel_Dialect, "pack", [
    AlwaysSpeculatable, DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
      "getAliasingValues"]>]> {
  let summary = "lays an operand out in panels of granules";
  let description = [{
    What `kernel.pack` on a parameter does at compile time, for an rhs of `kernel.contract` that only a run knows: the loops
    of the contraction are those of `sizes`, `map` gives the element of the source for them, and the result is
    [outer…, N / width, inner…, width] with N the size of the loop `vector`, or with `granules`
    [outer…, N / width, inner…, ceil(k / g), width, g] with k the size of that loop. Elements behind the end of k are 0, columns
    behind N undefined.

    Constraints: (C1) the map leads from the loops to the axes of the source; (C2) the result's shape is that of the panels.
  }];
  let arguments = (ins Kernel_Buffer:$source, Kernel_Buffer:$init, AffineMapAttr:$map, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$outer, I64Attr:$vector, DenseI64ArrayAttr:$inner, OptionalAttr<I64Attr>:$granules);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $source `:` type($source) `)` `outs` `(` $init `:` type($init) `)` `map` $map `sizes` $sizes `outer` $outer
    `vector` $vector `inner` $inner (`granules` $granules^)? attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    ::mlir::ShapedType getPanels() { return ::llvm::cast<::mlir::ShapedType>(getInit().getType()); }
  }];
  let hasVerifier = 1;
}

def Kernel_ReduceOp : Op<Kernel_Dialect, "reduce", [Pure, HasParent<"RowsOp">, SameOperandsAndResultType]> {
  let summary = "combines a value of all columns of a row";
  let description = [{
    In any order: sums are of several partial sums.

    Example: `%max = kernel.reduce <maximumf> %x : f32`
  }];
  let arguments = (ins Vector_CombiningKindAttr:$kind, AnyType:$value);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$kind $value attr-dict `:` type($value)";
}

def Kernel_AttentionOp : Op<Kernel_Dialect, "attention", [
    DestinationStyleOpInterface, SingleBlock, RecursiveMemoryEffects, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "bufferizesToMemoryRead", "bufferizesToMemoryWrite",
      "getAliasingValues"]>]> {
  let summary = "sums values by the softmax of scores";
  let description = [{
    Over loops, of which the last two are the keys j and the depth d of a score, and the one before is the axis of values; `query`
    names the loop over queries, all others are batches (heads, say):

      score(j)  = region(sum over d of query[…, d] * key[…, j, d], extras[…, j]…)
      init[…]   = sum over j of softmax(score)(j) * value[…, j]

    Scores are never all in memory: `vector-lower-attention` takes blocks of keys, with a running maximum and sum.

    Constraints: (C1) one map an operand, over as many loops as `sizes` has, at least four; (C2) the axes of the result are the
    loops but for the last two, in order; (C3) the region's arguments are a score and an element of each extra, and it yields a
    score; (C4) the query does not move with keys and values, the key not with queries and values, the value not with queries
    and depth, an extra not with values and depth.

    Example:
    ```mlir
    %1 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x5xf32>) outs(%i : tensor<2x9x5xf32>)
      maps [#q, #k, #v, #out] query 1 sizes [2, 9, 5, 7, 4] {
    ^bb0(%score: f32):
      %2 = arith.mulf %score, %half : f32
      kernel.yield %2 : f32
    } -> tensor<2x9x5xf32>
    ```
  }];
  let arguments = (ins Kernel_Buffer:$query, Kernel_Buffer:$key, Kernel_Buffer:$value, Variadic<Kernel_Buffer>:$extras,
                       Kernel_Buffer:$init, AffineMapArrayAttr:$maps, I64Attr:$queryLoop, DenseI64ArrayAttr:$sizes);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$score);
  let assemblyFormat = [{
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    (`extras` `(` $extras^ `:` type($extras) `)`)? `outs` `(` $init `:` type($init) `)` `maps` $maps `query` $queryLoop `sizes` $sizes
    attr-dict-with-keyword $score (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    ::mlir::AffineMap getMap(unsigned operand) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[operand]).getValue();
    }
    unsigned getNumLoops() { return getSizes().size(); }
    unsigned getValueLoop() { return getSizes().size() - 3; }
    unsigned getKeyLoop() { return getSizes().size() - 2; }
    unsigned getDepthLoop() { return getSizes().size() - 1; }
  }];
  let hasVerifier = 1;
}

def Kernel_YieldOp : Op<Kernel_Dialect, "yield", [Pure, Terminator, ReturnLike, ParentOneOf<["AttentionOp", "ContractOp", "RowsOp"]>]> {
  let summary = "gives the elements that a region computed";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

#endif
