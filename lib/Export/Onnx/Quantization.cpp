//===- Quantization.cpp - quantize and dequantize as ONNX nodes --------------------------------------------------===//
//
// With one scale, or one an index of an axis, they are QuantizeLinear and DequantizeLinear, which engines look for. A
// division by the scale in front is part of the quantization. Whatever else broadcasts is computed as it is written.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

/// How a scale or zero point is spread over a tensor.
struct Granularity final {
  bool fits = false;
  /// The axis that it has one number an index of; none: one for all.
  std::optional<int64_t> axis;
};

Granularity granularityOf(Value value, int64_t rank) {
  auto type = llvm::cast<RankedTensorType>(value.getType());
  if (!type.hasStaticShape() || type.getRank() > rank)
    return {};
  Granularity result{true, std::nullopt};
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    if (size == 1)
      continue;
    if (result.axis)
      return {};
    result.axis = static_cast<int64_t>(i) + rank - type.getRank();
  }
  return result;
}

/// What a quantization with one scale for each channel, or one for all, needs of its two parameters.
std::optional<Granularity> commonGranularity(Value scale, Value zeroPoint, int64_t rank) {
  Granularity scales = granularityOf(scale, rank), zeros = granularityOf(zeroPoint, rank);
  if (!scales.fits || !zeros.fits || (zeros.axis && zeros.axis != scales.axis))
    return std::nullopt;
  if (zeros.axis) { // one of size 1 at the axis is broadcast by the other only
    auto a = llvm::cast<RankedTensorType>(scale.getType()), b = llvm::cast<RankedTensorType>(zeroPoint.getType());
    if (a.getNumElements() != b.getNumElements())
      return std::nullopt;
  }
  return scales;
}

bool isZero(Value value) {
  std::optional<SmallVector<int64_t>> known = getConstantInts(value);
  return known && llvm::all_of(*known, [](int64_t number) { return number == 0; });
}

/// A parameter as the operators want it: of rank 0, or a list of `count`.
Name aligned(NodeExporter &e, Value value, Granularity granularity, int64_t count) {
  auto type = llvm::cast<RankedTensorType>(value.getType());
  if (!granularity.axis)
    return type.getRank() == 0 ? e.name(value) : e.reshape(e.name(value), {});
  if (type.getRank() == 1 && type.getDimSize(0) == count)
    return e.name(value);
  if (type.getNumElements() == 1)
    return e.emit("Expand", {e.reshape(e.name(value), 1), e.ints(count)});
  // [C] -> [C, 1, 1] was the importer's: back to the list.
  if (auto reshape = value.getDefiningOp<ReshapeOp>(); reshape && e.rank(reshape.getInput()) == 1)
    return e.name(reshape.getInput());
  return e.reshape(e.name(value), count);
}

/// Whether the operators have this type of floats.
bool hasScaleType(Type element) { return element.isF32() || element.isF16(); }

/// The scale and the number that is scaled, where the input of a quantization is their quotient.
DivOp scaleOf(QuantizeOp op) {
  auto div = op.getInput().getDefiningOp<DivOp>();
  if (!div || !div->hasOneUse() || !hasScaleType(getElementTypeOrSelf(div.getType())) ||
      div.getLhs().getType() != op.getInput().getType())
    return nullptr;
  int64_t rank = llvm::cast<RankedTensorType>(div.getType()).getRank();
  return commonGranularity(div.getRhs(), op.getZeroPoint(), rank) ? div : DivOp();
}

void exportQuantize(NodeExporter &e, QuantizeOp op) {
  Value input = op.getInput(), zero = op.getZeroPoint();
  Type element = e.element(zero), from = e.element(input);
  int64_t rank = e.rank(input);
  if (DivOp div = scaleOf(op)) {
    Granularity granularity = *commonGranularity(div.getRhs(), zero, rank);
    int64_t count = e.type(div.getRhs()).getNumElements();
    NodeAttributes attributes;
    if (granularity.axis)
      attributes.push_back({"axis", *granularity.axis});
    e.bind(op.getResult(), e.emit("QuantizeLinear",
                                  {e.name(div.getLhs()), aligned(e, div.getRhs(), granularity, count),
                                   aligned(e, zero, granularity, count)},
                                  attributes));
    return;
  }
  Granularity zeros = granularityOf(zero, rank);
  if (hasScaleType(from) && zeros.fits && !zeros.axis) {
    e.bind(op.getResult(), e.emit("QuantizeLinear", {e.name(input), e.scalar(from, 1), aligned(e, zero, zeros, 1)}));
    return;
  }
  // saturate(round(x) + zero point)
  Type compute = from.isF64() ? from : e.f32();
  Name shifted = e.emit("Add", {e.emit("Round", e.in(input, compute)), e.in(zero, compute)});
  unsigned width = element.getIntOrFloatBitWidth();
  bool isUnsigned = element.isUnsignedInteger();
  double low = isUnsigned ? 0 : -std::ldexp(1.0, width - 1), high = std::ldexp(1.0, isUnsigned ? width : width - 1) - 1;
  Name clipped = e.emit("Clip", {shifted, e.scalar(compute, low), e.scalar(compute, high)});
  e.bind(op.getResult(), e.cast(e.cast(clipped, compute, e.signless(32)), e.signless(32), element));
}

void exportDequantize(NodeExporter &e, DequantizeOp op) {
  Value input = op.getInput(), scale = op.getScale(), zero = op.getZeroPoint();
  Type result = e.element(scale), i32 = e.signless(32);
  std::optional<Granularity> granularity = commonGranularity(scale, zero, e.rank(input));
  bool isWide = e.element(input).isInteger(32); // which have no zero point
  if (granularity && hasScaleType(result) && (!isWide || isZero(zero)) &&
      e.type(op.getResult()).getRank() == e.rank(input)) {
    int64_t count = e.type(scale).getNumElements();
    SmallVector<Name> inputs{e.name(input), aligned(e, scale, *granularity, count)};
    if (!isWide)
      inputs.push_back(aligned(e, zero, *granularity, count));
    NodeAttributes attributes;
    if (granularity->axis)
      attributes.push_back({"axis", *granularity->axis});
    e.bind(op.getResult(), e.emit("DequantizeLinear", inputs, attributes));
    return;
  }
  Type compute = computeTypeOf(result);
  Name centred = e.emit("Sub", {e.in(input, i32), e.in(zero, i32)});
  e.finish(op.getResult(), e.emit("Mul", {e.cast(centred, i32, compute), e.in(scale, compute)}), compute);
}

} // namespace

bool isScaleOfQuantization(DivOp op) {
  if (!op->hasOneUse())
    return false;
  auto quantize = dyn_cast<QuantizeOp>(*op->user_begin());
  return quantize && quantize.getInput() == op.getResult() && scaleOf(quantize) == op;
}

bool exportQuantization(NodeExporter &e) {
  if (auto op = dyn_cast<QuantizeOp>(e.op))
    return exportQuantize(e, op), true;
  if (auto op = dyn_cast<DequantizeOp>(e.op))
    return exportDequantize(e, op), true;
  return false;
}

} // namespace mlc::onnxexport
