//===- GraphExporter.cpp - nodes and names of one exported model -------------------------------------------------===//
//
// Ops are exported in their order, which is topological. Every value that is computed has a name after its node; the
// names that outputs must have are put in its place in the end.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/GraphExporter.h"

#include "lib/Export/Onnx/NodeExporter.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"

#include <nlohmann/json.hpp>

using namespace mlir;

namespace mlc::onnxexport {

namespace {

constexpr int64_t kOpset = 21, kIrVersion = 10;

/// `symbols`: a number, a name or nothing for each axis that the type leaves open.
void describe(onnx::ValueInfoProto &info, const std::string &name, RankedTensorType type,
              ArrayRef<std::string> symbols) {
  info.set_name(name);
  auto *tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(dataTypeOf(type.getElementType()));
  tensor->mutable_shape(); // of rank 0 where nothing follows
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    auto *dim = tensor->mutable_shape()->add_dim();
    int64_t number;
    if (!ShapedType::isDynamic(size))
      dim->set_dim_value(size);
    else if (axis < symbols.size() && !StringRef(symbols[axis]).getAsInteger(10, number))
      dim->set_dim_value(number);
    else if (axis < symbols.size() && !symbols[axis].empty())
      dim->set_dim_param(symbols[axis]);
  }
}

/// Gives values other names, in subgraphs too.
void rename(onnx::GraphProto &graph, const std::map<std::string, std::string> &renamed) {
  auto apply = [&](std::string &name) {
    if (auto it = renamed.find(name); it != renamed.end())
      name = it->second;
  };
  for (auto &node : *graph.mutable_node()) {
    for (auto &input : *node.mutable_input())
      apply(input);
    for (auto &output : *node.mutable_output())
      apply(output);
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        rename(*attribute.mutable_g(), renamed);
  }
}

} // namespace

StringRef nameOfLocation(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      if (StringRef name = nameOfLocation(part); !name.empty())
        return name;
  return "";
}

onnx::TensorProto::DataType dataTypeOf(Type element) {
  using T = onnx::TensorProto;
  if (element.isF32())
    return T::FLOAT;
  if (element.isF64())
    return T::DOUBLE;
  if (element.isF16())
    return T::FLOAT16;
  if (element.isBF16())
    return T::BFLOAT16;
  if (element.isIndex())
    return T::INT64;
  bool isUnsigned = element.isUnsignedInteger();
  switch (element.getIntOrFloatBitWidth()) {
  case 1:
    return T::BOOL;
  case 8:
    return isUnsigned ? T::UINT8 : T::INT8;
  case 16:
    return isUnsigned ? T::UINT16 : T::INT16;
  case 32:
    return isUnsigned ? T::UINT32 : T::INT32;
  default:
    return isUnsigned ? T::UINT64 : T::INT64;
  }
}

std::string GraphExporter::unique(StringRef wanted, NameSet &taken, std::map<std::string, unsigned> &counts) {
  std::string name = wanted.str();
  for (unsigned &count = counts[name]; !taken.insert(name).second;)
    name = wanted.str() + "_" + std::to_string(++count);
  return name;
}

std::string GraphExporter::nameOf(Value value) {
  if (auto it = names.find(value); it != names.end())
    return it->second;
  // Constants are made where they are read: many are attributes or sizes of nodes.
  Attribute attribute;
  if (matchPattern(value, m_Constant(&attribute))) {
    auto elements = dyn_cast<DenseElementsAttr>(attribute);
    if (!elements) {
      Type type = value.getType();
      if (type.isIndex())
        attribute =
            IntegerAttr::get(type = IntegerType::get(type.getContext(), 64), cast<IntegerAttr>(attribute).getInt());
      elements = DenseElementsAttr::get(RankedTensorType::get(1, type), attribute);
    }
    return names[value] = NodeExporter(*this, value.getDefiningOp()).constant(elements);
  }
  // What hangs from an op that failed is not exported any more.
  assert(failed && "operands are exported before the ops that read them");
  return "";
}

std::string GraphExporter::constant(onnx::TensorProto tensor, StringRef wanted) {
  auto [it, isNew] = constants.try_emplace(tensor.SerializeAsString());
  if (isNew) {
    it->second = uniqueValue(wanted);
    tensor.set_name(it->second);
    *main.add_initializer() = std::move(tensor);
  }
  return it->second;
}

void GraphExporter::exportOp(Operation *op) {
  NodeExporter e(*this, op);
  if (op->hasTrait<OpTrait::ConstantLike>())
    return;
  if (auto weight = dyn_cast<graph::WeightOp>(op)) {
    bind(weight.getResult(), weightNames.lookup(weight.getParameter()));
    return;
  }
  using Family = bool (*)(NodeExporter &);
  for (Family family : std::initializer_list<Family>{exportElementwise, exportMovement, exportScalar, exportContraction,
                                                     exportQuantization, exportIndexing, exportReduction, exportWindow,
                                                     exportResize, exportRecurrence})
    if (family(e))
      return;
  e.fail("ONNX has no operator for it");
}

void GraphExporter::exportOps(Block &block) {
  for (Operation &op : block.without_terminator())
    exportOp(&op);
}

onnx::GraphProto GraphExporter::subgraph(llvm::function_ref<GraphOutputs()> body, StringRef name) {
  onnx::GraphProto graph;
  onnx::GraphProto *outer = std::exchange(target, &graph);
  graph.set_name(uniqueNode(name));
  for (const auto &[name, type] : body())
    describe(*graph.add_output(), name, type, {});
  target = outer;
  return graph;
}

GraphOutputs GraphExporter::passOn(Operation *op, ValueRange values) {
  GraphOutputs outputs;
  for (Value value : values) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    outputs.emplace_back(NodeExporter(*this, op).emit("Identity", nameOf(value)),
                         type ? type : RankedTensorType::get(1, value.getType())); // a scalar has one element
  }
  return outputs;
}

onnx::GraphProto GraphExporter::exportBlock(Block &block, StringRef name) {
  auto body = [&] {
    for (BlockArgument argument : block.getArguments())
      if (!names.contains(argument)) {
        bind(argument, uniqueValue("argument" + std::to_string(argument.getArgNumber())));
        describe(*target->add_input(), nameOf(argument), cast<RankedTensorType>(argument.getType()), {});
      }
    exportOps(block);
    return passOn(block.getTerminator(), block.getTerminator()->getOperands());
  };
  return subgraph(body, name);
}

void GraphExporter::addInputs() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = cast<RankedTensorType>(argument.getType());
    auto given = function.getArgAttrOfType<StringAttr>(number, "mlc.name");
    std::vector<std::string> symbols;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      symbols.push_back(symbolOf(function, number, axis));
    std::string name = uniqueValue(given ? given.getValue().str() : "input" + std::to_string(number));
    describe(*main.add_input(), name, type, symbols);
    bind(argument, name);
  }
}

void GraphExporter::addOutputs(Operation *terminator) {
  std::vector<std::vector<std::string>> symbols = findResultSymbols(function);
  std::set<std::string> produced;
  for (const auto &node : main.node())
    produced.insert(node.output().begin(), node.output().end());
  std::map<std::string, std::string> renamed;
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    std::string name = main.output(static_cast<int>(i)).name();
    describe(*main.mutable_output(static_cast<int>(i)), name, cast<RankedTensorType>(value.getType()), symbols[i]);
    // A value that is no node's, or has a name already, is passed on.
    std::string own = nameOf(value);
    if (own == name)
      continue;
    if (produced.count(own) && renamed.try_emplace(own, name).second)
      continue;
    onnx::NodeProto *node = main.add_node();
    node->set_op_type("Identity");
    node->set_name(uniqueNode(name));
    node->add_input(own);
    node->add_output(name);
  }
  rename(main, renamed);
}

void GraphExporter::addMetadata(onnx::ModelProto &model) {
  model.set_ir_version(kIrVersion);
  model.set_producer_name("mlc");
  model.set_producer_version("0.1.0");
  onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(kOpset);
  main.set_name(nameOfLocation(module.getLoc()).str());
  auto property = [&](const std::string &key, const std::string &value) {
    onnx::StringStringEntryProto *entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  };
  if (auto text = module->getAttrOfType<StringAttr>("mlc.metadata")) {
    nlohmann::json json = nlohmann::json::parse(text.getValue().str(), nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("properties") && json["properties"].is_object())
      for (const auto &[key, value] : json["properties"].items())
        property(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (main.name().empty())
    main.set_name(function.getName().str());
}

FailureOr<OnnxModel> GraphExporter::run() {
  target = &main;
  Operation *terminator = function.getBody().front().getTerminator();
  addInputs();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    auto given = function.getResultAttrOfType<StringAttr>(i, "mlc.name");
    std::string name = given ? given.getValue().str() : "output" + std::to_string(i);
    auto argument = dyn_cast<BlockArgument>(value); // an input may be an output of the same name
    main.add_output()->set_name(argument && nameOf(argument) == name ? name : uniqueValue(name));
  }
  // Weights that are read, under the names that they had.
  std::set<StringRef> read;
  function.walk([&](graph::WeightOp weight) { read.insert(weight.getParameter()); });
  for (auto parameter : module.getOps<graph::ParameterOp>())
    if (read.count(parameter.getSymName())) {
      StringRef given = nameOfLocation(parameter.getLoc());
      weights.push_back({parameter, uniqueValue(given.empty() ? parameter.getSymName() : given)});
      weightNames[parameter.getSymName()] = weights.back().name;
    }
  exportOps(function.getBody().front());
  if (failed)
    return failure();
  addOutputs(terminator);
  onnx::ModelProto model;
  addMetadata(model);
  return OnnxModel{model.SerializeAsString(), main.SerializeAsString(), std::move(weights)};
}

void NodeExporter::fail(const Twine &reason) {
  op->emitError("cannot export '") << op->getName() << "' to ONNX because " << reason;
  graph.fail();
}

} // namespace mlc::onnxexport

FailureOr<mlc::OnnxModel> mlc::exportOnnx(ModuleOp module, func::FuncOp function) {
  return onnxexport::GraphExporter(module, function).run();
}
