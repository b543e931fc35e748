//===- RowBuilder.cpp - the code of one row of a kernel over rows -------------------------------------------------===//
//
// The region of the op says what happens to one element. Values that are the same for a whole row are computed once
// beside the loops over columns, as scalars; the others by pieces of a few vectors, each pass only what it needs.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/RowBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace mlc {

namespace {

/// Vectors of a row that stays in registers.
constexpr int64_t kShortRow = 8;
/// Instructions that cost more than to write a vector and to read it again; or only to read what is written anyway.
constexpr int64_t kWorthKeeping = 8, kWorthReading = 2;
/// Instructions of a pass on a vector from which on fewer vectors are taken at a time.
constexpr int64_t kMuchCode = 60;
/// Bytes of a row on the stack.
constexpr int64_t kLargestRow = 16 << 10;
/// What sizes that are known only at run time count as.
constexpr int64_t kSomeColumns = 256;

/// What an op costs on a vector, in instructions: elementary functions are polynomials.
int64_t weightOf(Operation *op) {
  if (isa<arith::DivFOp, math::SqrtOp, math::RsqrtOp>(op))
    return 8;
  if (isa<math::AbsFOp, math::FloorOp, math::CeilOp, math::FmaOp>(op))
    return 1;
  return isa_and_present<math::MathDialect>(op->getDialect()) ? 20 : 1;
}

/// x (kind) neutral = x
TypedAttr neutralOf(OpBuilder &b, vector::CombiningKind kind, Type type) {
  using Kind = vector::CombiningKind;
  if (auto floating = dyn_cast<FloatType>(type)) {
    const llvm::fltSemantics &semantics = floating.getFloatSemantics();
    if (kind == Kind::ADD || kind == Kind::MUL)
      return b.getFloatAttr(type, kind == Kind::ADD ? 0 : 1);
    bool isMax = kind == Kind::MAXIMUMF || kind == Kind::MAXNUMF;
    return b.getFloatAttr(type, APFloat::getInf(semantics, /*Negative=*/isMax));
  }
  unsigned bits = type.getIntOrFloatBitWidth();
  APInt value = APInt::getZero(bits);
  if (kind == Kind::MUL)
    value = APInt(bits, 1);
  else if (kind == Kind::AND || kind == Kind::MINUI)
    value = APInt::getAllOnes(bits);
  else if (kind == Kind::MAXSI)
    value = APInt::getSignedMinValue(bits);
  else if (kind == Kind::MINSI)
    value = APInt::getSignedMaxValue(bits);
  return b.getIntegerAttr(type, value);
}

bool isExtremum(vector::CombiningKind kind) {
  return kind == vector::CombiningKind::MAXIMUMF || kind == vector::CombiningKind::MINIMUMF;
}

/// An extremum of numbers is one instruction; one that a NaN wins would be four, each waiting for the one before. So
/// reductions look for NaN beside it.
Value combine(Arithmetic &a, vector::CombiningKind kind, Value value, Value sum, Value mask = nullptr) {
  if (!isExtremum(kind))
    return vector::makeArithReduction(a.b, a.loc, kind, value, sum, nullptr, mask);
  auto predicate = kind == vector::CombiningKind::MAXIMUMF ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
  Value isBetter = arith::CmpFOp::create(a.b, a.loc, predicate, value, sum);
  Value result = arith::SelectOp::create(a.b, a.loc, isBetter, value, sum);
  return mask ? Value(arith::SelectOp::create(a.b, a.loc, mask, result, sum)) : result;
}

} // namespace

Index countRows(Arithmetic &a, kernel::RowsOp op, ValueRange operands) {
  Index count = 1;
  for (unsigned loop = 0; loop < op.getRows(); ++loop)
    count = a.mul(count, sizeOfLoop(a, op.getSizes(), op.getMaps(), operands, loop));
  return count;
}

RowBuilder::RowBuilder(Arithmetic &arithmetic, kernel::RowsOp op, int64_t vectorBits)
    : a(arithmetic), op(op), triangle(kernel::toTriangle(op.getTriangle())), values(op) {
  for (Value operand : op.getOperands())
    operands.push_back(flatten(a, operand));
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    Loop entry{sizeOfLoop(a, op.getSizes(), op.getMaps(), op.getOperands(), loop), {}};
    for (auto [operand, map] : llvm::zip(operands, op.getMaps().getAsValueRange<AffineMapAttr>()))
      entry.strides.push_back(strideOf(a, operand, map, loop));
    loops.push_back(entry);
  }
  // Loops of one iteration go, and neighbours whose steps join up become one.
  auto isFixed = [&](unsigned loop) { return triangle && triangle->has(loop); };
  auto collect = [&](unsigned begin, unsigned end) {
    SmallVector<unsigned> found;
    for (unsigned loop = begin; loop < end; ++loop)
      if (!loops[loop].size.is(1))
        found.push_back(loop);
    for (size_t i = found.size(); i-- > 1;) {
      Loop &around = loops[found[i - 1]], &inside = loops[found[i]];
      if (!around.size.isConstant() || isFixed(found[i]) || isFixed(found[i - 1]) || !joins(around, inside))
        continue;
      around.size = around.size.constant() * inside.size.constant();
      around.strides = inside.strides;
      found.erase(found.begin() + i);
    }
    return found;
  };
  rowLoops = collect(0, op.getRows());
  columnLoops = collect(op.getRows(), op.getNumLoops());
  if (columnLoops.empty())
    columnLoops.push_back(op.getNumLoops() - 1);

  unsigned widest = 8;
  for (Operation &inner : op.getBody().front().without_terminator()) {
    for (Value result : inner.getResults())
      if (!isOfRow(result) || isa<kernel::ReduceOp>(inner))
        widest = std::max(widest, result.getType().isIndex() ? 64 : result.getType().getIntOrFloatBitWidth());
    if (auto reduce = dyn_cast<kernel::ReduceOp>(inner)) {
      unsigned level = values.levelOf(reduce.getValue());
      reductions.resize(std::max<size_t>(reductions.size(), level + 1));
      reductions[level].push_back(reduce);
    }
  }
  for (Value argument : op.getBody().front().getArguments())
    if (!isOfRow(argument))
      widest = std::max(widest, argument.getType().getIntOrFloatBitWidth());
  lanes = vectorBits / widest;
  for (auto [i, value] : llvm::enumerate(op.getBody().front().getTerminator()->getOperands()))
    if (!op.isOfRow(i))
      lastPass = std::max(lastPass, values.levelOf(value));
  if (!reductions.empty())
    lastPass = std::max<unsigned>(lastPass, reductions.size() - 1);
  reductions.resize(lastPass + 1);
  const Index &columns = loops[columnLoops.back()].size;
  isShort = !triangle && columnLoops.size() == 1 && columns.isConstant() && columns.constant() <= kShortRow * lanes;
  if (!isShort)
    choosePasses();
}

int64_t RowBuilder::workOfRow() {
  int64_t columns = 1, work = 1;
  for (unsigned loop : columnLoops)
    columns *= loops[loop].size.isConstant() ? loops[loop].size.constant() : kSomeColumns;
  for (Operation &inner : op.getBody().front().without_terminator())
    if (inner.getNumResults() && !isOfRow(inner.getResult(0)))
      work += weightOf(&inner);
  return columns * (work + op.getNumOperands());
}

/// What a vector of `value` costs in `pass`.
int64_t RowBuilder::costOf(Value value, unsigned pass) {
  if (isOfRow(value))
    return 0;
  if (auto it = kept.find(value); it != kept.end() && it->second.pass < pass)
    return 1;
  Operation *inner = value.getDefiningOp();
  if (!inner)
    return 1;
  int64_t cost = weightOf(inner);
  for (Value operand : inner->getOperands())
    cost += costOf(operand, pass);
  return cost;
}

/// Vectors that a step of a pass takes: enough to have independent sums, and no more code than that.
int64_t RowBuilder::unrolledOf(unsigned pass) {
  int64_t cost = 0;
  for (kernel::ReduceOp reduce : reductions[pass])
    cost += costOf(reduce.getValue(), pass);
  for (auto [i, value] : llvm::enumerate(op.getBody().front().getTerminator()->getOperands()))
    if (!op.isOfRow(i) && values.levelOf(value) == pass)
      cost += costOf(value, pass);
  return cost < kMuchCode ? 4 : 2;
}

/// Decides which values are kept from one pass to the next.
void RowBuilder::choosePasses() {
  DenseMap<Value, unsigned> first;
  auto yielded = op.getBody().front().getTerminator()->getOperands();
  for (unsigned now = 0; now <= lastPass; ++now) {
    DenseSet<Value> seen;
    auto visit = [&](auto &&visit, Value value) -> void {
      if (isOfRow(value) || !value.getDefiningOp() || !seen.insert(value).second)
        return;
      auto [it, isNew] = first.try_emplace(value, now);
      if (!isNew && it->second < now && (kept.contains(value) || keep(value, it->second)))
        return;
      for (Value operand : value.getDefiningOp()->getOperands())
        visit(visit, operand);
    };
    for (kernel::ReduceOp reduce : reductions[now])
      visit(visit, reduce.getValue());
    for (auto [i, value] : llvm::enumerate(yielded))
      if (!op.isOfRow(i) && values.levelOf(value) == now)
        visit(visit, value);
  }
}

/// Finds a place for a value that was computed in `pass` and is needed again, if that is worth it.
bool RowBuilder::keep(Value value, unsigned pass) {
  int64_t cost = costOf(value, lastPass + 1);
  unsigned firstResult = op.getInputs().size();
  auto yielded = op.getBody().front().getTerminator()->getOperands();
  if (cost > kWorthReading)
    for (auto [i, result] : llvm::enumerate(yielded))
      if (result == value && !op.isOfRow(i)) {
        kept[value] = {values.levelOf(value), static_cast<unsigned>(firstResult + i)};
        return true;
      }
  if (cost <= kWorthKeeping)
    return false;
  for (auto [i, result] : llvm::enumerate(yielded)) {
    unsigned operand = firstResult + i;
    bool isFree = !op.isOfRow(i) && values.levelOf(result) == lastPass && result.getType() == value.getType() &&
                  llvm::none_of(kept, [&](auto &entry) { return entry.second.operand == operand; });
    if (isFree) {
      kept[value] = {pass, operand};
      return true;
    }
  }
  int64_t elements = 1;
  for (unsigned loop : columnLoops) {
    if (!loops[loop].size.isConstant())
      return false;
    elements *= loops[loop].size.constant();
  }
  if (elements * value.getType().getIntOrFloatBitWidth() / 8 > kLargestRow)
    return false;
  kept[value] = {pass, static_cast<unsigned>(operands.size())};
  OpBuilder::InsertionGuard guard(a.b);
  a.b.setInsertionPointToStart(&op->getParentOfType<FunctionOpInterface>().getFunctionBody().front());
  auto type = MemRefType::get({elements}, value.getType());
  operands.push_back({memref::AllocaOp::create(a.b, a.loc, type, a.b.getI64IntegerAttr(64)), 0, {}});
  int64_t stride = 1;
  for (Loop &loop : loops)
    loop.strides.push_back(0);
  for (unsigned loop : llvm::reverse(columnLoops)) {
    loops[loop].strides.back() = stride;
    stride *= loops[loop].size.constant();
  }
  return true;
}

Place RowBuilder::advance(Place place, unsigned loop, Index count) {
  for (auto [offset, stride] : llvm::zip(place.offsets, loops[loop].strides))
    offset = a.add(offset, a.mul(count, stride));
  return place;
}

Value RowBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(a.b, a.loc, vectorOf(scalar.getType()), scalar);
}

/// A value of the row.
Value RowBuilder::scalarOf(Value value) {
  if (value.getParentBlock() != &op.getBody().front())
    return value;
  if (Value known = scalars.lookup(value))
    return known;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned i = argument.getArgNumber();
    Value at = a.value(rowPlace.offsets[i]);
    return scalars[value] = memref::LoadOp::create(a.b, a.loc, operands[i].buffer, at);
  }
  Operation *inner = value.getDefiningOp();
  SmallVector<Value> arguments;
  for (Value operand : inner->getOperands())
    arguments.push_back(scalarOf(operand));
  OperationState state(a.loc, inner->getName(), arguments, inner->getResultTypes(), inner->getAttrs());
  Operation *built = a.b.create(state);
  return scalars[value] = built->getResult(0);
}

/// A value of the columns of a piece.
const RowBuilder::Vectors &RowBuilder::vectorsOf(Value value, Piece &piece) {
  if (auto it = piece.known.find(value); it != piece.known.end())
    return it->second;
  OpBuilder &b = a.b;
  Vectors vectors;
  std::optional<unsigned> source;
  if (auto it = kept.find(value); it != kept.end() && it->second.pass < pass)
    source = it->second.operand;
  else if (auto argument = dyn_cast<BlockArgument>(value); argument && !isOfRow(value))
    source = argument.getArgNumber();
  if (isOfRow(value)) {
    vectors.assign(piece.vectors, broadcast(scalarOf(value)));
  } else if (source && loops[columnLoops.back()].strides[*source].is(0)) {
    Value at = a.value(piece.place.offsets[*source]);
    vectors.assign(piece.vectors, broadcast(memref::LoadOp::create(b, a.loc, operands[*source].buffer, at)));
  } else if (source) {
    VectorType type = vectorOf(value.getType());
    for (int64_t i = 0; i < piece.vectors; ++i) {
      Value at = a.value(a.add(piece.place.offsets[*source], i * lanes)), buffer = operands[*source].buffer;
      if (piece.mask && i + 1 == piece.vectors) {
        Value zero = arith::ConstantOp::create(b, a.loc, b.getZeroAttr(type));
        vectors.push_back(vector::MaskedLoadOp::create(b, a.loc, type, buffer, ValueRange{at}, piece.mask, zero));
      } else {
        vectors.push_back(vector::LoadOp::create(b, a.loc, type, buffer, ValueRange{at}));
      }
    }
  } else {
    Operation *inner = value.getDefiningOp();
    SmallVector<Vectors> arguments;
    for (Value operand : inner->getOperands())
      arguments.push_back(vectorsOf(operand, piece));
    for (int64_t i = 0; i < piece.vectors; ++i) {
      SmallVector<Value> here;
      for (const Vectors &argument : arguments)
        here.push_back(argument[i]);
      OperationState state(a.loc, inner->getName(), here, vectorOf(value.getType()), inner->getAttrs());
      vectors.push_back(b.create(state)->getResult(0));
    }
  }
  return piece.known[value] = std::move(vectors);
}

void RowBuilder::store(unsigned operand, const Vectors &vectors, const Piece &piece) {
  for (auto [i, value] : llvm::enumerate(vectors)) {
    Value at = a.value(a.add(piece.place.offsets[operand], static_cast<int64_t>(i) * lanes));
    if (piece.mask && i + 1 == vectors.size())
      vector::MaskedStoreOp::create(a.b, a.loc, operands[operand].buffer, ValueRange{at}, piece.mask, value);
    else
      vector::StoreOp::create(a.b, a.loc, value, operands[operand].buffer, ValueRange{at});
  }
}

/// `found`, with NaN in the lanes where one of the vectors has it; the mask is that of the last one.
Value RowBuilder::findNaN(ArrayRef<Value> vectors, Value mask, Value found) {
  OpBuilder &b = a.b;
  auto type = cast<VectorType>(found.getType());
  APFloat nan = APFloat::getQNaN(cast<FloatType>(type.getElementType()).getFloatSemantics());
  Value marked = arith::ConstantOp::create(b, a.loc, DenseElementsAttr::get(type, nan));
  auto mark = [&](Value first, Value second, Value mask) {
    Value isNaN = arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::UNO, first, second);
    if (mask)
      isNaN = arith::AndIOp::create(b, a.loc, isNaN, mask);
    found = arith::SelectOp::create(b, a.loc, isNaN, marked, found);
  };
  if (mask) {
    mark(vectors.back(), vectors.back(), mask);
    vectors = vectors.drop_back();
  }
  for (; !vectors.empty(); vectors = vectors.drop_front(std::min<size_t>(2, vectors.size())))
    mark(vectors.front(), vectors.size() > 1 ? vectors[1] : vectors[0], nullptr);
  return found;
}

/// What the pass does to a piece. `sums` are `unrolled` partial sums of each reduction and one to find NaN.
void RowBuilder::buildPiece(Piece &piece, MutableArrayRef<Value> sums) {
  for (kernel::ReduceOp reduce : reductions[pass]) {
    Vectors vectors = vectorsOf(reduce.getValue(), piece);
    for (auto [i, value] : llvm::enumerate(vectors)) {
      Value &sum = sums[i % unrolled];
      sum = combine(a, reduce.getKind(), value, sum, i + 1 == vectors.size() ? piece.mask : Value());
    }
    if (isExtremum(reduce.getKind()))
      sums[unrolled] = findNaN(vectors, piece.mask, sums[unrolled]);
    sums = sums.drop_front(numSums());
  }
  // Everything is read before anything is written: a row may hold what is kept until its result comes.
  SmallVector<std::pair<unsigned, Vectors>> stores;
  for (auto [i, value] : llvm::enumerate(op.getBody().front().getTerminator()->getOperands()))
    if (!op.isOfRow(i) && values.levelOf(value) == pass)
      stores.emplace_back(op.getInputs().size() + i, vectorsOf(value, piece));
  for (Operation &inner : op.getBody().front().without_terminator())
    for (Value value : inner.getResults())
      if (auto it = kept.find(value); it != kept.end() && it->second.pass == pass &&
                                      llvm::none_of(stores, [&](auto &s) { return s.first == it->second.operand; }))
        stores.emplace_back(it->second.operand, vectorsOf(value, piece));
  for (auto &[operand, vectors] : stores)
    store(operand, vectors, piece);
}

/// A loop that carries the sums.
void RowBuilder::iterate(Index begin, Index end, int64_t step, MutableArrayRef<Value> sums,
                         llvm::function_ref<void(Index, MutableArrayRef<Value>)> body) {
  if (begin.isConstant() && end.isConstant() && end.constant() - begin.constant() <= step) {
    if (begin.constant() < end.constant())
      body(begin, sums);
    return;
  }
  auto loop = scf::ForOp::create(a.b, a.loc, a.value(begin), a.value(end), a.value(step), ValueRange(sums));
  {
    OpBuilder::InsertionGuard guard(a.b);
    a.b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> inside(loop.getRegionIterArgs());
    body(loop.getInductionVar(), inside);
    // A loop without sums has its terminator already.
    if (!inside.empty())
      scf::YieldOp::create(a.b, a.loc, inside);
  }
  llvm::copy(loop.getResults(), sums.begin());
}

void RowBuilder::buildColumns(const Place &place, ArrayRef<unsigned> around, MutableArrayRef<Value> sums) {
  if (around.size() == 1)
    return buildVectors(place, sums);
  iterate(0, loops[around.front()].size, 1, sums, [&](Index at, MutableArrayRef<Value> sums) {
    buildColumns(advance(place, around.front(), at), around.drop_front(), sums);
  });
}

void RowBuilder::buildVectors(const Place &place, MutableArrayRef<Value> sums) {
  unsigned loop = columnLoops.back();
  const Index &columns = visible;
  auto build = [&](Index at, int64_t vectors, Value mask, MutableArrayRef<Value> sums) {
    Piece piece{advance(place, loop, at), vectors, mask};
    buildPiece(piece, sums);
  };
  int64_t step = unrolled * lanes;
  Index whole = a.mul(a.floorDiv(columns, step), step);
  iterate(0, whole, step, sums, [&](Index at, MutableArrayRef<Value> sums) { build(at, unrolled, Value(), sums); });
  if (columns.isConstant()) {
    int64_t rest = columns.constant() - whole.constant();
    if (rest)
      build(whole, llvm::divideCeil(rest, lanes), maskOfLast(rest), sums);
  } else {
    Index last = a.mul(a.floorDiv(columns, lanes), lanes);
    iterate(whole, last, lanes, sums, [&](Index at, MutableArrayRef<Value> sums) { build(at, 1, Value(), sums); });
    build(last, 1, buildMask(a, a.sub(columns, last), lanes), sums);
  }
  if (triangle && pass == lastPass)
    clearOutside(place);
}

/// Results outside of the triangle are 0.
void RowBuilder::clearOutside(const Place &place) {
  unsigned loop = columnLoops.back();
  Index left = a.sub(loops[loop].size, visible), whole = a.mul(a.floorDiv(left, lanes), lanes);
  for (unsigned i = 0; i < op.getInits().size(); ++i) {
    if (op.isOfRow(i))
      continue;
    unsigned operand = op.getInputs().size() + i;
    VectorType type = vectorOf(getElementTypeOrSelf(op.getInits()[i].getType()));
    Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(type));
    auto clear = [&](Index at, Value mask) {
      store(operand, {zero}, {advance(place, loop, a.add(visible, at)), 1, mask});
    };
    a.forEach(0, whole, lanes, [&](Index at) { clear(at, nullptr); });
    clear(whole, buildMask(a, a.sub(left, whole), lanes));
  }
}

/// The reductions of the pass: partial sums together, then halves of a vector as long as there are two.
void RowBuilder::finishReductions(ArrayRef<Value> sums) {
  OpBuilder &b = a.b;
  for (kernel::ReduceOp reduce : reductions[pass]) {
    SmallVector<Value> parts(sums.take_front(unrolled));
    while (parts.size() > 1) {
      size_t half = parts.size() / 2;
      for (size_t i = 0; i < half; ++i)
        parts[i] = combine(a, reduce.getKind(), parts[i], parts[i + half]);
      parts.truncate(half);
    }
    Value vector = parts[0];
    for (int64_t width = lanes; width > 1; width /= 2) {
      auto half = [&](int64_t offset) {
        auto places = llvm::to_vector(llvm::seq(offset, offset + width / 2));
        return Value(vector::ShuffleOp::create(b, a.loc, vector, vector, places));
      };
      Value low = half(0), high = half(width / 2);
      vector = combine(a, reduce.getKind(), low, high);
    }
    Value result = vector::ExtractOp::create(b, a.loc, vector, ArrayRef<int64_t>{0});
    if (isExtremum(reduce.getKind())) {
      Value isNaN = arith::CmpFOp::create(b, a.loc, arith::CmpFPredicate::UNO, sums[unrolled], sums[unrolled]);
      Value any = vector::ReductionOp::create(b, a.loc, vector::CombiningKind::OR, isNaN);
      auto type = cast<FloatType>(result.getType());
      Value nan = arith::ConstantOp::create(b, a.loc, b.getFloatAttr(type, APFloat::getQNaN(type.getFloatSemantics())));
      result = arith::SelectOp::create(b, a.loc, any, nan, result);
    }
    scalars[reduce.getResult()] = result;
    sums = sums.drop_front(numSums());
  }
}

void RowBuilder::build(Index row) {
  OpBuilder &b = a.b;
  rowPlace = Place(operands.size());
  for (auto [offset, operand] : llvm::zip(rowPlace.offsets, operands))
    offset = operand.offset;
  Index rowOfTriangle = 0;
  for (unsigned loop : llvm::reverse(rowLoops)) {
    bool isOutermost = loop == rowLoops.front();
    auto [next, at] = isOutermost ? std::pair<Index, Index>{0, row} : a.divide(row, loops[loop].size);
    rowPlace = advance(rowPlace, loop, at);
    row = next;
    if (triangle && triangle->row == loop)
      rowOfTriangle = at;
  }
  visible = loops[columnLoops.back()].size;
  if (triangle)
    visible = a.clamp(a.add(rowOfTriangle, triangle->offset + 1), visible);
  scalars.clear();
  Block &body = op.getBody().front();
  // A short row is one piece, which the passes share.
  Piece all{rowPlace, 0, Value()};
  if (isShort) {
    int64_t columns = loops[columnLoops.back()].size.constant();
    all.vectors = llvm::divideCeil(columns, lanes);
    all.mask = maskOfLast(columns);
  }
  for (pass = 0; pass <= lastPass; ++pass) {
    // What the row as a whole has by now.
    for (BlockArgument argument : body.getArguments())
      if (isOfRow(argument))
        scalarOf(argument);
    for (Operation &inner : body.without_terminator())
      for (Value value : inner.getResults())
        if (isOfRow(value) && values.levelOf(value) <= pass)
          scalarOf(value);
    unrolled = unrolledOf(pass);
    SmallVector<Value> sums;
    for (kernel::ReduceOp reduce : reductions[pass]) {
      Type type = reduce.getValue().getType();
      auto neutral = DenseElementsAttr::get(vectorOf(type), Attribute(neutralOf(b, reduce.getKind(), type)));
      sums.append(numSums(), arith::ConstantOp::create(b, a.loc, neutral));
    }
    if (isShort)
      buildPiece(all, sums);
    else
      buildColumns(rowPlace, columnLoops, sums);
    finishReductions(sums);
  }
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (op.isOfRow(i)) {
      unsigned operand = op.getInputs().size() + i;
      memref::StoreOp::create(b, a.loc, scalarOf(value), operands[operand].buffer,
                              ValueRange{a.value(rowPlace.offsets[operand])});
    }
}

} // namespace mlc
