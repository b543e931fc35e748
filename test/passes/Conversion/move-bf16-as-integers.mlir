// RUN: mlc-opt %s --move-bf16-as-integers | FileCheck %s

// CHECK-LABEL: llvm.func @move
// CHECK-NOT: bf16
// CHECK: %[[ONE:.*]] = llvm.mlir.constant(16256 : i16) : i16
// CHECK: %[[PAIR:.*]] = llvm.mlir.constant(dense<[16256, 16384]> : vector<2xi16>) : vector<2xi16>
// CHECK: llvm.intr.masked.load {{.*}}, %[[PAIR]] {{.*}} -> vector<2xi16>
// CHECK: llvm.insertelement %[[ONE]], {{.*}} : vector<2xi16>
// CHECK: llvm.shufflevector {{.*}} : vector<2xi16>
// CHECK: llvm.getelementptr {{.*}} !llvm.ptr, i16
// CHECK: llvm.br ^{{.*}} : vector<2xi16>)
// CHECK: ^{{.*}}(%[[ARG:.*]]: vector<2xi16>):
// CHECK: llvm.store %{{.*}} : vector<2xi16>
llvm.func @move(%p: !llvm.ptr, %mask: vector<2xi1>, %i: i64) {
  %one = llvm.mlir.constant(1.0 : bf16) : bf16
  %pair = llvm.mlir.constant(dense<[1.0, 2.0]> : vector<2xbf16>) : vector<2xbf16>
  %at = llvm.mlir.constant(0 : i64) : i64
  %0 = llvm.intr.masked.load %p, %mask, %pair {alignment = 2 : i32} : (!llvm.ptr, vector<2xi1>, vector<2xbf16>) -> vector<2xbf16>
  %1 = llvm.insertelement %one, %0[%at : i64] : vector<2xbf16>
  %2 = llvm.shufflevector %1, %0 [0, 3] : vector<2xbf16>
  %3 = llvm.getelementptr %p[%i] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
  llvm.br ^end(%2 : vector<2xbf16>)
^end(%4: vector<2xbf16>):
  %5 = llvm.bitcast %4 : vector<2xbf16> to vector<2xi16>
  %6 = llvm.bitcast %5 : vector<2xi16> to vector<2xbf16>
  llvm.store %6, %3 : vector<2xbf16>, !llvm.ptr
  llvm.return
}

// Arithmetic is not integer arithmetic.
// CHECK-LABEL: llvm.func @add
// CHECK: llvm.load {{.*}} -> bf16
// CHECK: llvm.fadd {{.*}} : bf16
llvm.func @add(%p: !llvm.ptr) {
  %0 = llvm.load %p : !llvm.ptr -> bf16
  %1 = llvm.fadd %0, %0 : bf16
  llvm.store %1, %p : bf16, !llvm.ptr
  llvm.return
}

// Types that callers see stay.
// CHECK-LABEL: llvm.func @signature(%{{.*}}: bf16
// CHECK: llvm.store %{{.*}} : bf16
llvm.func @signature(%x: bf16, %p: !llvm.ptr) {
  llvm.store %x, %p : bf16, !llvm.ptr
  llvm.return
}
