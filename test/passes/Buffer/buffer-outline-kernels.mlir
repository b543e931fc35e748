// RUN: mlc-opt %s --buffer-outline-kernels | FileCheck %s

#same = affine_map<(i) -> (i)>
// CHECK-LABEL: func.func @entry
func.func @entry(%frame: !rt.frame) {
  %0 = rt.input %frame[0] : memref<4xf32>
  %1 = rt.workspace %frame at 0 : memref<4xf32>
  %2 = rt.workspace %frame at 64 : memref<4xf32>
  // CHECK: call @kernel_0(%[[X:.*]], %[[Y:.*]]) : (memref<4xf32>, memref<4xf32>) -> ()
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]} ins(%0 : memref<4xf32>) outs(%1 : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %3 = math.exp %in : f32
    linalg.yield %3 : f32
  }
  // CHECK: call @kernel_0(%[[Y]], %[[Z:.*]]) : (memref<4xf32>, memref<4xf32>) -> ()
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]} ins(%1 : memref<4xf32>) outs(%2 : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %3 = math.exp %in : f32
    linalg.yield %3 : f32
  }
  /// In place: one argument.
  // CHECK: call @kernel_1(%[[Z]]) : (memref<4xf32>) -> ()
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]} ins(%2 : memref<4xf32>) outs(%2 : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %3 = math.exp %in : f32
    linalg.yield %3 : f32
  }
  /// Views of one buffer may overlap.
  %view = memref.subview %2[1] [3] [1] : memref<4xf32> to memref<3xf32, strided<[1], offset: 1>>
  %head = memref.subview %2[0] [3] [1] : memref<4xf32> to memref<3xf32, strided<[1]>>
  // CHECK: call @kernel_2
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel"]}
    ins(%view : memref<3xf32, strided<[1], offset: 1>>) outs(%head : memref<3xf32, strided<[1]>>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}
// CHECK: func.func private @kernel_0(%{{.*}}: memref<4xf32> {llvm.noalias, llvm.readonly}, %{{.*}}: memref<4xf32> {llvm.noalias})
// CHECK: func.func private @kernel_1(%{{.*}}: memref<4xf32> {llvm.noalias})
// CHECK: func.func private @kernel_2(%{{.*}}: memref<3xf32, strided<[1], offset: 1>> {llvm.readonly}, %{{.*}}: memref<3xf32, strided<[1]>>)
