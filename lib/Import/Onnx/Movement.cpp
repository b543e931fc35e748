//===- Movement.cpp - Reshape and its kin, Concat, Split, Slice, Tile, Pad, depth and space ----------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// 0 copies a size (unless `allowzero`), -1 is what is left.
Values reshape(NodeImporter &n) {
  Value x = n.input(0);
  Shape wanted = n.sizesFrom(n.input(1), "the shape", n.declaredRank(0)), old = n.shape(x), result;
  bool allowZero = n.intAttr("allowzero", 0);
  std::optional<size_t> inferred;
  for (auto [i, size] : llvm::enumerate(wanted)) {
    std::optional<int64_t> known = getConstant(size);
    if (known == -1) {
      n.require(!inferred, "expected at most one -1 in the shape");
      inferred = i;
      result.push_back(n.constantSize(1));
    } else if (known == 0 && !allowZero) {
      n.require(i < old.size(), "a 0 in the shape copies a size that the input does not have");
      result.push_back(old[i]);
    } else if (!known && !allowZero && i < old.size() && !isNeverNegative(size)) {
      result.push_back(n.sizes.selectIfZero(size, old[i], size));
    } else {
      n.require(!known || *known >= 0, "expected sizes of at least -1");
      result.push_back(size);
    }
  }
  if (inferred) {
    // Sizes that stand on both sides cancel, so that a zero-size batch keeps its meaning.
    Shape numerator(old), denominator;
    for (auto [i, size] : llvm::enumerate(result)) {
      if (i == *inferred)
        continue;
      auto same = llvm::find(numerator, size);
      if (same != numerator.end())
        numerator.erase(same);
      else
        denominator.push_back(size);
    }
    Size divisor = n.sizes.product(denominator);
    if (getConstant(divisor) == 0)
      n.fail("cannot infer a size beside a size of 0");
    result[*inferred] = n.sizes.floorDiv(n.sizes.product(numerator), n.sizes.max(divisor, n.constantSize(1)));
  } else if (llvm::any_of(result, [](Size size) { return !isNeverNegative(size); })) {
    // A size that is known at run time only may be -1, unless it is some tensor's.
    Size rest = n.constantSize(1);
    for (Size size : result)
      rest = n.sizes.mul(rest, n.sizes.max(size, n.constantSize(1)));
    Size share = n.sizes.floorDiv(n.sizes.product(old), rest);
    for (Size &size : result)
      if (!isNeverNegative(size))
        size = n.sizes.selectIfZero(n.sizes.add(size, n.constantSize(1)), share, size);
  }
  return {n.reshape(x, result)};
}

Values flatten(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x), axis = n.intAttr("axis", 1);
  axis = axis == rank ? rank : n.axis(axis, std::max<int64_t>(rank, 1));
  Shape shape = n.shape(x);
  ArrayRef<Size> all(shape);
  return {n.reshape(x, {n.sizes.product(all.take_front(axis)), n.sizes.product(all.drop_front(axis))})};
}

Values transpose(NodeImporter &n) {
  Value x = n.input(0);
  Ints permutation(n.rank(x));
  std::iota(permutation.rbegin(), permutation.rend(), 0);
  return {n.transpose(x, n.intsAttr("perm").value_or(permutation))};
}

Values concat(NodeImporter &n) {
  Values inputs = n.inputs();
  std::optional<int64_t> axis = n.optionalInt("axis");
  n.require(axis.has_value(), "requires an axis");
  return {n.concat(inputs, n.axis(*axis, n.rank(inputs[0])))};
}

/// Axes as an attribute (before opset 13) or a constant input, sorted.
std::optional<Ints> axesOf(NodeImporter &n, int64_t since, int64_t rank) {
  std::optional<Ints> axes;
  if (n.opset < since) {
    axes = n.intsAttr("axes");
  } else if (n.hasInput(1)) {
    axes = n.knownInts(n.input(1));
    if (!axes)
      n.unsupported("axes that are known only at run time", "make the axes a constant");
  }
  if (!axes)
    return std::nullopt;
  for (int64_t &axis : *axes)
    axis = n.axis(axis, rank, "axes");
  llvm::sort(*axes);
  n.require(std::adjacent_find(axes->begin(), axes->end()) == axes->end(), "expected axes that differ");
  return axes;
}

/// Whether the axes are an input that is known only at run time.
bool hasRunTimeAxes(NodeImporter &n) { return n.opset >= 13 && n.hasInput(1) && !n.knownInts(n.input(1)); }

/// The number of axes in a list.
int64_t countOfAxes(NodeImporter &n, Value axes, std::optional<int64_t> otherwise) {
  RankedTensorType type = n.type(axes);
  n.require(type.getRank() <= 1, "expected a list of axes");
  if (type.getRank() == 0)
    return 1;
  if (!type.isDynamicDim(0))
    return type.getDimSize(0);
  if (!otherwise)
    n.unsupported("the number of axes is known only at run time, so the rank of the result is not known",
                  "declare the shape of the node's output in the model");
  return *otherwise;
}

Values squeeze(NodeImporter &n) {
  Value x = n.input(0);
  if (hasRunTimeAxes(n)) {
    int64_t rank = n.rank(x);
    std::optional<int64_t> declared = n.declaredRank(0);
    int64_t dropped = countOfAxes(n, n.input(1), declared ? std::optional(rank - *declared) : std::nullopt);
    n.require(dropped >= 0 && dropped <= rank, "expected at most as many axes as the input has");
    return {n.reshape(x, n.sizesWithout(n.shape(x), n.axisMask(n.input(1), rank), rank - dropped))};
  }
  std::optional<Ints> axes = axesOf(n, 13, n.rank(x));
  Shape shape = n.shape(x), result;
  for (auto [axis, size] : llvm::enumerate(shape)) {
    std::optional<int64_t> known = getConstant(size);
    if (!axes && !known)
      n.unsupported("which axes have size 1 is known only at run time", "name the axes");
    bool drop = axes ? llvm::is_contained(*axes, static_cast<int64_t>(axis)) : *known == 1;
    if (drop && known && *known != 1)
      n.fail("expected size 1 in axis " + Twine(axis) + ", but got " + Twine(*known));
    if (!drop)
      result.push_back(size);
  }
  return {n.reshape(x, result)};
}

Values unsqueeze(NodeImporter &n) {
  Value x = n.input(0);
  if (hasRunTimeAxes(n)) {
    std::optional<int64_t> declared = n.declaredRank(0);
    int64_t added = countOfAxes(n, n.input(1), declared ? std::optional(*declared - n.rank(x)) : std::nullopt);
    n.require(added >= 0, "expected a result of at least the input's rank");
    return {n.reshape(x, n.sizesAround(n.shape(x), n.axisMask(n.input(1), n.rank(x) + added)))};
  }
  int64_t added = n.opset < 13 ? n.intsAttr("axes").value_or(Ints()).size() : countOfAxes(n, n.input(1), std::nullopt);
  std::optional<Ints> axes = axesOf(n, 13, n.rank(x) + added);
  n.require(axes.has_value(), "requires axes");
  return {n.unsqueeze(x, *axes)};
}

Values expand(NodeImporter &n) {
  Value x = n.input(0);
  Shape wanted, old = n.shape(x);
  if (std::optional<int64_t> declared = n.declaredRank(0))
    wanted = n.sizesUpTo(n.input(1), "the shape", *declared, 1, /*atFront=*/true);
  else
    wanted = n.sizesFrom(n.input(1), "the shape");
  // Both broadcast: a size of 1 in the shape keeps the input's.
  size_t rank = std::max(wanted.size(), old.size());
  Shape target;
  for (size_t i = 0; i < rank; ++i) {
    Size one = n.constantSize(1);
    Size from = i + old.size() < rank ? one : old[i + old.size() - rank],
         to = i + wanted.size() < rank ? one : wanted[i + wanted.size() - rank];
    FailureOr<Size> both = n.sizes.broadcast(from, to);
    if (failed(both))
      n.fail("cannot broadcast size " + Twine(*getConstant(from)) + " to " + Twine(*getConstant(to)));
    target.push_back(*both);
  }
  return {n.expand(x, target)};
}

Values splitAt(NodeImporter &n, Value x, int64_t axis, ArrayRef<Size> parts) {
  Values results;
  Size offset = n.constantSize(0);
  for (Size part : parts) {
    results.push_back(n.sliceAxis(x, axis, offset, part));
    offset = n.sizes.add(offset, part);
  }
  return results;
}

Values split(NodeImporter &n) {
  Value x = n.input(0);
  int64_t axis = n.axis(n.intAttr("axis", 0), n.rank(x)), count = n.node.output_size();
  Size size = n.shape(x)[axis];
  Shape parts;
  if (n.opset < 13) {
    for (int64_t part : n.intsAttr("split").value_or(Ints()))
      parts.push_back(n.constantSize(part));
  } else if (n.hasInput(1)) {
    parts = n.sizesFrom(n.input(1), "split", count);
  }
  if (n.opset >= 18)
    if (std::optional<int64_t> wanted = n.optionalInt("num_outputs"))
      n.require(*wanted == count, "expected num_outputs to be the number of outputs");
  if (parts.empty()) {
    // Equal parts; the last one is smaller where the size is no multiple.
    Size part = n.sizes.ceilDiv(size, n.constantSize(count)), left = size;
    if (std::optional<int64_t> known = getConstant(size); known && n.opset < 18)
      n.require(*known % count == 0,
                "cannot split a size of " + Twine(*known) + " into " + Twine(count) + " equal parts");
    for (int64_t i = 0; i < count; ++i) {
      Size here = i + 1 == count ? left : n.sizes.min(part, left);
      parts.push_back(here);
      left = n.sizes.sub(left, here);
    }
  }
  n.require(static_cast<int64_t>(parts.size()) == count, "expected one size an output");
  int64_t total = 0;
  bool known = getConstant(size).has_value();
  for (Size part : parts) {
    std::optional<int64_t> value = getConstant(part);
    known &= value.has_value();
    n.require(!value || *value >= 0, "expected sizes that are not negative");
    total += value.value_or(0);
  }
  n.require(!known || total == *getConstant(size), "the parts do not add up to the size of the axis");
  return splitAt(n, x, axis, parts);
}

/// Arithmetic on index values; constants fold as they are built.
struct IndexMath final {
  NodeImporter &n;
  Value of(int64_t value) { return arith::ConstantIndexOp::create(n.b, n.loc, value); }
  Value of(Size size) { return n.indexValue(size); }
  Value add(Value x, Value y) { return n.b.createOrFold<arith::AddIOp>(n.loc, x, y); }
  Value sub(Value x, Value y) { return n.b.createOrFold<arith::SubIOp>(n.loc, x, y); }
  Value max(Value x, Value y) { return of(n.sizes.max(n.foldIndex(x), n.foldIndex(y))); }
  Value min(Value x, Value y) { return of(n.sizes.min(n.foldIndex(x), n.foldIndex(y))); }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) {
    return n.b.createOrFold<arith::CmpIOp>(n.loc, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) { return n.b.createOrFold<arith::SelectOp>(n.loc, condition, x, y); }
  /// x / y rounded up, for y > 0.
  Value ceilDiv(Value x, Value y) {
    Size result = n.sizes.ceilDiv(n.foldIndex(x), n.foldIndex(y));
    return n.indexValue(result);
  }
};

/// For each axis of `rank`, the entry of `values` that `axes` gives to it, or `otherwise[axis]`.
Shape byAxis(NodeImporter &n, ArrayRef<Size> values, ArrayRef<Size> axes, ArrayRef<Size> otherwise) {
  int64_t rank = otherwise.size();
  Shape result(otherwise);
  n.require(values.size() == axes.size(),
            "expected one entry for each of the " + Twine(axes.size()) + " axes, but got " + Twine(values.size()));
  for (auto [value, axis] : llvm::zip(values, axes)) {
    if (std::optional<int64_t> known = getConstant(axis)) {
      result[n.axis(*known, rank, "axes")] = value;
      continue;
    }
    for (int64_t i = 0; i < rank; ++i) {
      Size same = n.sizes.selectIfZero(n.sizes.sub(axis, n.constantSize(i)), value, result[i]);
      result[i] = n.sizes.selectIfZero(n.sizes.sub(axis, n.constantSize(i - rank)), value, same);
    }
  }
  return result;
}

/// What stands for an axis that is not there: byAxis matches it with none.
constexpr int64_t kNoAxis = int64_t(1) << 40;

/// The axes of an optional input, or the first ones; as many as `list` has, or where that is not known, `rank`.
Shape axesInput(NodeImporter &n, unsigned i, Value list, int64_t rank) {
  if (n.hasInput(i))
    return n.sizesUpTo(n.input(i), "axes", rank, kNoAxis);
  RankedTensorType type = n.type(list);
  if (type.getRank() == 1 && type.isDynamicDim(0))
    return n.sizesUpTo(n.iota(0, n.shape(list), n.b.getI64Type()), "axes", rank, kNoAxis);
  Shape axes;
  for (int64_t axis = 0; axis < (type.getRank() ? type.getDimSize(0) : 1); ++axis)
    axes.push_back(n.constantSize(axis));
  return axes;
}

/// Exporters write numbers from this one on for "to the end"; no axis is so long.
constexpr int64_t kToTheEnd = 1000000000;

/// Slices with starts and ends clamped to the axis, for steps of either sign.
Value sliceClamped(NodeImporter &n, Value x, ArrayRef<Size> starts, ArrayRef<Size> ends, ArrayRef<Size> steps,
                   ArrayRef<bool> touched) {
  using P = arith::CmpIPredicate;
  IndexMath m{n};
  Shape offsets, extents, shape = n.shape(x);
  for (size_t i = 0; i < shape.size(); ++i) {
    std::optional<int64_t> knownStart = getConstant(starts[i]), knownEnd = getConstant(ends[i]);
    bool isWhole =
        knownStart == 0 && getConstant(steps[i]) == 1 && (ends[i] == shape[i] || (knownEnd && *knownEnd >= kToTheEnd));
    if (!touched[i] || isWhole) {
      offsets.push_back(n.constantSize(0));
      extents.push_back(shape[i]);
      continue;
    }
    if (getConstant(steps[i]) == 0)
      n.fail("expected steps that are not zero");
    Value size = m.of(shape[i]), zero = m.of(int64_t(0)), one = m.of(int64_t(1)), minusOne = m.of(int64_t(-1)),
          step = m.of(steps[i]);
    Value backward = m.compare(P::slt, step, zero);
    auto wrap = [&](Value value) { return m.select(m.compare(P::slt, value, zero), m.add(value, size), value); };
    // Forward: start and end in [0, size]; backward: start in [-1, size - 1], end in [-1, size - 1].
    Value low = m.select(backward, minusOne, zero), high = m.select(backward, m.sub(size, one), size);
    Value start = m.min(m.max(wrap(m.of(starts[i])), low), high);
    Value end = m.min(m.max(wrap(m.of(ends[i])), low), high);
    Value distance = m.select(backward, m.sub(start, end), m.sub(end, start));
    Value stride = m.max(m.select(backward, m.sub(zero, step), step), one);
    Value count = m.max(m.ceilDiv(distance, stride), zero);
    offsets.push_back(n.foldIndex(m.max(start, zero)));
    extents.push_back(n.foldIndex(count));
  }
  return n.slice(x, offsets, extents, steps);
}

Values slice(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  Shape starts, ends, axes, steps;
  if (n.opset < 10) {
    auto list = [&](llvm::StringRef name) {
      Shape result;
      for (int64_t value : n.intsAttr(name).value_or(Ints()))
        result.push_back(n.constantSize(value));
      return result;
    };
    starts = list("starts");
    ends = list("ends");
    axes = list("axes");
    if (axes.empty())
      for (size_t i = 0; i < starts.size(); ++i)
        axes.push_back(n.constantSize(i));
  } else {
    starts = n.sizesUpTo(n.input(1), "starts", rank, 0);
    ends = n.sizesUpTo(n.input(2), "ends", rank, 0);
    axes = axesInput(n, 3, n.input(1), rank);
    if (n.hasInput(4))
      steps = n.sizesUpTo(n.input(4), "steps", rank, 1);
  }
  if (steps.empty())
    steps.assign(starts.size(), n.constantSize(1));
  n.require(static_cast<int64_t>(starts.size()) <= rank, "more starts than axes");
  SmallVector<bool> touched(rank, llvm::any_of(axes, [](Size axis) { return !getConstant(axis); }));
  for (Size axis : axes)
    if (std::optional<int64_t> known = getConstant(axis))
      touched[n.axis(*known, rank, "axes")] = true;
  Shape zeros(rank, n.constantSize(0)), ones(rank, n.constantSize(1)), shape = n.shape(x);
  return {sliceClamped(n, x, byAxis(n, starts, axes, zeros), byAxis(n, ends, axes, shape), byAxis(n, steps, axes, ones),
                       touched)};
}

/// [r0 x s0, r1 x s1, …]: expand [1, s0, 1, s1, …], then join pairs.
Values tile(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  Shape repeats = n.sizesFrom(n.input(1), "repeats", rank), shape = n.shape(x), apart, wide, joined;
  n.require(static_cast<int64_t>(repeats.size()) == rank, "expected one repeat an axis");
  for (int64_t i = 0; i < rank; ++i) {
    std::optional<int64_t> known = getConstant(repeats[i]);
    n.require(!known || *known >= 0, "expected repeats that are not negative");
    apart.append({n.constantSize(1), shape[i]});
    wide.append({repeats[i], shape[i]});
    joined.push_back(n.sizes.mul(repeats[i], shape[i]));
  }
  return {n.reshape(n.expand(n.reshape(x, apart), wide), joined)};
}

Values pad(NodeImporter &n) {
  Value x = n.input(0), fill;
  int64_t rank = n.rank(x);
  std::string mode = n.stringAttr("mode", "constant");
  Shape low, high;
  if (n.opset < 11) {
    Ints pads = n.intsAttr("pads").value_or(Ints());
    n.require(static_cast<int64_t>(pads.size()) == 2 * rank, "expected two pads an axis");
    for (int64_t i = 0; i < rank; ++i) {
      low.push_back(n.constantSize(pads[i]));
      high.push_back(n.constantSize(pads[rank + i]));
    }
    fill = n.scalarLike(x, n.floatAttr("value", 0));
  } else {
    // The first half of the list is for below, the second for above.
    Value pads = n.input(1);
    n.require(n.rank(pads) == 1, "expected pads to be a list");
    Size half = n.sizes.floorDiv(n.shape(pads)[0], n.constantSize(2));
    if (std::optional<int64_t> length = getConstant(n.shape(pads)[0]))
      n.require(*length % 2 == 0, "expected two pads an axis");
    Value below = n.sliceAxis(pads, 0, n.constantSize(0), half), above = n.sliceAxis(pads, 0, half, half);
    Shape axes = axesInput(n, 3, below, rank), zeros(rank, n.constantSize(0));
    low = byAxis(n, n.sizesUpTo(below, "pads", rank, 0), axes, zeros);
    high = byAxis(n, n.sizesUpTo(above, "pads", rank, 0), axes, zeros);
    fill = n.hasInput(2) ? n.asScalar(n.input(2)) : n.scalarLike(x, 0);
  }
  if (mode == "constant")
    return {n.pad(PadMode::constant, x, fill, low, high)};
  if (mode != "reflect" && mode != "edge" && mode != "wrap")
    n.fail("expected constant, reflect, edge or wrap, but got '" + mode + "'", "mode");
  return {n.pad(*symbolizePadMode(mode), x, Value(), low, high)};
}

/// [N, C, H, W] with blocks of b: DCR splits the channels as [b, b, C'], CRD as [C', b, b].
Values depthToSpace(NodeImporter &n) {
  Value x = n.input(0);
  n.require(n.rank(x) == 4, "expected rank 4");
  std::string mode = n.stringAttr("mode", "DCR");
  n.require(mode == "DCR" || mode == "CRD", "expected mode DCR or CRD, but got '" + mode + "'");
  int64_t block = n.intAttr("blocksize", 0);
  n.require(block > 0, "expected a positive blocksize");
  Shape s = n.shape(x);
  Size b = n.constantSize(block), depth = n.sizes.floorDiv(s[1], n.constantSize(block * block));
  if (auto known = getConstant(s[1]))
    n.require(*known % (block * block) == 0, "expected channels that are a multiple of blocksize²");
  Value y;
  if (mode == "DCR")
    y = n.transpose(n.reshape(x, {s[0], b, b, depth, s[2], s[3]}), {0, 3, 4, 1, 5, 2});
  else
    y = n.transpose(n.reshape(x, {s[0], depth, b, b, s[2], s[3]}), {0, 1, 4, 2, 5, 3});
  return {n.reshape(y, {s[0], depth, n.sizes.mul(s[2], b), n.sizes.mul(s[3], b)})};
}

Values spaceToDepth(NodeImporter &n) {
  Value x = n.input(0);
  n.require(n.rank(x) == 4, "expected rank 4");
  std::string mode = n.stringAttr("mode", "DCR");
  n.require(mode == "DCR" || mode == "CRD", "expected mode DCR or CRD, but got '" + mode + "'");
  int64_t block = n.intAttr("blocksize", 0);
  n.require(block > 0, "expected a positive blocksize");
  Shape s = n.shape(x);
  Size b = n.constantSize(block), height = n.sizes.floorDiv(s[2], b), width = n.sizes.floorDiv(s[3], b);
  for (int axis : {2, 3})
    if (auto known = getConstant(s[axis]))
      n.require(*known % block == 0, "expected spatial sizes that are multiples of blocksize");
  Value apart = n.reshape(x, {s[0], s[1], height, b, width, b});
  Value y = mode == "DCR" ? n.transpose(apart, {0, 3, 5, 1, 2, 4}) : n.transpose(apart, {0, 1, 3, 5, 2, 4});
  return {n.reshape(y, {s[0], n.sizes.mul(s[1], n.constantSize(block * block)), height, width})};
}

} // namespace

void registerMovement(Registry &r) {
  r.add("Reshape", 5, reshape);
  r.add("Flatten", 1, flatten);
  r.add("Transpose", 1, transpose);
  r.add("Concat", 4, concat);
  r.add("Squeeze", 1, squeeze);
  r.add("Unsqueeze", 1, unsqueeze);
  r.add("Expand", 8, expand);
  r.add("Split", 2, split);
  r.add("Slice", 1, slice);
  r.add("Tile", 6, tile);
  r.add("Pad", 2, pad);
  r.add("DepthToSpace", 1, depthToSpace);
  r.add("SpaceToDepth", 1, spaceToDepth);
}

} // namespace mlc::onnximport
