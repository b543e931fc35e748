//===- NodeImporter.cpp - what the importer of one node works with -----------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include "lib/Import/Onnx/GraphImporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace mlc::onnximport {

NodeImporter::NodeImporter(GraphImporter &graph, const onnx::NodeProto &node, int64_t opset, OpBuilder &builder,
                           Location loc)
    : GraphBuilder(builder, loc, graph.shapes), graph(graph), node(node), opset(opset) {}

Value NodeImporter::input(unsigned i) {
  if (!hasInput(i))
    fail("input " + Twine(i) + " is missing");
  return graph.lookup(node.input(i));
}

Values NodeImporter::inputs() {
  require(numInputs() > 0, "requires at least one input");
  Values values;
  for (unsigned i = 0; i < numInputs(); ++i)
    values.push_back(input(i));
  return values;
}

std::optional<int64_t> NodeImporter::declaredRank(unsigned output) const {
  return graph.declaredRank(node.output(output));
}

const onnx::AttributeProto *NodeImporter::attr(StringRef name) {
  read.insert(name.str());
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return graph.resolve(attribute);
  return nullptr;
}

namespace {
const char *kindName(onnx::AttributeProto::AttributeType kind) {
  return onnx::AttributeProto::AttributeType_Name(kind).c_str();
}
} // namespace

#define MLC_EXPECT(ATTRIBUTE, KIND)                                                                                    \
  if (ATTRIBUTE->type() != onnx::AttributeProto::KIND)                                                                 \
  fail("expected an attribute of type " #KIND ", but got " + Twine(kindName(ATTRIBUTE->type())), name)

std::optional<int64_t> NodeImporter::optionalInt(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  MLC_EXPECT(attribute, INT);
  return attribute->i();
}
int64_t NodeImporter::intAttr(StringRef name, int64_t otherwise) { return optionalInt(name).value_or(otherwise); }

std::optional<double> NodeImporter::optionalFloat(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  MLC_EXPECT(attribute, FLOAT);
  return attribute->f();
}
double NodeImporter::floatAttr(StringRef name, double otherwise) { return optionalFloat(name).value_or(otherwise); }

std::string NodeImporter::stringAttr(StringRef name, StringRef otherwise) {
  const auto *attribute = attr(name);
  if (!attribute)
    return otherwise.str();
  MLC_EXPECT(attribute, STRING);
  return attribute->s();
}

std::optional<Ints> NodeImporter::intsAttr(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  MLC_EXPECT(attribute, INTS);
  return Ints(attribute->ints().begin(), attribute->ints().end());
}

std::optional<std::vector<double>> NodeImporter::floatsAttr(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  MLC_EXPECT(attribute, FLOATS);
  return std::vector<double>(attribute->floats().begin(), attribute->floats().end());
}

std::optional<std::vector<std::string>> NodeImporter::stringsAttr(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  MLC_EXPECT(attribute, STRINGS);
  return std::vector<std::string>(attribute->strings().begin(), attribute->strings().end());
}

const onnx::GraphProto &NodeImporter::graphAttr(StringRef name) {
  const auto *attribute = attr(name);
  if (!attribute || !attribute->has_g())
    fail("expected a graph in attribute '" + name + "'", name);
  return attribute->g();
}

Ints NodeImporter::smallInts(StringRef name, int64_t otherwise, size_t count) {
  Ints values = intsAttr(name).value_or(Ints(count, otherwise));
  if (values.size() != count)
    fail("expected " + Twine(count) + " entries, but got " + Twine(values.size()), name);
  for (int64_t value : values)
    if (value != static_cast<int32_t>(value))
      fail("expected numbers below 2^31, but got " + Twine(value), name);
  return values;
}

int64_t NodeImporter::axis(int64_t value, int64_t rank, StringRef what) {
  if (value < -rank || value >= rank)
    fail("expected " + what + " in [" + Twine(-rank) + ", " + Twine(rank) + "), but got " + Twine(value), what);
  return value < 0 ? value + rank : value;
}

void NodeImporter::fail(const Twine &reason, StringRef attribute) {
  throw ImportError(reason.str(), "", false, attribute.str());
}
void NodeImporter::unsupported(const Twine &reason, StringRef wayOut, StringRef attribute) {
  throw ImportError(reason.str(), wayOut.str(), true, attribute.str());
}

void NodeImporter::checkAttributes() {
  for (const auto &attribute : node.attribute())
    if (!read.count(attribute.name()))
      unsupported("unknown attribute '" + attribute.name() + "'", "", attribute.name());
}

Type NodeImporter::elementType(int64_t dataType) { return graph.elementType(static_cast<int32_t>(dataType)); }

void NodeImporter::settle(Operation *op) {
  if (std::string reason = trySettle(op); !reason.empty())
    fail(reason);
}

Value NodeImporter::tensorConstant(const onnx::TensorProto &tensor) { return graph.importTensor(tensor, b, loc); }

Value NodeImporter::reshape(Value value, ArrayRef<Size> shape) {
  for (Size size : shape)
    if (std::optional<int64_t> known = graph::getConstant(size))
      require(*known >= 0, "expected sizes that are not negative, but got " + Twine(*known));
  return GraphBuilder::reshape(value, shape);
}

Value NodeImporter::expand(Value value, ArrayRef<Size> shape) {
  for (Size size : shape)
    if (std::optional<int64_t> known = graph::getConstant(size))
      require(*known >= 0, "expected sizes that are not negative, but got " + Twine(*known));
  return GraphBuilder::expand(value, shape);
}

Value NodeImporter::sliceAxis(Value value, int64_t axis, Size start, Size size) {
  require(axis < rank(value), "expected a list, but got a scalar");
  return GraphBuilder::sliceAxis(value, axis, start, size);
}

Value NodeImporter::unsqueeze(Value value, ArrayRef<int64_t> axes) {
  require(rank(value) + static_cast<int64_t>(axes.size()) < 1024, "the result has too many axes");
  return GraphBuilder::unsqueeze(value, axes);
}

Values NodeImporter::scan(ValueRange inits, ValueRange inputs, bool reverse, ScanBody body) {
  for (Value input : inputs)
    require(rank(input) > 0, "expected a sequence, but got a scalar");
  Values results = GraphBuilder::scan(inits, inputs, reverse, body);
  for (Value result : results)
    if (!type(result).hasStaticShape() && !graph.shapes.contains(result))
      unsupported("the size of a step's output is known only in the step");
  return results;
}

std::optional<Ints> NodeImporter::knownInts(Value value) {
  if (auto values = graph::getConstantInts(value))
    return Ints(values->begin(), values->end());
  return std::nullopt;
}

std::optional<double> NodeImporter::knownNumber(Value value) {
  DenseElementsAttr attribute;
  if (!matchPattern(value, m_Constant(&attribute)) || attribute.getNumElements() != 1)
    return std::nullopt;
  if (isFloat(value))
    return (*attribute.value_begin<APFloat>()).convertToDouble();
  if (auto values = graph::getConstantInts(value))
    return static_cast<double>((*values)[0]);
  return std::nullopt;
}

Shape NodeImporter::sizesFrom(Value value, StringRef what, std::optional<int64_t> length) {
  RankedTensorType valueType = type(value);
  require(valueType.getElementType().isSignlessInteger() && valueType.getRank() <= 1,
          "expected " + what + " to be a list of integers");
  int64_t count = valueType.getRank() == 0 ? 1 : valueType.getDimSize(0);
  if (ShapedType::isDynamic(count)) {
    if (!length)
      unsupported("the length of " + what + " is known only at run time, so the rank of the result is not known",
                  "declare the shape of the node's output in the model");
    count = *length;
    value = reshape(value, constantSize(count)); // checked at run time
  }
  Shape result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(sizes.element(value, i));
  return result;
}

Shape NodeImporter::sizesUpTo(Value value, StringRef what, int64_t count, int64_t otherwise, bool atFront) {
  RankedTensorType valueType = type(value);
  if (valueType.getRank() == 1 && valueType.isDynamicDim(0)) {
    Size missing = sizes.sub(constantSize(count), shape(value)[0]), none = constantSize(0);
    value = pad(graph::PadMode::constant, value, scalarLike(value, static_cast<double>(otherwise)),
                atFront ? missing : none, atFront ? none : missing);
  }
  return sizesFrom(value, what, count);
}

Value NodeImporter::asScalar(Value value) {
  if (rank(value) == 0)
    return value;
  return reshape(value, {});
}

Value NodeImporter::axisMask(Value axes, int64_t rank) {
  Type i64 = b.getI64Type();
  Value wide = cast(axes, i64), places = iota(0, {constantSize(rank), constantSize(1)}, i64);
  if (NodeImporter::rank(wide) == 0)
    wide = unsqueeze(wide, 0);
  Value wrapped =
      select(compare(graph::CompareDirection::lt, wide, scalar(i64, 0)), add(wide, scalar(i64, rank)), wide);
  Value same = compare(graph::CompareDirection::eq, places, unsqueeze(wrapped, 0));
  return reduce(graph::ReduceKind::max, same, 1, false);
}

namespace {
/// How many places before each one are not masked.
Value freeBefore(NodeImporter &n, Value free) {
  return n.make<graph::CumulateOp>(graph::ReduceKind::sum, free, 0, /*exclusive=*/true, /*reverse=*/false);
}
} // namespace

Shape NodeImporter::sizesWithout(ArrayRef<Size> shape, Value mask, int64_t count) {
  // Size k is that of the k-th free place: a sum over places of size * [free and k before].
  Type i64 = b.getI64Type();
  Value free = cast(make<graph::NotOp>(mask), i64), before = freeBefore(*this, free), extents = fromSizes(shape);
  Shape result;
  for (int64_t k = 0; k < count; ++k) {
    Value here = mul(cast(compare(graph::CompareDirection::eq, before, scalar(i64, k)), i64), free);
    result.push_back(sizes.element(reduce(graph::ReduceKind::sum, mul(here, extents), 0, false), 0));
  }
  return result;
}

Shape NodeImporter::sizesAround(ArrayRef<Size> shape, Value mask) {
  Type i64 = b.getI64Type();
  Value free = cast(make<graph::NotOp>(mask), i64), before = freeBefore(*this, free);
  int64_t count = type(mask).getDimSize(0);
  Shape result;
  for (int64_t i = 0; i < count; ++i) {
    Size isFree = sizes.element(free, i), place = sizes.element(before, i), size = constantSize(1);
    for (auto [k, candidate] : llvm::enumerate(shape))
      size = sizes.selectIfZero(sizes.sub(place, constantSize(k)), candidate, size);
    result.push_back(sizes.selectIfZero(isFree, constantSize(1), size));
  }
  return result;
}

Size NodeImporter::foldIndex(Value value) {
  IntegerAttr known;
  if (matchPattern(value, m_Constant(&known)))
    return constantSize(known.getInt());
  return value;
}

const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry all;
    registerElementwise(all);
    registerActivations(all);
    registerConstants(all);
    registerControl(all);
    registerMovement(all);
    registerIndexing(all);
    registerLoops(all);
    registerContractions(all);
    registerEinsum(all);
    registerWindows(all);
    registerAttention(all);
    registerNormalizations(all);
    registerQuantization(all);
    registerRecurrent(all);
    registerReductions(all);
    registerResize(all);
    return all;
  }();
  return registry;
}

} // namespace mlc::onnximport
