//===- MarkNodes.cpp - where each node of the model ends, for profiles -------------------------------------------===//
//
// Runs after everything that makes or moves kernels. A mark costs a load and a branch in a run that is not profiled, so
// every library has them. Time between kernels counts for the one that follows.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERMARKNODESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// What one node does; unknown numbers are 0.
struct Work final {
  StringRef kind;
  uint64_t flops = 0, bytes = 0;
};

/// The product of `sizes`; 0 where one is dynamic.
uint64_t productOf(ArrayRef<int64_t> sizes) {
  uint64_t product = 1;
  for (int64_t size : sizes)
    product = ShapedType::isDynamic(size) ? 0 : llvm::SaturatingMultiply<uint64_t>(product, size);
  return product;
}

uint64_t bytesOf(Type element, uint64_t count) {
  uint64_t bytes = element.isIntOrFloat() ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) : 8;
  return llvm::SaturatingMultiply(bytes, count);
}

uint64_t bytesOf(MemRefType type) { return bytesOf(type.getElementType(), productOf(type.getShape())); }

/// The whole buffer of which a range of a kernel works on a part.
Value wholeOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<memref::SubViewOp>())
    buffer = view.getSource();
  return buffer;
}

/// Adds the bytes of different buffers; unknown as soon as one is.
struct Traffic final {
  llvm::SmallDenseSet<Value> seen;
  uint64_t bytes = 0;
  bool isKnown = true;

  void add(Value buffer, uint64_t bytesOfBuffer) {
    if (!seen.insert(wholeOf(buffer)).second)
      return;
    bytes = llvm::SaturatingAdd(bytes, bytesOfBuffer);
    isKnown &= bytesOfBuffer != 0;
  }
  void add(ValueRange operands) {
    for (Value operand : operands)
      if (auto type = dyn_cast<MemRefType>(wholeOf(operand).getType()))
        add(operand, bytesOf(type));
  }
  uint64_t total() const { return isKnown ? bytes : 0; }
};

/// The arithmetic operations of one op of a body: of values, not of indices, conditions or conversions.
uint64_t flopsOf(Operation *op) {
  if (op->getNumResults() != 1)
    return 0;
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  if (!type.isIntOrFloat() || type.isInteger(1))
    return 0;
  if (isa<math::FmaOp>(op))
    return 2;
  if (isa<math::MathDialect>(op->getDialect()))
    return 1;
  return isa<arith::ArithDialect>(op->getDialect()) &&
                 !isa<arith::ConstantOp, arith::SelectOp, arith::CmpFOp, arith::CmpIOp, CastOpInterface>(op)
             ? 1
             : 0;
}

/// The iterations of `op` on whole buffers; 0 where unknown.
uint64_t iterationsOf(linalg::LinalgOp op) {
  SmallVector<int64_t> sizes(op.getNumLoops(), ShapedType::kDynamic);
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(wholeOf(operand.get()).getType());
    if (!type)
      continue;
    for (auto [expr, size] : llvm::zip(op.getMatchingIndexingMap(&operand).getResults(), type.getShape()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && !ShapedType::isDynamic(size))
        sizes[loop.getPosition()] = size;
  }
  return productOf(sizes);
}

Work describe(linalg::LinalgOp op) {
  Work work;
  work.kind = isa<linalg::FillOp>(op) ? "fill" : op.getNumReductionLoops() ? "reduction" : "elementwise";
  uint64_t iterations = iterationsOf(op), flops = 0;
  Traffic traffic;
  traffic.add(op->getOperands());
  op->walk([&](Operation *inner) {
    flops += flopsOf(inner);
    // Of what is read by index, as by Gather, an element an iteration.
    if (auto load = dyn_cast<memref::LoadOp>(inner))
      traffic.add(load.getMemRef(), bytesOf(load.getMemRefType().getElementType(), iterations));
  });
  work.flops = llvm::SaturatingMultiply(iterations, flops);
  work.bytes = traffic.total();
  if (flops == 0 && work.kind == "elementwise")
    work.kind = "copy";
  return work;
}

Work describe(mlc::kernel::ContractOp op) {
  Traffic traffic;
  traffic.add(op->getOperands());
  return {"contract", llvm::SaturatingMultiply<uint64_t>(2, productOf(op.getSizes())), traffic.total()};
}

Work describe(mlc::kernel::RowsOp op) {
  Traffic traffic;
  traffic.add(op->getOperands());
  mlc::kernel::RowValues values(op);
  uint64_t flops = 0;
  for (Operation &inner : op.getBody().front().without_terminator())
    if (isa<mlc::kernel::ReduceOp>(inner))
      ++flops;
    else if (!values.isOfRow(inner.getResult(0)))
      flops += flopsOf(&inner);
  return {"rows", llvm::SaturatingMultiply(productOf(op.getSizes()), flops), traffic.total()};
}

/// Both products; the softmax is a few percent of them.
Work describe(mlc::kernel::AttentionOp op) {
  Traffic traffic;
  traffic.add(op->getOperands());
  ArrayRef<int64_t> sizes = op.getSizes();
  uint64_t scores = productOf(sizes.drop_back()), values = sizes[op.getValueLoop()], depth = sizes[op.getDepthLoop()];
  return {"attention", llvm::SaturatingMultiply<uint64_t>(2 * (values + depth), values ? scores / values : 0),
          traffic.total()};
}

/// A kernel is a function around one op.
Work describe(func::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front()) {
    if (auto contract = dyn_cast<mlc::kernel::ContractOp>(op))
      return describe(contract);
    if (auto attention = dyn_cast<mlc::kernel::AttentionOp>(op))
      return describe(attention);
    if (auto rows = dyn_cast<mlc::kernel::RowsOp>(op))
      return describe(rows);
    if (isa<mlc::kernel::PackOp>(op)) {
      Traffic traffic;
      traffic.add(op.getOperands());
      return {"copy", 0, traffic.total()};
    }
    if (auto loops = dyn_cast<linalg::LinalgOp>(op))
      return describe(loops);
  }
  return {"loop"};
}

void collectNames(Location loc, llvm::SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(loc))
    names.insert(name.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNames(part, names);
  else if (auto call = dyn_cast<CallSiteLoc>(loc))
    collectNames(call.getCallee(), names);
}

/// The names of the nodes that an op came from, `fallback` where it does not say.
std::string nameOf(Location loc, StringRef fallback) {
  llvm::SetVector<StringRef> names;
  collectNames(loc, names);
  return names.empty() ? fallback.str() : llvm::join(names, "+");
}

struct MarkNodes final : mlc::impl::BufferMarkNodesPassBase<MarkNodes> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    for (auto function : module.getOps<func::FuncOp>())
      if (mlc::rt::isEntry(function))
        mark(function, symbols);
  }

  void mark(func::FuncOp function, const SymbolTable &symbols) {
    SmallVector<Attribute> nodes;
    OpBuilder b(&getContext());
    auto add = [&](Operation *op, const Work &work, StringRef fallback) {
      b.setInsertionPointAfter(op);
      mlc::rt::MarkOp::create(b, op->getLoc(), function.getArgument(0), static_cast<uint64_t>(nodes.size()));
      nodes.push_back(b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(nameOf(op->getLoc(), fallback))),
                                           b.getNamedAttr("kind", b.getStringAttr(work.kind)),
                                           b.getNamedAttr("flops", b.getI64IntegerAttr(work.flops)),
                                           b.getNamedAttr("bytes", b.getI64IntegerAttr(work.bytes))}));
      ++numNodes;
    };
    auto kernelOf = [&](Operation *op) -> func::FuncOp {
      StringRef name;
      if (auto call = dyn_cast<func::CallOp>(op))
        name = call.getCallee();
      else if (auto call = dyn_cast<mlc::rt::ParallelForOp>(op))
        name = call.getKernel();
      auto kernel = name.empty() ? nullptr : symbols.lookup<func::FuncOp>(name);
      return kernel && kernel.isPrivate() && !kernel.isExternal() ? kernel : nullptr;
    };
    auto isNode = [&](Operation *op) { return isa<memref::CopyOp>(op) || kernelOf(op); };
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (func::FuncOp kernel = kernelOf(op)) {
        add(op, describe(kernel), kernel.getName());
      } else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
        auto type = dyn_cast<MemRefType>(copy.getSource().getType());
        add(op, {"copy", 0, type ? llvm::SaturatingMultiply<uint64_t>(2, bytesOf(type)) : 0}, "copy");
      } else if (isa<LoopLikeOpInterface>(op)) {
        bool hasNodes = op->walk([&](Operation *inner) {
                            return isNode(inner) ? WalkResult::interrupt() : WalkResult::advance();
                          }).wasInterrupted();
        if (!hasNodes) {
          add(op, {"loop"}, "loop");
          return WalkResult::skip();
        }
      }
      return WalkResult::advance();
    });
    function->setAttr("rt.nodes", b.getArrayAttr(nodes));
  }
};

} // namespace
