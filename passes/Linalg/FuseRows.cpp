//===- FuseRows.cpp - reductions along rows, and what shares their loops, in one kernel ---------------------------===//
//
// A reduction over the last axes starts a group; element-wise ops, further reductions and arithmetic on the statistics
// join it as long as they run over the same rows and columns. The group becomes one kernel.rows, which reads a row from
// memory once. Softmax and all normalizations are such groups, and so are what surrounds them (a residual before, an
// activation after); no op is asked for its name.
//
// The cost model: an op that joins saves a pass of its result through memory, and costs at most its arithmetic once
// more for each further reduction (vector-lower-rows has the choice); so whatever can join does. What cannot: reads
// that are not contiguous along the columns, values that would be computed once a row although they have no row, and
// fewer columns than make a vector worth while.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Linalg/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGFUSEROWSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using mlc::kernel::RowsOp;

namespace {

/// Columns that are worth a vector.
constexpr int64_t kFewestColumns = 8;
/// Operands whose addresses stay in registers.
constexpr unsigned kMostOperands = 12;

/// The loop of a group for each axis of a tensor, or for each loop of an op; none where the size is 1.
using Loops = SmallVector<std::optional<unsigned>>;

/// The combining op of `sum = combine(sum, value)`; null if the body is anything else.
Operation *combinerOf(linalg::GenericOp op) {
  Block *body = op.getBody();
  Operation *combiner = body->getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument sum = body->getArguments().back();
  if (!combiner || combiner->getNumOperands() != 2 || !sum.hasOneUse() || *sum.user_begin() != combiner ||
      !linalg::getCombinerOpKind(combiner))
    return nullptr;
  return combiner;
}

/// The constant that a reduction starts from.
TypedAttr startOf(linalg::GenericOp op) {
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  TypedAttr constant;
  if (!fill || !fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>() ||
      !matchPattern(fill.getInputs()[0], m_Constant(&constant)))
    return nullptr;
  return constant;
}

bool isNeutral(vector::CombiningKind kind, TypedAttr constant) {
  using Kind = vector::CombiningKind;
  if (auto number = dyn_cast<FloatAttr>(constant)) {
    APFloat value = number.getValue();
    bool isLowest = value.isInfinity() && value.isNegative(), isHighest = value.isInfinity() && !value.isNegative();
    return (kind == Kind::ADD && value.isZero()) || (kind == Kind::MUL && value.isExactlyValue(1)) ||
           (isLowest && (kind == Kind::MAXIMUMF || kind == Kind::MAXNUMF)) ||
           (isHighest && (kind == Kind::MINIMUMF || kind == Kind::MINNUMF));
  }
  auto number = dyn_cast<IntegerAttr>(constant);
  return number && kind == Kind::ADD && number.getValue().isZero();
}

/// Whether elements of the type can be loaded as vectors: a vector of bits would be packed.
bool isLoadable(Type type) { return type.isIntOrFloat() && type.getIntOrFloatBitWidth() >= 8; }

/// What can be in a group at all: one result, a body of plain arithmetic.
bool isPlain(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || op.hasIndexSemantics() ||
      !llvm::all_of(op.getInputs(), llvm::IsaPred<TypedValue<RankedTensorType>>))
    return false;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (!isa_and_present<arith::ArithDialect, math::MathDialect>(inner.getDialect()) || inner.getNumRegions())
      return false;
    for (Value value : inner.getOperands())
      if (value.getParentBlock() != op.getBody() && !matchPattern(value, m_Constant()))
        return false;
  }
  if (op.getNumReductionLoops())
    return combinerOf(op) && startOf(op);
  return op.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>() && op.getBody()->getArguments().back().use_empty();
}

/// Ops over the same rows and columns.
class Group final {
public:
  explicit Group(linalg::GenericOp seed) : block(seed->getBlock()) {
    for (AffineExpr expr : seed.getIndexingMapsArray().back().getResults())
      sizes.push_back(seed.getStaticLoopRanges()[cast<AffineDimExpr>(expr).getPosition()]);
    rows = sizes.size();
    for (auto [loop, iterator] : llvm::enumerate(seed.getIteratorTypesArray()))
      if (iterator == utils::IteratorType::reduction)
        sizes.push_back(seed.getStaticLoopRanges()[loop]);
  }

  /// Whether a group can start with `op`; then it has.
  static std::optional<Group> start(linalg::GenericOp op) {
    if (!isPlain(op) || !op.getNumReductionLoops())
      return std::nullopt;
    AffineMap out = op.getIndexingMapsArray().back();
    if (!out.isProjectedPermutation())
      return std::nullopt;
    Group group(op);
    int64_t columns = 1;
    for (int64_t size : ArrayRef(group.sizes).drop_front(group.rows))
      columns *= ShapedType::isDynamic(size) ? kFewestColumns : size;
    if (columns < kFewestColumns)
      return std::nullopt;
    Loops loops(op.getNumLoops());
    for (auto [axis, expr] : llvm::enumerate(out.getResults()))
      loops[cast<AffineDimExpr>(expr).getPosition()] = axis;
    unsigned column = group.rows;
    for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
      if (iterator == utils::IteratorType::reduction)
        loops[loop] = column++;
    if (!group.readsAlongColumns(op, loops) || !group.readsContiguously(op, loops))
      return std::nullopt;
    group.add(op, std::move(loops));
    return group;
  }

  /// Adds neighbours until none fits.
  void grow() {
    for (size_t i = 0; i < order.size(); ++i) {
      linalg::GenericOp member = order[i];
      bool grown = false;
      for (OpOperand &operand : member->getOpOperands())
        if (auto producer = operand.get().getDefiningOp<linalg::GenericOp>())
          grown |= joinProducer(producer, operand);
      forEachUser(member.getResult(0), [&](OpOperand &use) {
        if (auto consumer = dyn_cast<linalg::GenericOp>(use.getOwner()))
          grown |= joinConsumer(consumer);
      });
      if (grown)
        i = -1; // what did not fit before may fit now
    }
  }

  ArrayRef<linalg::GenericOp> ops() const { return order; }

  /// Replaces the ops by one kernel.rows, or does nothing where it could not know its sizes.
  RowsOp build(bool exact);

private:
  bool contains(Operation *op) const { return members.contains(op); }

  void add(linalg::GenericOp op, Loops loops) {
    members[op] = std::move(loops);
    order.push_back(op);
  }

  /// Calls `visit` for all uses, those through reshapes by axes of size 1 included.
  static void forEachUser(Value value, llvm::function_ref<void(OpOperand &)> visit) {
    for (OpOperand &use : llvm::make_early_inc_range(value.getUses()))
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(use.getOwner()))
        forEachUser(use.getOwner()->getResult(0), visit);
      else
        visit(use);
  }

  /// The member that computes a tensor, seen through reshapes that add or drop axes of size 1.
  linalg::GenericOp memberOf(Value value) const {
    while (Operation *op = value.getDefiningOp()) {
      if (contains(op))
        return cast<linalg::GenericOp>(op);
      if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
        return nullptr;
      value = op->getOperand(0);
    }
    return nullptr;
  }

  /// The loops of the axes of a tensor that a member computes.
  std::optional<Loops> axesOf(Value value) const {
    Operation *op = value.getDefiningOp();
    if (auto it = members.find(op); it != members.end()) {
      Loops axes;
      for (AffineExpr expr : cast<linalg::GenericOp>(op).getIndexingMapsArray().back().getResults())
        axes.push_back(it->second[cast<AffineDimExpr>(expr).getPosition()]);
      return axes;
    }
    auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
    std::optional<Loops> source = axesOf(op->getOperand(0));
    if (!source)
      return std::nullopt;
    Loops axes;
    auto groups = expand ? expand.getReassociationIndices() : collapse.getReassociationIndices();
    ArrayRef<int64_t> shape = cast<ShapedType>((expand ? value : op->getOperand(0)).getType()).getShape();
    for (auto [narrow, group] : llvm::enumerate(groups)) {
      std::optional<unsigned> loop;
      unsigned large = 0;
      for (int64_t wide : group)
        if (shape[wide] != 1) {
          ++large;
          loop = expand ? (*source)[narrow] : (*source)[wide];
        }
      if (large > 1)
        return std::nullopt;
      if (collapse)
        axes.push_back(loop);
      else
        for (int64_t wide : group)
          axes.push_back(shape[wide] == 1 ? std::nullopt : loop);
    }
    return axes;
  }

  bool setLoop(Loops &loops, AffineExpr expr, std::optional<unsigned> loop) const {
    if (!loop)
      return true; // an axis of one element: any index is 0
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return false;
    auto &entry = loops[dim.getPosition()];
    if (entry && *entry != *loop)
      return false;
    entry = loop;
    return true;
  }

  /// The map from the loops of the group to an operand of `op`.
  AffineMap mapOf(AffineMap map, const Loops &loops) const {
    MLIRContext *context = map.getContext();
    SmallVector<AffineExpr> dims;
    for (std::optional<unsigned> loop : loops)
      dims.push_back(loop ? getAffineDimExpr(*loop, context) : getAffineConstantExpr(0, context));
    return simplifyAffineMap(map.replaceDimsAndSymbols(dims, {}, sizes.size(), 0));
  }

  unsigned lastLoop() const {
    unsigned loop = sizes.size() - 1;
    while (loop > rows && sizes[loop] == 1)
      --loop;
    return loop;
  }

  /// Whether what does not come from the group is read by single elements along the columns, or not along them at all.
  bool readsContiguously(linalg::GenericOp op, const Loops &loops) const {
    for (OpOperand *operand : op.getDpsInputOperands()) {
      if (memberOf(operand->get()))
        continue;
      auto type = cast<RankedTensorType>(operand->get().getType());
      AffineMap map = mapOf(op.getMatchingIndexingMap(operand), loops);
      if (!isLoadable(type.getElementType()) ||
          !llvm::all_of(map.getResults(), llvm::IsaPred<AffineDimExpr, AffineConstantExpr>))
        return false;
      if (map.isFunctionOfDim(lastLoop()) && !mlc::kernel::movesByOne(map, lastLoop(), sizes))
        return false;
    }
    return isLoadable(getElementTypeOrSelf(op.getResult(0).getType()));
  }

  bool readsAlongColumns(linalg::GenericOp op, const Loops &loops) const {
    return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
      AffineMap map = mapOf(op.getMatchingIndexingMap(operand), loops);
      return map.isFunctionOfDim(lastLoop()) && mlc::kernel::movesByOne(map, lastLoop(), sizes);
    });
  }

  /// Whether the loops of `op` are those of the group: all of them, or if it is not a reduction, those over rows.
  bool covers(linalg::GenericOp op, const Loops &loops) const {
    SmallVector<int64_t> own = op.getStaticLoopRanges();
    llvm::SmallDenseSet<unsigned> seen;
    for (auto [loop, iterator, size] : llvm::zip(loops, op.getIteratorTypesArray(), own)) {
      if (!loop && size != 1)
        return false;
      if (!loop)
        continue;
      if (!seen.insert(*loop).second || (size != sizes[*loop]))
        return false;
      if ((iterator == utils::IteratorType::reduction) != (*loop >= rows) && op.getNumReductionLoops())
        return false;
    }
    unsigned columns = 0, wanted = 0;
    for (unsigned loop = 0; loop < sizes.size(); ++loop) {
      bool isIn = seen.contains(loop) || sizes[loop] == 1;
      if (loop < rows && !isIn)
        return false;
      if (loop >= rows && sizes[loop] != 1) {
        ++wanted;
        columns += isIn;
      }
    }
    return columns == wanted || (columns == 0 && !op.getNumReductionLoops());
  }

  /// The map of a result, without its axes of one element that are no loops.
  AffineMap resultMapOf(linalg::GenericOp op, const Loops &loops) const {
    AffineMap out = mapOf(op.getIndexingMapsArray().back(), loops);
    return AffineMap::get(sizes.size(), 0, llvm::filter_to_vector(out.getResults(), llvm::IsaPred<AffineDimExpr>),
                          op.getContext());
  }

  /// Whether a tensor has the axes of a result: all loops in order, or those over rows.
  bool isResult(linalg::GenericOp op, const Loops &loops) const {
    AffineMap out = resultMapOf(op, loops);
    AffineMap all = AffineMap::getMultiDimIdentityMap(sizes.size(), op.getContext());
    return out == all || out == mlc::kernel::getRowMap(sizes.size(), rows, op.getContext());
  }

  /// The tensor.empty that a member writes to.
  static tensor::EmptyOp emptyOf(linalg::GenericOp op) {
    Value init = op.getDpsInits()[0];
    if (auto fill = init.getDefiningOp<linalg::FillOp>())
      init = fill.getOutputs()[0];
    return init.getDefiningOp<tensor::EmptyOp>();
  }

  /// A destination for a result, without its axes that are no loops.
  Value initOf(OpBuilder &b, linalg::GenericOp op) {
    tensor::EmptyOp empty = emptyOf(op);
    AffineMap out = mapOf(op.getIndexingMapsArray().back(), members[op]);
    SmallVector<OpFoldResult> kept;
    for (auto [expr, size] : llvm::zip(out.getResults(), empty.getMixedSizes()))
      if (isa<AffineDimExpr>(expr))
        kept.push_back(size);
    return kept.size() == out.getNumResults()
               ? empty.getResult()
               : Value(tensor::EmptyOp::create(b, op.getLoc(), kept, empty.getType().getElementType()));
  }

  /// A result of the kernel as the tensor that the op computed.
  Value withUnitAxes(OpBuilder &b, linalg::GenericOp op, Value result) {
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    if (result.getType() == type)
      return result;
    AffineMap out = mapOf(op.getIndexingMapsArray().back(), members[op]);
    SmallVector<ReassociationIndices> groups;
    ReassociationIndices pending;
    for (auto [axis, expr] : llvm::enumerate(out.getResults())) {
      pending.push_back(axis);
      if (isa<AffineDimExpr>(expr)) {
        groups.push_back(pending);
        pending.clear();
      }
    }
    if (!groups.empty())
      llvm::append_range(groups.back(), pending);
    return tensor::ExpandShapeOp::create(b, op.getLoc(), type, result, groups, emptyOf(op).getMixedSizes());
  }

  bool hasUsersOutside(linalg::GenericOp op) const {
    bool found = false;
    forEachUser(op.getResult(0), [&](OpOperand &use) { found |= !contains(use.getOwner()); });
    return found;
  }

  bool fits(linalg::GenericOp op, const Loops &loops) {
    if (!covers(op, loops) || !readsContiguously(op, loops))
      return false;
    members[op] = loops;
    bool ok = !hasCycle() && (isResult(op, loops) || !hasUsersOutside(op));
    members.erase(op);
    return ok;
  }

  /// Whether an op outside of the group is computed from a member and read by one.
  bool hasCycle() const {
    Operation *first = nullptr;
    for (auto &[op, loops] : members)
      if (!first || op->isBeforeInBlock(first))
        first = op;
    llvm::SmallDenseSet<Operation *> seen;
    SmallVector<Operation *> work;
    auto visit = [&](Operation *op) {
      op->walk([&](Operation *inner) {
        for (Value value : inner->getOperands())
          if (Operation *source = value.getDefiningOp(); source && (source = block->findAncestorOpInBlock(*source)) &&
                                                         !source->isBeforeInBlock(first) && seen.insert(source).second)
            work.push_back(source);
      });
    };
    for (auto &[op, loops] : members)
      for (Value value : op->getOperands())
        // A reshape of a member is seen through.
        if (Operation *source = value.getDefiningOp(); source && !memberOf(value) && source->getBlock() == block &&
                                                       !source->isBeforeInBlock(first) && seen.insert(source).second)
          work.push_back(source);
    while (!work.empty()) {
      Operation *op = work.pop_back_val();
      if (contains(op))
        return true;
      visit(op);
    }
    return false;
  }

  bool joinConsumer(linalg::GenericOp op) {
    if (contains(op) || op->getBlock() != block || !isPlain(op))
      return false;
    Loops loops(op.getNumLoops());
    for (OpOperand *operand : op.getDpsInputOperands()) {
      if (!memberOf(operand->get()))
        continue;
      std::optional<Loops> axes = axesOf(operand->get());
      if (!axes)
        return false;
      for (auto [expr, loop] : llvm::zip(op.getMatchingIndexingMap(operand).getResults(), *axes))
        if (!setLoop(loops, expr, loop))
          return false;
    }
    // Loops that only operands from outside have: read as another member reads the same tensor.
    inferFromShared(op, loops);
    if (!fits(op, loops))
      return false;
    add(op, std::move(loops));
    return true;
  }

  bool joinProducer(linalg::GenericOp op, OpOperand &use) {
    if (contains(op) || op->getBlock() != block || !isPlain(op))
      return false;
    auto consumer = cast<linalg::GenericOp>(use.getOwner());
    if (consumer.isDpsInit(&use))
      return false;
    AffineMap out = op.getIndexingMapsArray().back();
    if (!out.isProjectedPermutation())
      return false;
    Loops loops(op.getNumLoops());
    const Loops &around = members.find(consumer)->second;
    for (auto [expr, own] : llvm::zip(consumer.getMatchingIndexingMap(&use).getResults(), out.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!setLoop(loops, own, dim ? around[dim.getPosition()] : std::nullopt))
        return false;
    }
    if (op.getNumReductionLoops())
      inferFromShared(op, loops);
    if (!fits(op, loops))
      return false;
    add(op, std::move(loops));
    return true;
  }

  /// Loops that are still unknown get those by which a member reads the same tensor.
  void inferFromShared(linalg::GenericOp op, Loops &loops) const {
    for (OpOperand *operand : op.getDpsInputOperands())
      for (linalg::GenericOp member : order)
        for (OpOperand *other : member.getDpsInputOperands()) {
          if (other->get() != operand->get() || memberOf(operand->get()))
            continue;
          AffineMap read = mapOf(member.getMatchingIndexingMap(other), members.find(member)->second);
          for (auto [expr, theirs] : llvm::zip(op.getMatchingIndexingMap(operand).getResults(), read.getResults()))
            if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && !loops[dim.getPosition()])
              if (auto loop = dyn_cast<AffineDimExpr>(theirs))
                loops[dim.getPosition()] = loop.getPosition();
        }
  }

  Block *block;
  unsigned rows = 0;
  SmallVector<int64_t> sizes;
  DenseMap<Operation *, Loops> members;
  SmallVector<linalg::GenericOp> order;
};

/// x / y -> x * (1 / y) where y is one number a row, but for quotients that are rounded, where half a unit in the last
/// place decides between two integers.
void divideOnce(RowsOp op) {
  mlc::kernel::RowValues values(op);
  DenseMap<Value, Value> reciprocals;
  SmallVector<arith::DivFOp> divisions(op.getBody().front().getOps<arith::DivFOp>());
  for (arith::DivFOp division : divisions) {
    Value divisor = division.getRhs();
    bool isRounded = llvm::any_of(division->getUsers(), llvm::IsaPred<math::RoundEvenOp>);
    if (isRounded || values.isOfRow(division.getLhs()) || !values.isOfRow(divisor))
      continue;
    Value &reciprocal = reciprocals[divisor];
    OpBuilder b(division);
    if (!reciprocal) {
      Value one = arith::ConstantOp::create(b, op.getLoc(), b.getFloatAttr(divisor.getType(), 1.0));
      reciprocal = arith::DivFOp::create(b, op.getLoc(), one, divisor);
    }
    division.replaceAllUsesWith(Value(arith::MulFOp::create(b, op.getLoc(), division.getLhs(), reciprocal)));
    division.erase();
  }
}

void eraseUsers(Value value) {
  for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
    eraseUsers(user->getResult(0));
    user->erase();
  }
}

RowsOp Group::build(bool exact) {
  llvm::sort(order, [](Operation *lhs, Operation *rhs) { return lhs->isBeforeInBlock(rhs); });
  OpBuilder b(order.back());
  SmallVector<Value> inputs, inits;
  SmallVector<AffineMap> maps;
  SmallVector<linalg::GenericOp> outputs;
  SmallVector<Location> locations;
  // An input for each tensor and way to read it.
  DenseMap<std::pair<Value, AffineMap>, unsigned> places;
  for (linalg::GenericOp member : order) {
    locations.push_back(member.getLoc());
    for (OpOperand *operand : member.getDpsInputOperands()) {
      if (memberOf(operand->get()))
        continue;
      AffineMap map = mapOf(member.getMatchingIndexingMap(operand), members[member]);
      if (places.try_emplace({operand->get(), map}, inputs.size()).second) {
        inputs.push_back(operand->get());
        maps.push_back(map);
      }
    }
  }
  for (linalg::GenericOp member : order)
    if (hasUsersOutside(member)) {
      outputs.push_back(member);
      inits.push_back(initOf(b, member));
      maps.push_back(resultMapOf(member, members[member]));
    }
  if (inputs.size() + inits.size() > kMostOperands)
    return nullptr;
  for (unsigned loop = 0; loop < sizes.size(); ++loop)
    if (llvm::none_of(maps,
                      [&](AffineMap map) { return llvm::is_contained(map.getResults(), b.getAffineDimExpr(loop)); }) &&
        sizes[loop] != 1)
      return nullptr;

  auto rowsOp = RowsOp::create(b, b.getFusedLoc(locations), ValueRange(inits).getTypes(), inputs, inits,
                               b.getAffineMapArrayAttr(maps), rows, sizes, /*triangle=*/{});
  Block *body = b.createBlock(&rowsOp.getBody());
  for (Value input : inputs)
    body->addArgument(getElementTypeOrSelf(input.getType()), rowsOp.getLoc());
  DenseMap<Operation *, Value> results;
  for (linalg::GenericOp member : order) {
    IRMapping mapping;
    for (OpOperand *operand : member.getDpsInputOperands()) {
      Value inside;
      if (linalg::GenericOp source = memberOf(operand->get())) {
        inside = results[source];
      } else {
        AffineMap map = mapOf(member.getMatchingIndexingMap(operand), members[member]);
        inside = body->getArgument(places[{operand->get(), map}]);
      }
      mapping.map(member.getBody()->getArgument(operand->getOperandNumber()), inside);
    }
    Operation *combiner = member.getNumReductionLoops() ? combinerOf(member) : nullptr;
    for (Operation &inner : member.getBody()->without_terminator()) {
      if (&inner == combiner)
        continue;
      // Constants from outside come along.
      for (Value operand : inner.getOperands())
        if (!mapping.contains(operand))
          if (Operation *constant = operand.getDefiningOp(); constant && constant->hasTrait<OpTrait::ConstantLike>())
            mapping.map(operand, b.clone(*constant)->getResult(0));
      b.clone(inner, mapping);
    }
    if (!combiner) {
      Value yielded = member.getBody()->getTerminator()->getOperand(0);
      if (!mapping.contains(yielded)) // a constant from outside
        mapping.map(yielded, b.clone(*yielded.getDefiningOp())->getResult(0));
      results[member] = mapping.lookup(yielded);
      continue;
    }
    BlockArgument sum = member.getBody()->getArguments().back();
    unsigned place = combiner->getOperand(0) == sum ? 0 : 1;
    vector::CombiningKind kind = *linalg::getCombinerOpKind(combiner);
    Value value = mapping.lookup(combiner->getOperand(1 - place));
    Value reduced = mlc::kernel::ReduceOp::create(b, member.getLoc(), kind, value);
    if (TypedAttr start = startOf(member); !isNeutral(kind, start)) {
      mapping.map(sum, Value(arith::ConstantOp::create(b, member.getLoc(), start)));
      mapping.map(combiner->getOperand(1 - place), reduced);
      reduced = b.clone(*combiner, mapping)->getResult(0);
    }
    results[member] = reduced;
  }
  SmallVector<Value> yielded;
  for (linalg::GenericOp member : outputs)
    yielded.push_back(results[member]);
  mlc::kernel::YieldOp::create(b, rowsOp.getLoc(), yielded);
  b.setInsertionPointAfter(rowsOp);
  for (auto [member, result] : llvm::zip(outputs, rowsOp.getResults()))
    member.getResult(0).replaceAllUsesWith(withUnitAxes(b, member, result));
  // Reshapes inside of the group have no users any more.
  for (linalg::GenericOp member : llvm::reverse(order)) {
    eraseUsers(member.getResult(0));
    member.erase();
  }
  bool isSorted = llvm::all_of(rowsOp->getUsers(), [&](Operation *user) {
    return rowsOp->isBeforeInBlock(block->findAncestorOpInBlock(*user));
  });
  if (!isSorted)
    sortTopologically(block);
  if (!exact)
    divideOnce(rowsOp);
  return rowsOp;
}

struct FuseRows final : mlc::impl::LinalgFuseRowsPassBase<FuseRows> {
  using LinalgFuseRowsPassBase::LinalgFuseRowsPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> reductions;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.getNumReductionLoops())
        reductions.push_back(op);
    });
    // A reduction may join the group of another one before it is its turn.
    llvm::DenseSet<Operation *> gone;
    for (Operation *op : reductions) {
      if (gone.contains(op))
        continue;
      std::optional<Group> group = Group::start(cast<linalg::GenericOp>(op));
      if (!group)
        continue;
      group->grow();
      ArrayRef<linalg::GenericOp> members = group->ops();
      SmallVector<Operation *> all(members.begin(), members.end());
      if (!group->build(exact))
        continue;
      gone.insert(all.begin(), all.end());
      ++numRows;
      numFused += all.size();
    }
  }
};

} // namespace
