//===- CollapseLoops.cpp - element-wise loops over what lies side by side are one ---------------------------------===//
//
// LLVM vectorises the innermost loop alone, and the one over the taps of a filter has three iterations. Neighbouring
// loops are joined where every operand continues from one to the other without a gap, or moves with neither. On memory,
// because strides are known there, and after kernels are cut into ranges, whose outermost loop has to be an axis.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGCOLLAPSELOOPSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// The axis that loop `loop` moves along.
std::optional<unsigned> axisOf(AffineMap map, unsigned loop) {
  for (auto [axis, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(loop))
      return axis;
  return std::nullopt;
}

/// Whether a step along `axis` is what the axis behind it covers.
bool continuesInto(MemRefType type, unsigned axis) {
  if (type.getLayout().isIdentity())
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || ShapedType::isDynamic(strides[axis]) ||
      ShapedType::isDynamic(strides[axis + 1]) || type.isDynamicDim(axis + 1))
    return false;
  return strides[axis] == strides[axis + 1] * type.getDimSize(axis + 1);
}

/// Whether all operands continue from a loop to the next one.
bool joins(linalg::GenericOp op, unsigned loop) {
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto around = axisOf(map, loop), inside = axisOf(map, loop + 1);
    if (!around || !inside)
      return !around && !inside;
    return *inside == *around + 1 && continuesInto(cast<MemRefType>(operand.get().getType()), *around);
  });
}

/// `buffer` with each group of axes as one.
Value collapse(OpBuilder &b, Location loc, Value buffer, ArrayRef<ReassociationIndices> groups) {
  auto type = cast<MemRefType>(buffer.getType());
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, buffer);
  SmallVector<OpFoldResult> all = metadata.getConstifiedMixedSizes(), steps = metadata.getConstifiedMixedStrides(),
                            sizes, strides;
  for (const ReassociationIndices &group : groups) {
    OpFoldResult size = all[group.front()];
    for (int64_t axis : ArrayRef(group).drop_front()) {
      auto lhs = getConstantIntValue(size), rhs = getConstantIntValue(all[axis]);
      size = lhs && rhs
                 ? OpFoldResult(b.getIndexAttr(*lhs * *rhs))
                 : OpFoldResult(b.createOrFold<arith::MulIOp>(loc, getValueOrCreateConstantIndexOp(b, loc, size),
                                                              getValueOrCreateConstantIndexOp(b, loc, all[axis])));
    }
    sizes.push_back(size);
    strides.push_back(steps[group.back()]);
  }
  OpFoldResult offset = metadata.getConstifiedMixedOffset();
  auto [shape, dynamicSizes] = decomposeMixedValues(sizes);
  auto [numbers, dynamicStrides] = decomposeMixedValues(strides);
  auto start = getConstantIntValue(offset);
  auto layout = StridedLayoutAttr::get(b.getContext(), start ? *start : ShapedType::kDynamic, numbers);
  auto collapsed = MemRefType::get(shape, type.getElementType(), layout, type.getMemorySpace());
  return memref::ReinterpretCastOp::create(b, loc, collapsed, metadata.getBaseBuffer(), offset, sizes, strides);
}

struct CollapseLoops final : mlc::impl::LinalgCollapseLoopsPassBase<CollapseLoops> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureBufferSemantics() && op.getNumParallelLoops() == op.getNumLoops() && op.getNumLoops() > 1 &&
          !op.hasIndexSemantics() && llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
            return isa<MemRefType>(operand.get().getType()) &&
                   op.getMatchingIndexingMap(&operand).isProjectedPermutation(/*allowZeroInResults=*/true);
          }))
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops) {
      SmallVector<ReassociationIndices> groups{{0}};
      for (unsigned loop = 1; loop < op.getNumLoops(); ++loop)
        if (joins(op, loop - 1))
          groups.back().push_back(loop);
        else
          groups.push_back({static_cast<int64_t>(loop)});
      if (groups.size() == op.getNumLoops())
        continue;
      rebuild(op, groups);
      ++numCollapsed;
    }
  }

  /// `op` with each group of loops as one.
  static void rebuild(linalg::GenericOp op, ArrayRef<ReassociationIndices> groups) {
    OpBuilder b(op);
    SmallVector<unsigned> groupOf(op.getNumLoops());
    for (auto [i, group] : llvm::enumerate(groups))
      for (int64_t loop : group)
        groupOf[loop] = i;
    SmallVector<Value> inputs, outputs;
    SmallVector<AffineMap> maps;
    for (OpOperand &operand : op->getOpOperands()) {
      SmallVector<ReassociationIndices> axes;
      SmallVector<AffineExpr> exprs;
      for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        AffineExpr now = loop ? b.getAffineDimExpr(groupOf[loop.getPosition()]) : expr;
        if (loop && !exprs.empty() && exprs.back() == now) {
          axes.back().push_back(static_cast<int64_t>(axis));
          continue;
        }
        axes.push_back({static_cast<int64_t>(axis)});
        exprs.push_back(now);
      }
      maps.push_back(AffineMap::get(groups.size(), 0, exprs, b.getContext()));
      Value buffer = operand.get();
      if (axes.size() != op.getMatchingIndexingMap(&operand).getNumResults())
        buffer = collapse(b, op.getLoc(), buffer, axes);
      (op.isDpsInput(&operand) ? inputs : outputs).push_back(buffer);
    }
    SmallVector<utils::IteratorType> iterators(groups.size(), utils::IteratorType::parallel);
    auto collapsed = linalg::GenericOp::create(b, op.getLoc(), TypeRange{}, inputs, outputs, maps, iterators);
    collapsed.getRegion().takeBody(op.getRegion());
    op.erase();
  }
};

} // namespace
