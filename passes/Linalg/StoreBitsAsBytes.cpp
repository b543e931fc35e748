//===- StoreBitsAsBytes.cpp - masks in memory are bytes, not bits -------------------------------------------------===//
//
//   %mask = generic { yield %bit : i1 }, generic ins(%mask) { use(%bit) }
//   =>
//   %mask = generic { yield extui %bit : i8 }, generic ins(%mask) { use(trunci %byte) }
//
// Memory has a byte for each element of a tensor<i1> anyway, but vectors of i1 are packed: LLVM writes and reads their
// elements one by one. As bytes they are vectors like others, which may be in kernels over rows and in epilogues too.
//
// Tensors that anything but a linalg.generic reads stay as they are, and so do results of reductions, which are small.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGSTOREBITSASBYTESPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct StoreBitsAsBytes final : mlc::impl::LinalgStoreBitsAsBytesPassBase<StoreBitsAsBytes> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> masks;
    getOperation().walk([&](linalg::GenericOp op) {
      if (makesMask(op))
        masks.push_back(op);
    });
    for (linalg::GenericOp mask : masks) {
      widen(mask);
      ++numWidened;
    }
  }

  static bool makesMask(linalg::GenericOp op) {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || op.getNumReductionLoops())
      return false;
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    return type.getRank() && type.getElementType().isInteger(1) &&
           op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>() && op.getBody()->getArguments().back().use_empty() &&
           llvm::all_of(op.getResult(0).getUses(), [](OpOperand &use) {
             auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
             return reader && reader.hasPureTensorSemantics() && !reader.isDpsInit(&use);
           });
  }

  static void widen(linalg::GenericOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    Type byte = b.getI8Type();
    auto empty = op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>();
    Value init = tensor::EmptyOp::create(b, loc, empty.getMixedSizes(), byte);
    for (OpOperand &use : op.getResult(0).getUses()) {
      Block *body = cast<linalg::GenericOp>(use.getOwner()).getBody();
      BlockArgument element = body->getArgument(use.getOperandNumber());
      element.setType(byte);
      b.setInsertionPointToStart(body);
      auto bit = arith::TruncIOp::create(b, loc, b.getI1Type(), element);
      element.replaceAllUsesExcept(bit, bit);
    }
    op.getDpsInitsMutable()[0].set(init);
    op.getBody()->getArguments().back().setType(byte);
    op.getResult(0).setType(cast<RankedTensorType>(init.getType()));
    Operation *yield = op.getBody()->getTerminator();
    b.setInsertionPoint(yield);
    yield->setOperand(0, arith::ExtUIOp::create(b, loc, byte, yield->getOperand(0)));
  }
};

} // namespace
