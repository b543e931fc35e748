//===- ParallelizeKernels.cpp - outer loops of large kernels on the threads of the run ---------------------------===//
//
// A kernel is a private function around one linalg op (buffer-outline-kernels). Its first parallel loop of more than
// one iteration becomes a range: the op works on subviews. Iterations of a parallel loop write different elements, so
// results do not depend on the number of threads.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/Passes.h"
#include "passes/Vector/Transposition.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERPARALLELIZEKERNELSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// Element operations that one range should have, some ten microseconds of work.
constexpr int64_t kWorkOfRange = 1 << 16;

struct ParallelizeKernels final : mlc::impl::BufferParallelizeKernelsPassBase<ParallelizeKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> calls;
    for (auto function : module.getOps<func::FuncOp>()) {
      if (!mlc::rt::isEntry(function))
        continue;
      function.walk([&](func::CallOp call) {
        if (auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
            kernel && kernel.isPrivate() && call.getNumResults() == 0)
          calls[kernel].push_back(call);
      });
    }
    for (auto &[kernel, uses] : calls)
      parallelize(kernel, uses);
  }

  void parallelize(func::FuncOp kernel, ArrayRef<func::CallOp> calls) {
    auto ops = kernel.getBody().front().getOps<linalg::LinalgOp>();
    if (!llvm::hasSingleElement(ops))
      return;
    linalg::LinalgOp op = *ops.begin();
    if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation()); generic && mlc::matchTransposition(generic))
      return; // vector-lower-transpositions cuts between its squares
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    // The outermost parallel loop; the innermost one stays whole for vectors, unless it is the only one.
    std::optional<unsigned> outer;
    int64_t inner = 1;
    for (auto [dim, size] : llvm::enumerate(sizes)) {
      bool isOuter = !outer && iterators[dim] == utils::IteratorType::parallel && size != 1;
      if (isOuter)
        outer = dim;
      else
        inner *= ShapedType::isDynamic(size) ? 1 : size;
    }
    if (!outer)
      return;
    int64_t grain = std::max<int64_t>(1, kWorkOfRange / std::max<int64_t>(1, inner));
    if (!ShapedType::isDynamic(sizes[*outer]) && sizes[*outer] < 2 * grain)
      return; // not worth two threads

    // The size of the loop, as an axis of an operand: the callers pass it on.
    auto place = sizeOf(op, *outer);
    if (!place)
      return;
    auto argument = dyn_cast<BlockArgument>(place->first->get());
    if (!argument)
      return;

    OpBuilder b(op);
    auto index = b.getIndexType();
    unsigned count = kernel.getNumArguments();
    (void)kernel.insertArguments({count, count}, {index, index}, {DictionaryAttr(), DictionaryAttr()},
                                 {kernel.getLoc(), kernel.getLoc()});
    Value begin = kernel.getArgument(count), end = kernel.getArgument(count + 1);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)), extents;
    SmallVector<Range> ranges = cast<TilingInterface>(op.getOperation()).getIterationDomain(b);
    for (Range range : ranges)
      extents.push_back(range.size);
    offsets[*outer] = begin;
    extents[*outer] = OpFoldResult(Value(arith::SubIOp::create(b, op.getLoc(), end, begin)));
    FailureOr<TilingResult> tiled =
        cast<TilingInterface>(op.getOperation()).getTiledImplementation(b, offsets, extents);
    assert(succeeded(tiled) && "linalg ops can be tiled along parallel loops");
    (void)tiled;
    op->erase();
    for (func::CallOp call : calls) {
      OpBuilder caller(call);
      Value frame = call->getParentOfType<func::FuncOp>().getArgument(0);
      Value size =
          memref::DimOp::create(caller, call.getLoc(), call.getOperand(argument.getArgNumber()), place->second);
      mlc::rt::ParallelForOp::create(caller, call.getLoc(), frame, call.getCalleeAttr().getLeafReference(),
                                     call.getOperands(), size, static_cast<uint64_t>(grain));
      call.erase();
    }
    ++numParallel;
  }

  /// An operand and an axis whose size is that of loop `dim`.
  static std::optional<std::pair<OpOperand *, int64_t>> sizeOf(linalg::LinalgOp op, unsigned dim) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
        if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && loop.getPosition() == dim)
          return std::pair(&operand, static_cast<int64_t>(axis));
    }
    return std::nullopt;
  }
};

} // namespace
