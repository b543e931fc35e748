// RUN: mlc-opt %s --linalg-collapse-loops | FileCheck %s -enable-var-scope


#all = affine_map<(f, c, i, j) -> (f, c, i, j)>
#none = affine_map<(f, c, i, j) -> ()>
/// An update of a filter: one loop, and what does not move with it stays.
// CHECK-LABEL: @filter
func.func @filter(%x: memref<64x32x3x3xf32>, %rate: memref<f32>, %y: memref<64x32x3x3xf32>) {
  // CHECK: linalg.generic {indexing_maps = [#[[ONE:.*]], #[[NONE:.*]], #[[ONE]]], iterator_types = ["parallel"]}
  // CHECK-SAME: ins(%{{.*}}, %arg1 : memref<18432xf32, strided<[1]>>, memref<f32>) outs(%{{.*}} : memref<18432xf32, strided<[1]>>)
  linalg.generic {indexing_maps = [#all, #none, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x, %rate : memref<64x32x3x3xf32>, memref<f32>) outs(%y : memref<64x32x3x3xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.mulf %l, %r : f32
    linalg.yield %0 : f32
  }
  return
}

#id3 = affine_map<(i, j, k) -> (i, j, k)>
/// A range of a parallel kernel: the size of its outermost loop and its place are known only at run time.
// CHECK-LABEL: @range
func.func @range(%x: memref<64x3x3xf32>, %y: memref<64x3x3xf32>, %begin: index, %size: index) {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]
  // CHECK-SAME: memref<?xf32, strided<[1], offset: ?>>
  %0 = memref.subview %x[%begin, 0, 0] [%size, 3, 3] [1, 1, 1] : memref<64x3x3xf32> to memref<?x3x3xf32, strided<[9, 3, 1], offset: ?>>
  %1 = memref.subview %y[%begin, 0, 0] [%size, 3, 3] [1, 1, 1] : memref<64x3x3xf32> to memref<?x3x3xf32, strided<[9, 3, 1], offset: ?>>
  linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%0 : memref<?x3x3xf32, strided<[9, 3, 1], offset: ?>>) outs(%1 : memref<?x3x3xf32, strided<[9, 3, 1], offset: ?>>) {
  ^bb0(%l: f32, %o: f32):
    %2 = arith.addf %l, %l : f32
    linalg.yield %2 : f32
  }
  return
}

#bias = affine_map<(i, j, k) -> (k)>
/// A bias moves with the last loop alone: the others are one.
// CHECK-LABEL: @bias
func.func @bias(%x: memref<?x5x8xf32>, %b: memref<8xf32>, %y: memref<?x5x8xf32>) {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
  // CHECK-SAME: memref<?x8xf32, strided<[8, 1]>>, memref<8xf32>
  linalg.generic {indexing_maps = [#id3, #bias, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %b : memref<?x5x8xf32>, memref<8xf32>) outs(%y : memref<?x5x8xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %0 = arith.addf %l, %r : f32
    linalg.yield %0 : f32
  }
  return
}

#id2 = affine_map<(i, j) -> (i, j)>
/// In place: one buffer is read and written.
// CHECK-LABEL: @in_place
func.func @in_place(%x: memref<7x3xf32>) {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel"]
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<7x3xf32>) outs(%x : memref<7x3xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = arith.addf %l, %l : f32
    linalg.yield %0 : f32
  }
  return
}

/// Loops beside a gap stay; those outside of it are joined.
// CHECK-LABEL: @gap
func.func @gap(%x: memref<4x6x8xf32, strided<[96, 16, 1]>>, %y: memref<4x6x8xf32>) {
  // CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
  // CHECK-SAME: memref<24x8xf32, strided<[16, 1]>>
  linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x : memref<4x6x8xf32, strided<[96, 16, 1]>>) outs(%y : memref<4x6x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  }
  return
}

#transposed = affine_map<(i, j) -> (j, i)>
// CHECK-LABEL: @no_collapse_transposed
func.func @no_collapse_transposed(%x: memref<8x4xf32>, %y: memref<4x8xf32>) {
  // CHECK: iterator_types = ["parallel", "parallel"]
  linalg.generic {indexing_maps = [#transposed, #id2], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<8x4xf32>) outs(%y : memref<4x8xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  }
  return
}

#row = affine_map<(i, j) -> (i)>
// CHECK-LABEL: @no_collapse_reduction
func.func @no_collapse_reduction(%x: memref<8x4xf32>, %y: memref<8xf32>) {
  // CHECK: iterator_types = ["parallel", "reduction"]
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : memref<8x4xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%l: f32, %o: f32):
    %0 = arith.addf %l, %o : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: @no_collapse_index
func.func @no_collapse_index(%y: memref<8x4xindex>) {
  // CHECK: iterator_types = ["parallel", "parallel"]
  linalg.generic {indexing_maps = [#id2], iterator_types = ["parallel", "parallel"]} outs(%y : memref<8x4xindex>) {
  ^bb0(%o: index):
    %0 = linalg.index 1 : index
    linalg.yield %0 : index
  }
  return
}
