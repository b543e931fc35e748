//===- RegisterTile.cpp - one tile of sums in registers -----------------------------------------------------------===//
//
// Vectors have the width of a register, never more: LLVM splits wider ones badly. Rows are unrolled, so that their
// addresses are displacements from one register. Epilogues that take many instructions work on one row at a time, from
// a tile on the stack, to keep the code small.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/RegisterTile.h"

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

/// Halves are summed in f32.
Value RegisterTile::widen(Value value) {
  Type sum = op.getSumType();
  if (getElementTypeOrSelf(value.getType()) == sum)
    return value;
  Type type = isa<VectorType>(value.getType()) ? Type(vectorOf(sum)) : sum;
  return arith::ExtFOp::create(a.b, a.loc, type, value);
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
          load(operand, a.add(base, a.mul(v * lanes, stride)), operand == 1 && op.getPacked() ? Value() : masks[v])));
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
      Value scalar = widen(memref::LoadOp::create(b, a.loc, nest.operands[0].buffer, a.value(at)));
      lhs.assign(vectors, Value(vector::BroadcastOp::create(b, a.loc, vectorOf(op.getSumType()), scalar)));
    }
    for (int64_t v = 0; v < vectors; ++v)
      result.push_back(vector::FMAOp::create(b, a.loc, lhs[v], rhs[v], sums[r * vectors + v]));
  }
  return result;
}

void RegisterTile::reduce(const Place &place, ArrayRef<unsigned> loops, int64_t rows, ArrayRef<Value> masks,
                          SmallVectorImpl<Value> &sums) {
  if (loops.empty()) {
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
  auto built = scf::ForOp::create(b, a.loc, a.value(0), a.value(loop.size), a.value(1), sums);
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

void RegisterTile::build(const Place &place, int64_t rows, int64_t vectors, ArrayRef<Value> masks) {
  OpBuilder &b = a.b;
  auto type = vectorOf(op.getSumType());
  Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(type));
  SmallVector<Value> sums(rows * vectors, zero);
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
