//===- Describe.cpp - the signature of a module ------------------------------------------------------------------===//
#include "lib/Driver/Describe.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mlc {

namespace {

mlc_dtype dtypeOf(Type element) {
  if (element.isF32())
    return MLC_F32;
  if (element.isF64())
    return MLC_F64;
  if (element.isF16())
    return MLC_F16;
  if (element.isBF16())
    return MLC_BF16;
  unsigned width = element.getIntOrFloatBitWidth();
  bool isUnsigned = element.isUnsignedInteger();
  switch (width) {
  case 1:
    return MLC_BOOL;
  case 8:
    return isUnsigned ? MLC_U8 : MLC_I8;
  case 16:
    return isUnsigned ? MLC_U16 : MLC_I16;
  case 32:
    return isUnsigned ? MLC_U32 : MLC_I32;
  default:
    return isUnsigned ? MLC_U64 : MLC_I64;
  }
}

} // namespace

TensorSignature describeTensor(Type type, StringRef name) {
  auto tensor = cast<RankedTensorType>(type);
  TensorSignature result{name.str(), dtypeOf(tensor.getElementType()), {}, {}};
  for (int64_t size : tensor.getShape()) {
    result.sizes.push_back(ShapedType::isDynamic(size) ? MLC_DYNAMIC_SIZE : size);
    result.symbols.push_back(-1);
  }
  return result;
}

namespace {

/// An axis of an argument, or nothing.
using Origin = std::optional<std::pair<unsigned, int64_t>>;

Origin originOfAxis(Value value, int64_t axis, unsigned depth = 0);

/// Where an index value comes from, if it is a size of an argument.
Origin originOfSize(OpFoldResult size, unsigned depth) {
  auto value = dyn_cast<Value>(size);
  if (!value)
    return std::nullopt;
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (std::optional<int64_t> axis = dim.getConstantIndex())
      return originOfAxis(dim.getSource(), *axis, depth + 1);
  return std::nullopt;
}

Origin originOfAxis(Value value, int64_t axis, unsigned depth) {
  if (depth > 10000)
    return std::nullopt;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (isa<func::FuncOp>(argument.getOwner()->getParentOp()))
      return std::pair(argument.getArgNumber(), axis);
    if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()))
      if (OpOperand *init = loop.getTiedLoopInit(argument))
        return originOfAxis(init->get(), axis, depth + 1);
    return std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  auto dynamicSize = [&](ValueRange sizes, RankedTensorType type) -> Origin {
    if (!type.isDynamicDim(axis))
      return std::nullopt;
    return originOfSize(sizes[type.getDynamicDimIndex(axis)], depth);
  };
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return dynamicSize(empty.getDynamicSizes(), empty.getType());
  if (auto structured = dyn_cast<DestinationStyleOpInterface>(op))
    return originOfAxis(structured.getDpsInitOperand(cast<OpResult>(value).getResultNumber())->get(), axis, depth + 1);
  if (auto extract = dyn_cast<tensor::ExtractSliceOp>(op);
      extract && extract.getSourceType().getRank() == extract.getType().getRank())
    return originOfSize(extract.getMixedSizes()[axis], depth);
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return originOfAxis(cast.getSource(), axis, depth + 1);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return originOfAxis(insert.getDest(), axis, depth + 1);
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return originOfAxis(insert.getDest(), axis, depth + 1);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return originOfAxis(loop.getInitArgs()[cast<OpResult>(value).getResultNumber()], axis, depth + 1);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return originOfSize(expand.getMixedOutputShape()[axis], depth);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // The one axis of the group that is not 1.
    std::optional<int64_t> source;
    SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
    for (int64_t candidate : groups[axis]) {
      if (collapse.getSrcType().getDimSize(candidate) == 1)
        continue;
      if (source)
        return std::nullopt;
      source = candidate;
    }
    return source ? originOfAxis(collapse.getSrc(), *source, depth + 1) : std::nullopt;
  }
  return std::nullopt;
}

} // namespace

func::FuncOp findEntry(ModuleOp module) {
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    if (entry)
      return nullptr;
    entry = function;
  }
  return entry;
}

ModelSignature describeGraph(func::FuncOp entry, ModuleOp module) {
  ModelSignature signature;
  signature.name = entry.getName().str();
  if (auto metadata = module->getAttrOfType<StringAttr>("mlc.metadata"))
    signature.metadata = metadata.getValue().str();
  std::map<std::string, int32_t> symbols;
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    auto name = entry.getArgAttrOfType<StringAttr>(i, "mlc.name");
    std::string text = name ? name.getValue().str() : "input" + std::to_string(i);
    TensorSignature tensor = describeTensor(entry.getArgument(i).getType(), text);
    auto names = entry.getArgAttrOfType<ArrayAttr>(i, "mlc.symbols");
    for (size_t axis = 0; axis < tensor.sizes.size(); ++axis) {
      if (tensor.sizes[axis] != MLC_DYNAMIC_SIZE)
        continue;
      std::string symbol = names && axis < names.size() ? cast<StringAttr>(names[axis]).getValue().str() : "";
      if (symbol.empty())
        symbol = text + "_" + std::to_string(axis);
      auto [it, isNew] = symbols.try_emplace(symbol, signature.symbols.size());
      if (isNew)
        signature.symbols.push_back(symbol);
      tensor.symbols[axis] = it->second;
    }
    signature.inputs.push_back(std::move(tensor));
  }
  for (auto [i, type] : llvm::enumerate(entry.getResultTypes())) {
    auto name = entry.getResultAttrOfType<StringAttr>(i, "mlc.name");
    signature.outputs.push_back(describeTensor(type, name ? name.getValue().str() : "output" + std::to_string(i)));
  }
  return signature;
}

void describeResultSymbols(func::FuncOp entry, ModelSignature &signature) {
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto [i, result] : llvm::enumerate(terminator->getOperands())) {
    TensorSignature &output = signature.outputs[i];
    auto type = cast<RankedTensorType>(result.getType());
    for (int64_t axis = 0; axis < type.getRank(); ++axis) {
      if (!type.isDynamicDim(axis)) {
        output.sizes[axis] = type.getDimSize(axis); // folding may know more than the importer did
        continue;
      }
      if (Origin origin = originOfAxis(result, axis))
        output.symbols[axis] = signature.inputs[origin->first].symbols[origin->second];
    }
  }
}

std::vector<NodeSignature> describeNodes(func::FuncOp entry) {
  std::vector<NodeSignature> nodes;
  if (auto table = entry->getAttrOfType<ArrayAttr>("rt.nodes"))
    for (auto node : table.getAsRange<DictionaryAttr>())
      nodes.push_back({node.getAs<StringAttr>("name").str(), node.getAs<StringAttr>("kind").str(),
                       static_cast<uint64_t>(node.getAs<IntegerAttr>("flops").getInt()),
                       static_cast<uint64_t>(node.getAs<IntegerAttr>("bytes").getInt())});
  return nodes;
}

} // namespace mlc
