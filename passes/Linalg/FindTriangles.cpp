//===- FindTriangles.cpp - kernels learn what a causal mask leaves out --------------------------------------------===//
//
//   seen    = generic { j <= i }                        false above the diagonal
//   scores  = contract(query, key) { select(seen, sum, -inf) }     -inf there, whatever the sums are
//   weights = rows(scores) { softmax }                  0 there, and nothing of it counts in a reduction
//   result  = contract(weights, value)                  products of 0 there
//
// A tensor is known outside of a triangle (j <= i + offset) if all of its elements there are one constant. Such facts
// begin where two indices are compared, and go on through the regions of kernels and loops: those are evaluated for an
// element outside, with what is known of the operands. A kernel that gives, or adds up, nothing else there becomes one
// of the triangle. So does the product whose result only such kernels read: the gradient of the weights.
//
// Anything times 0 counts as 0, and so does 0 divided by anything; -inf plus anything is -inf. A NaN or an infinite
// number that a mask hides does not come through to what it hides. But -inf less a maximum is -inf only where the
// maximum is not, too: in rows that see a column.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Kernel/KernelDialect.h"
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace mlc {
#define GEN_PASS_DEF_LINALGFINDTRIANGLESPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using mlc::kernel::ContractOp;
using mlc::kernel::ReduceOp;
using mlc::kernel::RowsOp;
using mlc::kernel::Triangle;

namespace {

/// Outside of the triangle all elements of a tensor have this value.
struct Fact final {
  Triangle triangle;
  Attribute outside;
};
using Facts = SmallVector<Fact, 2>;

/// A triangle of axes as one of the loops that `map` reads them by.
std::optional<Triangle> throughMap(Triangle axes, AffineMap map) {
  auto row = dyn_cast<AffineDimExpr>(map.getResult(axes.row)),
       column = dyn_cast<AffineDimExpr>(map.getResult(axes.column));
  if (!row || !column || row == column)
    return std::nullopt;
  return Triangle{row.getPosition(), column.getPosition(), axes.offset};
}

/// A triangle of loops as one of the axes that `map` writes.
std::optional<Triangle> toAxes(Triangle loops, AffineMap map) {
  auto axisOf = [&](int64_t loop) { return map.getResultPosition(getAffineDimExpr(loop, map.getContext())); };
  auto row = axisOf(loops.row), column = axisOf(loops.column);
  if (!row || !column)
    return std::nullopt;
  return Triangle{*row, *column, loops.offset};
}

/// A sum of indices, of loops or of the axes of a tensor, each with its factor, and a constant.
struct Position final {
  llvm::SmallMapVector<int64_t, int64_t, 2> factors;
  int64_t offset = 0;

  void add(const Position &other, int64_t times) {
    for (auto [index, factor] : other.factors)
      factors[index] += times * factor;
    offset += times * other.offset;
  }
};
using Positions = DenseMap<Value, Position>;

/// `arguments` are those of the region that are positions.
std::optional<Position> positionOf(Value value, const Positions &arguments) {
  if (APInt number; matchPattern(value, m_ConstantInt(&number)))
    return Position{{}, number.getSExtValue()};
  if (auto it = arguments.find(value); it != arguments.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  if (auto index = dyn_cast_or_null<linalg::IndexOp>(op)) {
    Position position;
    position.factors[static_cast<int64_t>(index.getDim())] = 1;
    return position;
  }
  // Numbers of fewer bits may wrap before an axis ends.
  if (isa_and_present<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op))
    return op->getResult(0).getType().isIndex() || op->getResult(0).getType().getIntOrFloatBitWidth() >= 32
               ? positionOf(op->getOperand(0), arguments)
               : std::nullopt;
  if (!isa_and_present<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  auto lhs = positionOf(op->getOperand(0), arguments), rhs = positionOf(op->getOperand(1), arguments);
  if (!lhs || !rhs)
    return std::nullopt;
  lhs->add(*rhs, isa<arith::AddIOp>(op) ? 1 : -1);
  return lhs;
}

/// A comparison of two indices has one result on a triangle, and the other one on the triangle that is left.
Facts factsOf(arith::CmpIOp compare, const Positions &arguments) {
  auto lhs = positionOf(compare.getLhs(), arguments), rhs = positionOf(compare.getRhs(), arguments);
  if (!lhs || !rhs)
    return {};
  lhs->add(*rhs, -1);
  std::optional<int64_t> smaller, larger;
  for (auto [index, factor] : lhs->factors) {
    std::optional<int64_t> &place = factor == 1 ? smaller : larger;
    if (factor != 0 && (std::abs(factor) != 1 || place))
      return {};
    if (factor != 0)
      place = index;
  }
  if (!smaller || !larger)
    return {};
  // smaller <= larger + offset, or not
  int64_t offset = -lhs->offset;
  bool isInside = true;
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sle:
    break;
  case arith::CmpIPredicate::slt:
    --offset;
    break;
  case arith::CmpIPredicate::sgt:
    isInside = false;
    break;
  case arith::CmpIPredicate::sge:
    --offset;
    isInside = false;
    break;
  default:
    return {};
  }
  MLIRContext *context = compare.getContext();
  return {{{*larger, *smaller, offset}, BoolAttr::get(context, !isInside)},
          {{*smaller, *larger, -offset - 1}, BoolAttr::get(context, isInside)}};
}

/// What the region of a kernel or a loop reads: a tensor by a map, as an argument.
struct Read final {
  Value tensor;
  AffineMap map;
  Value argument;
};

/// The region of a kernel or a loop, evaluated for an element outside of a triangle. What is not known is null.
class Evaluation final {
public:
  /// `arguments` are those of the region that are known.
  Evaluation(Block &body, Triangle triangle, const DenseMap<Value, Attribute> &arguments, const Positions &positions)
      : triangle(triangle), known(arguments), positions(positions) {
    for (Operation &op : body.without_terminator())
      evaluate(op);
    for (Value value : body.getTerminator()->getOperands())
      results.push_back(valueOf(value));
  }

  Attribute result(unsigned i) const { return results[i]; }
  /// Whether reductions along the row take nothing from outside.
  bool reducesNothing() const { return isNeutral; }
  /// Whether -inf less something counted as -inf: that is so where the something is not -inf, too.
  bool subtractsFromLow() const { return subtracts; }

private:
  Attribute valueOf(Value value) const {
    if (Attribute attribute = known.lookup(value))
      return attribute;
    Attribute constant;
    return matchPattern(value, m_Constant(&constant)) ? constant : nullptr;
  }
  static bool isZero(Attribute value) {
    auto number = dyn_cast_or_null<FloatAttr>(value);
    return number && number.getValue().isZero();
  }
  static bool isLow(Attribute value) {
    auto number = dyn_cast_or_null<FloatAttr>(value);
    return number && number.getValue().isInfinity() && number.getValue().isNegative();
  }

  void reduce(ReduceOp op) {
    Attribute value = valueOf(op.getValue());
    bool isNothing = false;
    if (op.getKind() == vector::CombiningKind::ADD)
      isNothing = isZero(value);
    else if (op.getKind() == vector::CombiningKind::MAXIMUMF || op.getKind() == vector::CombiningKind::MAXNUMF)
      isNothing = isLow(value);
    isNeutral &= isNothing;
  }

  void evaluate(Operation &op) {
    if (auto reduction = dyn_cast<ReduceOp>(op))
      return reduce(reduction);
    if (op.getNumResults() != 1 || op.getNumRegions())
      return;
    if (auto compare = dyn_cast<arith::CmpIOp>(op))
      for (const Fact &fact : factsOf(compare, positions))
        if (fact.triangle == triangle) {
          known[compare.getResult()] = fact.outside;
          return;
        }
    SmallVector<Attribute> operands;
    for (Value operand : op.getOperands())
      operands.push_back(valueOf(operand));
    if (Attribute result = compute(op, operands))
      known[op.getResult(0)] = result;
  }

  Attribute compute(Operation &op, ArrayRef<Attribute> operands) {
    if (isa<arith::SelectOp>(op)) {
      if (auto condition = dyn_cast_or_null<IntegerAttr>(operands[0]))
        return condition.getValue().isZero() ? operands[2] : operands[1];
      return operands[1] == operands[2] ? operands[1] : nullptr;
    }
    if (isa<arith::MulFOp>(op))
      for (Attribute operand : operands)
        if (isZero(operand))
          return operand;
    if (isa<arith::DivFOp>(op) && isZero(operands[0]))
      return operands[0];
    if (isa<arith::AddFOp>(op))
      for (Attribute operand : operands)
        if (isLow(operand))
          return operand;
    if (isa<arith::SubFOp>(op) && isLow(operands[0]) && !operands[1]) {
      subtracts = true;
      return operands[0];
    }
    if (operands.empty() || llvm::is_contained(operands, nullptr))
      return nullptr;
    // A copy, since folding may change an op in place.
    Operation *copy = op.clone();
    SmallVector<OpFoldResult> folded;
    bool isFolded = succeeded(copy->fold(operands, folded)) && folded.size() == 1;
    Attribute result = isFolded ? dyn_cast<Attribute>(folded[0]) : Attribute();
    copy->erase();
    return result;
  }

  Triangle triangle;
  DenseMap<Value, Attribute> known;
  const Positions &positions;
  SmallVector<Attribute> results;
  bool isNeutral = true, subtracts = false;
};

struct FindTriangles final : mlc::impl::LinalgFindTrianglesPassBase<FindTriangles> {
  void runOnOperation() override {
    facts.clear();
    indices.clear();
    uniform.clear();
    outsideOf.clear();
    getOperation().walk([&](Operation *op) {
      if (auto loops = dyn_cast<linalg::GenericOp>(op))
        visit(loops);
      else if (auto rows = dyn_cast<RowsOp>(op))
        visit(rows);
      else if (auto contract = dyn_cast<ContractOp>(op))
        visit(contract);
      else if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
        reshape(op);
    });
    getOperation().walk([&](ContractOp op) {
      if (!op.getTriangle())
        if (std::optional<Triangle> triangle = readOf(op))
          set(op, *triangle);
    });
  }

  template <typename Op> void set(Op op, Triangle triangle) {
    op.setTriangle(ArrayRef<int64_t>{triangle.row, triangle.column, triangle.offset});
    ++numFound;
  }

  /// What is known of an operand, in terms of loops.
  Facts factsOf(Value operand, AffineMap map) const {
    Facts result;
    if (auto it = facts.find(operand); it != facts.end())
      for (const Fact &fact : it->second)
        if (std::optional<Triangle> loops = throughMap(fact.triangle, map))
          result.push_back({*loops, fact.outside});
    return result;
  }

  /// What is read of a tensor of numbers of its axes, in terms of loops.
  std::optional<Position> positionOf(const Read &read) const {
    auto it = indices.find(read.tensor);
    if (it == indices.end())
      return std::nullopt;
    Position result{{}, it->second.offset};
    for (auto [axis, factor] : it->second.factors) {
      AffineExpr expr = read.map.getResult(axis);
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        result.factors[loop.getPosition()] += factor;
      else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
        result.offset += factor * constant.getValue();
      else
        return std::nullopt;
    }
    return result;
  }

  Positions positionsOf(ArrayRef<Read> reads) const {
    Positions result;
    for (const Read &read : reads)
      if (std::optional<Position> position = positionOf(read))
        result[read.argument] = *position;
    return result;
  }

  /// Arguments that have one value for all elements.
  DenseMap<Value, Attribute> constantsOf(ArrayRef<Read> reads) const {
    DenseMap<Value, Attribute> result;
    for (const Read &read : reads)
      if (Attribute value = uniform.lookup(read.tensor))
        result[read.argument] = value;
      else if (SplatElementsAttr splat; matchPattern(read.tensor, m_Constant(&splat)))
        result[read.argument] = splat.getSplatValue<Attribute>();
    return result;
  }

  /// Evaluates a region for every triangle outside of which something is known.
  void forEachTriangle(Block &region, ArrayRef<Read> reads,
                       llvm::function_ref<void(Triangle, const Evaluation &)> body) const {
    Positions positions = positionsOf(reads);
    SmallVector<Triangle> triangles;
    auto add = [&](Triangle triangle) {
      if (!llvm::is_contained(triangles, triangle))
        triangles.push_back(triangle);
    };
    for (const Read &read : reads)
      for (const Fact &fact : factsOf(read.tensor, read.map))
        add(fact.triangle);
    for (auto compare : region.getOps<arith::CmpIOp>())
      for (const Fact &fact : ::factsOf(compare, positions))
        add(fact.triangle);
    for (Triangle triangle : triangles) {
      DenseMap<Value, Attribute> arguments = constantsOf(reads);
      for (const Read &read : reads)
        for (const Fact &fact : factsOf(read.tensor, read.map))
          if (fact.triangle == triangle)
            arguments[read.argument] = fact.outside;
      body(triangle, Evaluation(region, triangle, arguments, positions));
    }
  }

  void remember(Value result, AffineMap map, Triangle loops, Attribute outside) {
    if (!outside)
      return;
    if (std::optional<Triangle> axes = toAxes(loops, map))
      facts[result].push_back({*axes, outside});
  }

  void visit(linalg::GenericOp op) {
    if (op.getNumReductionLoops() || !op.hasPureTensorSemantics())
      return;
    SmallVector<Read> reads;
    for (OpOperand *operand : op.getDpsInputOperands())
      reads.push_back(
          {operand->get(), op.getMatchingIndexingMap(operand), op.getBody()->getArgument(operand->getOperandNumber())});
    forEachTriangle(*op.getBody(), reads, [&](Triangle triangle, const Evaluation &outside) {
      if (outside.subtractsFromLow())
        return;
      bool isKnown = true;
      for (auto [i, result] : llvm::enumerate(op.getResults())) {
        remember(result, op.getMatchingIndexingMap(op.getDpsInitOperand(i)), triangle, outside.result(i));
        isKnown &= outside.result(i) != nullptr;
      }
      if (isKnown)
        outsideOf[op].push_back(triangle);
    });
    // Numbers of axes, and one value for all.
    Positions positions = positionsOf(reads);
    Value yielded = op.getBody()->getTerminator()->getOperand(0), result = op.getResult(0);
    if (op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
      if (std::optional<Position> position = ::positionOf(yielded, positions))
        indices[result] = *position;
    Evaluation everywhere(*op.getBody(), {-1, -1, 0}, constantsOf(reads), positions);
    if (Attribute value = everywhere.result(0); value && op.getNumResults() == 1)
      uniform[result] = value;
  }

  void visit(RowsOp op) {
    SmallVector<Read> reads;
    Block &body = op.getBody().front();
    for (auto [i, input] : llvm::enumerate(op.getInputs()))
      reads.push_back({input, op.getMap(i), body.getArgument(i)});
    forEachTriangle(body, reads, [&](Triangle triangle, const Evaluation &outside) {
      bool isOfRows = triangle.row < static_cast<int64_t>(op.getRows()) && triangle.column + 1 == op.getNumLoops();
      bool seesFirst = isOfRows && triangle.offset >= 0; // the first column, every row
      if (outside.subtractsFromLow() && !seesFirst)
        return;
      for (auto [i, init] : llvm::enumerate(op.getInits())) {
        AffineMap map = op.getMap(op.getInputs().size() + i);
        auto zero = cast<TypedAttr>(OpBuilder(op).getZeroAttr(getElementTypeOrSelf(init.getType())));
        isOfRows &= op.isOfRow(i) || outside.result(i) == zero;
        if (!op.isOfRow(i))
          remember(op.getResult(i), map, triangle, outside.result(i));
      }
      if (isOfRows && outside.reducesNothing() && !op.getTriangle())
        set(op, triangle);
    });
  }

  void visit(ContractOp op) {
    SmallVector<Read> reads;
    Block &body = op.getEpilogue().front();
    for (auto [i, extra] : llvm::enumerate(op.getExtras()))
      reads.push_back({extra, op.getExtraMap(i), body.getArgument(1 + i)});
    forEachTriangle(body, reads, [&](Triangle triangle, const Evaluation &outside) {
      if (outside.subtractsFromLow())
        return;
      remember(op.getResult(0), op.getOutMap(), triangle, outside.result(0));
      if (outside.result(0) && !op.getTriangle())
        set(op, triangle);
    });
    // Products of zeros.
    for (auto [operand, map] : {std::pair(op.getLhs(), op.getLhsMap()), std::pair(op.getRhs(), op.getRhsMap())})
      for (const Fact &fact : factsOf(operand, map))
        if (!op.getTriangle() && fact.outside == OpBuilder(op).getZeroAttr(getElementTypeOrSelf(operand.getType())))
          set(op, fact.triangle);
  }

  /// Axes of a reshape that are alone in their group, or with others of one element, are what they were.
  void reshape(Operation *op) {
    bool collapses = isa<tensor::CollapseShapeOp>(op);
    SmallVector<ReassociationIndices> groups = collapses ? cast<tensor::CollapseShapeOp>(op).getReassociationIndices()
                                                         : cast<tensor::ExpandShapeOp>(op).getReassociationIndices();
    Value source = op->getOperand(0), result = op->getResult(0);
    auto wide = cast<RankedTensorType>(collapses ? source.getType() : result.getType());
    auto axisOf = [&](int64_t axis) -> std::optional<int64_t> {
      for (auto [narrow, group] : llvm::enumerate(groups)) {
        SmallVector<int64_t> real =
            llvm::filter_to_vector(group, [&](int64_t place) { return wide.getDimSize(place) != 1; });
        if (real.size() == 1 && (collapses ? real[0] : static_cast<int64_t>(narrow)) == axis)
          return collapses ? static_cast<int64_t>(narrow) : real[0];
      }
      return std::nullopt;
    };
    if (Attribute value = uniform.lookup(source))
      uniform[result] = value;
    if (auto it = facts.find(source); it != facts.end()) {
      Facts moved;
      for (const Fact &fact : it->second)
        if (auto row = axisOf(fact.triangle.row), column = axisOf(fact.triangle.column); row && column)
          moved.push_back({{*row, *column, fact.triangle.offset}, fact.outside});
      facts[result] = moved;
    }
    if (auto it = indices.find(source); it != indices.end()) {
      Position moved{{}, it->second.offset};
      for (auto [axis, factor] : it->second.factors) {
        std::optional<int64_t> now = axisOf(axis);
        if (!now)
          return;
        moved.factors[*now] = factor;
      }
      indices[result] = moved;
    }
  }

  /// The triangle outside of which nobody looks at the result, as loops of the contraction: all who read it are rows of
  /// it, or loops whose result is known there.
  std::optional<Triangle> readOf(ContractOp op) const {
    SmallVector<Triangle> common;
    for (auto [i, use] : llvm::enumerate(op.getResult(0).getUses())) {
      SmallVector<Triangle> loops;
      AffineMap map;
      if (auto rows = dyn_cast<RowsOp>(use.getOwner()); rows && rows.getTriangle() && !rows.isDpsInit(&use)) {
        loops.push_back(*mlc::kernel::toTriangle(rows.getTriangle()));
        map = rows.getMap(use.getOperandNumber());
      } else if (auto generic = dyn_cast<linalg::GenericOp>(use.getOwner()); generic && !generic.isDpsInit(&use)) {
        loops = outsideOf.lookup(generic);
        map = generic.getMatchingIndexingMap(&use);
      }
      SmallVector<Triangle> axes;
      for (Triangle triangle : loops)
        if (std::optional<Triangle> read = toAxes(triangle, map))
          axes.push_back(*read);
      if (i == 0)
        common = axes;
      llvm::erase_if(common, [&](Triangle triangle) { return !llvm::is_contained(axes, triangle); });
    }
    // The axes of the result are the parallel loops.
    return common.empty() ? std::nullopt : std::optional(common.front());
  }

  DenseMap<Value, Facts> facts;
  Positions indices;                                      ///< tensors of numbers of their axes
  DenseMap<Value, Attribute> uniform;                     ///< tensors of one value
  DenseMap<Operation *, SmallVector<Triangle>> outsideOf; ///< loops whose result is known outside
};

} // namespace
