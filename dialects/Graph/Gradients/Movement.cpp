//===- Movement.cpp - derivatives of ops that move elements ------------------------------------------------------===//
//
// Each is linear; its transpose moves the cotangents back. What was read twice is summed, what was not read gets zero.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace mlc::graph;

LogicalResult ReshapeOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.reshape(g.cotangent(), g.shape(getInput())); });
  return success();
}

LogicalResult ExpandOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.cotangent(); });
  return success();
}

LogicalResult TransposeOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.transpose(g.cotangent(), invertPermutationVector(getPermutation())); });
  return success();
}

LogicalResult ConcatOp::buildGradients(GradientBuilder &g) {
  Size start = g.constantSize(0);
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    Size extent = g.shape(input)[getAxis()];
    g.give(i, [&] { return g.sliceAxis(g.cotangent(), static_cast<int64_t>(getAxis()), start, extent); });
    start = g.sizes.add(start, extent);
  }
  return success();
}

// A negative step reads a reversed part; the elements between two steps get zero.
LogicalResult SliceOp::buildGradients(GradientBuilder &g) {
  if (!getSteps().empty())
    return g.refuse("its steps are known only at run time");
  g.give(0, [&] {
    Value dy = g.cotangent();
    Shape input = g.shape(getInput()), extents = g.shape(dy), low, high;
    SmallVector<int64_t> reversed;
    SmallVector<OpFoldResult> offsets = getMixedOffsets();
    for (auto [axis, step] : llvm::enumerate(getStaticSteps()))
      if (step < 0)
        reversed.push_back(static_cast<int64_t>(axis));
    if (!reversed.empty())
      dy = g.flip(dy, reversed);
    for (auto [axis, step] : llvm::enumerate(getStaticSteps())) {
      Size one = g.constantSize(1), size = g.constantSize(std::abs(step));
      dy = g.dilate(dy, static_cast<int64_t>(axis), size);
      // Of an empty part nothing is left either way: max keeps its reach from being negative.
      Size reach = g.sizes.mul(g.sizes.max(g.sizes.sub(extents[axis], one), g.constantSize(0)), size);
      Size first = step > 0 ? offsets[axis] : g.sizes.sub(offsets[axis], reach);
      low.push_back(first);
      high.push_back(g.sizes.sub(g.sizes.sub(input[axis], first), g.shape(dy)[axis]));
    }
    Value padded = g.padZeros(dy, low, high);
    return g.shape(padded) == input ? padded : g.reshape(padded, input);
  });
  return success();
}

// An axis at a time: the padded numbers of the elements say where each came from.
LogicalResult PadOp::buildGradients(GradientBuilder &g) {
  Value dy = g.cotangent();
  SmallVector<OpFoldResult> low = getMixedLow(), high = getMixedHigh();
  auto less = [&](Size size) { return g.sizes.sub(g.constantSize(0), size); };
  if (getMode() == PadMode::constant) {
    g.give(0, [&] {
      Shape cutLow = llvm::map_to_vector<4>(low, less), cutHigh = llvm::map_to_vector<4>(high, less);
      return g.reshape(g.padZeros(dy, cutLow, cutHigh), g.shape(getInput()));
    });
    g.give(1, [&] {
      Value around = g.pad(PadMode::constant, g.zerosLike(getInput()), g.scalarLike(dy, 1), low, high);
      return g.mul(dy, around);
    });
    return success();
  }
  g.give(0, [&] {
    Shape input = g.shape(getInput());
    Value result = dy;
    for (auto [axis, below, above] : llvm::enumerate(low, high)) {
      if (getConstant(below) == 0 && getConstant(above) == 0)
        continue;
      Value numbers = g.iota(0, input[axis], g.b.getI64Type());
      Value from = g.pad(getMode(), numbers, Value(), below, above);
      Shape shape = g.shape(result);
      shape[axis] = input[axis];
      result = g.scatterRows(result, from, static_cast<int64_t>(axis), g.expand(g.scalarLike(dy, 0), shape));
    }
    return result;
  });
  return success();
}
