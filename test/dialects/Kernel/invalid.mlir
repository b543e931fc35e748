// RUN: mlc-opt %s --split-input-file --verify-diagnostics

#lhs = affine_map<(m, n, k) -> (m, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c1_maps(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{expected one map an operand, but got 2}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c1_rank(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires maps from 3 loops to the axes of the operands}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (n, m)>
func.func @contract_c2_result(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<16x4xf32>) {
  // expected-error @+1 {{requires a result whose axes are the parallel loops in order}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<16x4xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<16x4xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c3_epilogue(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires an epilogue from the sum and the extras to an element of the result}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] {
  ^bb0(%sum: f32, %extra: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
func.func @rows_c1_no_columns(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @+1 {{requires one map an operand and at least one loop over columns}}
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) maps [#all, #all] rows 2 sizes [4, 8] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8xf32>
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @rows_c1_rank(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @+1 {{requires maps from the loops to the axes of the operands}}
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) maps [#row, #all] rows 1 sizes [4, 8] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8xf32>
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#swap = affine_map<(i, j) -> (j, i)>
func.func @rows_c2_transposed(%x: tensor<4x8xf32>, %i: tensor<8x4xf32>) {
  // expected-error @+1 {{requires results whose axes are all loops in order, or those over rows}}
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<8x4xf32>) maps [#all, #swap] rows 1 sizes [4, 8] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<8x4xf32>
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
func.func @rows_c3_arguments(%x: tensor<4x8xf32>, %i: tensor<4x8xf32>) {
  // expected-error @+1 {{requires a region from elements of the inputs to elements of the results}}
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<4x8xf32>) maps [#all, #all] rows 1 sizes [4, 8] {
  ^bb0(%e: f32, %f: f32):
    kernel.yield %e : f32
  } -> tensor<4x8xf32>
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @rows_c4_not_of_row(%x: tensor<4x8xf32>, %i: tensor<4xf32>) {
  // expected-error @+1 {{requires one value a row for result 0, but it differs from column to column}}
  %0 = kernel.rows ins(%x : tensor<4x8xf32>) outs(%i : tensor<4xf32>) maps [#all, #row] rows 1 sizes [4, 8] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c4_granule(%a: tensor<4x8xi8>, %b: tensor<8x16xi8>, %i: tensor<4x16xi32>) {
  // expected-error @+1 {{expected a packed rhs with granules of 4}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xi8>, tensor<8x16xi8>) outs(%i : tensor<4x16xi32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] attributes {granule = 4 : i64} {
  ^bb0(%sum: i32):
    kernel.yield %sum : i32
  } -> tensor<4x16xi32>
  return
}

// -----

#rhs = affine_map<(m, n, k) -> (k, n)>
func.func @pack_c1_map(%b: memref<9x20xi8>, %p: memref<2x3x16x4xi8>) {
  // expected-error @+1 {{requires a map from 2 loops to the axes of the source}}
  kernel.pack ins(%b : memref<9x20xi8>) outs(%p : memref<2x3x16x4xi8>) map #rhs sizes [8, 20] outer [] vector 1 inner [] granules 2
  return
}

// -----

#rhs = affine_map<(m, n, k) -> (k, n)>
func.func @pack_c2_panels(%b: memref<9x20xi8>, %p: memref<2x2x16x4xi8>) {
  // expected-error @+1 {{expected panels of the loops, but got 'memref<2x2x16x4xi8>'}}
  kernel.pack ins(%b : memref<9x20xi8>) outs(%p : memref<2x2x16x4xi8>) map #rhs sizes [8, 20, 9] outer [] vector 1 inner [] granules 2
  return
}

// -----

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>
func.func @attention_c1_maps(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>, %i: tensor<2x9x4xf32>) {
  // expected-error @+1 {{requires one map an operand and loops over queries, values, keys and depth}}
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>)
    outs(%i : tensor<2x9x4xf32>) maps [#query, #key, #value] query 1 sizes [2, 9, 4, 7, 4] {
  ^bb0(%score: f32):
    kernel.yield %score : f32
  } -> tensor<2x9x4xf32>
  return
}

// -----

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>
#short = affine_map<(b, i, e, j, d) -> (b, i)>
func.func @attention_c1_rank(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>, %i: tensor<2x9x4xf32>) {
  // expected-error @+1 {{requires maps from all loops to the axes of the operands}}
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>)
    outs(%i : tensor<2x9x4xf32>) maps [#short, #key, #value, #result] query 1 sizes [2, 9, 4, 7, 4] {
  ^bb0(%score: f32):
    kernel.yield %score : f32
  } -> tensor<2x9x4xf32>
  return
}

// -----

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>
func.func @attention_c2_result(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>, %i: tensor<2x9x4xf32>) {
  // expected-error @+1 {{requires a result whose axes are all loops but those over keys and depth}}
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>)
    outs(%i : tensor<2x9x4xf32>) maps [#query, #key, #value, #result] query 2 sizes [2, 9, 4, 7, 4] {
  ^bb0(%score: f32):
    kernel.yield %score : f32
  } -> tensor<2x9x4xf32>
  return
}

// -----

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>
func.func @attention_c3_region(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>, %i: tensor<2x9x4xf32>) {
  // expected-error @+1 {{requires a region from a score and the extras to a score}}
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>)
    outs(%i : tensor<2x9x4xf32>) maps [#query, #key, #value, #result] query 1 sizes [2, 9, 4, 7, 4] {
  ^bb0(%score: f32, %extra: f32):
    kernel.yield %score : f32
  } -> tensor<2x9x4xf32>
  return
}

// -----

#query = affine_map<(b, i, e, j, d) -> (b, i, d)>
#key = affine_map<(b, i, e, j, d) -> (b, j, d)>
#value = affine_map<(b, i, e, j, d) -> (b, j, e)>
#result = affine_map<(b, i, e, j, d) -> (b, i, e)>
func.func @attention_c4_key(%q: tensor<2x9x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>, %i: tensor<2x9x4xf32>) {
  // expected-error @+1 {{requires operand 1 not to move with loop 1}}
  %0 = kernel.attention ins(%q, %k, %v : tensor<2x9x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>)
    outs(%i : tensor<2x9x4xf32>) maps [#query, #query, #value, #result] query 1 sizes [2, 9, 4, 7, 4] {
  ^bb0(%score: f32):
    kernel.yield %score : f32
  } -> tensor<2x9x4xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c5_no_offset(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires two loops and an offset as its triangle}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] triangle [0, 2] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c5_one_loop(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires two loops and an offset as its triangle}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] triangle [2, 2, 0] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c5_no_such_loop(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires two loops and an offset as its triangle}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] triangle [0, 3, 0] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @contract_c5_negative_loop(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %i: tensor<4x16xf32>) {
  // expected-error @+1 {{requires two loops and an offset as its triangle}}
  %0 = kernel.contract ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 16, 8] triangle [-1, 2, 0] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x16xf32>
  return
}

// -----

#all = affine_map<(i, j, k) -> (i, j, k)>
func.func @rows_c5_no_offset(%x: tensor<4x8x2xf32>, %i: tensor<4x8x2xf32>) {
  // expected-error @+1 {{requires a loop over rows, the last one over columns and an offset as its triangle}}
  %0 = kernel.rows ins(%x : tensor<4x8x2xf32>) outs(%i : tensor<4x8x2xf32>) maps [#all, #all] rows 1 sizes [4, 8, 2] triangle [0, 2] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8x2xf32>
  return
}

// -----

#all = affine_map<(i, j, k) -> (i, j, k)>
func.func @rows_c5_no_row(%x: tensor<4x8x2xf32>, %i: tensor<4x8x2xf32>) {
  // expected-error @+1 {{requires a loop over rows, the last one over columns and an offset as its triangle}}
  %0 = kernel.rows ins(%x : tensor<4x8x2xf32>) outs(%i : tensor<4x8x2xf32>) maps [#all, #all] rows 1 sizes [4, 8, 2] triangle [1, 2, 0] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8x2xf32>
  return
}

// -----

#all = affine_map<(i, j, k) -> (i, j, k)>
func.func @rows_c5_not_last(%x: tensor<4x8x2xf32>, %i: tensor<4x8x2xf32>) {
  // expected-error @+1 {{requires a loop over rows, the last one over columns and an offset as its triangle}}
  %0 = kernel.rows ins(%x : tensor<4x8x2xf32>) outs(%i : tensor<4x8x2xf32>) maps [#all, #all] rows 1 sizes [4, 8, 2] triangle [0, 1, 0] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } -> tensor<4x8x2xf32>
  return
}
