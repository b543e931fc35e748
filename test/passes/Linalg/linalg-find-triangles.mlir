// RUN: mlc-opt %s --linalg-find-triangles | FileCheck %s

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#swap = affine_map<(i, j) -> (j, i)>
#down = affine_map<(i, j) -> (i, 0)>
#along = affine_map<(i, j) -> (0, j)>
#lhs = affine_map<(i, j, d) -> (i, d)>
#across = affine_map<(i, j, d) -> (d, i)>
#rhs = affine_map<(i, j, d) -> (d, j)>
#out = affine_map<(i, j, d) -> (i, j)>

/// A causal mask. Of the scores outside of it nobody sees the sums, the softmax takes nothing from there, and its weights
/// are 0: in a product with them whose sums are along their rows, and in one across.
// CHECK-LABEL: @attention
func.func @attention(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>, %v: tensor<7x5xf32>, %dy: tensor<9x5xf32>) -> (tensor<9x5xf32>, tensor<7x5xf32>) {
  // CHECK: kernel.contract {{.*}} parallel 2 sizes [9, 7, 4] triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} rows 1 sizes [9, 7] triangle [0, 1, 0] {
  // CHECK: kernel.contract {{.*}} parallel 2 sizes [9, 5, 7] triangle [0, 2, 0] {
  // CHECK: kernel.contract {{.*}} parallel 2 sizes [7, 5, 9] triangle [2, 0, 0] {
  %low = arith.constant 0xFF800000 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) extras(%seen : tensor<9x7xi1>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out, #out] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32, %see: i1):
    %0 = arith.select %see, %sum, %low : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %p = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %0 = arith.subf %a, %max : f32
    %1 = math.exp %0 : f32
    %sum = kernel.reduce <add> %1 : f32
    %2 = arith.divf %1, %sum : f32
    kernel.yield %2 : f32
  } -> tensor<9x7xf32>
  %f = tensor.empty() : tensor<9x5xf32>
  %y = kernel.contract ins(%p, %v : tensor<9x7xf32>, tensor<7x5xf32>) outs(%f : tensor<9x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  %g = tensor.empty() : tensor<7x5xf32>
  %dv = kernel.contract ins(%p, %dy : tensor<9x7xf32>, tensor<9x5xf32>) outs(%g : tensor<7x5xf32>)
    maps [#across, #rhs, #out] parallel 2 sizes [7, 5, 9] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<7x5xf32>
  return %y, %dv : tensor<9x5xf32>, tensor<7x5xf32>
}

/// What causal layers are imported as: the numbers of both axes as tensors, compared in a third loop, a mask of bytes. A
/// factor of 0 is the same as -inf on a score: nobody sees the sum.
// CHECK-LABEL: @numbers_of_axes
func.func @numbers_of_axes(%q: tensor<?x4xf32>, %k: tensor<4x?xf32>, %n: index, %l: index) -> tensor<?x?xf32> {
  // CHECK: kernel.contract {{.*}} triangle [0, 1, 0] {
  %zero = arith.constant 0.0 : f32
  %d = tensor.empty(%n) : tensor<?x1xi64>
  %i = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%d : tensor<?x1xi64>) {
  ^bb0(%o: i64):
    %0 = linalg.index 0 : index
    %1 = arith.index_cast %0 : index to i64
    linalg.yield %1 : i64
  } -> tensor<?x1xi64>
  %a = tensor.empty(%l) : tensor<1x?xi64>
  %j = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%a : tensor<1x?xi64>) {
  ^bb0(%o: i64):
    %0 = linalg.index 1 : index
    %1 = arith.index_cast %0 : index to i64
    linalg.yield %1 : i64
  } -> tensor<1x?xi64>
  %m = tensor.empty(%n, %l) : tensor<?x?xi8>
  %seen = linalg.generic {indexing_maps = [#along, #down, #all], iterator_types = ["parallel", "parallel"]}
    ins(%j, %i : tensor<1x?xi64>, tensor<?x1xi64>) outs(%m : tensor<?x?xi8>) {
  ^bb0(%x: i64, %y: i64, %o: i8):
    %0 = arith.cmpi sle, %x, %y : i64
    %1 = arith.extui %0 : i1 to i8
    linalg.yield %1 : i8
  } -> tensor<?x?xi8>
  %e = tensor.empty(%n, %l) : tensor<?x?xf32>
  %s = kernel.contract ins(%q, %k : tensor<?x4xf32>, tensor<4x?xf32>) extras(%seen : tensor<?x?xi8>) outs(%e : tensor<?x?xf32>)
    maps [#lhs, #rhs, #out, #out] parallel 2 sizes [-9223372036854775808, -9223372036854775808, 4] {
  ^bb0(%sum: f32, %byte: i8):
    %see = arith.trunci %byte : i8 to i1
    %0 = arith.select %see, %sum, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<?x?xf32>
  return %s : tensor<?x?xf32>
}

/// The gradient of the scores: the rows hide on their own what they read. Then nobody looks at the gradient of the weights
/// there, though all of its sums are asked for.
// CHECK-LABEL: @demand
func.func @demand(%s: tensor<9x7xf32>, %dy: tensor<9x5xf32>, %v: tensor<5x7xf32>) -> tensor<9x7xf32> {
  // CHECK: kernel.contract {{.*}} triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 0] {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %see = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %dp = kernel.contract ins(%dy, %v : tensor<9x5xf32>, tensor<5x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 7, 5] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x7xf32>
  %ds = kernel.rows ins(%s, %dp, %see : tensor<9x7xf32>, tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>)
    maps [#all, #all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: f32, %c: i1):
    %0 = arith.select %c, %a, %low : f32
    %1 = math.exp %0 : f32
    %2 = arith.mulf %b, %1 : f32
    %sum = kernel.reduce <add> %2 : f32
    %3 = arith.subf %b, %sum : f32
    %4 = arith.mulf %1, %3 : f32
    %5 = arith.select %c, %4, %zero : f32
    kernel.yield %5 : f32
  } -> tensor<9x7xf32>
  return %ds : tensor<9x7xf32>
}

/// The same product, but its result is also one of the function.
// CHECK-LABEL: @no_demand_others_read
func.func @no_demand_others_read(%dy: tensor<9x5xf32>, %v: tensor<5x7xf32>) -> (tensor<9x7xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.contract {{.*}} sizes [9, 7, 5] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 0] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %dp = kernel.contract ins(%dy, %v : tensor<9x5xf32>, tensor<5x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 7, 5] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x7xf32>
  %r = kernel.rows ins(%dp, %seen : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r, %dp : tensor<9x7xf32>, tensor<9x7xf32>
}

/// Two kernels of rows read it, inside of different triangles.
// CHECK-LABEL: @no_demand_of_two_triangles
func.func @no_demand_of_two_triangles(%dy: tensor<9x5xf32>, %v: tensor<5x7xf32>) -> (tensor<9x7xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.contract {{.*}} sizes [9, 7, 5] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 1] {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1 : index
  %m = tensor.empty() : tensor<9x7xi1>
  %seen:2 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    outs(%m, %m : tensor<9x7xi1>, tensor<9x7xi1>) {
  ^bb0(%o: i1, %u: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %next = arith.addi %i, %one : index
    %0 = arith.cmpi sle, %j, %i : index
    %1 = arith.cmpi sle, %j, %next : index
    linalg.yield %0, %1 : i1, i1
  } -> (tensor<9x7xi1>, tensor<9x7xi1>)
  %e = tensor.empty() : tensor<9x7xf32>
  %dp = kernel.contract ins(%dy, %v : tensor<9x5xf32>, tensor<5x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 7, 5] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x7xf32>
  %r = kernel.rows ins(%dp, %seen#0 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %t = kernel.rows ins(%dp, %seen#1 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r, %t : tensor<9x7xf32>, tensor<9x7xf32>
}

/// Queries that begin three keys behind the first one, and those that do not see themselves and the key before.
// CHECK-LABEL: @offsets
func.func @offsets(%x: tensor<9x7xf32>) -> (tensor<9x7xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 3] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, -2] {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %m = tensor.empty() : tensor<9x7xi1>
  %seen:2 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    outs(%m, %m : tensor<9x7xi1>, tensor<9x7xi1>) {
  ^bb0(%o: i1, %u: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %ahead = arith.addi %three, %i : index
    %behind = arith.subi %i, %two : index
    %0 = arith.cmpi sle, %j, %ahead : index
    %1 = arith.cmpi sle, %j, %behind : index
    linalg.yield %0, %1 : i1, i1
  } -> (tensor<9x7xi1>, tensor<9x7xi1>)
  %e = tensor.empty() : tensor<9x7xf32>
  %r = kernel.rows ins(%x, %seen#0 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %t = kernel.rows ins(%x, %seen#1 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r, %t : tensor<9x7xf32>, tensor<9x7xf32>
}

/// i >= j, j < i and i > j, the last two without the diagonal.
// CHECK-LABEL: @predicates
func.func @predicates(%x: tensor<9x7xf32>) -> (tensor<9x7xf32>, tensor<9x7xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, -1] {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, -1] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen:3 = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel"]}
    outs(%m, %m, %m : tensor<9x7xi1>, tensor<9x7xi1>, tensor<9x7xi1>) {
  ^bb0(%o: i1, %u: i1, %v: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sge, %i, %j : index
    %1 = arith.cmpi slt, %j, %i : index
    %2 = arith.cmpi sgt, %i, %j : index
    linalg.yield %0, %1, %2 : i1, i1, i1
  } -> (tensor<9x7xi1>, tensor<9x7xi1>, tensor<9x7xi1>)
  %e = tensor.empty() : tensor<9x7xf32>
  %r = kernel.rows ins(%x, %seen#0 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %t = kernel.rows ins(%x, %seen#1 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %w = kernel.rows ins(%x, %seen#2 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r, %t, %w : tensor<9x7xf32>, tensor<9x7xf32>, tensor<9x7xf32>
}

/// A band is not a triangle, and neither are unsigned numbers, which an offset may wrap.
// CHECK-LABEL: @no_triangle_other_predicates
func.func @no_triangle_other_predicates(%x: tensor<9x7xf32>) -> (tensor<9x7xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen:2 = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
    outs(%m, %m : tensor<9x7xi1>, tensor<9x7xi1>) {
  ^bb0(%o: i1, %u: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi eq, %i, %j : index
    %1 = arith.cmpi ule, %j, %i : index
    linalg.yield %0, %1 : i1, i1
  } -> (tensor<9x7xi1>, tensor<9x7xi1>)
  %e = tensor.empty() : tensor<9x7xf32>
  %r = kernel.rows ins(%x, %seen#0 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %t = kernel.rows ins(%x, %seen#1 : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r, %t : tensor<9x7xf32>, tensor<9x7xf32>
}

/// A mask that is true where it hides. What the rows give once a row is not outside of anything.
// CHECK-LABEL: @reversed
func.func @reversed(%x: tensor<9x7xf32>) -> (tensor<9x7xf32>, tensor<9xf32>) {
  // CHECK: kernel.rows {{.*}} triangle [0, 1, 0] {
  %low = arith.constant 0xFF800000 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %hidden = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sgt, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %u = tensor.empty() : tensor<9xf32>
  %r:2 = kernel.rows ins(%x, %hidden : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e, %u : tensor<9x7xf32>, tensor<9xf32>)
    maps [#all, #all, #all, #row] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %low, %a : f32
    %max = kernel.reduce <maximumf> %0 : f32
    %1 = arith.subf %0, %max : f32
    %2 = math.exp %1 : f32
    kernel.yield %2, %max : f32, f32
  } -> tensor<9x7xf32>, tensor<9xf32>
  return %r#0, %r#1 : tensor<9x7xf32>, tensor<9xf32>
}

/// Exporters add 0 or -inf.
// CHECK-LABEL: @additive
func.func @additive(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>) -> tensor<9x7xf32> {
  // CHECK: kernel.contract {{.*}} triangle [0, 1, 0] {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<9x7xf32>
  %mask = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<9x7xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    %1 = arith.select %0, %zero, %low : f32
    linalg.yield %1 : f32
  } -> tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) extras(%mask : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out, #out] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32, %add: f32):
    %0 = arith.addf %sum, %add : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %s : tensor<9x7xf32>
}

/// A number that is only large: the sums behind it are not seen, but a row may have a maximum that is as low, so that what is
/// hidden counts.
// CHECK-LABEL: @large_numbers
func.func @large_numbers(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>) -> tensor<9x7xf32> {
  // CHECK: kernel.contract {{.*}} triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  %low = arith.constant -1.0e9 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) extras(%seen : tensor<9x7xi1>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out, #out] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32, %see: i1):
    %0 = arith.select %see, %sum, %low : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %p = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %0 = arith.subf %a, %max : f32
    %1 = math.exp %0 : f32
    kernel.yield %1 : f32
  } -> tensor<9x7xf32>
  return %p : tensor<9x7xf32>
}

/// A 0 counts in a maximum and in a product, not in a sum; and what is not 0 outside cannot be left out.
// CHECK-LABEL: @no_triangle_what_counts
func.func @no_triangle_what_counts(%x: tensor<9x7xf32>) -> (tensor<9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9x7xf32>) {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] triangle [0, 1, 0] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %u = tensor.empty() : tensor<9xf32>
  %max = kernel.rows ins(%x, %seen : tensor<9x7xf32>, tensor<9x7xi1>) outs(%u : tensor<9xf32>) maps [#all, #all, #row] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    %1 = kernel.reduce <maximumf> %0 : f32
    kernel.yield %1 : f32
  } -> tensor<9xf32>
  %product = kernel.rows ins(%x, %seen : tensor<9x7xf32>, tensor<9x7xi1>) outs(%u : tensor<9xf32>) maps [#all, #all, #row] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    %1 = kernel.reduce <mul> %0 : f32
    kernel.yield %1 : f32
  } -> tensor<9xf32>
  %sum = kernel.rows ins(%x, %seen : tensor<9x7xf32>, tensor<9x7xi1>) outs(%u : tensor<9xf32>) maps [#all, #all, #row] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    %1 = kernel.reduce <add> %0 : f32
    kernel.yield %1 : f32
  } -> tensor<9xf32>
  %e = tensor.empty() : tensor<9x7xf32>
  %ones = kernel.rows ins(%x, %seen : tensor<9x7xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7xf32>) maps [#all, #all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %one : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %max, %product, %sum, %ones : tensor<9xf32>, tensor<9xf32>, tensor<9xf32>, tensor<9x7xf32>
}

/// Half of a matrix that stands on the right, read across by a loop before: its row is the column of the product.
// CHECK-LABEL: @rhs
func.func @rhs(%x: tensor<4x7xf32>, %w: tensor<9x7xf32>) -> tensor<4x9xf32> {
  // CHECK: kernel.contract {{.*}} sizes [4, 9, 7] triangle [1, 2, 0] {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<7x9xf32>
  %t = linalg.generic {indexing_maps = [#swap, #all], iterator_types = ["parallel", "parallel"]}
    ins(%w : tensor<9x7xf32>) outs(%e : tensor<7x9xf32>) {
  ^bb0(%a: f32, %o: f32):
    %j = linalg.index 0 : index
    %i = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    %1 = arith.select %0, %a, %zero : f32
    linalg.yield %1 : f32
  } -> tensor<7x9xf32>
  %f = tensor.empty() : tensor<4x9xf32>
  %y = kernel.contract ins(%x, %t : tensor<4x7xf32>, tensor<7x9xf32>) outs(%f : tensor<4x9xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [4, 9, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<4x9xf32>
  return %y : tensor<4x9xf32>
}

/// Above the diagonal: a product leaves out the other half, but rows end with their last column, not begin with another.
// CHECK-LABEL: @above
func.func @above(%q: tensor<9x4xf32>, %k: tensor<4x7xf32>) -> tensor<9x7xf32> {
  // CHECK: kernel.contract {{.*}} triangle [1, 0, 0] {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sge, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7xf32>
  %s = kernel.contract ins(%q, %k : tensor<9x4xf32>, tensor<4x7xf32>) extras(%seen : tensor<9x7xi1>) outs(%e : tensor<9x7xf32>)
    maps [#lhs, #rhs, #out, #out] parallel 2 sizes [9, 7, 4] {
  ^bb0(%sum: f32, %see: i1):
    %0 = arith.select %see, %sum, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  %r = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %sum = kernel.reduce <add> %a : f32
    %0 = arith.mulf %a, %sum : f32
    kernel.yield %0 : f32
  } -> tensor<9x7xf32>
  return %r : tensor<9x7xf32>
}

#heads = affine_map<(b, i, j) -> (b, i, j)>
#one = affine_map<(b, i, j) -> (0, i, j)>

/// Axes of one element come and go. Axes that are joined with others are no longer what they were.
// CHECK-LABEL: @reshapes
func.func @reshapes(%x: tensor<1x9x7xf32>, %v: tensor<7x5xf32>, %w: tensor<63x5xf32>) -> (tensor<9x5xf32>, tensor<1x5xf32>) {
  // CHECK: kernel.rows {{.*}} sizes [1, 9, 7] triangle [1, 2, 0] {
  // CHECK: kernel.contract {{.*}} sizes [9, 5, 7] triangle [0, 2, 0] {
  // CHECK: kernel.contract {{.*}} sizes [1, 5, 63] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %wide = tensor.expand_shape %seen [[0, 1], [2]] output_shape [1, 9, 7] : tensor<9x7xi1> into tensor<1x9x7xi1>
  %e = tensor.empty() : tensor<1x9x7xf32>
  %r = kernel.rows ins(%x, %wide : tensor<1x9x7xf32>, tensor<1x9x7xi1>) outs(%e : tensor<1x9x7xf32>)
    maps [#heads, #one, #heads] rows 2 sizes [1, 9, 7] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    kernel.yield %0 : f32
  } -> tensor<1x9x7xf32>
  %p = tensor.collapse_shape %r [[0, 1], [2]] : tensor<1x9x7xf32> into tensor<9x7xf32>
  %f = tensor.empty() : tensor<9x5xf32>
  %y = kernel.contract ins(%p, %v : tensor<9x7xf32>, tensor<7x5xf32>) outs(%f : tensor<9x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  %flat = tensor.collapse_shape %r [[0], [1, 2]] : tensor<1x9x7xf32> into tensor<1x63xf32>
  %g = tensor.empty() : tensor<1x5xf32>
  %z = kernel.contract ins(%flat, %w : tensor<1x63xf32>, tensor<63x5xf32>) outs(%g : tensor<1x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [1, 5, 63] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<1x5xf32>
  return %y, %z : tensor<9x5xf32>, tensor<1x5xf32>
}

/// The loop that the mask ends is not the last one of the columns.
// CHECK-LABEL: @no_triangle_of_outer_columns
func.func @no_triangle_of_outer_columns(%x: tensor<9x7x4xf32>) -> tensor<9x7x4xf32> {
  // CHECK: kernel.rows {{.*}} sizes [9, 7, 4] {
  %zero = arith.constant 0.0 : f32
  %m = tensor.empty() : tensor<9x7xi1>
  %seen = linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%m : tensor<9x7xi1>) {
  ^bb0(%o: i1):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi sle, %j, %i : index
    linalg.yield %0 : i1
  } -> tensor<9x7xi1>
  %e = tensor.empty() : tensor<9x7x4xf32>
  %r = kernel.rows ins(%x, %seen : tensor<9x7x4xf32>, tensor<9x7xi1>) outs(%e : tensor<9x7x4xf32>)
    maps [#heads, #out, #heads] rows 1 sizes [9, 7, 4] {
  ^bb0(%a: f32, %b: i1):
    %0 = arith.select %b, %a, %zero : f32
    %sum = kernel.reduce <add> %0 : f32
    %1 = arith.mulf %0, %sum : f32
    kernel.yield %1 : f32
  } -> tensor<9x7x4xf32>
  return %r : tensor<9x7x4xf32>
}

/// The first row sees no column: its maximum is -inf, and its softmax NaN, also in the columns outside.
// CHECK-LABEL: @no_triangle_of_empty_rows
func.func @no_triangle_of_empty_rows(%x: tensor<9x7xf32>, %v: tensor<7x5xf32>) -> tensor<9x5xf32> {
  // CHECK: kernel.rows {{.*}} sizes [9, 7] {
  // CHECK: kernel.contract {{.*}} sizes [9, 5, 7] {
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<9x7xf32>
  %s = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) {
  ^bb0(%in: f32, %o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %0 = arith.cmpi slt, %j, %i : index
    %1 = arith.select %0, %in, %low : f32
    linalg.yield %1 : f32
  } -> tensor<9x7xf32>
  %p = kernel.rows ins(%s : tensor<9x7xf32>) outs(%e : tensor<9x7xf32>) maps [#all, #all] rows 1 sizes [9, 7] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %0 = arith.subf %a, %max : f32
    %1 = math.exp %0 : f32
    %sum = kernel.reduce <add> %1 : f32
    %2 = arith.divf %1, %sum : f32
    kernel.yield %2 : f32
  } -> tensor<9x7xf32>
  %f = tensor.empty() : tensor<9x5xf32>
  %y = kernel.contract ins(%p, %v : tensor<9x7xf32>, tensor<7x5xf32>) outs(%f : tensor<9x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 5, 7] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  return %y : tensor<9x5xf32>
}

/// Numbers of an axis keep their meaning as an axis of another tensor and plus a constant. A difference of two numbers,
/// compared with a constant, is a comparison of both. A hidden value may come as a tensor.
// CHECK-LABEL: @derived_numbers
func.func @derived_numbers(%x: tensor<9x9xf32>, %v: tensor<9x5xf32>) -> (tensor<9x5xf32>, tensor<9x5xf32>) {
  // CHECK: kernel.contract {{.*}} triangle [0, 2, 3] {
  // CHECK: kernel.contract {{.*}} triangle [0, 2, -2] {
  %zero = arith.constant 0.0 : f32
  %three = arith.constant 3 : i64
  %two = arith.constant -2 : i64
  %r = tensor.empty() : tensor<9xi64>
  %n = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%r : tensor<9xi64>) {
  ^bb0(%o: i64):
    %0 = linalg.index 0 : index
    %1 = arith.index_cast %0 : index to i64
    linalg.yield %1 : i64
  } -> tensor<9xi64>
  %nj = tensor.expand_shape %n [[0, 1]] output_shape [1, 9] : tensor<9xi64> into tensor<1x9xi64>
  %more = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%n : tensor<9xi64>) outs(%r : tensor<9xi64>) {
  ^bb0(%in: i64, %o: i64):
    %0 = arith.addi %in, %three : i64
    linalg.yield %0 : i64
  } -> tensor<9xi64>
  %ni = tensor.expand_shape %more [[0, 1]] output_shape [9, 1] : tensor<9xi64> into tensor<9x1xi64>
  %scalar = tensor.empty() : tensor<f32>
  %hidden = linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%scalar : tensor<f32>) {
  ^bb0(%o: f32):
    linalg.yield %zero : f32
  } -> tensor<f32>
  %e = tensor.empty() : tensor<9x9xf32>
  %a = linalg.generic {indexing_maps = [#along, #down, #all, affine_map<(i, j) -> ()>, #all], iterator_types = ["parallel", "parallel"]}
    ins(%nj, %ni, %x, %hidden : tensor<1x9xi64>, tensor<9x1xi64>, tensor<9x9xf32>, tensor<f32>) outs(%e : tensor<9x9xf32>) {
  ^bb0(%j: i64, %i: i64, %in: f32, %h: f32, %o: f32):
    %0 = arith.cmpi sle, %j, %i : i64
    %1 = arith.select %0, %in, %h : f32
    linalg.yield %1 : f32
  } -> tensor<9x9xf32>
  %b = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<9x9xf32>) outs(%e : tensor<9x9xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = linalg.index 0 : index
    %1 = arith.index_cast %0 : index to i64
    %2 = linalg.index 1 : index
    %3 = arith.index_cast %2 : index to i64
    %4 = arith.subi %3, %1 : i64
    %5 = arith.cmpi sle, %4, %two : i64
    %6 = arith.select %5, %in, %zero : f32
    linalg.yield %6 : f32
  } -> tensor<9x9xf32>
  %f = tensor.empty() : tensor<9x5xf32>
  %y = kernel.contract ins(%a, %v : tensor<9x9xf32>, tensor<9x5xf32>) outs(%f : tensor<9x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 5, 9] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  %z = kernel.contract ins(%b, %v : tensor<9x9xf32>, tensor<9x5xf32>) outs(%f : tensor<9x5xf32>)
    maps [#lhs, #rhs, #out] parallel 2 sizes [9, 5, 9] {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } -> tensor<9x5xf32>
  return %y, %z : tensor<9x5xf32>, tensor<9x5xf32>
}
