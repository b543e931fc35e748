// RUN: mlc-opt %s --buffer-expand-copies | FileCheck %s


// CHECK-LABEL: @strided
func.func @strided(%x: memref<4x4xf32>, %y: memref<4x4xf32, strided<[8, 1]>>) {
  // CHECK-NOT: memref.copy
  // CHECK: linalg.generic
  memref.copy %x, %y : memref<4x4xf32> to memref<4x4xf32, strided<[8, 1]>>
  return
}

// CHECK-LABEL: @no_expand_contiguous
func.func @no_expand_contiguous(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  // CHECK: memref.copy
  memref.copy %x, %y : memref<4x4xf32> to memref<4x4xf32>
  return
}
