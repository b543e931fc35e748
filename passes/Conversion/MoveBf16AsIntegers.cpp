//===- MoveBf16AsIntegers.cpp - what only moves bf16 moves integers of 16 bits ------------------------------------===//
//
//   %x = llvm.intr.masked.load %p, %mask, %zero : vector<16xbf16>;  %y = llvm.bitcast %x : vector<16xbf16> to
//   vector<16xi16>
//   =>
//   %x = llvm.intr.masked.load %p, %mask, %zero : vector<16xi16>
//
// Without instructions for bf16 LLVM's x86 backend takes a vector of it apart wherever a mask or a shuffle moves it,
// and sends each element through f32, by a call of a function. When this pass runs, arithmetic is done in f32 and
// conversions are integer instructions (arith-emulate-unsupported-floats, arith-expand), so that bf16 is bits that are
// moved; a function of which that is not true stays as it is.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace mlc {
#define GEN_PASS_DEF_MOVEBF16ASINTEGERSPASS
#include "passes/Conversion/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

bool hasBf16(Type type) {
  return type.walk([](BFloat16Type) { return WalkResult::interrupt(); }).wasInterrupted();
}

/// Whether the op does with integers of 16 bits what it does with bf16.
bool moves(Operation *op) {
  return isa<LLVM::AllocaOp, LLVM::BitcastOp, LLVM::BrOp, LLVM::CondBrOp, LLVM::ConstantOp, LLVM::ExtractElementOp,
             LLVM::ExtractValueOp, LLVM::FreezeOp, LLVM::GEPOp, LLVM::InsertElementOp, LLVM::InsertValueOp,
             LLVM::LoadOp, LLVM::MaskedLoadOp, LLVM::MaskedStoreOp, LLVM::PoisonOp, LLVM::SelectOp,
             LLVM::ShuffleVectorOp, LLVM::StoreOp, LLVM::SwitchOp, LLVM::UndefOp, LLVM::ZeroOp, LLVM::masked_gather,
             LLVM::masked_scatter, LLVM::masked_compressstore, LLVM::masked_expandload, LLVM::vector_extract,
             LLVM::vector_insert>(op);
}

/// Whether everything of bf16 in the function is moved, and there is any.
bool onlyMoves(LLVM::LLVMFuncOp function) {
  if (hasBf16(function.getFunctionType()))
    return false;
  bool any = false;
  WalkResult result = function.walk([&](Operation *op) {
    if (llvm::none_of(op->getOperandTypes(), hasBf16) && llvm::none_of(op->getResultTypes(), hasBf16))
      return WalkResult::advance();
    any = true;
    return moves(op) ? WalkResult::advance() : WalkResult::interrupt();
  });
  return any && !result.wasInterrupted();
}

struct MoveBf16AsIntegers final : mlc::impl::MoveBf16AsIntegersPassBase<MoveBf16AsIntegers> {
  void runOnOperation() override {
    auto bits = IntegerType::get(&getContext(), 16);
    AttrTypeReplacer replacer;
    replacer.addReplacement([=](BFloat16Type) -> Type { return bits; });
    replacer.addReplacement([=](FloatAttr attr) -> Attribute {
      return attr.getType().isBF16() ? Attribute(IntegerAttr::get(bits, attr.getValue().bitcastToAPInt())) : attr;
    });
    replacer.addReplacement([=](DenseFPElementsAttr attr) -> std::pair<Attribute, WalkResult> {
      return {attr.getElementType().isBF16() ? attr.bitcast(bits) : attr, WalkResult::skip()};
    });
    getOperation().walk([&](LLVM::LLVMFuncOp function) {
      if (!onlyMoves(function))
        return;
      replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                            /*replaceTypes=*/true);
      ++numFunctions;
    });
  }
};

} // namespace
