//===- ChooseTiles.cpp - the register tile of every contraction ---------------------------------------------------===//
//
// On tensors, because the tile decides how weights are packed. Precondition: contractions are formed; nothing else
// looks at their rhs afterwards.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "passes/Vector/CacheSets.h"
#include "passes/Vector/Depthwise.h"
#include "passes/Vector/DotProducts.h"
#include "passes/Vector/Panels.h"
#include "passes/Vector/Passes.h"
#include "passes/Vector/TileModel.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORCHOOSETILESPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using mlc::kernel::ContractOp;
using mlc::kernel::LoopKind;

namespace {

/// Rows that read each panel for packing it in every run to pay: with dot products, and without.
constexpr int64_t kRowsToPackDots = 4, kRowsToPack = 32;
/// What a loop over rows counts as where only a run knows its size.
constexpr int64_t kUnknownRows = 8;
/// Rows of rhs from which on it matters that they share two sets of the first cache.
constexpr int64_t kDepthToPack = 128;

struct ChooseTiles final : mlc::impl::VectorChooseTilesPassBase<ChooseTiles> {
  using VectorChooseTilesPassBase::VectorChooseTilesPassBase;

  void runOnOperation() override {
    SymbolTable table(getOperation());
    symbols = &table;
    packed.clear();
    SmallVector<ContractOp> ops;
    getOperation().walk([&](ContractOp op) { ops.push_back(op); });
    for (ContractOp op : ops) {
      if (op.getBounded()) {
        chooseWindow(op);
        continue;
      }
      bool contiguous = mlc::kernel::movesByOne(op.getRhsMap(), mlc::kernel::getVectorLoop(op), op.getSizes());
      bool weight = isWeight(op.getRhs()) && hasStaticColumns(op);
      if (!weight && !contiguous)
        copyContiguously(op);
      bool packs = weight || (hasStaticColumns(op) && paysToPack(op));
      int64_t granule = packs ? useDots(op) : 1;
      packs = weight || granule > 1 || (packs && pushesOut(op));
      mlc::Tile tile = mlc::chooseTile(problemOf(op, granule, packs));
      op.setTileAttr(DenseI64ArrayAttr::get(&getContext(), {tile.rows, tile.vectors}));
      if (packs)
        pack(op, mlc::Panels(op, tile.vectors * lanesOf(op), granule));
    }
  }

  /// A depthwise window: taps along the lanes are packed, others broadcast as they are.
  void chooseWindow(ContractOp op) {
    mlc::Tile tile{mlc::chooseDepthwiseTile(op, vectorRegisters), 1};
    op.setTileAttr(DenseI64ArrayAttr::get(&getContext(), {tile.rows, tile.vectors}));
    if (op.getRhsMap().isFunctionOfDim(mlc::kernel::getVectorLoop(op)))
      pack(op, mlc::Panels(op, lanesOf(op), /*granule=*/1));
  }

  static bool isWeight(Value value) { return value.getDefiningOp<mlc::graph::WeightOp>() != nullptr; }

  /// Whether the sizes of all loops that rhs moves with are known; others may not be.
  static bool hasStaticColumns(ContractOp op) {
    for (auto [loop, size] : llvm::enumerate(op.getSizes()))
      if (ShapedType::isDynamic(size) && op.getRhsMap().isFunctionOfDim(loop))
        return false;
    return true;
  }

  int64_t lanesOf(ContractOp op) { return vectorBits / op.getSumType().getIntOrFloatBitWidth(); }

  /// Whether it pays to pack rhs in every run: for dot products, which take nothing else, where enough rows are known
  /// to follow. Other products read rows of rhs where they are at the same speed, unless those push each other out.
  bool paysToPack(ContractOp op) {
    unsigned vector = mlc::kernel::getVectorLoop(op), loop = mlc::kernel::getGranuleLoop(op);
    bool plain = llvm::all_of(op.getRhsMap().getResults(), llvm::IsaPred<AffineDimExpr, AffineConstantExpr>);
    if (!plain || op.getLhsMap().isFunctionOfDim(vector) || !op.getRhsMap().isFunctionOfDim(loop))
      return false;
    int64_t rows = 1;
    for (auto [loop, kind] : llvm::enumerate(mlc::kernel::classifyLoops(op)))
      if (kind == LoopKind::row)
        rows *= ShapedType::isDynamic(op.getSizes()[loop]) ? kUnknownRows : op.getSizes()[loop];
      else if (ShapedType::isDynamic(op.getSizes()[loop]))
        return false;
    if (mlc::getGranule(op, dotTarget()) > 1)
      return llvm::none_of(op.getSizes(), ShapedType::isDynamic) && op.getSizes()[loop] > 1 && rows >= kRowsToPackDots;
    return rows >= kRowsToPack && pushesOut(op);
  }

  /// Whether the rows of rhs that a panel takes vectors from push each other out before the next tile reads them, at
  /// half the speed: of two sets of the first cache, or of the second.
  bool pushesOut(ContractOp op) {
    unsigned loop = mlc::kernel::getGranuleLoop(op);
    auto type = cast<RankedTensorType>(op.getRhs().getType());
    std::optional<int64_t> stride = strideOf(type, op.getRhsMap(), loop);
    if (!stride || *stride == 0)
      return false;
    int64_t bytes = *stride * type.getElementTypeBitWidth() / 8, depth = op.getSizes()[loop];
    return (depth >= kDepthToPack && mlc::shareSets(bytes, static_cast<int64_t>(l1Bytes))) ||
           depth > mlc::rowsThatStay(bytes, static_cast<int64_t>(l2Bytes));
  }

  mlc::DotTarget dotTarget() const { return {isX86, isAArch64, dotInt8, dotBf16}; }

  /// The granule for `op` whose rhs is packed; 1 without dot products. Where the sign of lhs has to change, adds the
  /// sums of rhs to the extras.
  int64_t useDots(ContractOp op) {
    mlc::DotTarget target = dotTarget();
    int64_t granule = mlc::getGranule(op, target);
    unsigned loop = mlc::kernel::getGranuleLoop(op);
    // Depthwise windows move both operands along the lanes; single products gain nothing.
    if (granule == 1 || op.getLhsMap().isFunctionOfDim(mlc::kernel::getVectorLoop(op)) || op.getSizes()[loop] == 1 ||
        !op.getRhsMap().isFunctionOfDim(loop))
      return 1;
    if (granule == 4 && mlc::needsFlippedLhs(op, target) && !flipLhs(op))
      return 1;
    return granule;
  }

  /// Σ lhs rhs -> Σ (lhs with its highest bit flipped) rhs ± 128 Σ rhs: taken off where signed values became unsigned,
  /// put back where unsigned ones became signed
  bool flipLhs(ContractOp op) {
    AffineMap map = op.getRhsMap();
    SmallVector<AffineExpr> kept;
    SmallVector<int64_t> summed;
    for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (dim && dim.getPosition() >= op.getParallel())
        summed.push_back(static_cast<int64_t>(axis));
      else
        kept.push_back(expr);
    }
    AffineMap sumsMap = AffineMap::get(map.getNumDims(), 0, kept, &getContext());
    if (!mlc::kernel::movesByOne(sumsMap, mlc::kernel::getVectorLoop(op), op.getSizes()))
      return false;
    OpBuilder b(op);
    Value sums = isWeight(op.getRhs()) ? sumsOfWeight(b, op, summed)
                                       : mlc::sumAtRunTime(op, summed, /*negative=*/!op.getLhsUnsigned());
    op.getExtrasMutable().append(sums);
    SmallVector<AffineMap> maps(op.getMaps().getAsValueRange<AffineMapAttr>());
    maps.insert(maps.end() - 1, sumsMap);
    op.setMapsAttr(b.getAffineMapArrayAttr(maps));
    Block &body = op.getEpilogue().front();
    Value sum = body.getArgument(0), offset = body.addArgument(b.getI32Type(), op.getLoc());
    b.setInsertionPointToStart(&body);
    auto corrected = arith::AddIOp::create(b, op.getLoc(), sum, offset);
    sum.replaceAllUsesExcept(corrected, corrected);
    op.setLhsFlipped(true);
    return true;
  }

  /// As sumAtRunTime, of a weight as another weight.
  Value sumsOfWeight(OpBuilder &b, ContractOp op, ArrayRef<int64_t> summed) {
    auto weight = op.getRhs().getDefiningOp<mlc::graph::WeightOp>();
    auto source = symbols->lookup<mlc::graph::ParameterOp>(weight.getParameter());
    auto i32 = b.getI32Type();
    // The bytes are what they are; their sign is what the contraction reads.
    auto sign = op.getRhsUnsigned() ? IntegerType::Unsigned : IntegerType::Signless;
    auto type = cast<RankedTensorType>(source.getType()).clone(IntegerType::get(&getContext(), 8, sign));
    SmallVector<int64_t> shape;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (!llvm::is_contained(summed, axis))
        shape.push_back(type.getDimSize(axis));
    auto sumsType = RankedTensorType::get(shape, i32);
    auto parameter = declareBehind(source, (weight.getParameter() + ".sums").str(), sumsType);
    OpBuilder inside = OpBuilder::atBlockBegin(&parameter.getBody().emplaceBlock());
    Location loc = source.getLoc();
    Value value = mlc::graph::WeightOp::create(inside, loc, type, weight.getParameterAttr());
    value = mlc::graph::CastOp::create(inside, loc, value, i32);
    value = mlc::graph::ReduceOp::create(inside, loc, mlc::graph::ReduceKind::sum, value, summed, false);
    auto factor = DenseElementsAttr::get(RankedTensorType::get({}, i32), op.getLhsUnsigned() ? 128 : -128);
    value = mlc::graph::MulOp::create(inside, loc, value, mlc::graph::ConstantOp::create(inside, loc, factor));
    mlc::graph::YieldOp::create(inside, loc, value);
    return mlc::graph::WeightOp::create(b, loc, sumsType, FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
  }

  mlc::graph::ParameterOp declareBehind(mlc::graph::ParameterOp source, const std::string &name,
                                        RankedTensorType type) {
    OpBuilder before(source);
    before.setInsertionPointAfter(source);
    auto parameter = mlc::graph::ParameterOp::create(before, source.getLoc(), name, type);
    symbols->insert(parameter);
    return parameter;
  }

  mlc::TileProblem problemOf(ContractOp op, int64_t granule, bool packs) {
    SmallVector<LoopKind> kinds = mlc::kernel::classifyLoops(op);
    ArrayRef<int64_t> sizes = op.getSizes();
    unsigned vector = mlc::kernel::getVectorLoop(op);
    int64_t reduction = 1;
    for (auto [loop, kind] : llvm::enumerate(kinds))
      if (kind == LoopKind::reduction)
        reduction = ShapedType::isDynamic(sizes[loop]) || ShapedType::isDynamic(reduction) ? ShapedType::kDynamic
                                                                                           : reduction * sizes[loop];
    if (!ShapedType::isDynamic(reduction))
      reduction = llvm::divideCeil(reduction, granule);
    auto [rows, lines] = innerRows(op, kinds);
    return {rows,
            lines,
            packs ? sizes[vector] : joinedColumns(op, kinds, vector),
            reduction,
            lanesOf(op),
            vectorRegisters,
            static_cast<int64_t>(l1Bytes),
            granule * getElementTypeOrSelf(op.getRhs().getType()).getIntOrFloatBitWidth() / 8,
            op.getLhsMap().isFunctionOfDim(vector)};
  }

  /// The number of columns that lie side by side in memory (Nest::join): those of the vectorised loop, and of loops
  /// around it whose steps are what it covers in every operand. Weights are packed by the vectorised loop alone.
  static int64_t joinedColumns(ContractOp op, ArrayRef<LoopKind> kinds, unsigned vector) {
    int64_t columns = op.getSizes()[vector];
    if (isWeight(op.getRhs()) || ShapedType::isDynamic(columns))
      return columns;
    auto continues = [&](unsigned loop) {
      return llvm::all_of(llvm::zip(op.getOperands(), op.getMaps().getAsValueRange<AffineMapAttr>()),
                          [&](auto operand) {
                            auto [value, map] = operand;
                            auto type = cast<RankedTensorType>(value.getType());
                            auto around = strideOf(type, map, loop), inside = strideOf(type, map, vector);
                            return around && inside && *around == *inside * columns;
                          });
    };
    for (unsigned loop = vector; loop-- > 0;) {
      int64_t size = op.getSizes()[loop];
      if (size == 1)
        continue;
      if (kinds[loop] != LoopKind::column || ShapedType::isDynamic(size) || !continues(loop))
        break;
      columns *= size;
    }
    return columns;
  }

  /// The elements that a step of `loop` moves a row-major tensor by; nothing where only a run knows.
  static std::optional<int64_t> strideOf(RankedTensorType type, AffineMap map, unsigned loop) {
    int64_t stride = 1, total = 0;
    for (int64_t axis = type.getRank(); axis-- > 0;) {
      total += mlc::kernel::coefficientOf(map.getResult(axis), loop) * stride;
      if (axis && type.isDynamicDim(axis))
        return std::nullopt;
      stride *= type.getDimSize(axis);
    }
    return total;
  }

  /// The number of rows that are evenly spaced in memory: the innermost loop over rows, and those around it as long as
  /// each of their steps is what the loop inside covers. Then the size of the loop around those, 1 where there is
  /// none or only a run knows it.
  static std::pair<int64_t, int64_t> innerRows(ContractOp op, ArrayRef<LoopKind> kinds) {
    auto type = cast<RankedTensorType>(op.getLhs().getType());
    int64_t rows = 1;
    std::optional<int64_t> covered;
    for (unsigned loop = op.getParallel(); loop-- > 0;) {
      int64_t size = op.getSizes()[loop];
      if (kinds[loop] != LoopKind::row || size == 1)
        continue;
      std::optional<int64_t> stride = strideOf(type, op.getLhsMap(), loop);
      if (rows != 1 && (!covered || stride != covered))
        return {rows, ShapedType::isDynamic(size) ? 1 : size};
      if (ShapedType::isDynamic(size))
        return {ShapedType::kDynamic, 1};
      rows *= size;
      covered = stride ? std::optional(*stride * size) : std::nullopt;
    }
    return {rows, 1};
  }

  /// rhs -> its panels: a weight of its own, or loops before `op`
  void pack(ContractOp op, const mlc::Panels &panels) {
    OpBuilder b(op);
    if (auto weight = op.getRhs().getDefiningOp<mlc::graph::WeightOp>()) {
      op.getRhsMutable().assign(packWeight(b, op, weight, panels));
      if (weight->use_empty())
        weight.erase();
    } else {
      op.getRhsMutable().assign(mlc::packAtRunTime(op, panels));
    }
    op.setPacked(true);
    op.setGranule(panels.granule);
    ++numPacked;
  }

  Value packWeight(OpBuilder &b, ContractOp op, mlc::graph::WeightOp weight, const mlc::Panels &panels) {
    NamedAttrList attributes;
    attributes.append("source", weight.getParameterAttr());
    attributes.append("map", AffineMapAttr::get(op.getRhsMap()));
    attributes.append("sizes", op.getSizesAttr());
    attributes.append("outer", b.getDenseI64ArrayAttr(panels.outer));
    attributes.append("vector", b.getI64IntegerAttr(panels.vector));
    attributes.append("inner", b.getDenseI64ArrayAttr(panels.inner));
    if (panels.granule > 1)
      attributes.append("granule_loop", b.getI64IntegerAttr(panels.granuleLoop));
    auto packing = attributes.getDictionary(&getContext());
    // A weight that two contractions read in the same way is packed once.
    FlatSymbolRefAttr &name = packed[{packing, panels.type}];
    if (!name) {
      auto source = symbols->lookup<mlc::graph::ParameterOp>(weight.getParameter());
      auto parameter = declareBehind(source, (weight.getParameter() + ".packed").str(), panels.type);
      parameter->setAttr("kernel.pack", packing);
      name = FlatSymbolRefAttr::get(parameter.getSymNameAttr());
    }
    return mlc::graph::WeightOp::create(b, weight.getLoc(), panels.type, name);
  }

  /// rhs -> a copy with the vectorised loop as its last axis
  void copyContiguously(ContractOp op) {
    unsigned vector = mlc::kernel::getVectorLoop(op);
    AffineMap map = op.getRhsMap();
    OpBuilder b(op);
    // The axes of the copy are the loops of rhs, in order, the vectorised one last.
    SmallVector<unsigned> loops;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (loop != vector && map.isFunctionOfDim(loop))
        loops.push_back(loop);
    loops.push_back(vector);
    SmallVector<AffineExpr> renamed(op.getNumLoops(), b.getAffineConstantExpr(0)), axes;
    SmallVector<OpFoldResult> sizes;
    for (auto [axis, loop] : llvm::enumerate(loops)) {
      renamed[loop] = b.getAffineDimExpr(axis);
      axes.push_back(b.getAffineDimExpr(loop));
      for (auto [source, expr] : llvm::enumerate(map.getResults()))
        if (expr == b.getAffineDimExpr(loop)) {
          sizes.push_back(tensor::getMixedSize(b, op.getLoc(), op.getRhs(), source));
          break;
        }
    }
    assert(sizes.size() == loops.size() && "an operand that is not contiguous has plain axes");
    Type element = getElementTypeOrSelf(op.getRhs().getType());
    Value empty = tensor::EmptyOp::create(b, op.getLoc(), sizes, element);
    SmallVector<AffineMap> maps{map.replaceDimsAndSymbols(renamed, {}, loops.size(), 0),
                                b.getMultiDimIdentityMap(loops.size())};
    SmallVector<utils::IteratorType> iterators(loops.size(), utils::IteratorType::parallel);
    Value copy = linalg::GenericOp::create(
                     b, op.getLoc(), empty.getType(), op.getRhs(), empty, maps, iterators,
                     [](OpBuilder &b, Location loc, ValueRange args) { linalg::YieldOp::create(b, loc, args[0]); })
                     .getResult(0);
    op.getRhsMutable().assign(copy);
    SmallVector<AffineMap> all(op.getMaps().getAsValueRange<AffineMapAttr>());
    all[1] = AffineMap::get(op.getNumLoops(), 0, axes, &getContext());
    op.setMapsAttr(b.getAffineMapArrayAttr(all));
    ++numCopied;
  }

  SymbolTable *symbols = nullptr;
  /// What is packed already, by how and as what.
  DenseMap<std::pair<Attribute, Type>, FlatSymbolRefAttr> packed;
};

} // namespace
