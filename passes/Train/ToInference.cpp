//===- ToInference.cpp - layers that train differently, at inference ----------------------------------------------===//
//
// train.dropout, train.random_flip and train.random_crop are their input. train.batch_norm is graph.batch_norm by the
// running statistics, whose channels are axis 1: where they are another axis it stands between transpositions, which
// the layout passes take away.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Train/Passes.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINTOINFERENCEPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

Value transposed(OpBuilder &b, Location loc, Value input, ArrayRef<int64_t> permutation) {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<int64_t> sizes;
  for (int64_t axis : permutation)
    sizes.push_back(type.getDimSize(axis));
  return graph::TransposeOp::create(b, loc, RankedTensorType::get(sizes, type.getElementType()), input, permutation);
}

Value normalize(train::BatchNormOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  int64_t rank = cast<RankedTensorType>(op.getInput().getType()).getRank(), axis = op.getAxis();
  SmallVector<int64_t> there = llvm::to_vector(llvm::seq<int64_t>(0, rank)), back;
  there.erase(there.begin() + axis);
  there.insert(there.begin() + std::min<int64_t>(1, rank - 1), axis);
  back = invertPermutationVector(there);
  bool moves = axis != 1;
  Value input = moves ? transposed(b, loc, op.getInput(), there) : op.getInput();
  Value result = graph::BatchNormOp::create(b, loc, input.getType(), input, op.getScale(), op.getBias(), op.getMean(),
                                            op.getVariance(), op.getEpsilonAttr());
  return moves ? transposed(b, loc, result, back) : result;
}

struct ToInference final : mlc::impl::TrainToInferencePassBase<ToInference> {
  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      Value replacement;
      if (isa<train::DropoutOp, train::RandomFlipOp, train::RandomCropOp>(op))
        replacement = op->getOperand(0);
      else if (auto norm = dyn_cast<train::BatchNormOp>(op))
        replacement = normalize(norm);
      if (!replacement)
        return;
      op->getResult(0).replaceAllUsesWith(replacement);
      op->erase();
      ++numReplaced;
    });
  }
};

} // namespace
