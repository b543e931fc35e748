// RUN: mlc-opt %s --buffer-unshare-destinations | FileCheck %s

// CHECK-LABEL: @padded_twice
func.func @padded_twice(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  // CHECK-COUNT-2: linalg.fill
  // CHECK: return
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %0 = tensor.insert_slice %a into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  %1 = tensor.insert_slice %b into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

/// A tensor that was computed is not computed again.
// CHECK-LABEL: @no_unshare_computed
func.func @no_unshare_computed(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  // CHECK: math.exp
  // CHECK-NOT: math.exp
  %f = math.exp %c : tensor<6xf32>
  %0 = tensor.insert_slice %a into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  %1 = tensor.insert_slice %b into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

/// Sums start in zeros of their own.
// CHECK-LABEL: @summed_twice
func.func @summed_twice(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<f32>, tensor<f32>) {
  // CHECK-COUNT-2: linalg.fill
  // CHECK: return
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %0 = linalg.reduce { arith.addf } ins(%a : tensor<4xf32>) outs(%f : tensor<f32>) dimensions = [0]
  %1 = linalg.reduce { arith.addf } ins(%b : tensor<4xf32>) outs(%f : tensor<f32>) dimensions = [0]
  return %0, %1 : tensor<f32>, tensor<f32>
}
