//===- DotProducts.cpp - instructions that sum several products a lane --------------------------------------------===//
#include "passes/Vector/DotProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mlc {

namespace {

Type elementOf(Value value) { return getElementTypeOrSelf(value.getType()); }

bool sumsBytes(kernel::ContractOp op) {
  return op.getSumType().isInteger(32) && elementOf(op.getLhs()).isInteger(8) && elementOf(op.getRhs()).isInteger(8);
}

Value callIntrinsic(OpBuilder &b, Location loc, const Twine &name, Value sums, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, sums.getType(), b.getStringAttr(name), operands).getResult(0);
}

/// vpmaddwd, the widest there is for the lanes: pairs of products of 16-bit integers in 32 bits, which cannot overflow
/// for widened bytes.
Value multiplyPairs(OpBuilder &b, Location loc, Value lhs, Value rhs, Value sums) {
  int64_t lanes = cast<VectorType>(sums.getType()).getNumElements();
  StringRef name = lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                   : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                : "llvm.x86.sse2.pmadd.wd";
  return arith::AddIOp::create(b, loc, sums, callIntrinsic(b, loc, name, sums, {lhs, rhs}));
}

/// The bytes of a vector in 16 bits.
Value widenBytes(OpBuilder &b, Location loc, Value bytes, bool isUnsigned) {
  auto type = cast<VectorType>(bytes.getType()).clone(b.getI16Type());
  if (isUnsigned)
    return arith::ExtUIOp::create(b, loc, type, bytes);
  return arith::ExtSIOp::create(b, loc, type, bytes);
}

} // namespace

int64_t getGranule(kernel::ContractOp op, const DotTarget &target) {
  if (op.getSumType().isF32() && elementOf(op.getLhs()).isBF16() && elementOf(op.getRhs()).isBF16())
    return target.bf16 ? 2 : 1;
  if (!sumsBytes(op))
    return 1;
  if (target.int8 && (target.isX86 || target.isAArch64))
    return 4;
  return target.isX86 ? 2 : 1;
}

bool needsFlippedLhs(kernel::ContractOp op, const DotTarget &target) {
  bool sameSign = op.getLhsUnsigned() == op.getRhsUnsigned();
  return target.isX86 ? sameSign : !sameSign;
}

Value repeatGranule(OpBuilder &b, Location loc, kernel::ContractOp op, Value granule, int64_t lanes) {
  int64_t count = lanes * op.getGranule();
  Type element = elementOf(op.getLhs());
  Value repeated = vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, granule.getType()), granule);
  if (op.getLhsFlipped()) {
    Value bits = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(cast<VectorType>(repeated.getType()), b.getI32IntegerAttr(0x80808080).getValue()));
    repeated = arith::XOrIOp::create(b, loc, repeated, bits);
  }
  Value elements = vector::BitCastOp::create(b, loc, VectorType::get({count}, element), repeated);
  return sumsBytes(op) && op.getGranule() == 2 ? widenBytes(b, loc, elements, op.getLhsUnsigned()) : elements;
}

Value buildDot(OpBuilder &b, Location loc, kernel::ContractOp op, bool isX86, Value lhs, Value rhs, Value sums) {
  int64_t lanes = cast<VectorType>(sums.getType()).getNumElements();
  if (!sumsBytes(op)) {
    if (isX86)
      return callIntrinsic(b, loc, "llvm.x86.avx512bf16.dpbf16ps." + Twine(lanes * 32), sums, {sums, lhs, rhs});
    return callIntrinsic(b, loc, "llvm.aarch64.neon.bfdot.v4f32.v8bf16", sums, {sums, lhs, rhs});
  }
  if (op.getGranule() == 2)
    return multiplyPairs(b, loc, lhs, widenBytes(b, loc, rhs, op.getRhsUnsigned()), sums);
  // What lhs is after it was flipped.
  bool lhsUnsigned = op.getLhsUnsigned() != op.getLhsFlipped();
  if (isX86) {
    Value first = lhsUnsigned ? lhs : rhs, second = lhsUnsigned ? rhs : lhs;
    return callIntrinsic(b, loc, "llvm.x86.avx512.vpdpbusd." + Twine(lanes * 32), sums, {sums, first, second});
  }
  StringRef name = lhsUnsigned ? "llvm.aarch64.neon.udot.v4i32.v16i8" : "llvm.aarch64.neon.sdot.v4i32.v16i8";
  return callIntrinsic(b, loc, name, sums, {sums, lhs, rhs});
}

} // namespace mlc
