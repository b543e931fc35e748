//===- LowerAttention.cpp - attention by blocks of keys -----------------------------------------------------------===//
//
// A task is a block of queries of one batch. It passes over the keys by blocks; a block of keys and values is laid out
// as panels of register tiles, once for all queries of the task. Then, for a few queries at a time so that their scores
// stay in the first cache:
//
//   scores   = region(queries * keys)                    a contraction
//   maximum, weights, sum, and how both moved            rows
//   result   = result * moved + weights * values         a contraction
//
// and at the end every row is divided by its sum. If all keys fit into one block nothing has to move: the division is
// in the second product. The three are kernel ops on memory, which vector-lower-contractions and vector-lower-rows
// write out.
//
// A mask may leave out all keys of a block for all queries of a step (causal masks do, for half of them). Then nothing
// would change, and the step is skipped: its mask is looked at first, which costs a row of it where nothing is left
// out.
//
// A row sees its keys in the same order whatever the tasks are, so results do not depend on threads.
// Preconditions: the op is alone in a kernel function (buffer-outline-kernels) on memory.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/Passes.h"
#include "passes/Vector/Tasks.h"
#include "passes/Vector/TileModel.h"
#include "passes/Vector/Transposition.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

namespace mlc {
#define GEN_PASS_DEF_VECTORLOWERATTENTIONPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;
using mlc::kernel::AttentionOp;
using mlc::kernel::ContractOp;
using mlc::kernel::ReduceOp;
using mlc::kernel::RowsOp;
using mlc::kernel::YieldOp;

namespace {

/// Queries of a task: enough to be worth the layout of keys and values.
constexpr int64_t kQueriesOfTask = 256;
/// Work that is worth waking a thread for, as for contractions.
constexpr int64_t kWorkOfThread = 1 << 20;
/// A weight so far below the maximum, in powers of e, is zero in f32.
constexpr double kNoWeight = 128;
/// Bytes of a block of keys and values, which is on the stack.
constexpr int64_t kLargestBlock = 256 << 10;
/// What sizes that are known only at run time count as.
constexpr int64_t kSomeSize = 256;

enum Operand : unsigned { query, key, value, firstExtra };

/// How the work is cut.
struct Blocks final {
  int64_t queriesOfTask;
  int64_t queries; ///< of a step
  int64_t keys;
  Tile scores, result;
  bool isSingle; ///< all keys are one block
};

/// Builds one attention.
class AttentionBuilder final {
public:
  AttentionBuilder(Arithmetic &a, AttentionOp op, const Blocks &blocks, int64_t lanes)
      : a(a), b(a.b), op(op), blocks(blocks), lanes(lanes), f32(a.b.getF32Type()) {
    for (Value operand : op.getOperands())
      operands.push_back(flatten(a, operand));
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      Loop entry{sizeOf(a, op, loop, op.getOperands()), {}};
      for (auto [operand, map] : llvm::zip(operands, op.getMaps().getAsValueRange<AffineMapAttr>()))
        entry.strides.push_back(strideOf(a, operand, map, loop));
      loops.push_back(entry);
    }
    leftOut = matchLeftOut();
    depth = op.getSizes()[op.getDepthLoop()];
    values = op.getSizes()[op.getValueLoop()];
    allocate();
  }

  /// The size of a loop, with `from` in the place of the operands of `op`.
  static Index sizeOf(Arithmetic &a, AttentionOp op, unsigned loop, ValueRange from) {
    return sizeOfLoop(a, op.getSizes(), op.getMaps(), from, loop);
  }

  static bool isBatch(AttentionOp op, unsigned loop) { return loop < op.getValueLoop() && loop != op.getQueryLoop(); }

  /// The number of tasks, with the operands of a caller in the place of those of `op`.
  static Index countTasks(Arithmetic &a, AttentionOp op, const Blocks &blocks, ValueRange from) {
    Index count = a.ceilDiv(sizeOf(a, op, op.getQueryLoop(), from), blocks.queriesOfTask);
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (isBatch(op, loop))
        count = a.mul(count, sizeOf(a, op, loop, from));
    return count;
  }

  void buildTask(Index task) {
    Place place(operands.size());
    for (auto [offset, operand] : llvm::zip(place.offsets, operands))
      offset = operand.offset;
    const Loop &queries = loops[op.getQueryLoop()], &keys = loops[op.getKeyLoop()];
    // Blocks of queries change first, so that threads next to each other share keys and values.
    auto [batch, block] = a.divide(task, a.ceilDiv(queries.size, blocks.queriesOfTask));
    for (unsigned loop = op.getNumLoops(); loop-- > 0;)
      if (isBatch(op, loop)) {
        auto [next, at] = a.divide(batch, loops[loop].size);
        place = advance(place, loop, at);
        batch = next;
      }
    Index first = a.mul(block, blocks.queriesOfTask);
    Index count = limit(queries.size, first, blocks.queriesOfTask);
    place = advance(place, op.getQueryLoop(), first);
    if (!blocks.isSingle)
      clear(place, count);
    a.forEach(0, a.ceilDiv(keys.size, blocks.keys), 1, [&](Index at) {
      Index firstKey = a.mul(at, blocks.keys);
      Index keysHere = limit(keys.size, firstKey, blocks.keys);
      Place there = advance(place, op.getKeyLoop(), firstKey);
      layOutKeys(there, keysHere);
      layOutValues(there, keysHere);
      a.forEach(0, a.ceilDiv(count, blocks.queries), 1, [&](Index step) {
        Index firstQuery = a.mul(step, blocks.queries);
        Place stepPlace = advance(there, op.getQueryLoop(), firstQuery);
        Index queriesHere = limit(count, firstQuery, blocks.queries);
        if (!leftOut || blocks.isSingle)
          return buildStep(stepPlace, firstQuery, queriesHere, keysHere);
        auto branch = scf::IfOp::create(b, a.loc, hasScores(stepPlace, firstQuery, queriesHere, keysHere),
                                        /*withElseRegion=*/false);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(branch.thenBlock());
        buildStep(stepPlace, firstQuery, queriesHere, keysHere);
      });
    });
    // Without keys the result is a sum of nothing.
    if (!blocks.isSingle)
      a.ifLess(0, keys.size, [&] { divide(place, count); });
  }

private:
  /// An extra that leaves keys out: where it has `value` the score is `score`, whatever the product is.
  struct LeftOut {
    unsigned operand;
    double value, score;
  };

  /// select(extra, x, constant), and x + extra with -inf.
  std::optional<LeftOut> matchLeftOut() {
    Block &region = op.getScore().front();
    Operation *last = region.getTerminator()->getOperand(0).getDefiningOp();
    auto operandOf = [&](Value value) -> std::optional<unsigned> {
      auto argument = dyn_cast<BlockArgument>(value);
      if (!argument || argument.getOwner() != &region || argument.getArgNumber() == 0)
        return std::nullopt;
      unsigned operand = firstExtra + argument.getArgNumber() - 1;
      return loops[op.getKeyLoop()].strides[operand].is(1) ? std::optional(operand) : std::nullopt;
    };
    double low = -std::numeric_limits<double>::infinity();
    if (auto add = dyn_cast_or_null<arith::AddFOp>(last)) {
      std::optional<unsigned> operand = operandOf(add.getRhs());
      if (!operand)
        operand = operandOf(add.getLhs());
      return operand ? std::optional(LeftOut{*operand, low, low}) : std::nullopt;
    }
    auto select = dyn_cast_or_null<arith::SelectOp>(last);
    auto bit = select ? select.getCondition().getDefiningOp<arith::TruncIOp>() : nullptr;
    std::optional<unsigned> operand = bit ? operandOf(bit.getIn()) : std::nullopt;
    if (!operand)
      return std::nullopt;
    FloatAttr constant;
    if (matchPattern(select.getFalseValue(), m_Constant(&constant)))
      return LeftOut{*operand, 0, constant.getValueAsDouble()};
    if (matchPattern(select.getTrueValue(), m_Constant(&constant)))
      return LeftOut{*operand, 1, constant.getValueAsDouble()};
    return std::nullopt;
  }

  /// Whether a step changes anything: some key is not left out for some query, or some query has seen no score yet
  /// beside which those of left out keys have no weight at all.
  Value hasScores(const Place &place, Index firstQuery, Index queries, Index keys) {
    Value zero = a.value(0), one = a.value(1);
    Value no = arith::ConstantOp::create(b, a.loc, b.getBoolAttr(false));
    // Ends with the first row that has some: where nothing is left out, that is the first one.
    auto loop = scf::WhileOp::create(
        b, a.loc, TypeRange{b.getIndexType(), b.getI1Type()}, ValueRange{zero, no},
        [&](OpBuilder &, Location, ValueRange state) {
          Value more = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::slt, state[0], a.value(queries));
          Value isDone = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::eq, state[1], no);
          scf::ConditionOp::create(b, a.loc, Value(arith::AndIOp::create(b, a.loc, more, isDone)), state);
        },
        [&](OpBuilder &, Location, ValueRange state) {
          Value some = hasKey(advance(place, op.getQueryLoop(), state[0]), keys);
          if (!std::isinf(leftOut->score)) {
            Value max = memref::LoadOp::create(b, a.loc, maxima, a.value(a.add(firstQuery, Index(state[0]))));
            Value above = arith::SubFOp::create(b, a.loc, max, constant(leftOut->score));
            Value isLow = arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::ULE, above, constant(kNoWeight));
            some = arith::OrIOp::create(b, a.loc, some, isLow);
          }
          scf::YieldOp::create(b, a.loc, ValueRange{arith::AddIOp::create(b, a.loc, state[0], one), some});
        });
    return loop.getResult(1);
  }

  /// Whether one of the keys from place on is not left out.
  Value hasKey(const Place &place, Index keys) {
    Value buffer = operands[leftOut->operand].buffer;
    Type element = cast<MemRefType>(buffer.getType()).getElementType();
    auto type = VectorType::get(lanes, element), bits = VectorType::get(lanes, b.getI1Type());
    Attribute number = isa<FloatType>(element)
                           ? Attribute(b.getFloatAttr(element, leftOut->value))
                           : Attribute(b.getIntegerAttr(element, static_cast<int64_t>(leftOut->value)));
    Value out = arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(type, number));
    Value none = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(bits));
    auto loop = scf::ForOp::create(
        b, a.loc, a.value(0), a.value(keys), a.value(lanes), none,
        [&](OpBuilder &, Location, Value column, ValueRange found) {
          Value at = a.value(a.add(place.offsets[leftOut->operand], Index(column)));
          Value mask = buildMask(a, a.sub(keys, Index(column)), lanes);
          Value loaded = vector::MaskedLoadOp::create(b, a.loc, type, buffer, ValueRange{at}, mask, out);
          Value isIn = isa<FloatType>(element)
                           ? Value(arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::UNE, loaded, out))
                           : Value(arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::ne, loaded, out));
          scf::YieldOp::create(b, a.loc, Value(arith::OrIOp::create(b, a.loc, found[0], isIn)));
        });
    return vector::ReductionOp::create(b, a.loc, vector::CombiningKind::OR, loop.getResult(0));
  }

  Place advance(Place place, unsigned loop, Index count) {
    for (auto [offset, stride] : llvm::zip(place.offsets, loops[loop].strides))
      offset = a.add(offset, a.mul(count, stride));
    return place;
  }

  /// How much of a block of `block` from `first` on there is; static where every block is whole.
  Index limit(Index size, Index first, int64_t block) {
    if (size.isConstant() && size.constant() % block == 0)
      return block;
    if (size.isConstant() && size.constant() < block)
      return size;
    return a.min(a.sub(size, first), block);
  }

  Value onStack(ArrayRef<int64_t> shape) {
    return memref::AllocaOp::create(b, a.loc, MemRefType::get(shape, f32), b.getI64IntegerAttr(64));
  }

  /// What a task has on the stack.
  void allocate() {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&op->getParentOfType<func::FuncOp>().getBody().front());
    int64_t width = blocks.scores.vectors * lanes, valueWidth = blocks.result.vectors * lanes;
    auto panels = [](int64_t columns, int64_t width) { return (columns + width - 1) / width; };
    keyPanels = onStack({panels(blocks.keys, width), depth, width});
    valuePanels = onStack({panels(values, valueWidth), blocks.keys, valueWidth});
    scores = onStack({blocks.queries, blocks.keys});
    factors = onStack(blocks.queries);
    if (!blocks.isSingle) {
      maxima = onStack(blocks.queriesOfTask);
      sums = onStack(blocks.queriesOfTask);
    }
  }

  static int64_t known(const Index &size) { return size.isConstant() ? size.constant() : ShapedType::kDynamic; }

  /// A view of memory from `offset` on.
  Value view(Value buffer, Index offset, ArrayRef<Index> sizes, ArrayRef<Index> strides) {
    auto fold = [&](const Index &index) {
      return index.isConstant() ? OpFoldResult(b.getIndexAttr(index.constant())) : OpFoldResult(index.dynamicValue());
    };
    SmallVector<int64_t> shape, steps;
    SmallVector<OpFoldResult> mixedSizes, mixedStrides;
    for (auto [size, stride] : llvm::zip(sizes, strides)) {
      shape.push_back(known(size));
      steps.push_back(known(stride));
      mixedSizes.push_back(fold(size));
      mixedStrides.push_back(fold(stride));
    }
    auto type = MemRefType::get(shape, cast<MemRefType>(buffer.getType()).getElementType(),
                                StridedLayoutAttr::get(b.getContext(), known(offset), steps));
    return memref::ReinterpretCastOp::create(b, a.loc, type, buffer, fold(offset), mixedSizes, mixedStrides);
  }

  /// An operand of the op along two of its loops.
  Value view(unsigned operand, const Place &place, Index rows, unsigned rowLoop, Index columns, unsigned columnLoop) {
    return view(operands[operand].buffer, place.offsets[operand], {rows, columns},
                {loops[rowLoop].strides[operand], loops[columnLoop].strides[operand]});
  }

  Value prefix(Value buffer, Index first, Index size) { return view(buffer, first, {size}, {Index(1)}); }

  /// Keys as panels [panel, depth, key]: transposed by squares of vectors where their depth is contiguous.
  void layOutKeys(const Place &place, Index count) {
    int64_t width = blocks.scores.vectors * lanes;
    const Loop &keys = loops[op.getKeyLoop()], &deep = loops[op.getDepthLoop()];
    Value source = operands[Operand::key].buffer;
    Index offset = place.offsets[Operand::key], last = a.sub(count, 1);
    Index vectors = count.isConstant() ? Index(llvm::divideCeil(count.constant(), lanes)) : a.ceilDiv(count, lanes);
    a.forEach(0, vectors, 1, [&](Index vector) {
      Index firstKey = a.mul(vector, lanes);
      auto [panel, within] = a.divide(vector, blocks.scores.vectors);
      Index target = a.add(a.mul(panel, depth * width), a.mul(within, lanes));
      // What is behind the last key is read again: nobody asks for those scores.
      SmallVector<Index> from;
      for (int64_t lane = 0; lane < lanes; ++lane)
        from.push_back(a.add(offset, a.mul(a.min(a.add(firstKey, lane), last), keys.strides[Operand::key])));
      layOutColumns(source, from, deep.strides[Operand::key], target, width);
    });
  }

  /// A vector of keys: their depths, which begin at `from` and step by `stride`, become columns from `to` on.
  void layOutColumns(Value source, ArrayRef<Index> from, Index stride, Index to, int64_t width) {
    auto type = VectorType::get(lanes, f32);
    Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(type));
    if (!stride.is(1)) {
      a.forEach(0, depth, 1, [&](Index d) {
        Value vector = zero;
        for (auto [lane, begin] : llvm::enumerate(from)) {
          Value loaded = memref::LoadOp::create(b, a.loc, source, a.value(a.add(begin, a.mul(d, stride))));
          vector = vector::InsertOp::create(b, a.loc, loaded, vector, ArrayRef<int64_t>{static_cast<int64_t>(lane)});
        }
        storeFlat(vector, keyPanels, a.add(to, a.mul(d, width)));
      });
      return;
    }
    for (int64_t first = 0; first < depth; first += lanes) {
      Value mask = buildMask(a, depth - first, lanes);
      SmallVector<Value> rows;
      for (Index begin : from) {
        Value at = a.value(a.add(begin, first));
        rows.push_back(mask ? Value(vector::MaskedLoadOp::create(b, a.loc, type, source, ValueRange{at}, mask, zero))
                            : Value(vector::LoadOp::create(b, a.loc, type, source, ValueRange{at})));
      }
      SmallVector<Value> columns = transposeVectors(b, a.loc, rows);
      for (int64_t d = 0; d < std::min(lanes, depth - first); ++d)
        storeFlat(columns[d], keyPanels, a.add(to, (first + d) * width));
    }
  }

  /// Values as panels [panel, key, value].
  void layOutValues(const Place &place, Index count) {
    int64_t width = blocks.result.vectors * lanes;
    const Loop &keys = loops[op.getKeyLoop()];
    auto type = VectorType::get(lanes, f32);
    Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(type));
    a.forEach(0, count, 1, [&](Index at) {
      Index from = a.add(place.offsets[Operand::value], a.mul(at, keys.strides[Operand::value]));
      for (int64_t column = 0; column < values; column += lanes) {
        Index to = a.add(a.mul(at, width), column / width * blocks.keys * width + column % width);
        Value source = a.value(a.add(from, column)), buffer = operands[Operand::value].buffer, vector;
        if (Value mask = buildMask(a, values - column, lanes))
          vector = vector::MaskedLoadOp::create(b, a.loc, type, buffer, ValueRange{source}, mask, zero);
        else
          vector = vector::LoadOp::create(b, a.loc, type, buffer, ValueRange{source});
        storeFlat(vector, valuePanels, to);
      }
    });
  }

  void storeFlat(Value vector, Value buffer, Index at) {
    vector::StoreOp::create(b, a.loc, vector, flatten(a, buffer).buffer, ValueRange{a.value(at)});
  }

  ArrayAttr mapsOf(ArrayRef<SmallVector<unsigned, 2>> dims, unsigned loops) {
    SmallVector<AffineMap> maps;
    for (ArrayRef<unsigned> positions : dims)
      maps.push_back(AffineMap::getMultiDimMapWithTargets(loops, positions, b.getContext()));
    return b.getAffineMapArrayAttr(maps);
  }

  /// The epilogue or region `build` of an op.
  template <typename Build> void fill(Region &region, size_t arguments, Build build) {
    OpBuilder::InsertionGuard guard(b);
    Block *block = b.createBlock(&region);
    for (size_t i = 0; i < arguments; ++i)
      block->addArgument(f32, a.loc);
    SmallVector<Value> results = build(block->getArguments());
    YieldOp::create(b, a.loc, results);
  }

  /// `queries` from place on: their scores of `keys`, the weights, and what they add to the result.
  void buildStep(const Place &place, Index firstQuery, Index queries, Index keys) {
    SmallVector<int64_t> sizes{known(queries), known(keys)};
    Value scoresHere = view(scores, 0, {queries, keys}, {Index(blocks.keys), Index(1)});
    buildScores(place, queries, keys, scoresHere);

    Value factorsHere = prefix(factors, 0, queries);
    AffineMap all = AffineMap::getMultiDimIdentityMap(2, b.getContext()), row = kernel::getRowMap(2, 1, b.getContext());
    Value low = constant(-std::numeric_limits<float>::infinity()), zero = constant(0), one = constant(1);
    if (blocks.isSingle) {
      auto rows = RowsOp::create(b, a.loc, TypeRange(), scoresHere, ValueRange{scoresHere, factorsHere},
                                 b.getAffineMapArrayAttr({all, all, row}), 1, sizes, /*triangle=*/{});
      fill(rows.getBody(), 1, [&](ValueRange args) -> SmallVector<Value> {
        Value max = ReduceOp::create(b, a.loc, vector::CombiningKind::MAXIMUMF, args[0]);
        Value weight = math::ExpOp::create(b, a.loc, Value(arith::SubFOp::create(b, a.loc, args[0], max)));
        Value sum = ReduceOp::create(b, a.loc, vector::CombiningKind::ADD, weight);
        return {weight, Value(arith::DivFOp::create(b, a.loc, one, sum))};
      });
    } else {
      Value maximaHere = prefix(maxima, firstQuery, queries), sumsHere = prefix(sums, firstQuery, queries);
      auto rows =
          RowsOp::create(b, a.loc, TypeRange(), ValueRange{scoresHere, maximaHere, sumsHere},
                         ValueRange{scoresHere, maximaHere, sumsHere, factorsHere},
                         b.getAffineMapArrayAttr({all, row, row, all, row, row, row}), 1, sizes, /*triangle=*/{});
      fill(rows.getBody(), 3, [&](ValueRange args) -> SmallVector<Value> {
        Value here = ReduceOp::create(b, a.loc, vector::CombiningKind::MAXIMUMF, args[0]);
        Value max = arith::MaximumFOp::create(b, a.loc, args[1], here);
        // Where all scores are -inf so far there is nothing to subtract, and all weights are zero.
        Value isLow = arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::OEQ, max, low);
        Value shift = arith::SelectOp::create(b, a.loc, isLow, zero, max);
        Value weight = math::ExpOp::create(b, a.loc, Value(arith::SubFOp::create(b, a.loc, args[0], shift)));
        Value moved = math::ExpOp::create(b, a.loc, Value(arith::SubFOp::create(b, a.loc, args[1], shift)));
        Value sum = ReduceOp::create(b, a.loc, vector::CombiningKind::ADD, weight);
        Value before = arith::MulFOp::create(b, a.loc, args[2], moved);
        return {weight, max, Value(arith::AddFOp::create(b, a.loc, before, sum)), moved};
      });
    }
    buildResult(place, queries, keys, scoresHere, factorsHere);
  }

  /// A product with panels; its epilogue is still to be filled.
  ContractOp contract(Value lhs, Value panels, ValueRange extras, Value target, ArrayRef<SmallVector<unsigned, 2>> dims,
                      ArrayRef<int64_t> sizes, Tile tile) {
    return ContractOp::create(b, a.loc, TypeRange(), lhs, panels, extras, target, mapsOf(dims, 3), /*parallel=*/2,
                              sizes, b.getDenseI64ArrayAttr({tile.rows, tile.vectors}), /*packed=*/true, /*granule=*/1,
                              /*lhs_unsigned=*/false, /*rhs_unsigned=*/false, /*lhs_flipped=*/false,
                              /*bounded=*/false, /*triangle=*/{});
  }

  void buildScores(const Place &place, Index queries, Index keys, Value target) {
    unsigned queryLoop = op.getQueryLoop(), keyLoop = op.getKeyLoop(), depthLoop = op.getDepthLoop();
    SmallVector<Value> extras;
    SmallVector<SmallVector<unsigned, 2>> dims{{0, 2}, {2, 1}};
    for (unsigned i = 0; i < op.getExtras().size(); ++i) {
      extras.push_back(view(firstExtra + i, place, queries, queryLoop, keys, keyLoop));
      dims.push_back({0, 1});
    }
    dims.push_back({0, 1});
    ContractOp product = contract(view(Operand::query, place, queries, queryLoop, depth, depthLoop), keyPanels, extras,
                                  target, dims, {known(queries), known(keys), depth}, blocks.scores);
    IRMapping mapping;
    op.getScore().cloneInto(&product.getEpilogue(), mapping);
  }

  void buildResult(const Place &place, Index queries, Index keys, Value weights, Value factor) {
    unsigned init = op.getNumOperands() - 1;
    Value target = view(init, place, queries, op.getQueryLoop(), values, op.getValueLoop());
    SmallVector<Value> extras{factor};
    SmallVector<SmallVector<unsigned, 2>> dims{{0, 2}, {2, 1}, {0}};
    if (!blocks.isSingle) {
      extras.push_back(target);
      dims.push_back({0, 1});
    }
    dims.push_back({0, 1});
    ContractOp sum =
        contract(weights, valuePanels, extras, target, dims, {known(queries), values, known(keys)}, blocks.result);
    fill(sum.getEpilogue(), 1 + extras.size(), [&](ValueRange args) -> SmallVector<Value> {
      if (blocks.isSingle)
        return {Value(arith::MulFOp::create(b, a.loc, args[0], args[1]))};
      Value before = arith::MulFOp::create(b, a.loc, args[2], args[1]);
      return {Value(arith::AddFOp::create(b, a.loc, before, args[0]))};
    });
  }

  Value constant(double number) { return arith::ConstantOp::create(b, a.loc, b.getF32FloatAttr(number)); }

  /// Nothing summed yet.
  void clear(const Place &place, Index count) {
    unsigned init = op.getNumOperands() - 1;
    Value low = constant(-std::numeric_limits<float>::infinity()), zero = constant(0);
    Value target = view(init, place, count, op.getQueryLoop(), values, op.getValueLoop());
    AffineMap all = AffineMap::getMultiDimIdentityMap(2, b.getContext()), row = kernel::getRowMap(2, 1, b.getContext());
    auto rows = RowsOp::create(b, a.loc, TypeRange(), ValueRange(),
                               ValueRange{target, prefix(maxima, 0, count), prefix(sums, 0, count)},
                               b.getAffineMapArrayAttr({all, row, row}), 1, {known(count), values}, /*triangle=*/{});
    fill(rows.getBody(), 0, [&](ValueRange) -> SmallVector<Value> { return {zero, low, zero}; });
  }

  /// Every row by its sum.
  void divide(const Place &place, Index count) {
    unsigned init = op.getNumOperands() - 1;
    Value target = view(init, place, count, op.getQueryLoop(), values, op.getValueLoop()), one = constant(1);
    AffineMap all = AffineMap::getMultiDimIdentityMap(2, b.getContext()), row = kernel::getRowMap(2, 1, b.getContext());
    auto rows = RowsOp::create(b, a.loc, TypeRange(), ValueRange{target, prefix(sums, 0, count)}, target,
                               b.getAffineMapArrayAttr({all, row, all}), 1, {known(count), values}, /*triangle=*/{});
    fill(rows.getBody(), 2, [&](ValueRange args) -> SmallVector<Value> {
      Value factor = arith::DivFOp::create(b, a.loc, one, args[1]);
      return {Value(arith::MulFOp::create(b, a.loc, args[0], factor))};
    });
  }

  Arithmetic &a;
  OpBuilder &b;
  AttentionOp op;
  const Blocks &blocks;
  int64_t lanes, depth, values;
  std::optional<LeftOut> leftOut;
  Type f32;
  SmallVector<Flat> operands;
  SmallVector<Loop> loops;
  Value keyPanels, valuePanels, scores, factors, maxima, sums;
};

struct LowerAttention final : mlc::impl::VectorLowerAttentionPassBase<LowerAttention> {
  using VectorLowerAttentionPassBase::VectorLowerAttentionPassBase;

  void runOnOperation() override {
    auto calls = callsOf(getOperation());
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) { ops.push_back(op); });
    for (AttentionOp op : ops) {
      auto function = op->getParentOfType<func::FuncOp>();
      lower(op, {function, calls.lookup(function)});
      ++numLowered;
    }
  }

  int64_t lanesOf() { return vectorBits / 32; }

  /// The largest number up to `most` that divides `size`, or if that is less than half of it, `most`.
  static int64_t chooseBlock(int64_t size, int64_t most) {
    if (ShapedType::isDynamic(size))
      return most;
    if (size <= most)
      return std::max<int64_t>(1, size);
    for (int64_t block = most; block * 2 >= most; --block)
      if (size % block == 0)
        return block;
    return most;
  }

  Blocks chooseBlocks(AttentionOp op) {
    ArrayRef<int64_t> sizes = op.getSizes();
    int64_t queries = sizes[op.getQueryLoop()], keys = sizes[op.getKeyLoop()];
    int64_t values = sizes[op.getValueLoop()], depth = sizes[op.getDepthLoop()], lanes = lanesOf();
    Blocks blocks;
    // Keys and values of a block stay in a part of the second cache, with all else that passes.
    int64_t most = std::min(static_cast<int64_t>(l2Bytes) / 8, kLargestBlock) / (4 * (values + depth));
    most = std::clamp<int64_t>(most / (4 * lanes) * (4 * lanes), 4 * lanes, 512);
    blocks.isSingle = !ShapedType::isDynamic(keys) && keys <= most;
    blocks.keys = chooseBlock(keys, most);
    if (!blocks.isSingle && !ShapedType::isDynamic(keys)) // blocks of equal size, of whole vectors
      blocks.keys = llvm::alignTo(llvm::divideCeil(keys, llvm::divideCeil(keys, most)), lanes);
    // The scores of a step stay in the first cache.
    int64_t step = std::max<int64_t>(8, static_cast<int64_t>(l1Bytes) / (4 * blocks.keys));
    blocks.queries = chooseBlock(queries, std::min<int64_t>(step, kQueriesOfTask));
    auto tileFor = [&](int64_t rows, int64_t columns, int64_t reduction) {
      return chooseTile({rows, 1, columns, reduction, lanes, static_cast<int64_t>(vectorRegisters),
                         static_cast<int64_t>(l1Bytes), 4, false});
    };
    blocks.scores = tileFor(blocks.queries, blocks.keys, depth);
    blocks.result = tileFor(blocks.queries, values, blocks.keys);
    blocks.queriesOfTask = llvm::alignTo(
        ShapedType::isDynamic(queries) ? kQueriesOfTask : std::min(queries, kQueriesOfTask), blocks.queries);
    return blocks;
  }

  /// Operations of a task.
  static int64_t workOfTask(AttentionOp op, const Blocks &blocks) {
    ArrayRef<int64_t> sizes = op.getSizes();
    int64_t keys = sizes[op.getKeyLoop()];
    return 2 * blocks.queriesOfTask * (ShapedType::isDynamic(keys) ? kSomeSize : std::max<int64_t>(1, keys)) *
           (sizes[op.getValueLoop()] + sizes[op.getDepthLoop()]);
  }

  void lower(AttentionOp op, const Kernel &kernel) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    Blocks blocks = chooseBlocks(op);
    AttentionBuilder builder(a, op, blocks, lanesOf());
    Index begin = 0, end = AttentionBuilder::countTasks(a, op, blocks, op.getOperands());
    int64_t work = std::max<int64_t>(1, workOfTask(op, blocks));
    bool isSmall = end.isConstant() && (end.constant() < 2 || end.constant() * work < 2 * kWorkOfThread);
    if (!isSmall && canRunAsTasks(op, kernel)) {
      std::tie(begin, end) =
          runAsTasks(op, kernel, llvm::divideCeil(kWorkOfThread, work), [&](Arithmetic &outside, ValueRange operands) {
            return AttentionBuilder::countTasks(outside, op, blocks, operands);
          });
      ++numParallel;
    }
    a.forEach(begin, end, 1, [&](Index task) { builder.buildTask(task); });
    op.erase();
  }
};

} // namespace
