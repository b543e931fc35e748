//===- FormContractions.cpp - sums of products become one op, with what follows them
//-------------------------------===//
//
// A linalg.generic whose body is `sum + lhs * rhs` becomes kernel.contract: matmuls, convolutions, einsums alike.
// Copies that only permute axes before and behind it move into its maps, and element-wise ops after it into its
// epilogue, where they cost nothing: the sums are in registers. Runs before element-wise fusion, which would bury the
// plain bodies.
//
// Which operand is vectorised follows from the result: the loop of its last axis. It has to be a loop of one operand
// alone; that operand becomes rhs. What has no such loop (depthwise convolutions) stays for another template.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Linalg/Passes.h"
#include "passes/Linalg/Permutation.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGFORMCONTRACTIONSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using mlc::kernel::ContractOp;

namespace {

/// An argument of the body of a linalg.generic, and whether it is widened as an unsigned integer.
struct Factor final {
  unsigned argument;
  bool isUnsigned;
};

/// `value` without a widening of halves or bytes, as an argument of `body`.
std::optional<Factor> factorOf(Value value, Block *body) {
  bool isUnsigned = value.getDefiningOp<arith::ExtUIOp>() != nullptr;
  if (Operation *op = value.getDefiningOp(); isa_and_present<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(op)) {
    value = op->getOperand(0);
    if (isa<IntegerType>(value.getType()) && !value.getType().isInteger(8))
      return std::nullopt;
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != body)
    return std::nullopt;
  return Factor{argument.getArgNumber(), isUnsigned};
}

/// The factors where the body is `args[2] + ext(args[0]) * ext(args[1])` of floats or 32-bit integers.
std::optional<std::pair<Factor, Factor>> factorsOf(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  Block *body = op.getBody();
  Operation *add = body->getTerminator()->getOperand(0).getDefiningOp();
  bool isInteger = isa_and_present<arith::AddIOp>(add) && add->getResult(0).getType().isInteger(32);
  if (!isInteger && !isa_and_present<arith::AddFOp>(add))
    return std::nullopt;
  auto sum = factorOf(add->getOperand(0), body);
  Operation *product = add->getOperand(1).getDefiningOp();
  if (!sum || sum->argument != 2 || !isa_and_present<arith::MulFOp, arith::MulIOp>(product))
    return std::nullopt;
  auto lhs = factorOf(product->getOperand(0), body), rhs = factorOf(product->getOperand(1), body);
  if (!lhs || !rhs || lhs->argument + rhs->argument != 1)
    return std::nullopt;
  return lhs->argument == 0 ? std::pair(*lhs, *rhs) : std::pair(*rhs, *lhs);
}

/// Whether the sum starts at zero.
bool startsAtZero(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) || matchPattern(fill.getInputs()[0], m_Zero()));
}

/// A tensor of bits as one of bytes, which vectors can be loaded of.
Value asBytes(OpBuilder &b, Location loc, Value bits) {
  auto type = cast<RankedTensorType>(bits.getType());
  if (!type.getElementType().isInteger(1))
    return bits;
  Value empty = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, bits), b.getI8Type());
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, empty.getType(), bits, empty, maps, iterators,
                                   [](OpBuilder &b, Location loc, ValueRange args) {
                                     Value byte = arith::ExtUIOp::create(b, loc, args[1].getType(), args[0]);
                                     linalg::YieldOp::create(b, loc, byte);
                                   })
      .getResult(0);
}

struct FormContractions final : mlc::impl::LinalgFormContractionsPassBase<FormContractions> {
  void runOnOperation() override {
    // Transpositions are loops like others: they join what is around them, and become squares of vectors.
    SmallVector<linalg::TransposeOp> transposes;
    getOperation().walk([&](linalg::TransposeOp op) { transposes.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::TransposeOp op : transposes) {
      rewriter.setInsertionPoint(op);
      [[maybe_unused]] FailureOr<linalg::GenericOp> generic = linalg::generalizeNamedOp(rewriter, op);
      assert(succeeded(generic) && "a transposition is a loop nest");
    }
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureTensorSemantics() && factorsOf(op) && startsAtZero(op.getDpsInits()[0]))
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops)
      if (ContractOp contract = form(op)) {
        absorbPermutations(contract);
        ++numFormed;
      }
    // Those formed before too: chains that read a sum twice are one op only after linalg-fuse-elementwise.
    SmallVector<ContractOp> contracts;
    getOperation().walk([&](ContractOp op) { contracts.push_back(op); });
    for (ContractOp contract : contracts) {
      while (ContractOp longer = takeConsumer(contract))
        contract = longer;
      for (unsigned extra = 0; extra < contract.getExtras().size();)
        if (ContractOp fused = fuseProducer(contract, extra))
          contract = fused;
        else
          ++extra;
    }
  }

  ContractOp form(linalg::GenericOp op) {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    // Parallel loops first, in the order of the result's axes; then the reductions in their own order.
    AffineMap out = maps[2];
    SmallVector<unsigned> order;
    for (AffineExpr expr : out.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || llvm::is_contained(order, dim.getPosition()))
        return nullptr;
      order.push_back(dim.getPosition());
    }
    unsigned parallel = order.size();
    if (parallel == 0)
      return nullptr;
    for (auto [loop, iterator] : llvm::enumerate(iterators)) {
      if (iterator == utils::IteratorType::reduction)
        order.push_back(loop);
      else if (!llvm::is_contained(order, loop))
        return nullptr;
    }
    SmallVector<AffineExpr> renamed(order.size());
    for (auto [now, before] : llvm::enumerate(order))
      renamed[before] = getAffineDimExpr(now, &getContext());
    for (AffineMap &map : maps)
      map = map.replaceDimsAndSymbols(renamed, {}, order.size(), 0);
    // The operand with the vectorised loop is rhs; it moves by single elements there or is packed.
    SmallVector<int64_t> sizes, before = op.getStaticLoopRanges();
    for (unsigned loop : order)
      sizes.push_back(before[loop]);
    unsigned vector = mlc::kernel::getVectorLoop(sizes, parallel);
    Value lhs = op.getInputs()[0], rhs = op.getInputs()[1];
    AffineMap lhsMap = maps[0], rhsMap = maps[1];
    auto factors = *factorsOf(op);
    // Where both move with it (depthwise convolutions), the filter is rhs.
    if (!rhsMap.isFunctionOfDim(vector)) {
      std::swap(lhs, rhs);
      std::swap(lhsMap, rhsMap);
      std::swap(factors.first, factors.second);
    }
    auto moves = [&](AffineMap map) { return mlc::kernel::movesByOne(map, vector, sizes); };
    bool packable = llvm::all_of(rhsMap.getResults(), llvm::IsaPred<AffineDimExpr, AffineConstantExpr>);
    if (!rhsMap.isFunctionOfDim(vector) || !(packable || moves(rhsMap)) ||
        (lhsMap.isFunctionOfDim(vector) && !moves(lhsMap)))
      return nullptr;

    OpBuilder b(op);
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    Value fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>().getOutputs()[0];
    auto contract = ContractOp::create(b, op.getLoc(), TypeRange{type}, lhs, rhs, ValueRange{}, fill,
                                       b.getAffineMapArrayAttr({lhsMap, rhsMap, maps[2]}), parallel, sizes,
                                       /*tile=*/DenseI64ArrayAttr(), /*packed=*/false, /*granule=*/1,
                                       factors.first.isUnsigned, factors.second.isUnsigned, /*lhs_flipped=*/false,
                                       /*bounded=*/false, /*triangle=*/{});
    Block *body = b.createBlock(&contract.getEpilogue());
    Value sum = body->addArgument(type.getElementType(), op.getLoc());
    mlc::kernel::YieldOp::create(b, op.getLoc(), sum);
    op.getResult(0).replaceAllUsesWith(contract.getResult(0));
    op.erase();
    return contract;
  }

  /// contract(permute(x)) -> contract(x) with another map, where rhs keeps its single-element steps.
  void absorbPermutations(ContractOp op) {
    SmallVector<AffineMap> maps(op.getMaps().getAsValueRange<AffineMapAttr>());
    unsigned vector = mlc::kernel::getVectorLoop(op);
    for (unsigned i = 0; i < 2; ++i)
      while (auto copy = op->getOperand(i).getDefiningOp<linalg::GenericOp>()) {
        if (!mlc::isPermutation(copy))
          break;
        AffineMap composed = copy.getMatchingIndexingMap(copy.getDpsInputOperand(0)).compose(maps[i]);
        // Dot products take bytes and bf16 that lie side by side along the sum.
        unsigned last = mlc::kernel::getGranuleLoop(op);
        if (i == 0 && cast<ShapedType>(copy.getInputs()[0].getType()).getElementTypeBitWidth() < 32 &&
            mlc::kernel::movesByOne(maps[i], last, op.getSizes()) &&
            !mlc::kernel::movesByOne(composed, last, op.getSizes()))
          break;
        bool isWeight = copy.getInputs()[0].getDefiningOp<mlc::graph::WeightOp>() != nullptr;
        bool moves = maps[i].isFunctionOfDim(vector);
        if (moves && !isWeight && !mlc::kernel::movesByOne(composed, vector, op.getSizes()) &&
            mlc::kernel::movesByOne(maps[i], vector, op.getSizes()))
          break;
        maps[i] = composed;
        op->setOperand(i, copy.getInputs()[0]);
        if (copy->use_empty())
          copy.erase();
      }
    op.setMapsAttr(OpBuilder(op).getAffineMapArrayAttr(maps));
  }

  /// The contraction with what alone reads its result, if that can be part of it.
  ContractOp takeConsumer(ContractOp op) {
    if (ContractOp fused = fuseConsumer(op)) {
      ++numFused;
      return fused;
    }
    return absorbConsumer(op);
  }

  /// permute(contract(x)) -> contract(x) with its parallel loops in another order. Where another one is last and the
  /// operands can exchange their roles, that is vectorised.
  ContractOp absorbConsumer(ContractOp op) {
    Value result = op.getResult(0);
    auto copy = result.hasOneUse() ? dyn_cast<linalg::GenericOp>(*result.user_begin()) : linalg::GenericOp();
    if (!copy || copy->getBlock() != op->getBlock() || op.getBounded() || !mlc::isPermutation(copy) ||
        copy.getInputs()[0] != result || !copy.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>())
      return nullptr;
    // Axis a of the result is loop read(a) of the copy.
    AffineMap read = copy.getIndexingMapsArray()[0];
    SmallVector<AffineExpr> renamed;
    SmallVector<int64_t> sizes(op.getSizes());
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      unsigned now = loop < op.getParallel() ? read.getDimPosition(loop) : loop;
      renamed.push_back(getAffineDimExpr(now, &getContext()));
      sizes[now] = op.getSizes()[loop];
    }
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getMaps().getAsValueRange<AffineMapAttr>())
      maps.push_back(map.replaceDimsAndSymbols(renamed, {}, op.getNumLoops(), 0));
    maps.back() = AffineMap::getMultiDimIdentityMap(op.getNumLoops(), &getContext()).getMajorSubMap(op.getParallel());
    unsigned vector = mlc::kernel::getVectorLoop(sizes, op.getParallel());
    Value lhs = op.getLhs(), rhs = op.getRhs();
    if (renamed[mlc::kernel::getVectorLoop(op)] != getAffineDimExpr(vector, &getContext())) {
      // A weight stays rhs, whose panels are packed when it is compiled.
      bool isProduct = op.getExtras().empty() && isFloat(lhs) && isFloat(rhs) && maps[0].isProjectedPermutation() &&
                       maps[1].isProjectedPermutation() && !rhs.getDefiningOp<mlc::graph::WeightOp>();
      if (!isProduct || maps[1].isFunctionOfDim(vector) || !mlc::kernel::movesByOne(maps[0], vector, sizes))
        return nullptr;
      std::swap(lhs, rhs);
      std::swap(maps[0], maps[1]);
    }
    OpBuilder b(copy);
    auto permuted = ContractOp::create(
        b, FusedLoc::get(&getContext(), {op.getLoc(), copy.getLoc()}), copy->getResultTypes(), lhs, rhs, op.getExtras(),
        copy.getDpsInits()[0], b.getAffineMapArrayAttr(maps), op.getParallel(), sizes, /*tile=*/DenseI64ArrayAttr(),
        /*packed=*/false,
        /*granule=*/1, op.getLhsUnsigned(), op.getRhsUnsigned(), /*lhs_flipped=*/false, /*bounded=*/false,
        /*triangle=*/{});
    permuted.getEpilogue().takeBody(op.getEpilogue());
    copy.getResult(0).replaceAllUsesWith(permuted.getResult(0));
    copy.erase();
    op.erase();
    return permuted;
  }

  static bool isFloat(Value value) { return isa<Float32Type, Float64Type>(getElementTypeOrSelf(value.getType())); }

  /// An element-wise op that alone reads the result becomes part of the epilogue. Its other operands have to lie along
  /// the vectorised loop, or not to move with it.
  ContractOp fuseConsumer(ContractOp op) {
    Value result = op.getResult(0);
    if (!result.hasOneUse())
      return nullptr;
    OpOperand &use = *result.getUses().begin();
    auto consumer = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!consumer || consumer->getBlock() != op->getBlock() || consumer.getNumReductionLoops() ||
        consumer.getNumDpsInits() != 1 || use.getOperandNumber() >= consumer.getNumDpsInputs() ||
        consumer.hasIndexSemantics())
      return nullptr;
    AffineMap read = consumer.getMatchingIndexingMap(&use);
    AffineMap written = consumer.getMatchingIndexingMap(consumer.getDpsInitOperand(0));
    if (!read.isIdentity() || !written.isIdentity())
      return nullptr; // an epilogue writes where its sum belongs
    if (consumer.getDpsInitOperand(0)->get().getDefiningOp<tensor::EmptyOp>() == nullptr ||
        getElementTypeOrSelf(consumer.getResult(0).getType()).isInteger(1)) // vectors of bits would be packed
      return nullptr;
    // The loops of the consumer are the axes of the result.
    SmallVector<AffineExpr> axes(op.getOutMap().getResults());
    unsigned vector = mlc::kernel::getVectorLoop(op);
    SmallVector<AffineMap> maps(op.getMaps().getAsValueRange<AffineMapAttr>());
    AffineMap out = maps.pop_back_val();
    SmallVector<Value> extras;
    SmallVector<unsigned> arguments; // of the consumer's body, an extra each
    SmallVector<std::pair<unsigned, TypedAttr>> constants;
    for (OpOperand *operand : consumer.getDpsInputOperands()) {
      if (operand == &use)
        continue;
      if (SplatElementsAttr splat; matchPattern(operand->get(), m_Constant(&splat))) {
        constants.emplace_back(operand->getOperandNumber(), splat.getSplatValue<TypedAttr>());
        continue;
      }
      AffineMap map = consumer.getMatchingIndexingMap(operand).replaceDimsAndSymbols(axes, {}, op.getNumLoops(), 0);
      if (map.isFunctionOfDim(vector) && !mlc::kernel::movesByOne(map, vector, op.getSizes()))
        return nullptr;
      if (!isa<RankedTensorType>(operand->get().getType()))
        return nullptr;
      maps.push_back(map);
      extras.push_back(operand->get());
      arguments.push_back(operand->getOperandNumber());
    }
    if (!isScalarArithmetic(consumer))
      return nullptr;
    maps.push_back(out);

    // Bytes are widened where they are read, not where they are stored.
    auto type = cast<RankedTensorType>(consumer.getResult(0).getType());
    if (getElementTypeOrSelf(result.getType()).isInteger(8) && type.getElementTypeBitWidth() > 8)
      return nullptr;

    OpBuilder b(consumer);
    SmallVector<Value> all(op.getExtras());
    for (Value &extra : extras)
      all.push_back(extra = asBytes(b, consumer.getLoc(), extra));
    ContractOp fused = rebuild(b, op, consumer, all, maps, consumer.getDpsInits()[0]);
    Block *body = &fused.getEpilogue().front();
    Operation *yield = body->getTerminator();
    IRMapping mapping;
    mapping.map(consumer.getBody()->getArgument(use.getOperandNumber()), yield->getOperand(0));
    b.setInsertionPoint(yield);
    for (auto [extra, argument] : llvm::zip(extras, arguments)) {
      Value element = body->addArgument(getElementTypeOrSelf(extra.getType()), consumer.getLoc());
      BlockArgument inside = consumer.getBody()->getArgument(argument);
      if (element.getType() != inside.getType())
        element = arith::TruncIOp::create(b, consumer.getLoc(), inside.getType(), element);
      mapping.map(inside, element);
    }
    for (auto [argument, constant] : constants)
      mapping.map(consumer.getBody()->getArgument(argument),
                  Value(arith::ConstantOp::create(b, consumer.getLoc(), constant)));
    yield->setOperand(0, cloneBody(b, consumer, mapping));
    consumer.getResult(0).replaceAllUsesWith(fused.getResult(0));
    consumer.erase();
    op.erase();
    return fused;
  }

  /// An element-wise op that alone gives an extra, element by element as the result is written, moves into the
  /// epilogue: residuals that are dequantized are read as bytes.
  ContractOp fuseProducer(ContractOp op, unsigned extra) {
    auto producer = op.getExtras()[extra].getDefiningOp<linalg::GenericOp>();
    if (!producer || !producer->hasOneUse() || producer->getBlock() != op->getBlock() ||
        producer.getNumReductionLoops() || producer.getNumDpsInits() != 1 || producer.hasIndexSemantics() ||
        op.getExtraMap(extra) != op.getOutMap() ||
        !producer.getMatchingIndexingMap(producer.getDpsInitOperand(0)).isIdentity() || !isScalarArithmetic(producer))
      return nullptr;
    unsigned vector = mlc::kernel::getVectorLoop(op);
    SmallVector<AffineMap> maps(op.getMaps().getAsValueRange<AffineMapAttr>());
    SmallVector<Value> extras(op.getExtras());
    AffineMap read = maps[2 + extra];
    maps.erase(maps.begin() + 2 + extra);
    extras.erase(extras.begin() + extra);
    for (OpOperand *operand : producer.getDpsInputOperands()) {
      AffineMap map = producer.getMatchingIndexingMap(operand).compose(read);
      if (!isa<RankedTensorType>(operand->get().getType()) ||
          getElementTypeOrSelf(operand->get().getType()).isInteger(1) ||
          (map.isFunctionOfDim(vector) && !mlc::kernel::movesByOne(map, vector, op.getSizes())))
        return nullptr;
      maps.insert(maps.end() - 1, map);
      extras.push_back(operand->get());
    }
    OpBuilder b(op);
    ContractOp fused = rebuild(b, op, producer, extras, maps, op.getInit());
    Block *body = &fused.getEpilogue().front();
    IRMapping mapping;
    for (auto [i, operand] : llvm::enumerate(producer.getDpsInputOperands()))
      mapping.map(producer.getBody()->getArgument(i),
                  body->addArgument(getElementTypeOrSelf(operand->get().getType()), producer.getLoc()));
    b.setInsertionPointToStart(body);
    body->getArgument(1 + extra).replaceAllUsesWith(cloneBody(b, producer, mapping));
    body->eraseArgument(1 + extra);
    op.getResult(0).replaceAllUsesWith(fused.getResult(0));
    op.erase();
    producer.erase();
    return fused;
  }

  static bool isScalarArithmetic(linalg::GenericOp op) {
    return llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
      return isa_and_present<arith::ArithDialect, math::MathDialect>(inner.getDialect()) && !inner.getNumRegions();
    });
  }

  /// `op` with other extras, and the epilogue as it is.
  ContractOp rebuild(OpBuilder &b, ContractOp op, Operation *with, ArrayRef<Value> extras, ArrayRef<AffineMap> maps,
                     Value init) {
    auto fused = ContractOp::create(b, FusedLoc::get(&getContext(), {op.getLoc(), with->getLoc()}),
                                    TypeRange{init.getType()}, op.getLhs(), op.getRhs(), extras, init,
                                    b.getAffineMapArrayAttr(maps), op.getParallel(), op.getSizes(),
                                    /*tile=*/DenseI64ArrayAttr(), /*packed=*/false, /*granule=*/1, op.getLhsUnsigned(),
                                    op.getRhsUnsigned(), /*lhs_flipped=*/false, op.getBounded(), /*triangle=*/{});
    fused.getEpilogue().takeBody(op.getEpilogue());
    return fused;
  }

  /// Clones what the body computes; constants from outside come along. Returns what it yields.
  static Value cloneBody(OpBuilder &b, linalg::GenericOp op, IRMapping &mapping) {
    auto bring = [&](Value value) {
      if (Operation *constant = value.getDefiningOp();
          constant && !mapping.contains(value) && constant->hasTrait<OpTrait::ConstantLike>())
        mapping.map(value, b.clone(*constant)->getResult(0));
    };
    for (Operation &inner : op.getBody()->without_terminator()) {
      llvm::for_each(inner.getOperands(), bring);
      b.clone(inner, mapping);
    }
    Value result = op.getBody()->getTerminator()->getOperand(0);
    bring(result);
    return mapping.lookup(result);
  }
};

} // namespace
