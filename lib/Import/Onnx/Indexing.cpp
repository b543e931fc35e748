//===- Indexing.cpp - gathers, scatters, TopK, cumulative sums ---------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

Values gather(NodeImporter &n) {
  Value x = n.input(0);
  return {n.make<GatherOp>(x, n.input(1), static_cast<uint64_t>(n.axis(n.intAttr("axis", 0), n.rank(x))))};
}
Values gatherElements(NodeImporter &n) {
  Value x = n.input(0);
  return {n.make<GatherElementsOp>(x, n.input(1), static_cast<uint64_t>(n.axis(n.intAttr("axis", 0), n.rank(x))))};
}
/// Index tuples whose length is known only at run time, but follows from ranks.
Value withTupleSize(NodeImporter &n, Value indices, std::optional<int64_t> size) {
  RankedTensorType type = n.type(indices);
  if (type.getRank() == 0 || !type.isDynamicDim(type.getRank() - 1))
    return indices;
  if (!size)
    n.unsupported("the length of the index tuples is known only at run time, so the rank of the result is not known",
                  "declare the shape of the node's output in the model");
  Shape shape = n.shape(indices);
  shape.back() = n.constantSize(*size);
  return n.reshape(indices, shape);
}

Values gatherND(NodeImporter &n) {
  Value x = n.input(0), indices = n.input(1);
  int64_t batch = n.intAttr("batch_dims", 0);
  std::optional<int64_t> tuple;
  if (std::optional<int64_t> declared = n.declaredRank(0))
    tuple = n.rank(indices) - 1 + n.rank(x) - batch - *declared;
  return {n.make<GatherNDOp>(x, withTupleSize(n, indices, tuple), static_cast<uint64_t>(batch))};
}

ScatterKind scatterKind(NodeImporter &n) {
  std::string kind = n.stringAttr("reduction", "none");
  std::optional<ScatterKind> known = symbolizeScatterKind(kind);
  if (!known)
    n.fail("expected none, add, mul, max or min, but got '" + kind + "'", "reduction");
  return *known;
}
Values scatterElements(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(x));
  return {n.make<ScatterElementsOp>(x, n.input(1), n.input(2), static_cast<uint64_t>(axis), scatterKind(n))};
}
Values scatterND(NodeImporter &n) {
  Value x = n.input(0), indices = n.input(1), updates = n.input(2);
  Value tuples = withTupleSize(n, indices, n.rank(indices) - 1 + n.rank(x) - n.rank(updates));
  return {n.make<ScatterNDOp>(x, tuples, updates, scatterKind(n))};
}

Values topK(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", -1), n.rank(x));
  bool largest = n.opset < 11 || n.intAttr("largest", 1);
  if (n.opset >= 11)
    n.ignoreAttr("sorted"); // any order is allowed when it is 0, so a sorted one is right
  Size k;
  if (n.opset < 10) {
    std::optional<int64_t> value = n.optionalInt("k");
    n.require(value && *value >= 0, "requires k");
    k = n.constantSize(*value);
  } else {
    k = n.sizes.element(n.asScalar(n.input(1)), 0);
  }
  SmallVector<Value> dynamic;
  SmallVector<int64_t> fixed;
  dispatchIndexOpFoldResults(ArrayRef<Size>(k), dynamic, fixed);
  return n.makeAll<TopKOp>(x, dynamic, fixed, static_cast<uint64_t>(axis), !largest);
}

template <ReduceKind kind> Values cumulate(NodeImporter &n) {
  Value x = n.input(0), where = n.asScalar(n.input(1));
  bool exclusive = n.intAttr("exclusive", 0), reverse = n.intAttr("reverse", 0);
  auto along = [&](int64_t axis) {
    return n.make<CumulateOp>(kind, x, static_cast<uint64_t>(axis), exclusive, reverse);
  };
  int64_t rank = n.rank(x);
  if (std::optional<Ints> known = n.knownInts(where))
    return {along(n.axis((*known)[0], rank))};
  // The axis is known at run time: all candidates, of which one is chosen.
  Value axis = n.cast(where, n.b.getI64Type());
  Value wrapped = n.select(n.compare(CompareDirection::lt, axis, n.scalarLike(axis, 0)),
                           n.add(axis, n.scalarLike(axis, rank)), axis);
  Value result = along(0);
  for (int64_t i = 1; i < rank; ++i)
    result = n.select(n.compare(CompareDirection::eq, wrapped, n.scalarLike(axis, i)), along(i), result);
  return {result};
}

} // namespace

void registerIndexing(Registry &r) {
  r.add("Gather", 1, gather);
  r.add("GatherElements", 11, gatherElements);
  r.add("GatherND", 11, gatherND);
  r.add("Scatter", 9, scatterElements);
  r.add("ScatterElements", 11, scatterElements);
  r.add("ScatterND", 11, scatterND);
  r.add("TopK", 1, topK);
  r.add("CumSum", 11, cumulate<ReduceKind::sum>);
  r.add("CumProd", 26, cumulate<ReduceKind::prod>);
}

} // namespace mlc::onnximport
