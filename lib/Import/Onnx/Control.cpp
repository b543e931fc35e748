//===- Control.cpp - Identity, Dropout at inference, If ----------------------------------------------------------===//
#include "lib/Import/Onnx/GraphImporter.h"
#include "lib/Import/Onnx/NodeImporter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mlc::onnximport {
namespace {

Values identity(NodeImporter &n) { return {n.input(0)}; }

/// At inference the input passes; the mask, where it is asked for, is all true.
Values dropout(NodeImporter &n) {
  n.ignoreAttr("seed");
  n.ignoreAttr("ratio");
  if (n.opset < 7 && !n.intAttr("is_test", 0))
    n.unsupported("unsupported Dropout in training mode", "export the model for inference", "is_test");
  Value input = n.input(0);
  if (n.opset >= 12 && n.hasInput(2)) {
    std::optional<Ints> training = n.knownInts(n.input(2));
    std::optional<double> ratio = n.hasInput(1) ? n.knownNumber(n.input(1)) : std::optional<double>(0.5);
    if (!(ratio && *ratio == 0) && (!training || (*training)[0]))
      n.unsupported("unsupported Dropout in training mode", "export the model for inference", "training_mode");
  }
  Values results{input};
  if (n.hasOutput(1)) {
    Type type = n.opset >= 10 ? Type(n.b.getI1Type()) : n.element(input);
    results.push_back(n.expand(n.scalar(type, 1), n.shape(input)));
  }
  return results;
}

/// The type that holds values of both: sizes that differ are dynamic.
RankedTensorType commonType(NodeImporter &n, Value x, Value y) {
  RankedTensorType lhs = n.type(x), rhs = n.type(y);
  if (lhs.getElementType() != rhs.getElementType() || lhs.getRank() != rhs.getRank())
    n.unsupported("the branches give values of different rank or type");
  SmallVector<int64_t> sizes;
  for (auto [a, b] : llvm::zip(lhs.getShape(), rhs.getShape()))
    sizes.push_back(a == b ? a : ShapedType::kDynamic);
  return RankedTensorType::get(sizes, lhs.getElementType());
}

Values importIf(NodeImporter &n) {
  Value condition = n.asScalar(n.input(0));
  const onnx::GraphProto &thenGraph = n.graphAttr("then_branch"), &elseGraph = n.graphAttr("else_branch");
  if (std::optional<Ints> known = n.knownInts(condition))
    return n.graph.importSubgraph((*known)[0] ? thenGraph : elseGraph, n.b);
  Value flag = tensor::ExtractOp::create(n.b, n.loc, condition, ValueRange{});
  auto probe = scf::IfOp::create(n.b, n.loc, TypeRange{}, flag, /*withElseRegion=*/true);
  auto import = [&](Block *block, const onnx::GraphProto &graph) {
    OpBuilder builder = OpBuilder::atBlockBegin(block);
    return n.graph.importSubgraph(graph, builder);
  };
  Values thenValues = import(probe.thenBlock(), thenGraph), elseValues = import(probe.elseBlock(), elseGraph);
  n.require(thenValues.size() == elseValues.size(), "the branches give different numbers of values");
  SmallVector<Type> types;
  for (auto [x, y] : llvm::zip(thenValues, elseValues))
    types.push_back(commonType(n, x, y));
  auto result = scf::IfOp::create(n.b, n.loc, types, flag, /*withElseRegion=*/true);
  auto finish = [&](Block *from, Block *to, ValueRange values) {
    if (!from->empty() && from->back().hasTrait<OpTrait::IsTerminator>())
      from->back().erase();
    to->getOperations().splice(to->end(), from->getOperations());
    OpBuilder builder = OpBuilder::atBlockEnd(to);
    SmallVector<Value> yielded;
    for (auto [value, type] : llvm::zip(values, types))
      yielded.push_back(value.getType() == type ? value : Value(tensor::CastOp::create(builder, n.loc, type, value)));
    scf::YieldOp::create(builder, n.loc, yielded);
  };
  finish(probe.thenBlock(), result.thenBlock(), thenValues);
  finish(probe.elseBlock(), result.elseBlock(), elseValues);
  probe.erase();
  return Values(result.getResults());
}

} // namespace

void registerControl(Registry &r) {
  r.add("Identity", 1, identity);
  r.add("Dropout", 6, dropout);
  r.add("If", 1, importIf);
}

} // namespace mlc::onnximport
