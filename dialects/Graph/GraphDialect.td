//===- GraphDialect.td - the graph dialect, its types and interfaces -----------------------*- tablegen -*-------===//
#ifndef MLC_DIALECTS_GRAPH_GRAPHDIALECT_TD
#define MLC_DIALECTS_GRAPH_GRAPHDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::mlc::graph";
  let summary = "What a model computes: pure ops on ranked tensors";
  let description = [{
    One level above loops and memory. Every op is pure, works on ranked tensors and states the shape of its results as a
    function of its operands once (`ShapeOpInterface`); type inference, verification, `tensor.dim` reification and the
    lowering all use that function. Sizes that are not known are ordinary `index` values.

    Element-wise ops broadcast as NumPy does: shapes are aligned at the right and a size of 1 stretches. Signed integers
    are signless (`i32`), unsigned ones carry their sign (`ui8`), booleans are `i1`.

    The ops are few and general: an importer builds Gelu, Einsum or Trilu out of them. What later stages must see as one
    thing (a convolution, a normalization, a softmax) stays one op.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
  let hasConstantMaterializer = 1;
}

def Graph_Float : AnyTypeOf<[F16, BF16, F32, F64]>;
def Graph_SignedInt : AnyTypeOf<[I8, I16, I32, I64]>;
def Graph_UnsignedInt : AnyTypeOf<[UI8, UI16, UI32, UI64]>;
def Graph_Int : AnyTypeOf<[Graph_SignedInt, Graph_UnsignedInt]>;
def Graph_Number : AnyTypeOf<[Graph_Float, Graph_Int]>;
def Graph_Element : AnyTypeOf<[Graph_Number, I1]>;

class Graph_TensorOf<Type element> : RankedTensorOf<[element]>;
def Graph_Tensor : Graph_TensorOf<Graph_Element>;
def Graph_NumberTensor : Graph_TensorOf<Graph_Number>;
def Graph_FloatTensor : Graph_TensorOf<Graph_Float>;
def Graph_IndexTensor : Graph_TensorOf<AnyTypeOf<[I32, I64]>>;
def Graph_QuantizedTensor : Graph_TensorOf<AnyTypeOf<[I8, I16, UI8, UI16]>>;
def Graph_BoolTensor : Graph_TensorOf<I1>;
def Graph_BitsTensor : Graph_TensorOf<AnyTypeOf<[Graph_Int, I1]>>;

def ShapeOpInterface : OpInterface<"ShapeOpInterface"> {
  let cppNamespace = "::mlc::graph";
  let description = [{The sizes of an op's results as a function of its operands.}];
  let methods = [
    InterfaceMethod<[{
      Appends the sizes of every result to `shapes`. With a builder behind `sizes`, unknown sizes are index values computed
      before the op; without one they are null. Fails, without a diagnostic, when the operands do not fit together.
    }], "::llvm::LogicalResult", "inferShapes",
      (ins "::mlc::graph::SizeBuilder &":$sizes, "::llvm::SmallVectorImpl<::mlc::graph::Shape> &":$shapes)>
  ];
}

def ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::mlc::graph";
  let description = [{An op that computes each element of its one result from the elements at the same (broadcast) place.}];
  let methods = [
    InterfaceMethod<[{
      Builds the computation of one element from the scalars `args`, one an operand. Integers come and go signless; the
      sign is in the op's own types. Half-precision floats may be widened: `args` and the result then are f32.
    }], "::mlir::Value", "buildScalar", (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$args)>
  ];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mlc::graph";
  let description = [{
    An op that knows its vector-Jacobian products: how the cotangents of its results (the derivatives of a loss with respect
    to them) become those of its operands. The products are made of graph ops, so they can be differentiated again.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the cotangents of the operands that need one and gives them to `gradient`; an operand that gets nothing has
      none. At least one result has a cotangent. Fails, with a diagnostic at the op, where there is no derivative.
    }], "::llvm::LogicalResult", "buildGradients", (ins "::mlc::graph::GradientBuilder &":$gradient)>
  ];
}
def Graph_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;

#endif
