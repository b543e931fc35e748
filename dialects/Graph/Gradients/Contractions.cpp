//===- Contractions.cpp - derivatives of products and convolutions -----------------------------------------------===//
//
// All are bilinear. A convolution's input gradient is a convolution too: with the taps in reverse order, and of
// cotangents with zeros between them where the convolution has strides; `graph.conv_transpose` says just that, and
// graph-expand-conv-transpose computes it without multiplying the zeros. The filter's gradient is an op of its own.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/GradientBuilder.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// What a convolution is but for its operands.
struct Geometry final {
  template <typename Op>
  explicit Geometry(Op op)
      : strides(op.getStrides()), pads(op.getPads()), dilations(op.getDilations()),
        groups(static_cast<int64_t>(op.getGroups())) {
    if constexpr (!std::is_same_v<Op, ConvTransposeOp>)
      channelsLast = op.getChannelsLast();
  }
  ArrayRef<int64_t> strides;
  SmallVector<int64_t> pads;
  ArrayRef<int64_t> dilations;
  int64_t groups;
  bool channelsLast = false;

  int64_t spatial() const { return static_cast<int64_t>(strides.size()); }
  int64_t firstSpatial() const { return channelsLast ? 1 : 2; }

  Value convolve(GradientBuilder &g, Value input, Value filter) const {
    return g.make<ConvOp>(input, filter, strides, pads, dilations, static_cast<uint64_t>(groups), channelsLast);
  }

  Value filterGradient(GradientBuilder &g, Value input, Value cotangent, Value filter) const {
    ArrayRef<int64_t> kernel = g.type(filter).getShape().drop_front(2);
    return g.make<ConvFilterGradientOp>(input, cotangent, kernel, strides, pads, dilations,
                                        static_cast<uint64_t>(groups), channelsLast);
  }

  /// [g·F, C, k…] -> [g·C, F, k…], the taps in reverse order
  Value turnFilter(GradientBuilder &g, Value filter) const {
    SmallVector<int64_t> axes, permutation{0, 2, 1};
    for (int64_t i = 0; i < spatial(); ++i) {
      axes.push_back(2 + i);
      permutation.push_back(3 + i);
    }
    Shape shape = g.shape(filter), split{g.constantSize(groups), g.sizes.floorDiv(shape[0], g.constantSize(groups))};
    split.append(shape.begin() + 1, shape.end());
    Shape joined{g.sizes.mul(shape[1], g.constantSize(groups)), split[1]};
    joined.append(shape.begin() + 2, shape.end());
    bool isPoint = llvm::all_of(ArrayRef<Size>(shape).drop_front(2), [](Size size) { return getConstant(size) == 1; });
    Value turned = isPoint ? filter : g.flip(filter, axes);
    if (groups == 1) {
      permutation.erase(permutation.begin());
      for (int64_t &axis : permutation)
        --axis;
      return g.transpose(turned, permutation);
    }
    return g.reshape(g.transpose(g.reshape(turned, split), permutation), joined);
  }

  /// The cotangent of the input, of the sizes of `input`.
  Value inputGradient(GradientBuilder &g, Value input, Value filter, Value cotangent) const {
    Shape inputShape = g.shape(input), outputShape = g.shape(cotangent);
    ArrayRef<int64_t> kernel = g.type(filter).getShape().drop_front(2);
    SmallVector<int64_t> around(2 * spatial()), rest;
    bool hasStrides = false, isKnown = true;
    for (int64_t i = 0; i < spatial(); ++i) {
      int64_t reach = (kernel[i] - 1) * dilations[i];
      around[i] = reach - pads[i];
      around[spatial() + i] = reach - pads[spatial() + i];
      hasStrides |= strides[i] != 1;
      auto x = getConstant(inputShape[firstSpatial() + i]), y = getConstant(outputShape[firstSpatial() + i]);
      if (x && y) // what no window reaches, because the strides do not divide it
        rest.push_back(*x + pads[i] + pads[spatial() + i] - reach - 1 - (*y - 1) * strides[i]);
      else
        isKnown = false;
    }
    SmallVector<int64_t> ones(spatial(), 1);
    // Of single pixels: the places between them are zero anyway, and come after the product.
    if (hasStrides && llvm::all_of(kernel, [](int64_t size) { return size == 1; })) {
      Value result = g.make<ConvOp>(cotangent, turnFilter(g, filter), ones, SmallVector<int64_t>(2 * spatial(), 0),
                                    ones, static_cast<uint64_t>(groups), channelsLast);
      return spreadOut(g, result, inputShape, SmallVector<int64_t>(spatial(), 0));
    }
    // A depthwise one is cheaper with zeros than cut up by the places of its strides.
    bool depthwise = groups > 1 && g.type(filter).getDimSize(0) == groups && g.type(filter).getDimSize(1) == 1;
    if (hasStrides && isKnown && !depthwise &&
        llvm::all_of(outputShape, [](Size size) { return getConstant(size) != 0; }))
      return transposed(g, filter, cotangent, rest);
    if (hasStrides) {
      SmallVector<int64_t> reach;
      for (int64_t i = 0; i < spatial(); ++i)
        reach.push_back((kernel[i] - 1) * dilations[i]);
      cotangent = spreadOut(g, cotangent, inputShape, reach);
      std::fill(around.begin(), around.end(), 0);
    }
    return g.make<ConvOp>(cotangent, turnFilter(g, filter), ones, around, dilations, static_cast<uint64_t>(groups),
                          channelsLast);
  }

private:
  /// `value` with zeros between its places, and so many around that there are `reach` more than the input has.
  Value spreadOut(GradientBuilder &g, Value value, ArrayRef<Size> inputShape, ArrayRef<int64_t> reach) const {
    Shape low(inputShape.size(), g.constantSize(0)), high(low);
    for (int64_t i = 0; i < spatial(); ++i) {
      int64_t axis = firstSpatial() + i;
      value = g.dilate(value, axis, g.constantSize(strides[i]));
      low[axis] = g.constantSize(reach[i] - pads[i]);
      high[axis] = g.sizes.sub(g.sizes.add(inputShape[axis], g.constantSize(pads[i])), g.shape(value)[axis]);
    }
    return g.padZeros(value, low, high);
  }

  Value transposed(GradientBuilder &g, Value filter, Value cotangent, ArrayRef<int64_t> rest) const {
    if (channelsLast)
      cotangent = g.moveAxis(cotangent, spatial() + 1, 1);
    Value result =
        g.make<ConvTransposeOp>(cotangent, filter, strides, pads, dilations, rest, static_cast<uint64_t>(groups));
    return channelsLast ? g.moveAxis(result, 1, spatial() + 1) : result;
  }
};

/// Whether the sizes of the window are known, without which nothing is built.
LogicalResult requireKnownWindow(GradientBuilder &g, Value filter) {
  if (llvm::any_of(g.type(filter).getShape().drop_front(2), ShapedType::isDynamic))
    return g.refuse("the sizes of its window are known only at run time");
  return success();
}

} // namespace

// One matrix for all of a batch is multiplied as one: no product a matrix is summed up afterwards.
LogicalResult MatMulOp::buildGradients(GradientBuilder &g) {
  Value lhs = getLhs(), rhs = getRhs(), dy = g.cotangent();
  g.give(0, [&] { return g.make<MatMulOp>(dy, g.transposeMatrix(rhs)); });
  g.give(1,
         [&] { return g.rank(rhs) == 2 ? g.matrixGradient(lhs, dy) : g.make<MatMulOp>(g.transposeMatrix(lhs), dy); });
  return success();
}

LogicalResult ConvOp::buildGradients(GradientBuilder &g) {
  if (failed(requireKnownWindow(g, getFilter())))
    return failure();
  Geometry geometry(*this);
  g.give(0, [&] { return geometry.inputGradient(g, getInput(), getFilter(), g.cotangent()); });
  g.give(1, [&] { return geometry.filterGradient(g, getInput(), g.cotangent(), getFilter()); });
  return success();
}

LogicalResult ConvFilterGradientOp::buildGradients(GradientBuilder &g) {
  Geometry geometry(*this);
  g.give(0, [&] { return geometry.inputGradient(g, getInput(), g.cotangent(), getCotangent()); });
  g.give(1, [&] { return geometry.convolve(g, getInput(), g.cotangent()); });
  return success();
}

// What conv_transpose is the transpose of: the convolution with the same filter. Places that `output_padding` adds are
// not read back.
LogicalResult ConvTransposeOp::buildGradients(GradientBuilder &g) {
  if (failed(requireKnownWindow(g, getFilter())))
    return failure();
  Geometry geometry(*this);
  for (auto [i, extra] : llvm::enumerate(getOutputPadding()))
    geometry.pads[geometry.spatial() + i] -= extra;
  g.give(0, [&] { return geometry.convolve(g, g.cotangent(), getFilter()); });
  g.give(1, [&] { return geometry.filterGradient(g, g.cotangent(), getInput(), getFilter()); });
  return success();
}
