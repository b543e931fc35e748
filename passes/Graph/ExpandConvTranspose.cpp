//===- ExpandConvTranspose.cpp - transposed convolutions as convolutions ------------------------------------------===//
//
// With strides s, result o reads input h through tap k where o + pad = h·s + k. Written as o + pad = q·s + i and
// k = t·s + i, i < s, that is h = q - t: for each i (a phase) a convolution with every s-th tap, flipped:
//
//   y[q, i] = Σ_t x[q - t] · w[t·s + i],    result = y as [q·s + i], less the padding
//
// Where all phases have as many taps, they are one convolution with s times as many results an axis. Otherwise (3 taps
// and strides of 2: phases of 2 and of 1) that would multiply zeros, so that each is a convolution of its own, of just
// the places that are part of the result. Either way the places interleave. Runs before the layout is chosen, and
// leaves the channels last already: so the interleaving moves whole runs of channels.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Graph/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHEXPANDCONVTRANSPOSEPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Channels from which on a convolution of one phase has work for vectors.
constexpr int64_t kChannelsApart = 32;

/// One transposed convolution, as sizes.
struct Expansion final {
  /// The results at s·p + r of an axis, by r: Σ_t x[p + first - t] · w[t·s + phase], of `places` beyond the input's.
  struct Phase final {
    int64_t phase, first, taps, places;
    int64_t low() const { return taps - 1 - first; }
    int64_t high() const { return places + first; }
  };

  explicit Expansion(ConvTransposeOp op)
      : op(op), b(op), loc(op.getLoc()), strides(op.getStrides()), groups(static_cast<int64_t>(op.getGroups())) {
    auto filter = cast<RankedTensorType>(op.getFilter().getType());
    in = filter.getDimSize(0) / groups;
    out = filter.getDimSize(1);
    for (auto [size, stride] : llvm::zip(filter.getShape().drop_front(2), strides))
      taps.push_back(llvm::divideCeil(size, stride));
  }

  int64_t spatial() const { return static_cast<int64_t>(strides.size()); }

  Value transpose(Value value, ArrayRef<int64_t> permutation) {
    return b.createOrFold<TransposeOp>(loc, value, permutation);
  }
  Value reshape(Value value, ArrayRef<int64_t> shape) {
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : shape)
      sizes.push_back(b.getIndexAttr(size));
    return ReshapeOp::create(b, loc, value, sizes);
  }

  SmallVector<OpFoldResult> mixed(ArrayRef<int64_t> list) { return getAsIndexOpFoldResult(b.getContext(), list); }

  Value pad(Value value, ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
    auto isZero = [](int64_t amount) { return amount == 0; };
    if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
      return value;
    auto scalar = RankedTensorType::get({}, getElementTypeOrSelf(value.getType()));
    Value zero = ConstantOp::create(b, loc, cast<ElementsAttr>(b.getZeroAttr(scalar)));
    return PadOp::create(b, loc, PadMode::constant, value, zero, mixed(low), mixed(high));
  }

  /// filter[g·in, out, k…] -> [g·s…·out, in, t…], the taps of each phase flipped
  Value makeFilter() {
    auto type = cast<RankedTensorType>(op.getFilter().getType());
    SmallVector<int64_t> high(type.getRank(), 0), split{groups, in, out}, joined{groups * out, in};
    for (int64_t i = 0; i < spatial(); ++i) {
      high[2 + i] = taps[i] * strides[i] - type.getDimSize(2 + i);
      split.append({taps[i], strides[i]});
      joined[0] *= strides[i];
      joined.push_back(taps[i]);
    }
    Value filter = reshape(pad(op.getFilter(), SmallVector<int64_t>(type.getRank(), 0), high), split);
    SmallVector<int64_t> offsets(split.size(), 0), steps(split.size(), 1), order{0};
    for (int64_t i = 0; i < spatial(); ++i) {
      offsets[3 + 2 * i] = taps[i] - 1;
      steps[3 + 2 * i] = -1;
      order.push_back(4 + 2 * i);
    }
    order.append({2, 1});
    for (int64_t i = 0; i < spatial(); ++i)
      order.push_back(3 + 2 * i);
    filter = SliceOp::create(b, loc, filter, mixed(offsets), mixed(split), mixed(steps));
    return reshape(transpose(filter, order), joined);
  }

  Value build() {
    SmallVector<int64_t> forth{0};
    for (int64_t axis = 2; axis < spatial() + 2; ++axis)
      forth.push_back(axis);
    forth.push_back(1);
    Value input = transpose(op.getInput(), forth);
    return transpose(areApart() ? buildApart(input) : buildAsOne(input), invertPermutationVector(forth));
  }

  Value convolve(Value input, Value filter, ArrayRef<int64_t> pads) {
    SmallVector<int64_t> ones(spatial(), 1);
    return ConvOp::create(b, loc, input, filter, ones, pads, ones, static_cast<uint64_t>(groups),
                          /*channels_last=*/true);
  }

  /// input[n, h…, c] -> result[n, o…, f], all phases as one convolution
  Value buildAsOne(Value input) {
    SmallVector<int64_t> pads;
    for (int64_t i = 0; i < 2 * spatial(); ++i)
      pads.push_back(taps[i % spatial()] - 1);
    return crop(interleave(convolve(input, makeFilter(), pads)));
  }

  /// Whether each phase should be a convolution of its own: they differ in their taps, but not in their places, and
  /// those without taps are behind the others.
  bool areApart() {
    bool differ = false;
    for (int64_t i = 0; i < spatial(); ++i) {
      SmallVector<Phase> all = phasesOf(i);
      for (auto [before, phase] : llvm::zip(all, llvm::drop_begin(all)))
        if (phase.places != before.places || (before.taps == 0 && phase.taps > 0))
          return false;
      differ |= llvm::any_of(all, [&](const Phase &phase) { return phase.taps != all.front().taps; });
    }
    return differ && out >= kChannelsApart;
  }

  SmallVector<Phase> phasesOf(int64_t axis) {
    int64_t size = cast<RankedTensorType>(op.getFilter().getType()).getDimSize(2 + axis), stride = strides[axis];
    int64_t low = op.getPads()[axis], high = op.getPads()[spatial() + axis];
    // Results of the axis, less the stride for each place of the input.
    int64_t more = size - stride - low - high + op.getOutputPadding()[axis];
    SmallVector<Phase> all;
    for (int64_t r = 0; r < stride; ++r) {
      int64_t phase = (r + low) % stride;
      all.push_back({phase, (r + low) / stride, std::max<int64_t>(llvm::divideCeilSigned(size - phase, stride), 0),
                     llvm::divideCeilSigned(more - r, stride)});
    }
    return all;
  }

  /// input[n, h…, c] -> result[n, o…, f], a convolution for each phase
  Value buildApart(Value input) {
    SmallVector<Phase> chosen;
    Value places = joinPhases(input, chosen);
    SmallVector<OpFoldResult> known = tensor::getMixedSizes(b, loc, places), joined{known.front()};
    for (int64_t i = 0; i < spatial(); ++i)
      joined.push_back(scale(known[1 + 2 * i], strides[i]));
    joined.push_back(known.back());
    return ReshapeOp::create(b, loc, places, joined);
  }

  /// [n, p, r, …, f] with all phases r of the axes behind `chosen`
  Value joinPhases(Value input, SmallVector<Phase> &chosen) {
    int64_t axis = static_cast<int64_t>(chosen.size());
    if (axis == spatial())
      return buildPhase(input, chosen);
    SmallVector<Value> parts;
    for (const Phase &phase : phasesOf(axis)) {
      if (phase.taps == 0)
        continue;
      chosen.push_back(phase);
      parts.push_back(joinPhases(input, chosen));
      chosen.pop_back();
    }
    auto along = static_cast<uint64_t>(2 + 2 * axis);
    Value joined = parts.size() == 1 ? parts.front() : ConcatOp::create(b, loc, parts, along).getResult();
    SmallVector<int64_t> none(2 * spatial() + 2, 0), rest = none;
    rest[along] = strides[axis] - static_cast<int64_t>(parts.size()); // nothing is added to those without taps
    return pad(joined, none, rest);
  }

  /// [n, p, 1, …, f] of one phase
  Value buildPhase(Value input, ArrayRef<Phase> phase) {
    auto type = cast<RankedTensorType>(op.getFilter().getType());
    SmallVector<int64_t> offsets{0, 0}, sizes{type.getDimSize(0), out}, steps{1, 1};
    SmallVector<int64_t> pads(2 * spatial(), 0), low(spatial() + 2, 0), high = low;
    SmallVector<int64_t> split{groups, in, out}, joined{groups * out, in}, order{0, 2, 1};
    for (int64_t i = 0; i < spatial(); ++i) {
      offsets.push_back(phase[i].phase + (phase[i].taps - 1) * strides[i]);
      sizes.push_back(phase[i].taps);
      steps.push_back(-strides[i]);
      split.push_back(phase[i].taps);
      joined.push_back(phase[i].taps);
      order.push_back(3 + i);
      pads[i] = std::max<int64_t>(phase[i].low(), 0);
      pads[spatial() + i] = std::max<int64_t>(phase[i].high(), 0);
      low[1 + i] = std::min<int64_t>(phase[i].low(), 0);
      high[1 + i] = std::min<int64_t>(phase[i].high(), 0);
    }
    Value filter = SliceOp::create(b, loc, op.getFilter(), mixed(offsets), mixed(sizes), mixed(steps));
    Value result = convolve(pad(input, low, high), reshape(transpose(reshape(filter, split), order), joined), pads);
    SmallVector<OpFoldResult> known = tensor::getMixedSizes(b, loc, result), apart{known.front()};
    for (int64_t i = 0; i < spatial(); ++i)
      apart.append({known[1 + i], b.getIndexAttr(1)});
    apart.push_back(known.back());
    return ReshapeOp::create(b, loc, result, apart);
  }

  /// [n, q…, (g, i…, f)] -> [n, (q, i)…, (g, f)]
  Value interleave(Value phases) {
    SmallVector<OpFoldResult> known = tensor::getMixedSizes(b, loc, phases), split{known[0]}, joined{known[0]};
    SmallVector<int64_t> order{0};
    for (int64_t i = 0; i < spatial(); ++i)
      split.push_back(known[1 + i]);
    split.push_back(b.getIndexAttr(groups));
    for (int64_t i = 0; i < spatial(); ++i) {
      split.push_back(b.getIndexAttr(strides[i]));
      order.append({1 + i, spatial() + 2 + i});
      joined.push_back(scale(known[1 + i], strides[i]));
    }
    split.push_back(b.getIndexAttr(out));
    order.append({spatial() + 1, 2 * spatial() + 2});
    joined.push_back(b.getIndexAttr(groups * out));
    Value apart = ReshapeOp::create(b, loc, phases, split);
    return ReshapeOp::create(b, loc, transpose(apart, order), joined);
  }

  OpFoldResult scale(OpFoldResult size, int64_t factor) {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return b.getIndexAttr(*known * factor);
    Value by = arith::ConstantIndexOp::create(b, loc, factor);
    return Value(arith::MulIOp::create(b, loc, cast<Value>(size), by));
  }

  /// Takes the padding off; what `output_padding` adds behind the last place is zero.
  Value crop(Value value) {
    auto filter = cast<RankedTensorType>(op.getFilter().getType());
    SmallVector<int64_t> low(spatial() + 2, 0), high(spatial() + 2, 0);
    for (int64_t i = 0; i < spatial(); ++i) {
      low[1 + i] = -op.getPads()[i];
      high[1 + i] =
          filter.getDimSize(2 + i) - taps[i] * strides[i] + op.getOutputPadding()[i] - op.getPads()[spatial() + i];
    }
    return pad(value, low, high);
  }

  ConvTransposeOp op;
  OpBuilder b;
  Location loc;
  ArrayRef<int64_t> strides;
  int64_t groups, in, out; // channels of a group
  SmallVector<int64_t> taps;
};

struct ExpandConvTranspose final : mlc::impl::GraphExpandConvTransposePassBase<ExpandConvTranspose> {
  using GraphExpandConvTransposePassBase::GraphExpandConvTransposePassBase;
  void runOnOperation() override {
    SmallVector<ConvTransposeOp> ops;
    getOperation().walk([&](ConvTransposeOp op) { ops.push_back(op); });
    for (ConvTransposeOp op : ops) {
      if (!isExpandable(op))
        continue;
      Value result = Expansion(op).build();
      if (result.getType() != op.getType()) {
        OpBuilder b(op);
        result = tensor::CastOp::create(b, op.getLoc(), op.getType(), result);
      }
      op.getResult().replaceAllUsesWith(result);
      op.erase();
      ++numExpanded;
    }
  }

  /// Filters that only a run knows are rearranged in each, which pays where there are many pixels; with dilations
  /// phases differ in their taps.
  bool isExpandable(ConvTransposeOp op) const {
    auto isOne = [](int64_t dilation) { return dilation == 1; };
    Operation *filter = op.getFilter().getDefiningOp();
    while (filter && filter->getNumOperands() && isa<GraphDialect>(filter->getDialect()) &&
           llvm::all_of(filter->getOperands(), [](Value value) { return value.getDefiningOp(); }))
      filter = filter->getOperand(0).getDefiningOp();
    return (runtimeFilters || isa_and_present<WeightOp, ConstantOp>(filter)) &&
           llvm::all_of(op.getDilations(), isOne) &&
           cast<RankedTensorType>(op.getFilter().getType()).hasStaticShape() &&
           !cast<RankedTensorType>(op.getInput().getType()).isDynamicDim(1);
  }
};

} // namespace
