// RUN: mlc-opt %s --split-input-file --verify-diagnostics

func.func @input_c1_sizes(%frame: !rt.frame) {
  // expected-error @+1 {{expected 1 sizes, but got 0}}
  %0 = rt.input %frame[0] : tensor<?xf32>
  return
}

// -----

func.func @weight_c1_static(%frame: !rt.frame) {
  // expected-error @+1 {{requires a static shape, but got}}
  %0 = rt.weight %frame @w at 0 : memref<?xf32>
  return
}

// -----

func.func @workspace_c2_alignment(%frame: !rt.frame) {
  // expected-error @+1 {{expected an offset that is a multiple of 64, but got 4}}
  %0 = rt.workspace %frame at 4 : memref<2xf32>
  return
}

// -----

func.func @parallel_for_c1_kernel(%frame: !rt.frame, %n: index) {
  // expected-error @+1 {{requires a function without results named}}
  rt.parallel_for %frame, @nowhere(%n) count %n grain 1 : index
  return
}

// -----

func.func private @kernel(memref<4xf32>, index)
func.func @parallel_for_c2_arguments(%frame: !rt.frame, %n: index, %x: memref<4xf32>) {
  // expected-error @+1 {{expected a kernel of}}
  rt.parallel_for %frame, @kernel(%x) count %n grain 1 : memref<4xf32>
  return
}

// -----

func.func @mark_negative(%frame: !rt.frame) {
  // expected-error @+1 {{attribute 'node' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  rt.mark %frame, -1
  return
}
