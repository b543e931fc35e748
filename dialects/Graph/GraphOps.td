//===- GraphOps.td - the ops of the graph dialect -------------------------------------------*- tablegen -*------===//
#ifndef MLC_DIALECTS_GRAPH_GRAPHOPS_TD
#define MLC_DIALECTS_GRAPH_GRAPHOPS_TD

include "dialects/Graph/GraphDialect.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Graph_Enum<string name, list<string> cases> : I32EnumAttr<name, "",
    !foreach(i, !range(!size(cases)), I32EnumAttrCase<cases[i], i>)> {
  let cppNamespace = "::mlc::graph";
}

def Graph_CompareDirection : Graph_Enum<"CompareDirection", ["eq", "lt", "le", "gt", "ge"]>;
def Graph_PadMode : Graph_Enum<"PadMode", ["constant", "reflect", "edge", "wrap"]>;
def Graph_PoolKind : Graph_Enum<"PoolKind", ["max", "sum", "average"]>;
def Graph_ReduceKind : Graph_Enum<"ReduceKind", ["sum", "prod", "max", "min"]>;
def Graph_ScatterKind : Graph_Enum<"ScatterKind", ["none", "add", "mul", "max", "min"]>;
def Graph_ResizeMode : Graph_Enum<"ResizeMode", ["nearest", "linear", "cubic"]>;
def Graph_CoordinateMode : Graph_Enum<"CoordinateMode",
    ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]>;
def Graph_NearestMode : Graph_Enum<"NearestMode", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]>;

//===------------------------------------------------------------------------------------------------------------===//
// Base classes
//===------------------------------------------------------------------------------------------------------------===//

/// A pure op whose result types follow from its operands and attributes. It defines
///   static LogicalResult shapes(Adaptor, SizeBuilder &, SmallVectorImpl<Shape> &)   the sizes of the results
///   static Type elementType(Adaptor, unsigned result)                                their element types
class Graph_Op<string mnemonic, list<Trait> traits = []> : Op<Graph_Dialect, mnemonic, traits # [
    Pure, DeclareOpInterfaceMethods<ShapeOpInterface>, InferTypeOpAdaptorWithIsCompatible,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  string shapeDeclarations = [{
    static ::llvm::LogicalResult shapes(Adaptor adaptor, ::mlc::graph::SizeBuilder &sizes,
                                        ::llvm::SmallVectorImpl<::mlc::graph::Shape> &shapes);
    static ::mlir::Type elementType(Adaptor adaptor, unsigned result);
  }];
  let extraClassDeclaration = shapeDeclarations;
  string shapeDefinitions = [{
    bool $cppClass::isCompatibleReturnTypes(::mlir::TypeRange inferred, ::mlir::TypeRange actual) {
      return ::mlc::graph::detail::areCompatible(inferred, actual);
    }
    ::llvm::LogicalResult $cppClass::inferReturnTypes(::mlir::MLIRContext *context,
        std::optional<::mlir::Location> location, Adaptor adaptor, ::llvm::SmallVectorImpl<::mlir::Type> &types) {
      return ::mlc::graph::detail::inferTypes<$cppClass>(context, location, adaptor, types);
    }
    ::llvm::LogicalResult $cppClass::inferShapes(::mlc::graph::SizeBuilder &sizes,
                                                 ::llvm::SmallVectorImpl<::mlc::graph::Shape> &result) {
      return shapes(Adaptor(*this), sizes, result);
    }
    ::llvm::LogicalResult $cppClass::reifyResultShapes(::mlir::OpBuilder &builder,
                                                       ::mlir::ReifiedRankedShapedTypeDims &result) {
      return ::mlc::graph::detail::reifyShapes(*this, builder, result);
    }
  }];
  let extraClassDefinition = shapeDefinitions;
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

/// An element-wise op with NumPy broadcasting.
class Graph_ElementwiseOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, traits # [DeclareOpInterfaceMethods<ElementwiseOpInterface>]> {
  let extraClassDefinition = shapeDefinitions # [{
    ::llvm::LogicalResult $cppClass::shapes(Adaptor adaptor, ::mlc::graph::SizeBuilder &sizes,
                                            ::llvm::SmallVectorImpl<::mlc::graph::Shape> &result) {
      return ::mlc::graph::detail::broadcastShapes(adaptor.getOperands(), sizes, result);
    }
  }];
}

/// An element-wise op whose result has the element type of its operands.
class Graph_SameTypeOp<string mnemonic, list<Trait> traits = []>
    : Graph_ElementwiseOp<mnemonic, traits # [SameOperandsAndResultElementType]> {
  let extraClassDefinition = shapeDefinitions # [{
    ::llvm::LogicalResult $cppClass::shapes(Adaptor adaptor, ::mlc::graph::SizeBuilder &sizes,
                                            ::llvm::SmallVectorImpl<::mlc::graph::Shape> &result) {
      return ::mlc::graph::detail::broadcastShapes(adaptor.getOperands(), sizes, result);
    }
    ::mlir::Type $cppClass::elementType(Adaptor adaptor, unsigned) {
      return ::mlir::getElementTypeOrSelf(adaptor.getOperands()[0].getType());
    }
  }];
}

class Graph_UnaryOp<string mnemonic, string what, Type operand = Graph_FloatTensor, list<Trait> traits = [Graph_Differentiable]>
    : Graph_SameTypeOp<mnemonic, traits> {
  let summary = "computes " # what;
  let arguments = (ins operand:$input);
  let results = (outs operand:$result);
}

class Graph_BinaryOp<string mnemonic, string what, list<Trait> traits = []>
    : Graph_SameTypeOp<mnemonic, traits # [Graph_Differentiable]> {
  let summary = "computes " # what;
  let arguments = (ins Graph_NumberTensor:$lhs, Graph_NumberTensor:$rhs);
  let results = (outs Graph_NumberTensor:$result);
}

class Graph_BitsOp<string mnemonic, string what, Type operand = Graph_BitsTensor, list<Trait> traits = []>
    : Graph_SameTypeOp<mnemonic, traits> {
  let summary = "computes " # what;
  let arguments = (ins operand:$lhs, operand:$rhs);
  let results = (outs operand:$result);
}

//===------------------------------------------------------------------------------------------------------------===//
// Constants and weights
//===------------------------------------------------------------------------------------------------------------===//

def ConstantOp : Op<Graph_Dialect, "constant", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "holds a small constant";
  let description = [{
    For shapes, axes, scalars and the like. Whatever is larger is a `graph.parameter`: weights do not live in the IR.

    Example: `%0 = graph.constant dense<[1, 2]> : tensor<2xi64>`
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def ParameterOp : Op<Graph_Dialect, "parameter", [Symbol, IsolatedFromAbove, SingleBlock, NoRegionArguments]> {
  let summary = "declares a weight of the model";
  let description = [{
    Names a tensor whose bytes are outside of the IR, dense and row-major: in `file` from byte `offset` on, where they
    are stored as they are needed, otherwise with the importer (no `file`), and then the IR alone cannot be compiled.
    With a body the bytes are computed at compile time from other weights; nothing of the body runs with the model.

    A parameter that nobody has trained yet has an `initializer` instead of bytes: a dictionary with `kind` and its numbers. Training leaves
    one that is `frozen` as it is, and a `statistic` (of a batch normalization) to the op that it belongs to.

    Constraints: (C1) the type has a static shape; (C2) a body ends with a `graph.yield` of the type, whose sign may
    differ; (C3) its other ops are those that a compiler can evaluate.

    Example: `graph.parameter @w : tensor<64x3x7x7xf32> {file = "resnet50.onnx", offset = 4096 : i64}`

    ```
    graph.parameter @t : tensor<3x2xf32> = {
      %0 = graph.weight @w : tensor<2x3xf32>
      %1 = graph.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
      graph.yield %1 : tensor<3x2xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Graph_Tensor>:$type, OptionalAttr<StrAttr>:$file,
                       OptionalAttr<I64Attr>:$offset, OptionalAttr<DictionaryAttr>:$initializer, UnitAttr:$frozen,
                       UnitAttr:$statistic);
  let regions = (region AnyRegion:$body);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::RankedTensorType":$type), [{
    build($_builder, $_state, name, type, /*file=*/nullptr, /*offset=*/nullptr, /*initializer=*/nullptr);
  }]>];
  let assemblyFormat = "$sym_name `:` $type attr-dict (`=` $body^)?";
  let hasVerifier = 1;
}

def YieldOp : Op<Graph_Dialect, "yield", [Pure, Terminator, ParentOneOf<["ParameterOp", "ScanOp"]>]> {
  let summary = "gives what a region computed";
  let arguments = (ins Variadic<Graph_Tensor>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def WeightOp : Op<Graph_Dialect, "weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reads a weight of the model";
  let description = [{
    Constraints: (C1) `parameter` names a `graph.parameter`; (C2) of the result's type, whose sign may differ in the body
    of another parameter.

    Example: `%0 = graph.weight @w : tensor<64x3x7x7xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
}

def IotaOp : Graph_Op<"iota"> {
  let summary = "counts along an axis";
  let description = [{
    `result[i_0, …] = i_axis`, of the given sizes.

    Constraints: (C1) `axis` is in [0, rank); (C2) the number of dynamic sizes matches `static_sizes`.

    Example: `%0 = graph.iota axis = 0 sizes [%n, 4] : tensor<?x4xi64>`
  }];
  let arguments = (ins I64Attr:$axis, Variadic<Index>:$sizes, DenseI64ArrayAttr:$static_sizes, TypeAttr:$element);
  let results = (outs Graph_NumberTensor:$result);
  let builders = [OpBuilder<(ins "int64_t":$axis, "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes, "::mlir::Type":$element)>];
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
  }];
  let assemblyFormat = [{`axis` `=` $axis `sizes` custom<DynamicIndexList>($sizes, $static_sizes) `of` $element attr-dict `:` type($result)}];
  let hasVerifier = 1;
}

def RandomOp : Graph_Op<"random"> {
  let summary = "gives uniform random numbers";
  let description = [{
    Numbers in [0, 1), multiples of 2^-24, that depend on `seed`, `stream` and their place (row-major) alone: the same op with the same
    seed gives the same numbers, on any number of threads. A counter is mixed as SplitMix64 does (Steele, Lea, Flood: Fast splittable
    pseudorandom number generators, 2014).

    Constraints: (C1) the number of dynamic sizes matches `static_sizes`.

    Example: `%0 = graph.random %seed stream 3 sizes [%n, 4] : tensor<i64> -> tensor<?x4xf32>`
  }];
  let arguments = (ins 0DTensorOf<[I64]>:$seed, I64Attr:$stream, Variadic<Index>:$sizes, DenseI64ArrayAttr:$static_sizes);
  let results = (outs Graph_TensorOf<F32>:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$seed, "int64_t":$stream, "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes)>];
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
  }];
  let assemblyFormat = [{$seed `stream` $stream `sizes` custom<DynamicIndexList>($sizes, $static_sizes) attr-dict `:` type($seed) `->` type($result)}];
  let hasVerifier = 1;
}

//===------------------------------------------------------------------------------------------------------------===//
// Element-wise
//===------------------------------------------------------------------------------------------------------------===//

def AbsOp : Graph_UnaryOp<"abs", "the absolute value", Graph_NumberTensor>;
def NegOp : Graph_UnaryOp<"neg", "the negation", Graph_NumberTensor>;
def SignOp : Graph_UnaryOp<"sign", "the sign: -1, 0 or 1", Graph_NumberTensor>;
def CeilOp : Graph_UnaryOp<"ceil", "the smallest integer not below">;
def FloorOp : Graph_UnaryOp<"floor", "the largest integer not above">;
def RoundOp : Graph_UnaryOp<"round", "the nearest integer, halves to even">;
def SqrtOp : Graph_UnaryOp<"sqrt", "the square root">;
def ExpOp : Graph_UnaryOp<"exp", "the exponential">;
def LogOp : Graph_UnaryOp<"log", "the natural logarithm"> { let hasCanonicalizer = 1; }
def Log1POp : Graph_UnaryOp<"log1p", "log(1 + x), exact for small x">;
def SinOp : Graph_UnaryOp<"sin", "the sine">;
def CosOp : Graph_UnaryOp<"cos", "the cosine">;
def TanOp : Graph_UnaryOp<"tan", "the tangent">;
def AsinOp : Graph_UnaryOp<"asin", "the inverse sine">;
def AcosOp : Graph_UnaryOp<"acos", "the inverse cosine">;
def AtanOp : Graph_UnaryOp<"atan", "the inverse tangent">;
def SinhOp : Graph_UnaryOp<"sinh", "the hyperbolic sine">;
def CoshOp : Graph_UnaryOp<"cosh", "the hyperbolic cosine">;
def TanhOp : Graph_UnaryOp<"tanh", "the hyperbolic tangent">;
def AsinhOp : Graph_UnaryOp<"asinh", "the inverse hyperbolic sine">;
def AcoshOp : Graph_UnaryOp<"acosh", "the inverse hyperbolic cosine">;
def AtanhOp : Graph_UnaryOp<"atanh", "the inverse hyperbolic tangent">;
def ErfOp : Graph_UnaryOp<"erf", "the error function">;
def SigmoidOp : Graph_UnaryOp<"sigmoid", "the logistic function 1 / (1 + exp(-x))">;
def NotOp : Graph_UnaryOp<"not", "the complement of all bits; the negation of a boolean", Graph_BitsTensor, []>;

def IsNaNOp : Graph_ElementwiseOp<"is_nan"> {
  let summary = "tells which elements are not a number";
  let arguments = (ins Graph_FloatTensor:$input);
  let results = (outs Graph_BoolTensor:$result);
}

def IsInfOp : Graph_ElementwiseOp<"is_inf"> {
  let summary = "tells which elements are infinite";
  let arguments = (ins Graph_FloatTensor:$input, DefaultValuedAttr<BoolAttr, "true">:$negative,
                       DefaultValuedAttr<BoolAttr, "true">:$positive);
  let results = (outs Graph_BoolTensor:$result);
}

def AddOp : Graph_BinaryOp<"add", "the sum; integers wrap", [Commutative]> { let hasCanonicalizer = 1; }
def SubOp : Graph_BinaryOp<"sub", "the difference; integers wrap">;
def MulOp : Graph_BinaryOp<"mul", "the product; integers wrap", [Commutative]>;
def DivOp : Graph_BinaryOp<"div", "the quotient; integers round to zero, and give 0 for a zero divisor">;
def PowOp : Graph_BinaryOp<"pow", "the power; integers wrap, a negative exponent gives 0 unless the base is 1 or -1">;
def MaxOp : Graph_BinaryOp<"max", "the maximum; NaN if either is">;
def MinOp : Graph_BinaryOp<"min", "the minimum; NaN if either is">;
def AndOp : Graph_BitsOp<"and", "the conjunction of all bits", Graph_BitsTensor, [Commutative]>;
def OrOp : Graph_BitsOp<"or", "the disjunction of all bits", Graph_BitsTensor, [Commutative]>;
def XorOp : Graph_BitsOp<"xor", "the exclusive or of all bits", Graph_BitsTensor, [Commutative]>;
def ShiftLeftOp : Graph_BitsOp<"shift_left", "the left shift; 0 from the type's width on", Graph_TensorOf<Graph_Int>>;
def ShiftRightOp : Graph_BitsOp<"shift_right", "the right shift, arithmetic for signed types; a shift of the type's width or more counts as the width less one for signed types, and gives 0 for unsigned", Graph_TensorOf<Graph_Int>>;

def ModOp : Graph_SameTypeOp<"mod", [Graph_Differentiable]> {
  let summary = "computes the remainder";
  let description = [{
    The sign follows the divisor, as in Python, or with `truncated` the dividend, as C's fmod. A zero integer divisor gives 0.
  }];
  let arguments = (ins Graph_NumberTensor:$lhs, Graph_NumberTensor:$rhs, UnitAttr:$truncated);
  let results = (outs Graph_NumberTensor:$result);
}

def CompareOp : Graph_ElementwiseOp<"compare", [SameOperandsElementType]> {
  let summary = "compares";
  let description = [{Comparisons with NaN are false. Example: `%0 = graph.compare lt %a, %b : (tensor<4xf32>, tensor<f32>) -> tensor<4xi1>`}];
  let arguments = (ins Graph_CompareDirection:$direction, Graph_Tensor:$lhs, Graph_Tensor:$rhs);
  let results = (outs Graph_BoolTensor:$result);
  let assemblyFormat = "$direction operands attr-dict `:` functional-type(operands, results)";
}

def SelectOp : Graph_ElementwiseOp<"select", [Graph_Differentiable]> {
  let summary = "chooses between two values by a condition";
  let description = [{Constraints: (C1) `on_true` and `on_false` have the same element type.}];
  let arguments = (ins Graph_BoolTensor:$condition, Graph_Tensor:$on_true, Graph_Tensor:$on_false);
  let results = (outs Graph_Tensor:$result);
  let hasVerifier = 1;
}

def CastOp : Graph_ElementwiseOp<"cast", [Graph_Differentiable]> {
  let summary = "converts to another element type";
  let description = [{
    Float to integer truncates toward zero; out-of-range values and NaN are undefined but do not trap. Integer to integer
    wraps. Anything to `i1` tells whether it is not zero.
  }];
  let arguments = (ins Graph_Tensor:$input, TypeAttr:$element);
  let results = (outs Graph_Tensor:$result);
  let hasFolder = 1;
}

def QuantizeOp : Graph_ElementwiseOp<"quantize"> {
  let summary = "rounds to integers around a zero point";
  let description = [{
    `saturate(round(input) + zero_point)` in the element type of `zero_point`: halves round to even, what is out of range
    becomes the nearest element in range; NaN gives any. The input is divided by its scale before, or multiplied: that is
    what models differ in.

    Example: `%1 = graph.quantize %0, %z : (tensor<4xf32>, tensor<ui8>) -> tensor<4xui8>`
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_QuantizedTensor:$zero_point);
  let results = (outs Graph_QuantizedTensor:$result);
}

def DequantizeOp : Graph_ElementwiseOp<"dequantize", [Graph_Differentiable]> {
  let summary = "gives integers around a zero point their scale";
  let description = [{
    `(input - zero_point) * scale` in the element type of `scale`; the difference is one of `i32`.

    Constraints: (C1) `zero_point` has the input's element type.

    Example: `%1 = graph.dequantize %0, %s, %z : (tensor<4xui8>, tensor<f32>, tensor<ui8>) -> tensor<4xf32>`
  }];
  let arguments = (ins Graph_TensorOf<AnyTypeOf<[I8, I16, I32, UI8, UI16]>>:$input, Graph_FloatTensor:$scale,
                       Graph_TensorOf<AnyTypeOf<[I8, I16, I32, UI8, UI16]>>:$zero_point);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

//===------------------------------------------------------------------------------------------------------------===//
// Movement
//===------------------------------------------------------------------------------------------------------------===//

/// `sizes` as index values and constants, printed like `[%n, 4]`.
class Graph_SizedOp<string mnemonic, string keyword> : Graph_Op<mnemonic, [Graph_Differentiable]> {
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$input `" # keyword # "` custom<DynamicIndexList>($sizes, $static_sizes) attr-dict `:` type($input) `->` type($result)";
  let arguments = (ins Graph_Tensor:$input, Variadic<Index>:$sizes, DenseI64ArrayAttr:$static_sizes);
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes)>];
}

def ReshapeOp : Graph_SizedOp<"reshape", "to"> {
  let summary = "gives the elements another shape";
  let description = [{
    Row-major order stays. Constraints: (C1) the number of dynamic sizes matches `static_sizes`; (C2) the number of elements
    stays, where it is known.

    Example: `%1 = graph.reshape %0 to [%n, 4] : tensor<?x2x2xf32> -> tensor<?x4xf32>`
  }];
  let hasFolder = 1;
}

def ExpandOp : Graph_SizedOp<"expand", "to"> {
  let summary = "broadcasts to a shape";
  let description = [{
    Aligned at the right, a size of 1 stretches. Constraints: (C1) the number of dynamic sizes matches `static_sizes`;
    (C2) the result's rank is not below the input's; (C3) each static size of the input is 1 or the result's.

    Example: `%1 = graph.expand %0 to [%n, 4] : tensor<1x4xf32> -> tensor<?x4xf32>`
  }];
  let hasFolder = 1;
}

def TransposeOp : Graph_Op<"transpose", [Graph_Differentiable]> {
  let summary = "permutes the axes";
  let description = [{
    `result[i_p0, i_p1, …] = input[i_0, i_1, …]`: axis k of the result is axis `permutation[k]` of the input.

    Constraints: (C1) `permutation` has one entry an axis; (C2) it is a permutation of [0, rank).

    Example: `%1 = graph.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>`
  }];
  let arguments = (ins Graph_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Graph_Tensor:$result);
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
}

def ConcatOp : Graph_Op<"concat", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "joins tensors along an axis";
  let description = [{
    Constraints: (C1) `axis` is in [0, rank); (C2) all inputs have the same rank; (C3) the other static sizes agree.

    Example: `%2 = graph.concat %0, %1 {axis = 0 : i64} : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>`
  }];
  let arguments = (ins Variadic<Graph_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def SliceOp : Graph_Op<"slice", [AttrSizedOperandSegments, Graph_Differentiable]> {
  let summary = "takes a strided part";
  let description = [{
    `result[i] = input[offset + i * step]` on every axis; steps are static, not zero, and may be negative. The part lies
    inside the input: who builds the op clamps.

    Constraints: (C1) one offset, size and step an axis; (C2) no step is zero; (C3) static parts lie inside the input.

    Example: `%1 = graph.slice %0 offsets [0] sizes [%n] steps [2] : tensor<8xf32> -> tensor<?xf32>`
  }];
  let arguments = (ins Graph_Tensor:$input, Variadic<Index>:$offsets, Variadic<Index>:$sizes, Variadic<Index>:$steps,
                       DenseI64ArrayAttr:$static_offsets, DenseI64ArrayAttr:$static_sizes, DenseI64ArrayAttr:$static_steps);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{$input `offsets` custom<DynamicIndexList>($offsets, $static_offsets) `sizes`
    custom<DynamicIndexList>($sizes, $static_sizes) `steps` custom<DynamicIndexList>($steps, $static_steps) attr-dict `:`
    type($input) `->` type($result)}];
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets,
                                 "::llvm::ArrayRef<::mlir::OpFoldResult>":$sizes, "::llvm::ArrayRef<::mlir::OpFoldResult>":$steps)>];
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSteps();
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PadOp : Graph_Op<"pad", [AttrSizedOperandSegments, Graph_Differentiable]> {
  let summary = "adds elements at the ends of the axes";
  let description = [{
    Negative amounts crop. `value` (a scalar) fills in mode `constant`; `reflect`, `edge` and `wrap` repeat the input as
    NumPy's pad does; they need a non-empty axis wherever they add.

    Constraints: (C1) one amount below and above an axis; (C2) `value` is present exactly in mode `constant`, of the input's
    element type and rank 0.

    Example: `%1 = graph.pad constant %0, %v low [1] high [%n] : tensor<4xf32>, tensor<f32> -> tensor<?xf32>`
  }];
  let arguments = (ins Graph_PadMode:$mode, Graph_Tensor:$input, Optional<Graph_Tensor>:$value, Variadic<Index>:$low,
                       Variadic<Index>:$high, DenseI64ArrayAttr:$static_low, DenseI64ArrayAttr:$static_high);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{$mode $input (`,` $value^)? `low` custom<DynamicIndexList>($low, $static_low) `high`
    custom<DynamicIndexList>($high, $static_high) attr-dict `:` type($input) (`,` type($value)^)? `->` type($result)}];
  let builders = [OpBuilder<(ins "::mlc::graph::PadMode":$mode, "::mlir::Value":$input, "::mlir::Value":$value,
                                 "::llvm::ArrayRef<::mlir::OpFoldResult>":$low, "::llvm::ArrayRef<::mlir::OpFoldResult>":$high)>];
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedLow();
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedHigh();
  }];
  let hasVerifier = 1;
}

//===------------------------------------------------------------------------------------------------------------===//
// Indexing
//===------------------------------------------------------------------------------------------------------------===//

def GatherOp : Graph_Op<"gather", [Graph_Differentiable]> {
  let summary = "takes slices along an axis";
  let description = [{
    `result[a…, i…, b…] = input[a…, indices[i…], b…]`. Indices in [-size, size); negative ones count from the end; others
    end the run with an error.

    Constraints: (C1) `axis` is in [0, rank).

    Example: `%1 = graph.gather %0, %i {axis = 0 : i64} : (tensor<9x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>`
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let hasVerifier = 1;
}

def GatherElementsOp : Graph_Op<"gather_elements", [Graph_Differentiable]> {
  let summary = "takes elements along an axis";
  let description = [{
    `result[i…] = input[i… with i_axis replaced by indices[i…]]`; indices as in `graph.gather`.

    Constraints: (C1) `axis` is in [0, rank); (C2) input and indices have the same rank.
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let hasVerifier = 1;
}

def GatherNDOp : Graph_Op<"gather_nd", [Graph_Differentiable]> {
  let summary = "takes slices by index tuples";
  let description = [{
    `result[b…, i…, s…] = input[b…, indices[b…, i…, :]…, s…]` with `batch_dims` axes b; indices as in `graph.gather`.

    Constraints: (C1) `batch_dims` is below both ranks; (C2) the last size of `indices` is static and at most the input's
    rank less `batch_dims`.
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_IndexTensor:$indices, DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs Graph_Tensor:$result);
  let hasVerifier = 1;
}

class Graph_ScatterOp<string mnemonic> : Graph_Op<mnemonic, [Graph_Differentiable]> {
  let results = (outs Graph_Tensor:$result);
  let hasVerifier = 1;
}

def ScatterElementsOp : Graph_ScatterOp<"scatter_elements"> {
  let summary = "writes elements along an axis";
  let description = [{
    The input, where for every place i of `updates`, in row-major order, the element at i with i_axis replaced by indices[i]
    is combined with updates[i] by `kind` (`none` replaces); indices as in `graph.gather`.

    Constraints: (C1) `axis` is in [0, rank); (C2) the three have the same rank; (C3) updates have the input's element type.
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_IndexTensor:$indices, Graph_Tensor:$updates, I64Attr:$axis,
                       DefaultValuedAttr<Graph_ScatterKind, "ScatterKind::none">:$kind);
}

def ScatterNDOp : Graph_ScatterOp<"scatter_nd"> {
  let summary = "writes slices by index tuples";
  let description = [{
    The input, where for every place i of the indices, in row-major order, the slice input[indices[i…, :]…] is combined with
    updates[i…] by `kind`; indices as in `graph.gather`.

    Constraints: (C1) the last size of `indices` is static and at most the input's rank; (C2) the rank of the updates is
    that of the indices less one plus that of a slice; (C3) updates have the input's element type.
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_IndexTensor:$indices, Graph_Tensor:$updates,
                       DefaultValuedAttr<Graph_ScatterKind, "ScatterKind::none">:$kind);
}

//===------------------------------------------------------------------------------------------------------------===//
// Contractions
//===------------------------------------------------------------------------------------------------------------===//

def MatMulOp : Graph_Op<"matmul", [Graph_Differentiable]> {
  let summary = "multiplies matrices";
  let description = [{
    The last two axes are matrices, the axes before broadcast. Half-precision inputs accumulate in f32. 8-bit integers, each
    with or without a sign, give sums of `i32`, which wrap.

    Constraints: (C1) both ranks are at least 2; (C2) the inner sizes agree; (C3) the operands have the same element type or
    are both 8-bit integers.

    Example: `%2 = graph.matmul %0, %1 : (tensor<8x2x3xf32>, tensor<3x4xf32>) -> tensor<8x2x4xf32>`
  }];
  let arguments = (ins Graph_NumberTensor:$lhs, Graph_NumberTensor:$rhs);
  let results = (outs Graph_NumberTensor:$result);
  let hasVerifier = 1;
}

def ConvOp : Graph_Op<"conv", [Graph_Differentiable]> {
  let summary = "convolves";
  let description = [{
    `input[N, C, x…]` with `filter[F, C / groups, k…]` gives `[N, F, y…]`, as a cross-correlation with zero padding. `pads`
    has the amounts below each axis, then those above; they may be negative. Any number of spatial axes. With `channels_last`
    input and result are `[N, x…, C]` and `[N, y…, F]`; the filter stays. Element types as in `graph.matmul`.

    Constraints: (C1) ranks agree and are at least 3; (C2) attributes have one entry a spatial axis, `pads` two; (C3)
    strides, dilations and `groups` are positive; (C4) channels fit: C is `groups` times the filter's, F a multiple of `groups`;
    (C5) input and filter have the same element type or are both 8-bit integers.
  }];
  let arguments = (ins Graph_NumberTensor:$input, Graph_NumberTensor:$filter, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, DefaultValuedAttr<I64Attr, "1">:$groups,
                       UnitAttr:$channels_last);
  let results = (outs Graph_NumberTensor:$result);
  let hasVerifier = 1;
}

def WinogradConvOp : Graph_Op<"winograd_conv", [SameOperandsAndResultElementType]> {
  let summary = "convolves with 3×3 filters by tiles of 4×4 results";
  let description = [{
    `input[N, H, W, C]` with the transformed `filter[6, 6, C, F]` (of a weight by `graph.winograd` on its parameter, else by
    `graph.winograd_filter`) gives `[N, y, x, F]` with zero padding: what `graph.conv` with `channels_last` and strides of 1 gives, but for rounding.

    Constraints: (C1) input and filter have rank 4; (C2) the filter is 6 by 6; (C3) `pads` has four entries, none negative;
    (C4) the channels of input and filter fit.
  }];
  let arguments = (ins Graph_TensorOf<F32>:$input, Graph_TensorOf<F32>:$filter, DenseI64ArrayAttr:$pads);
  let results = (outs Graph_TensorOf<F32>:$result);
  let hasVerifier = 1;
}

def WinogradFilterOp : Graph_Op<"winograd_filter", []> {
  let summary = "transforms 3×3 filters for tiles of 4×4 results";
  let description = [{
    `filter[F, C, 3, 3]` as `graph.winograd_conv` takes it, `[6, 6, C, F]`. With `turned` it is the filter of the
    convolution that gives the gradient of the input: with the taps in reverse order and the channels exchanged,
    `[6, 6, F, C]`.

    Constraints: (C1) the filter has rank 4; (C2) it is 3 by 3.

    Example: `%1 = graph.winograd_filter %0 {turned} : tensor<64x32x3x3xf32> -> tensor<6x6x64x32xf32>`
  }];
  let arguments = (ins Graph_TensorOf<F32>:$filter, UnitAttr:$turned);
  let results = (outs Graph_TensorOf<F32>:$result);
  let assemblyFormat = "$filter attr-dict `:` type($filter) `->` type($result)";
  let hasVerifier = 1;
}

def WinogradFilterGradientOp : Graph_Op<"winograd_filter_gradient", [SameOperandsAndResultElementType]> {
  let summary = "finds how a 3×3 filter changes a loss by tiles";
  let description = [{
    `input[N, H, W, C]` and `cotangent[N, y, x, F]` give `[F, C, 3, 3]`: what `graph.conv_filter_gradient` with
    `channels_last` and strides of 1 gives, but for rounding.

    Constraints: (C1) both have rank 4; (C2) `pads` has four entries, none negative.
  }];
  let arguments = (ins Graph_TensorOf<F32>:$input, Graph_TensorOf<F32>:$cotangent, DenseI64ArrayAttr:$pads);
  let results = (outs Graph_TensorOf<F32>:$result);
  let hasVerifier = 1;
}

def ConvTransposeOp : Graph_Op<"conv_transpose", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "applies the transpose of a convolution";
  let description = [{
    `input[N, C, x…]` with `filter[C, F / groups, k…]` gives `[N, F, y…]` with
    y = (x - 1) * stride + (k - 1) * dilation + 1 + output_padding - pads.

    Constraints: (C1) to (C4) as in `graph.conv`, with the filter's first size being C; (C5) `output_padding` has one
    entry a spatial axis.
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$filter, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$output_padding,
                       DefaultValuedAttr<I64Attr, "1">:$groups);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

//===------------------------------------------------------------------------------------------------------------===//
// Windows
//===------------------------------------------------------------------------------------------------------------===//

class Graph_WindowOp<string mnemonic, list<Trait> traits = []> : Graph_Op<mnemonic, traits # [Graph_Differentiable]> { let hasVerifier = 1; }

def PoolOp : Graph_WindowOp<"pool"> {
  let summary = "reduces windows";
  let description = [{
    `input[N, C, x…]` gives `[N, C, y…]`. Windows reach over the padding, which counts as nothing: the maximum ignores it,
    the sum adds nothing, the average divides by the elements inside the input, or with `count_include_pad` by those inside
    input and padding. With `ceil_mode` y rounds up, but no window starts in the padding above. With `channels_last` input and
    result are `[N, x…, C]` and `[N, y…, C]`.

    Constraints: (C1) the rank is at least 3; (C2) attributes have one entry a spatial axis, `pads` two; (C3) kernel,
    strides and dilations are positive, pads are not negative.
  }];
  let arguments = (ins Graph_PoolKind:$kind, Graph_NumberTensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, UnitAttr:$ceil_mode, UnitAttr:$count_include_pad,
                       UnitAttr:$channels_last);
  let results = (outs Graph_NumberTensor:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
}

def MaxPoolWithIndicesOp : Graph_WindowOp<"max_pool_with_indices"> {
  let summary = "finds the maximum of windows and where it is";
  let description = [{
    As `graph.pool max`; `indices` holds the place of the first maximum as an offset into the whole input, row-major, or
    with `column_major` with the spatial axes in reverse order. Constraints as in `graph.pool`.
  }];
  let arguments = (ins Graph_NumberTensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, UnitAttr:$ceil_mode, UnitAttr:$column_major);
  let results = (outs Graph_NumberTensor:$result, Graph_TensorOf<I64>:$indices);
}

//===------------------------------------------------------------------------------------------------------------===//
// Reductions, normalizations, scans
//===------------------------------------------------------------------------------------------------------------===//

def ReduceOp : Graph_Op<"reduce", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "reduces axes";
  let description = [{
    An empty set gives 0 for `sum`, 1 for `prod`, the lowest value for `max`, the highest for `min` (infinities for floats).
    Half-precision sums accumulate in f32. `max` and `min` of `i1` are or and and.

    Constraints: (C1) `axes` are sorted, unique and in [0, rank).

    Example: `%1 = graph.reduce sum %0 {axes = array<i64: 1>, keep_dims} : (tensor<2x3xf32>) -> tensor<2x1xf32>`
  }];
  let arguments = (ins Graph_ReduceKind:$kind, Graph_Tensor:$input, DenseI64ArrayAttr:$axes, UnitAttr:$keep_dims);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ReduceByMaskOp : Graph_Op<"reduce_by_mask", [Graph_Differentiable]> {
  let summary = "reduces the axes that a run-time mask names";
  let description = [{
    `mask` has one boolean an axis; axes where it is true are reduced and keep a size of 1. Otherwise as `graph.reduce`.

    Constraints: (C1) the mask's size is the input's rank.
  }];
  let arguments = (ins Graph_ReduceKind:$kind, Graph_Tensor:$input, Graph_BoolTensor:$mask);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def ArgReduceOp : Graph_Op<"arg_reduce"> {
  let summary = "finds where the maximum or minimum along an axis is";
  let description = [{
    The first such place, or with `last` the last. NaN counts as the extremum. Constraints: (C1) `axis` is in [0, rank);
    (C2) `kind` is `max` or `min`.
  }];
  let arguments = (ins Graph_ReduceKind:$kind, Graph_NumberTensor:$input, I64Attr:$axis, UnitAttr:$keep_dims, UnitAttr:$last);
  let results = (outs Graph_TensorOf<I64>:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def SoftmaxOp : Graph_Op<"softmax", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "normalizes exponentials along an axis";
  let description = [{
    exp(x - max) / sum(exp(x - max)), or with `log` its logarithm. Half precision computes in f32.
    Constraints: (C1) `axis` is in [0, rank).
  }];
  let arguments = (ins Graph_FloatTensor:$input, I64Attr:$axis, UnitAttr:$log);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def NormalizeOp : Graph_Op<"normalize", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "normalizes over the trailing axes";
  let description = [{
    (x - mean) / sqrt(variance + epsilon) over the axes from `axis` on; with `uncentered` x / sqrt(mean(x²) + epsilon), the
    heart of layer, instance, group and RMS normalization. Half precision computes in f32.
    Constraints: (C1) `axis` is in [0, rank).
  }];
  let arguments = (ins Graph_FloatTensor:$input, I64Attr:$axis, F64Attr:$epsilon, UnitAttr:$uncentered);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def BatchNormOp : Graph_Op<"batch_norm", [Graph_Differentiable]> {
  let summary = "normalizes channels by given statistics";
  let description = [{
    `(input - mean) / sqrt(variance + epsilon) * scale + bias`, where the last four have one entry for each channel, axis 1.
    Constraints: (C1) the input's rank is at least 2; (C2) the others have rank 1 and the size of axis 1.
  }];
  let arguments = (ins Graph_FloatTensor:$input, Graph_FloatTensor:$scale, Graph_FloatTensor:$bias, Graph_FloatTensor:$mean,
                       Graph_FloatTensor:$variance, F64Attr:$epsilon);
  let results = (outs Graph_FloatTensor:$result);
  let hasVerifier = 1;
}

def CumulateOp : Graph_Op<"cumulate", [SameOperandsAndResultElementType, Graph_Differentiable]> {
  let summary = "sums or multiplies along an axis cumulatively";
  let description = [{
    `kind` is `sum` or `prod`. `exclusive` leaves the element itself out, `reverse` goes from the end.
    Constraints: (C1) `axis` is in [0, rank); (C2) `kind` is `sum` or `prod`.
  }];
  let arguments = (ins Graph_ReduceKind:$kind, Graph_NumberTensor:$input, I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs Graph_NumberTensor:$result);
  let assemblyFormat = "$kind operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def TopKOp : Graph_Op<"top_k", [Graph_Differentiable]> {
  let summary = "finds the largest or smallest elements along an axis";
  let description = [{
    Sorted; among equals the lower index comes first. NaN counts as larger than any number.
    Constraints: (C1) `axis` is in [0, rank); (C2) `k` is a static entry or one dynamic size.
  }];
  let arguments = (ins Graph_NumberTensor:$input, Variadic<Index>:$k, DenseI64ArrayAttr:$static_k, I64Attr:$axis, UnitAttr:$smallest);
  let results = (outs Graph_NumberTensor:$values, Graph_TensorOf<I64>:$indices);
  let assemblyFormat = "$input `k` custom<DynamicIndexList>($k, $static_k) attr-dict `:` type($input) `->` type($values) `,` type($indices)";
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::mlir::OpFoldResult":$k, "int64_t":$axis, "bool":$smallest)>];
  let hasVerifier = 1;
}

def ResizeOp : Graph_Op<"resize", [Graph_Differentiable]> {
  let summary = "resamples to other sizes";
  let description = [{
    Each axis from size x to y with `scales` (one an axis; y / x where the sizes were given) and
    the coordinate transformation of the same name in ONNX. `roi` (starts then ends, normalised) is used by
    `tf_crop_and_resize`, which gives `extrapolation` outside of the input. `antialias` widens the filter when shrinking;
    `exclude_outside` drops weights outside of the input and renormalises. Axes that keep their size with scale 1 are copied.

    Constraints: (C1) one size an axis; (C2) `scales` has one entry an axis; (C3) `roi`, where present, two.
  }];
  let arguments = (ins Graph_ResizeMode:$mode, Graph_Tensor:$input, Graph_TensorOf<F64>:$scales, Graph_TensorOf<F64>:$roi,
                       Variadic<Index>:$sizes, DenseI64ArrayAttr:$static_sizes, Graph_CoordinateMode:$coordinates,
                       Graph_NearestMode:$nearest, F64Attr:$cubic_coefficient, F64Attr:$extrapolation, UnitAttr:$antialias,
                       UnitAttr:$exclude_outside);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{$mode $input `,` $scales `,` $roi `to` custom<DynamicIndexList>($sizes, $static_sizes)
    `coordinates` $coordinates `nearest` $nearest attr-dict `:` functional-type(operands, results)}];
  let extraClassDeclaration = shapeDeclarations # [{
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedSizes();
  }];
  let hasVerifier = 1;
}

include "dialects/Graph/GradientOps.td"
include "dialects/Graph/Recurrence.td"

#endif
