// RUN: mlc-opt %s --vector-lower-contractions --split-input-file | FileCheck %s
// RUN: mlc-opt %s --vector-lower-contractions="vector-bits=256 l2-bytes=65536" --split-input-file | FileCheck %s --check-prefix=NARROW
// RUN: mlc-opt %s --vector-lower-contractions="vector-bits=128 is-x86=false" --split-input-file | FileCheck %s --check-prefix=NEON

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Two rows of one vector; the last of five rows has a body of its own, the four columns behind 16 a mask.
// CHECK-LABEL: @edges
func.func @edges(%a: memref<5x8xf32>, %b: memref<8x20xf32>, %c: memref<5x20xf32>) {
  // CHECK: scf.for
  // CHECK: vector.load
  // CHECK: memref.load
  // CHECK: vector.fma {{.*}} : vector<16xf32>
  // CHECK: vector.store
  // CHECK: vector.maskedload
  // CHECK: vector.maskedstore
  // CHECK-NOT: kernel.contract
  // NARROW-LABEL: @edges
  // NARROW: vector.fma {{.*}} : vector<8xf32>
  kernel.contract ins(%a, %b : memref<5x8xf32>, memref<8x20xf32>) outs(%c : memref<5x20xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [5, 20, 8] tile [2, 1] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// A large one becomes tasks of a parallel loop; its epilogue is on vectors.
// CHECK-LABEL: func.func private @kernel
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index)
// CHECK: arith.addf {{.*}} : vector<16xf32>
// CHECK-LABEL: @entry
// CHECK: rt.parallel_for %{{.*}}, @kernel
// NARROW-LABEL: @entry
func.func private @kernel(%a: memref<512x512xf32>, %b: memref<16x512x32xf32>, %v: memref<512xf32>, %c: memref<512x512xf32>) {
  kernel.contract ins(%a, %b : memref<512x512xf32>, memref<16x512x32xf32>) extras(%v : memref<512xf32>) outs(%c : memref<512x512xf32>)
    maps [#lhs, #rhs, #bias, #out] parallel 2 sizes [512, 512, 512] tile [12, 2] packed {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    kernel.yield %0 : f32
  }
  return
}
func.func @entry(%frame: !rt.frame, %a: memref<512x512xf32>, %b: memref<16x512x32xf32>, %v: memref<512xf32>, %c: memref<512x512xf32>) {
  func.call @kernel(%a, %b, %v, %c) : (memref<512x512xf32>, memref<16x512x32xf32>, memref<512xf32>, memref<512x512xf32>) -> ()
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// A small one stays on the calling thread.
// CHECK-LABEL: @no_parallel
// CHECK-NOT: rt.parallel_for
// CHECK: call @small
// NARROW-LABEL: @no_parallel
func.func @no_parallel(%frame: !rt.frame, %a: memref<8x8xf32>, %b: memref<8x16xf32>, %c: memref<8x16xf32>) {
  func.call @small(%a, %b, %c) : (memref<8x8xf32>, memref<8x16xf32>, memref<8x16xf32>) -> ()
  return
}
func.func private @small(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %c: memref<8x16xf32>) {
  kernel.contract ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) outs(%c : memref<8x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 16, 8] tile [8, 1] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// What an epilogue takes from outside has the same value in every lane.
// CHECK-LABEL: @outside
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: f32
// CHECK: vector.broadcast %[[SCALE]] : f32 to vector<16xf32>
// CHECK: arith.mulf {{.*}} : vector<16xf32>
func.func @outside(%a: memref<2x8xf32>, %b: memref<8x16xf32>, %c: memref<2x16xf32>, %scale: f32) {
  kernel.contract ins(%a, %b : memref<2x8xf32>, memref<8x16xf32>) outs(%c : memref<2x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [2, 16, 8] tile [2, 1] {
  ^bb0(%sum: f32):
    %0 = arith.mulf %sum, %scale : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#filter = affine_map<(n, f, y, x, c) -> (f, c)>
#image = affine_map<(n, f, y, x, c) -> (n, c, y, x)>
#result = affine_map<(n, f, y, x, c) -> (n, f, y, x)>

/// Lines of pixels that lie side by side are one loop of vectors: 64 pixels, no masks.
// CHECK-LABEL: @joined_columns
// CHECK-NOT: maskedload
// CHECK: vector.fma
// CHECK-NOT: maskedstore
func.func @joined_columns(%w: memref<64x32xf32>, %x: memref<1x32x8x8xf32>, %y: memref<1x64x8x8xf32>) {
  kernel.contract ins(%w, %x : memref<64x32xf32>, memref<1x32x8x8xf32>) outs(%y : memref<1x64x8x8xf32>)
    maps [#filter, #image, #result] parallel 4 sizes [1, 64, 8, 8, 32] tile [8, 2] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Whole granules are one load each; of the last one, the single element that there is.
// CHECK-LABEL: @bytes
// NEON-LABEL: @bytes
func.func @bytes(%a: memref<2x9xi8>, %b: memref<1x3x16x4xi8>, %c: memref<2x16xi32>) {
  // CHECK: scf.for %{{.*}} = %{{.*}} to %c2
  // CHECK: vector.load %{{.*}} : memref<?xi8>, vector<64xi8>
  // CHECK: vector.load %{{.*}} : memref<?xi8>, vector<4xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK: scf.yield
  // CHECK: memref.load
  // CHECK: arith.extui %{{.*}} : i8 to i32
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK: vector.store
  // NEON-NOT: x86
  // NEON: llvm.call_intrinsic "llvm.aarch64.neon.udot.v4i32.v16i8"
  kernel.contract ins(%a, %b : memref<2x9xi8>, memref<1x3x16x4xi8>) outs(%c : memref<2x16xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [2, 16, 9] tile [2, 1] packed attributes {granule = 4 : i64, lhs_unsigned} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Without dot products of bytes: pairs, widened to 16 bits.
// NARROW-LABEL: @pairs
func.func @pairs(%a: memref<2x8xi8>, %b: memref<1x4x8x2xi8>, %c: memref<2x8xi32>) {
  // NARROW: vector.load %{{.*}} : memref<?xi8>, vector<16xi8>
  // NARROW: arith.extui %{{.*}} : vector<16xi8> to vector<16xi16>
  // NARROW: arith.extsi %{{.*}} : vector<16xi8> to vector<16xi16>
  // NARROW: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
  // NARROW: arith.addi {{.*}} : vector<8xi32>
  kernel.contract ins(%a, %b : memref<2x8xi8>, memref<1x4x8x2xi8>) outs(%c : memref<2x8xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [2, 8, 8] tile [2, 1] packed attributes {granule = 2 : i64, lhs_unsigned} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// The highest bit of each byte is flipped in the register.
// CHECK-LABEL: @flipped
func.func @flipped(%a: memref<2x8xi8>, %b: memref<1x2x16x4xi8>, %c: memref<2x16xi32>) {
  // CHECK: arith.constant dense<-2139062144> : vector<16xi32>
  // CHECK: arith.xori
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  kernel.contract ins(%a, %b : memref<2x8xi8>, memref<1x2x16x4xi8>) outs(%c : memref<2x16xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [2, 16, 8] tile [2, 1] packed attributes {granule = 4 : i64, lhs_flipped} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @halves
// NEON-LABEL: @halves
func.func @halves(%a: memref<2x8xbf16>, %b: memref<1x4x16x2xbf16>, %c: memref<2x16xf32>) {
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
  // NEON: llvm.call_intrinsic "llvm.aarch64.neon.bfdot.v4f32.v8bf16"
  kernel.contract ins(%a, %b : memref<2x8xbf16>, memref<1x4x16x2xbf16>) outs(%c : memref<2x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [2, 16, 8] tile [2, 1] packed attributes {granule = 2 : i64} {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#window = affine_map<(n, c, y, x, i, j) -> (n, c, y + i - 1, x * 2 + j - 1)>
#taps = affine_map<(n, c, y, x, i, j) -> (c, 0, i, j)>
#pixels = affine_map<(n, c, y, x, i, j) -> (n, c, y, x)>

/// Lines of seven pixels take vectors of eight; two lines of sums share the lines of the input that both read. Even and
/// odd lanes serve the first two taps, the third takes the even ones moved on.
// CHECK-LABEL: @lines
// CHECK: scf.for
// CHECK-COUNT-9: vector.broadcast {{.*}} vector<8xf32>
// CHECK: vector.maskedload {{.*}} vector<8xf32>
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6, 8, 10, 12, 14]
// CHECK: vector.shuffle {{.*}} [1, 3, 5, 7, 9, 11, 13, 15]
// CHECK: vector.shuffle {{.*}} [1, 2, 3, 4, 5, 6, 7, 8]
// CHECK: vector.maskedstore
// CHECK-NOT: kernel.contract
func.func @lines(%x: memref<1x8x4x14xf32>, %w: memref<8x1x3x3xf32>, %y: memref<1x8x4x7xf32>) {
  kernel.contract ins(%x, %w : memref<1x8x4x14xf32>, memref<8x1x3x3xf32>) outs(%y : memref<1x8x4x7xf32>)
    maps [#window, #taps, #pixels] parallel 4 sizes [1, 8, 4, 7, 3, 3] tile [2, 1] bounded {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#window = affine_map<(n, y, x, c, i, j) -> (n, y + i - 1, x + j - 1, c)>
#taps = affine_map<(n, y, x, c, i, j) -> (c, 0, i, j)>
#pixels = affine_map<(n, y, x, c, i, j) -> (n, y, x, c)>

/// Two by two pixels share sixteen vectors of input; at this size every tile is at a border, where nine are inside. Taps
/// and bias are read once for all of them.
// CHECK-LABEL: @pixels
// CHECK: scf.for
// CHECK-COUNT-10: vector.load {{.*}} vector<16xf32>
// CHECK: vector.load
// CHECK: vector.fma
// CHECK-COUNT-16: vector.store
// CHECK-NOT: vector.store
// CHECK-NOT: kernel.contract
func.func @pixels(%x: memref<1x4x4x32xf32>, %w: memref<2x3x3x16xf32>, %b: memref<32xf32>, %y: memref<1x4x4x32xf32>) {
  kernel.contract ins(%x, %w : memref<1x4x4x32xf32>, memref<2x3x3x16xf32>) extras(%b : memref<32xf32>) outs(%y : memref<1x4x4x32xf32>)
    maps [#window, #taps, affine_map<(n, y, x, c, i, j) -> (c)>, #pixels] parallel 4 sizes [1, 4, 4, 32, 3, 3] tile [4, 1] packed bounded {
  ^bb0(%sum: f32, %bias: f32):
    %0 = arith.addf %sum, %bias : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#window = affine_map<(n, y, x, c, i, j) -> (n, y, x, c)>
#taps = affine_map<(n, y, x, c, i, j) -> (c, 0, i, j)>

/// A long epilogue is a loop over the vectors of a tile.
// CHECK-LABEL: @long_epilogue
// CHECK: memref.alloca() {{.*}} memref<256xf32>
// CHECK-COUNT-1: math.exp
// CHECK-NOT: math.exp
// NARROW-LABEL: @long_epilogue
func.func @long_epilogue(%x: memref<1x4x4x32xf32>, %w: memref<2x1x1x16xf32>, %y: memref<1x4x4x32xf32>) {
  kernel.contract ins(%x, %w : memref<1x4x4x32xf32>, memref<2x1x1x16xf32>) outs(%y : memref<1x4x4x32xf32>)
    maps [#window, #taps, #window] parallel 4 sizes [1, 4, 4, 32, 1, 1] tile [16, 1] packed bounded {
  ^bb0(%sum: f32):
    %0 = math.exp %sum : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (k, m)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// The gradient of a weight sums over rows of both operands, of a number that only a run knows: blocks of 256, and from
/// the second on the sums begin with what the result holds. The rows of rhs are a page apart, so its panels are copied.
// CHECK-LABEL: @across_rows
// CHECK: %[[PANEL:.*]] = memref.alloca() {{.*}} memref<4096xf32>
// CHECK: arith.minui %{{.*}}, %c256
// CHECK: %[[CONTINUES:.*]] = arith.cmpi ne
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// CHECK: scf.if %[[CONTINUES]]
// CHECK: vector.load
// CHECK: scf.yield
// CHECK: scf.for
// CHECK: vector.load %[[PANEL]]
// CHECK: vector.fma
// CHECK-NOT: kernel.contract
// NARROW-LABEL: @across_rows
func.func @across_rows(%x: memref<?x64xf32>, %dy: memref<?x1024xf32>, %dw: memref<64x1024xf32>) {
  kernel.contract ins(%x, %dy : memref<?x64xf32>, memref<?x1024xf32>) outs(%dw : memref<64x1024xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [64, 1024, -9223372036854775808] tile [4, 1] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Along its rows lhs is read in order, whatever the length.
// CHECK-LABEL: @no_blocks_along_rows
// CHECK-NOT: memref.alloca
// CHECK-NOT: scf.if
// CHECK: vector.fma
// NARROW-LABEL: @no_blocks_along_rows
func.func @no_blocks_along_rows(%x: memref<64x1000xf32>, %w: memref<1000x32xf32>, %y: memref<64x32xf32>) {
  kernel.contract ins(%x, %w : memref<64x1000xf32>, memref<1000x32xf32>) outs(%y : memref<64x32xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [64, 32, 1000] tile [4, 1] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (k, m)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Tiles of six rows use a part of each line of lhs, so a task copies its rows by tiles: four of them here, a line apart.
// NARROW-LABEL: @tiles
// NARROW: %[[TILES:.*]] = memref.alloca() {{.*}} : memref<6272xf32>
// NARROW: vector.load %{{.*}} : memref<?xf32>, vector<8xf32>
// NARROW: vector.store %{{.*}}, %[[TILES]]
// NARROW: vector.maskedload
// NARROW: memref.load %[[TILES]]
// NARROW: vector.fma
// NARROW-NOT: kernel.contract
// CHECK-LABEL: @tiles
func.func @tiles(%x: memref<1024x96xf32>, %dy: memref<1024x512xf32>, %dw: memref<96x512xf32>) {
  kernel.contract ins(%x, %dy : memref<1024x96xf32>, memref<1024x512xf32>) outs(%dw : memref<96x512xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [96, 512, 1024] tile [6, 2] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (k, m)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Wide tiles, too, where the second cache loses the rows of lhs: of those a page apart it keeps 256 at most.
// CHECK-LABEL: @wide_tiles
// CHECK: %[[TILES:.*]] = memref.alloca() {{.*}} : memref<{{.*}}xf32>
// CHECK: vector.store %{{.*}}, %[[TILES]]
// CHECK: memref.load %[[TILES]]
// CHECK: vector.fma
// NARROW-LABEL: @wide_tiles
func.func @wide_tiles(%x: memref<1024x1024xf32>, %dy: memref<1024x256xf32>, %dw: memref<1024x256xf32>) {
  kernel.contract ins(%x, %dy : memref<1024x1024xf32>, memref<1024x256xf32>) outs(%dw : memref<1024x256xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [1024, 256, 1024] tile [6, 4] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (k, m)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Wide tiles of rows that stay in it are read where they are.
// CHECK-LABEL: @wide_tiles_in_place
// CHECK-NOT: memref.alloca
// CHECK: vector.fma
// NARROW-LABEL: @wide_tiles_in_place
func.func @wide_tiles_in_place(%x: memref<1024x256xf32>, %dy: memref<1024x256xf32>, %dw: memref<256x256xf32>) {
  kernel.contract ins(%x, %dy : memref<1024x256xf32>, memref<1024x256xf32>) outs(%dw : memref<256x256xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [256, 256, 1024] tile [6, 4] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Of a triangle whose rows are those of the tiles, a tile of four rows from m on sums up to column m + 3 + 2.
// CHECK-LABEL: @triangle_ends
// CHECK: scf.for %[[ROW:.*]] = %c0
// CHECK: %[[LAST:.*]] = arith.addi %[[ROW]], %c3
// CHECK: arith.addi %[[LAST]], %c2
// CHECK: arith.maxsi
// CHECK: %[[END:.*]] = arith.minsi %{{.*}}, %c40
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %[[END]] step
// CHECK: vector.fma
// CHECK-NOT: kernel.contract
func.func @triangle_ends(%a: memref<8x40xf32>, %b: memref<40x16xf32>, %c: memref<8x16xf32>) {
  kernel.contract ins(%a, %b : memref<8x40xf32>, memref<40x16xf32>) outs(%c : memref<8x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 16, 40] tile [4, 1] triangle [0, 2, 2] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// Where the sum is over its rows, and its columns are those of the panels, a sum begins three rows before the panel's first.
// CHECK-LABEL: @triangle_begins
// CHECK: %[[FIRST:.*]] = arith.subi %{{.*}}, %c3
// CHECK: %[[ROW:.*]] = arith.maxsi %[[FIRST]], %c0
// CHECK: %[[BEGIN:.*]] = arith.minsi %[[ROW]], %c40
// CHECK: scf.for %{{.*}} = %[[BEGIN]] to %c40{{.*}} step
// CHECK: vector.fma
func.func @triangle_begins(%a: memref<8x40xf32>, %b: memref<40x64xf32>, %c: memref<8x64xf32>) {
  kernel.contract ins(%a, %b : memref<8x40xf32>, memref<40x64xf32>) outs(%c : memref<8x64xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 64, 40] tile [4, 1] triangle [2, 1, 3] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>

/// A tile of results that nobody looks at sums nothing, but is written.
// CHECK-LABEL: @triangle_of_results
// CHECK: %[[SEEN:.*]] = arith.cmpi sge
// CHECK: %[[END:.*]] = arith.select %[[SEEN]], %c40{{.*}}, %c0
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %[[END]] step
// CHECK: vector.fma
// CHECK-COUNT-4: vector.store
func.func @triangle_of_results(%a: memref<8x40xf32>, %b: memref<40x64xf32>, %c: memref<8x64xf32>) {
  kernel.contract ins(%a, %b : memref<8x40xf32>, memref<40x64xf32>) outs(%c : memref<8x64xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 64, 40] tile [4, 1] triangle [0, 1, 0] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}

// -----

#lhs = affine_map<(b, m, n, k) -> (b, m, k)>
#rhs = affine_map<(b, m, n, k) -> (b, k, n)>
#out = affine_map<(b, m, n, k) -> (b, m, n)>

/// Of matrices that become longer and longer every tile takes all.
// CHECK-LABEL: @no_triangle_of_batches
// CHECK-NOT: arith.minsi
// CHECK: vector.fma
func.func @no_triangle_of_batches(%a: memref<6x8x40xf32>, %b: memref<6x40x16xf32>, %c: memref<6x8x16xf32>) {
  kernel.contract ins(%a, %b : memref<6x8x40xf32>, memref<6x40x16xf32>) outs(%c : memref<6x8x16xf32>)
    maps [#lhs, #rhs, #out] parallel 3 sizes [6, 8, 16, 40] tile [4, 1] triangle [0, 3, 0] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  }
  return
}
