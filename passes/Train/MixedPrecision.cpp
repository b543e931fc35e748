//===- MixedPrecision.cpp - products and activations in bf16, weights in f32 --------------------------------------===//
//
// On the model, before gradients are asked for: the gradient of a cast is a cast, so cotangents have the precision of
// what they are of. Products (matmul, convolutions) take bf16, sum in f32 and give bf16. What follows them element by
// element or moves elements stays in bf16, as long as all it reads is bf16 already, a weight or a constant; so do
// normalizations, which compute in f32 within themselves. Everything else, such as reductions, softmax and recurrences,
// takes and gives f32, as do loss and optimizer. Every value is cast once, behind the op that it comes from.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Train/Config.h"
#include "passes/Train/Passes.h"

namespace mlc {
#define GEN_PASS_DEF_TRAINMIXEDPRECISIONPASS
#include "passes/Train/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;
using namespace mlc::graph;

namespace {

bool isSingle(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

bool isProduct(Operation *op) { return isa<ConvOp, ConvTransposeOp, MatMulOp>(op); }

bool movesElements(Operation *op) {
  return isa<ConcatOp, ExpandOp, PadOp, ReshapeOp, SliceOp, TransposeOp, train::DropoutOp>(op);
}

/// Whether halves are as good as singles for the op, where its operands are halves already.
bool follows(Operation *op) {
  return movesElements(op) || isa<NormalizeOp, PoolOp, AbsOp, AddOp, DivOp, ErfOp, MaxOp, MinOp, MulOp, NegOp, SelectOp,
                                  SigmoidOp, SignOp, SubOp, TanhOp>(op);
}

/// Lowers the ops of one block.
class Lowering final {
public:
  uint64_t lower(Block &block) {
    uint64_t lowered = 0;
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
      if (isWanted(&op)) {
        lower(&op);
        ++lowered;
      } else if (isa<train::BatchNormOp>(op) && isHalf(op.getOperand(0))) {
        round(op.getResult(0)); // its statistics are f32
      }
    return lowered;
  }

private:
  bool isWanted(Operation *op) {
    if (op->getNumResults() != 1 || !isSingle(op->getResult(0)))
      return false;
    SmallVector<Value> singles = llvm::filter_to_vector(op->getOperands(), isSingle);
    if (isProduct(op))
      return llvm::all_of(op->getOperands(), [](Value operand) {
        return isSingle(operand) || !isa<FloatType>(getElementTypeOrSelf(operand.getType()));
      });
    bool ofWeights = llvm::all_of(singles, [&](Value operand) { return isWeight(operand); });
    if (isa<WeightOp, ConstantOp>(op) || (movesElements(op) && ofWeights && !singles.empty()))
      weights.insert(op->getResult(0));
    return follows(op) && !ofWeights &&
           llvm::all_of(singles, [&](Value operand) { return isWeight(operand) || isHalf(operand); });
  }

  /// A weight or a constant, whatever its shape was made.
  bool isWeight(Value value) const { return weights.contains(value); }
  /// A value that was computed in bf16.
  bool isHalf(Value value) const {
    auto cast = value.getDefiningOp<CastOp>();
    return cast && cast.getInput().getType().getElementType().isBF16();
  }

  void lower(Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (isSingle(operand.get()))
        operand.set(inHalf(operand.get()));
    Value result = op->getResult(0);
    Type single = result.getType();
    result.setType(halfOf(result));
    offer(result, single, result);
  }

  /// Lets all who read `value` read what is left of it in bf16.
  void round(Value value) {
    Value half = inHalf(value);
    halves.erase(value);
    offer(half, value.getType(), value);
  }

  /// Makes `half` in its old type what all others read instead of `value`.
  void offer(Value half, Type single, Value value) {
    OpBuilder b(half.getContext());
    b.setInsertionPointAfterValue(half);
    Value wide = CastOp::create(b, half.getLoc(), single, half, TypeAttr::get(getElementTypeOrSelf(single)));
    value.replaceUsesWithIf(wide, [&](OpOperand &use) {
      return use.getOwner() != wide.getDefiningOp() && use.getOwner() != half.getDefiningOp();
    });
    halves[wide] = half;
  }

  static Type halfOf(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.clone(BFloat16Type::get(value.getContext()));
  }

  Value inHalf(Value value) {
    Value &half = halves[value];
    if (!half) {
      OpBuilder b(value.getContext());
      b.setInsertionPointAfterValue(value);
      half = CastOp::create(b, value.getLoc(), halfOf(value), value, TypeAttr::get(b.getBF16Type()));
    }
    return half;
  }

  DenseMap<Value, Value> halves;
  DenseSet<Value> weights;
};

struct MixedPrecision final : mlc::impl::TrainMixedPrecisionPassBase<MixedPrecision> {
  void runOnOperation() override {
    for (auto program : getOperation().getOps<train::ProgramOp>())
      if (Config(program.getConfig()).text("precision") == "bf16")
        if (auto model = getOperation().lookupSymbol<func::FuncOp>(program.getModel()))
          numLowered += Lowering().lower(model.front());
  }
};

} // namespace
