//===- TrainingLayers.cpp - layers that behave differently, while they train --------------------------------------===//
#include "passes/Train/TrainingLayers.h"

#include "dialects/Graph/GraphBuilder.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace mlc {

namespace {

/// Expands the layers of one function, one after the other.
struct LayerExpansion final {
  explicit LayerExpansion(Value seed) : seed(seed) {}

  Value seed;
  llvm::DenseMap<Value, graph::Shape> shapes;
  SmallVector<BatchStatistic> statistics;
  uint64_t streams = 0;

  /// Uniform numbers of a shape, from a stream that no one else draws from.
  Value random(graph::GraphBuilder &g, ArrayRef<graph::Size> shape) {
    SmallVector<Value> dynamic;
    SmallVector<int64_t> fixed;
    dispatchIndexOpFoldResults(shape, dynamic, fixed);
    return g.make<graph::RandomOp>(seed, streams++, dynamic, fixed);
  }

  /// x / (1 - rate) where a random number is not below the rate, else 0
  Value drop(graph::GraphBuilder &g, train::DropoutOp op) {
    Value input = op.getInput();
    double rate = op.getRate().convertToDouble();
    if (rate == 0)
      return input;
    Value numbers = random(g, g.shape(input));
    Value isKept = g.compare(graph::CompareDirection::ge, numbers, g.scalarLike(numbers, rate));
    return g.select(isKept, g.mul(input, g.scalarLike(input, 1 / (1 - rate))), g.scalarLike(input, 0));
  }

  Value normalize(graph::GraphBuilder &g, train::BatchNormOp op) {
    Value input = op.getInput();
    int64_t rank = g.rank(input), axis = op.getAxis();
    SmallVector<int64_t> others;
    graph::Shape along(rank, g.constantSize(1)), reduced;
    along[axis] = g.shape(input)[axis];
    for (int64_t i = 0; i < rank; ++i)
      if (i != axis) {
        others.push_back(i);
        reduced.push_back(g.shape(input)[i]);
      }
    Value count = g.fromSize(g.sizes.product(reduced), g.element(input));
    auto mean = [&](Value x) { return g.div(g.reduce(graph::ReduceKind::sum, x, others, /*keepDims=*/true), count); };
    auto spread = [&](Value vector) { return g.reshape(vector, along); };
    auto remember = [&](Value statistic, Value batch) {
      statistics.push_back({cast<train::ReadOp>(statistic.getDefiningOp()).getStateAttr(),
                            g.reshape(batch, {along[axis]}), op.getMomentum().convertToDouble()});
    };
    Value centre = mean(input), centred = g.sub(input, centre), variance = mean(g.mul(centred, centred));
    remember(op.getMean(), centre);
    remember(op.getVariance(), variance);
    Value deviation = g.sqrt(g.add(variance, g.scalarLike(variance, op.getEpsilon().convertToDouble())));
    Value factor = g.div(spread(op.getScale()), deviation);
    return g.add(g.mul(centred, factor), spread(op.getBias()));
  }

  /// 0 or 1 for each sample, as a shape that broadcasts.
  Value flip(graph::GraphBuilder &g, train::RandomFlipOp op) {
    Value input = op.getInput();
    graph::Shape shape = g.shape(input), one(shape.size(), g.constantSize(1)), offsets(shape.size(), g.constantSize(0)),
                 steps = one;
    one[0] = shape[0];
    Value numbers = random(g, one);
    Value isFlipped = g.compare(graph::CompareDirection::lt, numbers, g.scalarLike(numbers, 0.5));
    int64_t axis = op.getAxis();
    offsets[axis] = g.sizes.sub(shape[axis], g.constantSize(1));
    steps[axis] = g.constantSize(-1);
    return g.select(isFlipped, g.slice(input, offsets, shape, steps), input);
  }

  /// Every axis by a gather with a place of its own for each sample.
  Value crop(graph::GraphBuilder &g, train::RandomCropOp op) {
    Value result = op.getInput();
    Type i64 = g.b.getI64Type();
    int64_t padding = op.getPadding();
    graph::Shape shape = g.shape(result);
    for (int64_t axis : op.getAxes()) {
      graph::Shape none(shape.size(), g.constantSize(0)), around = none, samples(shape.size(), g.constantSize(1)),
                                                          places = samples;
      around[axis] = g.constantSize(padding);
      samples[0] = shape[0];
      places[axis] = shape[axis];
      Value padded = g.pad(graph::PadMode::constant, result, g.scalarLike(result, 0), around, around);
      Value numbers = random(g, samples);
      // The largest number below 1 times a count below 2^24 stays below the count.
      Value start = g.cast(g.mul(numbers, g.scalarLike(numbers, static_cast<double>(2 * padding + 1))), i64);
      Value indices = g.add(start, g.iota(axis, places, i64));
      result = g.make<graph::GatherElementsOp>(padded, g.expand(indices, shape), static_cast<uint64_t>(axis));
    }
    return result;
  }

  void expand(Operation *op) {
    OpBuilder b(op);
    graph::GraphBuilder g(b, op->getLoc(), shapes);
    Value replacement;
    if (auto dropout = dyn_cast<train::DropoutOp>(op))
      replacement = drop(g, dropout);
    else if (auto norm = dyn_cast<train::BatchNormOp>(op))
      replacement = normalize(g, norm);
    else if (auto flipped = dyn_cast<train::RandomFlipOp>(op))
      replacement = flip(g, flipped);
    else if (auto cropped = dyn_cast<train::RandomCropOp>(op))
      replacement = crop(g, cropped);
    else
      return;
    op->getResult(0).replaceAllUsesWith(replacement);
    op->erase();
  }
};

} // namespace

SmallVector<BatchStatistic> expandTrainingLayers(func::FuncOp function, Value seed) {
  LayerExpansion expansion(seed);
  function.walk([&](Operation *op) { expansion.expand(op); });
  return std::move(expansion.statistics);
}

} // namespace mlc
