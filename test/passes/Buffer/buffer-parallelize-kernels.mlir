// RUN: mlc-opt %s --buffer-parallelize-kernels | FileCheck %s

#same = affine_map<(i, j) -> (i, j)>
// CHECK-LABEL: func.func @entry
func.func @entry(%frame: !rt.frame, %unused: index) {
  return
}

// CHECK-LABEL: func.func @run
func.func @run(%frame: !rt.frame) {
  %0 = rt.input %frame[0] : memref<512x1024xf32>
  %1 = rt.workspace %frame at 0 : memref<512x1024xf32>
  // CHECK: %[[N:.*]] = memref.dim
  // CHECK: rt.parallel_for %arg0, @large(%{{.*}}, %{{.*}}) count %[[N]] grain 64 : memref<512x1024xf32>, memref<512x1024xf32>
  call @large(%0, %1) : (memref<512x1024xf32>, memref<512x1024xf32>) -> ()
  %2 = rt.input %frame[1] : memref<4x4xf32>
  %3 = rt.workspace %frame at 0 : memref<4x4xf32>
  /// Too small to be worth two threads.
  // CHECK: call @no_parallel_small
  call @no_parallel_small(%2, %3) : (memref<4x4xf32>, memref<4x4xf32>) -> ()
  %4 = rt.workspace %frame at 0 : memref<1024x512xf32>
  /// vector-lower-transpositions makes its own tasks.
  // CHECK: call @no_parallel_transposition
  call @no_parallel_transposition(%0, %4) : (memref<512x1024xf32>, memref<1024x512xf32>) -> ()
  return
}

// CHECK: func.func private @large(%[[X:.*]]: memref<512x1024xf32>, %[[Y:.*]]: memref<512x1024xf32>, %[[BEGIN:.*]]: index, %[[END:.*]]: index)
func.func private @large(%x: memref<512x1024xf32>, %y: memref<512x1024xf32>) {
  // CHECK: memref.subview %[[X]][%[[BEGIN]], 0]
  // CHECK: linalg.generic
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : memref<512x1024xf32>) outs(%y : memref<512x1024xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  return
}

func.func private @no_parallel_small(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  }
  return
}

func.func private @no_parallel_transposition(%x: memref<512x1024xf32>, %y: memref<1024x512xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #same], iterator_types = ["parallel", "parallel"]} ins(%x : memref<512x1024xf32>) outs(%y : memref<1024x512xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}
