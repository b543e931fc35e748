// RUN: mlc-opt %s --vector-lower-attention --split-input-file | FileCheck %s
// RUN: mlc-opt %s --vector-lower-attention="vector-bits=256 vector-registers=16 l1-bytes=16384 l2-bytes=65536" --split-input-file | FileCheck %s --check-prefix=SMALL

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>

/// All keys are one block: squares of keys are transposed, and the second product divides by the sums. On a machine of
/// smaller caches there are two blocks, and what is summed moves with the maximum.
// CHECK-LABEL: func.func private @kernel
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index)
// CHECK: memref.alloca() {{.*}} : memref<{{.*}}x64x{{.*}}xf32>
// CHECK: vector.shuffle
// CHECK: kernel.contract {{.*}} sizes [{{.*}}, 128, 64] tile {{.*}} packed
// CHECK: arith.mulf
// CHECK: kernel.rows
// CHECK: kernel.reduce <maximumf>
// CHECK: kernel.reduce <add>
// CHECK: kernel.contract {{.*}} sizes [{{.*}}, 64, 128] tile {{.*}} packed
// CHECK-NOT: kernel.rows
// CHECK: func.func @entry
// CHECK: rt.parallel_for %{{.*}}, @kernel{{.*}} count
// SMALL-LABEL: func.func private @kernel
// SMALL: kernel.rows outs
// SMALL: scf.for
// SMALL: kernel.contract {{.*}} tile {{.*}} packed
// SMALL: kernel.rows
// SMALL: arith.maximumf
// SMALL: kernel.contract {{.*}} extras({{.*}}, {{.*}}) {{.*}} packed
// SMALL: kernel.rows
// SMALL: arith.divf
func.func private @kernel(%q: memref<4x128x64xf32>, %k: memref<4x128x64xf32>, %v: memref<4x128x64xf32>, %o: memref<4x128x64xf32>) {
  %scale = arith.constant 0.125 : f32
  kernel.attention ins(%q, %k, %v : memref<4x128x64xf32>, memref<4x128x64xf32>, memref<4x128x64xf32>)
    outs(%o : memref<4x128x64xf32>) maps [#query, #key, #value, #result] query 1 sizes [4, 128, 64, 128, 64] {
  ^bb0(%score: f32):
    %0 = arith.mulf %score, %scale : f32
    kernel.yield %0 : f32
  }
  return
}
func.func @entry(%frame: !rt.frame, %q: memref<4x128x64xf32>, %k: memref<4x128x64xf32>, %v: memref<4x128x64xf32>, %o: memref<4x128x64xf32>) {
  call @kernel(%q, %k, %v, %o) : (memref<4x128x64xf32>, memref<4x128x64xf32>, memref<4x128x64xf32>, memref<4x128x64xf32>) -> ()
  return
}

// -----

#query = affine_map<(i, e, j, d) -> (i, d)>
#key = affine_map<(i, e, j, d) -> (d, j)>
#value = affine_map<(i, e, j, d) -> (j, e)>
#mask = affine_map<(i, e, j, d) -> (i, j)>
#result = affine_map<(i, e, j, d) -> (i, e)>

/// Sizes that only a run knows; keys that are contiguous already; the axes of the last vectors are masked.
// CHECK-LABEL: func.func @dynamic
// CHECK: memref.dim
// CHECK: vector.insert
// CHECK: vector.maskedload
/// A step of which the mask leaves everything out is skipped.
// CHECK: scf.while
// CHECK: arith.cmpf une
// CHECK: vector.reduction <or>
// CHECK: scf.if
// CHECK: kernel.contract {{.*}} extras({{.*}}) {{.*}} sizes [-9223372036854775808, -9223372036854775808, 20] tile {{.*}} packed
func.func @dynamic(%q: memref<?x20xf32>, %k: memref<20x?xf32>, %v: memref<?x24xf32>, %m: memref<?x?xf32>, %o: memref<?x24xf32>) {
  kernel.attention ins(%q, %k, %v : memref<?x20xf32>, memref<20x?xf32>, memref<?x24xf32>) extras(%m : memref<?x?xf32>)
    outs(%o : memref<?x24xf32>) maps [#query, #key, #value, #mask, #result] query 0
    sizes [-9223372036854775808, 24, -9223372036854775808, 20] {
  ^bb0(%score: f32, %mask: f32):
    %0 = arith.addf %score, %mask : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#query = affine_map<(i, e, j, d) -> (i, d)>
#key = affine_map<(i, e, j, d) -> (j, d)>
#value = affine_map<(i, e, j, d) -> (j, e)>
#mask = affine_map<(i, e, j, d) -> (i, j)>
#result = affine_map<(i, e, j, d) -> (i, e)>

/// Scores of left out keys are finite: a query has to have seen a much larger one.
// CHECK-LABEL: func.func @chosen
// CHECK: scf.while
// CHECK: arith.cmpi ne
// CHECK: arith.subf
// CHECK: arith.cmpf ule
// CHECK: scf.if
func.func @chosen(%q: memref<1024x64xf32>, %k: memref<1024x64xf32>, %v: memref<1024x64xf32>, %m: memref<1024x1024xi8>, %o: memref<1024x64xf32>) {
  %low = arith.constant -1.0e9 : f32
  kernel.attention ins(%q, %k, %v : memref<1024x64xf32>, memref<1024x64xf32>, memref<1024x64xf32>) extras(%m : memref<1024x1024xi8>)
    outs(%o : memref<1024x64xf32>) maps [#query, #key, #value, #mask, #result] query 0 sizes [1024, 64, 1024, 64] {
  ^bb0(%score: f32, %byte: i8):
    %bit = arith.trunci %byte : i8 to i1
    %0 = arith.select %bit, %score, %low : f32
    kernel.yield %0 : f32
  }
  return
}
