//===- DepthwiseWindow.cpp - what depthwise windows of both layouts share -----------------------------------------===//
#include "passes/Vector/DepthwiseWindow.h"

#include "passes/Vector/VectorBody.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace mlc {

namespace {

/// Instructions of the epilogues of a tile that are worth a loop over its vectors.
constexpr int64_t kLargeEpilogue = 160;

int64_t weightOf(Block &epilogue) {
  int64_t weight = 0;
  for (Operation &op : epilogue)
    weight += isa_and_present<math::MathDialect>(op.getDialect()) ? 24 : 1;
  return weight;
}

Index larger(Arithmetic &a, Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return std::max(lhs.constant(), rhs.constant());
  return a.selectNotLess(lhs, rhs, lhs, rhs);
}

} // namespace

WindowLoops::WindowLoops(kernel::ContractOp op) {
  channelsLast = op.getRhsMap().isFunctionOfDim(3);
  channel = channelsLast ? 3 : 1;
  y = channelsLast ? 1 : 2;
  x = y + 1;
}

WindowAxis::WindowAxis(kernel::ContractOp op, const WindowLoops &loops, unsigned axis) {
  unsigned place = (loops.channelsLast ? 1 : 2) + axis, pixel = axis ? loops.x : loops.y,
           tap = axis ? loops.tapX : loops.tapY;
  AffineExpr read = op.getLhsMap().getResult(place);
  SmallVector<AffineExpr> zeros(op.getNumLoops(), getAffineConstantExpr(0, op.getContext()));
  low = -cast<AffineConstantExpr>(simplifyAffineExpr(read.replaceDims(zeros), 0, 0)).getValue();
  size = op.getSizes()[pixel];
  input = cast<ShapedType>(op.getLhs().getType()).getDimSize(place);
  taps = op.getSizes()[tap];
  stride = kernel::coefficientOf(read, pixel);
  dilation = taps == 1 ? 1 : kernel::coefficientOf(read, tap);
}

DepthwiseWindow::DepthwiseWindow(Arithmetic &a, kernel::ContractOp op, int64_t lanes)
    : a(a), op(op), lanes(lanes), loops(op), rows(op, loops, 0), columns(op, loops, 1) {
  for (auto [i, map] : llvm::enumerate(op.getMaps().getAsValueRange<AffineMapAttr>())) {
    operands.push_back(flatten(a, op->getOperand(i)));
    SmallVector<Index> &own = strides.emplace_back(op.getNumLoops(), Index(0));
    if (i == 1 && op.getPacked())
      continue;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      own[loop] = strideOf(a, operands[i], map, loop);
  }
}

void DepthwiseWindow::overParts(const WindowAxis &axis, int64_t step, llvm::function_ref<bool(int64_t)> isInside,
                                Index begin, Index end, llvm::function_ref<void(const WindowPart &)> body) {
  int64_t parts = llvm::divideCeil(axis.size, step);
  auto isWhole = [&](int64_t part) { return (part + 1) * step <= axis.size && isInside(part * step); };
  for (int64_t part = 0; part < parts;) {
    int64_t next = part;
    while (next < parts && isWhole(next))
      ++next;
    if (next - part > 1) {
      a.forEach(larger(a, begin, part), a.min(end, next), 1,
                [&](Index at) { body({a.mul(at, step), step, std::nullopt}); });
      part = next;
      continue;
    }
    int64_t first = part * step, count = std::min(step, axis.size - first);
    a.ifNotLess(part, begin, [&] { a.ifLess(part, end, [&] { body({first, count, first}); }); });
    ++part;
  }
}

void DepthwiseWindow::overParts(const WindowAxis &axis, int64_t step, llvm::function_ref<bool(int64_t)> isInside,
                                llvm::function_ref<void(const WindowPart &)> body) {
  overParts(axis, step, isInside, 0, static_cast<int64_t>(llvm::divideCeil(axis.size, step)), body);
}

SmallVector<Index> DepthwiseWindow::placeOf(Index n, Index c) {
  SmallVector<Index> place;
  for (auto [operand, own] : llvm::zip(operands, strides))
    place.push_back(a.add(operand.offset, a.add(a.mul(n, own[loops.image]), a.mul(c, own[loops.channel]))));
  place[0] = a.sub(a.sub(place[0], a.mul(rows.low, inputStride(0))), a.mul(columns.low, inputStride(1)));
  return place;
}

Value DepthwiseWindow::maskOf(llvm::function_ref<bool(int64_t)> exists) {
  SmallVector<bool> flags;
  for (int64_t lane = 0; lane < lanes; ++lane)
    flags.push_back(exists(lane));
  if (!llvm::is_contained(flags, false))
    return nullptr;
  auto type = vectorOf(a.b.getI1Type());
  return arith::ConstantOp::create(a.b, a.loc, DenseElementsAttr::get(type, flags));
}

Value DepthwiseWindow::load(unsigned operand, Index at, Value mask) {
  Value buffer = operands[operand].buffer;
  VectorType type = vectorOf(cast<MemRefType>(buffer.getType()).getElementType());
  if (!mask)
    return vector::LoadOp::create(a.b, a.loc, type, buffer, ValueRange{a.value(at)});
  Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(a.b, a.loc, type, buffer, ValueRange{a.value(at)}, mask, zero);
}

void DepthwiseWindow::multiplyAdd(Value &sum, Value input, int64_t i, int64_t j) {
  sum = vector::FMAOp::create(a.b, a.loc, input, taps[i * columns.taps + j], sum);
}

void DepthwiseWindow::prepareExtras(ArrayRef<Index> place, Value mask) {
  extras.assign(operands.size(), nullptr);
  for (unsigned operand = 2; operand + 1 < operands.size(); ++operand)
    if (strides[operand][loops.y].is(0) && strides[operand][loops.x].is(0))
      extras[operand] = extraAt(operand, place[operand], mask);
}

/// A vector of an operand of the epilogue.
Value DepthwiseWindow::extraAt(unsigned operand, Index at, Value mask) {
  unsigned vector = loops.channelsLast ? loops.channel : loops.x;
  if (!strides[operand][vector].is(0))
    return load(operand, at, mask);
  Value scalar = memref::LoadOp::create(a.b, a.loc, operands[operand].buffer, ValueRange{a.value(at)});
  return vector::BroadcastOp::create(a.b, a.loc, vectorOf(scalar.getType()), scalar);
}

void DepthwiseWindow::finish(ArrayRef<Index> place, Index line, Index pixel, int64_t lines, int64_t pixels,
                             ArrayRef<Value> sums, Value mask) {
  int64_t count = lines * pixels;
  if (count == 1 || weightOf(op.getEpilogue().front()) * count < kLargeEpilogue) {
    for (int64_t r = 0; r < lines; ++r)
      for (int64_t q = 0; q < pixels; ++q)
        finishOne(place, a.add(line, r), a.add(pixel, q), sums[r * pixels + q], mask);
    return;
  }
  // From the stack, one after the other, to keep the code small.
  Value scratch;
  {
    OpBuilder::InsertionGuard guard(a.b);
    a.b.setInsertionPointToStart(&op->getParentOfType<FunctionOpInterface>().getFunctionBody().front());
    auto type = MemRefType::get({count * lanes}, op.getSumType());
    scratch = memref::AllocaOp::create(a.b, a.loc, type, a.b.getI64IntegerAttr(64));
  }
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(a.b, a.loc, sum, scratch, ValueRange{a.value(static_cast<int64_t>(i) * lanes)});
  a.forEach(0, lines, 1, [&](Index r) {
    a.forEach(0, pixels, 1, [&](Index q) {
      Value at = a.value(a.mul(a.add(a.mul(r, pixels), q), lanes));
      Value sum = vector::LoadOp::create(a.b, a.loc, vectorOf(op.getSumType()), scratch, ValueRange{at});
      finishOne(place, a.add(line, r), a.add(pixel, q), sum, mask);
    });
  });
}

void DepthwiseWindow::finishOne(ArrayRef<Index> place, Index line, Index pixel, Value sum, Value mask) {
  auto at = [&](unsigned operand) {
    return a.add(place[operand],
                 a.add(a.mul(line, strides[operand][loops.y]), a.mul(pixel, strides[operand][loops.x])));
  };
  unsigned last = operands.size() - 1;
  SmallVector<Value> arguments{sum};
  for (unsigned operand = 2; operand < last; ++operand)
    arguments.push_back(extras[operand] ? extras[operand] : extraAt(operand, at(operand), mask));
  Value result = computeBody(a, op.getEpilogue().front(), arguments, lanes);
  Value buffer = operands[last].buffer, there = a.value(at(last));
  if (mask)
    vector::MaskedStoreOp::create(a.b, a.loc, buffer, ValueRange{there}, mask, result);
  else
    vector::StoreOp::create(a.b, a.loc, result, buffer, ValueRange{there});
}

} // namespace mlc
