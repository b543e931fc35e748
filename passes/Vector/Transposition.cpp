//===- Transposition.cpp - loops that exchange the contiguous axis ------------------------------------------------===//
#include "passes/Vector/Transposition.h"

using namespace mlir;

namespace mlc {

namespace {

/// Elements that vectors can be made of as they lie in memory.
bool isVectorElement(Type type) {
  return type.isIntOrFloat() && llvm::is_contained({8u, 16u, 32u, 64u}, type.getIntOrFloatBitWidth());
}

/// The stride of `operand` for every loop; nothing where it is not known statically.
SmallVector<std::optional<int64_t>> stridesOf(linalg::GenericOp op, OpOperand *operand) {
  SmallVector<std::optional<int64_t>> result(op.getNumLoops(), 0);
  SmallVector<int64_t> strides;
  int64_t offset;
  auto type = cast<MemRefType>(operand->get().getType());
  bool strided = succeeded(type.getStridesAndOffset(strides, offset));
  for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(operand).getResults()))
    if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
      bool known = strided && !ShapedType::isDynamic(strides[axis]);
      result[loop.getPosition()] = known ? std::optional(strides[axis]) : std::nullopt;
    }
  return result;
}

/// The loop of more than one iteration that moves `operand` by one element.
std::optional<unsigned> contiguousLoop(ArrayRef<std::optional<int64_t>> strides, ArrayRef<int64_t> sizes) {
  for (auto [loop, stride] : llvm::enumerate(strides))
    if (stride == 1 && sizes[loop] != 1)
      return loop;
  return std::nullopt;
}

/// Whether the body computes elements from elements by ops that exist for vectors.
bool isElementwise(linalg::GenericOp op) {
  return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return (isa<arith::ConstantOp>(inner) || OpTrait::hasElementwiseMappableTraits(&inner)) &&
           llvm::all_of(inner.getResultTypes(), [](Type type) { return type.isIntOrFloat(); });
  });
}

} // namespace

std::optional<Transposition> matchTransposition(linalg::GenericOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumReductionLoops() || op.getNumDpsInits() != 1 || op.hasIndexSemantics() ||
      !isElementwise(op))
    return std::nullopt;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || !isVectorElement(type.getElementType()) ||
        !op.getMatchingIndexingMap(&operand).isProjectedPermutation(/*allowZeroInResults=*/true))
      return std::nullopt;
  }
  OpOperand *init = op.getDpsInitOperand(0);
  if (!op.getMatchingIndexingMap(init).isPermutation() || op.payloadUsesValueFromOperand(init))
    return std::nullopt;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  auto column = contiguousLoop(stridesOf(op, init), sizes);
  if (!column)
    return std::nullopt;
  std::optional<unsigned> row;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    SmallVector<std::optional<int64_t>> strides = stridesOf(op, operand);
    if (strides[*column] == 0 || strides[*column] == 1)
      continue;
    auto here = contiguousLoop(strides, sizes);
    if (!here || (row && *row != *here))
      return std::nullopt;
    row = here;
  }
  if (!row)
    return std::nullopt;
  return Transposition{*row, *column};
}

SmallVector<Value> transposeVectors(OpBuilder &b, Location loc, SmallVector<Value> rows) {
  auto type = cast<VectorType>(rows.front().getType());
  int64_t size = rows.size(), segment = std::min<int64_t>(size, 128 / type.getElementTypeBitWidth());
  assert(type.getDimSize(0) == size && llvm::isPowerOf2_64(size) && "a square of a power of two");
  auto shuffle = [&](Value lhs, Value rhs, ArrayRef<int64_t> lanes) {
    return Value(vector::ShuffleOp::create(b, loc, lhs, rhs, lanes));
  };
  // Squares of segment by segment elements within 128 bits: interleaving rows i and i + half, log2 times.
  for (int64_t group = 0; group < size; group += segment)
    for (int64_t step = 1; step < segment; step *= 2) {
      SmallVector<Value> before(rows.begin() + group, rows.begin() + group + segment);
      for (int64_t i = 0; i < segment / 2; ++i)
        for (int64_t high = 0; high < 2; ++high) {
          SmallVector<int64_t> lanes;
          for (int64_t at = 0; at < size; ++at) {
            int64_t inside = at % segment, from = at - inside + high * segment / 2 + inside / 2;
            lanes.push_back(inside % 2 ? size + from : from);
          }
          rows[group + 2 * i + high] = shuffle(before[i], before[i + segment / 2], lanes);
        }
    }
  // Whole segments between rows of equal places in their groups: separating even and odd ones, log2 times.
  int64_t groups = size / segment;
  for (int64_t place = 0; place < segment; ++place)
    for (int64_t step = 1; step < groups; step *= 2) {
      SmallVector<Value> before;
      for (int64_t group = 0; group < groups; ++group)
        before.push_back(rows[group * segment + place]);
      for (int64_t i = 0; i < groups / 2; ++i)
        for (int64_t odd = 0; odd < 2; ++odd) {
          SmallVector<int64_t> lanes;
          for (int64_t at = 0; at < size; ++at)
            lanes.push_back((2 * (at / segment) + odd) * segment + at % segment);
          rows[(i + odd * groups / 2) * segment + place] = shuffle(before[2 * i], before[2 * i + 1], lanes);
        }
    }
  return rows;
}

} // namespace mlc
