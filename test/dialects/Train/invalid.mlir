// RUN: mlc-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{requires a static shape, but got 'tensor<?xf32>'}}
train.state @state_c1_dynamic : tensor<?xf32> role parameter

// -----

func.func @read_c1_nothing() {
  // expected-error @+1 {{requires a train.state named @w}}
  %0 = train.read @w : tensor<2xf32>
  return
}

// -----

train.state @w : tensor<2xf32> role parameter
func.func @write_c2_type(%x: tensor<3xf32>) {
  // expected-error @+1 {{expected the type of the state, 'tensor<2xf32>', but got 'tensor<3xf32>'}}
  train.write @w, %x : tensor<3xf32>
  return
}

// -----

func.func @gradient_c1_rank(%x: tensor<3xf32>) {
  // expected-error @+1 {{expected a loss of rank 0, but got 'tensor<3xf32>'}}
  %0 = train.gradient %x wrt %x : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @gradient_c2_types(%l: tensor<f32>, %x: tensor<3xf32>) {
  // expected-error @+1 {{expected results of 'tensor<3xf32>', but got 'tensor<4xf32>'}}
  %0 = train.gradient %l wrt %x : (tensor<f32>, tensor<3xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @dropout_c1_rate(%x: tensor<3xf32>) {
  // expected-error @+1 {{expected a rate in [0, 1), but got 1}}
  %0 = train.dropout %x {rate = 1.0 : f64} : tensor<3xf32>
  return
}

// -----

func.func @batch_norm_c2_channels(%x: tensor<2x4xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{expected vectors of 4 channels, but got 'tensor<3xf32>'}}
  %0 = train.batch_norm %x, %s, %s, %s, %s {axis = 1 : i64, momentum = 0.9 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<2x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @batch_norm_c4_statistics(%x: tensor<2x4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{requires statistics that are read from a weight or a state}}
  %0 = train.batch_norm %x, %s, %s, %s, %s {axis = 1 : i64, momentum = 0.9 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @random_flip_c1_axis(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{expected axis in [1, 2), but got 0}}
  %0 = train.random_flip %x {axis = 0 : i64} : tensor<2x4xf32>
  return
}

// -----

func.func @random_crop_c2_padding(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{expected a positive padding, but got 0}}
  %0 = train.random_crop %x {axes = array<i64: 1>, padding = 0 : i64} : tensor<2x4xf32>
  return
}

// -----

func.func @batch_norm_c3_momentum(%x: tensor<2x4xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{expected a momentum in [0, 1], but got 2}}
  %0 = train.batch_norm %x, %s, %s, %s, %s {axis = 1 : i64, momentum = 2.0 : f64, epsilon = 1.0e-3 : f64}
      : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}
