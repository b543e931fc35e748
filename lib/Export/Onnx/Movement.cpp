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
Name endOfSlice(NodeExporter &e, OpFoldResult offset, OpFoldResult size, int64_t step) {
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  std::optional<int64_t> first = getConstantIntValue(offset), count = getConstantIntValue(size);
  if (first && count) {
    int64_t end = *first + *count * step;
    return e.ints(end < 0 ? lowest : end);
  }
  Name reach = e.size(size);
  if (step != 1)
    reach = e.emit("Mul", {reach, e.ints(step)});
  Name end = first == 0 ? reach : e.emit("Add", {e.size(offset), reach});
  if (step > 0)
    return end;
  return e.emit("Where", {e.emit("Less", {end, e.ints(0)}), e.ints(lowest), end});
}

void exportSlice(NodeExporter &e, SliceOp op) {
  if (!op.getSteps().empty())
    return e.fail("a step is known only at run time");
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets(), sizes = op.getMixedSizes(), starts;
  SmallVector<int64_t> axes, steps;
  SmallVector<Name> ends;
  bool areKnown = true;
  for (int64_t axis = 0; axis < e.rank(op.getInput()); ++axis) {
    int64_t step = op.getStaticSteps()[axis];
    if (step == 1 && getConstantIntValue(offsets[axis]) == 0 && isWhole(sizes[axis], op.getInput(), axis))
      continue;
    axes.push_back(axis);
    steps.push_back(step);
    starts.push_back(offsets[axis]);
    ends.push_back(endOfSlice(e, offsets[axis], sizes[axis], step));
    areKnown &= getConstantIntValue(offsets[axis]) && getConstantIntValue(sizes[axis]);
  }
  if (axes.empty())
    return e.bind(op.getResult(), e.name(op.getInput()));
  Name end = ends.size() == 1 ? ends[0] : "";
  if (ends.size() > 1 && areKnown) {
    SmallVector<int64_t> numbers;
    for (int64_t axis : axes) {
      int64_t number =
          *getConstantIntValue(offsets[axis]) + *getConstantIntValue(sizes[axis]) * op.getStaticSteps()[axis];
      numbers.push_back(number < 0 ? std::numeric_limits<int64_t>::min() : number);
    }
    end = e.ints(numbers);
  } else if (ends.size() > 1) {
    end = e.emit("Concat", ends, {{"axis", int64_t(0)}});
  }
  e.bind(op.getResult(), e.emit("Slice", {e.name(op.getInput()), e.sizes(starts), end, e.ints(axes), e.ints(steps)}));
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
