//===- Movement.cpp - ops that move elements as ONNX nodes -------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

/// A size that is 0 means none, not the input's.
void exportReshape(NodeExporter &e, ReshapeOp op) {
  NodeAttributes attributes;
  if (llvm::any_of(op.getStaticSizes(), [](int64_t size) { return size == 0 || ShapedType::isDynamic(size); }))
    attributes.push_back({"allowzero", int64_t(1)});
  e.bind(op.getResult(), e.emit("Reshape", {e.name(op.getInput()), e.sizes(op.getMixedSizes())}, attributes));
}

/// Whether `size` is that of axis `axis` of `input`.
bool isWhole(OpFoldResult size, Value input, int64_t axis) {
  int64_t known = llvm::cast<RankedTensorType>(input.getType()).getDimSize(axis);
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return *constant == known;
  auto value = dyn_cast<Value>(size);
  auto dim = value ? value.getDefiningOp<tensor::DimOp>() : tensor::DimOp();
  return dim && dim.getSource() == input && dim.getConstantIndex() == axis;
}

/// offset + size * step: where a slice ends. A negative one before the first element is the lowest number.
OpFoldResult foldedEnd(NodeExporter &e, OpFoldResult offset, OpFoldResult size, OpFoldResult step) {
  std::optional<int64_t> first = getConstantIntValue(offset), count = getConstantIntValue(size);
  std::optional<int64_t> by = getConstantIntValue(step);
  if (!first || !count || !by)
    return {};
  int64_t end = *first + *count * *by;
  return Builder(e.op).getIndexAttr(end < 0 ? std::numeric_limits<int64_t>::min() : end);
}

Name endOfSlice(NodeExporter &e, OpFoldResult offset, OpFoldResult size, OpFoldResult step) {
  if (OpFoldResult known = foldedEnd(e, offset, size, step))
    return e.size(known);
  std::optional<int64_t> by = getConstantIntValue(step);
  Name end = e.size(size);
  if (by != 1)
    end = e.emit("Mul", {end, e.size(step)});
  if (getConstantIntValue(offset) != 0)
    end = e.emit("Add", {e.size(offset), end});
  if (by && *by > 0)
    return end;
  return e.emit("Where", {e.emit("Less", {end, e.ints(0)}), e.ints(std::numeric_limits<int64_t>::min()), end});
}

void exportSlice(NodeExporter &e, SliceOp op) {
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets(), sizes = op.getMixedSizes(), steps = op.getMixedSteps();
  SmallVector<OpFoldResult> starts, ends, strides;
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < e.rank(op.getInput()); ++axis) {
    if (getConstantIntValue(steps[axis]) == 1 && getConstantIntValue(offsets[axis]) == 0 &&
        isWhole(sizes[axis], op.getInput(), axis))
      continue;
    axes.push_back(axis);
    starts.push_back(offsets[axis]);
    strides.push_back(steps[axis]);
    ends.push_back(foldedEnd(e, offsets[axis], sizes[axis], steps[axis]));
  }
  if (axes.empty())
    return e.bind(op.getResult(), e.name(op.getInput()));
  Name end;
  if (llvm::all_of(ends, [](OpFoldResult known) { return static_cast<bool>(known); })) {
    end = e.sizes(ends);
  } else {
    SmallVector<Name> parts =
        llvm::map_to_vector(axes, [&](int64_t axis) { return endOfSlice(e, offsets[axis], sizes[axis], steps[axis]); });
    end = parts.size() == 1 ? parts[0] : e.emit("Concat", parts, {{"axis", int64_t(0)}});
  }
  e.bind(op.getResult(),
         e.emit("Slice", {e.name(op.getInput()), e.sizes(starts), end, e.ints(axes), e.sizes(strides)}));
}

void exportPad(NodeExporter &e, PadOp op) {
  SmallVector<OpFoldResult> pads = op.getMixedLow();
  llvm::append_range(pads, op.getMixedHigh());
  SmallVector<Name> inputs{e.name(op.getInput()), e.sizes(pads)};
  if (op.getValue())
    inputs.push_back(e.name(op.getValue()));
  e.bind(op.getResult(), e.emit("Pad", inputs, {{"mode", stringifyPadMode(op.getMode())}}));
}

/// Range along the axis, spread over the others. Counted in i64, which every engine does.
void exportIota(NodeExporter &e, IotaOp op) {
  Type i64 = e.signless(64), element = op.getElement();
  SmallVector<OpFoldResult> sizes = op.getMixedSizes();
  int64_t axis = op.getAxis(), rank = static_cast<int64_t>(sizes.size());
  std::optional<int64_t> known = getConstantIntValue(sizes[axis]);
  Name count = known ? e.scalar(i64, static_cast<double>(*known)) : e.reshape(e.size(sizes[axis]), {});
  Name range = e.emit("Range", {e.scalar(i64, 0), count, e.scalar(i64, 1)});
  range = e.cast(range, i64, element);
  if (rank > 1) {
    SmallVector<int64_t> shape(rank, 1);
    shape[axis] = -1;
    range = e.reshape(range, shape);
    if (llvm::any_of(llvm::seq(rank), [&](int64_t i) { return i != axis && getConstantIntValue(sizes[i]) != 1; }))
      range = e.emit("Expand", {range, e.sizes(sizes)});
  }
  e.bind(op.getResult(), range);
}

} // namespace

bool exportMovement(NodeExporter &e) {
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](ReshapeOp op) { return exportReshape(e, op), true; })
      .Case([&](ExpandOp op) {
        return e.bind(op.getResult(), e.emit("Expand", {e.name(op.getInput()), e.sizes(op.getMixedSizes())})), true;
      })
      .Case([&](TransposeOp op) {
        return e.bind(op.getResult(), e.transpose(e.name(op.getInput()), op.getPermutation())), true;
      })
      .Case([&](ConcatOp op) {
        SmallVector<Name> inputs = llvm::map_to_vector(op.getInputs(), [&](Value input) { return e.name(input); });
        return e.bind(op.getResult(), e.emit("Concat", inputs, {{"axis", int64_t(op.getAxis())}})), true;
      })
      .Case([&](SliceOp op) { return exportSlice(e, op), true; })
      .Case([&](PadOp op) { return exportPad(e, op), true; })
      .Case([&](IotaOp op) { return exportIota(e, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
