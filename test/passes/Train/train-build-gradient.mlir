// RUN: mlc-opt %s --split-input-file --verify-diagnostics --train-build-gradient | FileCheck %s

// CHECK-LABEL: func.func @scale
// CHECK: return %{{.*}} : tensor<?x4xf32>
// CHECK-LABEL: func.func @gradient
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32> {mlc.name = "x", mlc.symbols = ["N", ""]}, %[[I:.*]]: tensor<4xi64>,
// CHECK-SAME: %[[C:.*]]: tensor<?x4xf32> {mlc.name = "cotangent/y", mlc.symbols = ["N", ""]})
// CHECK-SAME: -> (tensor<?x4xf32> {mlc.name = "gradient/x", mlc.symbols = ["N", ""]})
// CHECK: %[[Y:.*]] = graph.mul %[[X]], %[[X]]
// CHECK: %[[P:.*]] = graph.mul %[[Y]], %[[C]]
// CHECK: %[[L:.*]] = graph.reduce sum %[[P]]
// CHECK: %[[G:.*]] = train.gradient %[[L]] wrt %[[X]]
// CHECK: return %[[G]] : tensor<?x4xf32>
func.func @scale(%x: tensor<?x4xf32> {mlc.name = "x", mlc.symbols = ["N", ""]}, %i: tensor<4xi64>)
    -> (tensor<?x4xf32> {mlc.name = "y"}, tensor<4xi64> {mlc.name = "j"}) {
  %y = graph.mul %x, %x : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y, %i : tensor<?x4xf32>, tensor<4xi64>
}

// -----

// expected-error @+1 {{requires an input and an output of floats, between which there are gradients}}
func.func @no_gradient_of_integers(%x: tensor<4xi64>) -> tensor<4xi64> {
  return %x : tensor<4xi64>
}

// -----

// expected-error @+1 {{requires one public function of one block to differentiate}}
module {
}
