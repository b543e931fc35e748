// RUN: mlc-opt %s --vector-approximate-math --split-input-file | FileCheck %s

// e^x: rounded to a multiple of ln 2 by adding 1.5·2^23, scaled by 2^n in two steps.
// CHECK-LABEL: @exponential
// CHECK-SAME: (%[[X:.*]]: vector<16xf32>)
// CHECK-DAG: %[[ROUND:.*]] = arith.constant dense<0x4B400000> : vector<16xf32>
// CHECK: arith.addf %{{.*}}, %[[ROUND]]
// CHECK: arith.shrsi
// CHECK: arith.shli
// CHECK: arith.mulf
// CHECK: arith.shli
// CHECK: %[[Y:.*]] = arith.mulf
// CHECK: return %[[Y]]
func.func @exponential(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.exp %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// -----

// Every function of f32, scalars and vectors.
// CHECK-LABEL: @functions
// CHECK-NOT: math.{{exp|log|pow|erf|a?sinh?|a?cosh?|a?tanh?}}
// CHECK: return
func.func @functions(%x: f32, %v: vector<8xf32>) -> (f32, vector<8xf32>) {
  %0 = math.exp %x : f32
  %2 = math.log %0 : f32
  %3 = math.log1p %2 : f32
  %4 = math.erf %3 : f32
  %5 = math.sin %4 : f32
  %6 = math.cos %5 : f32
  %7 = math.tan %6 : f32
  %8 = math.powf %7, %x : f32
  %9 = math.asin %v : vector<8xf32>
  %10 = math.acos %9 : vector<8xf32>
  %11 = math.atan %10 : vector<8xf32>
  %12 = math.sinh %11 : vector<8xf32>
  %13 = math.cosh %12 : vector<8xf32>
  %14 = math.tanh %13 : vector<8xf32>
  %15 = math.asinh %14 : vector<8xf32>
  %16 = math.acosh %15 : vector<8xf32>
  %17 = math.atanh %16 : vector<8xf32>
  return %8, %17 : f32, vector<8xf32>
}

// -----

// Powers that are a multiplication or two.
// CHECK-LABEL: @square_and_cube
// CHECK-SAME: (%[[X:.*]]: f32, %[[V:.*]]: vector<8xf32>)
// CHECK: %[[SQUARE:.*]] = arith.mulf %[[X]], %[[X]] : f32
// CHECK: %[[HALF:.*]] = arith.mulf %[[V]], %[[V]] : vector<8xf32>
// CHECK: %[[CUBE:.*]] = arith.mulf %[[HALF]], %[[V]] : vector<8xf32>
// CHECK: return %[[SQUARE]], %[[CUBE]]
func.func @square_and_cube(%x: f32, %v: vector<8xf32>) -> (f32, vector<8xf32>) {
  %two = arith.constant 2.0 : f32
  %three = arith.constant dense<3.0> : vector<8xf32>
  %0 = math.powf %x, %two : f32
  %1 = math.powf %v, %three : vector<8xf32>
  return %0, %1 : f32, vector<8xf32>
}

// -----

/// Other precisions keep their library functions.
// CHECK-LABEL: @no_approximate_f64
// CHECK: math.exp
// CHECK: math.powf
func.func @no_approximate_f64(%x: f64) -> f64 {
  %0 = math.exp %x : f64
  %1 = math.powf %0, %x : f64
  return %1 : f64
}
