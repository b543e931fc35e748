//===- Indexing.cpp - derivatives of gathers and scatters --------------------------------------------------------===//
//
// A gather's transpose is a scatter that adds, in row-major order of the indices, so that sums have one order; and the
// other way round. Of several updates of one place that replace each other the last gets the cotangent; of equal
// extrema each gets its share.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

using namespace mlir;
using namespace mlc::graph;

LogicalResult GatherOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] { return g.scatterRows(g.cotangent(), getIndices(), static_cast<int64_t>(getAxis()), getInput()); });
  return success();
}

LogicalResult GatherElementsOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    return g.make<ScatterElementsOp>(g.zerosLike(getInput()), getIndices(), g.cotangent(), getAxis(), ScatterKind::add);
  });
  return success();
}

// Batch axes become part of the tuples.
LogicalResult GatherNDOp::buildGradients(GradientBuilder &g) {
  g.give(0, [&] {
    int64_t batch = static_cast<int64_t>(getBatchDims()), last = g.rank(getIndices()) - 1;
    Shape column = g.shape(getIndices());
    column.back() = g.constantSize(1);
    SmallVector<Value> parts;
    for (int64_t axis = 0; axis < batch; ++axis)
      parts.push_back(g.iota(axis, column, g.element(getIndices())));
    parts.push_back(getIndices());
    Value tuples = batch ? g.concat(parts, last) : getIndices();
    return g.make<ScatterNDOp>(g.zerosLike(getInput()), tuples, g.cotangent(), ScatterKind::add);
  });
  return success();
}

namespace {

/// A scatter of any form: how to write somewhere, and to read from there.
struct Scatter final {
  Value input, updates, result;
  ScatterKind kind;
  llvm::function_ref<Value(Value input, Value updates, ScatterKind kind)> write;
  llvm::function_ref<Value(Value input)> read;

  void build(GradientBuilder &g) const {
    Value dy = g.cotangent();
    switch (kind) {
    case ScatterKind::add:
      g.give(0, [&] { return dy; });
      g.give(2, [&] { return read(dy); });
      return;
    case ScatterKind::none:
      g.give(0, [&] { return write(dy, g.zerosLike(updates), kind); });
      g.give(2, [&] {
        // The number of an update stands in its place at the end if no other came after it.
        Shape shape = g.shape(updates);
        Value numbers = g.reshape(g.iota(0, g.sizes.product(shape), g.b.getI64Type()), shape);
        Value places = g.expand(g.scalar(g.b.getI64Type(), -1), g.shape(input));
        Value stays = g.compare(CompareDirection::eq, read(write(places, numbers, kind)), numbers);
        return g.where(stays, read(dy));
      });
      return;
    case ScatterKind::mul:
      g.give(0, [&] { return g.mul(dy, write(g.filledLike(input, 1), updates, kind)); });
      g.give(2, [&] { return g.div(read(g.mul(dy, result)), updates); });
      return;
    case ScatterKind::max:
    case ScatterKind::min: {
      Value won = g.cast(g.compare(CompareDirection::eq, input, result), g.element(dy));
      Value wins = g.cast(g.compare(CompareDirection::eq, updates, read(result)), g.element(dy));
      Value share = g.div(dy, write(won, wins, ScatterKind::add));
      g.give(0, [&] { return g.mul(won, share); });
      g.give(2, [&] { return g.mul(wins, read(share)); });
      return;
    }
    }
  }
};

} // namespace

LogicalResult ScatterElementsOp::buildGradients(GradientBuilder &g) {
  auto write = [&](Value input, Value updates, ScatterKind kind) {
    return g.make<ScatterElementsOp>(input, getIndices(), updates, getAxis(), kind);
  };
  auto read = [&](Value input) { return g.make<GatherElementsOp>(input, getIndices(), getAxis()); };
  Scatter{getInput(), getUpdates(), getResult(), getKind(), write, read}.build(g);
  return success();
}

LogicalResult ScatterNDOp::buildGradients(GradientBuilder &g) {
  auto write = [&](Value input, Value updates, ScatterKind kind) {
    return g.make<ScatterNDOp>(input, getIndices(), updates, kind);
  };
  auto read = [&](Value input) { return g.make<GatherNDOp>(input, getIndices(), uint64_t(0)); };
  Scatter{getInput(), getUpdates(), getResult(), getKind(), write, read}.build(g);
  return success();
}
