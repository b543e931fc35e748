// RUN: mlc-opt %s --vector-lower-transpositions="vector-bits=128" --split-input-file | FileCheck %s

#same = affine_map<(i, j) -> (i, j)>
#swapped = affine_map<(i, j) -> (j, i)>
#columns = affine_map<(i, j) -> (j)>

/// Four vectors in, two rounds of two unpacks a pair, four vectors out; no loop is left for rows.
// CHECK-LABEL: @square
// CHECK-COUNT-4: vector.load {{.*}} vector<4xf32>
// CHECK: vector.shuffle {{.*}} [0, 4, 1, 5]
// CHECK: vector.shuffle {{.*}} [2, 6, 3, 7]
// CHECK-COUNT-6: vector.shuffle
// CHECK-NOT: vector.shuffle
// CHECK-COUNT-4: vector.store
// CHECK-NOT: vector.store
// CHECK-NOT: linalg.generic
func.func @square(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [#swapped, #same], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

/// One row and two columns are left; ops run on transposed vectors, other operands lie along the columns.
// CHECK-LABEL: @edges
// CHECK: %[[BIAS:.*]] = vector.load
// CHECK: arith.addf {{.*}} : vector<4xf32>
// CHECK: vector.maskedload {{.*}} vector<4xi1>
// CHECK: vector.maskedstore
// CHECK-NOT: linalg.generic
func.func @edges(%x: memref<6x9xf32>, %bias: memref<6xf32>, %y: memref<9x6xf32>) {
  linalg.generic {indexing_maps = [#swapped, #columns, #same], iterator_types = ["parallel", "parallel"]}
    ins(%x, %bias : memref<6x9xf32>, memref<6xf32>) outs(%y : memref<9x6xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %0 = arith.addf %in, %b : f32
    linalg.yield %0 : f32
  }
  return
}

/// Sizes of a run: masks are computed, columns that do not exist are not read.
// CHECK-LABEL: @dynamic
// CHECK: arith.cmpi slt, {{.*}} vector<8xi32>
// CHECK: arith.select {{.*}} vector<8xi1>
// CHECK: vector.maskedload {{.*}} vector<8xi16>
// CHECK-NOT: linalg.generic
func.func @dynamic(%x: memref<?x?xi16>, %y: memref<?x?xi16>) {
  linalg.generic {indexing_maps = [#swapped, #same], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<?x?xi16>) outs(%y : memref<?x?xi16>) {
  ^bb0(%in: i16, %out: i16):
    linalg.yield %in : i16
  }
  return
}

/// Contiguous along one loop on both sides: a plain loop does.
// CHECK-LABEL: @no_lower_rows
// CHECK: linalg.generic
func.func @no_lower_rows(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

/// Elements of one bit do not lie in memory as vectors do.
// CHECK-LABEL: @no_lower_bits
// CHECK: linalg.generic
func.func @no_lower_bits(%x: memref<4x4xi1>, %y: memref<4x4xi1>) {
  linalg.generic {indexing_maps = [#swapped, #same], iterator_types = ["parallel", "parallel"]}
    ins(%x : memref<4x4xi1>) outs(%y : memref<4x4xi1>) {
  ^bb0(%in: i1, %out: i1):
    linalg.yield %in : i1
  }
  return
}

// -----

#to = affine_map<(n, h, w, c) -> (n, h, w, c)>
#from = affine_map<(n, h, w, c) -> (n, c, h, w)>

/// The two axes of the image are one; images and blocks of rows are tasks.
// CHECK-LABEL: func.func @run
func.func @run(%frame: !rt.frame) {
  %0 = rt.input %frame[0] : memref<2x64x56x56xf32>
  %1 = rt.workspace %frame at 0 : memref<2x56x56x64xf32>
  // CHECK: %[[TASKS:.*]] = arith.constant 14 : index
  // CHECK: rt.parallel_for %arg0, @channels_last(%{{.*}}, %{{.*}}) count %[[TASKS]] grain 1
  call @channels_last(%0, %1) : (memref<2x64x56x56xf32>, memref<2x56x56x64xf32>) -> ()
  return
}
// CHECK: func.func private @channels_last({{.*}}, %[[BEGIN:.*]]: index, %[[END:.*]]: index)
// CHECK: scf.for %{{.*}} = %[[BEGIN]] to %[[END]]
func.func private @channels_last(%x: memref<2x64x56x56xf32>, %y: memref<2x56x56x64xf32>) {
  linalg.generic {indexing_maps = [#from, #to], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x : memref<2x64x56x56xf32>) outs(%y : memref<2x56x56x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}
