//===- NodeExporter.cpp - what the exporter of one op works with -------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <algorithm>

using namespace mlir;

namespace mlc::onnxexport {

namespace {

/// The name of a node after that of its op.
std::string baseName(Operation *op) {
  StringRef name = nameOfLocation(op->getLoc());
  return name.empty() ? op->getName().stripDialect().str() : name.str();
}

onnx::TensorProto tensorOf(Type element, ArrayRef<int64_t> shape, std::string bytes) {
  onnx::TensorProto tensor;
  tensor.set_data_type(dataTypeOf(element));
  for (int64_t size : shape)
    tensor.add_dims(size);
  tensor.set_raw_data(std::move(bytes));
  return tensor;
}

} // namespace

bool isByte(Type element) { return isa<IntegerType>(element) && element.getIntOrFloatBitWidth() == 8; }

Type computeTypeOf(Type element) {
  if (element.isBF16())
    return Float32Type::get(element.getContext());
  if (isa<IntegerType>(element) && element.getIntOrFloatBitWidth() < 32)
    return IntegerType::get(element.getContext(), 32);
  if (element.isUnsignedInteger(32))
    return IntegerType::get(element.getContext(), 64);
  return element;
}

Names NodeExporter::emitAll(StringRef operation, ArrayRef<Name> inputs, NodeAttributes attributes, unsigned outputs) {
  onnx::NodeProto &node = *graph.current().add_node();
  std::string base = baseName(op);
  node.set_op_type(operation.str());
  node.set_name(graph.uniqueNode(base));
  for (const Name &input : inputs)
    node.add_input(input);
  Names results;
  for (unsigned i = 0; i < outputs; ++i) {
    results.push_back(graph.uniqueValue(base));
    node.add_output(results.back());
  }
  for (const NodeAttribute &attribute : attributes) {
    onnx::AttributeProto &proto = *node.add_attribute();
    proto.set_name(attribute.name);
    switch (attribute.kind) {
    case NodeAttribute::Kind::integer:
      proto.set_type(onnx::AttributeProto::INT);
      proto.set_i(attribute.integer);
      break;
    case NodeAttribute::Kind::number:
      proto.set_type(onnx::AttributeProto::FLOAT);
      proto.set_f(static_cast<float>(attribute.number));
      break;
    case NodeAttribute::Kind::text:
      proto.set_type(onnx::AttributeProto::STRING);
      proto.set_s(attribute.text);
      break;
    case NodeAttribute::Kind::integers:
      proto.set_type(onnx::AttributeProto::INTS);
      for (int64_t value : attribute.integers)
        proto.add_ints(value);
      break;
    case NodeAttribute::Kind::tensor:
      proto.set_type(onnx::AttributeProto::TENSOR);
      *proto.mutable_t() = *attribute.tensor;
      break;
    case NodeAttribute::Kind::graph:
      proto.set_type(onnx::AttributeProto::GRAPH);
      *proto.mutable_g() = *attribute.graph;
      break;
    }
  }
  return results;
}

Name NodeExporter::cast(Name value, Type from, Type to) {
  if (dataTypeOf(from) == dataTypeOf(to))
    return value;
  return emit("Cast", value, {{"to", static_cast<int64_t>(dataTypeOf(to))}});
}

Name NodeExporter::transpose(Name value, ArrayRef<int64_t> permutation) {
  return emit("Transpose", value, {{"perm", permutation}});
}

Name NodeExporter::moveChannels(Name value, int64_t rank, bool toEnd) {
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq(rank));
  std::rotate(permutation.begin() + 1, toEnd ? permutation.begin() + 2 : permutation.end() - 1, permutation.end());
  return transpose(value, permutation);
}

Name NodeExporter::select(Name condition, Name x, Name y, Type element) {
  if (element.isInteger(1)) // which few engines choose between
    return emit("Or", {emit("And", {condition, x}), emit("And", {emit("Not", condition), y})});
  Type compute = element.isUnsignedInteger(64) ? signless(64) : computeTypeOf(element);
  return cast(emit("Where", {condition, cast(x, element, compute), cast(y, element, compute)}), compute, element);
}

Name NodeExporter::constant(DenseElementsAttr value) {
  Type element = value.getElementType();
  std::string bytes;
  ArrayRef<char> raw = value.getRawData();
  if (element.isInteger(1)) // packed in the attribute
    for (bool flag : value.getValues<bool>())
      bytes.push_back(flag ? 1 : 0);
  else if (value.isSplat())
    for (int64_t i = 0; i < value.getNumElements(); ++i)
      bytes.append(raw.data(), raw.size());
  else
    bytes.assign(raw.data(), raw.size());
  return graph.constant(tensorOf(element, value.getType().getShape(), std::move(bytes)), baseName(op));
}

Name NodeExporter::ints(ArrayRef<int64_t> values) {
  std::string bytes(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(int64_t));
  return graph.constant(tensorOf(signless(64), {static_cast<int64_t>(values.size())}, std::move(bytes)), "ints");
}

Name NodeExporter::scalar(Type element, double value, bool rank1) {
  Type stored = element.isIndex() ? signless(64) : element;
  auto type = RankedTensorType::get(rank1 ? ArrayRef<int64_t>{1} : ArrayRef<int64_t>{}, stored);
  Attribute number;
  if (isa<FloatType>(stored))
    number = FloatAttr::get(stored, value);
  else
    number = IntegerAttr::get(stored, APInt(stored.getIntOrFloatBitWidth(),
                                            static_cast<uint64_t>(static_cast<int64_t>(value)), /*isSigned=*/true,
                                            /*implicitTrunc=*/true));
  return constant(DenseElementsAttr::get(type, number));
}

Name NodeExporter::sizes(ArrayRef<OpFoldResult> values) {
  if (std::optional<SmallVector<int64_t>> known = getConstantIntValues(values))
    return ints(*known);
  SmallVector<Name> parts;
  SmallVector<int64_t> constants; // that stand next to each other
  auto flush = [&] {
    if (!constants.empty())
      parts.push_back(ints(constants));
    constants.clear();
  };
  for (OpFoldResult value : values) {
    if (std::optional<int64_t> known = getConstantIntValue(value)) {
      constants.push_back(*known);
      continue;
    }
    flush();
    parts.push_back(name(llvm::cast<Value>(value)));
  }
  flush();
  return parts.size() == 1 ? parts[0] : emit("Concat", parts, {{"axis", int64_t(0)}});
}

Name NodeExporter::shapeOf(Name value, int64_t first, std::optional<int64_t> last) {
  NodeAttributes attributes{{"start", first}};
  if (last)
    attributes.push_back({"end", *last});
  return emit("Shape", value, attributes);
}

} // namespace mlc::onnxexport
