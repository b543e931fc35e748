//===- Strided.cpp - index arithmetic and loops on strided memory -------------------------------------------------===//
#include "passes/Vector/Strided.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mlc {

Index::Index(Value value) : dynamic(value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant))) {
    number = constant.getSExtValue();
    dynamic = nullptr;
  }
}

Value Arithmetic::value(Index index) {
  return index.isConstant() ? Value(arith::ConstantIndexOp::create(b, loc, index.constant())) : index.dynamicValue();
}

Index Arithmetic::add(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return lhs.constant() + rhs.constant();
  if (lhs.is(0))
    return rhs;
  if (rhs.is(0))
    return lhs;
  return Value(arith::AddIOp::create(b, loc, value(lhs), value(rhs)));
}

Index Arithmetic::sub(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return lhs.constant() - rhs.constant();
  if (rhs.is(0))
    return lhs;
  return Value(arith::SubIOp::create(b, loc, value(lhs), value(rhs)));
}

Index Arithmetic::mul(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return lhs.constant() * rhs.constant();
  if (lhs.is(0) || rhs.is(0))
    return 0;
  if (lhs.is(1))
    return rhs;
  if (rhs.is(1))
    return lhs;
  return Value(arith::MulIOp::create(b, loc, value(lhs), value(rhs)));
}

Index Arithmetic::floorDiv(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return lhs.constant() / rhs.constant();
  if (rhs.is(1))
    return lhs;
  return Value(arith::DivUIOp::create(b, loc, value(lhs), value(rhs)));
}

Index Arithmetic::ceilDiv(Index lhs, Index rhs) { return floorDiv(add(lhs, sub(rhs, 1)), rhs); }

Index Arithmetic::min(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return std::min(lhs.constant(), rhs.constant());
  return Value(arith::MinUIOp::create(b, loc, value(lhs), value(rhs)));
}

Index Arithmetic::clamp(Index index, Index last) {
  if (index.isConstant() && last.isConstant())
    return std::clamp<int64_t>(index.constant(), 0, last.constant());
  Value positive = arith::MaxSIOp::create(b, loc, value(index), value(0));
  return Value(arith::MinSIOp::create(b, loc, positive, value(last)));
}

std::pair<Index, Index> Arithmetic::divide(Index lhs, Index rhs) {
  if (rhs.is(1))
    return {lhs, 0};
  if (lhs.isConstant() && rhs.isConstant())
    return {lhs.constant() / rhs.constant(), lhs.constant() % rhs.constant()};
  return {Index(Value(arith::DivUIOp::create(b, loc, value(lhs), value(rhs)))),
          Index(Value(arith::RemUIOp::create(b, loc, value(lhs), value(rhs))))};
}

Index Arithmetic::selectNotLess(Index lhs, Index rhs, Index onTrue, Index onFalse) {
  Value condition = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, value(lhs), value(rhs));
  return Value(arith::SelectOp::create(b, loc, condition, value(onTrue), value(onFalse)));
}

void Arithmetic::forEach(Index begin, Index end, int64_t step, llvm::function_ref<void(Index)> body) {
  if (begin.isConstant() && end.isConstant() && end.constant() - begin.constant() <= step) {
    if (begin.constant() < end.constant())
      body(begin);
    return;
  }
  auto loop = scf::ForOp::create(b, loc, value(begin), value(end), value(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void Arithmetic::ifLess(Index lhs, Index rhs, llvm::function_ref<void()> body) {
  if (lhs.isConstant() && rhs.isConstant()) {
    if (lhs.constant() < rhs.constant())
      body();
    return;
  }
  Value condition = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, value(lhs), value(rhs));
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void Arithmetic::ifNotLess(Index lhs, Index rhs, llvm::function_ref<void()> body) { ifLess(sub(rhs, 1), lhs, body); }

Value buildMask(Arithmetic &a, Index left, int64_t lanes) {
  OpBuilder &b = a.b;
  auto bits = VectorType::get(lanes, b.getI1Type()), type = VectorType::get(lanes, b.getI32Type());
  if (left.isConstant()) {
    if (left.constant() >= lanes)
      return nullptr;
    SmallVector<bool> flags;
    for (int64_t lane = 0; lane < lanes; ++lane)
      flags.push_back(lane < left.constant());
    return arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(bits, flags));
  }
  auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, static_cast<int32_t>(lanes)));
  Value iota = arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(type, ArrayRef(numbers)));
  Value limit = arith::IndexCastOp::create(b, a.loc, b.getI32Type(), a.value(left));
  limit = vector::BroadcastOp::create(b, a.loc, type, limit);
  return arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::slt, iota, limit);
}

Flat flatten(Arithmetic &a, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  OpBuilder &b = a.b;
  auto metadata = memref::ExtractStridedMetadataOp::create(b, a.loc, memref);
  SmallVector<int64_t> strides;
  int64_t offset;
  [[maybe_unused]] LogicalResult strided = type.getStridesAndOffset(strides, offset);
  assert(succeeded(strided) && "buffers are strided");
  Flat flat;
  // The size is never asked for: accesses are in bounds by construction.
  Value any = arith::ConstantIndexOp::create(b, a.loc, 1);
  auto flatType = MemRefType::get({ShapedType::kDynamic}, type.getElementType(), MemRefLayoutAttrInterface(),
                                  type.getMemorySpace());
  flat.buffer =
      memref::ReinterpretCastOp::create(b, a.loc, flatType, metadata.getBaseBuffer(), b.getIndexAttr(0),
                                        ArrayRef<OpFoldResult>{any}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
  flat.offset = ShapedType::isDynamic(offset) ? Index(metadata.getOffset()) : Index(offset);
  for (auto [axis, stride] : llvm::enumerate(strides))
    flat.strides.push_back(ShapedType::isDynamic(stride) ? Index(metadata.getStrides()[axis]) : Index(stride));
  return flat;
}

Index strideOf(Arithmetic &a, const Flat &operand, AffineMap map, unsigned loop) {
  Index stride = 0;
  for (auto [axis, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(loop))
      stride = a.add(stride, a.mul(kernel::coefficientOf(expr, loop), operand.strides[axis]));
  return stride;
}

Index sizeOfLoop(Arithmetic &a, ArrayRef<int64_t> sizes, ArrayAttr maps, ValueRange operands, unsigned loop,
                 std::optional<unsigned> skip) {
  if (!ShapedType::isDynamic(sizes[loop]))
    return sizes[loop];
  for (auto [i, operand, map] : llvm::enumerate(operands, maps.getAsValueRange<AffineMapAttr>()))
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      if (i != skip && expr == a.b.getAffineDimExpr(loop))
        return Value(memref::DimOp::create(a.b, a.loc, operand, axis));
  llvm_unreachable("every loop is an axis of some operand");
}

bool joins(const Loop &around, const Loop &inside) {
  if (!inside.size.isConstant())
    return false;
  for (auto [far, near] : llvm::zip(around.strides, inside.strides))
    if (!far.isConstant() || !near.isConstant() || far.constant() != near.constant() * inside.size.constant())
      return false;
  return true;
}

void Nest::join() {
  auto isFixed = [&](unsigned loop) { return triangle && triangle->has(loop); };
  auto collect = [&](auto &&isWanted) {
    SmallVector<unsigned> found;
    for (unsigned loop = 0; loop < loops.size(); ++loop)
      if (loop != vector && loop != granules && !loops[loop].size.is(1) && isWanted(kinds[loop]))
        found.push_back(loop);
    for (size_t i = found.size(); i-- > 1;)
      if (!isFixed(found[i - 1]) && !isFixed(found[i]) && joins(loops[found[i - 1]], loops[found[i]])) {
        Loop &inside = loops[found[i]], &around = loops[found[i - 1]];
        if (around.size.isConstant()) {
          around.size = around.size.constant() * inside.size.constant();
          around.strides = inside.strides;
          found.erase(found.begin() + i);
        }
      }
    return found;
  };
  using kernel::LoopKind;
  // Columns that continue each other are one loop of vectors; those of panels are in an order of their own.
  for (unsigned loop = vector; !packed && loop-- > 0;) {
    if (loops[loop].size.is(1))
      continue;
    if (kinds[loop] != LoopKind::column || isFixed(loop) || isFixed(vector) || !loops[loop].size.isConstant() ||
        !joins(loops[loop], loops[vector]))
      break;
    loops[vector].size = loops[vector].size.constant() * loops[loop].size.constant();
    loops[loop].size = 1;
  }
  outer = collect([](LoopKind kind) { return kind == LoopKind::batch || kind == LoopKind::column; });
  reductions = collect([](LoopKind kind) { return kind == LoopKind::reduction; });
  lines = collect([](LoopKind kind) { return kind == LoopKind::row; });
  if (!lines.empty())
    row = lines.pop_back_val();
}

void Nest::takeLines(int64_t rows) {
  if (!row || lines.empty() || !loops[*row].size.isConstant() || rows <= loops[*row].size.constant())
    return;
  line = lines.pop_back_val();
}

void Nest::checkTriangle() {
  auto isOfTile = [&](unsigned loop) {
    return loop == vector || (loop == row && !line) || llvm::is_contained(reductions, loop);
  };
  if (!triangle)
    return;
  bool isOfSum = llvm::is_contained(reductions, triangle->row) && llvm::is_contained(reductions, triangle->column);
  if (!isOfTile(triangle->row) || !isOfTile(triangle->column) || isOfSum || reductions.empty())
    triangle.reset();
}

void Nest::nestOuter(int64_t enough) {
  int64_t tasks = 1;
  for (size_t i = 0; i < outer.size(); ++i) {
    if (tasks >= enough) {
      nested.assign(outer.begin() + i, outer.end());
      outer.truncate(i);
      return;
    }
    const Index &size = loops[outer[i]].size;
    tasks *= size.isConstant() ? size.constant() : 1;
  }
}

void Nest::beginReduction(Arithmetic &a, unsigned loop, Index first) {
  if (triangle && triangle->row == loop)
    triangle->offset = a.add(triangle->offset, first);
  if (triangle && triangle->column == loop)
    triangle->offset = a.sub(triangle->offset, first);
}

Index Nest::rowCount(Arithmetic &a) const {
  Index size = loops[*row].size;
  return line ? a.mul(size, loops[*line].size) : size;
}

Place Nest::advanceRows(Arithmetic &a, Place place, Index count) const {
  if (lhsTiles) {
    Index tile = a.floorDiv(count, lhsTiles->rows), at = a.sub(count, a.mul(tile, lhsTiles->rows));
    Index offset = a.add(place.offsets[0], a.add(a.mul(tile, lhsTiles->stride), at));
    place = advance(a, std::move(place), *row, count, /*skip=*/0);
    place.offsets[0] = offset;
    return place;
  }
  if (!line)
    return advance(a, std::move(place), *row, count);
  int64_t width = loops[*row].size.constant();
  if (!count.isConstant())
    return advance(a, std::move(place), *line, a.floorDiv(count, width));
  place = advance(a, std::move(place), *line, count.constant() / width);
  return advance(a, std::move(place), *row, count.constant() % width);
}

Place Nest::advance(Arithmetic &a, Place place, unsigned loop, Index count, std::optional<unsigned> skip) const {
  for (unsigned i = 0; i < place.offsets.size(); ++i)
    if (i != skip)
      place.offsets[i] = a.add(place.offsets[i], a.mul(count, loops[loop].strides[i]));
  return place;
}

} // namespace mlc
