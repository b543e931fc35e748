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

func.func @workspace_c1_sizes(%frame: !rt.frame) {
  // expected-error @+1 {{expected 1 sizes, but got 0}}
  %0 = rt.workspace %frame at 0 most 64 : memref<?xf32>
  return
}

// -----

func.func @workspace_c3_bytes(%frame: !rt.frame, %n: index) {
  // expected-error @+1 {{requires a number of bytes where a size is dynamic, and only there}}
  %0 = rt.workspace %frame sizes(%n) at 0 : memref<?xf32>
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

func.func @ready_negative(%frame: !rt.frame) {
  // expected-error @+1 {{attribute 'offset' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  rt.ready %frame at -64
  return
}

// -----

func.func @mark_negative(%frame: !rt.frame) {
  // expected-error @+1 {{attribute 'node' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  rt.mark %frame, -1
  return
}

// -----

func.func @parallel_c1_not_a_step(%frame: !rt.frame) {
  rt.parallel %frame {
    // expected-error @+1 {{expected a parallel loop, a call without results, a barrier or a mark in 'rt.parallel'}}
    %0 = rt.workspace %frame at 0 : memref<4xf32>
  }
  return
}

// -----

func.func @parallel_c2_mark_alone(%frame: !rt.frame) {
  rt.parallel %frame {
    // expected-error @+1 {{requires a step before it in 'rt.parallel'}}
    rt.mark %frame, 0
  }
  return
}

// -----

func.func @barrier_outside(%frame: !rt.frame) {
  // expected-error @+1 {{'rt.barrier' op expects parent op 'rt.parallel'}}
  rt.barrier
  return
}
