//===- Reductions.cpp - reductions, normalizations, scans and sorting as ONNX nodes ------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

StringRef operatorOf(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::sum:
    return "ReduceSum";
  case ReduceKind::prod:
    return "ReduceProd";
  case ReduceKind::max:
    return "ReduceMax";
  case ReduceKind::min:
    return "ReduceMin";
  }
  llvm_unreachable("a kind of reduction");
}

/// The type that is reduced in: sums wrap, so that the sign does not matter.
Type reducedTypeOf(NodeExporter &e, Type element, ReduceKind kind) {
  bool isSum = kind == ReduceKind::sum || kind == ReduceKind::prod;
  return isSum && element.isUnsignedInteger(64) ? e.signless(64) : computeTypeOf(element);
}

/// Names the result of a reduction. A boolean that was reduced as a number is true above 0: the maximum of nothing is
/// the lowest number, and false.
void finishReduction(NodeExporter &e, Value result, Name name, Type compute) {
  if (e.element(result).isInteger(1))
    return e.bind(result, e.emit("Greater", {name, e.scalar(compute, 0)}));
  e.finish(result, name, compute);
}

void exportReduce(NodeExporter &e, ReduceOp op) {
  if (op.getAxes().empty())
    return e.bind(op.getResult(), e.name(op.getInput()));
  Type compute = reducedTypeOf(e, e.element(op.getInput()), op.getKind());
  Name result = e.emit(operatorOf(op.getKind()), {e.in(op.getInput(), compute), e.ints(op.getAxes())},
                       {{"keepdims", int64_t(op.getKeepDims())}});
  finishReduction(e, op.getResult(), result, compute);
}

/// One axis after the other, each where the mask says so: a list of the axes would have a length that depends on data,
/// which few engines take.
void exportReduceByMask(NodeExporter &e, ReduceByMaskOp op) {
  Type compute = reducedTypeOf(e, e.element(op.getInput()), op.getKind());
  Name value = e.in(op.getInput(), compute), mask = e.name(op.getMask());
  int64_t rank = e.rank(op.getInput());
  auto type = RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic), compute);
  for (int64_t axis = 0; axis < rank; ++axis) {
    Name isReduced = e.emit("Gather", {mask, e.ints(axis)}, {{"axis", int64_t(0)}});
    onnx::GraphProto reduced = e.graph.subgraph([&] {
      Name result = e.emit(operatorOf(op.getKind()), {value, e.ints(axis)}, {{"keepdims", int64_t(1)}});
      return GraphOutputs{{result, type}};
    });
    onnx::GraphProto kept = e.graph.subgraph([&] { return GraphOutputs{{e.emit("Identity", value), type}}; });
    value = e.emit("If", isReduced, {{"then_branch", reduced}, {"else_branch", kept}});
  }
  finishReduction(e, op.getResult(), value, compute);
}

void exportArgReduce(NodeExporter &e, ArgReduceOp op) {
  Type compute = computeTypeOf(e.element(op.getInput()));
  Name result = e.emit(op.getKind() == ReduceKind::max ? "ArgMax" : "ArgMin", e.in(op.getInput(), compute),
                       {{"axis", int64_t(op.getAxis())},
                        {"keepdims", int64_t(op.getKeepDims())},
                        {"select_last_index", int64_t(op.getLast())}});
  e.bind(op.getResult(), result);
}

/// A LayerNormalization with a scale of ones; x / sqrt(mean(x²) + epsilon) as it is written, as the operator for it is
/// younger.
void exportNormalize(NodeExporter &e, NormalizeOp op) {
  Type element = e.element(op.getInput());
  int64_t axis = op.getAxis(), rank = e.rank(op.getInput());
  double epsilon = op.getEpsilon().convertToDouble();
  if (!op.getUncentered()) {
    Type compute = computeTypeOf(element);
    Name input = e.in(op.getInput(), compute), shape;
    ArrayRef<int64_t> trailing = e.type(op.getInput()).getShape().drop_front(axis);
    shape = ShapedType::isDynamicShape(trailing) ? e.shapeOf(input, axis) : e.ints(trailing);
    onnx::TensorProto one;
    one.set_data_type(dataTypeOf(compute));
    one.add_dims(1);
    if (compute.isF64())
      one.add_double_data(1);
    else if (compute.isF32())
      one.add_float_data(1);
    else
      one.add_int32_data(0x3c00); // of f16
    Name ones = e.emit("ConstantOfShape", shape, {{"value", one}});
    Name result = e.emit("LayerNormalization", {input, ones}, {{"axis", axis}, {"epsilon", epsilon}});
    return e.finish(op.getResult(), result, compute);
  }
  Type compute = element.isF64() ? element : e.f32();
  Name input = e.in(op.getInput(), compute);
  SmallVector<int64_t> axes;
  for (int64_t i = axis; i < rank; ++i)
    axes.push_back(i);
  Name mean = e.emit("ReduceMean", {e.emit("Mul", {input, input}), e.ints(axes)}, {{"keepdims", int64_t(1)}});
  Name root = e.emit("Sqrt", e.emit("Add", {mean, e.scalar(compute, epsilon)}));
  e.finish(op.getResult(), e.emit("Div", {input, root}), compute);
}

void exportBatchNorm(NodeExporter &e, BatchNormOp op) {
  Type compute = computeTypeOf(e.element(op.getInput()));
  SmallVector<Name> inputs =
      llvm::map_to_vector(op->getOperands(), [&](Value operand) { return e.in(operand, compute); });
  Name result = e.emit("BatchNormalization", inputs, {{"epsilon", op.getEpsilon().convertToDouble()}});
  e.finish(op.getResult(), result, compute);
}

/// A cumulative product has no operator yet: element i is the product over j of x[j] where j counts for i, else 1.
Name cumulateProduct(NodeExporter &e, CumulateOp op, Type compute, Name input) {
  Type i64 = e.signless(64);
  int64_t axis = op.getAxis(), rank = e.rank(op.getInput());
  Name size = e.shapeOf(input, axis, axis + 1);
  Name places = e.emit("Range", {e.scalar(i64, 0), e.reshape(size, {}), e.scalar(i64, 1)});
  SmallVector<int64_t> columns(rank - axis, 1), rows(rank - axis + 1, 1);
  columns[0] = rows[0] = -1;
  Name j = e.reshape(places, columns), i = e.reshape(places, rows);
  StringRef counts = op.getExclusive() ? "Less" : "LessOrEqual";
  Name mask = op.getReverse() ? e.emit(counts, {i, j}) : e.emit(counts, {j, i});
  Name spread = e.emit("Unsqueeze", {input, e.ints(axis)});
  Name counted = e.emit("Where", {mask, spread, e.scalar(compute, 1)});
  return e.emit("ReduceProd", {counted, e.ints(axis + 1)}, {{"keepdims", int64_t(0)}});
}

void exportCumulate(NodeExporter &e, CumulateOp op) {
  Type compute = reducedTypeOf(e, e.element(op.getInput()), op.getKind());
  Name input = e.in(op.getInput(), compute), result;
  if (op.getKind() == ReduceKind::prod)
    result = cumulateProduct(e, op, compute, input);
  else
    result = e.emit("CumSum", {input, e.scalar(e.signless(64), static_cast<double>(op.getAxis()))},
                    {{"exclusive", int64_t(op.getExclusive())}, {"reverse", int64_t(op.getReverse())}});
  e.finish(op.getResult(), result, compute);
}

void exportTopK(NodeExporter &e, TopKOp op) {
  Type compute = computeTypeOf(e.element(op.getInput()));
  OpFoldResult k =
      op.getK().empty() ? OpFoldResult(Builder(op).getIndexAttr(op.getStaticK()[0])) : OpFoldResult(op.getK()[0]);
  Names results =
      e.emitAll("TopK", {e.in(op.getInput(), compute), e.size(k)},
                {{"axis", int64_t(op.getAxis())}, {"largest", int64_t(!op.getSmallest())}, {"sorted", int64_t(1)}}, 2);
  e.finish(op.getValues(), results[0], compute);
  e.bind(op.getIndices(), results[1]);
}

} // namespace

bool exportReduction(NodeExporter &e) {
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](ReduceOp op) { return exportReduce(e, op), true; })
      .Case([&](ReduceByMaskOp op) { return exportReduceByMask(e, op), true; })
      .Case([&](ArgReduceOp op) { return exportArgReduce(e, op), true; })
      .Case([&](SoftmaxOp op) {
        Type compute = computeTypeOf(e.element(op.getInput()));
        Name result = e.emit(op.getLog() ? "LogSoftmax" : "Softmax", e.in(op.getInput(), compute),
                             {{"axis", int64_t(op.getAxis())}});
        return e.finish(op.getResult(), result, compute), true;
      })
      .Case([&](NormalizeOp op) { return exportNormalize(e, op), true; })
      .Case([&](BatchNormOp op) { return exportBatchNorm(e, op), true; })
      .Case([&](CumulateOp op) { return exportCumulate(e, op), true; })
      .Case([&](TopKOp op) { return exportTopK(e, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
