// RUN: mlc-opt %s --buffer-expand-reshapes --split-input-file --verify-diagnostics | FileCheck %s


// CHECK-LABEL: @several
func.func @several(%x: memref<?xf32>, %m: index, %n: index) -> memref<?x?xf32> {
  // CHECK: memref.reinterpret_cast %arg0 to offset: [0], sizes: [%arg1, %arg2], strides: [%arg2, 1]
  %0 = memref.expand_shape %x [[0, 1]] output_shape [%m, %n] : memref<?xf32> into memref<?x?xf32>
  return %0 : memref<?x?xf32>
}

// CHECK-LABEL: @no_expand_one
func.func @no_expand_one(%x: memref<?xf32>, %m: index) -> memref<?x4xf32> {
  // CHECK: memref.expand_shape
  %0 = memref.expand_shape %x [[0, 1]] output_shape [%m, 4] : memref<?xf32> into memref<?x4xf32>
  return %0 : memref<?x4xf32>
}

// -----

func.func @strided(%x: memref<?xf32, strided<[2]>>, %m: index, %n: index) -> memref<?x?xf32, strided<[?, 2]>> {
  // expected-error @+1 {{cannot expand a strided buffer into several dynamic sizes}}
  %0 = memref.expand_shape %x [[0, 1]] output_shape [%m, %n] : memref<?xf32, strided<[2]>> into memref<?x?xf32, strided<[?, 2]>>
  return %0 : memref<?x?xf32, strided<[?, 2]>>
}
