// RUN: mlc-opt %s --buffer-mark-nodes | FileCheck %s

#same = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#lhs = affine_map<(i, j, k) -> (i, k)>
#rhs = affine_map<(i, j, k) -> (k, j)>
#out = affine_map<(i, j, k) -> (i, j)>
/// Names of fused nodes are joined; 2 * 4 * 16 * 8 operations.
// CHECK-LABEL: func.func @run
// CHECK-SAME: rt.nodes = [
// CHECK-SAME: {bytes = 896 : i64, flops = 1024 : i64, kind = "contract", name = "dense+bias+relu"}
// CHECK-SAME: {bytes = 4194304 : i64, flops = 1048576 : i64, kind = "elementwise", name = "large"}
// CHECK-SAME: {bytes = 0 : i64, flops = 0 : i64, kind = "elementwise", name = "dynamic"}
// CHECK-SAME: {bytes = 2056 : i64, flops = 0 : i64, kind = "copy", name = "gather"}
// CHECK-SAME: {bytes = 512 : i64, flops = 0 : i64, kind = "copy", name = "copy"}
// CHECK-SAME: {bytes = 0 : i64, flops = 0 : i64, kind = "loop", name = "scan"}
// CHECK-SAME: {bytes = 80 : i64, flops = 16 : i64, kind = "reduction", name = "sum"}
func.func @run(%frame: !rt.frame) {
  %n = rt.input_size %frame[2, 0]
  %x = rt.input %frame[0] : memref<4x8xf32>
  %w = rt.input %frame[1] : memref<8x16xf32>
  %y = rt.workspace %frame at 0 : memref<4x16xf32>
  // CHECK: call @product
  // CHECK-NEXT: rt.mark %arg0, 0
  call @product(%x, %w, %y) : (memref<4x8xf32>, memref<8x16xf32>, memref<4x16xf32>) -> () loc(fused["dense", fused["bias", "relu"], "dense"])
  %c512 = arith.constant 512 : index
  %a = rt.workspace %frame at 0 : memref<512x1024xf32>
  // CHECK: rt.parallel_for
  // CHECK-NEXT: rt.mark %arg0, 1
  rt.parallel_for %frame, @range(%a, %a) count %c512 grain 64 : memref<512x1024xf32>, memref<512x1024xf32> loc("large")
  %d = rt.input %frame[2] sizes(%n) : memref<?x4xf32>
  // CHECK: call @dynamic(%[[DYNAMIC:.*]]) :
  // CHECK-NEXT: rt.mark %arg0, 2
  call @dynamic(%d) : (memref<?x4xf32>) -> () loc("dynamic")
  %i = rt.workspace %frame at 64 : memref<1x1xi64>
  %r = rt.workspace %frame at 128 : memref<1x256xf32>
  // CHECK: call @gather
  // CHECK-NEXT: rt.mark %arg0, 3
  call @gather(%a, %i, %r) : (memref<512x1024xf32>, memref<1x1xi64>, memref<1x256xf32>) -> () loc("gather")
  %z = rt.workspace %frame at 1024 : memref<4x16xf32>
  // CHECK: memref.copy
  // CHECK-NEXT: rt.mark %arg0, 4
  memref.copy %y, %z : memref<4x16xf32> to memref<4x16xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 0.0 : f32
  // CHECK: scf.for
  // CHECK-NOT: rt.mark
  // CHECK: }
  // CHECK-NEXT: rt.mark %arg0, 5
  scf.for %j = %c0 to %n step %c1 {
    memref.store %f, %z[%c0, %c0] : memref<4x16xf32>
  } loc("scan")
  %s = rt.workspace %frame at 64 : memref<4xf32>
  /// A loop around a kernel is no node.
  // CHECK: scf.for
  // CHECK: call @sum
  // CHECK-NEXT: rt.mark %arg0, 6
  // CHECK-NEXT: }
  /// What depends on sizes of the run is said at its end: here 4 * n operations, 16 * n bytes.
  // CHECK: %[[PROFILED:.*]] = rt.profiled %arg0
  // CHECK-NEXT: scf.if %[[PROFILED]] {
  // CHECK: %[[FOUR:.*]] = arith.constant 4 : i64
  // CHECK: %[[DIM:.*]] = memref.dim %[[DYNAMIC]]
  // CHECK: %[[N:.*]] = arith.index_cast %[[DIM]] : index to i64
  // CHECK: arith.muli %[[FOUR]], %[[N]] : i64
  // CHECK: arith.constant 16 : i64
  // CHECK: rt.work %arg0, 2 flops
  // CHECK-NOT: rt.work
  // CHECK: return
  scf.for %j = %c0 to %n step %c1 {
    %t = rt.workspace %frame at 256 : memref<4x4xf32>
    func.call @sum(%t, %s) : (memref<4x4xf32>, memref<4xf32>) -> () loc("sum")
  } loc("loop")
  return
}

/// Only entry functions.
// CHECK-LABEL: func.func private @product
// CHECK-NOT: rt.mark
func.func private @product(%x: memref<4x8xf32>, %w: memref<8x16xf32>, %y: memref<4x16xf32>) {
  kernel.contract ins(%x, %w : memref<4x8xf32>, memref<8x16xf32>) outs(%y : memref<4x16xf32>) maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}
/// The operands of a range are parts; the numbers are those of the whole. Two operations: not the comparison and the choice.
func.func private @range(%x: memref<512x1024xf32>, %y: memref<512x1024xf32>, %begin: index, %end: index) {
  %n = arith.subi %end, %begin : index
  %0 = memref.subview %x[%begin, 0] [%n, 1024] [1, 1] : memref<512x1024xf32> to memref<?x1024xf32, strided<[1024, 1], offset: ?>>
  %1 = memref.subview %y[%begin, 0] [%n, 1024] [1, 1] : memref<512x1024xf32> to memref<?x1024xf32, strided<[1024, 1], offset: ?>>
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%0 : memref<?x1024xf32, strided<[1024, 1], offset: ?>>) outs(%1 : memref<?x1024xf32, strided<[1024, 1], offset: ?>>) {
  ^bb0(%in: f32, %out: f32):
    %2 = math.exp %in : f32
    %3 = arith.addf %2, %in : f32
    %4 = arith.cmpf olt, %3, %in : f32
    %5 = arith.select %4, %3, %in : f32
    linalg.yield %5 : f32
  }
  return
}
func.func private @dynamic(%x: memref<?x4xf32>) {
  linalg.generic {indexing_maps = [#same], iterator_types = ["parallel", "parallel"]} outs(%x : memref<?x4xf32>) {
  ^bb0(%out: f32):
    %0 = math.exp %out : f32
    linalg.yield %0 : f32
  }
  return
}
/// Of a table that is read by index, as much as is read.
func.func private @gather(%table: memref<512x1024xf32>, %i: memref<1x1xi64>, %y: memref<1x256xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, 0)>, #same], iterator_types = ["parallel", "parallel"]} ins(%i : memref<1x1xi64>) outs(%y : memref<1x256xf32>) {
  ^bb0(%in: i64, %out: f32):
    %0 = arith.index_cast %in : i64 to index
    %1 = linalg.index 1 : index
    %2 = memref.load %table[%0, %1] : memref<512x1024xf32>
    linalg.yield %2 : f32
  }
  return
}
func.func private @sum(%x: memref<4x4xf32>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [#same, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  }
  return
}

/// No entry: it takes no frame.
// CHECK-LABEL: func.func @no_entry
// CHECK-NOT: rt.mark
func.func @no_entry(%x: memref<4xf32>, %y: memref<4xf32>) {
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  return
}
