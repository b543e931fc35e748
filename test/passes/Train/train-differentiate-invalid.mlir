// RUN: mlc-opt %s --train-differentiate --split-input-file --verify-diagnostics

/// An op that has no derivative is named where it lies between.
func.func @loop(%x: tensor<f64>, %n: index) -> tensor<f64> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error @+1 {{'scf.for' op has no derivative}}
  %l = scf.for %i = %zero to %n step %one iter_args(%y = %x) -> tensor<f64> {
    %0 = graph.sin %y : (tensor<f64>) -> tensor<f64>
    scf.yield %0 : tensor<f64>
  }
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<f64>) -> tensor<f64>
  return %g : tensor<f64>
}

// -----

func.func @masked_product(%x: tensor<2x3xf64>, %m: tensor<2xi1>) -> tensor<2x3xf64> {
  // expected-error @+1 {{has no derivative because which axes its product is along is known only at run time}}
  %0 = graph.reduce_by_mask prod %x, %m : (tensor<2x3xf64>, tensor<2xi1>) -> tensor<?x?xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0, 1>} : (tensor<?x?xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<2x3xf64>) -> tensor<2x3xf64>
  return %g : tensor<2x3xf64>
}

// -----

func.func @steps_of_the_run(%x: tensor<6xf64>, %s: index) -> tensor<6xf64> {
  // expected-error @+1 {{has no derivative because its steps are known only at run time}}
  %0 = graph.slice %x offsets [0] sizes [3] steps [%s] : tensor<6xf64> -> tensor<3xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0>} : (tensor<3xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<6xf64>) -> tensor<6xf64>
  return %g : tensor<6xf64>
}

// -----

func.func @window_of_the_run(%x: tensor<1x2x8xf64>, %w: tensor<3x2x?xf64>) -> tensor<1x2x8xf64> {
  // expected-error @+1 {{has no derivative because the sizes of its window are known only at run time}}
  %0 = graph.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<1x2x8xf64>, tensor<3x2x?xf64>) -> tensor<1x3x?xf64>
  %l = graph.reduce sum %0 {axes = array<i64: 0, 1, 2>} : (tensor<1x3x?xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<1x2x8xf64>) -> tensor<1x2x8xf64>
  return %g : tensor<1x2x8xf64>
}

// -----

/// In a step the op is named, too, not the recurrence.
func.func @step(%x: tensor<3x2xf64>, %s: tensor<2xf64>, %m: tensor<1xi1>) -> tensor<2xf64> {
  %last = graph.scan inits(%s : tensor<2xf64>) inputs(%x : tensor<3x2xf64>) captures(%m : tensor<1xi1>) {
  ^bb0(%state: tensor<2xf64>, %slice: tensor<2xf64>, %mask: tensor<1xi1>):
    // expected-error @+1 {{'graph.reduce_by_mask' op has no derivative because which axes}}
    %0 = graph.reduce_by_mask prod %state, %mask : (tensor<2xf64>, tensor<1xi1>) -> tensor<?xf64>
    %1 = graph.mul %slice, %0 : (tensor<2xf64>, tensor<?xf64>) -> tensor<2xf64>
    graph.yield %1 : tensor<2xf64>
  } -> tensor<2xf64>
  %l = graph.reduce sum %last {axes = array<i64: 0>} : (tensor<2xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %s : (tensor<f64>, tensor<2xf64>) -> tensor<2xf64>
  return %g : tensor<2xf64>
}

// -----

func.func @loop_in_a_step(%x: tensor<3x2xf64>, %s: tensor<2xf64>, %n: index) -> tensor<2xf64> {
  %last = graph.scan inits(%s : tensor<2xf64>) inputs(%x : tensor<3x2xf64>) captures(%n : index) {
  ^bb0(%state: tensor<2xf64>, %slice: tensor<2xf64>, %count: index):
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    // expected-error @+1 {{'scf.for' op has no derivative}}
    %0 = scf.for %i = %zero to %count step %one iter_args(%y = %state) -> tensor<2xf64> {
      %1 = graph.sin %y : (tensor<2xf64>) -> tensor<2xf64>
      scf.yield %1 : tensor<2xf64>
    }
    graph.yield %0 : tensor<2xf64>
  } -> tensor<2xf64>
  %l = graph.reduce sum %last {axes = array<i64: 0>} : (tensor<2xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %s : (tensor<f64>, tensor<2xf64>) -> tensor<2xf64>
  return %g : tensor<2xf64>
}
