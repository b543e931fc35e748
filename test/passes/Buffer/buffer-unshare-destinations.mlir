// RUN: mlc-opt %s --buffer-unshare-destinations | FileCheck %s

// CHECK-LABEL: @padded_twice
func.func @padded_twice(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  // CHECK-COUNT-2: linalg.fill
  // CHECK: return
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %0 = tensor.insert_slice %a into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  %1 = tensor.insert_slice %b into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

/// A tensor that was computed is not computed again.
// CHECK-LABEL: @no_unshare_computed
func.func @no_unshare_computed(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  // CHECK: math.exp
  // CHECK-NOT: math.exp
  %f = math.exp %c : tensor<6xf32>
  %0 = tensor.insert_slice %a into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  %1 = tensor.insert_slice %b into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

/// Sums start in zeros of their own.
// CHECK-LABEL: @summed_twice
func.func @summed_twice(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<f32>, tensor<f32>) {
  // CHECK-COUNT-2: linalg.fill
  // CHECK: return
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %0 = linalg.reduce { arith.addf } ins(%a : tensor<4xf32>) outs(%f : tensor<f32>) dimensions = [0]
  %1 = linalg.reduce { arith.addf } ins(%b : tensor<4xf32>) outs(%f : tensor<f32>) dimensions = [0]
  return %0, %1 : tensor<f32>, tensor<f32>
}

/// The borders stay from step to step.
// CHECK-LABEL: @padded_in_steps
func.func @padded_in_steps(%a: tensor<8x4xf32>, %n: index) -> tensor<8xf32> {
  // CHECK: %[[F:.*]] = linalg.fill
  // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[D:.*]] = %[[F]])
  // CHECK: %[[I:.*]] = tensor.insert_slice %{{.*}} into %[[D]][1] [4] [1]
  // CHECK: scf.yield %{{.*}}, %[[I]]
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %e = tensor.empty() : tensor<6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %r = tensor.empty() : tensor<8xf32>
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%t = %r) -> tensor<8xf32> {
    %p = tensor.extract_slice %a[%i, 0] [1, 4] [1, 1] : tensor<8x4xf32> to tensor<4xf32>
    %0 = tensor.insert_slice %p into %f[1] [4] [1] : tensor<4xf32> into tensor<6xf32>
    %1 = tensor.extract %0[%c2] : tensor<6xf32>
    %2 = tensor.insert %1 into %t[%i] : tensor<8xf32>
    scf.yield %2 : tensor<8xf32>
  }
  return %s : tensor<8xf32>
}

/// What a step writes elsewhere, the next one would still see.
// CHECK-LABEL: @no_carry_moving
func.func @no_carry_moving(%a: tensor<8x4xf32>, %n: index) -> tensor<8xf32> {
  // CHECK: scf.for {{.*}} iter_args(%{{[a-z0-9]*}} = %{{[a-z0-9]*}}) -> (tensor<8xf32>)
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %r = tensor.empty() : tensor<8xf32>
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%t = %r) -> tensor<8xf32> {
    %p = tensor.extract_slice %a[%i, 0] [1, 4] [1, 1] : tensor<8x4xf32> to tensor<4xf32>
    %0 = tensor.insert_slice %p into %f[%i] [4] [1] : tensor<4xf32> into tensor<16xf32>
    %1 = tensor.extract %0[%c1] : tensor<16xf32>
    %2 = tensor.insert %1 into %t[%i] : tensor<8xf32>
    scf.yield %2 : tensor<8xf32>
  }
  return %s : tensor<8xf32>
}

/// Of two writes of a step, the first is not what the next step begins with.
// CHECK-LABEL: @no_carry_written_again
func.func @no_carry_written_again(%a: tensor<8x4xf32>, %n: index) -> tensor<8xf32> {
  // CHECK: scf.for {{.*}} iter_args(%{{[a-z0-9]*}} = %{{[a-z0-9]*}}) -> (tensor<8xf32>)
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %r = tensor.empty() : tensor<8xf32>
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%t = %r) -> tensor<8xf32> {
    %p = tensor.extract_slice %a[%i, 0] [1, 4] [1, 1] : tensor<8x4xf32> to tensor<4xf32>
    %0 = tensor.insert_slice %p into %f[1] [4] [1] : tensor<4xf32> into tensor<16xf32>
    %1 = tensor.insert_slice %p into %0[9] [4] [1] : tensor<4xf32> into tensor<16xf32>
    %2 = tensor.extract %1[%c1] : tensor<16xf32>
    %3 = tensor.insert %2 into %t[%i] : tensor<8xf32>
    scf.yield %3 : tensor<8xf32>
  }
  return %s : tensor<8xf32>
}
