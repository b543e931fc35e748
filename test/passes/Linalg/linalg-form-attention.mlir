// RUN: mlc-opt %s --linalg-form-attention --split-input-file | FileCheck %s

#all = affine_map<(b, i, j) -> (b, i, j)>
#lhs = affine_map<(b, i, j, d) -> (b, i, d)>
#rhs = affine_map<(b, i, j, d) -> (b, d, j)>
#scores = affine_map<(b, i, j, d) -> (b, i, j)>
#mask = affine_map<(b, i, j) -> (i, j)>
#swap = affine_map<(b, i, j) -> (b, j, i)>
#weights = affine_map<(i, b, e, j) -> (b, i, j)>
#values = affine_map<(i, b, e, j) -> (b, j, e)>
#merged = affine_map<(i, b, e, j) -> (i, b, e)>

/// The scale is in the epilogue of the scores, the mask in the rows; the transposition of the keys becomes a map. Heads lie
/// side by side in the result, as its product writes them: queries are loop 0.
// CHECK-DAG: #[[$Q:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d0, d4)>
// CHECK-DAG: #[[$K:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>
// CHECK-DAG: #[[$V:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d2)>
// CHECK-DAG: #[[$M:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3)>
// CHECK-DAG: #[[$O:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
// CHECK-LABEL: @attention
func.func @attention(%q: tensor<3x9x4xf32>, %k: tensor<3x7x4xf32>, %v: tensor<3x7x5xf32>, %m: tensor<9x7xf32>) -> tensor<9x3x5xf32> {
  // CHECK: kernel.attention ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<3x9x4xf32>, tensor<3x7x4xf32>, tensor<3x7x5xf32>) extras(%{{.*}} : tensor<9x7xf32>)
  // CHECK-SAME: outs(%{{.*}} : tensor<9x3x5xf32>) maps [#[[$Q]], #[[$K]], #[[$V]], #[[$M]], #[[$O]]] query 0 sizes [9, 3, 5, 7, 4]
  // CHECK-NEXT: ^bb0(%[[S:.*]]: f32, %[[MASK:.*]]: f32):
  // CHECK-NEXT: %[[SCALED:.*]] = arith.mulf %[[S]]
  // CHECK-NEXT: %[[MASKED:.*]] = arith.addf %[[SCALED]], %[[MASK]]
  // CHECK-NEXT: kernel.yield %[[MASKED]]
  // CHECK-NOT: linalg.generic
  %half = arith.constant 0.5 : f32
  %kt = tensor.empty() : tensor<3x4x7xf32>
  %t = linalg.generic {indexing_maps = [#swap, #all], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%k : tensor<3x7x4xf32>) outs(%kt : tensor<3x4x7xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<3x4x7xf32>
  %e = tensor.empty() : tensor<3x9x7xf32>
  %s = kernel.contract ins(%q, %t : tensor<3x9x4xf32>, tensor<3x4x7xf32>) outs(%e : tensor<3x9x7xf32>)
    maps [#lhs, #rhs, #scores] parallel 3 sizes [3, 9, 7, 4] {
  ^bb0(%sum: f32):
    %0 = arith.mulf %sum, %half : f32
    kernel.yield %0 : f32
  } -> tensor<3x9x7xf32>
  %p = kernel.rows ins(%s, %m : tensor<3x9x7xf32>, tensor<9x7xf32>) outs(%e : tensor<3x9x7xf32>) maps [#all, #mask, #all]
    rows 2 sizes [3, 9, 7] {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    %max = kernel.reduce <maximumf> %0 : f32
    %1 = arith.subf %0, %max : f32
    %2 = math.exp %1 : f32
    %sum = kernel.reduce <add> %2 : f32
    %3 = arith.divf %2, %sum : f32
    kernel.yield %3 : f32
  } -> tensor<3x9x7xf32>
  %w = tensor.empty() : tensor<9x3x5xf32>
  %o = kernel.contract ins(%p, %v : tensor<3x9x7xf32>, tensor<3x7x5xf32>) outs(%w : tensor<9x3x5xf32>)
    maps [#weights, #values, #merged] parallel 3 sizes [9, 3, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x3x5xf32>
  return %o : tensor<9x3x5xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#lhs = affine_map<(i, j, d) -> (i, d)>
#rhs = affine_map<(i, j, d) -> (d, j)>
#scores = affine_map<(i, j, d) -> (i, j)>

/// The weights are a result of their own, so they have to be in memory.
// CHECK-LABEL: @no_attention_weights_used
func.func @no_attention_weights_used(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>, %v: tensor<7x5xf32>) -> (tensor<9x5xf32>, tensor<9x7xf32>) {
  // CHECK-NOT: kernel.attention
  %e = tensor.empty() : tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #scores] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x7xf32>
  %p = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %1 = arith.subf %a, %max : f32
    %2 = math.exp %1 : f32
    %sum = kernel.reduce <add> %2 : f32
    %3 = arith.divf %2, %sum : f32
    kernel.yield %3 : f32
  } -> tensor<9x7xf32>
  %w = tensor.empty() : tensor<9x5xf32>
  %o = kernel.contract ins(%p, %v : tensor<9x7xf32>, tensor<7x5xf32>) outs(%w : tensor<9x5xf32>)
    maps [#lhs, #rhs, #scores] parallel 2 sizes [9, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  return %o, %p : tensor<9x5xf32>, tensor<9x7xf32>
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#lhs = affine_map<(i, j, d) -> (i, d)>
#rhs = affine_map<(i, j, d) -> (d, j)>
#scores = affine_map<(i, j, d) -> (i, j)>

/// Not a softmax: nothing is divided by the sum.
// CHECK-LABEL: @no_attention_other_rows
func.func @no_attention_other_rows(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>, %v: tensor<7x5xf32>) -> tensor<9x5xf32> {
  // CHECK-NOT: kernel.attention
  %e = tensor.empty() : tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #scores] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x7xf32>
  %p = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %1 = arith.subf %a, %max : f32
    kernel.yield %1 : f32
  } -> tensor<9x7xf32>
  %w = tensor.empty() : tensor<9x5xf32>
  %o = kernel.contract ins(%p, %v : tensor<9x7xf32>, tensor<7x5xf32>) outs(%w : tensor<9x5xf32>)
    maps [#lhs, #rhs, #scores] parallel 2 sizes [9, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  return %o : tensor<9x5xf32>
}
