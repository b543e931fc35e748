// RUN: mlc-opt %s --buffer-settle-loops | FileCheck %s

// CHECK-LABEL: @allocated_in_every_step
// CHECK-SAME: (%[[X:.*]]: memref<?xf32>, %[[N:.*]]: index)
func.func @allocated_in_every_step(%x: memref<?xf32>, %n: index) -> memref<?xf32> {
  // CHECK: %[[SIZE:.*]] = memref.dim %[[X]], %{{.*}}
  // CHECK: %[[PLACE:.*]] = memref.alloc(%[[SIZE]])
  // CHECK: memref.copy %[[X]], %[[PLACE]]
  // CHECK: scf.for
  // CHECK: %[[NEW:.*]] = memref.alloc(%[[N]])
  // CHECK: linalg.exp ins(%[[PLACE]] : memref<?xf32>) outs(%[[NEW]] : memref<?xf32>)
  // CHECK: memref.copy %[[NEW]], %[[PLACE]]
  // CHECK: return %[[PLACE]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%old = %x) -> (memref<?xf32>) {
    %new = memref.alloc(%n) : memref<?xf32>
    linalg.exp ins(%old : memref<?xf32>) outs(%new : memref<?xf32>)
    scf.yield %new : memref<?xf32>
  }
  return %0 : memref<?xf32>
}

/// Both old values are read before either new one is written.
// CHECK-LABEL: @swapped
// CHECK-SAME: (%[[X:.*]]: memref<4xf32>, %[[Y:.*]]: memref<4xf32>, %{{.*}}: index)
func.func @swapped(%x: memref<4xf32>, %y: memref<4xf32>, %n: index) -> (memref<4xf32>, memref<4xf32>) {
  // CHECK: memref.copy %[[X]], %[[A:.*]] :
  // CHECK: memref.copy %[[Y]], %[[B:.*]] :
  // CHECK: scf.for
  // CHECK: memref.copy %[[B]], %[[OLDB:.*]] :
  // CHECK: memref.copy %[[A]], %[[OLDA:.*]] :
  // CHECK: memref.copy %[[OLDB]], %[[A]]
  // CHECK: memref.copy %[[OLDA]], %[[B]]
  // CHECK: return %[[A]], %[[B]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (memref<4xf32>, memref<4xf32>) {
    scf.yield %b, %a : memref<4xf32>, memref<4xf32>
  }
  return %0#0, %0#1 : memref<4xf32>, memref<4xf32>
}

// CHECK-LABEL: @no_settle_what_stays
func.func @no_settle_what_stays(%x: memref<4xf32>, %n: index) -> memref<4xf32> {
  // CHECK-NOT: memref.copy
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (memref<4xf32>) {
    linalg.exp ins(%a : memref<4xf32>) outs(%a : memref<4xf32>)
    scf.yield %a : memref<4xf32>
  }
  return %0 : memref<4xf32>
}
