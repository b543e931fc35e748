// RUN: mlc-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: @transpose_of_transpose
func.func @transpose_of_transpose(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK-NOT: graph.transpose
  // CHECK: return %arg0
  %0 = graph.transpose %x {permutation = array<i64: 1, 2, 0>} : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %1 = graph.transpose %0 {permutation = array<i64: 2, 0, 1>} : (tensor<3x4x2xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @no_fold_transpose_that_moves
func.func @no_fold_transpose_that_moves(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  // CHECK: graph.transpose
  %0 = graph.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// CHECK-LABEL: @reshape_to_the_same
func.func @reshape_to_the_same(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: return %arg0
  %0 = graph.reshape %x to [2, 3] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @cast_to_the_same
func.func @cast_to_the_same(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: return %arg0
  %0 = graph.cast %x {element = f32} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: @concat_of_one
func.func @concat_of_one(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK: return %arg0
  %0 = graph.concat %x {axis = 0 : i64} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: @log_of_softmax
func.func @log_of_softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: graph.softmax %{{.*}} {axis = 1 : i64, log}
  // CHECK-NOT: graph.log
  %0 = graph.softmax %x {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.log %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// CHECK-LABEL: @no_log_of_log_softmax
func.func @no_log_of_log_softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // CHECK: graph.log
  %0 = graph.softmax %x {axis = 1 : i64, log} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = graph.log %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

/// Constants move into the body, equal captures and inputs are one, what nobody reads goes.
// CHECK-LABEL: @scan_operands
// CHECK-SAME: (%[[S:.*]]: tensor<4xf32>, %[[X:.*]]: tensor<3x4xf32>, %[[W:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>)
func.func @scan_operands(%s: tensor<4xf32>, %x: tensor<3x4xf32>, %w: tensor<4xf32>, %u: tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  // CHECK: %[[R:.*]]:2 = graph.scan inits(%[[S]] : tensor<4xf32>) inputs(%[[X]] : tensor<3x4xf32>) captures(%[[W]] : tensor<4xf32>) {
  // CHECK: ^bb0(%[[SUM:.*]]: tensor<4xf32>, %[[SLICE:.*]]: tensor<4xf32>, %[[WEIGHT:.*]]: tensor<4xf32>):
  // CHECK: graph.constant
  // CHECK: graph.yield %{{.*}}, %[[SLICE]] : tensor<4xf32>, tensor<4xf32>
  // CHECK: return %[[R]]#0, %[[R]]#1
  %c = graph.constant dense<2.0> : tensor<f32>
  %0:4 = graph.scan inits(%s : tensor<4xf32>) inputs(%x, %x : tensor<3x4xf32>, tensor<3x4xf32>)
      captures(%w, %w, %u, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>) {
  ^bb0(%sum: tensor<4xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>, %w0: tensor<4xf32>, %w1: tensor<4xf32>, %unread: tensor<4xf32>, %two: tensor<f32>):
    %1 = graph.mul %sum, %w0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %2 = graph.mul %1, %two : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
    %3 = graph.add %2, %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %4 = graph.add %3, %w1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %4, %b, %b, %3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>
  return %0#0, %0#2 : tensor<4xf32>, tensor<3x4xf32>
}

/// Of equal captures the first stays, even where only the second is read.
// CHECK-LABEL: @scan_first_capture_unread
// CHECK-SAME: (%[[X:.*]]: tensor<3x4xf32>, %[[W:.*]]: tensor<4xf32>)
func.func @scan_first_capture_unread(%x: tensor<3x4xf32>, %w: tensor<4xf32>) -> tensor<3x4xf32> {
  // CHECK: graph.scan inputs(%[[X]] : tensor<3x4xf32>) captures(%[[W]] : tensor<4xf32>) {
  // CHECK: ^bb0(%[[SLICE:.*]]: tensor<4xf32>, %[[WEIGHT:.*]]: tensor<4xf32>):
  // CHECK: graph.mul %[[SLICE]], %[[WEIGHT]]
  %0 = graph.scan inputs(%x : tensor<3x4xf32>) captures(%w, %w : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>, %w0: tensor<4xf32>, %w1: tensor<4xf32>):
    %1 = graph.mul %a, %w1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %1 : tensor<4xf32>
  } -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// CHECK-LABEL: @scan_state_that_stays
// CHECK-SAME: (%[[S:.*]]: tensor<4xf32>, %[[X:.*]]: tensor<3x4xf32>)
func.func @scan_state_that_stays(%s: tensor<4xf32>, %x: tensor<3x4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  // CHECK: %[[R:.*]] = graph.scan inputs(%[[X]] : tensor<3x4xf32>) captures(%[[S]] : tensor<4xf32>) {
  // CHECK: return %[[S]], %[[R]]
  %0:2 = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<3x4xf32>) {
  ^bb0(%state: tensor<4xf32>, %slice: tensor<4xf32>):
    %1 = graph.add %state, %slice : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %state, %1 : tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  return %0#0, %0#1 : tensor<4xf32>, tensor<3x4xf32>
}

// CHECK-LABEL: @scan_invariants
// CHECK-SAME: (%[[S:.*]]: tensor<1x4xf32>, %[[X:.*]]: tensor<3x1x4xf32>, %[[W:.*]]: tensor<4x4xf32>)
func.func @scan_invariants(%s: tensor<1x4xf32>, %x: tensor<3x1x4xf32>, %w: tensor<4x4xf32>) -> tensor<1x4xf32> {
  // CHECK: %[[T:.*]] = graph.transpose %[[W]]
  // CHECK: graph.scan inits(%[[S]] : tensor<1x4xf32>) inputs(%[[X]] : tensor<3x1x4xf32>) captures(%[[T]] : tensor<4x4xf32>)
  // CHECK-NOT: graph.transpose
  %0 = graph.scan inits(%s : tensor<1x4xf32>) inputs(%x : tensor<3x1x4xf32>) captures(%w : tensor<4x4xf32>) {
  ^bb0(%state: tensor<1x4xf32>, %slice: tensor<1x4xf32>, %weights: tensor<4x4xf32>):
    %1 = graph.transpose %weights {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %2 = graph.matmul %state, %1 : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
    %3 = graph.add %2, %slice : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
    graph.yield %3 : tensor<1x4xf32>
  } -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

/// The step that is kept has a state, though nobody reads the last one.
// CHECK-LABEL: @no_fold_scan_that_is_needed
func.func @no_fold_scan_that_is_needed(%s: tensor<4xf32>, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // CHECK: graph.scan inits(%{{.*}} : tensor<4xf32>) inputs(%{{.*}} : tensor<3x4xf32>) {
  %0:2 = graph.scan inits(%s : tensor<4xf32>) inputs(%x : tensor<3x4xf32>) {
  ^bb0(%state: tensor<4xf32>, %slice: tensor<4xf32>):
    %1 = graph.add %state, %slice : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    graph.yield %1, %1 : tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  return %0#1 : tensor<3x4xf32>
}

/// What undoes slices joins them again: nothing is added where they do not overlap.
// CHECK-LABEL: @join_padded_terms
// CHECK-SAME: (%[[A:.*]]: tensor<?x2xf32>, %[[B:.*]]: tensor<?x3xf32>, %[[C:.*]]: tensor<?x1xf32>, %[[X:.*]]: tensor<?x8xf32>)
func.func @join_padded_terms(%a: tensor<?x2xf32>, %b: tensor<?x3xf32>, %c: tensor<?x1xf32>, %x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[Z:.*]] = graph.constant dense<0.0
  // CHECK: %[[GAP:.*]] = graph.pad constant %[[A]], %[[Z]] low [0, 0] high [0, 2]
  // CHECK: %[[J:.*]] = graph.concat %[[C]], %[[GAP]], %[[B]] {axis = 1 : i64}
  // CHECK: graph.add %[[X]], %[[J]]
  // CHECK-NOT: graph.add
  %z = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.pad constant %a, %z low [0, 1] high [0, 5] : tensor<?x2xf32>, tensor<f32> -> tensor<?x8xf32>
  %1 = graph.pad constant %b, %z low [0, 5] high [0, 0] : tensor<?x3xf32>, tensor<f32> -> tensor<?x8xf32>
  %2 = graph.pad constant %c, %z low [0, 0] high [0, 7] : tensor<?x1xf32>, tensor<f32> -> tensor<?x8xf32>
  %3 = graph.add %0, %1 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %4 = graph.add %3, %x : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %5 = graph.add %4, %2 : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %5 : tensor<?x8xf32>
}

// CHECK-LABEL: @no_join_of_terms_that_overlap
// CHECK-NOT: graph.concat
func.func @no_join_of_terms_that_overlap(%a: tensor<4xf32>, %b: tensor<3xf32>) -> tensor<6xf32> {
  %z = graph.constant dense<0.0> : tensor<f32>
  %0 = graph.pad constant %a, %z low [0] high [2] : tensor<4xf32>, tensor<f32> -> tensor<6xf32>
  %1 = graph.pad constant %b, %z low [3] high [0] : tensor<3xf32>, tensor<f32> -> tensor<6xf32>
  %2 = graph.add %0, %1 : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %2 : tensor<6xf32>
}

// CHECK-LABEL: @no_join_of_ones
// CHECK-NOT: graph.concat
func.func @no_join_of_ones(%a: tensor<4xf32>, %b: tensor<2xf32>) -> tensor<6xf32> {
  %one = graph.constant dense<1.0> : tensor<f32>
  %0 = graph.pad constant %a, %one low [0] high [2] : tensor<4xf32>, tensor<f32> -> tensor<6xf32>
  %1 = graph.pad constant %b, %one low [4] high [0] : tensor<2xf32>, tensor<f32> -> tensor<6xf32>
  %2 = graph.add %0, %1 : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %2 : tensor<6xf32>
}
