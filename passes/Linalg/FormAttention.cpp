//===- FormAttention.cpp - two products with a softmax in between become one op -----------------------------------===//
//
//   contract(rows(contract(query, key)) { softmax }, value)   ->   attention(query, key, value)
//
// Runs when both products are contractions and the softmax is a kernel over rows, so that whatever a model does to the
// scores (scales, masks, biases, caps) is in an epilogue or in the rows already, and how it lays out heads is in maps.
// Transpositions of query, key and value move into the maps, where they cost nothing; that of the result is in the maps
// of the second product already (linalg-form-contractions).
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Linalg/Passes.h"
#include "passes/Linalg/Permutation.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGFORMATTENTIONPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using mlc::kernel::AttentionOp;
using mlc::kernel::ContractOp;
using mlc::kernel::ReduceOp;
using mlc::kernel::RowsOp;
using mlc::kernel::YieldOp;

namespace {

/// Sizes of heads up to which blocks of keys and values stay small.
constexpr int64_t kLargestHead = 512;

/// The x of which a kernel over rows yields the softmax; null if it is anything else.
Value matchSoftmax(RowsOp rows) {
  Block &body = rows.getBody().front();
  if (rows.getInits().size() != 1 || rows.isOfRow(0) || rows.getRows() + 1 != rows.getNumLoops())
    return nullptr;
  Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!last || last->getNumOperands() != 2)
    return nullptr;
  // e / sum, or e * (1 / sum)
  Value exponential = last->getOperand(0), divisor = last->getOperand(1);
  if (isa<arith::MulFOp>(last)) {
    auto reciprocal = divisor.getDefiningOp<arith::DivFOp>();
    if (!reciprocal || !matchPattern(reciprocal.getLhs(), m_OneFloat()))
      return nullptr;
    divisor = reciprocal.getRhs();
  } else if (!isa<arith::DivFOp>(last)) {
    return nullptr;
  }
  auto sum = divisor.getDefiningOp<ReduceOp>();
  auto exp = exponential.getDefiningOp<math::ExpOp>();
  if (!sum || sum.getKind() != vector::CombiningKind::ADD || sum.getValue() != exponential || !exp)
    return nullptr;
  auto shifted = exp.getOperand().getDefiningOp<arith::SubFOp>();
  auto max = shifted ? shifted.getRhs().getDefiningOp<ReduceOp>() : nullptr;
  if (!max || max.getKind() != vector::CombiningKind::MAXIMUMF || max.getValue() != shifted.getLhs())
    return nullptr;
  mlc::kernel::RowValues values(rows);
  return values.levelOf(max.getValue()) == 0 ? max.getValue() : Value();
}

/// Whether a tensor has elements that attention is computed on.
bool isF32(Value value) { return getElementTypeOrSelf(value.getType()).isF32(); }

struct FormAttention final : mlc::impl::LinalgFormAttentionPassBase<FormAttention> {
  void runOnOperation() override {
    SmallVector<ContractOp> products;
    getOperation().walk([&](ContractOp op) { products.push_back(op); });
    for (ContractOp product : products)
      if (auto rows = product.getLhs().getDefiningOp<RowsOp>(); rows && rows->getBlock() == product->getBlock())
        if (AttentionOp attention = form(product, rows)) {
          absorbPermutations(attention);
          ++numFormed;
        }
  }

  static bool hasPlainEpilogue(ContractOp op) {
    return op.getExtras().empty() && llvm::hasSingleElement(op.getEpilogue().front());
  }

  /// `map` with `loops` in the place of its dimensions, 0 for those that have none.
  static AffineMap rename(AffineMap map, ArrayRef<std::optional<unsigned>> loops, unsigned count) {
    SmallVector<AffineExpr> dims;
    for (std::optional<unsigned> loop : loops)
      dims.push_back(loop ? getAffineDimExpr(*loop, map.getContext()) : getAffineConstantExpr(0, map.getContext()));
    return simplifyAffineMap(map.replaceDimsAndSymbols(dims, {}, count, 0));
  }

  AttentionOp form(ContractOp sum, RowsOp rows) {
    // The loops are those of the second product, with the depth of a score behind them.
    unsigned parallel = sum.getParallel(), key = parallel, depth = parallel + 1, count = parallel + 2;
    AffineMap weights = sum.getLhsMap(), value = sum.getRhsMap();
    if (sum.getNumLoops() != parallel + 1 || parallel < 2 || !hasPlainEpilogue(sum) || !rows.getResult(0).hasOneUse() ||
        !value.isFunctionOfDim(parallel - 1) || !value.isFunctionOfDim(key) ||
        !mlc::kernel::movesByOne(value, parallel - 1, sum.getSizes()))
      return nullptr;
    Value scores = matchSoftmax(rows);
    if (!scores)
      return nullptr;
    // An axis of the weights is a loop of the rows.
    SmallVector<std::optional<unsigned>> rowLoops;
    std::optional<unsigned> query;
    for (AffineExpr expr : weights.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim && !isa<AffineConstantExpr>(expr))
        return nullptr;
      rowLoops.push_back(dim ? std::optional(dim.getPosition()) : std::nullopt);
      if (dim && dim.getPosition() != key && !value.isFunctionOfDim(dim.getPosition()))
        query = dim.getPosition();
    }
    if (!query || *query + 1 >= parallel || rowLoops.back() != key)
      return nullptr;
    // The scores: of the inputs of the rows, the one that is a product of its own.
    ContractOp product;
    unsigned place = 0;
    for (auto [i, input] : llvm::enumerate(rows.getInputs()))
      if (auto op = input.getDefiningOp<ContractOp>(); op && op->getBlock() == rows->getBlock() && input.hasOneUse() &&
                                                       rows.getMap(i).isPermutation() &&
                                                       op.getNumLoops() == op.getParallel() + 1) {
        product = op;
        place = i;
      }
    if (!product || !product.getLhsMap().isProjectedPermutation(true) ||
        !product.getRhsMap().isProjectedPermutation(true))
      return nullptr;
    SmallVector<std::optional<unsigned>> loops;
    for (AffineExpr expr : rows.getMap(place).getResults())
      loops.push_back(rowLoops[cast<AffineDimExpr>(expr).getPosition()]);
    loops.push_back(depth);
    SmallVector<int64_t> sizes(sum.getSizes());
    sizes.push_back(product.getSizes().back());
    AffineMap queryMap = rename(product.getLhsMap(), loops, count), keyMap = rename(product.getRhsMap(), loops, count);
    if (queryMap.isFunctionOfDim(key) || !keyMap.isFunctionOfDim(key) || keyMap.isFunctionOfDim(*query) ||
        !queryMap.isFunctionOfDim(depth) || !keyMap.isFunctionOfDim(depth))
      return nullptr;
    auto isLarge = [](int64_t size) { return ShapedType::isDynamic(size) || size > kLargestHead; };
    if (!isF32(product.getLhs()) || !isF32(product.getRhs()) || !isF32(sum.getRhs()) || !isF32(sum.getInit()) ||
        !isF32(product.getInit()) || !isF32(rows.getInits()[0]) || !product.getSumType().isF32() ||
        isLarge(sizes[depth]) || isLarge(sizes[parallel - 1]) || sizes[key] == 0)
      return nullptr;

    OpBuilder b(sum);
    SmallVector<Value> extras(product.getExtras());
    SmallVector<AffineMap> maps{queryMap, keyMap, rename(value, identity(parallel + 1), count)};
    for (unsigned i = 0; i < product.getExtras().size(); ++i)
      maps.push_back(rename(product.getExtraMap(i), loops, count));
    for (auto [i, input] : llvm::enumerate(rows.getInputs()))
      if (i != place) {
        extras.push_back(input);
        maps.push_back(rename(rows.getMap(i), rowLoops, count));
      }
    maps.push_back(mlc::kernel::getRowMap(count, parallel, &getContext()));
    Location loc = FusedLoc::get(&getContext(), {product.getLoc(), rows.getLoc(), sum.getLoc()});
    auto attention =
        AttentionOp::create(b, loc, sum->getResultTypes(), product.getLhs(), product.getRhs(), sum.getRhs(), extras,
                            sum.getInit(), b.getAffineMapArrayAttr(maps), *query, sizes);
    buildScore(attention, product, rows, place, scores);
    sum.getResult(0).replaceAllUsesWith(attention.getResult(0));
    sum.erase();
    rows.erase();
    product.erase();
    return attention;
  }

  static SmallVector<std::optional<unsigned>> identity(unsigned count) {
    return llvm::map_to_vector(llvm::seq(count), [](unsigned loop) { return std::optional(loop); });
  }

  /// The region: the epilogue of the product, then what the rows do before the softmax.
  static void buildScore(AttentionOp attention, ContractOp product, RowsOp rows, unsigned place, Value scores) {
    OpBuilder b(attention);
    Block *block = b.createBlock(&attention.getScore());
    IRMapping mapping;
    for (BlockArgument argument : product.getEpilogue().front().getArguments())
      mapping.map(argument, block->addArgument(argument.getType(), argument.getLoc()));
    for (Operation &inner : product.getEpilogue().front().without_terminator())
      b.clone(inner, mapping);
    Value score = mapping.lookupOrDefault(product.getEpilogue().front().getTerminator()->getOperand(0));
    for (BlockArgument argument : rows.getBody().front().getArguments())
      mapping.map(argument,
                  argument.getArgNumber() == place ? score : block->addArgument(argument.getType(), argument.getLoc()));
    for (Operation &inner : rows.getBody().front().without_terminator()) {
      if (isa<ReduceOp>(inner))
        break; // the maximum: the scores are complete
      b.clone(inner, mapping);
    }
    YieldOp::create(b, attention.getLoc(), mapping.lookupOrDefault(scores));
  }

  /// The copy that only permutes axes which makes a tensor; null if it is anything else.
  static linalg::GenericOp permutationOf(Value value) {
    auto copy = value.getDefiningOp<linalg::GenericOp>();
    return copy && mlc::isPermutation(copy) ? copy : nullptr;
  }

  /// attention(permute(x)) -> attention(x) with another map; values have to stay contiguous.
  void absorbPermutations(AttentionOp op) {
    SmallVector<AffineMap> maps(op.getMaps().getAsValueRange<AffineMapAttr>());
    for (unsigned i = 0; i < 3; ++i)
      while (linalg::GenericOp copy = permutationOf(op->getOperand(i))) {
        AffineMap composed = copy.getIndexingMapsArray()[0].compose(maps[i]);
        if (i == 2 && !mlc::kernel::movesByOne(composed, op.getValueLoop(), op.getSizes()))
          break;
        maps[i] = composed;
        op->setOperand(i, copy.getInputs()[0]);
        if (copy->use_empty())
          copy.erase();
      }
    op.setMapsAttr(OpBuilder(op).getAffineMapArrayAttr(maps));
  }
};

} // namespace
