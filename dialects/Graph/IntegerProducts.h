//===- IntegerProducts.h - products of 8-bit integers around zero points -----------------------------*- C++ -*-===//
//
// Zero points stay outside of the product, so that it is one of 8-bit integers:
//
//   Σ (a - az) (b - bz) = Σ a b - az Σ b - bz Σ (a - az)
//
// Σ b is known at compile time where b is a weight, and Σ (a - az) is not needed where bz is zero, as most models have
// it. Shared by the importer and the passes: `Maker` has `make<Op>(operands and attributes…)` and gives a value.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_INTEGERPRODUCTS_H
#define MLC_DIALECTS_GRAPH_INTEGERPRODUCTS_H

#include "dialects/Graph/GraphDialect.h"

namespace mlc::graph {

/// 8-bit integers and the zero point they are around; null for zero. It broadcasts against the values.
struct QuantizedOperand {
  mlir::Value value, zeroPoint;
};

/// The value in i32, less its zero point.
template <typename Maker> mlir::Value makeCentred(Maker &maker, QuantizedOperand operand) {
  auto i32 = mlir::IntegerType::get(operand.value.getContext(), 32);
  mlir::Value wide = maker.template make<CastOp>(operand.value, i32);
  if (!operand.zeroPoint)
    return wide;
  return maker.template make<SubOp>(wide, maker.template make<CastOp>(operand.zeroPoint, i32));
}

/// The matrix product of `lhs` and `rhs` in i32. Zero points do not vary along the axis that is summed.
template <typename Maker> mlir::Value makeIntegerMatMul(Maker &maker, QuantizedOperand lhs, QuantizedOperand rhs) {
  auto i32 = mlir::IntegerType::get(lhs.value.getContext(), 32);
  auto sum = [&](mlir::Value value, int64_t fromEnd) {
    int64_t axis = llvm::cast<mlir::RankedTensorType>(value.getType()).getRank() - fromEnd;
    return maker.template make<ReduceOp>(ReduceKind::sum, value, llvm::ArrayRef(axis), /*keep_dims=*/true);
  };
  auto subtract = [&](mlir::Value result, mlir::Value zeroPoint, mlir::Value sums) {
    mlir::Value wide = maker.template make<CastOp>(zeroPoint, i32);
    return maker.template make<SubOp>(result, maker.template make<MulOp>(wide, sums));
  };
  mlir::Value result = maker.template make<MatMulOp>(lhs.value, rhs.value);
  if (lhs.zeroPoint)
    result = subtract(result, lhs.zeroPoint, sum(maker.template make<CastOp>(rhs.value, i32), 2));
  if (rhs.zeroPoint)
    result = subtract(result, rhs.zeroPoint, sum(makeCentred(maker, lhs), 1));
  return result;
}

/// The convolution of `input`, around a scalar zero point, with a filter around zero, in i32. The padding is the zero
/// point; `pads` as in graph.conv.
template <typename Maker>
mlir::Value makeIntegerConv(Maker &maker, QuantizedOperand input, mlir::Value filter, llvm::ArrayRef<int64_t> strides,
                            llvm::ArrayRef<int64_t> pads, llvm::ArrayRef<int64_t> dilations, int64_t groups) {
  auto i32 = mlir::IntegerType::get(filter.getContext(), 32);
  int64_t rank = llvm::cast<mlir::RankedTensorType>(filter.getType()).getRank();
  llvm::SmallVector<int64_t> none(pads.size(), 0), low(2, 0), high(2, 0), reduced, filtersSecond{1, 0};
  mlir::Value x = input.value;
  if (input.zeroPoint && llvm::any_of(pads, [](int64_t amount) { return amount != 0; })) {
    llvm::append_range(low, pads.take_front(pads.size() / 2));
    llvm::append_range(high, pads.drop_front(pads.size() / 2));
    x = maker.template make<PadOp>(PadMode::constant, x, input.zeroPoint, mlir::ValueRange(), mlir::ValueRange(), low,
                                   high);
    pads = none;
  }
  mlir::Value result = maker.template make<ConvOp>(x, filter, strides, pads, dilations, static_cast<uint64_t>(groups));
  if (!input.zeroPoint)
    return result;
  for (int64_t axis = 1; axis < rank; ++axis)
    reduced.push_back(axis);
  for (int64_t axis = 2; axis < rank; ++axis)
    filtersSecond.push_back(axis);
  mlir::Value sums = maker.template make<ReduceOp>(ReduceKind::sum, maker.template make<CastOp>(filter, i32), reduced,
                                                   /*keep_dims=*/true);
  sums = maker.template make<TransposeOp>(sums, filtersSecond); // [1, F, 1…]
  mlir::Value zeroPoint = maker.template make<CastOp>(input.zeroPoint, i32);
  return maker.template make<SubOp>(result, maker.template make<MulOp>(zeroPoint, sums));
}

} // namespace mlc::graph

#endif
