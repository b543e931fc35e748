//===- GraphImporter.cpp - nodes and names of one model ----------------------------------------------------------===//
//
// Nodes are imported in the order of the file, which ONNX demands to be topological; those that no output needs are
// left out. A node that fails is recorded and its outputs are poisoned, so that one run finds every problem.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/GraphImporter.h"

#include "lib/Support/WeightMatcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <nlohmann/json.hpp>

using namespace mlir;

namespace mlc::onnximport {

namespace {

constexpr int64_t kOldestOpset = 1, kNewestOpset = 27;
constexpr unsigned kMaxDepth = 64;
/// Functions that call functions twice can make a small file into more nodes than there is time for.
constexpr uint64_t kMaxNodes = 2000000;
/// Larger tensors are weights and stay outside of the IR.
constexpr int64_t kMaxConstantInts = 64, kMaxConstantFloats = 16;

std::string normalized(const std::string &domain) { return domain == "ai.onnx" ? "" : domain; }
std::string operatorName(const onnx::NodeProto &node) {
  std::string domain = normalized(node.domain());
  return domain.empty() ? node.op_type() : domain + "." + node.op_type();
}
std::string nodeName(const onnx::NodeProto &node) {
  if (!node.name().empty())
    return node.name();
  return node.output_size() ? node.output(0) : "";
}

/// All names that a node reads, in its subgraphs too.
void collectReads(const onnx::NodeProto &node, std::set<std::string> &names, unsigned depth = 0) {
  names.insert(node.input().begin(), node.input().end());
  if (depth > kMaxDepth)
    return;
  auto ofGraph = [&](const onnx::GraphProto &graph) {
    for (const auto &inner : graph.node())
      collectReads(inner, names, depth + 1);
    for (const auto &output : graph.output())
      names.insert(output.name());
  };
  for (const auto &attribute : node.attribute()) {
    if (attribute.has_g())
      ofGraph(attribute.g());
    for (const auto &graph : attribute.graphs())
      ofGraph(graph);
  }
}

} // namespace

GraphImporter::GraphImporter(MLIRContext &context, const onnx::ModelProto &model, std::string folder,
                             const ImportOptions &options, WeightStore &weights, std::vector<ImportProblem> &problems)
    : context(context), model(model), folder(std::move(folder)), options(options), weights(weights),
      problems(problems) {
  for (const auto &import : model.opset_import())
    opsets[normalized(import.domain())] = import.version();
}

Type GraphImporter::elementType(int32_t dataType) {
  Builder b(&context);
  using T = onnx::TensorProto;
  auto unsignedType = [&](unsigned width) { return IntegerType::get(&context, width, IntegerType::Unsigned); };
  switch (dataType) {
  case T::FLOAT:
    return b.getF32Type();
  case T::DOUBLE:
    return b.getF64Type();
  case T::FLOAT16:
    return b.getF16Type();
  case T::BFLOAT16:
    return b.getBF16Type();
  case T::INT8:
    return b.getI8Type();
  case T::INT16:
    return b.getI16Type();
  case T::INT32:
    return b.getI32Type();
  case T::INT64:
    return b.getI64Type();
  case T::UINT8:
    return unsignedType(8);
  case T::UINT16:
    return unsignedType(16);
  case T::UINT32:
    return unsignedType(32);
  case T::UINT64:
    return unsignedType(64);
  case T::BOOL:
    return b.getI1Type();
  default:
    throw ImportError("unsupported data type " + dataTypeName(dataType), "", true);
  }
}

void GraphImporter::define(const std::string &name, Value value) {
  if (name.empty())
    return;
  if (!scopes.back().emplace(name, value).second)
    throw ImportError("the name '" + name + "' is defined twice");
}

Value GraphImporter::lookup(const std::string &name) {
  for (const Scope &scope : llvm::reverse(scopes))
    if (auto it = scope.find(name); it != scope.end()) {
      if (!it->second)
        throw AlreadyReported{};
      return it->second;
    }
  throw ImportError("reads '" + name +
                    "', which no input, initializer or earlier node defines (a cycle, or nodes out of order)");
}

std::optional<int64_t> GraphImporter::declaredRank(const std::string &name) const {
  auto it = ranks.find(name);
  return it == ranks.end() ? std::nullopt : std::optional(it->second);
}

const onnx::AttributeProto *GraphImporter::resolve(const onnx::AttributeProto &attribute) const {
  const onnx::AttributeProto *current = &attribute;
  for (size_t level = calls.size(); !current->ref_attr_name().empty();) {
    if (level == 0)
      return nullptr;
    --level;
    const std::string &name = current->ref_attr_name();
    const onnx::AttributeProto *found = nullptr;
    for (const auto &candidate : calls[level]->attribute())
      if (candidate.name() == name)
        found = &candidate;
    if (!found)
      for (const auto &standard : activeFunctions[level]->attribute_proto())
        if (standard.name() == name)
          found = &standard;
    if (!found)
      return nullptr;
    current = found;
  }
  return current;
}

Value GraphImporter::importTensor(const onnx::TensorProto &tensor, OpBuilder &b, Location loc,
                                  std::optional<ArrayRef<char>> loaded) {
  Type element = elementType(tensor.data_type());
  int64_t count = elementCount(tensor);
  ArrayRef<char> bytes = loaded ? *loaded : tensorBytes(tensor, folder, weights);
  auto type = RankedTensorType::get(llvm::to_vector(tensor.dims()), element);
  if (count <= (isa<FloatType>(element) ? kMaxConstantFloats : kMaxConstantInts)) {
    DenseElementsAttr value;
    if (element.isInteger(1)) {
      SmallVector<bool> flags(bytes.begin(), bytes.end());
      value = DenseElementsAttr::get(type, flags);
    } else if (count == 0) {
      value = DenseElementsAttr::get(type, ArrayRef<Attribute>());
    } else {
      // Raw data need not be aligned.
      std::vector<char> copy(bytes.begin(), bytes.end());
      value = DenseElementsAttr::getFromRawBuffer(type, copy);
    }
    return graph::ConstantOp::create(b, loc, value).getResult();
  }
  std::string name = "w" + std::to_string(numWeights++);
  while (options.keepParameters && SymbolTable::lookupSymbolIn(module, name)) // names of the model
    name = "w" + std::to_string(numWeights++);
  return declareParameter(name, type, bytes, b, loc);
}

Value GraphImporter::declareParameter(const std::string &name, RankedTensorType type, ArrayRef<char> bytes,
                                      OpBuilder &b, Location loc) {
  weights.define(name, bytes);
  OpBuilder top(&context);
  top.setInsertionPoint(module.getBody(), module.getBody()->begin());
  if (lastParameter) // in the order of the model
    top.setInsertionPointAfter(lastParameter);
  lastParameter = graph::ParameterOp::create(top, loc, name, type);
  return graph::WeightOp::create(b, loc, type, FlatSymbolRefAttr::get(&context, name));
}

/// Names of values that nodes want to know when they are imported, though they are floats.
static llvm::StringSet<> collectSettings(const onnx::GraphProto &graph) {
  llvm::StringSet<> settings;
  for (const onnx::NodeProto &node : graph.node()) {
    StringRef op = node.op_type();
    if (op == "Resize" || op == "Upsample" || op == "Dropout" || op == "Clip" || op == "Pad" || op.contains("Quantize"))
      for (const std::string &input : llvm::drop_begin(node.input()))
        settings.insert(input);
  }
  return settings;
}

bool GraphImporter::isFilledWith(Value value, int64_t number) const {
  if (auto known = graph::getConstantInts(value))
    return llvm::all_of(*known, [&](int64_t element) { return element == number; });
  auto weight = value.getDefiningOp<graph::WeightOp>();
  std::optional<ArrayRef<char>> bytes = weight ? weights.lookup(weight.getParameter()) : std::nullopt;
  return bytes && llvm::all_of(*bytes, [&](char byte) { return byte == static_cast<char>(number); });
}

void GraphImporter::declare(const onnx::GraphProto &graph) {
  auto note = [&](const auto &infos) {
    for (const onnx::ValueInfoProto &info : infos)
      if (info.type().tensor_type().has_shape())
        ranks[info.name()] = info.type().tensor_type().shape().dim_size();
  };
  note(graph.value_info());
  note(graph.output());
}

/// The bytes that a file of weights has for an initializer. Those that are constants of the model may be missing in it.
std::optional<ArrayRef<char>> GraphImporter::loadedBytes(const onnx::TensorProto &tensor) {
  if (!options.loaded)
    return std::nullopt;
  Type element = elementType(tensor.data_type());
  bool isWeight = isa<FloatType>(element) && elementCount(tensor) > kMaxConstantFloats;
  return options.loaded->match(tensor.name(), RankedTensorType::get(llvm::to_vector(tensor.dims()), element), isWeight);
}

void GraphImporter::importInitializers(const onnx::GraphProto &graph, OpBuilder &b) {
  llvm::StringSet<> settings = collectSettings(graph);
  for (const auto &tensor : graph.initializer()) {
    Location loc = NameLoc::get(b.getStringAttr(tensor.name()));
    try {
      Type element = elementType(tensor.data_type());
      bool isParameter = options.keepParameters && isa<FloatType>(element) && elementCount(tensor) > 0 &&
                         !settings.contains(tensor.name()) && !SymbolTable::lookupSymbolIn(module, tensor.name());
      std::optional<ArrayRef<char>> loaded = loadedBytes(tensor);
      define(tensor.name(),
             isParameter
                 ? declareParameter(tensor.name(), RankedTensorType::get(llvm::to_vector(tensor.dims()), element),
                                    loaded ? *loaded : tensorBytes(tensor, folder, weights), b, loc)
                 : importTensor(tensor, b, loc, loaded));
    } catch (const ImportError &error) {
      problems.push_back(
          {tensor.name(), "initializer", 0, error.attribute, error.what(), error.wayOut, error.unsupported});
      scopes.back()[tensor.name()] = Value();
    }
  }
  for (const auto &tensor : graph.sparse_initializer()) {
    problems.push_back({tensor.values().name(), "sparse_initializer", 0, "", "unsupported sparse initializer",
                        "store the tensor densely", true});
    scopes.back()[tensor.values().name()] = Value();
  }
}

RankedTensorType GraphImporter::inputType(const onnx::ValueInfoProto &info, std::vector<std::string> &symbols) {
  if (!info.type().has_tensor_type())
    throw ImportError("input '" + info.name() + "' is not a dense tensor", "", true);
  const auto &tensor = info.type().tensor_type();
  Type element = elementType(tensor.elem_type());
  auto fixed = options.shapes.find(info.name());
  Ints sizes;
  if (!tensor.has_shape()) {
    if (fixed == options.shapes.end())
      throw ImportError("input '" + info.name() + "' has no shape",
                        "give it one: --shape=" + info.name() + "=1x3x224x224", true);
    for (size_t i = 0; i < fixed->second.size(); ++i) {
      sizes.push_back(fixed->second[i] < 0 ? ShapedType::kDynamic : fixed->second[i]);
      symbols.push_back(fixed->second[i] < 0 ? info.name() + "_" + std::to_string(i) : "");
    }
    return RankedTensorType::get(sizes, element);
  }
  int axis = 0;
  for (const auto &dim : tensor.shape().dim()) {
    int64_t size = ShapedType::kDynamic;
    std::string symbol;
    if (dim.has_dim_value() && dim.dim_value() != -1) { // Paddle writes -1 for an unknown size
      size = dim.dim_value();
      if (size < 0)
        throw ImportError("input '" + info.name() + "' has the negative size " + std::to_string(size) + " in axis " +
                          std::to_string(axis));
      if (size > (int64_t(1) << 40))
        throw ImportError("input '" + info.name() + "' has the size " + std::to_string(size) + " in axis " +
                          std::to_string(axis) + ", which is too large to address");
    } else {
      symbol = dim.dim_param();
      // What exporters write for "unknown" is no name: two of them are two sizes.
      if (symbol.empty() || symbol == "?" || symbol == "None" || symbol == "-1")
        symbol = info.name() + "_" + std::to_string(axis);
      if (auto it = options.dims.find(symbol); it != options.dims.end()) {
        size = it->second;
        symbol.clear();
      }
    }
    if (fixed != options.shapes.end()) {
      if (fixed->second.size() != static_cast<size_t>(tensor.shape().dim_size()))
        throw ImportError("--shape gives '" + info.name() + "' " + std::to_string(fixed->second.size()) +
                          " sizes, but it has " + std::to_string(tensor.shape().dim_size()));
      int64_t wanted = fixed->second[axis];
      if (wanted >= 0) {
        if (!ShapedType::isDynamic(size) && size != wanted)
          throw ImportError("--shape gives axis " + std::to_string(axis) + " of '" + info.name() + "' the size " +
                            std::to_string(wanted) + ", but the model says " + std::to_string(size));
        size = wanted;
        symbol.clear();
      }
    }
    sizes.push_back(size);
    symbols.push_back(symbol);
    ++axis;
  }
  return RankedTensorType::get(sizes, element);
}

void GraphImporter::importNodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
                                const std::set<std::string> &outputs, OpBuilder &b) {
  std::set<std::string> needed = outputs;
  std::vector<bool> live(nodes.size());
  for (int i = nodes.size(); i-- > 0;) {
    for (const std::string &output : nodes[i].output())
      live[i] = live[i] || (!output.empty() && needed.count(output));
    if (live[i])
      collectReads(nodes[i], needed);
  }
  for (int i = 0; i < nodes.size(); ++i)
    if (live[i])
      importNode(nodes[i], b);
}

void GraphImporter::importNode(const onnx::NodeProto &node, OpBuilder &b) {
  if (++numNodes > kMaxNodes)
    throw ImportError("the model has more than " + std::to_string(kMaxNodes) +
                      " nodes when its functions are expanded");
  std::string op = operatorName(node), domain = normalized(node.domain());
  auto version = opsets.find(domain);
  int64_t opset = version == opsets.end() ? 0 : version->second;
  auto report = [&](const ImportError &error) {
    problems.push_back({nodeName(node), op, opset, error.attribute, error.what(), error.wayOut, error.unsupported});
  };
  Values results;
  try {
    const onnx::FunctionProto *function = nullptr;
    for (const auto &candidate : model.functions())
      if (normalized(candidate.domain()) == domain && candidate.name() == node.op_type() &&
          candidate.overload() == node.overload())
        function = &candidate;
    const Registry &registry = Registry::get();
    ImportFunction importer = function ? nullptr : registry.find(op, opset);
    if (!function && !importer) {
      if (version == opsets.end())
        throw ImportError("unknown domain '" + node.domain() + "': the model imports no operator set for it");
      if (std::optional<int64_t> oldest = registry.oldest(op))
        throw ImportError("unsupported operator " + op + " of opset " + std::to_string(opset) + "; versions from " +
                              std::to_string(*oldest) + " on are",
                          "convert the model to a newer opset", true);
      throw ImportError("unsupported operator " + op, "", true);
    }
    std::string name = nodeName(node);
    NodeImporter importing(*this, node, opset, b, NameLoc::get(b.getStringAttr(name)));
    if (function) {
      results = callFunction(importing, *function, b);
    } else {
      results = importer(importing);
      importing.checkAttributes();
    }
    for (int i = 0; i < node.output_size(); ++i) {
      if (!node.output(i).empty() && (static_cast<size_t>(i) >= results.size() || !results[i]))
        throw ImportError("output " + std::to_string(i) + " ('" + node.output(i) + "') is not supported", "", true);
      if (!node.output(i).empty())
        define(node.output(i), results[i]);
    }
    return;
  } catch (const ImportError &error) {
    report(error);
  } catch (const AlreadyReported &) {
  }
  for (const std::string &output : node.output())
    if (!output.empty())
      scopes.back()[output] = Value();
}

Values GraphImporter::callFunction(NodeImporter &caller, const onnx::FunctionProto &function, OpBuilder &b) {
  if (llvm::is_contained(activeFunctions, &function))
    caller.fail("the function " + function.name() + " calls itself");
  if (calls.size() >= kMaxDepth)
    caller.fail("functions are nested too deeply");
  Scope scope;
  for (int i = 0; i < function.input_size(); ++i)
    if (caller.hasInput(i))
      scope[function.input(i)] = caller.input(i);
  std::vector<Scope> outer = std::exchange(scopes, {std::move(scope)});
  std::map<std::string, int64_t> outerOpsets = opsets, inside;
  // Names inside have nothing to do with those outside, but for the outputs.
  for (int i = 0; i < function.output_size() && i < caller.node.output_size(); ++i)
    if (std::optional<int64_t> rank = declaredRank(caller.node.output(i)))
      inside[function.output(i)] = *rank;
  std::map<std::string, int64_t> outerRanks = std::exchange(ranks, std::move(inside));
  for (const auto &import : function.opset_import())
    opsets[normalized(import.domain())] = import.version();
  calls.push_back(&caller.node);
  activeFunctions.push_back(&function);
  auto restore = llvm::make_scope_exit([&] {
    scopes = std::move(outer);
    opsets = std::move(outerOpsets);
    ranks = std::move(outerRanks);
    calls.pop_back();
    activeFunctions.pop_back();
  });
  // An input that the caller leaves out reads as an empty name inside.
  onnx::FunctionProto body;
  const auto *nodes = &function.node();
  for (const std::string &name : function.input())
    if (!scopes.back().count(name)) {
      if (nodes == &function.node()) {
        body = function;
        nodes = &body.node();
      }
      for (auto &node : *body.mutable_node())
        for (auto &input : *node.mutable_input())
          if (input == name)
            input.clear();
    }
  size_t before = problems.size();
  importNodes(*nodes, {function.output().begin(), function.output().end()}, b);
  if (problems.size() != before)
    throw AlreadyReported{};
  Values results;
  for (const std::string &name : function.output())
    results.push_back(lookup(name));
  return results;
}

Values GraphImporter::importSubgraph(const onnx::GraphProto &graph, OpBuilder &b, ValueRange inputs) {
  if (static_cast<size_t>(graph.input_size()) != inputs.size())
    throw ImportError("expected a subgraph of " + std::to_string(inputs.size()) + " inputs, but got " +
                      std::to_string(graph.input_size()));
  if (++depth > kMaxDepth)
    throw ImportError("subgraphs are nested too deeply");
  scopes.emplace_back();
  auto restore = llvm::make_scope_exit([&] {
    scopes.pop_back();
    --depth;
  });
  for (auto [info, value] : llvm::zip(graph.input(), inputs))
    define(info.name(), value);
  size_t before = problems.size();
  declare(graph);
  importInitializers(graph, b);
  std::set<std::string> outputs;
  for (const auto &output : graph.output())
    outputs.insert(output.name());
  importNodes(graph.node(), outputs, b);
  if (problems.size() != before)
    throw AlreadyReported{};
  Values results;
  for (const auto &output : graph.output())
    results.push_back(lookup(output.name()));
  return results;
}

std::string GraphImporter::metadata() const {
  nlohmann::json json;
  json["format"] = "onnx";
  json["ir_version"] = model.ir_version();
  json["producer"] = model.producer_name();
  json["producer_version"] = model.producer_version();
  json["graph"] = model.graph().name();
  for (const auto &import : model.opset_import())
    json["opset"][import.domain().empty() ? "ai.onnx" : import.domain()] = import.version();
  json["properties"] = nlohmann::json::object();
  for (const auto &property : model.metadata_props())
    json["properties"][property.key()] = property.value();
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

OwningOpRef<ModuleOp> GraphImporter::run() {
  const onnx::GraphProto &graph = model.graph();
  Builder attributes(&context);
  OwningOpRef<ModuleOp> owner(ModuleOp::create(NameLoc::get(attributes.getStringAttr(graph.name()))));
  module = *owner;
  module->setAttr("mlc.metadata", attributes.getStringAttr(metadata()));
  auto whole = [&](const std::string &reason, const std::string &wayOut = "", bool unsupported = false) {
    problems.push_back({"", "", 0, "", reason, wayOut, unsupported});
  };
  if (auto version = opsets.find("");
      version != opsets.end() && (version->second < kOldestOpset || version->second > kNewestOpset))
    whole("unsupported opset " + std::to_string(version->second) + "; " + std::to_string(kOldestOpset) + " to " +
              std::to_string(kNewestOpset) + " are",
          "convert the model with onnx.version_converter", true);

  scopes.emplace_back();
  declare(graph);
  std::set<std::string> initialized;
  for (const auto &tensor : graph.initializer())
    initialized.insert(tensor.name());
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> inputAttributes;
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const auto &info : graph.input()) {
    if (initialized.count(info.name()))
      continue; // a weight that is listed as an input, as IR versions below 4 demand
    try {
      if (info.name().empty())
        throw ImportError("an input has no name");
      if (!known.insert(info.name()).second)
        throw ImportError("the input '" + info.name() + "' is defined twice");
      std::vector<std::string> symbols;
      types.push_back(inputType(info, symbols));
      SmallVector<Attribute> symbolNames;
      for (const std::string &symbol : symbols)
        symbolNames.push_back(attributes.getStringAttr(symbol));
      inputAttributes.push_back(
          attributes.getDictionaryAttr({attributes.getNamedAttr("mlc.name", attributes.getStringAttr(info.name())),
                                        attributes.getNamedAttr("mlc.symbols", attributes.getArrayAttr(symbolNames))}));
      names.push_back(info.name());
    } catch (const ImportError &error) {
      problems.push_back({info.name(), "input", 0, "", error.what(), error.wayOut, error.unsupported});
      scopes.back()[info.name()] = Value();
    }
  }
  for (const auto &[name, sizes] : options.shapes)
    if (!known.count(name))
      whole("--shape names '" + name + "', which is not an input of the model");

  OpBuilder top = OpBuilder::atBlockEnd(module.getBody());
  auto entry = func::FuncOp::create(top, module.getLoc(), options.name, top.getFunctionType(types, {}));
  Block *body = entry.addEntryBlock();
  OpBuilder b = OpBuilder::atBlockEnd(body);
  for (auto [name, argument] : llvm::zip(names, body->getArguments())) {
    argument.setLoc(NameLoc::get(b.getStringAttr(name)));
    scopes.back()[name] = argument;
  }
  // Axes of one symbol have one size.
  std::map<std::string, Size> symbolSizes;
  for (BlockArgument argument : body->getArguments()) {
    Shape shape = graph::SizeBuilder(b, argument.getLoc()).shape(argument);
    auto symbols = cast<ArrayAttr>(inputAttributes[argument.getArgNumber()].get("mlc.symbols"));
    for (auto [axis, symbol] : llvm::enumerate(symbols.getAsRange<StringAttr>()))
      if (!symbol.empty())
        shape[axis] = symbolSizes.try_emplace(symbol.str(), shape[axis]).first->second;
    shapes[argument] = std::move(shape);
  }
  importInitializers(graph, b);
  std::set<std::string> outputs;
  for (const auto &output : graph.output())
    outputs.insert(output.name());
  if (outputs.empty())
    whole("the model has no outputs");
  importNodes(graph.node(), outputs, b);
  if (!problems.empty())
    return nullptr;

  SmallVector<Value> results;
  SmallVector<DictionaryAttr> resultAttributes;
  for (const auto &output : graph.output()) {
    try {
      Value value = lookup(output.name());
      auto type = cast<RankedTensorType>(value.getType());
      const auto &declared = output.type().tensor_type();
      if (declared.has_shape()) {
        bool agrees = declared.shape().dim_size() == type.getRank();
        SmallVector<int64_t> sizes(type.getShape());
        for (int64_t i = 0; agrees && i < type.getRank(); ++i)
          agrees = !declared.shape().dim(i).has_dim_value() || type.isDynamicDim(i) ||
                   declared.shape().dim(i).dim_value() == sizes[i];
        if (!agrees)
          emitWarning(value.getLoc()) << "the model declares another shape for output '" << output.name()
                                      << "' than the computed " << type;
      }
      if (declared.elem_type() && elementType(declared.elem_type()) != type.getElementType())
        emitWarning(value.getLoc()) << "the model declares another type for output '" << output.name()
                                    << "' than the computed " << type;
      results.push_back(value);
      resultAttributes.push_back(b.getDictionaryAttr(b.getNamedAttr("mlc.name", b.getStringAttr(output.name()))));
    } catch (const ImportError &error) {
      problems.push_back({output.name(), "output", 0, "", error.what(), error.wayOut, error.unsupported});
    } catch (const AlreadyReported &) {
    }
  }
  if (!problems.empty())
    return nullptr;
  func::ReturnOp::create(b, module.getLoc(), results);
  entry.setFunctionType(b.getFunctionType(types, llvm::to_vector(ValueRange(results).getTypes())));
  entry.setAllArgAttrs(inputAttributes);
  entry.setAllResultAttrs(resultAttributes);
  if (failed(verify(module))) {
    whole("a bug of mlc: the importer built an invalid module");
    return nullptr;
  }
  return owner;
}

} // namespace mlc::onnximport

mlir::OwningOpRef<mlir::ModuleOp> mlc::importOnnx(MLIRContext &context, StringRef path, const ImportOptions &options,
                                                  WeightStore &weights, std::vector<ImportProblem> &problems) {
  context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect,
                      scf::SCFDialect>();
  // Raw data are viewed where protobuf keeps them, so the model lives as long as the weights.
  auto model = std::make_shared<onnx::ModelProto>();
  weights.keepAlive(model);
  try {
    onnximport::readModel(path, *model);
    return onnximport::GraphImporter(context, *model, llvm::sys::path::parent_path(path).str(), options, weights,
                                     problems)
        .run();
  } catch (const onnximport::ImportError &error) {
    problems.push_back({"", "", 0, "", error.what(), error.wayOut, error.unsupported});
    return nullptr;
  }
}
