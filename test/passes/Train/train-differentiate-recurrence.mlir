// RUN: mlc-opt %s --train-differentiate --canonicalize --cse --split-input-file | FileCheck %s

/// The scan gives the states that it comes from, too; another one walks the other way. The gradients of the matrices are
/// one product each behind it, that of the bias is a sum in its state.
// CHECK-LABEL: func.func @cell
// CHECK-SAME: (%[[X:.*]]: tensor<5x2x3xf64>, %[[H:.*]]: tensor<2x4xf64>, %[[W:.*]]: tensor<4x4xf64>, %{{.*}}: tensor<4xf64>, %{{.*}}: tensor<3x4xf64>)
// CHECK: %[[F:.*]]:3 = graph.scan inits(%[[H]]
// CHECK: ^bb0(%[[STATE:.*]]: tensor<2x4xf64>, %{{.*}}: tensor<2x3xf64>,
// CHECK: %[[NEW:.*]] = graph.tanh
// CHECK: graph.yield %[[NEW]], %[[NEW]], %[[STATE]]
// CHECK: %[[WT:.*]] = graph.transpose %[[W]]
// CHECK: %[[B:.*]]:3 = graph.scan inits(%{{.*}}, %{{.*}} : tensor<2x4xf64>, tensor<4xf64>) inputs(%{{.*}}, %[[F]]#1 : {{.*}}) captures(%[[WT]] : tensor<4x4xf64>) reverse
// CHECK: ^bb0(%[[DH:.*]]: tensor<2x4xf64>, %[[SUM:.*]]: tensor<4xf64>, %[[DY:.*]]: tensor<2x4xf64>, %[[Y:.*]]: tensor<2x4xf64>, %[[V:.*]]: tensor<4x4xf64>):
// CHECK: graph.add %[[DH]], %[[DY]]
// CHECK: graph.mul %[[Y]], %[[Y]]
// CHECK: %[[D:.*]] = graph.mul
// CHECK: %[[TO_STATE:.*]] = graph.matmul %[[D]], %[[V]]
// CHECK-NOT: graph.matmul
// CHECK: %[[MORE:.*]] = graph.add %[[SUM]]
// CHECK: graph.yield %[[TO_STATE]], %[[MORE]], %[[D]]
// CHECK: %[[XS:.*]] = graph.reshape %[[X]] to [10, 3]
// CHECK: %[[XT:.*]] = graph.transpose %[[XS]]
// CHECK: %[[DS:.*]] = graph.reshape %[[B]]#2 to [10, 4]
// CHECK: %[[DU:.*]] = graph.matmul %[[XT]], %[[DS]] : (tensor<3x10xf64>, tensor<10x4xf64>)
// CHECK: %[[HS:.*]] = graph.reshape %[[F]]#2 to [10, 4]
// CHECK: %[[HT:.*]] = graph.transpose %[[HS]]
// CHECK: %[[DW:.*]] = graph.matmul %[[HT]], %[[DS]] : (tensor<4x10xf64>, tensor<10x4xf64>)
// CHECK: return %[[DW]], %[[B]]#1, %[[DU]]
func.func @cell(%x: tensor<5x2x3xf64>, %h0: tensor<2x4xf64>, %w: tensor<4x4xf64>, %b: tensor<4xf64>, %u: tensor<3x4xf64>)
    -> (tensor<4x4xf64>, tensor<4xf64>, tensor<3x4xf64>) {
  %last, %all = graph.scan inits(%h0 : tensor<2x4xf64>) inputs(%x : tensor<5x2x3xf64>)
      captures(%w, %b, %u : tensor<4x4xf64>, tensor<4xf64>, tensor<3x4xf64>) {
  ^bb0(%h: tensor<2x4xf64>, %slice: tensor<2x3xf64>, %m: tensor<4x4xf64>, %bias: tensor<4xf64>, %k: tensor<3x4xf64>):
    %p = graph.matmul %h, %m : (tensor<2x4xf64>, tensor<4x4xf64>) -> tensor<2x4xf64>
    %q = graph.matmul %slice, %k : (tensor<2x3xf64>, tensor<3x4xf64>) -> tensor<2x4xf64>
    %r = graph.add %p, %q : (tensor<2x4xf64>, tensor<2x4xf64>) -> tensor<2x4xf64>
    %s = graph.add %r, %bias : (tensor<2x4xf64>, tensor<4xf64>) -> tensor<2x4xf64>
    %t = graph.tanh %s : (tensor<2x4xf64>) -> tensor<2x4xf64>
    graph.yield %t, %t : tensor<2x4xf64>, tensor<2x4xf64>
  } -> tensor<2x4xf64>, tensor<5x2x4xf64>
  %l = graph.reduce sum %all {axes = array<i64: 0, 1, 2>} : (tensor<5x2x4xf64>) -> tensor<f64>
  %g:3 = train.gradient %l wrt %w, %b, %u : (tensor<f64>, tensor<4x4xf64>, tensor<4xf64>, tensor<3x4xf64>)
      -> (tensor<4x4xf64>, tensor<4xf64>, tensor<3x4xf64>)
  return %g#0, %g#1, %g#2 : tensor<4x4xf64>, tensor<4xf64>, tensor<3x4xf64>
}

// -----

/// A sum of values that are there is computed again, what a function gives is stored. A reversed scan is walked forwards.
// CHECK-LABEL: func.func @stored
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf64>, %[[S:.*]]: tensor<4xf64>)
// CHECK: %[[F:.*]]:3 = graph.scan inits(%[[S]] {{.*}} reverse
// CHECK: ^bb0(%[[STATE:.*]]: tensor<4xf64>, %{{.*}}: tensor<4xf64>):
// CHECK: %[[EXP:.*]] = graph.exp
// CHECK: graph.yield %{{.*}}, %[[STATE]], %[[EXP]] : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>
// CHECK: graph.scan inits(%{{.*}}) inputs(%[[F]]#1, %[[F]]#2, %[[X]] : {{.*}}) {
// CHECK: ^bb0(%[[D:.*]]: tensor<4xf64>, %[[BEFORE:.*]]: tensor<4xf64>, %[[E:.*]]: tensor<4xf64>, %[[SLICE:.*]]: tensor<4xf64>):
// CHECK: %[[AGAIN:.*]] = graph.add %[[E]], %[[SLICE]]
// CHECK: graph.mul %[[D]], %[[AGAIN]]
func.func @stored(%x: tensor<?x4xf64>, %s: tensor<4xf64>) -> (tensor<?x4xf64>, tensor<4xf64>) {
  %last = graph.scan inits(%s : tensor<4xf64>) inputs(%x : tensor<?x4xf64>) reverse {
  ^bb0(%state: tensor<4xf64>, %slice: tensor<4xf64>):
    %0 = graph.exp %slice : (tensor<4xf64>) -> tensor<4xf64>
    %1 = graph.add %0, %slice : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
    %2 = graph.mul %state, %1 : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
    graph.yield %2 : tensor<4xf64>
  } -> tensor<4xf64>
  %l = graph.reduce sum %last {axes = array<i64: 0>} : (tensor<4xf64>) -> tensor<f64>
  %g:2 = train.gradient %l wrt %x, %s : (tensor<f64>, tensor<?x4xf64>, tensor<4xf64>) -> (tensor<?x4xf64>, tensor<4xf64>)
  return %g#0, %g#1 : tensor<?x4xf64>, tensor<4xf64>
}

// -----

/// A linear recurrence reads nothing of its steps but how many there are; of one name their sizes are one.
// CHECK-LABEL: func.func @nothing_stored
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf64>
// CHECK: graph.scan {{.*}}inputs(%[[X]] : tensor<?x?xf64>) captures(%{{.*}} : tensor<f64>) reverse {
// CHECK-NOT: graph.reduce_by_mask
// CHECK: return
func.func @nothing_stored(%x: tensor<?x?xf64> {mlc.symbols = ["T", "N"]}, %s: tensor<?xf64> {mlc.symbols = ["N"]}, %d: tensor<f64>) -> tensor<?x?xf64> {
  %last = graph.scan inits(%s : tensor<?xf64>) inputs(%x : tensor<?x?xf64>) captures(%d : tensor<f64>) {
  ^bb0(%state: tensor<?xf64>, %slice: tensor<?xf64>, %decay: tensor<f64>):
    %0 = graph.mul %state, %decay : (tensor<?xf64>, tensor<f64>) -> tensor<?xf64>
    %1 = graph.add %0, %slice : (tensor<?xf64>, tensor<?xf64>) -> tensor<?xf64>
    graph.yield %1 : tensor<?xf64>
  } -> tensor<?xf64>
  %l = graph.reduce sum %last {axes = array<i64: 0>} : (tensor<?xf64>) -> tensor<f64>
  %g = train.gradient %l wrt %x : (tensor<f64>, tensor<?x?xf64>) -> tensor<?x?xf64>
  return %g : tensor<?x?xf64>
}
