//===- TrainDialect.td - what a training program is -------------------------------------------*- tablegen -*----===//
#ifndef MLC_DIALECTS_TRAIN_TRAINDIALECT_TD
#define MLC_DIALECTS_TRAIN_TRAINDIALECT_TD

include "dialects/Graph/GraphDialect.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Train_Dialect : Dialect {
  let name = "train";
  let cppNamespace = "::mlc::train";
  let summary = "What a training program is: state, gradients, and layers that behave differently while they train";
  let description = [{
    A model for training is a function of graph ops, as for inference, with a `train.program` that says how it is trained.
    `train-build-program` makes the functions of a training executable of it; their weights are states, which live
    from one step to the next. Gradients are asked for by one op and expanded by `train-differentiate`.
  }];
  let dependentDialects = ["::mlc::graph::GraphDialect"];
}

def Train_Float : AnyTypeOf<[F16, BF16, F32, F64]>;
def Train_Tensor : RankedTensorOf<[AnyType]>;
def Train_FloatTensor : RankedTensorOf<[Train_Float]>;

def Train_Role : I32EnumAttr<"Role", "", [
    I32EnumAttrCase<"parameter", 0>, I32EnumAttrCase<"frozen", 1>, I32EnumAttrCase<"statistic", 2>,
    I32EnumAttrCase<"optimizer", 3>, I32EnumAttrCase<"average", 4>, I32EnumAttrCase<"gradient", 5>]> {
  let cppNamespace = "::mlc::train";
}

//===------------------------------------------------------------------------------------------------------------===//
// Programs and states
//===------------------------------------------------------------------------------------------------------------===//

def ProgramOp : Op<Train_Dialect, "program"> {
  let summary = "says how a model is trained";
  let description = [{
    `model` names a function of the module; `config` has the keys that docs/Training.md lists: loss, optimizer, schedule,
    metrics, batch, epochs and so on. What the compiler does not need itself (epochs, metrics, schedules) it hands to the
    runtime as it is.

    The private function `preprocess`, where there is one, prepares the data: it takes the inputs as the data has them, in the
    model's order, and gives the model's inputs. It holds graph ops, `train.random_flip` and `train.random_crop`, and reads no
    weights.

    Example: `train.program @mnist preprocess @mnist.preprocess {loss = {kind = "mse"}, optimizer = {kind = "sgd", learning_rate = 1.0e-2 : f64}}`
  }];
  let arguments = (ins FlatSymbolRefAttr:$model, OptionalAttr<FlatSymbolRefAttr>:$preprocess, DictionaryAttr:$config);
  let assemblyFormat = "$model (`preprocess` $preprocess^)? $config attr-dict";
}

def StateOp : Op<Train_Dialect, "state", [Symbol]> {
  let summary = "declares a tensor that lives from one step to the next";
  let description = [{
    Its bytes before the first step are those of the importer's weight of the same name (`initializer` absent), what the
    `initializer` says (a dictionary with `kind` and its numbers), or zeros (`{kind = "zeros"}`).

    Constraints: (C1) the type has a static shape.

    Example: `train.state @w : tensor<64x10xf32> role parameter {initializer = {kind = "glorot_uniform", fan_in = 64 : i64, fan_out = 10 : i64}}`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Train_Tensor>:$type, Train_Role:$role,
                       OptionalAttr<DictionaryAttr>:$initializer);
  let assemblyFormat = "$sym_name `:` $type `role` $role attr-dict";
  let hasVerifier = 1;
}

def ReadOp : Op<Train_Dialect, "read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "gives a state as it is when the function begins";
  let description = [{
    Constraints: (C1) `state` names a `train.state`; (C2) of the result's type.

    Example: `%0 = train.read @w : tensor<64x10xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Train_Tensor:$result);
  let assemblyFormat = "$state attr-dict `:` type($result)";
}

def WriteOp : Op<Train_Dialect, "write", [DeclareOpInterfaceMethods<SymbolUserOpInterface>, MemoryEffects<[MemWrite]>]> {
  let summary = "gives a state the value that it has when the function is done";
  let description = [{
    Reads of the same function do not see it. Constraints as in `train.read`; (C3) a function writes a state once.

    Example: `train.write @w, %0 : tensor<64x10xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$state, Train_Tensor:$value);
  let assemblyFormat = "$state `,` $value attr-dict `:` type($value)";
}

def GradientOp : Op<Train_Dialect, "gradient", [Pure]> {
  let summary = "gives the gradients of a scalar";
  let description = [{
    `result[k] = ∂ loss / ∂ wrt[k]`: zeros where the loss does not depend on it. What `wrt[k]` itself depends on is not
    looked through.

    Constraints: (C1) the loss has rank 0; (C2) one result a tensor of `wrt`, of its type.

    Example: `%g = train.gradient %loss wrt %w : (tensor<f32>, tensor<64x10xf32>) -> tensor<64x10xf32>`
  }];
  let arguments = (ins Train_FloatTensor:$loss, Variadic<Train_FloatTensor>:$wrt);
  let results = (outs Variadic<Train_FloatTensor>:$gradients);
  let assemblyFormat = "$loss `wrt` $wrt attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===------------------------------------------------------------------------------------------------------------===//
// Layers that behave differently while they train
//===------------------------------------------------------------------------------------------------------------===//

/// An op whose result has the shape of its input.
class Train_LayerOp<string mnemonic, list<Trait> traits> : Op<Train_Dialect, mnemonic, traits # [Pure,
    DeclareOpInterfaceMethods<ShapeOpInterface>]> {
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferShapes(::mlc::graph::SizeBuilder &sizes,
                                                 ::llvm::SmallVectorImpl<::mlc::graph::Shape> &shapes) {
      shapes.push_back(sizes.shape(getInput()));
      return ::mlir::success();
    }
  }];
}

def DropoutOp : Train_LayerOp<"dropout", [SameOperandsAndResultType]> {
  let summary = "drops elements at random while it trains";
  let description = [{
    In training an element is kept with the probability 1 - `rate` and then divided by it, otherwise 0; else the input.
    Constraints: (C1) `rate` is in [0, 1).

    Example: `%1 = train.dropout %0 {rate = 5.0e-1 : f64} : tensor<?x64xf32>`
  }];
  let arguments = (ins Train_FloatTensor:$input, F64Attr:$rate);
  let results = (outs Train_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def BatchNormOp : Train_LayerOp<"batch_norm", [AllTypesMatch<["input", "result"]>]> {
  let summary = "normalizes channels by the statistics of the batch while it trains";
  let description = [{
    `(input - m) / sqrt(v + epsilon) * scale + bias` for each channel, an entry of axis `axis`. In training m and v are mean
    and (biased) variance of the input over its other axes, and the running statistics become `momentum * old + (1 - momentum) * new`;
    else m and v are the running ones, `mean` and `variance`.

    Constraints: (C1) `axis` is in [0, rank); (C2) the others have rank 1 and the size of that axis; (C3) `momentum` is in [0, 1];
    (C4) `mean` and `variance` are read from a weight or a state.

    Example: `%1 = train.batch_norm %0, %s, %b, %m, %v {axis = 3 : i64, momentum = 9.9e-1 : f64, epsilon = 1.0e-3 : f64} : (tensor<?x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x8x8x4xf32>`
  }];
  let arguments = (ins Train_FloatTensor:$input, Train_FloatTensor:$scale, Train_FloatTensor:$bias, Train_FloatTensor:$mean,
                       Train_FloatTensor:$variance, I64Attr:$axis, F64Attr:$momentum, F64Attr:$epsilon);
  let results = (outs Train_FloatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def RandomFlipOp : Train_LayerOp<"random_flip", [SameOperandsAndResultType]> {
  let summary = "mirrors whole samples at random while it trains";
  let description = [{
    Axis 0 counts the samples; in training each is reversed along `axis` with the probability 1/2. Constraints: (C1) `axis` is in [1, rank).

    Example: `%1 = train.random_flip %0 {axis = 2 : i64} : tensor<?x32x32x3xf32>`
  }];
  let arguments = (ins Train_Tensor:$input, I64Attr:$axis);
  let results = (outs Train_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def RandomCropOp : Train_LayerOp<"random_crop", [SameOperandsAndResultType]> {
  let summary = "moves whole samples at random while it trains";
  let description = [{
    In training each sample is padded by `padding` zeros at both ends of every axis of `axes`, and a part of the old size is taken at
    a random place. Constraints: (C1) `axes` are sorted, unique and in [1, rank); (C2) `padding` is positive.

    Example: `%1 = train.random_crop %0 {axes = array<i64: 1, 2>, padding = 4 : i64} : tensor<?x32x32x3xf32>`
  }];
  let arguments = (ins Train_FloatTensor:$input, DenseI64ArrayAttr:$axes, I64Attr:$padding);
  let results = (outs Train_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif
