//===- Sizes.cpp - shapes with symbolic sizes -------------------------------------------------------------------===//
#include "dialects/Graph/Sizes.h"

#include "dialects/Graph/GraphDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;

namespace mlc::graph {

std::optional<int64_t> getConstant(Size size) {
  if (auto attr = dyn_cast_if_present<Attribute>(size))
    return cast<IntegerAttr>(attr).getInt();
  return size ? getConstantIntValue(size) : std::nullopt;
}

SmallVector<int64_t> getStaticSizes(ArrayRef<Size> sizes) {
  return llvm::map_to_vector(sizes, [](Size size) {
    std::optional<int64_t> value = getConstant(size);
    return value && *value >= 0 ? *value : ShapedType::kDynamic;
  });
}

std::optional<SmallVector<int64_t>> getConstantInts(Value tensor) {
  DenseElementsAttr elements;
  if (!matchPattern(tensor, m_Constant(&elements)) || !isa<IntegerType>(elements.getElementType()))
    return std::nullopt;
  bool isUnsigned = elements.getElementType().isUnsignedInteger() || elements.getElementType().isInteger(1);
  return llvm::map_to_vector(elements.getValues<APInt>(), [&](const APInt &value) {
    return isUnsigned ? static_cast<int64_t>(value.getZExtValue()) : value.getSExtValue();
  });
}

Size SizeBuilder::constant(int64_t value) { return IntegerAttr::get(IndexType::get(context), value); }

Size SizeBuilder::dim(Value tensor, int64_t axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(axis))
    return constant(type.getDimSize(axis));
  if (!builder)
    return {};
  if (known)
    if (auto it = known->find(tensor); it != known->end())
      return it->second[axis];
  return builder->createOrFold<tensor::DimOp>(*loc, tensor, axis);
}

Shape SizeBuilder::shape(Value tensor) {
  Shape result;
  for (int64_t axis = 0, rank = cast<RankedTensorType>(tensor.getType()).getRank(); axis < rank; ++axis)
    result.push_back(dim(tensor, axis));
  return result;
}

Size SizeBuilder::again(Operation *arithmetic, ValueRange operands) {
  IRMapping mapping;
  mapping.map(arithmetic->getOperands(), operands);
  return builder->clone(*arithmetic, mapping)->getResult(0);
}

Value SizeBuilder::value(Size size) {
  assert(builder && size && "a size without a builder has no value");
  if (auto value = dyn_cast<Value>(size))
    return value;
  return arith::ConstantIndexOp::create(*builder, *loc, *getConstant(size));
}

namespace {
/// The nearest 64-bit number: sizes that a hostile model makes up must not wrap into small ones.
int64_t clamped(__int128 value) {
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min(), highest = std::numeric_limits<int64_t>::max();
  return value < lowest ? lowest : value > highest ? highest : static_cast<int64_t>(value);
}

/// Folds `fold` over two constants, or builds `Op`.
template <typename Op, typename Fold>
Size combine(SizeBuilder &sizes, OpBuilder *builder, std::optional<Location> loc, Size lhs, Size rhs, Fold fold) {
  std::optional<int64_t> a = getConstant(lhs), b = getConstant(rhs);
  if (a && b)
    return sizes.constant(fold(*a, *b));
  if (!builder || !lhs || !rhs)
    return {};
  return sizes.once({Op::getOperationName(), lhs, rhs, Size()},
                    [&] { return Size(builder->createOrFold<Op>(*loc, sizes.value(lhs), sizes.value(rhs))); });
}
} // namespace

Size SizeBuilder::once(const SizeMemo::Key &key, llvm::function_ref<Size()> build) {
  if (!memo)
    return build();
  auto order = [](Size size) { return size.getOpaqueValue(); };
  SizeMemo::Order place{std::get<0>(key), order(std::get<1>(key)), order(std::get<2>(key)), order(std::get<3>(key))};
  if (auto it = memo->built.find(place); it != memo->built.end())
    return it->second;
  Size result = build();
  memo->built.emplace(place, result);
  return result;
}

Size SizeBuilder::add(Size lhs, Size rhs) {
  if (getConstant(lhs) == 0)
    return rhs;
  if (getConstant(rhs) == 0)
    return lhs;
  return combine<arith::AddIOp>(*this, builder, loc, lhs, rhs,
                                [](int64_t a, int64_t b) { return clamped(static_cast<__int128>(a) + b); });
}

Size SizeBuilder::sub(Size lhs, Size rhs) {
  if (getConstant(rhs) == 0)
    return lhs;
  return combine<arith::SubIOp>(*this, builder, loc, lhs, rhs,
                                [](int64_t a, int64_t b) { return clamped(static_cast<__int128>(a) - b); });
}

Size SizeBuilder::mul(Size lhs, Size rhs) {
  if (getConstant(lhs) == 1 || getConstant(rhs) == 0)
    return rhs;
  if (getConstant(rhs) == 1 || getConstant(lhs) == 0)
    return lhs;
  return combine<arith::MulIOp>(*this, builder, loc, lhs, rhs,
                                [](int64_t a, int64_t b) { return clamped(static_cast<__int128>(a) * b); });
}

Size SizeBuilder::floorDiv(Size lhs, Size rhs) {
  if (getConstant(rhs) == 1)
    return lhs;
  return combine<arith::FloorDivSIOp>(*this, builder, loc, lhs, rhs,
                                      [](int64_t a, int64_t b) { return b > 0 ? llvm::divideFloorSigned(a, b) : 0; });
}

Size SizeBuilder::ceilDiv(Size lhs, Size rhs) {
  if (getConstant(rhs) == 1)
    return lhs;
  return combine<arith::CeilDivSIOp>(*this, builder, loc, lhs, rhs,
                                     [](int64_t a, int64_t b) { return b > 0 ? llvm::divideCeilSigned(a, b) : 0; });
}

Size SizeBuilder::max(Size lhs, Size rhs) {
  if (lhs && lhs == rhs)
    return lhs;
  for (auto [bound, other] : {std::pair(lhs, rhs), std::pair(rhs, lhs)})
    if (std::optional<int64_t> known = getConstant(bound); known && *known <= 0 && isNeverNegative(other))
      return other;
  return combine<arith::MaxSIOp>(*this, builder, loc, lhs, rhs, [](int64_t a, int64_t b) { return std::max(a, b); });
}

Size SizeBuilder::min(Size lhs, Size rhs) {
  if (lhs && lhs == rhs)
    return lhs;
  for (auto [bound, other] : {std::pair(lhs, rhs), std::pair(rhs, lhs)})
    if (std::optional<int64_t> known = getConstant(bound); known && *known <= 0 && isNeverNegative(other))
      return bound;
  return combine<arith::MinSIOp>(*this, builder, loc, lhs, rhs, [](int64_t a, int64_t b) { return std::min(a, b); });
}

Size SizeBuilder::selectIfZero(Size condition, Size ifZero, Size otherwise) {
  if (std::optional<int64_t> known = getConstant(condition))
    return *known == 0 ? ifZero : otherwise;
  if (!builder || !condition || !ifZero || !otherwise)
    return {};
  return once({"select_if_zero", condition, ifZero, otherwise}, [&] {
    Value zero = arith::ConstantIndexOp::create(*builder, *loc, 0);
    Value isZero = builder->createOrFold<arith::CmpIOp>(*loc, arith::CmpIPredicate::eq, value(condition), zero);
    return Size(builder->createOrFold<arith::SelectOp>(*loc, isZero, value(ifZero), value(otherwise)));
  });
}

Size SizeBuilder::product(ArrayRef<Size> sizes) {
  Size result = constant(1);
  for (Size size : sizes)
    result = mul(result, size);
  return result;
}

FailureOr<Size> SizeBuilder::broadcast(Size lhs, Size rhs) {
  std::optional<int64_t> a = getConstant(lhs), b = getConstant(rhs);
  if (a == 1)
    return rhs;
  if (b == 1)
    return lhs;
  if (a && b)
    return *a == *b ? FailureOr<Size>(lhs) : FailureOr<Size>(failure());
  // A known size other than 1 wins: the other is 1 or equal, which the lowering checks at run time.
  if (a)
    return lhs;
  if (b)
    return rhs;
  if (lhs == rhs && lhs)
    return lhs;
  if (!builder || !lhs || !rhs)
    return Size();
  return once({"broadcast", lhs, rhs, Size()}, [&] {
    Value one = arith::ConstantIndexOp::create(*builder, *loc, 1);
    Value isOne = builder->createOrFold<arith::CmpIOp>(*loc, arith::CmpIPredicate::eq, value(lhs), one);
    return Size(builder->createOrFold<arith::SelectOp>(*loc, isOne, value(rhs), value(lhs)));
  });
}

bool isNeverNegative(Size size, unsigned depth) {
  if (std::optional<int64_t> known = getConstant(size))
    return *known >= 0;
  auto value = dyn_cast_if_present<Value>(size);
  Operation *op = value ? value.getDefiningOp() : nullptr;
  if (!op || depth > 16)
    return false;
  if (isa<tensor::DimOp>(op))
    return true;
  auto ofOperands = [&](unsigned first) {
    return llvm::all_of(op->getOperands().drop_front(first),
                        [&](Value operand) { return isNeverNegative(operand, depth + 1); });
  };
  if (isa<arith::AddIOp, arith::MulIOp, arith::DivSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp, arith::MinSIOp,
          arith::IndexCastOp>(op))
    return ofOperands(0);
  if (isa<arith::SelectOp>(op))
    return ofOperands(1);
  if (isa<arith::MaxSIOp>(op))
    return llvm::any_of(op->getOperands(), [&](Value operand) { return isNeverNegative(operand, depth + 1); });
  return false;
}

/// The size that an integer scalar was cast from. A size of a tensor fits in 31 bits wherever a model narrows it so.
static Size castSize(Value scalar) {
  Value value = scalar;
  while (Operation *op = value.getDefiningOp()) {
    bool keeps = isa<arith::IndexCastOp, arith::ExtSIOp>(op) ||
                 (isa<arith::TruncIOp>(op) && value.getType().getIntOrFloatBitWidth() >= 32);
    if (!keeps)
      break;
    value = op->getOperand(0);
    if (value.getType().isIndex())
      return value == scalar || isNeverNegative(value) || scalar.getDefiningOp<arith::IndexCastOp>() ? Size(value)
                                                                                                     : Size();
  }
  return {};
}

Size SizeBuilder::element(Value tensor, int64_t i) {
  if (auto constants = getConstantInts(tensor))
    return constant((*constants)[i]);
  if (auto fromElements = tensor.getDefiningOp<tensor::FromElementsOp>()) {
    Value scalar = fromElements.getElements()[i];
    if (std::optional<int64_t> known = getConstantIntValue(scalar))
      return constant(*known);
    if (Size size = castSize(scalar))
      return size;
    if (!builder)
      return {};
    return scalar.getType().isIndex()
               ? Size(scalar)
               : Size(builder->createOrFold<arith::IndexCastOp>(*loc, builder->getIndexType(), scalar));
  }
  if (!builder)
    return {};
  SmallVector<Value> indices;
  if (cast<RankedTensorType>(tensor.getType()).getRank() == 1)
    indices.push_back(arith::ConstantIndexOp::create(*builder, *loc, i));
  Value scalar = tensor::ExtractOp::create(*builder, *loc, tensor, indices);
  return builder->createOrFold<arith::IndexCastOp>(*loc, builder->getIndexType(), scalar);
}

namespace detail {

bool areCompatible(TypeRange inferred, TypeRange actual) {
  if (inferred.size() != actual.size())
    return false;
  for (auto [a, b] : llvm::zip(inferred, actual))
    if (getElementTypeOrSelf(a) != getElementTypeOrSelf(b) || failed(verifyCompatibleShape(a, b)))
      return false;
  return true;
}

LogicalResult broadcastShapes(ValueRange operands, SizeBuilder &sizes, SmallVectorImpl<Shape> &shapes) {
  Shape result;
  for (Value operand : operands) {
    Shape shape = sizes.shape(operand);
    if (shape.size() > result.size())
      std::swap(shape, result);
    size_t offset = result.size() - shape.size();
    for (auto [i, size] : llvm::enumerate(shape)) {
      FailureOr<Size> both = sizes.broadcast(result[offset + i], size);
      if (failed(both))
        return failure();
      result[offset + i] = *both;
    }
  }
  shapes.push_back(std::move(result));
  return success();
}

LogicalResult reifyShapes(Operation *op, OpBuilder &builder, ReifiedRankedShapedTypeDims &result) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  SizeBuilder sizes(builder, op->getLoc());
  SmallVector<Shape> shapes;
  if (failed(cast<ShapeOpInterface>(op).inferShapes(sizes, shapes)))
    return failure();
  for (auto [shape, value] : llvm::zip(shapes, op->getResults())) {
    // The declared type may know more than the operands say.
    auto type = cast<RankedTensorType>(value.getType());
    for (auto [axis, size] : llvm::enumerate(shape))
      if (!type.isDynamicDim(axis))
        size = sizes.constant(type.getDimSize(axis));
    result.emplace_back(shape.begin(), shape.end());
  }
  return success();
}

} // namespace detail
} // namespace mlc::graph
