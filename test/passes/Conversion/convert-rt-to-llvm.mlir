// RUN: mlc-opt %s --convert-rt-to-llvm | FileCheck %s

// CHECK: llvm.mlir.global internal constant @[[$TEXT:mlc_message_.*]]("node 'x': sizes differ\00")

// CHECK-LABEL: llvm.func @frame
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr)
func.func @frame(%frame: !rt.frame) {
  // CHECK: %[[SIZES:.*]] = llvm.getelementptr %[[FRAME]][8]
  // CHECK: llvm.load %[[SIZES]]
  %n = rt.input_size %frame[0, 1]
  // CHECK: llvm.load %[[FRAME]] invariant
  %0 = rt.input %frame[0] sizes(%n) : memref<4x?xf32>
  // CHECK: llvm.getelementptr %[[FRAME]][16]
  %1 = rt.weight %frame @w at 64 : memref<4xf32>
  // CHECK: llvm.getelementptr %[[FRAME]][24]
  %2 = rt.workspace %frame at 128 : memref<4xf32>
  // CHECK: llvm.call @mlc_rt_output(%[[FRAME]]
  %3 = rt.output %frame[0] sizes(%n) : memref<?xf32>
  // CHECK: llvm.call @mlc_rt_alloc(%[[FRAME]]
  %4 = rt.alloc %frame sizes(%n) : memref<?xf32>
  // CHECK: llvm.call @mlc_rt_free(%[[FRAME]]
  rt.free %frame, %4 : memref<?xf32>
  // CHECK: llvm.mlir.addressof @kernel_step
  // CHECK: llvm.call @mlc_rt_parallel(%[[FRAME]]
  rt.parallel_for %frame, @kernel(%2) count %n grain 8 : memref<4xf32>
  %c4 = arith.constant 4 : index
  %ok = arith.cmpi eq, %n, %c4 : index
  // CHECK: llvm.cond_br
  // CHECK: llvm.mlir.addressof @[[$TEXT]]
  // CHECK: llvm.call @mlc_rt_fail(%[[FRAME]]
  // CHECK: llvm.unreachable
  cf.assert %ok, "node 'x': sizes differ"
  return
}

// CHECK-LABEL: llvm.func @mark
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr)
func.func @mark(%frame: !rt.frame) {
  // CHECK: %[[PLACE:.*]] = llvm.getelementptr %[[FRAME]][40]
  // CHECK: %[[PROFILE:.*]] = llvm.load %[[PLACE]]
  // CHECK: %[[NONE:.*]] = llvm.mlir.zero
  // CHECK: %[[SET:.*]] = llvm.icmp "ne" %[[PROFILE]], %[[NONE]]
  // CHECK: llvm.cond_br %[[SET]] weights([1, 1000]), ^[[MARK:.*]], ^[[AFTER:.*]]
  // CHECK: ^[[AFTER]]:
  // CHECK: llvm.return
  // CHECK: ^[[MARK]]:
  // CHECK: llvm.call @mlc_rt_mark(%[[FRAME]]
  // CHECK: llvm.br ^[[AFTER]]
  rt.mark %frame, 3
  return
}

// CHECK-LABEL: llvm.func @work
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr, %[[FLOPS:.*]]: i64, %[[BYTES:.*]]: i64)
func.func @work(%frame: !rt.frame, %flops: i64, %bytes: i64) -> i1 {
  // CHECK: %[[PLACE:.*]] = llvm.getelementptr %[[FRAME]][40]
  // CHECK: %[[PROFILE:.*]] = llvm.load %[[PLACE]]
  // CHECK: %[[NONE:.*]] = llvm.mlir.zero
  // CHECK: %[[SET:.*]] = llvm.icmp "ne" %[[PROFILE]], %[[NONE]]
  %0 = rt.profiled %frame
  // CHECK: %[[NODE:.*]] = llvm.mlir.constant(3 : i32) : i32
  // CHECK: llvm.call @mlc_rt_work(%[[FRAME]], %[[NODE]], %[[FLOPS]], %[[BYTES]]) : (!llvm.ptr, i32, i64, i64) -> ()
  rt.work %frame, 3 flops %flops bytes %bytes
  // CHECK: llvm.return %[[SET]]
  return %0 : i1
}

// CHECK-LABEL: llvm.func @ready
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr)
func.func @ready(%frame: !rt.frame) {
  // CHECK: llvm.getelementptr %[[FRAME]][48]
  // CHECK: llvm.cond_br
  // CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(4096 : i64) : i64
  // CHECK: llvm.call @mlc_rt_ready(%[[FRAME]], %[[OFFSET]]) : (!llvm.ptr, i64) -> ()
  rt.ready %frame at 4096
  return
}
func.func private @kernel(memref<4xf32>, index, index)
func.func private @small(memref<4xf32>)

/// One call for all steps; a barrier is a field of the step behind it, a mark one of the step before.
// CHECK-LABEL: llvm.func @region
func.func @region(%frame: !rt.frame, %n: index) {
  %0 = rt.workspace %frame at 0 : memref<4xf32>
  // CHECK-DAG: %[[STEPS:.*]] = llvm.alloca %{{.*}} x !llvm.array<2 x struct<(ptr, ptr, i64, i64, i32, i32, i64)>>
  // CHECK: llvm.mlir.addressof @kernel_step
  // CHECK: llvm.mlir.constant(5 : i32)
  // CHECK: llvm.mlir.constant(0 : i32)
  // CHECK: llvm.mlir.addressof @small_step
  // CHECK-DAG: llvm.mlir.constant(-1 : i32)
  // CHECK-DAG: llvm.mlir.constant(1 : i32)
  // CHECK: %[[COUNT:.*]] = llvm.mlir.constant(2 : i64)
  // CHECK: llvm.call @mlc_rt_parallel(%{{.*}}, %[[STEPS]], %[[COUNT]])
  // CHECK-NOT: mlc_rt_mark
  rt.parallel %frame {
    rt.parallel_for %frame, @kernel(%0) count %n grain 8 : memref<4xf32>
    rt.mark %frame, 5
    rt.barrier
    func.call @small(%0) : (memref<4xf32>) -> ()
  }
  return
}
// CHECK: llvm.func internal @kernel_step(%{{.*}}: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64)
// CHECK: llvm.call @kernel({{.*}}, %[[BEGIN]], %[[END]])
// CHECK: llvm.func internal @small_step(
// CHECK: llvm.call @small({{.*}}) : (!llvm.ptr, !llvm.ptr, i64, i64, i64) -> ()
