// RUN: mlc-opt %s --split-input-file --buffer-announce-gradients | FileCheck %s

train.state @w : tensor<4x3xf32> role parameter
train.state @"gradient/w" : tensor<4x3xf32> role gradient
train.state @"gradient/b" : tensor<3xf32> role gradient
/// Behind the last use, a view's and one in a loop included, and behind the mark that belongs to it.
// CHECK-LABEL: func.func @gradients
func.func @gradients(%frame: !rt.frame) {
  %w = rt.state %frame @w at 0 : memref<4x3xf32>
  %gw = rt.state %frame @"gradient/w" at 64 {writable} : memref<4x3xf32>
  %gb = rt.state %frame @"gradient/b" at 128 {writable} : memref<3xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // CHECK: call @product
  // CHECK-NOT: rt.ready
  call @product(%w, %gw) : (memref<4x3xf32>, memref<4x3xf32>) -> ()
  %row = memref.subview %gw[1, 0] [1, 3] [1, 1] : memref<4x3xf32> to memref<3xf32, strided<[1], offset: 3>>
  // CHECK: call @add
  // CHECK-NEXT: rt.mark %arg0, 0
  // CHECK-NEXT: rt.ready %arg0 at 64
  call @add(%row) : (memref<3xf32, strided<[1], offset: 3>>) -> ()
  rt.mark %frame, 0
  // CHECK: scf.for
  // CHECK: call @sum
  // CHECK-NOT: rt.ready
  // CHECK: }
  // CHECK-NEXT: rt.ready %arg0 at 128
  scf.for %i = %c0 to %c4 step %c1 {
    func.call @sum(%gb) : (memref<3xf32>) -> ()
  }
  // CHECK: call @product
  // CHECK-NOT: rt.ready
  call @product(%w, %w) : (memref<4x3xf32>, memref<4x3xf32>) -> ()
  return
}
func.func private @product(memref<4x3xf32>, memref<4x3xf32>)
func.func private @add(memref<3xf32, strided<[1], offset: 3>>)
func.func private @sum(memref<3xf32>)

// -----

train.state @"gradient/w" : tensor<3xf32> role gradient
/// Nobody waits for the gradients of other entries.
// CHECK-LABEL: func.func @apply
// CHECK-NOT: rt.ready
func.func @apply(%frame: !rt.frame) {
  %gw = rt.state %frame @"gradient/w" at 64 {writable} : memref<3xf32>
  call @zero(%gw) : (memref<3xf32>) -> ()
  return
}
func.func private @zero(memref<3xf32>)

// -----

train.state @"gradient/v" : tensor<3xf32> role gradient
train.state @"gradient/w" : tensor<3xf32> role gradient
/// What may be either one is a use of both.
// CHECK-LABEL: func.func @gradients
func.func @gradients(%frame: !rt.frame) {
  %gv = rt.state %frame @"gradient/v" at 0 {writable} : memref<3xf32>
  %gw = rt.state %frame @"gradient/w" at 64 {writable} : memref<3xf32>
  // CHECK: arith.select
  // CHECK-NOT: rt.ready
  // CHECK: call @sum
  // CHECK-NEXT: rt.ready %arg0 at 64
  // CHECK-NEXT: rt.ready %arg0 at 0
  %flag = rt.input %frame[0] : memref<i1>
  %condition = memref.load %flag[] : memref<i1>
  %one = arith.select %condition, %gv, %gw : memref<3xf32>
  call @sum(%one) : (memref<3xf32>) -> ()
  return
}
func.func private @sum(memref<3xf32>)
