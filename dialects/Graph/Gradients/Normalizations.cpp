//===- Normalizations.cpp - derivatives of normalizations --------------------------------------------------------===//
//
// With r = 1 / sqrt(variance + epsilon) and y = (x - mean) r over n elements:
//
//   dx = r (dy - mean(dy) - y mean(dy y)),   without the middle term where nothing is centred
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

#include <numeric>

using namespace mlir;
using namespace mlc::graph;

LogicalResult NormalizeOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    Value x = getInput(), y = getResult(), dy = g.cotangent();
    SmallVector<int64_t> axes(g.rank(x) - static_cast<int64_t>(getAxis()));
    std::iota(axes.begin(), axes.end(), static_cast<int64_t>(getAxis()));
    double epsilon = getEpsilon().convertToDouble();
    Value centred = getUncentered() ? x : g.sub(x, g.mean(x, axes));
    Value deviation = g.sqrt(g.plus(g.mean(g.square(centred), axes), epsilon));
    Value along = g.mul(y, g.mean(g.mul(dy, y), axes));
    Value across = getUncentered() ? dy : g.sub(dy, g.mean(dy, axes));
    return g.div(g.sub(across, along), deviation);
  });
  return success();
}

// Statistics are operands like others.
LogicalResult BatchNormOp::buildGradients(GradientBuilder &g) {
  Value x = getInput(), dy = g.cotangent();
  int64_t rank = g.rank(x);
  SmallVector<int64_t> axes{0}, behind;
  for (int64_t axis = 2; axis < rank; ++axis) {
    axes.push_back(axis);
    behind.push_back(axis - 1);
  }
  auto channels = [&](Value value) { return g.unsqueeze(value, behind); };
  auto sum = [&](Value value) { return g.sum(value, axes, /*keepDims=*/false); };
  Value deviation = g.sqrt(g.plus(getVariance(), getEpsilon().convertToDouble()));
  Value slope = g.div(getScale(), deviation);
  g.give(0, [&] { return g.mul(dy, channels(slope)); });
  auto ofScale = [&] { return g.div(sum(g.mul(dy, g.sub(x, channels(getMean())))), deviation); };
  g.give(1, ofScale);
  g.give(2, [&] { return sum(dy); });
  g.give(3, [&] { return g.negate(g.mul(sum(dy), slope)); });
  g.give(4, [&] { return g.scale(g.div(g.mul(ofScale(), slope), deviation), -0.5); });
  return success();
}
