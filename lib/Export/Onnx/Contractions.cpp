//===- Contractions.cpp - matmul and convolutions as ONNX nodes --------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

void exportMatMul(NodeExporter &e, MatMulOp op) {
  Type element = e.element(op.getLhs());
  if (isByte(element))
    return e.bind(op.getResult(), e.emit("MatMulInteger", {e.name(op.getLhs()), e.name(op.getRhs())}));
  Type compute = computeTypeOf(element);
  e.finish(op.getResult(), e.emit("MatMul", {e.in(op.getLhs(), compute), e.in(op.getRhs(), compute)}), compute);
}

/// Adds zeros, or takes elements away, at the ends of the spatial axes of channels first.
Name padSpatial(NodeExporter &e, Name value, Type element, ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
  SmallVector<int64_t> pads(2, 0);
  llvm::append_range(pads, low);
  pads.append(2, 0);
  llvm::append_range(pads, high);
  return e.emit("Pad", {value, e.ints(pads), e.scalar(element, 0)});
}

bool isAnyNegative(ArrayRef<int64_t> pads) {
  return llvm::any_of(pads, [](int64_t amount) { return amount < 0; });
}

void exportConv(NodeExporter &e, ConvOp op) {
  Type element = e.element(op.getInput());
  int64_t rank = e.rank(op.getInput());
  bool isQuantized = isByte(element);
  if (isa<IntegerType>(element) && !isQuantized && element.getIntOrFloatBitWidth() > 32)
    return e.fail("ONNX has no convolution of 64-bit integers");
  // Sums of wider integers are exact in f64.
  Type compute = isQuantized ? element : isa<IntegerType>(element) ? e.f64() : computeTypeOf(element);
  Name input = e.in(op.getInput(), compute);
  if (op.getChannelsLast())
    input = e.moveChannels(input, rank, /*toEnd=*/false);
  SmallVector<int64_t> pads(op.getPads());
  if (isAnyNegative(pads)) { // which Conv does not take
    ArrayRef<int64_t> all(pads);
    input = padSpatial(e, input, compute, all.take_front(rank - 2), all.drop_front(rank - 2));
    pads.assign(pads.size(), 0);
  }
  NodeAttributes attributes{{"strides", op.getStrides()},
                            {"pads", ArrayRef<int64_t>(pads)},
                            {"dilations", op.getDilations()},
                            {"group", int64_t(op.getGroups())}};
  Name result;
  if (isQuantized) {
    SmallVector<Name> inputs{input, e.name(op.getFilter())};
    if (!element.isUnsignedInteger()) { // i8 around 0 is u8 around 128, which is the type of input that engines do
      Type i32 = e.signless(32), u8 = e.unsignedOf(8);
      inputs[0] = e.cast(e.emit("Add", {e.cast(input, element, i32), e.scalar(i32, 128)}), i32, u8);
      inputs.push_back(e.scalar(u8, 128));
    }
    result = e.emit("ConvInteger", inputs, attributes);
    compute = e.signless(32);
  } else {
    result = e.emit("Conv", {input, e.in(op.getFilter(), compute)}, attributes);
  }
  if (op.getChannelsLast())
    result = e.moveChannels(result, rank, /*toEnd=*/true);
  e.finish(op.getResult(), result, compute);
}

/// Output padding is less padding above; what is left of it beyond the sums is zeros.
void exportConvTranspose(NodeExporter &e, ConvTransposeOp op) {
  Type compute = computeTypeOf(e.element(op.getInput()));
  size_t spatial = op.getStrides().size();
  SmallVector<int64_t> pads(op.getPads()), outputPadding(op.getOutputPadding()), low(spatial, 0), high(spatial, 0);
  bool fits = !isAnyNegative(pads);
  for (size_t i = 0; i < spatial; ++i)
    fits &= outputPadding[i] == 0 || outputPadding[i] < std::max(op.getStrides()[i], op.getDilations()[i]);
  if (!fits)
    for (size_t i = 0; i < spatial; ++i) {
      int64_t above = pads[spatial + i] - outputPadding[i];
      outputPadding[i] = 0;
      low[i] = std::max<int64_t>(-pads[i], 0);
      high[i] = std::max<int64_t>(-above, 0);
      pads[i] = std::max<int64_t>(pads[i], 0);
      pads[spatial + i] = std::max<int64_t>(above, 0);
    }
  Name result = e.emit("ConvTranspose", {e.in(op.getInput(), compute), e.in(op.getFilter(), compute)},
                       {{"strides", op.getStrides()},
                        {"pads", ArrayRef<int64_t>(pads)},
                        {"dilations", op.getDilations()},
                        {"output_padding", ArrayRef<int64_t>(outputPadding)},
                        {"group", int64_t(op.getGroups())}});
  if (!fits)
    result = padSpatial(e, result, compute, low, high);
  e.finish(op.getResult(), result, compute);
}

} // namespace

bool exportContraction(NodeExporter &e) {
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](MatMulOp op) { return exportMatMul(e, op), true; })
      .Case([&](ConvOp op) { return exportConv(e, op), true; })
      .Case([&](ConvTransposeOp op) { return exportConvTranspose(e, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
