//===- LowerTranspositions.cpp - copies that exchange the contiguous axis -----------------------------------------===//
//
// Element-wise loops whose result is contiguous along one loop (columns) and some of whose inputs along another (rows)
// become squares of vectors, read along the rows, transposed in registers and written along the columns; as loops, one
// side would be read or written element by element. Loops that join up are joined first, of the others every iteration
// is a batch of tasks. The ends of rows and columns take masks.
//
// Precondition: the op is alone in a kernel function (buffer-outline-kernels) on memory.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/Passes.h"
#include "passes/Vector/Tasks.h"
#include "passes/Vector/Transposition.h"
#include "passes/Vector/VectorBody.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORLOWERTRANSPOSITIONSPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;

namespace {

/// Elements that a task should have at least: some ten microseconds.
constexpr int64_t kWorkOfTask = 1 << 15;
/// The largest square: more rows than this are not in flight at a time.
constexpr int64_t kLargestSquare = 16;
/// Squares next to each other along the rows that a task has at least, so that whole cache lines are read.
constexpr int64_t kSquaresOfTask = 4;

/// The loops of a transposition; the last operand is the result.
struct Loops final {
  Nest nest;
  unsigned row, column;
  SmallVector<unsigned> outer;
};

/// One side of a square: all of it, or what is left of a loop.
struct Side final {
  /// The vectors or lanes to build: all, or what is left where that is known.
  int64_t built;
  /// What is left where only a run knows it.
  std::optional<Index> left;
  /// The lanes that exist; null: all.
  Value mask;
};

/// Builds squares.
class Square final {
public:
  Square(Arithmetic &a, linalg::GenericOp op, const Loops &loops, int64_t size)
      : a(a), op(op), loops(loops), size(size) {}

  /// Builds every square of the rows [first, last) and all columns. A few squares next to each other along the rows
  /// come before the next columns: what is read along the rows is whole cache lines, in order, and columns may be pages
  /// apart.
  void forEach(const Place &place, Index first, Index last) {
    const Index &rows = loops.nest.loops[loops.row].size, &columns = loops.nest.loops[loops.column].size;
    a.forEach(first, last, kSquaresOfTask * size, [&](Index block) {
      Index end = a.min(a.add(block, kSquaresOfTask * size), last);
      overSide(0, columns, columns, [&](Index column, const Side &side) {
        Place there = loops.nest.advance(a, place, loops.column, column);
        overSide(block, end, rows,
                 [&](Index row, const Side &of) { build(loops.nest.advance(a, there, loops.row, row), of, side); });
      });
    });
  }

private:
  VectorType vectorOf(Type element) { return VectorType::get({size}, element); }

  /// The lanes before `left`.
  Value firstLanes(int64_t left) {
    SmallVector<bool> flags;
    for (int64_t lane = 0; lane < size; ++lane)
      flags.push_back(lane < left);
    return arith::ConstantOp::create(a.b, a.loc, DenseElementsAttr::get(vectorOf(a.b.getI1Type()), flags));
  }

  /// The lanes before `left`, which only a run knows.
  Value maskOf(Index left) {
    SmallVector<Attribute> lanes;
    for (int64_t lane = 0; lane < size; ++lane)
      lanes.push_back(a.b.getI32IntegerAttr(lane));
    VectorType type = vectorOf(a.b.getI32Type());
    Value lane = arith::ConstantOp::create(a.b, a.loc, DenseElementsAttr::get(type, lanes));
    Value end = arith::IndexCastOp::create(a.b, a.loc, a.b.getI32Type(), a.value(left));
    return arith::CmpIOp::create(a.b, a.loc, arith::CmpIPredicate::slt, lane,
                                 Value(vector::BroadcastOp::create(a.b, a.loc, type, end)));
  }

  /// Calls `body` for steps of a square in [first, last) of a loop of `all` iterations.
  void overSide(Index first, Index last, Index all, llvm::function_ref<void(Index, const Side &)> body) {
    Index whole = a.add(first, a.mul(a.floorDiv(a.sub(last, first), size), size));
    a.forEach(first, whole, size, [&](Index at) { body(at, {size, std::nullopt, Value()}); });
    if (all.isConstant()) {
      int64_t rest = all.constant() % size;
      if (rest == 0)
        return;
      a.ifLess(whole, last, [&] { body(whole, {rest, std::nullopt, firstLanes(rest)}); });
      return;
    }
    a.ifLess(whole, last, [&] {
      Index left = a.sub(last, whole);
      body(whole, {size, left, maskOf(left)});
    });
  }

  /// `mask` if `index` is left of `side`, else no lane.
  Value onlyWithin(Value mask, const Side &side, int64_t index) {
    if (!side.left)
      return mask;
    if (!mask)
      mask = firstLanes(size);
    Value isLeft = arith::CmpIOp::create(a.b, a.loc, arith::CmpIPredicate::slt, a.value(index), a.value(*side.left));
    return arith::SelectOp::create(a.b, a.loc, isLeft, mask, firstLanes(0));
  }

  Value load(unsigned operand, Index offset, Value mask) {
    Value buffer = loops.nest.operands[operand].buffer, at = a.value(offset);
    VectorType type = vectorOf(cast<MemRefType>(buffer.getType()).getElementType());
    if (!mask)
      return vector::LoadOp::create(a.b, a.loc, type, buffer, ValueRange{at});
    Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(a.b, a.loc, type, buffer, ValueRange{at}, mask, zero);
  }

  Index offsetOf(const Place &place, unsigned operand, unsigned loop, int64_t steps) {
    return a.add(place.offsets[operand], a.mul(steps, loops.nest.loops[loop].strides[operand]));
  }

  /// One square at `place`.
  void build(const Place &place, const Side &rows, const Side &columns) {
    // inputs[operand][row]: vectors along the columns.
    unsigned result = op.getNumDpsInputs();
    SmallVector<SmallVector<Value>> inputs(result);
    for (unsigned operand = 0; operand < result; ++operand) {
      const Index &stride = loops.nest.loops[loops.column].strides[operand];
      Type element = getElementTypeOrSelf(loops.nest.operands[operand].buffer.getType());
      if (stride.is(0) || stride.is(1)) {
        for (int64_t row = 0; row < rows.built; ++row)
          inputs[operand].push_back(alongColumns(place, operand, rows, columns, row, stride.is(0)));
        continue;
      }
      SmallVector<Value> square;
      for (int64_t column = 0; column < columns.built; ++column)
        square.push_back(
            load(operand, offsetOf(place, operand, loops.column, column), onlyWithin(rows.mask, columns, column)));
      while (static_cast<int64_t>(square.size()) < size)
        square.push_back(ub::PoisonOp::create(a.b, a.loc, vectorOf(element)));
      inputs[operand] = transposeVectors(a.b, a.loc, square);
    }
    for (int64_t row = 0; row < rows.built; ++row) {
      SmallVector<Value> arguments = llvm::map_to_vector(inputs, [&](const auto &vectors) { return vectors[row]; });
      Value value = computeBody(a, *op.getBody(), arguments, size);
      Value at = a.value(offsetOf(place, result, loops.row, row));
      Value buffer = loops.nest.operands[result].buffer;
      if (Value mask = onlyWithin(columns.mask, rows, row))
        vector::MaskedStoreOp::create(a.b, a.loc, buffer, ValueRange{at}, mask, value);
      else
        vector::StoreOp::create(a.b, a.loc, value, buffer, ValueRange{at});
    }
  }

  /// A vector along the columns of an input that lies along them, or does not move with them.
  Value alongColumns(const Place &place, unsigned operand, const Side &rows, const Side &columns, int64_t row,
                     bool repeats) {
    // Rows that do not exist are read at the first one's place.
    Index steps = row;
    if (rows.left && row > 0) {
      Value exists = arith::CmpIOp::create(a.b, a.loc, arith::CmpIPredicate::slt, a.value(row), a.value(*rows.left));
      steps = Value(arith::SelectOp::create(a.b, a.loc, exists, a.value(row), a.value(0)));
    }
    Index at = a.add(place.offsets[operand], a.mul(steps, loops.nest.loops[loops.row].strides[operand]));
    if (!repeats)
      return load(operand, at, columns.mask);
    Value buffer = loops.nest.operands[operand].buffer;
    Value scalar = memref::LoadOp::create(a.b, a.loc, buffer, ValueRange{a.value(at)});
    return vector::BroadcastOp::create(a.b, a.loc, vectorOf(scalar.getType()), scalar);
  }

  Arithmetic &a;
  linalg::GenericOp op;
  const Loops &loops;
  int64_t size;
};

struct LowerTranspositions final : mlc::impl::VectorLowerTranspositionsPassBase<LowerTranspositions> {
  using VectorLowerTranspositionsPassBase::VectorLowerTranspositionsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto calls = callsOf(module);
    SmallVector<linalg::GenericOp> ops;
    module.walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      if (std::optional<Transposition> match = matchTransposition(op)) {
        auto kernel = op->getParentOfType<func::FuncOp>();
        lower(op, *match, {kernel, calls.lookup(kernel)});
        ++numLowered;
      }
  }

  /// The loops of `op`, joined; `operands` stand for those of the op.
  static Loops buildLoops(Arithmetic &a, linalg::GenericOp op, const Transposition &match, ValueRange operands) {
    Loops result{{}, match.row, match.column, {}};
    Nest &nest = result.nest;
    for (Value operand : operands)
      nest.operands.push_back(flatten(a, operand));
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      Loop entry{sizes[loop], {}};
      for (auto [i, operand] : llvm::enumerate(op->getOpOperands())) {
        Index stride = 0;
        for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
          if (expr == a.b.getAffineDimExpr(loop)) {
            stride = nest.operands[i].strides[axis];
            if (ShapedType::isDynamic(sizes[loop]) && op.isDpsInit(&operand))
              entry.size = Value(memref::DimOp::create(a.b, a.loc, operands[i], axis));
          }
        entry.strides.push_back(stride);
      }
      nest.loops.push_back(entry);
    }
    SmallVector<unsigned> left;
    for (unsigned loop = 0; loop < nest.loops.size(); ++loop)
      if (loop != match.row && loop != match.column && !nest.loops[loop].size.is(1))
        left.push_back(loop);
    // Innermost first, each into the loop that it continues.
    for (unsigned loop : llvm::reverse(left)) {
      SmallVector<unsigned> into{match.row, match.column};
      into.append(result.outer);
      auto continued = llvm::find_if(into, [&](unsigned inner) { return joins(nest.loops[loop], nest.loops[inner]); });
      if (continued == into.end())
        result.outer.push_back(loop);
      else
        nest.loops[*continued].size = a.mul(nest.loops[*continued].size, nest.loops[loop].size);
    }
    return result;
  }

  struct Counts final {
    Index blocks, tasks;
  };

  static Counts count(Arithmetic &a, const Loops &loops, int64_t rowsOfTask) {
    Counts counts;
    counts.blocks = a.ceilDiv(loops.nest.loops[loops.row].size, rowsOfTask);
    counts.tasks = counts.blocks;
    for (unsigned loop : loops.outer)
      counts.tasks = a.mul(counts.tasks, loops.nest.loops[loop].size);
    return counts;
  }

  void lower(linalg::GenericOp op, const Transposition &match, const Kernel &kernel) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    Loops loops = buildLoops(a, op, match, op->getOperands());
    unsigned bits = 8;
    for (Value operand : op->getOperands())
      bits = std::max(bits, getElementTypeOrSelf(operand.getType()).getIntOrFloatBitWidth());
    int64_t size = std::min<int64_t>(vectorBits / bits, kLargestSquare);

    // How it is cut: sizes that are not known count as large.
    auto known = [](const Index &count) { return count.isConstant() ? std::max<int64_t>(1, count.constant()) : 256; };
    int64_t rows = known(loops.nest.loops[loops.row].size), columns = known(loops.nest.loops[loops.column].size);
    int64_t all = rows * columns;
    for (unsigned loop : loops.outer)
      all *= known(loops.nest.loops[loop].size);
    int64_t rowsOfTask = llvm::alignTo(llvm::divideCeil(kWorkOfTask, columns), kSquaresOfTask * size);
    int64_t workOfTask = std::min(rowsOfTask, rows) * columns;
    Counts counts = count(a, loops, rowsOfTask);
    Index begin = 0, end = counts.tasks;
    if (all >= 2 * kWorkOfTask && all > workOfTask && canRunAsTasks(op, kernel)) {
      std::tie(begin, end) = runAsTasks(
          op, kernel, llvm::divideCeil(kWorkOfTask, workOfTask), [&](Arithmetic &outside, ValueRange operands) {
            return count(outside, buildLoops(outside, op, match, operands), rowsOfTask).tasks;
          });
      ++numParallel;
    }

    Square square(a, op, loops, size);
    a.forEach(begin, end, 1, [&](Index task) {
      Place place(loops.nest.operands.size());
      for (auto [offset, operand] : llvm::zip(place.offsets, loops.nest.operands))
        offset = operand.offset;
      auto [batch, block] = a.divide(task, counts.blocks);
      for (unsigned loop : loops.outer) {
        auto [next, at] = a.divide(batch, loops.nest.loops[loop].size);
        place = loops.nest.advance(a, place, loop, at);
        batch = next;
      }
      Index first = a.mul(block, rowsOfTask);
      square.forEach(place, first, a.min(a.add(first, rowsOfTask), loops.nest.loops[loops.row].size));
    });
    op->erase();
  }
};

} // namespace
