// RUN: mlc-opt %s --vector-lower-packs --split-input-file | FileCheck %s
// RUN: mlc-opt %s --vector-lower-packs="vector-bits=128" --split-input-file | FileCheck %s --check-prefix=NARROW

#rhs = affine_map<(m, n, k) -> (k, n)>

/// Two granules of four rows, then one row with zeros behind it; 16 columns and four.
// CHECK-LABEL: @bytes
// NARROW-LABEL: @bytes
func.func @bytes(%b: memref<9x20xi8>, %p: memref<2x3x16x4xi8>) {
  // CHECK: scf.for
  // CHECK: vector.load %{{.*}} : memref<?xi8>, vector<16xi8>
  // CHECK: vector.interleave %{{.*}} : vector<16xi8> -> vector<32xi8>
  // CHECK: vector.interleave %{{.*}} : vector<32xi8> -> vector<64xi8>
  // CHECK: vector.store %{{.*}} : memref<?xi8>, vector<64xi8>
  // CHECK: vector.maskedload
  // CHECK-NOT: kernel.pack
  // NARROW: vector.interleave %{{.*}} : vector<8xi8> -> vector<16xi8>
  kernel.pack ins(%b : memref<9x20xi8>) outs(%p : memref<2x3x16x4xi8>) map #rhs sizes [8, 20, 9] outer [] vector 1 inner [] granules 2
  return
}

// -----

#rhs = affine_map<(m, n, k) -> (k, n)>

/// Without granules rows are copied; large ones are tasks.
// CHECK-LABEL: func.func private @kernel
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index)
// CHECK: vector.load %{{.*}} : memref<?xf32>, vector<16xf32>
// CHECK-NOT: vector.interleave
// CHECK: vector.store
// CHECK-LABEL: @entry
// CHECK: rt.parallel_for
func.func private @kernel(%b: memref<512x512xf32>, %p: memref<8x512x64xf32>) {
  kernel.pack ins(%b : memref<512x512xf32>) outs(%p : memref<8x512x64xf32>) map #rhs sizes [64, 512, 512] outer [] vector 1 inner [2]
  return
}
func.func @entry(%frame: !rt.frame, %b: memref<512x512xf32>, %p: memref<8x512x64xf32>) {
  call @kernel(%b, %p) : (memref<512x512xf32>, memref<8x512x64xf32>) -> ()
  return
}

// -----

#rhs = affine_map<(b, m, n, k) -> (b, k, n)>

/// A batch has panels of its own.
// CHECK-LABEL: @batch
func.func @batch(%b: memref<2x4x16xbf16>, %p: memref<2x1x2x16x2xbf16>) {
  // CHECK: vector.interleave %{{.*}} : vector<16xbf16> -> vector<32xbf16>
  // CHECK-NOT: kernel.pack
  kernel.pack ins(%b : memref<2x4x16xbf16>) outs(%p : memref<2x1x2x16x2xbf16>) map #rhs sizes [2, 8, 16, 4] outer [0] vector 2 inner [] granules 3
  return
}
