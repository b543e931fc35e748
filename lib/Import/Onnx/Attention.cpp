//===- Attention.cpp - Attention and RotaryEmbedding, made of products, softmax and movement ----------------------===//
//
// Attention becomes two matrix products with a softmax in between, as a model that spells it out would have them;
// linalg-form-attention makes one kernel of either. Queries of grouped heads get an axis of their own that keys and
// values broadcast along, so those are never repeated in memory.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// [batch, sequence, heads * size] -> [batch, heads, sequence, size]
Value splitHeads(NodeImporter &n, Value x, int64_t heads) {
  Shape shape = n.shape(x);
  Size count = n.constantSize(heads);
  x = n.reshape(x, {shape[0], shape[1], count, n.sizes.floorDiv(shape[2], count)});
  return n.transpose(x, {0, 2, 1, 3});
}

/// An input of heads: four axes, or three and an attribute that says how many heads there are.
Value headsOf(NodeImporter &n, unsigned i, StringRef attribute) {
  Value x = n.input(i);
  int64_t rank = n.rank(x);
  n.require(rank == 3 || rank == 4, "expected Q, K and V with 3 or 4 axes");
  n.require(rank == n.rank(n.input(0)), "expected Q, K and V of the same rank");
  int64_t heads = n.intAttr(attribute, 0);
  if (rank == 4)
    return x;
  if (heads <= 0)
    n.fail("expected a positive number of heads for inputs with 3 axes", attribute);
  return splitHeads(n, x, heads);
}

/// The scores where `keep`, -inf elsewhere.
Value keepWhere(NodeImporter &n, Value keep, Value scores) {
  return n.select(keep, scores, n.scalarLike(scores, -std::numeric_limits<double>::infinity()));
}

/// Numbers 0, 1, … along one of two axes.
Value places(NodeImporter &n, int64_t axis, Size size) {
  Shape shape(2, n.constantSize(1));
  shape[axis] = size;
  return n.iota(axis, shape, n.b.getI64Type());
}

/// Whether two sizes are known to be the same.
bool isSame(Size lhs, Size rhs) {
  auto left = getConstant(lhs), right = getConstant(rhs);
  return lhs == rhs || (left && right && *left == *right);
}

struct Attention final {
  NodeImporter &n;
  Value query, key, value; ///< [batch, heads, sequence, size]
  Size heads, groups;      ///< of queries; of keys and values
  bool isGrouped = false;  ///< whether queries have an axis for the heads of a group
  Size pastLength;

  explicit Attention(NodeImporter &n) : n(n), pastLength(n.constantSize(0)) {
    query = headsOf(n, 0, "q_num_heads");
    key = headsOf(n, 1, "kv_num_heads");
    value = headsOf(n, 2, "kv_num_heads");
    n.require(n.hasInput(4) == n.hasInput(5), "expected past_key and past_value together");
    if (Value past = n.optionalInput(4)) {
      pastLength = n.shape(past)[2];
      key = n.concat({past, key}, 2);
      value = n.concat({n.input(5), value}, 2);
    }
    heads = n.shape(query)[1];
    groups = n.shape(key)[1];
    isGrouped = !isSame(heads, groups);
  }

  /// [batch, heads, …] -> [batch, groups, heads of a group, …]
  Value group(Value x, Size count) {
    if (!isGrouped)
      return x;
    Shape shape = n.shape(x), split{shape[0], count, n.sizes.floorDiv(shape[1], count)};
    split.append(shape.begin() + 2, shape.end());
    return n.reshape(x, split);
  }

  /// The other way round.
  Value ungroup(Value x) {
    if (!isGrouped)
      return x;
    Shape shape = n.shape(x), joined{shape[0], heads};
    joined.append(shape.begin() + 3, shape.end());
    return n.reshape(x, joined);
  }

  /// Query times key, scaled. Halves are scaled before the product, which might overflow.
  Value scores() {
    Type element = n.element(query);
    Value scale;
    if (std::optional<double> given = n.optionalFloat("scale"))
      scale = n.scalar(element, *given);
    else
      scale = n.div(n.scalar(element, 1), n.sqrt(n.fromSize(n.shape(query)[3], element)));
    bool isHalf = element.isF16() || element.isBF16();
    Value lhs = query, rhs = key;
    if (isHalf) {
      Value root = n.sqrt(scale);
      lhs = n.mul(lhs, root);
      rhs = n.mul(rhs, root);
    }
    lhs = group(lhs, groups);
    rhs = group(rhs, groups);
    rhs = isGrouped ? n.transpose(rhs, {0, 1, 2, 4, 3}) : n.transpose(rhs, {0, 1, 3, 2});
    Value product = n.make<MatMulOp>(lhs, rhs);
    return isHalf ? product : n.mul(product, scale);
  }

  /// A mask for scores, with the axes that they have; its last one may be shorter than theirs.
  Value alignMask(Value mask) {
    n.require(n.rank(mask) >= 2 && n.rank(mask) <= 4, "expected attn_mask with 2, 3 or 4 axes");
    bool isBool = n.element(mask).isInteger(1);
    int64_t last = n.rank(mask) - 1;
    Size length = n.shape(key)[2], own = n.shape(mask)[last];
    if (!isSame(length, own)) {
      Shape low(last + 1, n.constantSize(0)), high(low);
      high[last] = n.sizes.sub(length, own);
      Value fill = n.scalarLike(mask, isBool ? 0 : -std::numeric_limits<double>::infinity());
      mask = n.pad(PadMode::constant, mask, fill, low, high);
    }
    if (!isGrouped || n.rank(mask) == 2)
      return mask;
    // The axis of heads becomes those of groups and of the heads of a group.
    Shape shape = n.shape(mask);
    int64_t axis = n.rank(mask) - 3;
    if (getConstant(shape[axis]) == 1)
      return n.unsqueeze(mask, axis);
    shape[axis] = heads;
    mask = n.expand(mask, shape);
    shape[axis] = groups;
    shape.insert(shape.begin() + axis + 1, n.sizes.floorDiv(heads, groups));
    return n.reshape(mask, shape);
  }

  Value masked(Value scores) {
    if (Value mask = n.optionalInput(3)) {
      mask = alignMask(mask);
      if (n.element(mask).isInteger(1))
        scores = keepWhere(n, mask, scores);
      else
        scores = n.add(scores, n.cast(mask, n.element(scores)));
    }
    Size length = n.shape(key)[2];
    if (n.intAttr("is_causal", 0)) {
      Value row = n.add(places(n, 0, n.shape(query)[2]), n.fromSize(pastLength, n.b.getI64Type()));
      scores = keepWhere(n, n.compare(CompareDirection::le, places(n, 1, length), row), scores);
    }
    if (Value lengths = n.optionalInput(6)) {
      n.require(n.rank(lengths) == 1, "expected nonpad_kv_seqlen with one number a batch");
      Ints axes;
      for (int64_t axis = 1; axis < n.rank(scores); ++axis)
        axes.push_back(axis);
      Value limit = n.unsqueeze(lengths, axes);
      scores = keepWhere(n, n.compare(CompareDirection::lt, places(n, 1, length), limit), scores);
    }
    return scores;
  }
};

Values attention(NodeImporter &n) {
  Attention a(n);
  Type element = n.element(a.query);
  int64_t mode = n.intAttr("qk_matmul_output_mode", 0), precision = n.intAttr("softmax_precision", 0);
  if (mode < 0 || mode > 3)
    n.fail("expected a number from 0 to 3", "qk_matmul_output_mode");
  double cap = n.floatAttr("softcap", 0);
  Value scores = a.scores(), shown = scores;
  if (cap > 0) {
    Value limit = n.scalarLike(scores, cap);
    scores = n.mul(n.make<TanhOp>(n.div(scores, limit)), limit);
  }
  if (mode == 1)
    shown = scores;
  scores = a.masked(scores);
  if (mode == 2)
    shown = scores;
  if (precision)
    scores = n.cast(scores, n.elementType(precision));
  Value weights = n.make<SoftmaxOp>(scores, static_cast<uint64_t>(n.rank(scores) - 1), /*log=*/false);
  weights = n.cast(weights, n.element(a.value));
  if (mode == 3)
    shown = n.cast(weights, element);
  Value y = n.cast(n.make<MatMulOp>(weights, a.group(a.value, a.groups)), element);
  if (n.rank(n.input(0)) == 3) {
    y = a.isGrouped ? n.transpose(y, {0, 3, 1, 2, 4}) : n.transpose(y, {0, 2, 1, 3});
    Shape shape = n.shape(y);
    y = n.reshape(y, {shape[0], shape[1], n.sizes.mul(a.heads, shape.back())});
  } else {
    y = a.ungroup(y);
  }
  return {y, a.key, a.value, n.hasOutput(3) ? a.ungroup(shown) : Value()};
}

/// Pairs (a, b) of the first elements of every head become (a·cos - b·sin, a·sin + b·cos).
Values rotaryEmbedding(NodeImporter &n) {
  Value input = n.input(0), x = input, cosine = n.input(1), sine = n.input(2);
  int64_t heads = n.intAttr("num_heads", 0), rank = n.rank(x);
  bool isInterleaved = n.intAttr("interleaved", 0);
  n.require(rank == 3 || rank == 4, "expected an input with 3 or 4 axes");
  if (rank == 3) {
    if (heads <= 0)
      n.fail("expected a positive number of heads for an input with 3 axes", "num_heads");
    x = splitHeads(n, x, heads);
  }
  Shape shape = n.shape(x);
  int64_t size = n.intAttr("rotary_embedding_dim", 0);
  Size rotated = size > 0 ? n.constantSize(size) : shape[3], half = n.sizes.floorDiv(rotated, n.constantSize(2));
  if (Value ids = n.optionalInput(3)) {
    cosine = n.make<GatherOp>(cosine, ids, uint64_t{0});
    sine = n.make<GatherOp>(sine, ids, uint64_t{0});
  }
  n.require(n.rank(cosine) == 3 && n.rank(sine) == 3, "expected cosines and sines of every batch and place");
  cosine = n.unsqueeze(cosine, 1);
  sine = n.unsqueeze(sine, 1);
  Value first, second;
  Size zero = n.constantSize(0), one = n.constantSize(1), two = n.constantSize(2);
  if (isInterleaved) {
    Shape sizes(shape), steps(4, one);
    sizes[3] = half;
    steps[3] = two;
    first = n.slice(x, {zero, zero, zero, zero}, sizes, steps);
    second = n.slice(x, {zero, zero, zero, one}, sizes, steps);
  } else {
    first = n.sliceAxis(x, 3, zero, half);
    second = n.sliceAxis(x, 3, half, half);
  }
  Value real = n.sub(n.mul(first, cosine), n.mul(second, sine));
  Value imaginary = n.add(n.mul(first, sine), n.mul(second, cosine));
  Value y;
  if (isInterleaved) {
    y = n.concat({n.unsqueeze(real, 4), n.unsqueeze(imaginary, 4)}, 4);
    Shape joined(shape);
    joined[3] = rotated;
    y = n.reshape(y, joined);
  } else {
    y = n.concat({real, imaginary}, 3);
  }
  if (!isSame(rotated, shape[3]))
    y = n.concat({y, n.sliceAxis(x, 3, rotated, n.sizes.sub(shape[3], rotated))}, 3);
  if (rank == 3)
    y = n.reshape(n.transpose(y, {0, 2, 1, 3}), n.shape(input));
  return {y};
}

} // namespace

void registerAttention(Registry &r) {
  r.add("Attention", 23, attention);
  r.add("RotaryEmbedding", 23, rotaryEmbedding);
}

} // namespace mlc::onnximport
