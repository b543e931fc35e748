// RUN: mlc-opt %s --buffer-plan-arena | FileCheck %s
// RUN: mlc-opt %s --buffer-plan-arena="batch=8" | FileCheck %s --check-prefix=BATCH


/// Buffers that live at the same time lie apart; the third takes the place of the first.
// CHECK-LABEL: @reuse
// CHECK-SAME: rt.arena_bytes = 512 : i64
func.func @reuse(%frame: !rt.frame) {
  %c0 = arith.constant 0 : index
  %v = arith.constant 0.0 : f32
  // CHECK: rt.workspace %arg0 at 0 : memref<64xf32>
  %0 = memref.alloc() : memref<64xf32>
  // CHECK: rt.workspace %arg0 at 256 : memref<64xf32>
  %1 = memref.alloc() : memref<64xf32>
  memref.copy %0, %1 : memref<64xf32> to memref<64xf32>
  // CHECK: rt.workspace %arg0 at 0 : memref<64xf32>
  %2 = memref.alloc() : memref<64xf32>
  memref.copy %1, %2 : memref<64xf32> to memref<64xf32>
  return
}

/// A use in a loop lasts as long as the loop; a use of a view is one of the buffer.
// CHECK-LABEL: @no_reuse_in_loop
// CHECK-SAME: rt.arena_bytes = 128 : i64
func.func @no_reuse_in_loop(%frame: !rt.frame) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %0 = memref.alloc() : memref<16xf32>
  %view = memref.subview %0[0] [4] [1] : memref<16xf32> to memref<4xf32, strided<[1]>>
  scf.for %i = %c0 to %c4 step %c1 {
    %1 = memref.alloc() : memref<16xf32>
    %v = memref.load %view[%i] : memref<4xf32, strided<[1]>>
    memref.store %v, %1[%i] : memref<16xf32>
  }
  return
}

// CHECK-LABEL: @dynamic
func.func @dynamic(%frame: !rt.frame) {
  %n = rt.input_size %frame[0, 0]
  %c0 = arith.constant 0 : index
  // CHECK: rt.workspace
  %0 = memref.alloc() : memref<16xf32>
  %v = memref.load %0[%c0] : memref<16xf32>
  // CHECK: %[[B:.*]] = rt.alloc %arg0 sizes(%{{.*}}) : memref<?xf32>
  // CHECK: memref.store
  // CHECK-NEXT: rt.free %arg0, %[[B]]
  %1 = memref.alloc(%n) : memref<?xf32>
  memref.store %v, %1[%c0] : memref<?xf32>
  return
}

/// A buffer begins at its first use, not where it is allocated: the second takes the place of the first.
// CHECK-LABEL: @begins_at_its_use
// CHECK-SAME: rt.arena_bytes = 256 : i64
func.func @begins_at_its_use(%frame: !rt.frame) {
  %v = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %0 = memref.alloc() : memref<64xf32>
  %view = memref.subview %0[0] [4] [1] : memref<64xf32> to memref<4xf32, strided<[1]>>
  %1 = memref.alloc() : memref<64xf32>
  memref.store %v, %1[%c0] : memref<64xf32>
  memref.store %v, %view[%c0] : memref<4xf32, strided<[1]>>
  return
}

/// For a batch of at most eight, what grows with it has a place: (8 + 1) * 4 elements. Other sizes do not.
// BATCH-LABEL: @batch
// BATCH-SAME: rt.arena_bytes = 192 : i64
// BATCH: %[[N:.*]] = rt.input_size %arg0[0, 0]
// BATCH-NEXT: %[[MOST:.*]] = arith.constant 8 : index
// BATCH-NEXT: %[[FITS:.*]] = arith.cmpi ule, %[[N]], %[[MOST]] : index
// BATCH-NEXT: cf.assert %[[FITS]], "expected at most 8 samples a step
// BATCH: rt.workspace %arg0 sizes(%{{.*}}) at 0 most 192 : memref<?x4xf32>
// BATCH: rt.alloc
func.func @batch(%frame: !rt.frame) {
  %n = rt.input_size %frame[0, 0]
  %t = rt.input_size %frame[0, 1]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %v = arith.constant 0.0 : f32
  %more = arith.addi %n, %c1 : index
  %0 = memref.alloc(%more) : memref<?x4xf32>
  memref.store %v, %0[%c0, %c0] : memref<?x4xf32>
  %1 = memref.alloc(%t) : memref<?xf32>
  memref.store %v, %1[%c0] : memref<?xf32>
  return
}
