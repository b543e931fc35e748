//===- RegisterTile.cpp - one tile of sums in registers -----------------------------------------------------------===//
//
// Vectors have the width of a register, never more: LLVM splits wider ones badly. Rows are unrolled, so that their
// addresses are displacements from one register. Epilogues that take many instructions work on one row at a time, from
// a tile on the stack, to keep the code small.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/RegisterTile.h"

#include "passes/Vector/DotProducts.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace mlc {

namespace {

/// Instructions of an epilogue that are worth a loop over rows.
constexpr int64_t kLargeEpilogue = 160;

/// The largest window that is unrolled.
constexpr int64_t kUnrolledWindow = 64;

/// What an op of an epilogue costs in instructions: elementary functions are polynomials.
int64_t weightOf(Operation &op) { return isa_and_present<math::MathDialect>(op.getDialect()) ? 24 : 1; }

} // namespace

void RegisterTile::forWidths(Index left, int64_t vectors, llvm::function_ref<void(int64_t, ArrayRef<Value>)> body) {
  OpBuilder &b = a.b;
  const Index &columns = nest.loops[nest.vector].size;
  int64_t width = vectors * lanes;
  SmallVector<Value> whole(vectors);
  auto masksOf = [&](int64_t rest) {
    SmallVector<Value> masks(llvm::divideCeil(rest, lanes));
    if (int64_t last = rest % lanes) {
      SmallVector<bool> flags;
      for (int64_t lane = 0; lane < lanes; ++lane)
        flags.push_back(lane < last);
      masks.back() = arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(vectorOf(b.getI1Type()), flags));
    }
    return masks;
  };
  if (columns.isConstant()) {
    int64_t rest = columns.constant() % width;
    if (rest == 0) {
      body(vectors, whole);
    } else if (columns.constant() < width) {
      SmallVector<Value> masks = masksOf(rest);
      body(masks.size(), masks);
    } else {
      a.ifNotLess(left, width, [&] { body(vectors, whole); });
      a.ifLess(left, width, [&] {
        SmallVector<Value> masks = masksOf(rest);
        body(masks.size(), masks);
      });
    }
    return;
  }
  a.ifNotLess(left, width, [&] { body(vectors, whole); });
  a.ifLess(left, width, [&] {
    SmallVector<Attribute> lanesOfAll;
    for (int64_t lane = 0; lane < lanes; ++lane)
      lanesOfAll.push_back(b.getI32IntegerAttr(lane));
    auto type = vectorOf(b.getI32Type());
    Value iota = arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(type, lanesOfAll));
    Value rest = arith::IndexCastOp::create(b, a.loc, b.getI32Type(), a.value(left));
    SmallVector<Value> masks;
    for (int64_t v = 0; v < vectors; ++v) {
      Value first = arith::ConstantOp::create(b, a.loc, b.getI32IntegerAttr(static_cast<int32_t>(v * lanes)));
      Value here = vector::BroadcastOp::create(b, a.loc, type, Value(arith::SubIOp::create(b, a.loc, rest, first)));
      masks.push_back(arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::slt, iota, here));
    }
    body(vectors, masks);
  });
}

Value RegisterTile::load(unsigned operand, Index offset, Value mask) {
  OpBuilder &b = a.b;
  Value buffer = nest.operands[operand].buffer, at = a.value(offset);
  auto type = vectorOf(cast<MemRefType>(buffer.getType()).getElementType());
  if (!mask)
    return vector::LoadOp::create(b, a.loc, type, buffer, ValueRange{at});
  Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, a.loc, type, buffer, ValueRange{at}, mask, zero);
}

/// Halves are summed in f32, bytes in i32.
Value RegisterTile::widen(Value value, bool isUnsigned) {
  Type sum = op.getSumType();
  if (getElementTypeOrSelf(value.getType()) == sum)
    return value;
  Type type = isa<VectorType>(value.getType()) ? Type(vectorOf(sum)) : sum;
  if (isa<FloatType>(sum))
    return arith::ExtFOp::create(a.b, a.loc, type, value);
  if (isUnsigned)
    return arith::ExtUIOp::create(a.b, a.loc, type, value);
  return arith::ExtSIOp::create(a.b, a.loc, type, value);
}

Value RegisterTile::multiplyAdd(Value lhs, Value rhs, Value sum) {
  if (isa<FloatType>(op.getSumType()))
    return vector::FMAOp::create(a.b, a.loc, lhs, rhs, sum);
  return arith::AddIOp::create(a.b, a.loc, sum, Value(arith::MulIOp::create(a.b, a.loc, lhs, rhs)));
}

SmallVector<Value> RegisterTile::step(const Place &place, int64_t rows, ArrayRef<Value> masks, ValueRange sums) {
  OpBuilder &b = a.b;
  int64_t vectors = masks.size();
  auto columnsOf = [&](unsigned operand, Index base) {
    SmallVector<Value> values;
    Index stride = nest.loops[nest.vector].strides[operand];
    for (int64_t v = 0; v < vectors; ++v)
      // Panels are padded; their last vectors can be read whole.
      values.push_back(widen(
          load(operand, a.add(base, a.mul(v * lanes, stride)), operand == 1 && op.getPacked() ? Value() : masks[v]),
          operand == 0 ? op.getLhsUnsigned() : op.getRhsUnsigned()));
    return values;
  };
  SmallVector<Value> rhs = columnsOf(1, place.offsets[1]), result;
  bool lhsIsVector = op.getLhsMap().isFunctionOfDim(kernel::getVectorLoop(op));
  for (int64_t r = 0; r < rows; ++r) {
    Index at = nest.row ? nest.advanceRows(a, place, r).offsets[0] : place.offsets[0];
    SmallVector<Value> lhs;
    if (lhsIsVector) {
      lhs = columnsOf(0, at);
    } else {
      Value scalar = widen(memref::LoadOp::create(b, a.loc, nest.operands[0].buffer, a.value(at)), op.getLhsUnsigned());
      lhs.assign(vectors, Value(vector::BroadcastOp::create(b, a.loc, vectorOf(op.getSumType()), scalar)));
    }
    for (int64_t v = 0; v < vectors; ++v)
      result.push_back(multiplyAdd(lhs[v], rhs[v], sums[r * vectors + v]));
  }
  return result;
}

/// `count` elements of lhs along the granule loop, from `offset` on, as an integer with zeros behind them. Only a whole
/// granule that is contiguous is one load: nothing behind the end is read.
Value RegisterTile::loadGranule(Index offset, Index count) {
  OpBuilder &b = a.b;
  Value buffer = nest.operands[0].buffer;
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  int64_t granule = op.getGranule(), bits = element.getIntOrFloatBitWidth();
  Type whole = b.getIntegerType(static_cast<unsigned>(granule * bits));
  const Index &step = nest.granuleStep;
  if (count.is(granule) && step.is(1)) {
    Value vector = vector::LoadOp::create(b, a.loc, VectorType::get({granule}, element), buffer, a.value(offset));
    Value one = vector::BitCastOp::create(b, a.loc, VectorType::get({1}, whole), vector);
    return vector::ExtractOp::create(b, a.loc, one, 0);
  }
  auto loadOne = [&](int64_t i) {
    Value scalar = memref::LoadOp::create(b, a.loc, buffer, a.value(a.add(offset, a.mul(i, step))));
    Value raw = arith::BitcastOp::create(b, a.loc, b.getIntegerType(static_cast<unsigned>(bits)), scalar);
    return Value(arith::ExtUIOp::create(b, a.loc, whole, raw));
  };
  Value zero = arith::ConstantOp::create(b, a.loc, b.getIntegerAttr(whole, 0)), result = zero;
  for (int64_t i = 0; i < granule; ++i) {
    Value one;
    if (count.isConstant()) {
      if (i >= count.constant())
        break;
      one = loadOne(i);
    } else {
      Value exists = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::sgt, a.value(count), a.value(Index(i)));
      auto branch = scf::IfOp::create(
          b, a.loc, exists, [&](OpBuilder &, Location loc) { scf::YieldOp::create(b, loc, loadOne(i)); },
          [&](OpBuilder &, Location loc) { scf::YieldOp::create(b, loc, zero); });
      one = branch.getResult(0);
    }
    Value shift = arith::ConstantOp::create(b, a.loc, b.getIntegerAttr(whole, i * bits));
    result = arith::OrIOp::create(b, a.loc, result, Value(arith::ShLIOp::create(b, a.loc, one, shift)));
  }
  return result;
}

/// One granule of the reduction, of which `count` elements exist.
SmallVector<Value> RegisterTile::dotStep(const Place &place, int64_t rows, int64_t vectors, Index count,
                                         ValueRange sums) {
  OpBuilder &b = a.b;
  int64_t granule = op.getGranule();
  Type element = cast<MemRefType>(nest.operands[1].buffer.getType()).getElementType();
  auto type = VectorType::get({lanes * granule}, element);
  SmallVector<Value> rhs, result;
  for (int64_t v = 0; v < vectors; ++v)
    rhs.push_back(vector::LoadOp::create(b, a.loc, type, nest.operands[1].buffer,
                                         a.value(a.add(place.offsets[1], v * lanes * granule))));
  for (int64_t r = 0; r < rows; ++r) {
    Index at = nest.row ? nest.advanceRows(a, place, r).offsets[0] : place.offsets[0];
    Value lhs = repeatGranule(b, a.loc, op, loadGranule(at, count), lanes);
    for (int64_t v = 0; v < vectors; ++v)
      result.push_back(buildDot(b, a.loc, op, isX86, lhs, rhs[v], sums[r * vectors + v]));
  }
  return result;
}

/// The granule loop: its whole granules, then what is left.
void RegisterTile::reduceGranules(const Place &place, int64_t rows, int64_t vectors, SmallVectorImpl<Value> &sums) {
  OpBuilder &b = a.b;
  int64_t granule = op.getGranule();
  if (!nest.granules) { // joined with the other reductions
    sums = dotStep(place, rows, vectors, granule, sums);
    return;
  }
  const Loop &loop = nest.loops[*nest.granules];
  auto placeOf = [&](Index i) {
    Place there = place;
    for (unsigned operand : {0u, 1u})
      there.offsets[operand] = a.add(there.offsets[operand], a.mul(i, loop.strides[operand]));
    return there;
  };
  if (!loop.size.is(0)) {
    auto built = scf::ForOp::create(b, a.loc, a.value(0), a.value(loop.size), a.value(1), sums);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(built.getBody());
    SmallVector<Value> next = dotStep(placeOf(Index(built.getInductionVar())), rows, vectors, granule,
                                      SmallVector<Value>(built.getRegionIterArgs()));
    scf::YieldOp::create(b, a.loc, next);
    sums.assign(built.getResults().begin(), built.getResults().end());
  }
  Place behind = placeOf(loop.size);
  if (nest.granuleRest.isConstant()) {
    if (!nest.granuleRest.is(0))
      sums = dotStep(behind, rows, vectors, nest.granuleRest, sums);
    return;
  }
  Value isLeft = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::sgt, a.value(nest.granuleRest), a.value(0));
  SmallVector<Value> before = llvm::to_vector(sums);
  auto branch = scf::IfOp::create(
      b, a.loc, isLeft,
      [&](OpBuilder &inner, Location loc) {
        scf::YieldOp::create(inner, loc, dotStep(behind, rows, vectors, nest.granuleRest, before));
      },
      [&](OpBuilder &inner, Location loc) { scf::YieldOp::create(inner, loc, before); });
  sums.assign(branch.getResults().begin(), branch.getResults().end());
}

void RegisterTile::reduce(const Place &place, ArrayRef<unsigned> loops, int64_t rows, ArrayRef<Value> masks,
                          SmallVectorImpl<Value> &sums) {
  if (loops.empty()) {
    if (op.hasDots())
      reduceGranules(place, rows, static_cast<int64_t>(masks.size()), sums);
    else
      sums = step(place, rows, masks, sums);
    return;
  }
  OpBuilder &b = a.b;
  const Loop &loop = nest.loops[loops.front()];
  // Depthwise windows are unrolled: rows next to each other then share their loads.
  int64_t window = 1;
  for (unsigned inner : loops)
    window = nest.loops[inner].size.isConstant() ? window * nest.loops[inner].size.constant() : kUnrolledWindow + 1;
  if (op.getLhsMap().isFunctionOfDim(nest.vector) && window <= kUnrolledWindow) {
    for (int64_t i = 0; i < loop.size.constant(); ++i) {
      Place there = place;
      for (unsigned operand : {0u, 1u})
        there.offsets[operand] = a.add(there.offsets[operand], a.mul(i, loop.strides[operand]));
      reduce(there, loops.drop_front(), rows, masks, sums);
    }
    return;
  }
  bool isPart = range && range->loop == loops.front();
  Value begin = a.value(isPart ? range->begin : Index(0)), end = a.value(isPart ? range->end : loop.size);
  auto built = scf::ForOp::create(b, a.loc, begin, end, a.value(1), sums);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(built.getBody());
    SmallVector<Value> inner(built.getRegionIterArgs());
    Place there = place;
    for (unsigned operand : {0u, 1u})
      there.offsets[operand] =
          a.add(there.offsets[operand], a.mul(Index(built.getInductionVar()), loop.strides[operand]));
    reduce(there, loops.drop_front(), rows, masks, inner);
    scf::YieldOp::create(b, a.loc, inner);
  }
  sums.assign(built.getResults().begin(), built.getResults().end());
}

void RegisterTile::finish(const Place &place, Value sum, int64_t vector, Value mask) {
  OpBuilder &b = a.b;
  Block &body = op.getEpilogue().front();
  IRMapping mapping;
  mapping.map(body.getArgument(0), sum);
  const Loop &columns = nest.loops[nest.vector];
  for (unsigned i = 0; i < op.getExtras().size(); ++i) {
    unsigned operand = 2 + i;
    Value buffer = nest.operands[operand].buffer;
    Type element = cast<MemRefType>(buffer.getType()).getElementType();
    if (columns.strides[operand].is(0)) {
      Value scalar = memref::LoadOp::create(b, a.loc, buffer, a.value(place.offsets[operand]));
      mapping.map(body.getArgument(1 + i), Value(vector::BroadcastOp::create(b, a.loc, vectorOf(element), scalar)));
    } else {
      Index at = a.add(place.offsets[operand], a.mul(vector * lanes, columns.strides[operand]));
      mapping.map(body.getArgument(1 + i), load(operand, at, mask));
    }
  }
  // Constants may have been hoisted out of the epilogue.
  auto lanesOfScalar = [&](Value value) -> Value {
    if (Value vector = mapping.lookupOrNull(value))
      return vector;
    return vector::BroadcastOp::create(b, a.loc, vectorOf(value.getType()), value);
  };
  for (Operation &scalar : body.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(scalar)) {
      auto type = vectorOf(constant.getType());
      mapping.map(constant.getResult(),
                  Value(arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(type, constant.getValue()))));
      continue;
    }
    SmallVector<Value> operands;
    for (Value value : scalar.getOperands())
      operands.push_back(lanesOfScalar(value));
    SmallVector<Type> types;
    for (Type type : scalar.getResultTypes())
      types.push_back(vectorOf(type));
    OperationState state(a.loc, scalar.getName(), operands, types, scalar.getAttrs());
    mapping.map(scalar.getResults(), b.create(state)->getResults());
  }
  Value result = lanesOfScalar(body.getTerminator()->getOperand(0));
  unsigned last = place.offsets.size() - 1;
  Value at = a.value(a.add(place.offsets[last], vector * lanes));
  if (mask)
    vector::MaskedStoreOp::create(b, a.loc, nest.operands[last].buffer, ValueRange{at}, mask, result);
  else
    vector::StoreOp::create(b, a.loc, result, nest.operands[last].buffer, ValueRange{at});
}

void RegisterTile::forEachReduction(Index from, unsigned operand, ArrayRef<Index> strides,
                                    llvm::function_ref<void(Index, Index)> body) {
  auto step = [&](auto &&step, size_t next, Index from, Index to) -> void {
    if (next == nest.reductions.size())
      return body(from, to);
    const Loop &loop = nest.loops[nest.reductions[next]];
    a.forEach(0, loop.size, 1, [&](Index at) {
      step(step, next + 1, a.add(from, a.mul(at, loop.strides[operand])), a.add(to, a.mul(at, strides[next])));
    });
  };
  step(step, 0, from, 0);
}

void RegisterTile::copyRows(const Place &place, Value target, ArrayRef<Index> strides, ArrayRef<Value> masks) {
  Index stride = nest.loops[nest.vector].strides[1];
  forEachReduction(place.offsets[1], 1, strides, [&](Index from, Index to) {
    for (auto [v, mask] : llvm::enumerate(masks)) {
      auto offset = static_cast<int64_t>(v) * lanes;
      Value vector = load(1, a.add(from, a.mul(offset, stride)), mask);
      vector::StoreOp::create(a.b, a.loc, vector, target, ValueRange{a.value(a.add(to, offset))});
    }
  });
}

void RegisterTile::copyTiles(const Place &place, Value target, ArrayRef<Index> strides, Index tiles, int64_t rows,
                             Index left) {
  int64_t padded = llvm::alignTo(rows, lanes);
  forEachReduction(place.offsets[0], 0, strides, [&](Index from, Index to) {
    a.forEach(0, tiles, 1, [&](Index tile) {
      Index first = a.mul(tile, rows), here = a.sub(left, first), at = a.add(to, a.mul(tile, strides.back()));
      auto copy = [&](auto &&maskOf) {
        for (int64_t offset = 0; offset < padded; offset += lanes) {
          Value vector = load(0, a.add(from, a.add(first, offset)), maskOf(offset));
          vector::StoreOp::create(a.b, a.loc, vector, target, ValueRange{a.value(a.add(at, offset))});
        }
      };
      a.ifNotLess(here, padded, [&] { copy([](int64_t) { return Value(); }); });
      a.ifLess(here, padded, [&] { copy([&](int64_t offset) { return buildMask(a, a.sub(here, offset), lanes); }); });
    });
  });
}

/// Zeros, or what the result holds.
SmallVector<Value> RegisterTile::initialSums(const Place &place, int64_t rows, ArrayRef<Value> masks) {
  OpBuilder &b = a.b;
  Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(vectorOf(op.getSumType())));
  SmallVector<Value> zeros(rows * masks.size(), zero);
  if (!continues)
    return zeros;
  auto branch = scf::IfOp::create(
      b, a.loc, continues,
      [&](OpBuilder &, Location loc) {
        SmallVector<Value> sums;
        unsigned last = place.offsets.size() - 1;
        for (int64_t r = 0; r < rows; ++r) {
          Index at = nest.row ? nest.advanceRows(a, place, r).offsets[last] : place.offsets[last];
          for (auto [v, mask] : llvm::enumerate(masks))
            sums.push_back(load(last, a.add(at, static_cast<int64_t>(v) * lanes), mask));
        }
        scf::YieldOp::create(b, loc, sums);
      },
      [&](OpBuilder &, Location loc) { scf::YieldOp::create(b, loc, zeros); });
  return SmallVector<Value>(branch.getResults());
}

void RegisterTile::build(const Place &place, int64_t rows, int64_t vectors, ArrayRef<Value> masks,
                         std::optional<Range> part) {
  OpBuilder &b = a.b;
  range = part;
  auto type = vectorOf(op.getSumType());
  SmallVector<Value> sums = initialSums(place, rows, masks);
  reduce(place, nest.reductions, rows, masks, sums);
  int64_t weight = 0;
  for (Operation &scalar : op.getEpilogue().front())
    weight += weightOf(scalar);
  auto rowOf = [&](Index row) { return nest.row ? nest.advanceRows(a, place, row) : place; };
  // Rows of several lines are not evenly spaced, so a loop cannot run over them.
  if (rows == 1 || nest.line || weight * rows * vectors < kLargeEpilogue) {
    for (int64_t r = 0; r < rows; ++r) {
      Place there = rowOf(r);
      for (int64_t v = 0; v < vectors; ++v)
        finish(there, sums[r * vectors + v], v, masks[v]);
    }
    return;
  }
  auto scratchType = MemRefType::get({rows * vectors * lanes}, op.getSumType());
  Value scratch;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&op->getParentOfType<FunctionOpInterface>().getFunctionBody().front());
    scratch = memref::AllocaOp::create(b, a.loc, scratchType, b.getI64IntegerAttr(64));
  }
  for (auto [i, sum] : llvm::enumerate(sums))
    vector::StoreOp::create(b, a.loc, sum, scratch, ValueRange{a.value(static_cast<int64_t>(i) * lanes)});
  a.forEach(0, rows, 1, [&](Index row) {
    Place there = rowOf(row);
    for (int64_t v = 0; v < vectors; ++v) {
      Index at = a.mul(a.add(a.mul(row, vectors), v), lanes);
      finish(there, vector::LoadOp::create(b, a.loc, type, scratch, ValueRange{a.value(at)}), v, masks[v]);
    }
  });
}

} // namespace mlc
