//===- NodeWork.cpp - what a kernel of the model does -------------------------------------------------------------===//
//
// Operations and bytes by the sizes of its loops. A contraction has two operations a product, another kernel those of
// its body times its iterations; of what is read by index, as by Gather, an element an iteration. Of a triangle it is
// about the half.
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

#include <variant>

using namespace mlir;

namespace mlc {

namespace {

/// A size of a loop: known, of a buffer in a run, or nobody's.
using Extent = std::variant<std::monostate, uint64_t, RuntimeSize>;

Amount productOf(ArrayRef<Extent> sizes) {
  Amount::Term term{1, {}};
  for (const Extent &size : sizes)
    if (auto *number = std::get_if<uint64_t>(&size))
      term.factor = llvm::SaturatingMultiply(term.factor, *number);
    else if (auto *ofRun = std::get_if<RuntimeSize>(&size))
      term.sizes.push_back(*ofRun);
    else
      return Amount::unknown();
  Amount amount;
  amount.add(std::move(term));
  return amount;
}

uint64_t bytesOf(Type element) {
  return element.isIntOrFloat() ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) : 8;
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
  explicit WorkCounter(Operation *op) : op(op) {}

  std::optional<SizedWork> count() {
    return llvm::TypeSwitch<Operation *, std::optional<SizedWork>>(op)
        .Case<kernel::ContractOp>([&](auto contract) {
          uint64_t ofProduct = contract.getTriangle() && !contract.hasDots() ? 1 : 2;
          return SizedWork{"contract", times(ofProduct, productOf(sizesOf(contract))), traffic()};
        })
        .Case<kernel::AttentionOp>([&](auto attention) {
          // Both products; the softmax is a few percent of them.
          SmallVector<Extent> first = sizesOf(attention), second = first;
          first[attention.getValueLoop()] = second[attention.getDepthLoop()] = uint64_t(1);
          Amount flops = times(2, productOf(first));
          flops.add(times(2, productOf(second)));
          return SizedWork{"attention", flops, traffic()};
        })
        .Case<kernel::RowsOp>([&](auto rows) { return ofRows(rows); })
        .Case<kernel::PackOp>([&](auto) { return SizedWork{"copy", {}, traffic()}; })
        .Case<memref::CopyOp>(
            [&](auto copy) { return SizedWork{"copy", {}, times(2, bytesOfBuffer(copy.getSource()))}; })
        .Case<linalg::LinalgOp>([&](auto loops) { return ofLoops(loops); })
        .Default([](Operation *) { return std::nullopt; });
  }

private:
  static Amount times(uint64_t factor, Amount amount) {
    amount.multiply(factor);
    return amount;
  }

  static Extent sizeAt(Value buffer, unsigned axis) {
    auto type = cast<MemRefType>(buffer.getType());
    return type.isDynamicDim(axis) ? Extent(RuntimeSize{buffer, axis}) : Extent(uint64_t(type.getDimSize(axis)));
  }

  static Amount bytesOfBuffer(Value buffer) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type)
      return Amount::unknown();
    SmallVector<Extent> sizes{bytesOf(type.getElementType())};
    for (unsigned axis = 0; axis < type.getRank(); ++axis)
      sizes.push_back(sizeAt(buffer, axis));
    return productOf(sizes);
  }

  /// Adds the bytes of a buffer that was not seen before.
  void see(Value buffer, const Amount &bytesOfThis) {
    if (seen.insert(wholeOf(buffer)).second)
      bytes.add(bytesOfThis);
  }

  /// The bytes of the operands.
  Amount traffic() {
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType()))
        see(operand, bytesOfBuffer(wholeOf(operand)));
    return bytes;
  }

  /// Fills in sizes of loops by those of an operand, of which `map` says how it is read. What is known stays.
  static void learn(MutableArrayRef<Extent> sizes, Value operand, AffineMap map) {
    Value whole = wholeOf(operand);
    if (!isa<MemRefType>(whole.getType()) || cast<MemRefType>(whole.getType()).getRank() != map.getNumResults())
      return;
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
        Extent &size = sizes[loop.getPosition()], here = sizeAt(whole, axis);
        if (std::holds_alternative<std::monostate>(size) || std::holds_alternative<uint64_t>(here))
          size = here;
      }
  }

  template <typename Op> SmallVector<Extent> sizesOf(Op kernel) {
    SmallVector<Extent> sizes;
    for (int64_t size : kernel.getSizes())
      sizes.push_back(ShapedType::isDynamic(size) ? Extent() : Extent(uint64_t(size)));
    SmallVector<Extent> learnt(sizes.size());
    for (auto [operand, map] : llvm::zip(op->getOperands(), kernel.getMaps().template getAsValueRange<AffineMapAttr>()))
      learn(learnt, operand, map);
    for (auto [size, other] : llvm::zip(sizes, learnt))
      if (std::holds_alternative<std::monostate>(size))
        size = other;
    return sizes;
  }

  SizedWork ofRows(kernel::RowsOp rows) {
    kernel::RowValues values(rows);
    uint64_t flops = 0;
    for (Operation &inner : rows.getBody().front().without_terminator())
      if (isa<kernel::ReduceOp>(inner))
        ++flops;
      else if (!values.isOfRow(inner.getResult(0)))
        flops += flopsOf(&inner);
    if (rows.getTriangle())
      flops = llvm::divideCeil(flops, 2);
    return {"rows", times(flops, productOf(sizesOf(rows))), traffic()};
  }

  SizedWork ofLoops(linalg::LinalgOp loops) {
    SizedWork work;
    work.kind = isa<linalg::FillOp>(op) ? "fill" : loops.getNumReductionLoops() ? "reduction" : "elementwise";
    SmallVector<Extent> sizes(loops.getNumLoops());
    for (OpOperand &operand : op->getOpOperands())
      learn(sizes, operand.get(), loops.getMatchingIndexingMap(&operand));
    Amount iterations = productOf(sizes);
    uint64_t flops = 0;
    traffic();
    op->walk([&](Operation *inner) {
      flops += flopsOf(inner);
      if (auto load = dyn_cast<memref::LoadOp>(inner))
        see(load.getMemRef(), times(bytesOf(load.getMemRefType().getElementType()), iterations));
    });
    work.flops = times(flops, iterations);
    work.bytes = bytes;
    if (flops == 0 && work.kind == "elementwise")
      work.kind = "copy";
    return work;
  }

  Operation *op;
  llvm::SmallDenseSet<Value> seen;
  Amount bytes;
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

void Amount::add(const Amount &other) {
  known &= other.known;
  terms.append(other.terms.begin(), other.terms.end());
}

void Amount::multiply(uint64_t factor) {
  for (Term &term : terms)
    term.factor = llvm::SaturatingMultiply(term.factor, factor);
}

bool Amount::isOfRun() const {
  return known && llvm::any_of(terms, [](const Term &term) { return term.factor != 0 && !term.sizes.empty(); });
}

uint64_t Amount::evaluate(SizeOfBuffer sizeOf) const {
  uint64_t sum = 0;
  for (const Term &term : terms) {
    uint64_t product = term.factor;
    for (RuntimeSize size : term.sizes) {
      int64_t number = sizeOf ? sizeOf(size.buffer, size.axis) : ShapedType::kDynamic;
      if (ShapedType::isDynamic(number))
        return 0;
      product = llvm::SaturatingMultiply<uint64_t>(product, number);
    }
    sum = llvm::SaturatingAdd(sum, product);
  }
  return known ? sum : 0;
}

std::optional<SizedWork> sizedWorkOf(Operation *op) { return WorkCounter(op).count(); }

std::optional<NodeWork> workOf(Operation *op, SizeOfBuffer sizeOf) {
  std::optional<SizedWork> work = sizedWorkOf(op);
  if (!work)
    return std::nullopt;
  return NodeWork{work->kind, work->flops.evaluate(sizeOf), work->bytes.evaluate(sizeOf)};
}

std::string nodeNameOf(Location loc, StringRef fallback) {
  llvm::SetVector<StringRef> names;
  collectNames(loc, names);
  return names.empty() ? fallback.str() : llvm::join(names, "+");
}

} // namespace mlc
