// RUN: mlc-opt %s --split-input-file --buffer-rematerialize="budget=2621440 batch=1024" --verify-diagnostics | FileCheck %s -enable-var-scope

#id = affine_map<(i) -> (i)>
#square = affine_map<(i, j) -> (i, j)>

/// Of %a, %b and %c, a MiB each, two fit: %a is computed again, from the same input by the same op, where it is needed next.
/// Views of it are views of the new buffer.
// CHECK-LABEL: @step
// CHECK-SAME: rt.memory = {arena = 2097152 : i64, before = 3145728 : i64, budget = 2621440 : i64
// CHECK-SAME: recomputed = [{by = "fill+elementwise", bytes = 1048576 : i64, flops = 262144 : i64, name = "first", type = memref<262144xf32>}]
// CHECK-SAME: states = 0
// CHECK: %[[X:.*]] = rt.input
// CHECK: linalg.fill {{.*}} outs(%[[A:.*]] : memref<262144xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]] : memref<262144xf32>) outs(%[[A]] : memref<262144xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[A]] : memref<262144xf32>) outs(%[[B:.*]] : memref<262144xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[B]] : memref<262144xf32>) outs(%[[C:.*]] : memref<262144xf32>)
// CHECK: %[[AGAIN:.*]] = memref.alloc() : memref<262144xf32>
// CHECK-NEXT: linalg.fill {{.*}} outs(%[[AGAIN]] : memref<262144xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]] : memref<262144xf32>) outs(%[[AGAIN]] : memref<262144xf32>)
// CHECK: %[[VIEW:.*]] = memref.subview %[[AGAIN]]
// CHECK: memref.copy %[[VIEW]]
// CHECK: linalg.generic {{.*}} ins(%[[C]], %[[AGAIN]] :
func.func @step(%frame: !rt.frame) {
  %zero = arith.constant 0.0 : f32
  %x = rt.input %frame[0] : memref<262144xf32>
  %y = rt.output %frame[0] : memref<262144xf32>
  %z = rt.output %frame[1] : memref<4xf32>
  %a = memref.alloc() : memref<262144xf32>
  linalg.fill ins(%zero : f32) outs(%a : memref<262144xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<262144xf32>) outs(%a : memref<262144xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } loc("first")
  %b = memref.alloc() : memref<262144xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<262144xf32>) outs(%b : memref<262144xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  %c = memref.alloc() : memref<262144xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%b : memref<262144xf32>) outs(%c : memref<262144xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.sin %in : f32
    linalg.yield %0 : f32
  }
  %view = memref.subview %a[8] [4] [1] : memref<262144xf32> to memref<4xf32, strided<[1], offset: 8>>
  memref.copy %view, %z : memref<4xf32, strided<[1], offset: 8>> to memref<4xf32>
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%c, %a : memref<262144xf32>, memref<262144xf32>) outs(%y : memref<262144xf32>) {
  ^bb0(%in: f32, %kept: f32, %out: f32):
    %0 = arith.mulf %in, %kept : f32
    linalg.yield %0 : f32
  }
  return
}

/// Nothing is done where all fits.
// CHECK-LABEL: @no_change
// CHECK-SAME: recomputed = []
// CHECK-COUNT-1: memref.alloc
// CHECK-NOT: memref.alloc
func.func @no_change(%frame: !rt.frame) {
  %x = rt.input %frame[0] : memref<262144xf32>
  %y = rt.output %frame[0] : memref<262144xf32>
  %a = memref.alloc() : memref<262144xf32>
  memref.copy %x, %a : memref<262144xf32> to memref<262144xf32>
  memref.copy %a, %y : memref<262144xf32> to memref<262144xf32>
  return
}

/// Sizes and operations are those of the batch, through views as well.
// CHECK-LABEL: @batch
// CHECK-SAME: recomputed = [{by = "elementwise", bytes = 1048576 : i64, flops = 262144 : i64
func.func @batch(%frame: !rt.frame) {
  %n = rt.input_size %frame[0, 0]
  %x = rt.input %frame[0] sizes(%n) : memref<?x16x16xf32>
  %y = rt.output %frame[0] sizes(%n) : memref<?x256xf32>
  %flat = memref.collapse_shape %x [[0], [1, 2]] : memref<?x16x16xf32> into memref<?x256xf32>
  %rows = memref.expand_shape %flat [[0, 1], [2]] output_shape [%n, 1, 256] : memref<?x256xf32> into memref<?x1x256xf32>
  %joined = memref.collapse_shape %rows [[0, 1], [2]] : memref<?x1x256xf32> into memref<?x256xf32>
  %a = memref.alloc(%n) : memref<?x256xf32>
  linalg.generic {indexing_maps = [#square, #square], iterator_types = ["parallel", "parallel"]} ins(%joined : memref<?x256xf32>) outs(%a : memref<?x256xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  %b = memref.alloc(%n) : memref<?x256xf32>
  memref.copy %a, %b : memref<?x256xf32> to memref<?x256xf32>
  %c = memref.alloc(%n) : memref<?x256xf32>
  memref.copy %b, %c : memref<?x256xf32> to memref<?x256xf32>
  linalg.generic {indexing_maps = [#square, #square, #square], iterator_types = ["parallel", "parallel"]} ins(%c, %a : memref<?x256xf32>, memref<?x256xf32>) outs(%y : memref<?x256xf32>) {
  ^bb0(%in: f32, %kept: f32, %out: f32):
    %0 = arith.mulf %in, %kept : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

/// What is computed from a state cannot be computed again behind the op that writes it.
#id = affine_map<(i) -> (i)>
train.state @w : tensor<16xf32> role parameter
// expected-error @+1 {{cannot train in 2.5 MiB because the least is 3.0 MiB: 0.0 MiB of weights, 0.0 MiB of the optimizer, 0.0 MiB of sums of gradients, and 3.0 MiB of values within a step, of 3.0 MiB with all of them kept}}
func.func @no_change_of_written_states(%frame: !rt.frame) {
  %w = rt.state %frame @w at 0 {writable} : memref<16xf32>
  %x = rt.input %frame[0] : memref<262144xf32>
  %y = rt.output %frame[0] : memref<262144xf32>
  %a = memref.alloc() : memref<262144xf32>
  linalg.generic {indexing_maps = [#id, affine_map<(i) -> (0)>, #id], iterator_types = ["parallel"]} ins(%x, %w : memref<262144xf32>, memref<16xf32>) outs(%a : memref<262144xf32>) {
  ^bb0(%in: f32, %weight: f32, %out: f32):
    %0 = arith.mulf %in, %weight : f32
    linalg.yield %0 : f32
  }
  %b = memref.alloc() : memref<262144xf32>
  memref.copy %a, %b : memref<262144xf32> to memref<262144xf32>
  %c = memref.alloc() : memref<262144xf32>
  memref.copy %b, %c : memref<262144xf32> to memref<262144xf32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%w : memref<16xf32>) {
  ^bb0(%out: f32):
    %0 = arith.negf %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%c, %a : memref<262144xf32>, memref<262144xf32>) outs(%y : memref<262144xf32>) {
  ^bb0(%in: f32, %kept: f32, %out: f32):
    %0 = arith.mulf %in, %kept : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

func.func @sizes_of_a_run(%frame: !rt.frame) {
  %t = rt.input_size %frame[0, 1]
  // expected-error @below {{cannot plan memory because a size of 'a value' is known only in a run; fix all sizes but the batch by --dim}}
  %a = memref.alloc(%t) : memref<?xf32>
  %c0 = arith.constant 0 : index
  %v = arith.constant 0.0 : f32
  memref.store %v, %a[%c0] : memref<?xf32>
  return
}
