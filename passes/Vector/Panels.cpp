//===- Panels.cpp - the operand of a contraction in the order in which its tiles read it --------------------------===//
#include "passes/Vector/Panels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mlc {

Panels::Panels(kernel::ContractOp op, int64_t width, int64_t granule)
    : vector(kernel::getVectorLoop(op)), granuleLoop(kernel::getGranuleLoop(op)), width(width), granule(granule) {
  ArrayRef<int64_t> sizes = op.getSizes();
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (loop != vector && op.getRhsMap().isFunctionOfDim(loop) && !(granule > 1 && loop == granuleLoop))
      (loop < op.getParallel() ? outer : inner).push_back(loop);
  SmallVector<int64_t> shape;
  for (int64_t loop : outer)
    shape.push_back(sizes[loop]);
  shape.push_back(llvm::divideCeil(sizes[vector], width));
  for (int64_t loop : inner)
    shape.push_back(sizes[loop]);
  if (granule > 1)
    shape.push_back(llvm::divideCeil(sizes[granuleLoop], granule));
  shape.push_back(width);
  if (granule > 1)
    shape.push_back(granule);
  type = RankedTensorType::get(shape, getElementTypeOrSelf(op.getRhs().getType()));
}

Value packAtRunTime(kernel::ContractOp op, const Panels &panels) {
  OpBuilder b(op);
  auto granules = panels.granule > 1 ? b.getI64IntegerAttr(panels.granuleLoop) : IntegerAttr();
  Value empty = tensor::EmptyOp::create(b, op.getLoc(), panels.type.getShape(), panels.type.getElementType());
  return kernel::PackOp::create(b, op.getLoc(), TypeRange{panels.type}, op.getRhs(), empty, op.getRhsMap(),
                                op.getSizes(), panels.outer, panels.vector, panels.inner, granules)
      .getResult(0);
}

Value sumAtRunTime(kernel::ContractOp op, ArrayRef<int64_t> summed, bool negative) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getRhs().getType());
  auto i32 = b.getI32Type();
  SmallVector<int64_t> shape;
  SmallVector<AffineExpr> kept;
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::reduction);
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (!llvm::is_contained(summed, axis)) {
      shape.push_back(type.getDimSize(axis));
      kept.push_back(b.getAffineDimExpr(axis));
      iterators[axis] = utils::IteratorType::parallel;
    }
  Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
  Value factor = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(negative ? -128 : 128));
  Value empty = tensor::EmptyOp::create(b, loc, shape, i32);
  Value init = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(type.getRank()),
                              AffineMap::get(type.getRank(), 0, kept, b.getContext())};
  bool isUnsigned = op.getRhsUnsigned();
  return linalg::GenericOp::create(b, loc, init.getType(), op.getRhs(), init, maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     Value wide = isUnsigned ? Value(arith::ExtUIOp::create(b, loc, i32, args[0]))
                                                             : Value(arith::ExtSIOp::create(b, loc, i32, args[0]));
                                     Value term = arith::MulIOp::create(b, loc, wide, factor);
                                     linalg::YieldOp::create(b, loc,
                                                             Value(arith::AddIOp::create(b, loc, args[1], term)));
                                   })
      .getResult(0);
}

} // namespace mlc
