//===- Attention.cpp - attention and positions -------------------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// x[N, T, in] @ kernel + bias, as [N, heads, T, size].
mlir::Value project(Call &n, mlir::Value x, StringRef name, int64_t heads, int64_t size) {
  int64_t in = n.knownSize(x, 2, "features");
  std::string prefix = name.str();
  mlir::Value kernel = n.weight(prefix + ".kernel", {in, heads * size}, "init", n.element(x));
  mlir::Value y = n.addBias(n.make<MatMulOp>(x, kernel), heads * size, prefix + ".bias");
  Shape shape = n.shape(x);
  return n.transpose(n.reshape(y, {shape[0], shape[1], n.constantSize(heads), n.constantSize(size)}), {0, 2, 1, 3});
}

/// Where a mask leaves a key out: a large negative number that no sum of scores reaches. A mask may leave out all keys.
constexpr double kHidden = -1e9;

Datum multiHeadAttention(Call &n) {
  mlir::Value x = n.real("x"), kv = n.has("kv") ? n.real("kv") : x;
  n.expectRank(x, 3, "[N, T, features]");
  if (n.rank(kv) != 3 || n.element(kv) != n.element(x))
    n.fail("expected [N, S, features] like " + n.elaborator.describe(x) + ", but got " + n.elaborator.describe(kv),
           "kv");
  int64_t features = n.knownSize(x, 2, "features"), heads = n.integer("heads");
  if (!n.has("dim") && features % heads)
    n.fail("expected " + Twine(features) + " features in " + Twine(heads) + " equal heads", "heads",
           "or give the size of a head as dim=");
  int64_t size = n.has("dim") ? n.integer("dim") : features / heads;
  int64_t out = n.has("units") ? n.integer("units") : features;
  mlir::Value q = project(n, x, "query", heads, size), k = project(n, kv, "key", heads, size),
              v = project(n, kv, "value", heads, size);
  mlir::Value scores = n.make<MatMulOp>(q, n.transpose(k, {0, 1, 3, 2}));
  scores = n.mul(scores, n.scalarLike(scores, 1.0 / std::sqrt(static_cast<double>(size))));
  Shape shape = n.shape(scores);
  if (n.has("mask")) {
    mlir::Value mask = n.tensor("mask");
    if (!n.element(mask).isInteger(1))
      n.fail("expected a tensor of bool, but got " + n.elaborator.describe(mask), "mask",
             "compare it, as in tokens != 0");
    if (n.rank(mask) == 2) // [N, S]: which keys there are
      mask = n.unsqueeze(mask, {1, 2});
    else if (n.rank(mask) == 3) // [N, T, S]
      mask = n.unsqueeze(mask, {1});
    else if (n.rank(mask) != 4)
      n.fail("expected [N, S], [N, T, S] or [N, heads, T, S], but got " + n.elaborator.describe(mask), "mask");
    scores = n.select(mask, scores, n.scalarLike(scores, kHidden));
  }
  // The last one, so that the compiler sees a triangle; every query sees a key, so that its maximum is finite.
  if (n.flag("causal")) {
    Type i64 = n.b.getI64Type();
    mlir::Value rows = n.iota(0, {shape[2], n.constantSize(1)}, i64),
                columns = n.iota(1, {n.constantSize(1), shape[3]}, i64);
    mlir::Value seen = n.compare(CompareDirection::le, columns, rows);
    scores = n.select(seen, scores, n.scalarLike(scores, -std::numeric_limits<double>::infinity()));
  }
  mlir::Value weights = n.make<SoftmaxOp>(scores, 3, false);
  if (n.number("dropout") > 0) {
    Bindings given{{"x", {Datum(weights), n.range}}, {"rate", {Datum(n.number("dropout")), n.range}}};
    auto dropout = std::make_shared<Layer>();
    dropout->builtin = Builtins::get().find("dropout");
    weights = n.elaborator.apply(dropout, std::move(given), n.range).tensor();
  }
  mlir::Value y = n.transpose(n.make<MatMulOp>(weights, v), {0, 2, 1, 3});
  y = n.reshape(y, {shape[0], shape[2], n.constantSize(heads * size)});
  mlir::Value kernel = n.weight("output.kernel", {heads * size, out}, "init", n.element(x));
  return n.addBias(n.make<MatMulOp>(y, kernel), out, "output.bias");
}

/// Row t of a learned table, for every step of x[N, T, …].
Datum positionEmbedding(Call &n) {
  mlir::Value x = n.tensor("x");
  if (n.rank(x) < 2)
    n.fail("expected [N, T, …], but got " + n.elaborator.describe(x), "x");
  int64_t length = n.integer("length"), known = n.type(x).getDimSize(1);
  int64_t dim = n.has("dim") ? n.integer("dim") : n.rank(x) == 3 ? n.knownSize(x, 2, "features") : 0;
  if (!dim)
    n.fail("needs the argument 'dim', where x is not [N, T, features]");
  if (!ShapedType::isDynamic(known) && known > length)
    n.fail("expected at most " + Twine(length) + " steps, but got " + n.elaborator.describe(x), "length");
  Type element = n.isFloat(x) ? n.element(x) : Type(n.b.getF32Type());
  mlir::Value table = n.weight("weight", {length, dim}, "init", element);
  if (known == length)
    return table;
  if (!ShapedType::isDynamic(known))
    return n.sliceAxis(table, 0, n.constantSize(0), n.constantSize(known));
  return n.make<GatherOp>(table, n.iota(0, {n.shape(x)[1]}, n.b.getI64Type()), 0); // checked in the run
}

/// The angles t / 10000^(2 i / dim) of steps t and pairs i: [T, dim / 2].
mlir::Value angles(Call &n, Size steps, int64_t dim, double base, Type element) {
  mlir::Value t = n.iota(0, {steps, n.constantSize(1)}, element),
              i = n.iota(1, {n.constantSize(1), n.constantSize(dim / 2)}, element);
  mlir::Value rates = n.exp(n.mul(i, n.scalar(element, -2.0 * std::log(base) / static_cast<double>(dim))));
  return n.mul(t, rates);
}

Datum sinusoidalEmbedding(Call &n) {
  mlir::Value x = n.real("x");
  n.expectRank(x, 3, "[N, T, features]");
  int64_t dim = n.knownSize(x, 2, "features");
  if (dim % 2)
    n.fail("expected an even number of features, but got " + n.elaborator.describe(x), "x");
  mlir::Value at = angles(n, n.shape(x)[1], dim, n.number("base"), n.element(x));
  // sin and cos alternate
  Shape shape = n.shape(at);
  mlir::Value both = n.concat({n.unsqueeze(n.make<SinOp>(at), {2}), n.unsqueeze(n.make<CosOp>(at), {2})}, 2);
  return n.reshape(both, {shape[0], n.constantSize(dim)});
}

/// Turns the pairs (x_i, x_{i + dim/2}) by their angles; x is [N, …, T, dim].
Datum rotaryEmbedding(Call &n) {
  mlir::Value x = n.real("x");
  int64_t rank = n.rank(x);
  if (rank < 3)
    n.fail("expected [N, …, T, features], but got " + n.elaborator.describe(x), "x");
  int64_t dim = n.knownSize(x, rank - 1, "features");
  if (dim % 2)
    n.fail("expected an even number of features, but got " + n.elaborator.describe(x), "x");
  mlir::Value at = angles(n, n.shape(x)[rank - 2], dim, n.number("base"), n.element(x));
  mlir::Value sine = n.make<SinOp>(at), cosine = n.make<CosOp>(at);
  Size half = n.constantSize(dim / 2);
  mlir::Value a = n.sliceAxis(x, rank - 1, n.constantSize(0), half), b = n.sliceAxis(x, rank - 1, half, half);
  return n.concat({n.sub(n.mul(a, cosine), n.mul(b, sine)), n.add(n.mul(b, cosine), n.mul(a, sine))}, rank - 1);
}

} // namespace

void addAttention(Builtins &all) {
  all.family("Attention and positions");
  all.add(
      "multi_head_attention(x: tensor, heads: count, dim: count|none = none, kv: tensor|none = none, "
      "causal: bool = false, mask: tensor|none = none, units: count|none = none, dropout: rate = 0, "
      "init: initializer = glorot_uniform, bias: initializer|bool|none = zeros)",
      "Scaled dot-product attention of x [N, T, features] on itself or on `kv` [N, S, features]. `dim` is the size of "
      "a head. `causal` lets a step see itself and those before; `mask` is true where a key may be seen: [N, S], "
      "[N, T, S] or [N, heads, T, S]. A query whose keys are all masked takes them alike. Weights `query.kernel`, "
      "`query.bias`, and the same of `key`, `value` and `output`.",
      multiHeadAttention, true);
  all.add("position_embedding(x: tensor, length: count, dim: count|none = none, "
          "init: initializer = uniform(low=-0.05, high=0.05))",
          "The first T rows of `weight` [length, dim], to be added to x [N, T, …].", positionEmbedding, true);
  all.add("sinusoidal_embedding(x: tensor, base: positive = 10000)",
          "Sines and cosines of T steps as [T, features], to be added to x.", sinusoidalEmbedding);
  all.add("rotary_embedding(x: tensor, base: positive = 10000)",
          "Turns pairs of features of x [N, …, T, features] by angles that grow with the step.", rotaryEmbedding);
}

} // namespace mlc::dsl
