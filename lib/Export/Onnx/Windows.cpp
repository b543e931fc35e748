//===- Windows.cpp - pooling as ONNX nodes -----------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <functional>
#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

/// How a window moves.
struct Window final {
  template <typename Op>
  Window(Op op, RankedTensorType input, RankedTensorType result, size_t firstSpatial)
      : kernel(op.getKernel()), strides(op.getStrides()), dilations(op.getDilations()), pads(op.getPads()),
        ceilMode(op.getCeilMode()) {
    // Where rounding up makes no difference, it is not said: not all agree on windows that start in the padding.
    if (ceilMode)
      ceilMode = !llvm::all_of(llvm::seq<size_t>(0, kernel.size()), [&](size_t i) {
        int64_t y = result.getDimSize(firstSpatial + i), room = roomOf(i, input.getDimSize(firstSpatial + i));
        return !ShapedType::isDynamic(y) && !input.isDynamicDim(firstSpatial + i) && room >= 0 &&
               y == room / strides[i] + 1;
      });
  }
  /// How far a window can move.
  int64_t roomOf(size_t i, int64_t size) const {
    return size + pads[i] + pads[kernel.size() + i] - (kernel[i] - 1) * dilations[i] - 1;
  }
  NodeAttributes attributes() const {
    return {{"kernel_shape", kernel},
            {"strides", strides},
            {"pads", pads},
            {"dilations", dilations},
            {"ceil_mode", int64_t(ceilMode)}};
  }
  ArrayRef<int64_t> kernel, strides, dilations, pads;
  bool ceilMode;
};

/// The sum over windows: the mean over all of a window, zeros of the padding included, times the size of the window.
Name sumOfWindows(NodeExporter &e, const Window &window, Name input, Type compute) {
  int64_t count = std::accumulate(window.kernel.begin(), window.kernel.end(), int64_t(1), std::multiplies<>());
  NodeAttributes attributes = window.attributes();
  attributes.push_back({"count_include_pad", int64_t(1)});
  return e.emit("Mul", {e.emit("AveragePool", input, attributes), e.scalar(compute, static_cast<double>(count))});
}

void exportPool(NodeExporter &e, PoolOp op) {
  Type element = e.element(op.getInput());
  bool isMax = op.getKind() == PoolKind::max;
  // MaxPool takes bytes as they are.
  bool keeps = isMax && isByte(element);
  Type compute = keeps ? element : computeTypeOf(element);
  if (isa<IntegerType>(compute) && !keeps)
    return e.fail("ONNX pools floats, and finds the maximum of 8-bit integers alone");
  Window window(op, e.type(op.getInput()), e.type(op.getResult()), op.getChannelsLast() ? 1 : 2);
  if (op.getKind() == PoolKind::sum && window.ceilMode)
    return e.fail("ONNX has no sum of windows that reach over the padding, as ceil_mode lets them");
  Name input = e.in(op.getInput(), compute);
  int64_t rank = e.rank(op.getInput());
  if (op.getChannelsLast())
    input = e.moveChannels(input, rank, /*toEnd=*/false);
  Name result;
  if (op.getKind() == PoolKind::sum) {
    result = sumOfWindows(e, window, input, compute);
  } else {
    NodeAttributes attributes = window.attributes();
    if (!isMax)
      attributes.push_back({"count_include_pad", int64_t(op.getCountIncludePad())});
    result = e.emit(isMax ? "MaxPool" : "AveragePool", input, attributes);
  }
  if (op.getChannelsLast())
    result = e.moveChannels(result, rank, /*toEnd=*/true);
  e.finish(op.getResult(), result, compute);
}

void exportMaxPoolWithIndices(NodeExporter &e, MaxPoolWithIndicesOp op) {
  Type element = e.element(op.getInput());
  Type compute = isByte(element) ? element : computeTypeOf(element);
  if (isa<IntegerType>(compute) && !isByte(element))
    return e.fail("ONNX finds the maximum in windows of floats and 8-bit integers alone");
  NodeAttributes attributes = Window(op, e.type(op.getInput()), e.type(op.getResult()), 2).attributes();
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
