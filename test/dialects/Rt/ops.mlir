// RUN: mlc-opt %s | mlc-opt | FileCheck %s

// CHECK-LABEL: @frame
func.func @frame(%frame: !rt.frame) {
  // CHECK: %[[N:.*]] = rt.input_size %arg0[0, 1]
  %n = rt.input_size %frame[0, 1]
  // CHECK: rt.input %arg0[0] sizes(%[[N]]) : tensor<4x?xf32>
  %0 = rt.input %frame[0] sizes(%n) : tensor<4x?xf32>
  // CHECK: rt.weight %arg0 @w at 64 : memref<4xf32>
  %1 = rt.weight %frame @w at 64 : memref<4xf32>
  // CHECK: rt.output %arg0[0] sizes(%[[N]]) : memref<?xf32>
  %2 = rt.output %frame[0] sizes(%n) : memref<?xf32>
  // CHECK: rt.workspace %arg0 at 128 : memref<4xf32>
  %3 = rt.workspace %frame at 128 : memref<4xf32>
  // CHECK: rt.workspace %arg0 sizes(%{{.*}}) at 192 most 512 : memref<?xf32>
  %sized = rt.workspace %frame sizes(%n) at 192 most 512 : memref<?xf32>
  // CHECK: %[[B:.*]] = rt.alloc %arg0 sizes(%[[N]]) : memref<?xf32>
  %4 = rt.alloc %frame sizes(%n) : memref<?xf32>
  // CHECK: rt.free %arg0, %[[B]] : memref<?xf32>
  rt.free %frame, %4 : memref<?xf32>
  // CHECK: rt.parallel_for %arg0, @kernel(%{{.*}}) count %[[N]] grain 8 : memref<4xf32>
  rt.parallel_for %frame, @kernel(%3) count %n grain 8 : memref<4xf32>
  // CHECK: rt.mark %arg0, 3
  rt.mark %frame, 3
  // CHECK: %[[PROFILED:.*]] = rt.profiled %arg0
  %5 = rt.profiled %frame
  // CHECK: rt.work %arg0, 3 flops %[[FLOPS:.*]] bytes %[[FLOPS]]
  %flops = arith.constant 8 : i64
  rt.work %frame, 3 flops %flops bytes %flops
  // CHECK: rt.ready %arg0 at 4096
  rt.ready %frame at 4096
  // CHECK: rt.parallel %arg0 {
  // CHECK-NEXT: rt.parallel_for
  // CHECK-NEXT: rt.mark %arg0, 4
  // CHECK-NEXT: rt.barrier
  // CHECK-NEXT: func.call @small
  // CHECK-NEXT: }
  rt.parallel %frame {
    rt.parallel_for %frame, @kernel(%3) count %n grain 8 : memref<4xf32>
    rt.mark %frame, 4
    rt.barrier
    func.call @small(%3) : (memref<4xf32>) -> ()
  }
  return
}
func.func private @kernel(memref<4xf32>, index, index)
func.func private @small(memref<4xf32>)
