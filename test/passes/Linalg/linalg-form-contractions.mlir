// RUN: mlc-opt %s --linalg-form-contractions | FileCheck %s

#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#c = affine_map<(i, j, k) -> (i, j)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#swap = affine_map<(i, j) -> (j, i)>

/// A matrix product with a bias and an activation behind it is one op.
// CHECK-LABEL: @matmul_bias_relu
func.func @matmul_bias_relu(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %v: tensor<32xf32>) -> tensor<8x32xf32> {
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<8x16xf32>, tensor<16x32xf32>) extras(%{{.*}} : tensor<32xf32>)
  // CHECK-SAME: parallel 2 sizes [8, 32, 16]
  // CHECK: arith.addf
  // CHECK: arith.maximumf
  // CHECK: kernel.yield
  // CHECK-NOT: linalg.generic
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %v : tensor<8x32xf32>, tensor<32xf32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %s = arith.addf %l, %r : f32
    %m = arith.maximumf %s, %zero : f32
    linalg.yield %m : f32
  } -> tensor<8x32xf32>
  return %1 : tensor<8x32xf32>
}

/// A transposition of lhs becomes a map: nothing moves.

// CHECK-LABEL: @transposed_lhs
func.func @transposed_lhs(%x: tensor<16x8xf32>, %y: tensor<16x32xf32>) -> tensor<8x32xf32> {
  // CHECK-NOT: linalg.generic
  // CHECK: kernel.contract ins(%{{.*}} : tensor<16x8xf32>, tensor<16x32xf32>)
  %zero = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<8x16xf32>
  %moved = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<16x8xf32>) outs(%t : tensor<8x16xf32>) {
  ^bb0(%l: f32, %o: f32):
    linalg.yield %l : f32
  } -> tensor<8x16xf32>
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%moved, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

/// A sum that does not start at zero stays.
// CHECK-LABEL: @no_form_accumulates
func.func @no_form_accumulates(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %z: tensor<8x32xf32>) -> tensor<8x32xf32> {
  // CHECK-NOT: kernel.contract
  // CHECK: linalg.generic
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

/// A product of bytes keeps them, and the signs that they are widened with.
// CHECK-LABEL: @bytes
func.func @bytes(%x: tensor<8x16xi8>, %y: tensor<16x32xi8>) -> tensor<8x32xi32> {
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<8x16xi8>, tensor<16x32xi8>)
  // CHECK-SAME: attributes {lhs_unsigned}
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<8x32xi32>
  %z = linalg.fill ins(%zero : i32) outs(%e : tensor<8x32xi32>) -> tensor<8x32xi32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xi8>, tensor<16x32xi8>) outs(%z : tensor<8x32xi32>) {
  ^bb0(%l: i8, %r: i8, %acc: i32):
    %lw = arith.extui %l : i8 to i32
    %rw = arith.extsi %r : i8 to i32
    %p = arith.muli %lw, %rw : i32
    %s = arith.addi %acc, %p : i32
    linalg.yield %s : i32
  } -> tensor<8x32xi32>
  return %0 : tensor<8x32xi32>
}

/// Sums of 64 bits are left to LLVM.
// CHECK-LABEL: @no_form_i64
func.func @no_form_i64(%x: tensor<8x16xi64>, %y: tensor<16x32xi64>) -> tensor<8x32xi64> {
  // CHECK-NOT: kernel.contract
  %zero = arith.constant 0 : i64
  %e = tensor.empty() : tensor<8x32xi64>
  %z = linalg.fill ins(%zero : i64) outs(%e : tensor<8x32xi64>) -> tensor<8x32xi64>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xi64>, tensor<16x32xi64>) outs(%z : tensor<8x32xi64>) {
  ^bb0(%l: i64, %r: i64, %acc: i64):
    %p = arith.muli %l, %r : i64
    %s = arith.addi %acc, %p : i64
    linalg.yield %s : i64
  } -> tensor<8x32xi64>
  return %0 : tensor<8x32xi64>
}

/// A residual that is dequantized is read as bytes, and a quantized result stays bytes in memory.
// CHECK-LABEL: @residual
func.func @residual(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %q: tensor<8x32xi8>) -> tensor<8x32xf32> {
  // CHECK: kernel.contract {{.*}} extras(%{{.*}} : tensor<8x32xi8>) outs(%{{.*}} : tensor<8x32xi8>)
  // CHECK: arith.sitofp
  // CHECK: arith.addf
  // CHECK: arith.fptosi
  // CHECK: kernel.yield %{{.*}} : i8
  // CHECK: linalg.generic
  // CHECK: arith.sitofp
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %b = tensor.empty() : tensor<8x32xi8>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%q : tensor<8x32xi8>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%l: i8, %o: f32):
    %f = arith.sitofp %l : i8 to f32
    linalg.yield %f : f32
  } -> tensor<8x32xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %1 : tensor<8x32xf32>, tensor<8x32xf32>) outs(%b : tensor<8x32xi8>) {
  ^bb0(%l: f32, %r: f32, %o: i8):
    %s = arith.addf %l, %r : f32
    %i = arith.fptosi %s : f32 to i8
    linalg.yield %i : i8
  } -> tensor<8x32xi8>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%2 : tensor<8x32xi8>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%l: i8, %o: f32):
    %f = arith.sitofp %l : i8 to f32
    linalg.yield %f : f32
  } -> tensor<8x32xf32>
  return %3 : tensor<8x32xf32>
}

/// Bytes of lhs that lie side by side along the sum stay there.
// CHECK-LABEL: @no_absorb_bytes
func.func @no_absorb_bytes(%x: tensor<16x8xi8>, %y: tensor<16x32xi8>) -> tensor<8x32xi32> {
  // CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<16x8xi8>) outs(%{{.*}} : tensor<8x16xi8>)
  // CHECK: kernel.contract ins(%[[T]]
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<8x32xi32>
  %b = tensor.empty() : tensor<8x16xi8>
  %t = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<16x8xi8>) outs(%b : tensor<8x16xi8>) {
  ^bb0(%l: i8, %o: i8):
    linalg.yield %l : i8
  } -> tensor<8x16xi8>
  %z = linalg.fill ins(%zero : i32) outs(%e : tensor<8x32xi32>) -> tensor<8x32xi32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%t, %y : tensor<8x16xi8>, tensor<16x32xi8>) outs(%z : tensor<8x32xi32>) {
  ^bb0(%l: i8, %r: i8, %acc: i32):
    %lw = arith.extsi %l : i8 to i32
    %rw = arith.extsi %r : i8 to i32
    %p = arith.muli %lw, %rw : i32
    %s = arith.addi %acc, %p : i32
    linalg.yield %s : i32
  } -> tensor<8x32xi32>
  return %0 : tensor<8x32xi32>
}

/// An operand that is one number is a constant of the epilogue, not memory.
// CHECK-LABEL: @number
func.func @number(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>) -> tensor<8x32xf32> {
  // CHECK-NOT: extras
  // CHECK: kernel.contract ins(%{{.*}}, %{{.*}} : tensor<8x16xf32>, tensor<16x32xf32>) outs
  // CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
  // CHECK: arith.mulf %{{.*}}, %[[HALF]] : f32
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<f32>
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %1 = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> ()>, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %half : tensor<8x32xf32>, tensor<f32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %m = arith.mulf %l, %r : f32
    linalg.yield %m : f32
  } -> tensor<8x32xf32>
  return %1 : tensor<8x32xf32>
}

/// A mask of bits comes in as bytes; a result of bits stays outside.
// CHECK-LABEL: @bits
func.func @bits(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>, %m: tensor<8x32xi1>) -> tensor<8x32xi1> {
  // CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8x32xi1>) outs(%{{.*}} : tensor<8x32xi8>)
  // CHECK: kernel.contract {{.*}} extras(%[[M]] : tensor<8x32xi8>)
  // CHECK: arith.trunci {{.*}} i8 to i1
  // CHECK: arith.select
  // CHECK: linalg.generic
  // CHECK: arith.cmpf
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %bits = tensor.empty() : tensor<8x32xi1>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%m, %0 : tensor<8x32xi1>, tensor<8x32xf32>) outs(%e : tensor<8x32xf32>) {
  ^bb0(%c: i1, %s: f32, %o: f32):
    %2 = arith.select %c, %s, %zero : f32
    linalg.yield %2 : f32
  } -> tensor<8x32xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%1 : tensor<8x32xf32>) outs(%bits : tensor<8x32xi1>) {
  ^bb0(%s: f32, %o: i1):
    %2 = arith.cmpf ogt, %s, %zero : f32
    linalg.yield %2 : i1
  } -> tensor<8x32xi1>
  return %3 : tensor<8x32xi1>
}

#window = affine_map<(n, c, y, x, i, j) -> (n, c, y + i - 1, x + j - 1)>
#taps = affine_map<(n, c, y, x, i, j) -> (c, 0, i, j)>
#pixels = affine_map<(n, c, y, x, i, j) -> (n, c, y, x)>
#each = affine_map<(n, c, y, x) -> (n, c, y, x)>
#channel = affine_map<(n, c, y, x) -> (c)>

/// One that is formed already takes what follows it, too.
// CHECK-LABEL: @bounded
func.func @bounded(%x: tensor<1x8x14x14xf32>, %w: tensor<8x1x3x3xf32>, %b: tensor<8xf32>) -> tensor<1x8x14x14xf32> {
  // CHECK: kernel.contract {{.*}} extras({{.*}} bounded
  // CHECK: arith.addf
  // CHECK-NOT: linalg.generic
  // CHECK: return
  %i = tensor.empty() : tensor<1x8x14x14xf32>
  %0 = kernel.contract ins(%x, %w : tensor<1x8x14x14xf32>, tensor<8x1x3x3xf32>) outs(%i : tensor<1x8x14x14xf32>)
    maps [#window, #taps, #pixels] parallel 4 sizes [1, 8, 14, 14, 3, 3] bounded {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x8x14x14xf32>
  %e = tensor.empty() : tensor<1x8x14x14xf32>
  %1 = linalg.generic {indexing_maps = [#each, #channel, #each], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%0, %b : tensor<1x8x14x14xf32>, tensor<8xf32>) outs(%e : tensor<1x8x14x14xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %2 = arith.addf %in, %bias : f32
    linalg.yield %2 : f32
  } -> tensor<1x8x14x14xf32>
  return %1 : tensor<1x8x14x14xf32>
}

/// A bound is a constant in the epilogue, not an operand.
// CHECK-LABEL: @constant_operand
func.func @constant_operand(%x: tensor<1x8x14x14xf32>, %w: tensor<8x1x3x3xf32>) -> tensor<1x8x14x14xf32> {
  // CHECK: kernel.contract
  // CHECK-NOT: extras
  // CHECK: ^bb0(%[[SUM:.*]]: f32):
  // CHECK: %[[SIX:.*]] = arith.constant 6.0{{.*}} : f32
  // CHECK: arith.minimumf %[[SUM]], %[[SIX]]
  %six = arith.constant dense<6.0> : tensor<f32>
  %i = tensor.empty() : tensor<1x8x14x14xf32>
  %0 = kernel.contract ins(%x, %w : tensor<1x8x14x14xf32>, tensor<8x1x3x3xf32>) outs(%i : tensor<1x8x14x14xf32>)
    maps [#window, #taps, #pixels] parallel 4 sizes [1, 8, 14, 14, 3, 3] bounded {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x8x14x14xf32>
  %e = tensor.empty() : tensor<1x8x14x14xf32>
  %1 = linalg.generic {indexing_maps = [#each, affine_map<(n, c, y, x) -> ()>, #each], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%0, %six : tensor<1x8x14x14xf32>, tensor<f32>) outs(%e : tensor<1x8x14x14xf32>) {
  ^bb0(%in: f32, %bound: f32, %out: f32):
    %2 = arith.minimumf %in, %bound : f32
    linalg.yield %2 : f32
  } -> tensor<1x8x14x14xf32>
  return %1 : tensor<1x8x14x14xf32>
}

/// A named transposition becomes a loop nest, which moves into what reads it or becomes squares of vectors.
// CHECK-LABEL: func.func @transposition
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic
func.func @transposition(%x: tensor<4x8xf32>, %init: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%init : tensor<8x4xf32>) permutation = [1, 0]
  return %0 : tensor<8x4xf32>
}

#lhs = affine_map<(h, i, d, j) -> (h, i, j)>
#rhs = affine_map<(h, i, d, j) -> (j, h, d)>
#heads = affine_map<(h, i, d, j) -> (h, i, d)>
#side_by_side = affine_map<(i, h, d) -> (h, i, d)>
#same = affine_map<(i, h, d) -> (i, h, d)>

/// A result whose axes are exchanged is written where it belongs: heads side by side, here.
// CHECK-LABEL: @permuted_result
func.func @permuted_result(%p: tensor<4x9x7xf32>, %v: tensor<7x4x16xf32>) -> tensor<9x4x16xf32> {
  // CHECK: kernel.contract ins(%arg0, %arg1 : {{.*}} outs(%{{.*}} : tensor<9x4x16xf32>) {{.*}} parallel 3 sizes [9, 4, 16, 7]
  // CHECK-NOT: linalg.generic
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x9x16xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x9x16xf32>) -> tensor<4x9x16xf32>
  %0 = linalg.generic {indexing_maps = [#lhs, #rhs, #heads], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%p, %v : tensor<4x9x7xf32>, tensor<7x4x16xf32>) outs(%z : tensor<4x9x16xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x9x16xf32>
  %t = tensor.empty() : tensor<9x4x16xf32>
  %1 = linalg.generic {indexing_maps = [#side_by_side, #same], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%0 : tensor<4x9x16xf32>) outs(%t : tensor<9x4x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<9x4x16xf32>
  return %1 : tensor<9x4x16xf32>
}

/// Where another axis becomes the last one, the operand that moves along it is vectorised instead.
// CHECK-LABEL: @transposed_result
func.func @transposed_result(%x: tensor<16x8xf32>, %y: tensor<16x32xf32>) -> tensor<32x8xf32> {
  // CHECK: kernel.contract ins(%arg1, %arg0 : tensor<16x32xf32>, tensor<16x8xf32>) {{.*}} parallel 2 sizes [32, 8, 16]
  // CHECK-NOT: linalg.generic
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (k, i)>, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<16x8xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %t = tensor.empty() : tensor<32x8xf32>
  %1 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0 : tensor<8x32xf32>) outs(%t : tensor<32x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<32x8xf32>
  return %1 : tensor<32x8xf32>
}

/// Not where no operand lies along it: then the copy is cheaper than strided vectors.
// CHECK-LABEL: @no_operand_along
func.func @no_operand_along(%x: tensor<8x16xf32>, %y: tensor<16x32xf32>) -> tensor<32x8xf32> {
  // CHECK: kernel.contract ins(%arg0, %arg1 : {{.*}} parallel 2 sizes [8, 32, 16]
  // CHECK: linalg.generic
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %y : tensor<8x16xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %t = tensor.empty() : tensor<32x8xf32>
  %1 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0 : tensor<8x32xf32>) outs(%t : tensor<32x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<32x8xf32>
  return %1 : tensor<32x8xf32>
}

graph.parameter @w : tensor<16x32xf32>

/// Nor where a weight would become lhs: its panels are packed when it is compiled.
// CHECK-LABEL: @weight_stays_rhs
func.func @weight_stays_rhs(%x: tensor<16x8xf32>) -> tensor<32x8xf32> {
  // CHECK: kernel.contract ins(%arg0, %{{.*}} : tensor<16x8xf32>, tensor<16x32xf32>) {{.*}} parallel 2 sizes [8, 32, 16]
  // CHECK: linalg.generic
  %zero = arith.constant 0.0 : f32
  %w = graph.weight @w : tensor<16x32xf32>
  %e = tensor.empty() : tensor<8x32xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x32xf32>) -> tensor<8x32xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (k, i)>, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%x, %w : tensor<16x8xf32>, tensor<16x32xf32>) outs(%z : tensor<8x32xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<8x32xf32>
  %t = tensor.empty() : tensor<32x8xf32>
  %1 = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0 : tensor<8x32xf32>) outs(%t : tensor<32x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<32x8xf32>
  return %1 : tensor<32x8xf32>
}
