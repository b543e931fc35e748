// RUN: mlc-opt %s --buffer-reuse-states | FileCheck %s

#id = affine_map<(i) -> (i)>
#last = affine_map<(i) -> (3 - i)>

// CHECK-LABEL: @elementwise
func.func @elementwise(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  // CHECK: scf.for {{.*}} iter_args(%[[OLD:.*]] = %{{.*}})
  // CHECK: %[[NEW:.*]] = linalg.generic {{.*}} outs(%[[OLD]] : tensor<4xf32>)
  // CHECK-NOT: linalg.copy
  // CHECK: scf.yield %[[NEW]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%old = %x) -> (tensor<4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %new = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%old : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %1 = math.exp %in : f32
      linalg.yield %1 : f32
    } -> tensor<4xf32>
    %2 = linalg.copy ins(%new : tensor<4xf32>) outs(%old : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

/// The op would overwrite what it reads later.
// CHECK-LABEL: @no_reuse_of_another_element
func.func @no_reuse_of_another_element(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  // CHECK: linalg.copy
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%old = %x) -> (tensor<4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %new = linalg.generic {indexing_maps = [#last, #id], iterator_types = ["parallel"]} ins(%old : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4xf32>
    %2 = linalg.copy ins(%new : tensor<4xf32>) outs(%old : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

/// The old state is an output of the step.
// CHECK-LABEL: @no_reuse_of_what_is_read_later
func.func @no_reuse_of_what_is_read_later(%x: tensor<4xf32>, %y: tensor<9x4xf32>) -> (tensor<4xf32>, tensor<9x4xf32>) {
  // CHECK: linalg.copy
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %0:2 = scf.for %i = %c0 to %c9 step %c1 iter_args(%old = %x, %all = %y) -> (tensor<4xf32>, tensor<9x4xf32>) {
    %e = tensor.empty() : tensor<4xf32>
    %new = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%old : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %1 = math.exp %in : f32
      linalg.yield %1 : f32
    } -> tensor<4xf32>
    %3 = tensor.insert_slice %old into %all[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<9x4xf32>
    %2 = linalg.copy ins(%new : tensor<4xf32>) outs(%old : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %2, %3 : tensor<4xf32>, tensor<9x4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<9x4xf32>
}
