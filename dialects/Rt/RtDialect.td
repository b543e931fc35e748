//===- RtDialect.td - what generated code asks of the runtime ---------------------------------*- tablegen -*----===//
#ifndef MLC_DIALECTS_RT_RTDIALECT_TD
#define MLC_DIALECTS_RT_RTDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Rt_Dialect : Dialect {
  let name = "rt";
  let cppNamespace = "::mlc::rt";
  let summary = "What generated code asks of the runtime";
  let description = [{
    The other side of `mlc/abi.h`: an entry function gets a frame, and reads its inputs, weights and workspace from it.
    The ops that give values work on tensors and, after bufferization, on memrefs.
  }];
  let useDefaultTypePrinterParser = 1;
}

def Rt_FrameType : TypeDef<Rt_Dialect, "Frame"> {
  let mnemonic = "frame";
  let summary = "one run: `mlc_frame` of abi.h";
}

def Rt_Buffer : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;

/// An op that gives a tensor which lies in memory the op does not own.
class Rt_SourceOp<string mnemonic> : Op<Rt_Dialect, mnemonic, [
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "getBufferType", "isWritable",
      "bufferizesToMemoryRead", "bufferizesToMemoryWrite", "getAliasingValues"]>, Pure]>;

def Rt_InputOp : Rt_SourceOp<"input"> {
  let summary = "gives an input of the model";
  let description = [{
    Constraints: (C1) the number of `sizes` is that of the dynamic axes. They are what `rt.input_size` gives.

    Example: `%0 = rt.input %frame[0] sizes(%n) : tensor<?x4xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, I64Attr:$index, Variadic<Index>:$sizes);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$frame `[` $index `]` (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_InputSizeOp : Op<Rt_Dialect, "input_size", [Pure]> {
  let summary = "gives a size of an input of the model";
  let description = [{Example: `%n = rt.input_size %frame[0, 1]`: axis 1 of input 0.}];
  let arguments = (ins Rt_FrameType:$frame, I64Attr:$index, I64Attr:$axis);
  let results = (outs Index:$result);
  let assemblyFormat = "$frame `[` $index `,` $axis `]` attr-dict";
}

def Rt_WeightOp : Rt_SourceOp<"weight"> {
  let summary = "gives a weight of the model";
  let description = [{
    The bytes at `offset` of the blob of weights. Constraints: (C1) the shape is static.

    Example: `%0 = rt.weight %frame @w at 4096 : tensor<64x3x7x7xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, FlatSymbolRefAttr:$parameter, I64Attr:$offset);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$frame $parameter `at` $offset attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_StateOp : Rt_SourceOp<"state"> {
  let summary = "gives a state of a training program";
  let description = [{
    The bytes at `offset` of the memory that outlives the run. With `writable` something may be computed in it before the function
    is done: then the last thing that is becomes its new value.

    Constraints: (C1) the shape is static.

    Example: `%0 = rt.state %frame @w at 4096 : tensor<64x3x7x7xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, FlatSymbolRefAttr:$state, I64Attr:$offset, UnitAttr:$writable);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$frame $state `at` $offset attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_OutputOp : Op<Rt_Dialect, "output", [MemoryEffects<[MemWrite]>]> {
  let summary = "gives the buffer of an output of the model";
  let description = [{
    Ends the run when the caller's buffer does not fit. The sizes are reported to the caller, so the op stays even where
    nothing is written. Constraints: (C1) the number of `sizes` is that of the dynamic axes.

    Example: `%0 = rt.output %frame[0] sizes(%n) : memref<?x4xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, I64Attr:$index, Variadic<Index>:$sizes);
  let results = (outs AnyStridedMemRef:$result);
  let assemblyFormat = "$frame `[` $index `]` (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_WorkspaceOp : Op<Rt_Dialect, "workspace", [Pure]> {
  let summary = "gives a buffer in the arena";
  let description = [{
    At byte `offset` of the workspace that was planned at compile time. A buffer whose sizes only a run knows has at most `bytes`.

    Constraints: (C1) the number of `sizes` is that of the dynamic axes; (C2) the offset is a multiple of 64; (C3) `bytes` is
    there exactly where an axis is dynamic.

    Examples: `%0 = rt.workspace %frame at 128 : memref<4x4xf32>`,
    `%1 = rt.workspace %frame sizes(%n) at 192 most 512 : memref<?x4xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, Variadic<Index>:$sizes, I64Attr:$offset, OptionalAttr<I64Attr>:$bytes);
  let results = (outs AnyStridedMemRef:$result);
  let assemblyFormat = "$frame (`sizes` `(` $sizes^ `)`)? `at` $offset (`most` $bytes^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_AllocOp : Op<Rt_Dialect, "alloc"> {
  let summary = "takes a buffer from the pool of the run";
  let description = [{
    For sizes that are known only at run time. Constraints: (C1) the number of `sizes` is that of the dynamic axes.

    Example: `%0 = rt.alloc %frame sizes(%n) : memref<?x4xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, Variadic<Index>:$sizes);
  let results = (outs Res<AnyStridedMemRef, "", [MemAlloc]>:$result);
  let assemblyFormat = "$frame (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Rt_FreeOp : Op<Rt_Dialect, "free"> {
  let summary = "gives a buffer back to the pool of the run";
  let description = [{Example: `rt.free %frame, %0 : memref<?x4xf32>`}];
  let arguments = (ins Rt_FrameType:$frame, Arg<AnyStridedMemRef, "", [MemFree]>:$buffer);
  let assemblyFormat = "$frame `,` $buffer attr-dict `:` type($buffer)";
}

def Rt_ParallelForOp : Op<Rt_Dialect, "parallel_for", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "calls a kernel on ranges of its outer loop, on the threads of the run";
  let description = [{
    The kernel takes `operands`, then the begin and the end of a range. The ranges cover [0, count) once, each at least `grain`
    long, in any order; the iterations are independent.

    Constraints: (C1) `kernel` names a function without results, (C2) that takes the operands and two index values.

    Example: `rt.parallel_for %frame, @kernel_0(%0) count %n grain 8 : memref<?x4xf32>`
  }];
  let arguments = (ins Rt_FrameType:$frame, FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$captures, Index:$count, I64Attr:$grain);
  let assemblyFormat = "$frame `,` $kernel `(` $captures `)` `count` $count `grain` $grain attr-dict `:` type($captures)";
}

def Rt_ParallelOp : Op<Rt_Dialect, "parallel", [NoTerminator, SingleBlock]> {
  let summary = "runs several kernels on the threads of the run, which are woken once";
  let description = [{
    Every op of the body is a step: a parallel loop, or a call of a kernel as one iteration. Steps between two barriers run in
    any order, or at the same time; a profiled run does one after the other and marks each.

    Constraints: (C1) the body has parallel loops, calls without results, barriers and marks only; (C2) a mark follows a step.

    Example:
    ```
    rt.parallel %frame {
      rt.parallel_for %frame, @kernel_0(%0) count %n grain 8 : memref<?x4xf32>
      rt.mark %frame, 0
      rt.barrier
      rt.parallel_for %frame, @kernel_1(%0) count %n grain 8 : memref<?x4xf32>
      rt.mark %frame, 1
    }
    ```
  }];
  let arguments = (ins Rt_FrameType:$frame);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$frame $body attr-dict";
  let hasRegionVerifier = 1;
}

def Rt_BarrierOp : Op<Rt_Dialect, "barrier", [HasParent<"ParallelOp">]> {
  let summary = "lets the steps of a parallel region that follow wait for those before";
  let description = [{Example: `rt.barrier`}];
  let assemblyFormat = "attr-dict";
}

def Rt_MarkOp : Op<Rt_Dialect, "mark", [MemoryEffects<[MemWrite]>]> {
  let summary = "says that a node of the model is done";
  let description = [{
    A run that is profiled adds the time since its last mark to the node, an index into the attribute `rt.nodes` of the function.

    Example: `rt.mark %frame, 3`
  }];
  let arguments = (ins Rt_FrameType:$frame, ConfinedAttr<I64Attr, [IntNonNegative]>:$node);
  let assemblyFormat = "$frame `,` $node attr-dict";
}

def Rt_ProfiledOp : Op<Rt_Dialect, "profiled", [MemoryEffects<[MemRead]>]> {
  let summary = "says whether the run is profiled";
  let description = [{
    Example: `%0 = rt.profiled %frame`
  }];
  let arguments = (ins Rt_FrameType:$frame);
  let results = (outs I1:$result);
  let assemblyFormat = "$frame attr-dict";
}

def Rt_WorkOp : Op<Rt_Dialect, "work", [MemoryEffects<[MemWrite]>]> {
  let summary = "says what a node of the model does in a call";
  let description = [{
    For nodes whose sizes are known only in a run: its arithmetic operations and the bytes of its operands. Only where the run is
    profiled.

    Example: `rt.work %frame, 3 flops %0 bytes %1`
  }];
  let arguments = (ins Rt_FrameType:$frame, ConfinedAttr<I64Attr, [IntNonNegative]>:$node, I64:$flops, I64:$bytes);
  let assemblyFormat = "$frame `,` $node `flops` $flops `bytes` $bytes attr-dict";
}

def Rt_ReadyOp : Op<Rt_Dialect, "ready", [MemoryEffects<[MemWrite]>]> {
  let summary = "says that a state has its new value";
  let description = [{
    The rest of the run neither reads nor writes the state at `offset`. Whoever listens is told, and may use the state while the
    run goes on.

    Example: `rt.ready %frame at 4096`
  }];
  let arguments = (ins Rt_FrameType:$frame, ConfinedAttr<I64Attr, [IntNonNegative]>:$offset);
  let assemblyFormat = "$frame `at` $offset attr-dict";
}

#endif
