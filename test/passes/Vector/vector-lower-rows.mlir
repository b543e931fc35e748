// RUN: mlc-opt %s --vector-lower-rows --split-input-file | FileCheck %s
// RUN: mlc-opt %s --vector-lower-rows="vector-bits=128" --split-input-file | FileCheck %s --check-prefix=NARROW


#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// A row of two vectors is read once and stays in registers; what is behind its end is masked.
// CHECK-LABEL: @short
func.func @short(%x: memref<4x20xf32>, %y: memref<4x20xf32>) {
  // CHECK: scf.for
  // CHECK-NOT: scf.for
  // CHECK: vector.load {{.*}} vector<16xf32>
  // CHECK: vector.maskedload
  // CHECK-NOT: vector.load
  // CHECK: vector.shuffle
  // CHECK: arith.divf {{.*}} : f32
  // CHECK: vector.store
  // CHECK: vector.maskedstore
  // CHECK-NOT: kernel.rows
  // NARROW-LABEL: @short
  // NARROW: vector<4xf32>
  kernel.rows ins(%x : memref<4x20xf32>) outs(%y : memref<4x20xf32>) maps [#all, #all] rows 1 sizes [4, 20] {
  ^bb0(%a: f32):
    %sum = kernel.reduce <add> %a : f32
    %one = arith.constant 1.0 : f32
    %r = arith.divf %one, %sum : f32
    %0 = arith.mulf %a, %r : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>

/// Three passes; what costs an exponential waits in the row of the result, what costs a subtraction is computed again.
// CHECK-LABEL: @long
func.func @long(%x: memref<4x1024xf32>, %y: memref<4x1024xf32>) {
  // CHECK: scf.for
  // CHECK: scf.for {{.*}} iter_args
  // CHECK-NOT: vector.store
  // CHECK: scf.for {{.*}} iter_args
  // CHECK: math.exp
  // CHECK: vector.store
  // CHECK: scf.for
  // CHECK-NOT: math.exp
  // CHECK: vector.store
  kernel.rows ins(%x : memref<4x1024xf32>) outs(%y : memref<4x1024xf32>) maps [#all, #all] rows 1 sizes [4, 1024] {
  ^bb0(%a: f32):
    %max = kernel.reduce <maximumf> %a : f32
    %0 = arith.subf %a, %max : f32
    %1 = math.exp %0 : f32
    %sum = kernel.reduce <add> %1 : f32
    %2 = arith.divf %1, %sum : f32
    kernel.yield %2 : f32
  }
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>

/// A result of another type cannot hold it: the row waits on the stack.
// CHECK-LABEL: @on_the_stack
func.func @on_the_stack(%x: memref<4x1024xf32>, %y: memref<4x1024xbf16>) {
  // CHECK: memref.alloca() {{.*}} memref<1024xf32>
  // CHECK-COUNT-4: math.exp
  // CHECK-NOT: math.exp
  kernel.rows ins(%x : memref<4x1024xf32>) outs(%y : memref<4x1024xbf16>) maps [#all, #all] rows 1 sizes [4, 1024] {
  ^bb0(%a: f32):
    %0 = math.exp %a : f32
    %sum = kernel.reduce <add> %0 : f32
    %1 = arith.mulf %0, %sum : f32
    %2 = arith.truncf %1 : f32 to bf16
    kernel.yield %2 : bf16
  }
  return
}

// -----

#all = affine_map<(i, j, k) -> (i, j, k)>
#column = affine_map<(i, j, k) -> (j)>
#row = affine_map<(i, j, k) -> (i)>

/// Columns of two loops that do not join: the outer one carries the sums; sizes come from the operands, and large
/// kernels take ranges of rows.
// CHECK-LABEL: func.func private @kernel
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index)
// CHECK: memref.dim
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args
// CHECK: scf.for {{.*}} iter_args
// CHECK: vector.maskedload
// CHECK: memref.store
func.func private @kernel(%x: memref<?x8x?xf32>, %s: memref<8xf32>, %y: memref<?xf32>) {
  kernel.rows ins(%x, %s : memref<?x8x?xf32>, memref<8xf32>) outs(%y : memref<?xf32>)
    maps [#all, #column, #row] rows 1 sizes [-9223372036854775808, 8, -9223372036854775808] {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.mulf %a, %b : f32
    %max = kernel.reduce <maximumf> %0 : f32
    kernel.yield %max : f32
  }
  return
}

// CHECK-LABEL: @entry
// CHECK: rt.parallel_for %{{.*}}, @kernel
func.func @entry(%frame: !rt.frame, %x: memref<?x8x?xf32>, %s: memref<8xf32>, %y: memref<?xf32>) {
  call @kernel(%x, %s, %y) : (memref<?x8x?xf32>, memref<8xf32>, memref<?xf32>) -> ()
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>

/// Row i of a triangle has i + 3 columns: so many are read, by loops although a whole row would stay in registers. Behind
/// them zeros are written.
// CHECK-LABEL: @triangle
func.func @triangle(%x: memref<4x20xf32>, %y: memref<4x20xf32>) {
  // CHECK: scf.for %[[ROW:.*]] = %c0
  // CHECK: arith.addi %[[ROW]], %c3
  // CHECK: arith.maxsi
  // CHECK: %[[SEEN:.*]] = arith.minsi %{{.*}}, %c20
  // CHECK: arith.divui %[[SEEN]]
  // CHECK: scf.for {{.*}} iter_args
  // CHECK: arith.subi %[[SEEN]]
  // CHECK: vector.maskedload
  // CHECK: vector.store %{{.*}}
  // CHECK: %[[HIDDEN:.*]] = arith.subi %c20{{.*}}, %[[SEEN]]
  // CHECK: arith.divui %[[HIDDEN]]
  // CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00>
  // CHECK: vector.store %[[ZERO]]
  // CHECK: vector.maskedstore {{.*}}, %[[ZERO]]
  // CHECK-NOT: kernel.rows
  kernel.rows ins(%x : memref<4x20xf32>) outs(%y : memref<4x20xf32>) maps [#all, #all] rows 1 sizes [4, 20] triangle [0, 1, 2] {
  ^bb0(%a: f32):
    %sum = kernel.reduce <add> %a : f32
    %0 = arith.mulf %a, %sum : f32
    kernel.yield %0 : f32
  }
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

/// A result of the row has nothing outside.
// CHECK-LABEL: @triangle_of_row
func.func @triangle_of_row(%x: memref<4x20xf32>, %y: memref<4xf32>) {
  // CHECK: arith.minsi
  // CHECK-NOT: vector.store
  // CHECK-NOT: vector.maskedstore
  // CHECK: memref.store
  kernel.rows ins(%x : memref<4x20xf32>) outs(%y : memref<4xf32>) maps [#all, #row] rows 1 sizes [4, 20] triangle [0, 1, 0] {
  ^bb0(%a: f32):
    %sum = kernel.reduce <add> %a : f32
    kernel.yield %sum : f32
  }
  return
}

// -----

#all = affine_map<(i, j) -> (i, j)>

/// A single row has a number of columns that is known; zeros are behind it, too.
// CHECK-LABEL: @triangle_of_one_row
func.func @triangle_of_one_row(%x: memref<1x20xf32>, %y: memref<1x20xf32>) {
  // CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00>
  // CHECK: vector.store %[[ZERO]]
  // CHECK-NOT: kernel.rows
  kernel.rows ins(%x : memref<1x20xf32>) outs(%y : memref<1x20xf32>) maps [#all, #all] rows 1 sizes [1, 20] triangle [0, 1, 2] {
  ^bb0(%a: f32):
    %sum = kernel.reduce <add> %a : f32
    %0 = arith.mulf %a, %sum : f32
    kernel.yield %0 : f32
  }
  return
}
