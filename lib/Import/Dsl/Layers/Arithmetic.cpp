//===- Arithmetic.cpp - functions of elements, and reductions ----------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

template <typename Op> Datum real(Call &n) { return n.make<Op>(n.real("x")); }

mlir::Value numeric(Call &n, StringRef name) {
  mlir::Value x = n.tensor(name);
  if (n.element(x).isInteger(1))
    n.fail("expected a tensor of numbers, but got " + n.elaborator.describe(x), name, "convert it with cast(x, f32)");
  return x;
}

template <typename Op> Datum number(Call &n) { return n.make<Op>(numeric(n, "x")); }

Datum rsqrt(Call &n) {
  mlir::Value x = n.real("x");
  return n.div(n.scalarLike(x, 1), n.sqrt(x));
}

/// An operand that may be a number: of the other's element type.
mlir::Value operand(Call &n, StringRef name, Type element) {
  if (mlir::Value x = n.tensor(name)) {
    if (n.element(x) != element)
      n.fail("expected " + nameOf(element) + ", but got " + n.elaborator.describe(x), name, "convert it with cast");
    return x;
  }
  if (!isa<FloatType>(element) && !n.value(name).integer())
    n.fail("expected a whole number beside a tensor of " + nameOf(element), name);
  return n.scalar(element, n.number(name));
}

template <typename Op> Datum pair(Call &n) {
  mlir::Value like = n.tensor("a") ? n.tensor("a") : n.tensor("b");
  if (!like)
    n.fail("expected a tensor for one of both");
  if (n.element(like).isInteger(1))
    n.fail("expected tensors of numbers");
  return n.make<Op>(operand(n, "a", n.element(like)), operand(n, "b", n.element(like)));
}

Datum clip(Call &n) {
  mlir::Value x = numeric(n, "x");
  return n.minimum(n.maximum(x, operand(n, "low", n.element(x))), operand(n, "high", n.element(x)));
}

Datum where(Call &n) {
  mlir::Value condition = n.tensor("condition"), like = n.tensor("a") ? n.tensor("a") : n.tensor("b");
  if (!n.element(condition).isInteger(1))
    n.fail("expected a tensor of bool, but got " + n.elaborator.describe(condition), "condition",
           "compare it, as in x > 0");
  Type element = like ? n.element(like) : n.b.getF32Type();
  return n.select(condition, operand(n, "a", element), operand(n, "b", element));
}

template <ReduceKind kind> Datum reduce(Call &n) {
  mlir::Value x = numeric(n, "x");
  return n.reduce(kind, x, n.axes("axis", n.rank(x)), n.flag("keepdims"));
}

/// Over `axes`, which stay with size 1 when `keep`.
mlir::Value meanOf(Call &n, mlir::Value x, ArrayRef<int64_t> axes, bool keep) {
  Shape shape = n.shape(x), reduced;
  for (int64_t axis : axes)
    reduced.push_back(shape[axis]);
  return n.div(n.reduce(ReduceKind::sum, x, axes, keep), n.fromSize(n.sizes.product(reduced), n.element(x)));
}

Datum mean(Call &n) {
  mlir::Value x = n.real("x");
  return meanOf(n, x, n.axes("axis", n.rank(x)), n.flag("keepdims"));
}

Datum variance(Call &n) {
  mlir::Value x = n.real("x");
  Ints axes = n.axes("axis", n.rank(x));
  mlir::Value centered = n.sub(x, meanOf(n, x, axes, true));
  return meanOf(n, n.mul(centered, centered), axes, n.flag("keepdims"));
}

Datum logSumExp(Call &n) {
  mlir::Value x = n.real("x");
  Ints axes = n.axes("axis", n.rank(x));
  mlir::Value top = n.reduce(ReduceKind::max, x, axes, true);
  mlir::Value y = n.add(n.log(n.reduce(ReduceKind::sum, n.exp(n.sub(x, top)), axes, true)), top);
  return n.flag("keepdims") ? y : n.reduce(ReduceKind::sum, y, axes, false); // of one element each
}

template <ReduceKind kind> Datum argReduce(Call &n) {
  mlir::Value x = numeric(n, "x");
  return n.make<ArgReduceOp>(kind, x, static_cast<uint64_t>(n.axisOf("axis", n.rank(x))), n.flag("keepdims"), false);
}

Datum cumulate(Call &n) {
  mlir::Value x = numeric(n, "x");
  return n.make<CumulateOp>(ReduceKind::sum, x, static_cast<uint64_t>(n.axisOf("axis", n.rank(x))), false, false);
}

Datum matmul(Call &n) {
  mlir::Value a = n.tensor("a"), b = n.tensor("b");
  return n.make<MatMulOp>(a, b);
}

} // namespace

void addArithmetic(Builtins &all) {
  all.family("Functions of elements");
  all.add("exp(x: tensor)", "The exponential.", real<ExpOp>);
  all.add("log(x: tensor)", "The natural logarithm.", real<LogOp>);
  all.add("log1p(x: tensor)", "log(1 + x), exact for small x", real<Log1POp>);
  all.add("sqrt(x: tensor)", "The square root.", real<SqrtOp>);
  all.add("rsqrt(x: tensor)", "1 / sqrt(x)", rsqrt);
  all.add("sin(x: tensor)", "The sine.", real<SinOp>);
  all.add("cos(x: tensor)", "The cosine.", real<CosOp>);
  all.add("tan(x: tensor)", "The tangent.", real<TanOp>);
  all.add("asin(x: tensor)", "The inverse sine.", real<AsinOp>);
  all.add("acos(x: tensor)", "The inverse cosine.", real<AcosOp>);
  all.add("atan(x: tensor)", "The inverse tangent.", real<AtanOp>);
  all.add("sinh(x: tensor)", "The hyperbolic sine.", real<SinhOp>);
  all.add("cosh(x: tensor)", "The hyperbolic cosine.", real<CoshOp>);
  all.add("erf(x: tensor)", "The error function.", real<ErfOp>);
  all.add("floor(x: tensor)", "The largest whole number not above x.", real<FloorOp>);
  all.add("ceil(x: tensor)", "The smallest whole number not below x.", real<CeilOp>);
  all.add("round(x: tensor)", "The nearest whole number, halves to even.", real<RoundOp>);
  all.add("abs(x: tensor)", "The absolute value.", number<AbsOp>);
  all.add("sign(x: tensor)", "-1, 0 or 1.", number<SignOp>);
  all.add("is_nan(x: tensor)", "Which elements are not a number.", real<IsNaNOp>);
  all.add("maximum(a: tensor|number, b: tensor|number)", "The larger of two, element by element.", pair<MaxOp>);
  all.add("minimum(a: tensor|number, b: tensor|number)", "The smaller of two, element by element.", pair<MinOp>);
  all.add("pow(a: tensor|number, b: tensor|number)", "a ** b", pair<PowOp>);
  all.add("clip(x: tensor, low: tensor|number, high: tensor|number)", "min(max(x, low), high)", clip);
  all.add("where(condition: tensor, a: tensor|number, b: tensor|number)", "a where the condition is true, else b",
          where);
  all.add("matmul(a: tensor, b: tensor)", "a @ b", matmul);

  all.family("Reductions");
  constexpr const char *kReduction = "(x: tensor, axis: integers|none = none, keepdims: bool = false)";
  all.add(std::string("sum") + kReduction, "The sum over axes, or over all.", reduce<ReduceKind::sum>);
  all.add(std::string("prod") + kReduction, "The product over axes.", reduce<ReduceKind::prod>);
  all.add(std::string("max") + kReduction, "The maximum over axes.", reduce<ReduceKind::max>);
  all.add(std::string("min") + kReduction, "The minimum over axes.", reduce<ReduceKind::min>);
  all.add(std::string("mean") + kReduction, "The mean over axes.", mean);
  all.add(std::string("variance") + kReduction, "The (biased) variance over axes.", variance);
  all.add(std::string("logsumexp") + kReduction, "log(sum(exp(x))), without overflow", logSumExp);
  all.add("argmax(x: tensor, axis: integer = -1, keepdims: bool = false)", "Where the first maximum is, as i64.",
          argReduce<ReduceKind::max>);
  all.add("argmin(x: tensor, axis: integer = -1, keepdims: bool = false)", "Where the first minimum is, as i64.",
          argReduce<ReduceKind::min>);
  all.add("cumsum(x: tensor, axis: integer = -1)", "The sums up to each element.", cumulate);
}

} // namespace mlc::dsl
