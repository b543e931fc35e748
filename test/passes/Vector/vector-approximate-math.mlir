// RUN: mlc-opt %s --vector-approximate-math | FileCheck %s

// CHECK-LABEL: @functions
func.func @functions(%x: f32, %v: vector<16xf32>) -> (f32, vector<16xf32>, vector<16xf32>) {
  // CHECK-NOT: math.exp
  // CHECK-NOT: math.tanh
  // CHECK-NOT: math.erf
  // CHECK-NOT: math.fma
  // CHECK: return
  %0 = math.exp %x : f32
  %1 = math.tanh %v : vector<16xf32>
  %2 = math.erf %v : vector<16xf32>
  return %0, %1, %2 : f32, vector<16xf32>, vector<16xf32>
}

/// Other precisions keep their library functions.
// CHECK-LABEL: @no_approximate_f64
func.func @no_approximate_f64(%x: f64) -> f64 {
  // CHECK: math.exp
  %0 = math.exp %x : f64
  return %0 : f64
}
