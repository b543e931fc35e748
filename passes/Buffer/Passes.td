//===- Passes.td - from tensors to planned memory ----------------------------------------------*- tablegen -*----===//
#ifndef MLC_PASSES_BUFFER_PASSES_TD
#define MLC_PASSES_BUFFER_PASSES_TD

include "mlir/Pass/PassBase.td"

def BufferBindEntryPass : Pass<"buffer-bind-entry", "::mlir::ModuleOp"> {
  let summary = "Gives the entry function the signature of the runtime";
  let description = [{
    The public function takes a frame; its arguments become `rt.input`, its results are written into `rt.output` buffers.
    Weights get their place in the blob, in the order of their declaration, each at a multiple of 64 bytes.

    ```
    func.func @f(%0: tensor<?xf32>) -> tensor<?xf32> { return %0 : tensor<?xf32> }
    ```
    becomes
    ```
    func.func @f(%frame: !rt.frame) {
      %n = rt.input_size %frame[0, 0]
      %0 = rt.input %frame[0] sizes(%n) : tensor<?xf32>
      %1 = rt.output %frame[0] sizes(%n) : memref<?xf32>
      bufferization.materialize_in_destination %0 in restrict writable %1
      return
    }
    ```
  }];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect"];
}

def BufferUnshareDestinationsPass : Pass<"buffer-unshare-destinations", "::mlir::func::FuncOp"> {
  let summary = "Gives every result a destination of its own";
  let description = [{
    Equal destinations (an empty tensor, one with filled borders) are one value after CSE; bufferization would then copy it
    before it is written the second time. Destinations cost less to build than to copy, so each use gets its own.

    ```
    %0 = linalg.fill …, %1 = tensor.insert_slice %a into %0, %2 = tensor.insert_slice %b into %0
    ```
    becomes two fills. So do zeros in which two sums start.

    A destination before a loop, of which each step writes the same part, is carried by the loop instead of copied in every step:

    ```
    %0 = linalg.fill …, scf.for … { %1 = tensor.insert_slice %a into %0[1] … }
    ```
    becomes
    ```
    %0 = linalg.fill …, scf.for … iter_args(%d = %0) { %1 = tensor.insert_slice %a into %d[1] …, scf.yield %1 }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::scf::SCFDialect"];
  let statistics = [Statistic<"numUnshared", "unshared-destinations", "destinations built again">,
                    Statistic<"numCarried", "carried-destinations", "destinations that loops carry">];
}

def BufferReuseStatesPass : Pass<"buffer-reuse-states", "::mlir::func::FuncOp"> {
  let summary = "Computes the new state of a loop where the old one is";
  let description = [{
    An element-wise op whose result is copied over a state that the loop carries writes there itself, if it reads the old
    state element by element and nothing reads it later.

    ```
    %1 = linalg.generic ins(%state, %x) outs(%empty) …, %2 = linalg.copy ins(%1) outs(%state)
    ```
    becomes
    ```
    %1 = linalg.generic ins(%state, %x) outs(%state) …
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
  let statistics = [Statistic<"numReused", "reused-states", "states computed in place">];
}

def BufferSettleLoopsPass : Pass<"buffer-settle-loops", "::mlir::func::FuncOp"> {
  let summary = "Gives what a loop carries one place";
  let description = [{
    Where a loop carries on a buffer that it allocates in every step, or another one that it carries, the buffers swap their
    roles from step to step. Each gets one buffer before the loop, and every step ends with a copy into it.

    ```
    %1 = scf.for … iter_args(%old = %0) { %new = memref.alloc() …, scf.yield %new }
    ```
    becomes
    ```
    %place = memref.alloc(), memref.copy %0, %place
    scf.for … { %new = memref.alloc() …, memref.copy %new, %place }
    ```
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
  let statistics = [Statistic<"numSettled", "settled-buffers", "buffers that stay where they are">];
}

def BufferRematerializePass : Pass<"buffer-rematerialize", "::mlir::ModuleOp"> {
  let summary = "Computes values again instead of keeping them, until the memory of a training step fits into a budget";
  let description = [{
    What a program keeps are its states and the arena. While that is more than `budget`, a buffer that lives over the peak without
    being used there is computed a second time in front of its next use, by the same kernels on the same operands, so that no
    bit of a result changes. What a loop computes, and what is computed from a state that is written in between, is kept. Where
    no buffer lowers the peak any more, the pass fails and says what the least is. Entries get the attribute `rt.memory`, which
    says what was done.

    ```
    f(%x, %a), g(%a, %b), …, h(%a, %y)      =>      f(%x, %a), g(%a, %b), …, f(%x, %a2), h(%a2, %y)
    ```
  }];
  let options = [
    Option<"budget", "budget", "uint64_t", "0", "bytes of the states and the arena">,
    Option<"batch", "batch", "int64_t", "0", "samples of a step, where only a run knows the first axis of inputs">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::memref::MemRefDialect"];
  let statistics = [Statistic<"numRecomputed", "recomputed", "buffers computed again">];
}

def BufferPlanArenaPass : Pass<"buffer-plan-arena", "::mlir::func::FuncOp"> {
  let summary = "Places all buffers of known size in one arena";
  let description = [{
    A buffer lives from its first to its last use, views of it included. Large buffers are placed first, each at the lowest
    offset where no buffer that lives at the same time is; the function gets the attribute `rt.arena_bytes`. Buffers of
    dynamic size come from the pool of the run and go back after their last use. With `batch` the first axis of inputs has at
    most so many samples, and buffers whose size grows with it have a place in the arena as well; a run with more of them fails.

    ```
    %0 = memref.alloc() : memref<4xf32>      =>      %0 = rt.workspace %frame at 0 : memref<4xf32>
    ```
  }];
  let options = [
    Option<"batch", "batch", "int64_t", "0", "samples of a run at most; 0: any number, from the pool">];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect"];
  let statistics = [Statistic<"numPlanned", "planned-buffers", "buffers placed in the arena">,
                    Statistic<"numDynamic", "dynamic-buffers", "buffers taken from the pool">];
}

def BufferExpandCopiesPass : Pass<"buffer-expand-copies", "::mlir::func::FuncOp"> {
  let summary = "Turns copies of strided buffers into loops";
  let description = [{
    `memref.copy` between contiguous buffers stays and becomes memcpy.

    ```
    memref.copy %0, %1 : memref<4x4xf32> to memref<4x4xf32, strided<[8, 1]>>
    ```
    becomes a `linalg.generic` that yields its input.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
  let statistics = [Statistic<"numExpanded", "expanded-copies", "copies turned into loops">];
}

def BufferExpandReshapesPass : Pass<"buffer-expand-reshapes", "::mlir::func::FuncOp"> {
  let summary = "Turns views with several computed sizes into casts of their strides";
  let description = [{
    Of contiguous buffers only.

    ```
    %1 = memref.expand_shape %0 [[0, 1]] output_shape [%m, %n] : memref<?xf32> into memref<?x?xf32>
    ```
    becomes `memref.reinterpret_cast %0 to offset: [0], sizes: [%m, %n], strides: [%n, 1]`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
  let statistics = [Statistic<"numExpanded", "expanded-reshapes", "views turned into casts">];
}

def BufferOutlineKernelsPass : Pass<"buffer-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Gives every linalg op and every contraction a function of its own";
  let description = [{
    The functions are never inlined, and equal ones are shared. Buffers that do not overlap with any other argument are marked `llvm.noalias`.

    ```
    linalg.generic … ins(%0 : memref<4xf32>) outs(%1 : memref<4xf32>) { … }
    ```
    becomes `call @kernel_0(%0, %1)`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
  let statistics = [Statistic<"numKernels", "kernels", "functions made">,
                    Statistic<"numShared", "shared-kernels", "ops that found their function made already">];
}

def BufferParallelizeKernelsPass : Pass<"buffer-parallelize-kernels", "::mlir::ModuleOp"> {
  let summary = "Runs the outer loops of large kernels on the threads of the run";
  let description = [{
    The first parallel loop of more than one iteration is cut into ranges; a range has at least so many iterations that the
    hand-over is small against its work. Small kernels stay on the calling thread.

    ```
    call @kernel_0(%0, %1)      =>      rt.parallel_for %frame, @kernel_0(%0, %1) count %c128 grain 16
    ```
  }];
  let dependentDialects = ["::mlc::rt::RtDialect", "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
  let statistics = [Statistic<"numParallel", "parallel-kernels", "kernels that run on several threads">];
}

def BufferMarkNodesPass : Pass<"buffer-mark-nodes", "::mlir::ModuleOp"> {
  let summary = "Says where each node of the model ends, for profiles";
  let description = [{
    A mark follows every call of a kernel, every copy and every loop of an entry function that has none of them inside. The
    function gets a table of the nodes, `rt.nodes`: names from locations, arithmetic operations and bytes of operands. Where
    they depend on sizes of a run they are 0, and the function says them at its end (`rt.work`), if the run is profiled. A
    contraction has two operations a product; another kernel those of its body, times its iterations.

    ```
    call @kernel_0(%0, %1) : (memref<4xf32>, memref<4xf32>) -> () loc("relu_0")
    ```
    is followed by `rt.mark %frame, 0`, and the first entry of `rt.nodes` is
    ```
    {bytes = 32 : i64, flops = 4 : i64, kind = "elementwise", name = "relu_0"}
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlc::rt::RtDialect",
                           "::mlir::scf::SCFDialect"];
  let statistics = [Statistic<"numNodes", "nodes", "nodes marked">];
}

def BufferAnnounceGradientsPass : Pass<"buffer-announce-gradients", "::mlir::ModuleOp"> {
  let summary = "Says where each gradient of a training program is complete";
  let description = [{
    In the entry `gradients`, `rt.ready` follows the last op that uses a state whose role is `gradient`, so that processes exchange
    it while the others are computed.

    ```
    func.call @kernel_7(%x, %dy, %dw) : … // the last use of %dw = rt.state %frame @"gradient/w" at 4096
    ```
    is followed by `rt.ready %frame at 4096`.
  }];
  let dependentDialects = ["::mlc::rt::RtDialect"];
  let statistics = [Statistic<"numAnnounced", "announced-gradients", "gradients that are announced">];
}

def BufferMergeParallelLoopsPass : Pass<"buffer-merge-parallel-loops", "::mlir::ModuleOp"> {
  let summary = "Runs consecutive parallel loops of an entry function in one region";
  let description = [{
    Kernels on one thread between two loops become steps, too. What else is between moves before the region if it computes
    sizes and views, checks them or takes buffers, or behind it if it gives buffers back; anything else ends the region. A
    barrier is where a step writes memory that another one since the last barrier uses, or uses memory that one writes.
    What a kernel does not write is `llvm.readonly`.

    ```
    rt.parallel_for %frame, @kernel_0(%0, %1) …
    rt.parallel_for %frame, @kernel_1(%1, %2) …
    ```
    becomes
    ```
    rt.parallel %frame {
      rt.parallel_for %frame, @kernel_0(%0, %1) …
      rt.barrier
      rt.parallel_for %frame, @kernel_1(%1, %2) …
    }
    ```
  }];
  let dependentDialects = ["::mlc::rt::RtDialect"];
  let statistics = [Statistic<"numRegions", "regions", "regions made">,
                    Statistic<"numBarriers", "barriers", "barriers between their steps">];
}

#endif
