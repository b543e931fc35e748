// RUN: mlc-opt %s --buffer-merge-parallel-loops | FileCheck %s

func.func private @kernel(memref<4xf32> {llvm.readonly}, memref<4xf32>, index, index)
func.func private @small(memref<4xf32> {llvm.readonly}, memref<4xf32>)

/// A kernel between two loops is a step, each with its mark; all read what the one before wrote. What comes before the
/// first loop or behind the last one stays outside.
// CHECK-LABEL: func.func @chain
func.func @chain(%frame: !rt.frame) {
  %n = arith.constant 4 : index
  %0 = rt.input %frame[0] : memref<4xf32>
  %1 = rt.workspace %frame at 0 : memref<4xf32>
  // CHECK: call @small
  call @small(%0, %1) : (memref<4xf32>, memref<4xf32>) -> ()
  // CHECK: %[[B:.*]] = rt.workspace %arg0 at 64
  // CHECK: %[[Y:.*]] = rt.output
  // CHECK: rt.parallel %arg0 {
  // CHECK-NEXT: rt.parallel_for %arg0, @kernel(%{{.*}}, %[[B]])
  // CHECK-NEXT: rt.mark %arg0, 1
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: func.call @small(%[[B]]
  // CHECK-NEXT: rt.mark %arg0, 2
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: rt.parallel_for %arg0, @kernel(%{{.*}}, %[[Y]])
  // CHECK-NEXT: rt.mark %arg0, 3
  // CHECK-NEXT: }
  // CHECK-NEXT: call @small
  // CHECK-NEXT: rt.mark %arg0, 4
  %2 = rt.workspace %frame at 64 : memref<4xf32>
  rt.parallel_for %frame, @kernel(%1, %2) count %n grain 1 : memref<4xf32>, memref<4xf32>
  rt.mark %frame, 1
  call @small(%2, %1) : (memref<4xf32>, memref<4xf32>) -> ()
  rt.mark %frame, 2
  %3 = rt.output %frame[0] : memref<4xf32>
  rt.parallel_for %frame, @kernel(%1, %3) count %n grain 1 : memref<4xf32>, memref<4xf32>
  rt.mark %frame, 3
  call @small(%1, %2) : (memref<4xf32>, memref<4xf32>) -> ()
  rt.mark %frame, 4
  return
}

/// Both read one buffer and write places of the arena that do not overlap, until a view of the first result is written
/// again, and until a place that overlaps with it.
// CHECK-LABEL: func.func @beside
func.func @beside(%frame: !rt.frame) {
  // CHECK: rt.parallel %arg0 {
  // CHECK-NEXT: rt.parallel_for
  // CHECK-NEXT: rt.parallel_for
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: rt.parallel_for
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: rt.parallel_for
  // CHECK-NEXT: }
  %n = arith.constant 4 : index
  %0 = rt.workspace %frame at 0 : memref<4xf32>
  %1 = rt.workspace %frame at 64 : memref<2x2xf32>
  %2 = rt.workspace %frame at 128 : memref<4xf32>
  %3 = rt.workspace %frame at 64 : memref<4xf32>
  %view = memref.collapse_shape %1 [[0, 1]] : memref<2x2xf32> into memref<4xf32>
  rt.parallel_for %frame, @kernel(%0, %view) count %n grain 1 : memref<4xf32>, memref<4xf32>
  rt.parallel_for %frame, @kernel(%0, %2) count %n grain 1 : memref<4xf32>, memref<4xf32>
  %again = memref.collapse_shape %1 [[0, 1]] : memref<2x2xf32> into memref<4xf32>
  rt.parallel_for %frame, @kernel(%0, %again) count %n grain 1 : memref<4xf32>, memref<4xf32>
  rt.parallel_for %frame, @kernel(%0, %3) count %n grain 1 : memref<4xf32>, memref<4xf32>
  return
}

/// A buffer that was given back is given back behind the region, so one that is taken after it ends the region.
// CHECK-LABEL: func.func @taken
func.func @taken(%frame: !rt.frame) {
  // CHECK: %[[N:.*]] = rt.input_size
  // CHECK: %[[A:.*]] = rt.alloc
  // CHECK: %[[B:.*]] = rt.alloc
  // CHECK: cf.assert
  // CHECK: rt.parallel %arg0 {
  // CHECK-NEXT: rt.parallel_for %arg0, @dynamic(%[[A]])
  // CHECK-NEXT: rt.parallel_for %arg0, @dynamic(%[[B]])
  // CHECK-NEXT: }
  // CHECK-NEXT: rt.free %arg0, %[[A]]
  // CHECK-NEXT: %[[C:.*]] = rt.alloc
  // CHECK: rt.parallel %arg0 {
  // CHECK-NEXT: rt.parallel_for %arg0, @dynamic(%[[C]])
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: rt.parallel_for %arg0, @dynamic(%[[C]])
  // CHECK-NEXT: }
  %n = rt.input_size %frame[0, 0]
  %0 = rt.alloc %frame sizes(%n) : memref<?xf32>
  rt.parallel_for %frame, @dynamic(%0) count %n grain 1 : memref<?xf32>
  %1 = rt.alloc %frame sizes(%n) : memref<?xf32>
  %ok = arith.cmpi eq, %n, %n : index
  cf.assert %ok, "node 'x': sizes differ"
  rt.parallel_for %frame, @dynamic(%1) count %n grain 1 : memref<?xf32>
  rt.free %frame, %0 : memref<?xf32>
  %2 = rt.alloc %frame sizes(%n) : memref<?xf32>
  rt.parallel_for %frame, @dynamic(%2) count %n grain 1 : memref<?xf32>
  rt.parallel_for %frame, @dynamic(%2) count %n grain 1 : memref<?xf32>
  return
}
func.func private @dynamic(memref<?xf32>, index, index)

/// What is read between two loops may be what the first one wrote.
// CHECK-LABEL: func.func @no_merge_load
// CHECK-NOT: rt.parallel %
func.func @no_merge_load(%frame: !rt.frame) {
  %n = arith.constant 4 : index
  %c0 = arith.constant 0 : index
  %0 = rt.workspace %frame at 0 : memref<4xf32>
  %1 = rt.workspace %frame at 64 : memref<4xindex>
  rt.parallel_for %frame, @kernel(%0, %0) count %n grain 1 : memref<4xf32>, memref<4xf32>
  %m = memref.load %1[%c0] : memref<4xindex>
  rt.parallel_for %frame, @kernel(%0, %0) count %m grain 1 : memref<4xf32>, memref<4xf32>
  return
}
