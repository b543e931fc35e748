// RUN: mlc-opt %s --split-input-file --verify-diagnostics

func.func @softmax_c1_axis(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected axis in [0, 2), but got 2}}
  %0 = graph.softmax %x {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @reshape_c1_dynamic_values(%x: tensor<4xf32>, %n: index) {
  // expected-error @+1 {{expected 1 dynamic values, but got 2}}
  %0 = "graph.reshape"(%x, %n, %n) <{static_sizes = array<i64: -9223372036854775808, 2>}> : (tensor<4xf32>, index, index) -> tensor<?x2xf32>
  return
}

// -----

func.func @reshape_c2_elements(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected 4 elements, but got 6}}
  %0 = graph.reshape %x to [2, 3] : tensor<4xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @conv_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected input of rank 3 or more, but got rank 2}}
  %0 = "graph.conv"(%x, %x) <{strides = array<i64>, pads = array<i64>, dilations = array<i64>}> : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @conv_c1_filter_rank(%x: tensor<1x2x8xf32>, %f: tensor<2x3xf32>) {
  // expected-error @+1 {{expected filter of rank 3, but got rank 2}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}> : (tensor<1x2x8xf32>, tensor<2x3xf32>) -> tensor<1x2x8xf32>
  return
}

// -----

func.func @conv_c2_entries(%x: tensor<1x2x8xf32>, %f: tensor<2x2x3xf32>) {
  // expected-error @+1 {{expected 1 entries in strides, but got 2}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1, 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}> : (tensor<1x2x8xf32>, tensor<2x2x3xf32>) -> tensor<1x2x6xf32>
  return
}

// -----

func.func @conv_c3_positive(%x: tensor<1x2x8xf32>, %f: tensor<2x2x3xf32>) {
  // expected-error @+1 {{expected dilations of at least 1, but got 0}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 0>}> : (tensor<1x2x8xf32>, tensor<2x2x3xf32>) -> tensor<1x2x8xf32>
  return
}

// -----

func.func @conv_c4_channels(%x: tensor<1x2x8xf32>, %f: tensor<2x3x3xf32>) {
  // expected-error @+1 {{expected 3 input channels, but got 2}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}> : (tensor<1x2x8xf32>, tensor<2x3x3xf32>) -> tensor<1x2x6xf32>
  return
}

// -----

func.func @conv_c4_filters(%x: tensor<1x2x8xf32>, %f: tensor<3x1x3xf32>) {
  // expected-error @+1 {{expected a multiple of 2 filters, but got 3}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>, groups = 2 : i64}> : (tensor<1x2x8xf32>, tensor<3x1x3xf32>) -> tensor<1x3x6xf32>
  return
}

// -----

func.func @pool_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected input of rank 3 or more, but got rank 2}}
  %0 = "graph.pool"(%x) <{kind = 0 : i32, kernel = array<i64>, strides = array<i64>, pads = array<i64>, dilations = array<i64>}> : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// expected-error @+1 {{expected a static shape, but got}}
graph.parameter @w : tensor<?xf32>

// -----

// expected-error @+1 {{requires a graph.yield of one value at the end of its body}}
graph.parameter @parameter_c2_yield : tensor<2xf32> = {
  %0 = graph.constant dense<1.0> : tensor<2xf32>
}

// -----

graph.parameter @parameter_c2_type : tensor<3xf32> = {
  %0 = graph.constant dense<1.0> : tensor<2xf32>
  // expected-error @+1 {{expected a value of type 'tensor<3xf32>', but got 'tensor<2xf32>'}}
  graph.yield %0 : tensor<2xf32>
}

// -----

graph.parameter @parameter_c3_op : tensor<2xf32> = {
  %0 = graph.constant dense<1.0> : tensor<2xf32>
  // expected-error @+1 {{cannot be evaluated at compile time}}
  %1 = graph.erf %0 : (tensor<2xf32>) -> tensor<2xf32>
  graph.yield %1 : tensor<2xf32>
}

// -----

func.func @weight_c1_symbol() {
  // expected-error @+1 {{requires a graph.parameter named @w}}
  %0 = graph.weight @w : tensor<2xf32>
  return
}

// -----

graph.parameter @w : tensor<3xf32>
func.func @weight_c2_type() {
  // expected-error @+1 {{expected type 'tensor<3xf32>', but got 'tensor<2xf32>'}}
  %0 = graph.weight @w : tensor<2xf32>
  return
}

// -----

func.func @expand_c2_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected rank 2 or more, but got 1}}
  %0 = graph.expand %x to [3] : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @expand_c3_size(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected size 1 or 4 at axis 1, but got 3}}
  %0 = graph.expand %x to [2, 4] : tensor<2x3xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @transpose_c2_not_a_permutation(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected permutation of [0, 2), but got [0, 0]}}
  %0 = graph.transpose %x {permutation = array<i64: 0, 0>} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @slice_c2_step(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected step other than 0 at axis 0}}
  %0 = graph.slice %x offsets [0] sizes [2] steps [0] : tensor<4xf32> -> tensor<2xf32>
  return
}

// -----

func.func @slice_c3_outside(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected a part of [0, 4) at axis 0}}
  %0 = graph.slice %x offsets [2] sizes [3] steps [1] : tensor<4xf32> -> tensor<3xf32>
  return
}

// -----

func.func @pad_c2_value(%x: tensor<4xf32>, %v: tensor<f32>) {
  // expected-error @+1 {{requires a value exactly in mode constant}}
  %0 = graph.pad edge %x, %v low [1] high [1] : tensor<4xf32>, tensor<f32> -> tensor<6xf32>
  return
}

// -----

func.func @pad_c2_type(%x: tensor<4xf32>, %v: tensor<f64>) {
  // expected-error @+1 {{expected element type 'f32', but got 'f64'}}
  %0 = graph.pad constant %x, %v low [1] high [1] : tensor<4xf32>, tensor<f64> -> tensor<6xf32>
  return
}

// -----

func.func @gather_nd_c1_batch(%x: tensor<4xf32>, %i: tensor<4xi64>) {
  // expected-error @+1 {{expected batch_dims below both ranks, but got 1}}
  %0 = "graph.gather_nd"(%x, %i) <{batch_dims = 1 : i64}> : (tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>
  return
}

// -----

func.func @gather_nd_c2_tuple(%x: tensor<4xf32>, %i: tensor<2x2xi64>) {
  // expected-error @+1 {{expected a static last size of indices of at most 1}}
  %0 = "graph.gather_nd"(%x, %i) : (tensor<4xf32>, tensor<2x2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @scatter_nd_c1_tuple(%x: tensor<4xf32>, %i: tensor<2x2xi64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{expected a static last size of indices of at most 1}}
  %0 = "graph.scatter_nd"(%x, %i, %u) : (tensor<4xf32>, tensor<2x2xi64>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @matmul_c1_rank(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected rank 2 or more, but got rank 1}}
  %0 = "graph.matmul"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  return
}

// -----

func.func @reduce_c1_axes(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected sorted unique axes in [0, 2), but got [1, 0]}}
  %0 = graph.reduce sum %x {axes = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<f32>
  return
}

// -----

func.func @reduce_by_mask_c1_mask(%x: tensor<2x3xf32>, %m: tensor<3xi1>) {
  // expected-error @+1 {{expected a mask of 2 booleans}}
  %0 = graph.reduce_by_mask sum %x, %m : (tensor<2x3xf32>, tensor<3xi1>) -> tensor<?x?xf32>
  return
}

// -----

func.func @arg_reduce_c2_kind(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected max or min, but got sum}}
  %0 = graph.arg_reduce sum %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2xi64>
  return
}

// -----

func.func @batch_norm_c1_rank(%x: tensor<2xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{expected input of rank 2 or more, but got rank 1}}
  %0 = graph.batch_norm %x, %s, %s, %s, %s {epsilon = 1.0e-5 : f64} : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @batch_norm_c2_size(%x: tensor<2x4xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{expected one entry for each of the channels, but got}}
  %0 = graph.batch_norm %x, %s, %s, %s, %s {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @cumulate_c2_kind(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expected sum or prod, but got max}}
  %0 = graph.cumulate max %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @resize_c2_scales(%x: tensor<2x3xf32>, %s: tensor<1xf64>, %r: tensor<0xf64>) {
  // expected-error @+1 {{expected 2 scales}}
  %0 = graph.resize nearest %x, %s, %r to [2, 6] coordinates asymmetric nearest floor {cubic_coefficient = -0.75 : f64, extrapolation = 0.0 : f64} : (tensor<2x3xf32>, tensor<1xf64>, tensor<0xf64>) -> tensor<2x6xf32>
  return
}

// -----

func.func @resize_c3_roi(%x: tensor<2x3xf32>, %s: tensor<2xf64>, %r: tensor<2xf64>) {
  // expected-error @+1 {{expected 4 entries in roi}}
  %0 = graph.resize nearest %x, %s, %r to [2, 6] coordinates asymmetric nearest floor {cubic_coefficient = -0.75 : f64, extrapolation = 0.0 : f64} : (tensor<2x3xf32>, tensor<2xf64>, tensor<2xf64>) -> tensor<2x6xf32>
  return
}

// -----

func.func @winograd_conv_c2_filter(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{expected a filter of 6 by 6, but got}}
  %0 = graph.winograd_conv %x, %w {pads = array<i64: 0, 0, 0, 0>} : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @winograd_conv_c4_channels(%x: tensor<1x8x8x3xf32>, %w: tensor<6x6x5x4xf32>) {
  // expected-error @+1 {{expected 5 input channels, but got 3}}
  %0 = graph.winograd_conv %x, %w {pads = array<i64: 0, 0, 0, 0>} : (tensor<1x8x8x3xf32>, tensor<6x6x5x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @winograd_filter_c2_taps(%w: tensor<4x3x5x5xf32>) {
  // expected-error @+1 {{expected a filter of 3 by 3, but got}}
  %0 = graph.winograd_filter %w : tensor<4x3x5x5xf32> -> tensor<6x6x3x4xf32>
  return
}

// -----

func.func @winograd_filter_gradient_c2_pads(%x: tensor<1x8x8x3xf32>, %g: tensor<1x8x8x4xf32>) {
  // expected-error @+1 {{expected pads of at least 0}}
  %0 = "graph.winograd_filter_gradient"(%x, %g) {pads = array<i64: 1, 1, -1, 1>} : (tensor<1x8x8x3xf32>, tensor<1x8x8x4xf32>) -> tensor<4x3x3x3xf32>
  return
}

// -----

func.func @matmul_c3_types(%a: tensor<2x3xi32>, %b: tensor<3x4xi8>) {
  // expected-error @+1 {{expected operands of one element type or 8-bit integers, but got 'i32' and 'i8'}}
  %0 = "graph.matmul"(%a, %b) : (tensor<2x3xi32>, tensor<3x4xi8>) -> tensor<2x4xi32>
  return
}

// -----

func.func @conv_c5_types(%x: tensor<1x2x8xf32>, %f: tensor<2x2x3xi8>) {
  // expected-error @+1 {{expected operands of one element type or 8-bit integers, but got 'f32' and 'i8'}}
  %0 = "graph.conv"(%x, %f) <{strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}> : (tensor<1x2x8xf32>, tensor<2x2x3xi8>) -> tensor<1x2x6xf32>
  return
}

// -----

func.func @dequantize_c1_zero_point(%x: tensor<4xui8>, %s: tensor<f32>, %z: tensor<i8>) {
  // expected-error @+1 {{expected a zero point of type 'ui8', but got 'i8'}}
  %0 = graph.dequantize %x, %s, %z : (tensor<4xui8>, tensor<f32>, tensor<i8>) -> tensor<4xf32>
  return
}

// -----

func.func @conv_filter_gradient_c1_rank(%x: tensor<1x2x8xf32>, %g: tensor<1x3x4x4xf32>) {
  // expected-error @+1 {{expected cotangent of rank 3, but got rank 4}}
  %0 = "graph.conv_filter_gradient"(%x, %g) <{kernel = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>}>
    : (tensor<1x2x8xf32>, tensor<1x3x4x4xf32>) -> tensor<3x2x3xf32>
  return
}

// -----

func.func @conv_filter_gradient_c2_entries(%x: tensor<1x2x8xf32>, %g: tensor<1x3x8xf32>) {
  // expected-error @+1 {{expected 1 entries in strides, but got 2}}
  %0 = graph.conv_filter_gradient %x, %g {kernel = array<i64: 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>}
    : (tensor<1x2x8xf32>, tensor<1x3x8xf32>) -> tensor<3x2x3xf32>
  return
}

// -----

func.func @conv_filter_gradient_c3_kernel(%x: tensor<1x2x8xf32>, %g: tensor<1x3x8xf32>) {
  // expected-error @+1 {{expected kernel of at least 1, but got 0}}
  %0 = graph.conv_filter_gradient %x, %g {kernel = array<i64: 0>, strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>}
    : (tensor<1x2x8xf32>, tensor<1x3x8xf32>) -> tensor<3x2x0xf32>
  return
}

// -----

func.func @conv_filter_gradient_c4_channels(%x: tensor<1x4x8xf32>, %g: tensor<1x3x8xf32>) {
  // expected-error @+1 {{expected a multiple of 2 channels, but got 3}}
  %0 = graph.conv_filter_gradient %x, %g {kernel = array<i64: 3>, strides = array<i64: 1>, pads = array<i64: 1, 1>, dilations = array<i64: 1>, groups = 2 : i64}
    : (tensor<1x4x8xf32>, tensor<1x3x8xf32>) -> tensor<3x2x3xf32>
  return
}

// -----

func.func @pool_gradient_c4_average(%x: tensor<1x2x8xf32>, %g: tensor<1x2x4xf32>) {
  // expected-error @+1 {{expected kind max or sum, but got average}}
  %0 = graph.pool_gradient average %x, %g {kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
    : (tensor<1x2x8xf32>, tensor<1x2x4xf32>) -> tensor<1x2x8xf32>
  return
}

// -----

func.func @pool_gradient_c5_pooled(%x: tensor<1x2x8xf32>, %g: tensor<1x2x4xf32>) {
  // expected-error @+1 {{requires the pool's result exactly for kind max}}
  %0 = graph.pool_gradient max %x, %g {kernel = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
    : (tensor<1x2x8xf32>, tensor<1x2x4xf32>) -> tensor<1x2x8xf32>
  return
}

// -----

func.func @pool_gradient_c2_entries(%x: tensor<1x2x8xf32>, %g: tensor<1x2x4xf32>) {
  // expected-error @+1 {{expected 1 entries in kernel, but got 2}}
  %0 = graph.pool_gradient sum %x, %g {kernel = array<i64: 2, 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>}
    : (tensor<1x2x8xf32>, tensor<1x2x4xf32>) -> tensor<1x2x8xf32>
  return
}

// -----

func.func @scan_c1_no_input(%s: tensor<4xf32>) {
  // expected-error @+1 {{requires an input}}
  %0 = "graph.scan"(%s) <{operandSegmentSizes = array<i32: 1, 0, 0>}> ({
  ^bb0(%sum: tensor<4xf32>):
    graph.yield %sum : tensor<4xf32>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @scan_c1_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{expected inputs of rank 1 or more, but got 'tensor<f32>'}}
  %0 = graph.scan inputs(%x : tensor<f32>) {
  ^bb0(%slice: tensor<f32>):
    graph.yield %slice : tensor<f32>
  } -> tensor<f32>
  return
}

// -----

func.func @scan_c2_arguments(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{expected a body of ('tensor<4xf32>'), but got ('tensor<3x4xf32>')}}
  %0 = graph.scan inputs(%x : tensor<3x4xf32>) {
  ^bb0(%slice: tensor<3x4xf32>):
    graph.yield %slice : tensor<3x4xf32>
  } -> tensor<3x3x4xf32>
  return
}

// -----

func.func @scan_c3_results(%s: tensor<4xf32>, %x: tensor<3x4xf32>) {
  %0, %1 = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<3x4xf32>) {
  ^bb0(%sum: tensor<4xf32>, %slice: tensor<4xf32>):
    // expected-error @+1 {{expected 2 values, but got 1}}
    graph.yield %sum : tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  return
}

// -----

func.func @scan_c3_state(%s: tensor<4xf32>, %x: tensor<3x5xf32>) {
  %0 = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<3x5xf32>) {
  ^bb0(%sum: tensor<4xf32>, %slice: tensor<5xf32>):
    // expected-error @+1 {{expected a state of type 'tensor<4xf32>', but got 'tensor<5xf32>'}}
    graph.yield %slice : tensor<5xf32>
  } -> tensor<4xf32>
  return
}

// -----

func.func @scan_c4_steps(%x: tensor<3x4xf32>, %y: tensor<2x4xf32>) {
  // expected-error @+2 {{requires operands whose shapes fit together}}
  // expected-error @+1 {{failed to infer returned types}}
  %0 = graph.scan inputs(%x, %y : tensor<3x4xf32>, tensor<2x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    graph.yield %a : tensor<4xf32>
  } -> tensor<3x4xf32>
  return
}

// -----

func.func @scan_c3_yield(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{requires a graph.yield at the end of its body}}
  graph.scan inputs(%x : tensor<3x4xf32>) {
  ^bb0(%slice: tensor<4xf32>):
    %0 = graph.exp %slice : (tensor<4xf32>) -> tensor<4xf32>
  }
  return
}
