// RUN: mlc-opt %s --vector-choose-tiles | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: mlc-opt %s --vector-choose-tiles="vector-bits=256 vector-registers=16 l2-bytes=524288" | FileCheck %s --check-prefixes=CHECK,NARROW
// RUN: mlc-opt %s --vector-choose-tiles="dot-int8=true dot-bf16=true" | FileCheck %s --check-prefix=DOTS
// RUN: mlc-opt %s --vector-choose-tiles="dot-int8=true is-x86=false is-aarch64=true vector-bits=128" | FileCheck %s --check-prefix=NEON
// RUN: mlc-opt %s --vector-choose-tiles="l1-bytes=49152" | FileCheck %s --check-prefix=TWELVE

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#turned = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>

// WIDE: graph.parameter @w.packed : tensor<{{[0-9]+}}x768x{{[0-9]+}}xf32> {kernel.pack = {inner = array<i64: 2>
// NARROW: graph.parameter @w.packed : tensor<{{[0-9]+}}x768x{{[0-9]+}}xf32>
graph.parameter @w : tensor<768x768xf32> {file = "w", offset = 0 : i64}

/// A weight is packed into panels of the tile's width.
// CHECK-LABEL: @weight
func.func @weight(%a: tensor<128x768xf32>, %i: tensor<128x768xf32>) -> tensor<128x768xf32> {
  %w = graph.weight @w : tensor<768x768xf32>
  // CHECK: %[[P:.*]] = graph.weight @w.packed
  // CHECK: kernel.contract ins(%{{.*}}, %[[P]]
  // CHECK-SAME: packed
  %0 = kernel.contract ins(%a, %w : tensor<128x768xf32>, tensor<768x768xf32>) outs(%i : tensor<128x768xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [128, 768, 768] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<128x768xf32>
  return %0 : tensor<128x768xf32>
}

/// A row alone takes wide panels, which stream.
// CHECK-LABEL: @row
func.func @row(%a: tensor<1x64xf32>, %b: tensor<64x512xf32>, %i: tensor<1x512xf32>) -> tensor<1x512xf32> {
  // WIDE: tile [1, 8]
  // NARROW: tile [1, 7]
  // CHECK-NOT: packed
  %0 = kernel.contract ins(%a, %b : tensor<1x64xf32>, tensor<64x512xf32>) outs(%i : tensor<1x512xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [1, 512, 64] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x512xf32>
  return %0 : tensor<1x512xf32>
}

/// What is not contiguous along the vectorised loop, and not a weight, is copied.
// CHECK-LABEL: @turned
func.func @turned(%a: tensor<8x64xf32>, %b: tensor<512x64xf32>, %i: tensor<8x512xf32>) -> tensor<8x512xf32> {
  // CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<512x64xf32>) outs(%{{.*}} : tensor<64x512xf32>)
  // CHECK: kernel.contract ins(%{{.*}}, %[[C]]
  %0 = kernel.contract ins(%a, %b : tensor<8x64xf32>, tensor<512x64xf32>) outs(%i : tensor<8x512xf32>)
    maps [#lhs, #turned, #out] parallel 2 sizes [8, 512, 64] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<8x512xf32>
  return %0 : tensor<8x512xf32>
}

#filter = affine_map<(n, f, y, x, c) -> (f, c)>
#image = affine_map<(n, f, y, x, c) -> (n, c, y, x)>
#result = affine_map<(n, f, y, x, c) -> (n, f, y, x)>

/// Lines of seven pixels lie side by side: tiles take vectors of all 49.
// CHECK-LABEL: @joined_columns
func.func @joined_columns(%w: tensor<64x32xf32>, %x: tensor<1x32x7x7xf32>, %i: tensor<1x64x7x7xf32>) -> tensor<1x64x7x7xf32> {
  // WIDE: tile [{{[0-9]+}}, 4]
  %0 = kernel.contract ins(%w, %x : tensor<64x32xf32>, tensor<1x32x7x7xf32>) outs(%i : tensor<1x64x7x7xf32>)
    maps [#filter, #image, #result] parallel 4 sizes [1, 64, 7, 7, 32] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x64x7x7xf32>
  return %0 : tensor<1x64x7x7xf32>
}

graph.parameter @bytes : tensor<30x48xi8> {file = "w", offset = 0 : i64}
graph.parameter @halves : tensor<31x48xbf16> {file = "w", offset = 0 : i64}
/// Four bytes, or two bf16, lie together; zeros behind the end of the reduction. The sums of a filter are a weight.
// DOTS-DAG: graph.parameter @bytes.packed : tensor<{{.*}}x8x{{.*}}x4xi8> {kernel.pack = {granule_loop = 2 : i64, inner = array<i64>
// DOTS-DAG: graph.parameter @halves.packed : tensor<{{.*}}x16x{{.*}}x2xbf16> {kernel.pack
// DOTS-DAG: graph.parameter @bytes.sums : tensor<48xi32> = {
// DOTS-DAG: graph.constant dense<-128> : tensor<i32>
// NEON-DAG: graph.constant dense<128> : tensor<i32>

/// x86 multiplies unsigned by signed bytes, NEON two of one kind.
// DOTS-LABEL: @unsigned_by_signed
// NEON-LABEL: @unsigned_by_signed
func.func @unsigned_by_signed(%a: tensor<8x30xi8>, %i: tensor<8x48xi32>) -> tensor<8x48xi32> {
  %w = graph.weight @bytes : tensor<30x48xi8>
  // DOTS: kernel.contract
  // DOTS-SAME: packed attributes {granule = 4 : i64, lhs_unsigned}
  // NEON: %[[S:.*]] = graph.weight @bytes.sums
  // NEON: kernel.contract {{.*}} extras(%[[S]] : tensor<48xi32>)
  // NEON-SAME: attributes {granule = 4 : i64, lhs_flipped, lhs_unsigned}
  // NEON: arith.addi
  %0 = kernel.contract ins(%a, %w : tensor<8x30xi8>, tensor<30x48xi8>) outs(%i : tensor<8x48xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 48, 30] attributes {lhs_unsigned} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  } -> tensor<8x48xi32>
  return %0 : tensor<8x48xi32>
}

/// Signed by signed is made unsigned by signed, and 128 times the sums of the weight are taken off.
// DOTS-LABEL: @signed_by_signed
func.func @signed_by_signed(%a: tensor<8x30xi8>, %i: tensor<8x48xi32>) -> tensor<8x48xi32> {
  %w = graph.weight @bytes : tensor<30x48xi8>
  // DOTS: %[[S:.*]] = graph.weight @bytes.sums
  // DOTS: kernel.contract {{.*}} extras(%[[S]] : tensor<48xi32>)
  // DOTS-SAME: attributes {granule = 4 : i64, lhs_flipped}
  // DOTS: ^bb0(%[[SUM:.*]]: i32, %[[OFFSET:.*]]: i32)
  // DOTS: arith.addi %[[SUM]], %[[OFFSET]]
  %0 = kernel.contract ins(%a, %w : tensor<8x30xi8>, tensor<30x48xi8>) outs(%i : tensor<8x48xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 48, 30] {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  } -> tensor<8x48xi32>
  return %0 : tensor<8x48xi32>
}

// DOTS-LABEL: @of_halves
// NEON-LABEL: @of_halves
func.func @of_halves(%a: tensor<8x31xbf16>, %i: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %w = graph.weight @halves : tensor<31x48xbf16>
  // DOTS: packed attributes {granule = 2 : i64}
  // NEON-NOT: granule
  // NEON: return
  %0 = kernel.contract ins(%a, %w : tensor<8x31xbf16>, tensor<31x48xbf16>) outs(%i : tensor<8x48xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 48, 31] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<8x48xf32>
  return %0 : tensor<8x48xf32>
}

/// What only a run knows is packed for dot products, in the run; with the sums that a flipped lhs takes.
// DOTS-LABEL: @packed_in_a_run
// NEON-LABEL: @packed_in_a_run
func.func @packed_in_a_run(%a: tensor<8x30xi8>, %b: tensor<30x48xi8>, %i: tensor<8x48xi32>) -> tensor<8x48xi32> {
  // DOTS: %[[P:.*]] = kernel.pack ins(%{{.*}} : tensor<30x48xi8>) outs(%{{.*}} : tensor<[[SHAPE:.*x8x.*x4xi8]]>) map #{{.*}} sizes [8, 48, 30] outer [] vector 1 inner [] granules 2
  // DOTS: kernel.contract ins(%{{.*}}, %[[P]] : tensor<8x30xi8>, tensor<[[SHAPE]]>)
  // DOTS-SAME: packed attributes {granule = 4 : i64, lhs_unsigned}
  // NEON: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]
  // NEON: arith.extsi
  // NEON: kernel.pack
  // NEON: kernel.contract {{.*}} extras(%{{.*}} : tensor<48xi32>)
  %0 = kernel.contract ins(%a, %b : tensor<8x30xi8>, tensor<30x48xi8>) outs(%i : tensor<8x48xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [8, 48, 30] attributes {lhs_unsigned} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  } -> tensor<8x48xi32>
  return %0 : tensor<8x48xi32>
}

/// A row alone reads what it multiplies once.
// DOTS-LABEL: @no_pack_row
func.func @no_pack_row(%a: tensor<1x32xi8>, %b: tensor<32x48xi8>, %i: tensor<1x48xi32>) -> tensor<1x48xi32> {
  // DOTS-NOT: kernel.pack
  // DOTS: kernel.contract
  %0 = kernel.contract ins(%a, %b : tensor<1x32xi8>, tensor<32x48xi8>) outs(%i : tensor<1x48xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [1, 48, 32] {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  } -> tensor<1x48xi32>
  return %0 : tensor<1x48xi32>
}

/// Rows of 2 KiB share two sets of a cache of 4 KiB a way, of which 32 KiB have 8 and 48 KiB 12.
// TWELVE-LABEL: @shared_sets
// WIDE-LABEL: @shared_sets
func.func @shared_sets(%a: tensor<64x256xf32>, %b: tensor<256x512xf32>, %i: tensor<64x512xf32>) -> tensor<64x512xf32> {
  // WIDE: kernel.pack ins(%{{.*}} : tensor<256x512xf32>)
  // WIDE-NOT: granules
  // WIDE: kernel.contract
  // WIDE-SAME: packed
  // TWELVE-NEXT: tensor.empty
  // TWELVE-NEXT: kernel.pack ins(%{{.*}} : tensor<256x512xf32>)
  %0 = kernel.contract ins(%a, %b : tensor<64x256xf32>, tensor<256x512xf32>) outs(%i : tensor<64x512xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [64, 512, 256] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<64x512xf32>
  return %0 : tensor<64x512xf32>
}

/// A loop over rows that only a run knows counts as 8 of them: with 8 others enough read the panels, alone not.
// WIDE-LABEL: @shared_sets_and_unknown_rows
func.func @shared_sets_and_unknown_rows(%a: tensor<?x8x256xf32>, %c: tensor<?x256xf32>, %b: tensor<256x512xf32>, %i: tensor<?x8x512xf32>, %j: tensor<?x512xf32>) -> (tensor<?x8x512xf32>, tensor<?x512xf32>) {
  // WIDE: kernel.pack ins(%{{.*}} : tensor<256x512xf32>)
  // WIDE: kernel.contract
  // WIDE-SAME: packed
  // WIDE-NOT: kernel.pack
  // WIDE: return
  %0 = kernel.contract ins(%a, %b : tensor<?x8x256xf32>, tensor<256x512xf32>) outs(%i : tensor<?x8x512xf32>)
    maps [affine_map<(n, m, c, k) -> (n, m, k)>, affine_map<(n, m, c, k) -> (k, c)>, affine_map<(n, m, c, k) -> (n, m, c)>]
    parallel 3 sizes [-9223372036854775808, 8, 512, 256] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<?x8x512xf32>
  %1 = kernel.contract ins(%c, %b : tensor<?x256xf32>, tensor<256x512xf32>) outs(%j : tensor<?x512xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [-9223372036854775808, 512, 256] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<?x512xf32>
  return %0, %1 : tensor<?x8x512xf32>, tensor<?x512xf32>
}

/// Of 1024 rows of 1 KiB a cache of 64 KiB a way keeps half, one of 128 KiB a way all.
// CHECK-LABEL: @more_than_the_second_cache
func.func @more_than_the_second_cache(%a: tensor<64x1024xf32>, %b: tensor<1024x256xf32>, %i: tensor<64x256xf32>) -> tensor<64x256xf32> {
  // WIDE-NOT: kernel.pack
  // NARROW: kernel.pack ins(%{{.*}} : tensor<1024x256xf32>)
  // CHECK: kernel.contract
  %0 = kernel.contract ins(%a, %b : tensor<64x1024xf32>, tensor<1024x256xf32>) outs(%i : tensor<64x256xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [64, 256, 1024] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<64x256xf32>
  return %0 : tensor<64x256xf32>
}

// WIDE-LABEL: @no_pack_other_rows
func.func @no_pack_other_rows(%a: tensor<64x256xf32>, %b: tensor<256x500xf32>, %i: tensor<64x500xf32>) -> tensor<64x500xf32> {
  // WIDE-NOT: kernel.pack
  // WIDE: kernel.contract
  %0 = kernel.contract ins(%a, %b : tensor<64x256xf32>, tensor<256x500xf32>) outs(%i : tensor<64x500xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [64, 500, 256] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<64x500xf32>
  return %0 : tensor<64x500xf32>
}

#rows = affine_map<(m, n, k) -> (m, k)>
graph.parameter @v : tensor<64x48xf32> {file = "w", offset = 0 : i64}
/// The number of rows need not be known to pack a weight.
// WIDE-LABEL: @rows_of_a_run
func.func @rows_of_a_run(%a: tensor<?x64xf32>, %i: tensor<?x48xf32>) -> tensor<?x48xf32> {
  // WIDE: graph.weight @v.packed
  %w = graph.weight @v : tensor<64x48xf32>
  %0 = kernel.contract ins(%a, %w : tensor<?x64xf32>, tensor<64x48xf32>) outs(%i : tensor<?x48xf32>)
    maps [#rows, #rhs, #out] parallel 2 sizes [-9223372036854775808, 48, 64] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<?x48xf32>
  return %0 : tensor<?x48xf32>
}

#window = affine_map<(n, c, y, x, i, j) -> (n, c, y + i - 1, x + j - 1)>
#taps = affine_map<(n, c, y, x, i, j) -> (c, 0, i, j)>
#pixels = affine_map<(n, c, y, x, i, j) -> (n, c, y, x)>

/// Tiles of a depthwise window are lines next to each other, as many in each; its weights stay as they are.
// CHECK-LABEL: @lines
func.func @lines(%x: tensor<1x8x14x14xf32>, %i: tensor<1x8x14x14xf32>) -> tensor<1x8x14x14xf32> {
  %w = graph.weight @taps : tensor<8x1x3x3xf32>
  // CHECK: graph.weight @taps : tensor<8x1x3x3xf32>
  // WIDE: tile [7, 1]
  // NARROW: tile [3, 1]
  // CHECK-SAME: bounded
  %0 = kernel.contract ins(%x, %w : tensor<1x8x14x14xf32>, tensor<8x1x3x3xf32>) outs(%i : tensor<1x8x14x14xf32>)
    maps [#window, #taps, #pixels] parallel 4 sizes [1, 8, 14, 14, 3, 3] bounded {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x8x14x14xf32>
  return %0 : tensor<1x8x14x14xf32>
}
graph.parameter @taps : tensor<8x1x3x3xf32>

#window_last = affine_map<(n, y, x, c, i, j) -> (n, y + i - 1, x + j - 1, c)>
#taps_last = affine_map<(n, y, x, c, i, j) -> (c, 0, i, j)>
#pixels_last = affine_map<(n, y, x, c, i, j) -> (n, y, x, c)>

/// With vectors of channels a tile is a number of vectors, and the taps are packed.
// CHECK-LABEL: @pixels
func.func @pixels(%x: tensor<1x14x14x40xf32>, %i: tensor<1x14x14x40xf32>) -> tensor<1x14x14x40xf32> {
  %w = graph.weight @lanes : tensor<40x1x3x3xf32>
  // WIDE: graph.weight @lanes.packed : tensor<3x3x3x16xf32>
  // WIDE: tile [16, 1] packed bounded
  // NARROW: graph.weight @lanes.packed : tensor<5x3x3x8xf32>
  // NARROW: tile [5, 1] packed bounded
  %0 = kernel.contract ins(%x, %w : tensor<1x14x14x40xf32>, tensor<40x1x3x3xf32>) outs(%i : tensor<1x14x14x40xf32>)
    maps [#window_last, #taps_last, #pixels_last] parallel 4 sizes [1, 14, 14, 40, 3, 3] bounded {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x14x14x40xf32>
  return %0 : tensor<1x14x14x40xf32>
}
graph.parameter @lanes : tensor<40x1x3x3xf32>
