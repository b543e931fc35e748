//===- Constants.cpp - constants, ranges, masks, and shapes as values --------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

Values constantOp(NodeImporter &n) {
  if (const auto *attribute = n.attr("value")) {
    if (!attribute->has_t())
      n.fail("expected a tensor", "value");
    return {n.tensorConstant(attribute->t())};
  }
  if (std::optional<double> value = n.optionalFloat("value_float"))
    return {n.scalar(n.b.getF32Type(), *value)};
  if (std::optional<int64_t> value = n.optionalInt("value_int"))
    return {n.reshape(n.ints(*value), {})};
  if (std::optional<Ints> values = n.intsAttr("value_ints"))
    return {n.ints(*values)};
  if (const auto *attribute = n.attr("value_floats")) {
    onnx::TensorProto tensor;
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_dims(attribute->floats_size());
    *tensor.mutable_float_data() = attribute->floats();
    return {n.tensorConstant(tensor)};
  }
  for (llvm::StringRef name : {"value_string", "value_strings", "sparse_value"})
    if (n.attr(name))
      n.unsupported("unsupported constant", "", name);
  n.fail("requires a value");
}

Values constantOfShape(NodeImporter &n) {
  Shape shape = n.sizesFrom(n.input(0), "the shape", n.declaredRank(0));
  Value value = n.scalar(n.b.getF32Type(), 0);
  if (const auto *attribute = n.attr("value")) {
    if (!attribute->has_t())
      n.fail("expected a tensor", "value");
    value = n.tensorConstant(attribute->t());
    n.require(n.type(value).hasStaticShape() && n.type(value).getNumElements() == 1, "expected a value of one element");
    value = n.asScalar(value);
  }
  return {n.expand(value, shape)};
}

Values shapeOf(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  int64_t start = clamp(n.intAttr("start", 0)), end = clamp(n.intAttr("end", rank));
  Shape shape = n.shape(x);
  return {n.fromSizes(ArrayRef<Size>(shape).slice(start, std::max<int64_t>(0, end - start)))};
}

Values sizeOf(NodeImporter &n) { return {n.fromSize(n.sizes.product(n.shape(n.input(0))), n.b.getI64Type())}; }

/// start + i * delta for i in [0, max(0, ceil((limit - start) / delta)))
Values range(NodeImporter &n) {
  Value start = n.asScalar(n.input(0)), limit = n.asScalar(n.input(1)), delta = n.asScalar(n.input(2));
  Type type = n.element(start);
  n.require(n.element(limit) == type && n.element(delta) == type, "requires three numbers of one type");
  Size count;
  Value span = n.sub(limit, start);
  std::optional<double> knownSpan = n.knownNumber(span), knownDelta = n.knownNumber(delta);
  if (auto first = n.knownNumber(start), last = n.knownNumber(limit); first && last)
    knownSpan = *last - *first;
  if (knownDelta && *knownDelta == 0)
    n.fail("expected a step that is not zero");
  if (knownSpan && knownDelta) {
    double steps = std::ceil(*knownSpan / *knownDelta);
    n.require(steps < 1e15, "the range is too long");
    count = n.constantSize(std::max<int64_t>(0, static_cast<int64_t>(steps)));
  } else if (knownDelta == 1 && isa<IntegerType>(type)) {
    auto asSize = [&](Value number) { return n.sizes.element(n.cast(number, n.b.getI64Type()), 0); };
    count = n.sizes.max(n.sizes.sub(asSize(limit), asSize(start)), n.constantSize(0));
  } else {
    Value steps = n.make<CeilOp>(n.div(n.cast(span, n.b.getF64Type()), n.cast(delta, n.b.getF64Type())));
    Value whole = n.cast(n.maximum(steps, n.scalarLike(steps, 0)), n.b.getI64Type());
    count = n.sizes.element(whole, 0);
  }
  Value steps = n.iota(0, count, type);
  return {n.add(start, n.mul(steps, delta))};
}

/// 1 where column - row = k
Values eyeLike(NodeImporter &n) {
  Value x = n.input(0);
  n.require(n.rank(x) == 2, "expected a matrix");
  std::optional<int64_t> dtype = n.optionalInt("dtype");
  Type type = dtype ? n.elementType(*dtype) : n.element(x);
  Type i64 = n.b.getI64Type();
  Value rows = n.iota(0, n.shape(x), i64), columns = n.iota(1, n.shape(x), i64);
  Value diagonal = n.compare(CompareDirection::eq, columns, n.add(rows, n.scalar(i64, n.intAttr("k", 0))));
  return {n.cast(diagonal, type)};
}

/// Keeps column - row >= k (upper), or <= k.
Values trilu(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  n.require(rank >= 2, "expected a rank of at least 2");
  Type i64 = n.b.getI64Type();
  bool upper = n.intAttr("upper", 1);
  Value k = n.hasInput(1) ? n.asScalar(n.input(1)) : n.scalar(i64, 0);
  Shape shape = n.shape(x);
  ArrayRef<Size> matrix = ArrayRef<Size>(shape).take_back(2);
  Value rows = n.iota(0, matrix, i64), columns = n.iota(1, matrix, i64);
  Value keep = n.compare(upper ? CompareDirection::ge : CompareDirection::le, n.sub(columns, rows), k);
  return {n.select(keep, x, n.scalarLike(x, 0))};
}

/// values[1] where the new axis' place is the index, else values[0]
Values oneHot(NodeImporter &n) {
  Value indices = n.input(0), depth = n.asScalar(n.input(1)), values = n.input(2);
  int64_t rank = n.rank(indices) + 1, axis = n.axis(n.intAttr("axis", -1), rank);
  Type i64 = n.b.getI64Type();
  Value depth64 = n.cast(depth, i64), places = n.cast(indices, i64);
  Size size = n.sizes.element(depth64, 0);
  Value wrapped = n.select(n.compare(CompareDirection::lt, places, n.scalar(i64, 0)), n.add(places, depth64), places);
  Shape shape = n.shape(indices);
  shape.insert(shape.begin() + axis, size);
  Value counted = n.iota(axis, shape, i64);
  Value hot = n.compare(CompareDirection::eq, counted, n.unsqueeze(wrapped, axis));
  Value off = n.reshape(n.sliceAxis(values, 0, n.constantSize(0), n.constantSize(1)), {});
  Value on = n.reshape(n.sliceAxis(values, 0, n.constantSize(1), n.constantSize(1)), {});
  return {n.select(hot, on, off)};
}

} // namespace

void registerConstants(Registry &r) {
  r.add("Constant", 1, constantOp);
  r.add("ConstantOfShape", 9, constantOfShape);
  r.add("Shape", 1, shapeOf);
  r.add("Size", 1, sizeOf);
  r.add("Range", 11, range);
  r.add("EyeLike", 9, eyeLike);
  r.add("Trilu", 14, trilu);
  r.add("OneHot", 9, oneHot);
}

} // namespace mlc::onnximport
