// RUN: mlc-opt %s --buffer-bind-entry --split-input-file --verify-diagnostics | FileCheck %s

graph.parameter @w0 : tensor<3xf32>
/// How a weight is computed is forgotten.
// CHECK: graph.parameter @w1 : tensor<2xf32>{{$}}
graph.parameter @w1 : tensor<2xf32> = {
  %0 = graph.weight @w2 : tensor<3xf32>
  %1 = graph.slice %0 offsets [1] sizes [2] steps [1] : tensor<3xf32> -> tensor<2xf32>
  graph.yield %1 : tensor<2xf32>
}
// Nothing reads this one, so it has no place.
graph.parameter @unread : tensor<7xf32>
graph.parameter @w2 : tensor<3xf32>
// CHECK-LABEL: func.func @entry
// CHECK-SAME: (%[[FRAME:.*]]: !rt.frame) attributes {rt.weights_bytes = 72 : i64}
func.func @entry(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<2xf32>, tensor<3xf32>) {
  /// A buffer of static size is there from the start.
  // CHECK: %[[OUT1:.*]] = rt.output %[[FRAME]][1] : memref<2xf32>
  // CHECK: rt.output %[[FRAME]][2] : memref<3xf32>
  // CHECK: %[[N:.*]] = rt.input_size %[[FRAME]][0, 0]
  // CHECK: %[[X:.*]] = rt.input %[[FRAME]][0] sizes(%[[N]]) : tensor<?xf32>
  // CHECK: %[[W:.*]] = rt.weight %[[FRAME]] @w1 at 64 : tensor<2xf32>
  %0 = graph.weight @w1 : tensor<2xf32>
  // CHECK: rt.output %[[FRAME]][0] sizes(%{{.*}}) : memref<?xf32>
  // CHECK: bufferization.materialize_in_destination %[[X]] in restrict writable
  // CHECK: bufferization.materialize_in_destination %[[W]] in restrict writable %[[OUT1]]
  // CHECK: return
  %1 = graph.weight @w0 : tensor<3xf32>
  return %x, %0, %1 : tensor<?xf32>, tensor<2xf32>, tensor<3xf32>
}

// -----

// expected-error @+1 {{requires an entry function of one block}}
func.func @two_blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}
