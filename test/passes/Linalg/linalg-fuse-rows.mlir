// RUN: mlc-opt %s --linalg-fuse-rows --split-input-file | FileCheck %s
// RUN: mlc-opt %s --linalg-fuse-rows="exact=true" --split-input-file | FileCheck %s --check-prefix=EXACT


#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// The scaling before it, both reductions and what follows them are one kernel; a division a row, not an element.
// CHECK-LABEL: @softmax
// EXACT-LABEL: @softmax
func.func @softmax(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // CHECK: kernel.rows ins(%{{.*}} : tensor<4x64xf32>) outs(%{{.*}} : tensor<4x64xf32>)
  // CHECK-SAME: rows 1 sizes [4, 64]
  // CHECK: %[[X:.*]] = arith.mulf
  // CHECK: %[[MAX:.*]] = kernel.reduce <maximumf> %[[X]]
  // CHECK: arith.subf %[[X]], %[[MAX]]
  // CHECK: %[[E:.*]] = math.exp
  // CHECK: %[[SUM:.*]] = kernel.reduce <add> %[[E]]
  // CHECK: %[[R:.*]] = arith.divf %{{.*}}, %[[SUM]]
  // CHECK: arith.mulf %[[E]], %[[R]]
  // CHECK-NOT: linalg.generic
  // EXACT: %[[SUM:.*]] = kernel.reduce <add> %[[E:.*]] :
  // EXACT: arith.divf %[[E]], %[[SUM]]
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %scale = arith.constant 0.125 : f32
  %e = tensor.empty() : tensor<4x64xf32>
  %r = tensor.empty() : tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<4x64xf32>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %scale : f32
    linalg.yield %0 : f32
  } -> tensor<4x64xf32>
  %i = linalg.fill ins(%low : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %max = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
    ins(%s : tensor<4x64xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.maximumf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
    ins(%s, %max : tensor<4x64xf32>, tensor<4xf32>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %0 = arith.subf %a, %m : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
    ins(%exp : tensor<4x64xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
    ins(%exp, %sum : tensor<4x64xf32>, tensor<4xf32>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#unit = affine_map<(i, j) -> (i, 0)>

/// A sum that others read too is a result of the kernel; a statistic with its axis kept is seen through.
// CHECK-LABEL: @mean_of_sum
func.func @mean_of_sum(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>, %n: index) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  // CHECK: %[[R:.*]]:2 = kernel.rows ins(%{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<?x64xf32>)
  // CHECK: %[[S:.*]] = arith.addf
  // CHECK: %[[SUM:.*]] = kernel.reduce <add> %[[S]]
  // CHECK: %[[MEAN:.*]] = arith.divf %[[SUM]]
  // CHECK: %[[C:.*]] = arith.subf %[[S]], %[[MEAN]]
  // CHECK: kernel.yield %[[S]], %[[C]]
  // CHECK: return %[[R]]#0, %[[R]]#1
  %zero = arith.constant 0.0 : f32
  %count = arith.constant 64.0 : f32
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %r = tensor.empty(%n) : tensor<?xf32>
  %u = tensor.empty(%n) : tensor<?x1xf32>
  %s = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]}
    ins(%x, %y : tensor<?x64xf32>, tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%r : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
    ins(%s : tensor<?x64xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<?xf32>
  %kept = tensor.expand_shape %sum [[0, 1]] output_shape [%n, 1] : tensor<?xf32> into tensor<?x1xf32>
  %mean = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    ins(%kept : tensor<?x1xf32>) outs(%u : tensor<?x1xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.divf %a, %count : f32
    linalg.yield %0 : f32
  } -> tensor<?x1xf32>
  %c = linalg.generic {indexing_maps = [#all, #unit, #all], iterator_types = ["parallel", "parallel"]}
    ins(%s, %mean : tensor<?x64xf32>, tensor<?x1xf32>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%a: f32, %m: f32, %o: f32):
    %0 = arith.subf %a, %m : f32
    linalg.yield %0 : f32
  } -> tensor<?x64xf32>
  return %s, %c : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

#swap = affine_map<(i, j) -> (j, i)>
#row = affine_map<(i, j) -> (i)>

/// Columns that are not contiguous stay what they are.
// CHECK-LABEL: @no_fuse_strided
func.func @no_fuse_strided(%x: tensor<64x4xf32>) -> tensor<4xf32> {
  // CHECK-NOT: kernel.rows
  // CHECK: linalg.generic
  %zero = arith.constant 0.0 : f32
  %r = tensor.empty() : tensor<4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#swap, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<64x4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#last = affine_map<(i, j) -> (j)>

/// What has no row would be computed once a row; a sum from 2 adds it behind.
// CHECK-LABEL: @no_fuse_of_columns
func.func @no_fuse_of_columns(%x: tensor<4x64xf32>, %w: tensor<64xf32>) -> tensor<4xf32> {
  // CHECK: linalg.generic
  // CHECK: kernel.rows
  // CHECK: %[[R:.*]] = kernel.reduce <add>
  // CHECK: arith.addf %{{.*}}, %[[R]]
  %two = arith.constant 2.0 : f32
  %v = tensor.empty() : tensor<64xf32>
  %r = tensor.empty() : tensor<4xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
    ins(%w : tensor<64xf32>) outs(%v : tensor<64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  %z = linalg.fill ins(%two : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#all, #last, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x, %f : tensor<4x64xf32>, tensor<64xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.maximumf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// Between the sum and its second reader stands an op of another kind, which would have to run inside of the kernel.
// CHECK-LABEL: @no_fuse_cycle
func.func @no_fuse_cycle(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // CHECK: kernel.rows
  // CHECK: kernel.yield %{{.*}} : f32
  // CHECK: tensor.reshape
  // CHECK: linalg.generic
  %zero = arith.constant 0.0 : f32
  %shape = arith.constant dense<4> : tensor<1xi64>
  %e = tensor.empty() : tensor<4x64xf32>
  %r = tensor.empty() : tensor<4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<4x64xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %other = tensor.reshape %sum(%shape) : (tensor<4xf32>, tensor<1xi64>) -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#all, #row, #row, #all], iterator_types = ["parallel", "parallel"]}
    ins(%x, %sum, %other : tensor<4x64xf32>, tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %0 = arith.addf %b, %c : f32
    %1 = arith.mulf %a, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// A quotient that is rounded, as quantization does it, stays a division.
// CHECK-LABEL: @rounded
func.func @rounded(%x: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // CHECK: kernel.rows
  // CHECK: %[[SUM:.*]] = kernel.reduce <add>
  // CHECK: %[[Q:.*]] = arith.divf %{{.*}}, %[[SUM]]
  // CHECK: math.roundeven %[[Q]]
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x64xf32>
  %r = tensor.empty() : tensor<4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%r : tensor<4xf32>) -> tensor<4xf32>
  %sum = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<4x64xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
    ins(%x, %sum : tensor<4x64xf32>, tensor<4xf32>) outs(%e : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.divf %a, %b : f32
    %1 = math.roundeven %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}
