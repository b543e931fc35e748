// RUN: mlc-opt %s --train-differentiate --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @product
// CHECK-SAME: (%[[X:.*]]: tensor<4xf64>, %[[Y:.*]]: tensor<4xf64>)
func.func @product(%x: tensor<4xf64>, %y: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0 = graph.mul %x, %y : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0>} : (tensor<4xf64>) -> tensor<f64>
  // CHECK: %[[ONE:.*]] = graph.constant dense<1.0
  // CHECK: %[[DX:.*]] = graph.mul %[[Y]], %[[ONE]]
  // CHECK: %[[DY:.*]] = graph.mul %[[X]], %[[ONE]]
  // CHECK: return %[[DX]], %[[DY]]
  %g:2 = train.gradient %l wrt %x, %y : (tensor<f64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  return %g#0, %g#1 : tensor<4xf64>, tensor<4xf64>
}

/// Uses are added up, the last one first.
// CHECK-LABEL: func.func @twice
// CHECK: %[[EXP:.*]] = graph.exp
// CHECK: %[[COS:.*]] = graph.cos
// CHECK: %[[OF_SIN:.*]] = graph.mul %[[COS]]
// CHECK: %[[OF_EXP:.*]] = graph.mul %[[EXP]]
// CHECK: graph.add %[[OF_SIN]], %[[OF_EXP]]
func.func @twice(%x: tensor<f64>) -> tensor<f64> {
  %0 = graph.exp %x : (tensor<f64>) -> tensor<f64>
  %1 = graph.sin %x : (tensor<f64>) -> tensor<f64>
  %l = graph.add %0, %1 : (tensor<f64>, tensor<f64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<f64>) -> tensor<f64>
  return %g : tensor<f64>
}

/// What was broadcast is summed up; only of what was asked for.
// CHECK-LABEL: func.func @broadcast
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf64>, %[[B:.*]]: tensor<4xf64>)
// CHECK: graph.reduce sum %{{.*}} {axes = array<i64: 0>, keep_dims} : (tensor<?x4xf64>) -> tensor<1x4xf64>
// CHECK-NOT: graph.reduce_by_mask
// CHECK: return
func.func @broadcast(%x: tensor<?x4xf64>, %b: tensor<4xf64>) -> tensor<4xf64> {
  %0 = graph.add %x, %b : (tensor<?x4xf64>, tensor<4xf64>) -> tensor<?x4xf64>
  %1 = graph.tanh %0 : (tensor<?x4xf64>) -> tensor<?x4xf64>
  %l = graph.reduce sum %1 {axes = array<i64: 0, 1>} : (tensor<?x4xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %b : (tensor<f64>, tensor<4xf64>) -> tensor<4xf64>
  return %g : tensor<4xf64>
}

/// Where only a run knows whether a size is 1, it decides; not where two sizes have one name.
// CHECK-LABEL: func.func @sizes_of_one_name
// CHECK-NOT: graph.reduce_by_mask
// CHECK: return
func.func @sizes_of_one_name(%x: tensor<?xf64> {mlc.symbols = ["N"]}, %y: tensor<?xf64> {mlc.symbols = ["N"]}) -> tensor<?xf64> {
  %0 = graph.mul %x, %y : (tensor<?xf64>, tensor<?xf64>) -> tensor<?xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0>} : (tensor<?xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<?xf64>) -> tensor<?xf64>
  return %g : tensor<?xf64>
}

// CHECK-LABEL: func.func @unknown_sizes
// CHECK: graph.reduce_by_mask sum
func.func @unknown_sizes(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<?xf64> {
  %0 = graph.mul %x, %y : (tensor<?xf64>, tensor<?xf64>) -> tensor<?xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0>} : (tensor<?xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<?xf64>) -> tensor<?xf64>
  return %g : tensor<?xf64>
}

/// Nothing of the loss depends on it.
// CHECK-LABEL: func.func @independent
// CHECK: %[[Z:.*]] = graph.constant dense<0.0
// CHECK: return %[[Z]]
func.func @independent(%x: tensor<4xf64>, %l: tensor<f64>) -> tensor<4xf64> {
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<4xf64>) -> tensor<4xf64>
  return %g : tensor<4xf64>
}

/// A branch is computed again where its cotangents are.
// CHECK-LABEL: func.func @branch
// CHECK: %[[G:.*]] = scf.if
// CHECK: graph.exp
// CHECK: } else {
// CHECK: graph.cos
// CHECK: return %[[G]]
func.func @branch(%c: i1, %x: tensor<f64>) -> tensor<f64> {
  %l = scf.if %c -> tensor<f64> {
    %0 = graph.exp %x : (tensor<f64>) -> tensor<f64>
    scf.yield %0 : tensor<f64>
  } else {
    %0 = graph.sin %x : (tensor<f64>) -> tensor<f64>
    scf.yield %0 : tensor<f64>
  }
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<f64>) -> tensor<f64>
  return %g : tensor<f64>
}

/// The gradient of a convolution's input is a convolution, that of its filter one op; with strides a transposed one.
// CHECK-LABEL: func.func @convolution
// CHECK: %[[F:.*]] = graph.slice %{{.*}} steps [1, 1, -1, -1]
// CHECK: %[[T:.*]] = graph.transpose %[[F]] {permutation = array<i64: 1, 0, 2, 3>}
// CHECK: graph.conv %{{.*}}, %[[T]] {channels_last
// CHECK: graph.conv_filter_gradient {{.*}}channels_last
func.func @convolution(%x: tensor<1x8x8x3xf32>, %w: tensor<4x3x3x3xf32>) -> (tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>) {
  %0 = graph.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, channels_last}
    : (tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>) -> tensor<1x8x8x4xf32>
  %l = graph.reduce sum %0 {axes = array<i64: 0, 1, 2, 3>} : (tensor<1x8x8x4xf32>) -> tensor<f32>
  %g:2 = train.gradient %l wrt %x, %w : (tensor<f32>, tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>) -> (tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>)
  return %g#0, %g#1 : tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>
}

// CHECK-LABEL: func.func @strides
// CHECK: graph.conv_transpose {{.*}} output_padding = array<i64: 1>
func.func @strides(%x: tensor<1x3x8xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x3x8xf32> {
  %0 = graph.conv %x, %w {strides = array<i64: 2>, pads = array<i64: 1, 1>, dilations = array<i64: 1>}
    : (tensor<1x3x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x4xf32>
  %l = graph.reduce sum %0 {axes = array<i64: 0, 1, 2>} : (tensor<1x4x4xf32>) -> tensor<f32>
  %g = train.gradient %l wrt %x : (tensor<f32>, tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  return %g : tensor<1x3x8xf32>
}

train.state @"gradient/v" : tensor<4xf64> role gradient
train.state @"gradient/w" : tensor<4xf64> role gradient
/// A sum of gradients is complete as soon as its gradient is: that of the last factor before the first one's is begun.
// CHECK-LABEL: func.func @sums
func.func @sums(%x: tensor<4xf64>, %v: tensor<4xf64>, %w: tensor<4xf64>) {
  // CHECK: %[[OLD_V:.*]] = train.read @"gradient/v"
  // CHECK: %[[OLD_W:.*]] = train.read @"gradient/w"
  %old_v = train.read @"gradient/v" : tensor<4xf64>
  %old_w = train.read @"gradient/w" : tensor<4xf64>
  %0 = graph.mul %x, %v : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %1 = graph.exp %0 : (tensor<4xf64>) -> tensor<4xf64>
  %2 = graph.mul %1, %w : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %l = graph.reduce sum %2 {axes = array<i64: 0>} : (tensor<4xf64>) -> tensor<f64>
  %g:2 = train.gradient %l wrt %v, %w : (tensor<f64>, tensor<4xf64>, tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>)
  // CHECK: %[[NEW_W:.*]] = graph.add %[[OLD_W]]
  // CHECK-NEXT: train.write @"gradient/w", %[[NEW_W]]
  // CHECK: graph.mul
  // CHECK: %[[NEW_V:.*]] = graph.add %[[OLD_V]]
  // CHECK-NEXT: train.write @"gradient/v", %[[NEW_V]]
  %new_v = graph.add %old_v, %g#0 : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  %new_w = graph.add %old_w, %g#1 : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  train.write @"gradient/v", %new_v : tensor<4xf64>
  train.write @"gradient/w", %new_w : tensor<4xf64>
  return
}

/// Behind a relu, a maximum gives to places that have it: its windows are chosen, not the places.
// CHECK-LABEL: func.func @pool_of_relu
// CHECK: %[[RELU:.*]] = graph.max
// CHECK: %[[POOLED:.*]] = graph.pool max %[[RELU]]
// CHECK: %[[CHOSEN:.*]] = graph.compare gt %[[POOLED]], %{{.*}} : (tensor<1x1x2x2xf64>, tensor<f64>)
// CHECK: %[[DY:.*]] = graph.select %[[CHOSEN]]
// CHECK: %[[DX:.*]] = graph.pool_gradient max %[[RELU]], %[[DY]], %[[POOLED]]
// CHECK: return %[[DX]]
func.func @pool_of_relu(%x: tensor<1x1x4x4xf64>) -> tensor<1x1x4x4xf64> {
  %zero = graph.constant dense<0.0> : tensor<f64>
  %0 = graph.max %x, %zero : (tensor<1x1x4x4xf64>, tensor<f64>) -> tensor<1x1x4x4xf64>
  %1 = graph.pool max %0 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf64>) -> tensor<1x1x2x2xf64>
  %l = graph.reduce sum %1 {axes = array<i64: 0, 1, 2, 3>} : (tensor<1x1x2x2xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<1x1x4x4xf64>) -> tensor<1x1x4x4xf64>
  return %g : tensor<1x1x4x4xf64>
}

/// What reads the relu besides has a share of the cotangent, whose places the pool does not choose.
// CHECK-LABEL: func.func @pool_of_relu_read_twice
// CHECK: %[[RELU:.*]] = graph.max
// CHECK: %[[OF_POOL:.*]] = graph.pool_gradient max %[[RELU]]
// CHECK: graph.compare gt %[[RELU]]
func.func @pool_of_relu_read_twice(%x: tensor<1x1x4x4xf64>) -> tensor<1x1x4x4xf64> {
  %zero = graph.constant dense<0.0> : tensor<f64>
  %0 = graph.max %x, %zero : (tensor<1x1x4x4xf64>, tensor<f64>) -> tensor<1x1x4x4xf64>
  %1 = graph.pool max %0 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf64>) -> tensor<1x1x2x2xf64>
  %2 = graph.reduce sum %1 {axes = array<i64: 0, 1, 2, 3>} : (tensor<1x1x2x2xf64>) -> tensor<f64>
  %3 = graph.reduce sum %0 {axes = array<i64: 0, 1, 2, 3>} : (tensor<1x1x4x4xf64>) -> tensor<f64>
  %l = graph.mul %2, %3 : (tensor<f64>, tensor<f64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<1x1x4x4xf64>) -> tensor<1x1x4x4xf64>
  return %g : tensor<1x1x4x4xf64>
}
