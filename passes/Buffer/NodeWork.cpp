//===- NodeWork.cpp - what a kernel of the model does -------------------------------------------------------------===//
//
// Operations and bytes by the sizes of its loops. A contraction has two operations a product, another kernel those of
// its body times its iterations; of what is read by index, as by Gather, an element an iteration.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Buffer/NodeWork.h"

#include "dialects/Kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace mlc {

namespace {

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

/// The whole buffer of which a range of a kernel works on a part.
Value wholeOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<memref::SubViewOp>())
    buffer = view.getSource();
  return buffer;
}

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

/// Counts the work of one op.
class WorkCounter final {
public:
  WorkCounter(Operation *op, SizeOfBuffer sizeOf) : op(op), sizeOf(sizeOf) {}

  std::optional<NodeWork> count() {
    return llvm::TypeSwitch<Operation *, std::optional<NodeWork>>(op)
        .Case<kernel::ContractOp>([&](auto contract) {
          return NodeWork{"contract", llvm::SaturatingMultiply<uint64_t>(2, productOf(sizesOf(contract))), traffic()};
        })
        .Case<kernel::AttentionOp>([&](auto attention) {
          // Both products; the softmax is a few percent of them.
          SmallVector<int64_t> sizes = sizesOf(attention);
          uint64_t scores = productOf(ArrayRef(sizes).drop_back()), values = sizes[attention.getValueLoop()],
                   depth = sizes[attention.getDepthLoop()];
          return NodeWork{"attention",
                          llvm::SaturatingMultiply<uint64_t>(2 * (values + depth), values ? scores / values : 0),
                          traffic()};
        })
        .Case<kernel::RowsOp>([&](auto rows) { return ofRows(rows); })
        .Case<kernel::PackOp>([&](auto) { return NodeWork{"copy", 0, traffic()}; })
        .Case<memref::CopyOp>([&](auto copy) {
          return NodeWork{"copy", 0, llvm::SaturatingMultiply<uint64_t>(2, bytesOfBuffer(copy.getSource()))};
        })
        .Case<linalg::LinalgOp>([&](auto loops) { return ofLoops(loops); })
        .Default([](Operation *) { return std::nullopt; });
  }

private:
  int64_t sizeAt(Value buffer, unsigned axis) {
    auto type = cast<MemRefType>(buffer.getType());
    return !sizeOf || !type.isDynamicDim(axis) ? type.getDimSize(axis) : sizeOf(buffer, axis);
  }

  /// 0 where a size is unknown.
  uint64_t bytesOfBuffer(Value buffer) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type)
      return 0;
    SmallVector<int64_t> sizes;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      sizes.push_back(sizeAt(buffer, axis));
    return bytesOf(type.getElementType(), productOf(sizes));
  }

  /// Adds the bytes of a buffer that was not seen before.
  void see(Value buffer, uint64_t bytesOfThis) {
    if (!seen.insert(wholeOf(buffer)).second)
      return;
    bytes = llvm::SaturatingAdd(bytes, bytesOfThis);
    isKnown &= bytesOfThis != 0;
  }

  /// The bytes of the operands; 0 as soon as one is unknown.
  uint64_t traffic() {
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType()))
        see(operand, bytesOfBuffer(wholeOf(operand)));
    return isKnown ? bytes : 0;
  }

  /// Fills in sizes of loops by those of an operand, of which `map` says how it is read.
  void learn(MutableArrayRef<int64_t> sizes, Value operand, AffineMap map) {
    Value whole = wholeOf(operand);
    if (!isa<MemRefType>(whole.getType()) || cast<MemRefType>(whole.getType()).getRank() != map.getNumResults())
      return;
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        if (int64_t size = sizeAt(whole, axis); !ShapedType::isDynamic(size))
          sizes[loop.getPosition()] = size;
  }

  template <typename Op> SmallVector<int64_t> sizesOf(Op kernel) {
    SmallVector<int64_t> sizes(kernel.getSizes());
    if (sizeOf && llvm::any_of(sizes, ShapedType::isDynamic))
      for (auto [operand, map] :
           llvm::zip(op->getOperands(), kernel.getMaps().template getAsValueRange<AffineMapAttr>()))
        learn(sizes, operand, map);
    return sizes;
  }

  NodeWork ofRows(kernel::RowsOp rows) {
    kernel::RowValues values(rows);
    uint64_t flops = 0;
    for (Operation &inner : rows.getBody().front().without_terminator())
      if (isa<kernel::ReduceOp>(inner))
        ++flops;
      else if (!values.isOfRow(inner.getResult(0)))
        flops += flopsOf(&inner);
    return {"rows", llvm::SaturatingMultiply(productOf(sizesOf(rows)), flops), traffic()};
  }

  NodeWork ofLoops(linalg::LinalgOp loops) {
    NodeWork work;
    work.kind = isa<linalg::FillOp>(op) ? "fill" : loops.getNumReductionLoops() ? "reduction" : "elementwise";
    SmallVector<int64_t> sizes(loops.getNumLoops(), ShapedType::kDynamic);
    for (OpOperand &operand : op->getOpOperands())
      learn(sizes, operand.get(), loops.getMatchingIndexingMap(&operand));
    uint64_t iterations = productOf(sizes), flops = 0;
    traffic();
    op->walk([&](Operation *inner) {
      flops += flopsOf(inner);
      if (auto load = dyn_cast<memref::LoadOp>(inner))
        see(load.getMemRef(), bytesOf(load.getMemRefType().getElementType(), iterations));
    });
    work.flops = llvm::SaturatingMultiply(iterations, flops);
    work.bytes = isKnown ? bytes : 0;
    if (flops == 0 && work.kind == "elementwise")
      work.kind = "copy";
    return work;
  }

  Operation *op;
  SizeOfBuffer sizeOf;
  llvm::SmallDenseSet<Value> seen;
  uint64_t bytes = 0;
  bool isKnown = true;
};

void collectNames(Location loc, llvm::SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(loc))
    names.insert(name.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectNames(part, names);
  else if (auto call = dyn_cast<CallSiteLoc>(loc))
    collectNames(call.getCallee(), names);
}

} // namespace

std::optional<NodeWork> workOf(Operation *op, SizeOfBuffer sizeOf) { return WorkCounter(op, sizeOf).count(); }

std::string nodeNameOf(Location loc, StringRef fallback) {
  llvm::SetVector<StringRef> names;
  collectNames(loc, names);
  return names.empty() ? fallback.str() : llvm::join(names, "+");
}

} // namespace mlc
