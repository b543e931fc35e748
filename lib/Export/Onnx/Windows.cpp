//===- Windows.cpp - pooling as ONNX nodes -----------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <functional>
#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

template <typename Op> NodeAttributes windowOf(Op op) {
  return {{"kernel_shape", op.getKernel()},
          {"strides", op.getStrides()},
          {"pads", op.getPads()},
          {"dilations", op.getDilations()},
          {"ceil_mode", int64_t(op.getCeilMode())}};
}

/// The sum over windows: the mean over all of a window, zeros of the padding included, times the size of the window.
Name sumOfWindows(NodeExporter &e, PoolOp op, Name input, Type compute) {
  int64_t count = std::accumulate(op.getKernel().begin(), op.getKernel().end(), int64_t(1), std::multiplies<>());
  NodeAttributes attributes = windowOf(op);
  attributes.push_back({"count_include_pad", int64_t(1)});
  return e.emit("Mul", {e.emit("AveragePool", input, attributes), e.scalar(compute, static_cast<double>(count))});
}

void exportPool(NodeExporter &e, PoolOp op) {
  Type element = e.element(op.getInput());
  bool isMax = op.getKind() == PoolKind::max;
  // MaxPool takes bytes as they are.
  bool keeps = isMax && isa<IntegerType>(element) && element.getIntOrFloatBitWidth() == 8;
  Type compute = keeps ? element : computeTypeOf(element);
  if (isa<IntegerType>(compute) && !keeps)
    return e.fail("ONNX pools floats, and finds the maximum of 8-bit integers alone");
  if (op.getKind() == PoolKind::sum && op.getCeilMode())
    return e.fail("ONNX has no sum of windows that reach over the padding, as ceil_mode lets them");
  Name input = e.in(op.getInput(), compute);
  int64_t rank = e.rank(op.getInput());
  SmallVector<int64_t> first(rank), back(rank);
  std::iota(first.begin(), first.end(), 0);
  std::iota(back.begin(), back.end(), 0);
  std::rotate(first.begin() + 1, first.end() - 1, first.end());
  std::rotate(back.begin() + 1, back.begin() + 2, back.end());
  if (op.getChannelsLast())
    input = e.transpose(input, first);
  Name result;
  if (op.getKind() == PoolKind::sum) {
    result = sumOfWindows(e, op, input, compute);
  } else {
    NodeAttributes attributes = windowOf(op);
    if (!isMax)
      attributes.push_back({"count_include_pad", int64_t(op.getCountIncludePad())});
    result = e.emit(isMax ? "MaxPool" : "AveragePool", input, attributes);
  }
  if (op.getChannelsLast())
    result = e.transpose(result, back);
  e.finish(op.getResult(), result, compute);
}

void exportMaxPoolWithIndices(NodeExporter &e, MaxPoolWithIndicesOp op) {
  Type element = e.element(op.getInput());
  bool isBytes = isa<IntegerType>(element) && element.getIntOrFloatBitWidth() == 8;
  Type compute = isBytes ? element : computeTypeOf(element);
  if (isa<IntegerType>(compute) && !isBytes)
    return e.fail("ONNX finds the maximum in windows of floats and 8-bit integers alone");
  NodeAttributes attributes = windowOf(op);
  attributes.push_back({"storage_order", int64_t(op.getColumnMajor())});
  Names results = e.emitAll("MaxPool", e.in(op.getInput(), compute), attributes, 2);
  e.finish(op.getResult(), results[0], compute);
  e.bind(op.getIndices(), results[1]);
}

} // namespace

bool exportWindow(NodeExporter &e) {
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](PoolOp op) { return exportPool(e, op), true; })
      .Case([&](MaxPoolWithIndicesOp op) { return exportMaxPoolWithIndices(e, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
