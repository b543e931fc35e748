//===- ElementaryFunctions.cpp - exp, log, sin and the like as straight-line code ---------------------------------===//
//
// The usual three steps: an exact reduction of the argument to a small interval, a polynomial there, and an exact
// reconstruction. Polynomials are minimax, made by tools/dev/minimax.py. Nothing depends on fused multiply-adds: where
// a product has to be exact, one factor has enough trailing zeros.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/ElementaryFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace mlc::elementary {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

/// A value that knows how to build arithmetic on itself: floats, integers or conditions, scalars or vectors of them.
class Expression final {
public:
  Expression(OpBuilder &b, Location loc, Value value) : b(&b), loc(loc), value(value) {}
  operator Value() const { return value; }

  bool isFloat() const { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }
  Expression with(Value other) const { return Expression(*b, loc, other); }

  /// The type of `value` with other elements.
  Type typeOf(Type element) const {
    if (auto shaped = dyn_cast<VectorType>(value.getType()))
      return shaped.clone(element);
    return element;
  }

  Expression constant(Attribute element) const {
    Type type = value.getType();
    if (auto shaped = dyn_cast<VectorType>(type))
      return with(arith::ConstantOp::create(*b, loc, DenseElementsAttr::get(shaped, element)));
    return with(arith::ConstantOp::create(*b, loc, cast<TypedAttr>(element)));
  }
  Expression real(double number) const {
    return constant(b->getFloatAttr(getElementTypeOrSelf(value.getType()), number));
  }
  Expression integer(uint64_t number) const {
    auto type = cast<IntegerType>(getElementTypeOrSelf(value.getType()));
    return constant(b->getIntegerAttr(type, APInt(type.getWidth(), number, false, /*implicitTrunc=*/true)));
  }

  template <typename Op> Expression make(const Expression &other) const {
    return with(Op::create(*b, loc, value, other.value));
  }
  template <typename Op> Expression convert(Type element) const {
    return with(Op::create(*b, loc, typeOf(element), value));
  }

  OpBuilder *b;
  Location loc;
  Value value;
};

// Floating-point and integer arithmetic. Integers wrap around.
Expression operator+(const Expression &x, const Expression &y) {
  return x.isFloat() ? x.make<arith::AddFOp>(y) : x.make<arith::AddIOp>(y);
}
Expression operator-(const Expression &x, const Expression &y) {
  return x.isFloat() ? x.make<arith::SubFOp>(y) : x.make<arith::SubIOp>(y);
}
Expression operator*(const Expression &x, const Expression &y) {
  return x.isFloat() ? x.make<arith::MulFOp>(y) : x.make<arith::MulIOp>(y);
}
Expression operator/(const Expression &x, const Expression &y) { return x.make<arith::DivFOp>(y); }
Expression operator+(const Expression &x, double y) { return x + x.real(y); }
Expression operator-(const Expression &x, double y) { return x - x.real(y); }
Expression operator*(const Expression &x, double y) { return x * x.real(y); }

Expression operator&(const Expression &x, const Expression &y) { return x.make<arith::AndIOp>(y); }
Expression operator|(const Expression &x, const Expression &y) { return x.make<arith::OrIOp>(y); }
Expression operator^(const Expression &x, const Expression &y) { return x.make<arith::XOrIOp>(y); }
Expression operator<<(const Expression &x, const Expression &by) { return x.make<arith::ShLIOp>(by); }
Expression operator<<(const Expression &x, unsigned by) { return x << x.integer(by); }
/// Fills with the sign.
Expression operator>>(const Expression &x, unsigned by) { return x.make<arith::ShRSIOp>(x.integer(by)); }
Expression shiftRightUnsigned(const Expression &x, unsigned by) { return x.make<arith::ShRUIOp>(x.integer(by)); }

// Comparisons are false where an operand is NaN, apart from `differs`.
Expression compare(arith::CmpFPredicate predicate, const Expression &x, const Expression &y) {
  return x.with(arith::CmpFOp::create(*x.b, x.loc, predicate, x, y));
}
Expression operator<(const Expression &x, const Expression &y) { return compare(arith::CmpFPredicate::OLT, x, y); }
Expression operator>(const Expression &x, const Expression &y) { return compare(arith::CmpFPredicate::OGT, x, y); }
Expression operator<(const Expression &x, double y) { return x < x.real(y); }
Expression operator>(const Expression &x, double y) { return x > x.real(y); }
Expression equals(const Expression &x, double y) { return compare(arith::CmpFPredicate::OEQ, x, x.real(y)); }
Expression equals(const Expression &x, const Expression &y) { return compare(arith::CmpFPredicate::OEQ, x, y); }
Expression differs(const Expression &x, const Expression &y) { return compare(arith::CmpFPredicate::UNE, x, y); }
Expression isNaN(const Expression &x) { return compare(arith::CmpFPredicate::UNO, x, x); }
Expression isNonzero(const Expression &x) {
  return x.with(arith::CmpIOp::create(*x.b, x.loc, arith::CmpIPredicate::ne, x, x.integer(0)));
}
Expression negate(const Expression &condition) { return condition ^ condition.integer(1); }
Expression select(const Expression &condition, const Expression &x, const Expression &y) {
  return x.with(arith::SelectOp::create(*x.b, x.loc, condition, x, y));
}

/// At most, or at least, `bound`; NaN stays NaN.
Expression atMost(const Expression &x, double bound) { return select(x > bound, x.real(bound), x); }
Expression atLeast(const Expression &x, double bound) { return select(x < bound, x.real(bound), x); }

Expression sqrt(const Expression &x) { return x.with(math::SqrtOp::create(*x.b, x.loc, x)); }
Expression floor(const Expression &x) { return x.with(math::FloorOp::create(*x.b, x.loc, x)); }

// The bits of a float, and back.
Expression bits(const Expression &x) {
  unsigned width = getElementTypeOrSelf(x.value.getType()).getIntOrFloatBitWidth();
  return x.convert<arith::BitcastOp>(x.b->getIntegerType(width));
}
Expression asFloat(const Expression &x) {
  bool wide = getElementTypeOrSelf(x.value.getType()).isInteger(64);
  return x.convert<arith::BitcastOp>(wide ? Type(x.b->getF64Type()) : Type(x.b->getF32Type()));
}
Expression signOf(const Expression &x) { return bits(x) & bits(x).integer(0x80000000u); }
Expression absolute(const Expression &x) { return asFloat(bits(x) & bits(x).integer(0x7fffffffu)); }
/// `x` with its sign flipped where the bit of `sign` is set.
Expression flip(const Expression &x, const Expression &sign) { return asFloat(bits(x) ^ sign); }

Expression toF64(const Expression &x) { return x.convert<arith::ExtFOp>(x.b->getF64Type()); }
Expression toF32(const Expression &x) { return x.convert<arith::TruncFOp>(x.b->getF32Type()); }

/// coefficients[0] + coefficients[1] * x + … (Horner)
Expression polynomial(const Expression &x, ArrayRef<double> coefficients) {
  Expression sum = x.real(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = sum * x + coefficient;
  return sum;
}

//===----------------------------------------------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------------------------------------------===//

// ln 2 in two parts; multiples of the first up to 2^15 are exact in f32.
constexpr double kLn2High = 0.693359375, kLn2Low = -2.12194440054690583e-4;

/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; growth = e^r - 1.
struct Reduced final {
  Expression n, growth; // n: i32
};

/// |x| has to be below 2^15.
Reduced reduce(const Expression &x) {
  // Adding 1.5·2^23 rounds to an integer, which then is in the lowest bits.
  constexpr double kRound = 12582912;
  Expression rounded = x * std::numbers::log2e + kRound;
  Expression n = bits(rounded) - bits(rounded.real(kRound));
  Expression whole = rounded - kRound;
  Expression r = x - whole * kLn2High - whole * kLn2Low;
  Expression curve = polynomial(r, {0.5, 0.16666539, 0.0416664258, 0.00836715382, 0.00139387161});
  return {n, r * r * curve + r};
}

/// 2^n for -126 ≤ n ≤ 127
Expression powerOfTwo(const Expression &n) { return asFloat((n + n.integer(127)) << 23); }

/// e^x · 2^shift; -1 ≤ shift ≤ 0.
Expression scaledExp(const Expression &x, int shift) {
  // The bounds are beyond those of f32, so overflow and subnormal results come from the last product.
  Reduced part = reduce(atLeast(atMost(x, 90), -105));
  Expression n = shift == 0 ? part.n : part.n + part.n.integer(static_cast<uint64_t>(shift));
  Expression half = n >> 1;
  return (part.growth + 1) * powerOfTwo(half) * powerOfTwo(n - half);
}

/// e^x - 1 for x ≤ 40.
Expression boundedExpM1(const Expression &x) {
  Reduced part = reduce(atLeast(x, -40)); // -1 from -18 on
  Expression scale = powerOfTwo(part.n);
  return part.growth * scale + (scale - 1);
}

//===----------------------------------------------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------------------------------------------===//

Expression log(const Expression &x) {
  Expression isSubnormal = x < 0x1p-126;
  Expression normal = select(isSubnormal, x * 0x1p23, x);
  // normal = m·2^e with m in [√½, √2)
  Expression e = (bits(normal) - bits(x.real(std::numbers::sqrt2 / 2))) >> 23;
  Expression m = asFloat(bits(normal) - (e << 23));
  Expression exponent = e.convert<arith::SIToFPOp>(x.b->getF32Type()) - select(isSubnormal, x.real(23), x.real(0));
  Expression f = m - 1, square = f * f;
  Expression curve = polynomial(
      f, {0.333333313, -0.250008196, 0.200012401, -0.166234076, 0.142016277, -0.131596833, 0.127618611, -0.0763575062});
  Expression low = f * square * curve + exponent * kLn2Low - square * 0.5;
  Expression result = f + low + exponent * kLn2High;
  result = select(x > 0, result, select(equals(x, 0), x.real(-kInfinity), x.real(kNaN)));
  return select(equals(x, kInfinity), x, result);
}

Expression log1p(const Expression &x) {
  Expression sum = x + 1;
  Expression lost = x - (sum - 1); // what 1 + x rounded away
  Expression correction = select((sum > 0) & (sum < kInfinity), lost / sum, x.real(0));
  return log(sum) + correction;
}

//===----------------------------------------------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------------------------------------------===//

/// log2 of a positive f64 that is no subnormal, to about 2^-50.
Expression log2(const Expression &x) {
  Expression e = (bits(x) - bits(x.real(std::numbers::sqrt2 / 2))) >> 52;
  Expression m = asFloat(bits(x) - (e << 52));
  // log m = 2 atanh s
  Expression s = (m - 1) / (m + 1), square = s * s;
  Expression curve = polynomial(square, {0.33333333333288645, 0.20000000028847723, 0.14285708091602606,
                                         0.1111172143985031, 0.090606184647629054, 0.084249012186804972});
  Expression half = s * square * curve + s;
  return half * (2 * std::numbers::log2e) + e.convert<arith::SIToFPOp>(x.b->getF64Type());
}

/// 2^z of an f64 with |z| < 1000, to about 2^-34.
Expression exp2(const Expression &z) {
  constexpr double kRound = 0x1.8p52;
  Expression rounded = z + kRound;
  Expression n = bits(rounded) - bits(rounded.real(kRound));
  Expression f = z - (rounded - kRound);
  Expression curve =
      polynomial(f, {0.99999999995889755, 0.69314718053463464, 0.24022651219833532, 0.055504109773995107,
                     0.0096180247725472304, 0.0013333421584669795, 0.00015469997240204019, 1.5316710667427735e-5});
  return curve * asFloat((n + n.integer(1023)) << 52);
}

Expression power(const Expression &x, const Expression &y) {
  // f64 has the 8 bits more than the exponent of the result takes from the logarithm, and no f32 is subnormal there.
  Expression base = absolute(x), wide = toF64(base);
  Expression logarithm = log2(wide);
  logarithm = select(equals(base, 0), logarithm.real(-kInfinity), logarithm);
  logarithm = select(equals(base, kInfinity), logarithm.real(kInfinity), logarithm);
  Expression product = logarithm * toF64(y);
  // x^0 and 1^y are 1, whatever the other is.
  product = select(equals(y, 0) | equals(logarithm, 0), product.real(0), product);
  Expression result = toF32(exp2(atLeast(atMost(product, 200), -200)));
  result = select(isNaN(x) & negate(equals(y, 0)), x, result);
  // Negative bases: roots of them do not exist, odd powers are negative.
  Expression isInteger = equals(floor(y), y), half = y * 0.5;
  Expression isOdd = isInteger & differs(floor(half), half);
  result = select((x < 0) & (x > -kInfinity) & negate(isInteger), x.real(kNaN), result);
  return flip(result, select(isOdd, signOf(x), signOf(x).integer(0)));
}

//===----------------------------------------------------------------------------------------------------------===//
// Trigonometric functions
//===----------------------------------------------------------------------------------------------------------===//

/// |x| = r + q·π/2 with |r| ≤ π/4 (and a little); q counts modulo 4 at least.
struct Quadrant final {
  Expression r, q; // r: f32, q: i32
};

/// For |x| below 2^20: π/2 in two parts, multiples of the first exact in f64.
Quadrant reduceSmall(const Expression &magnitude) {
  constexpr double kHigh = 0x1.921fb544p0, kLow = 0x1.0b4611a626331p-34, kRound = 0x1.8p52;
  Expression x = toF64(magnitude);
  Expression rounded = x * (2 / std::numbers::pi) + kRound;
  Expression n = rounded - kRound;
  return {toF32(x - n * kHigh - n * kLow), bits(rounded).convert<arith::TruncIOp>(x.b->getI32Type())};
}

/// For |x| from 2^20 on (Payne and Hanek): x = m·2^e with an integer m of 24 bits, and of x·2/π only what is below 4
/// matters. So m is multiplied with 96 bits of 2/π, those from the weight 2^(1-e) on; 62 bits of the fraction remain.
Quadrant reduceLarge(const Expression &magnitude) {
  // 2/π after a word of zeros
  constexpr uint32_t kWords[] = {0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};
  constexpr unsigned kFirstWords = 5; // e is at most 104, so the first word is one of these
  Expression x = bits(magnitude);
  Type i64 = x.b->getI64Type();
  Expression mantissa = ((x & x.integer(0x7fffff)) | x.integer(0x800000)).convert<arith::ExtUIOp>(i64);
  // The bit of weight 2^(1-e) in kWords, where e = biased exponent - 150. 2^20 has e = -3.
  Expression position = shiftRightUnsigned(x, 23) - x.integer(120);
  Expression first = position >> 5;
  Expression shift = (position & x.integer(31)).convert<arith::ExtUIOp>(i64);
  auto isWord = [&](unsigned i) {
    return x.with(arith::CmpIOp::create(*x.b, x.loc, arith::CmpIPredicate::sge, first, x.integer(i)));
  };
  SmallVector<Expression> words;
  for (unsigned i = 0; i < 4; ++i) {
    Expression word = x.integer(kWords[i]);
    for (unsigned skipped = 1; skipped < kFirstWords && i + skipped < std::size(kWords); ++skipped)
      word = select(isWord(skipped), x.integer(kWords[i + skipped]), word);
    words.push_back(word.convert<arith::ExtUIOp>(i64));
  }
  auto chunk = [&](unsigned i) { return shiftRightUnsigned(((words[i] << 32) | words[i + 1]) << shift, 32); };
  // The product modulo 4, with 62 bits behind the point.
  Expression product =
      ((mantissa * chunk(0)) << 32) + mantissa * chunk(1) + shiftRightUnsigned(mantissa * chunk(2), 32);
  Expression fraction = (product << 2) >> 2; // signed, so quadrants are centred
  Expression q = shiftRightUnsigned(product - fraction, 62);
  Expression r = fraction.convert<arith::SIToFPOp>(x.b->getF64Type()) * (std::numbers::pi / 2 * 0x1p-62);
  return {toF32(r), q.convert<arith::TruncIOp>(x.b->getI32Type())};
}

struct SineCosine final {
  Expression sine, cosine; // of r
  Expression q;
};

SineCosine sineCosine(const Expression &magnitude) {
  Quadrant small = reduceSmall(magnitude), large = reduceLarge(magnitude);
  Expression isSmall = magnitude < 0x1p20;
  Expression r = select(isSmall, small.r, large.r), q = select(isSmall, small.q, large.q);
  r = select(magnitude < kInfinity, r, r.real(kNaN));
  Expression square = r * r;
  Expression sine = r * square * polynomial(square, {-0.166666538, 0.00833210815, -0.00019508235}) + r;
  Expression cosine =
      square * square * polynomial(square, {0.0416666456, -0.00138872978, 2.44300882e-5}) - square * 0.5 + 1;
  return {sine, cosine, q};
}

/// The sign bit where bit 1 of q is set: quadrants 2 and 3.
Expression signOfQuadrant(const Expression &q) { return (q & q.integer(2)) << 30; }

Expression sin(const Expression &x) {
  SineCosine part = sineCosine(absolute(x));
  Expression result = select(isNonzero(part.q & part.q.integer(1)), part.cosine, part.sine);
  return flip(result, signOfQuadrant(part.q) ^ signOf(x));
}

Expression cos(const Expression &x) {
  SineCosine part = sineCosine(absolute(x));
  Expression result = select(isNonzero(part.q & part.q.integer(1)), part.sine, part.cosine);
  return flip(result, signOfQuadrant(part.q + part.q.integer(1)));
}

Expression tan(const Expression &x) {
  SineCosine part = sineCosine(absolute(x));
  Expression isOdd = isNonzero(part.q & part.q.integer(1));
  Expression above = select(isOdd, part.cosine, part.sine), below = select(isOdd, part.sine, part.cosine);
  return flip(above / below, (part.q << 31) ^ signOf(x));
}

// π/2 and π in two parts of f32 each.
constexpr double kHalfPiHigh = 0x1.921fb6p0, kHalfPiLow = -0x1.777a5cp-25;

/// asin of |x|, as p + p·t·curve(t): of x itself up to ½, beyond of √((1 - |x|) / 2), which is half of the complement.
struct Arcsine final {
  Expression isLarge, angle;
};

Arcsine arcsine(const Expression &magnitude) {
  Expression isLarge = magnitude > 0.5;
  Expression square = select(isLarge, magnitude.real(0.5) - magnitude * 0.5, magnitude * magnitude);
  Expression root = select(isLarge, sqrt(square), magnitude);
  Expression curve = polynomial(square, {0.166667521, 0.0749531016, 0.0454690196, 0.0241855029, 0.042157013});
  return {isLarge, root * square * curve + root};
}

Expression asin(const Expression &x) {
  Arcsine part = arcsine(absolute(x));
  Expression complement = x.real(kHalfPiHigh) - (part.angle * 2 - kHalfPiLow);
  return flip(select(part.isLarge, complement, part.angle), signOf(x));
}

Expression acos(const Expression &x) {
  Arcsine part = arcsine(absolute(x));
  Expression large = select(x < 0, x.real(2 * kHalfPiHigh) - (part.angle * 2 - 2 * kHalfPiLow), part.angle * 2);
  Expression small = x.real(kHalfPiHigh) - (flip(part.angle, signOf(x)) - kHalfPiLow);
  return select(part.isLarge, large, small);
}

Expression atan(const Expression &x) {
  Expression magnitude = absolute(x), isLarge = magnitude > 1;
  Expression z = select(isLarge, x.real(1), magnitude) / select(isLarge, magnitude, x.real(1));
  Expression square = z * z;
  Expression curve = polynomial(square, {-0.333332986, 0.19998531, -0.142640516, 0.109511726, -0.084004581,
                                         0.0579060428, -0.0311262887, 0.0108868685, -0.00178741443});
  Expression angle = z * square * curve + z;
  Expression complement = x.real(kHalfPiHigh) - (angle - kHalfPiLow);
  return flip(select(isLarge, complement, angle), signOf(x));
}

//===----------------------------------------------------------------------------------------------------------===//
// Hyperbolic functions, and the error function
//===----------------------------------------------------------------------------------------------------------===//

Expression sinh(const Expression &x) {
  Expression magnitude = absolute(x);
  Expression half = scaledExp(magnitude, -1); // e^|x| / 2, which overflows where the result does
  Expression large = half - x.real(0.25) / half;
  Expression growth = boundedExpM1(atMost(magnitude, 1));
  Expression small = (growth + growth / (growth + 1)) * 0.5;
  return flip(select(magnitude < 1, small, large), signOf(x));
}

Expression cosh(const Expression &x) {
  Expression half = scaledExp(absolute(x), -1);
  return half + x.real(0.25) / half;
}

Expression tanh(const Expression &x) {
  Expression growth = boundedExpM1(atMost(absolute(x) * 2, 20)); // 1 from 9 on
  return flip(growth / (growth + 2), signOf(x));
}

// Squares beyond this overflow, or lose nothing when they stand for squares plus 1.
constexpr double kLargeArgument = 1e9;

Expression asinh(const Expression &x) {
  Expression magnitude = absolute(x), isLarge = magnitude > kLargeArgument, square = magnitude * magnitude;
  Expression small = magnitude + square / (sqrt(square + 1) + 1);
  Expression result = log1p(select(isLarge, magnitude, small));
  return flip(result + select(isLarge, x.real(std::numbers::ln2), x.real(0)), signOf(x));
}

Expression acosh(const Expression &x) {
  Expression isLarge = x > kLargeArgument, above = x - 1;
  Expression small = above + sqrt(above * 2 + above * above);
  Expression result = log1p(select(isLarge, x, small)) + select(isLarge, x.real(std::numbers::ln2), x.real(0));
  return select(x < 1, x.real(kNaN), result);
}

Expression atanh(const Expression &x) {
  Expression magnitude = absolute(x);
  Expression twice = magnitude + magnitude;
  return flip(log1p(twice / (x.real(1) - magnitude)) * 0.5, signOf(x));
}

Expression erf(const Expression &x) {
  Expression magnitude = absolute(x), square = magnitude * magnitude;
  Expression small = magnitude * polynomial(square, {0.128379121, -0.37612325, 0.112801783, -0.0267113522,
                                                     0.00491765141, -0.000563194451}) +
                     magnitude;
  // Beyond 1, erf is 1 - p^-8, with a polynomial p; and is 1 from 3.93 on.
  Expression root = polynomial(atMost(magnitude, 3.93), {0.997388899, 0.155033022, 0.057564795, 0.0650682747,
                                                         -0.0276020486, 0.0157499705, -0.00360062718, 0.000509828446});
  Expression second = root * root, fourth = second * second;
  Expression large = x.real(1) - x.real(1) / (fourth * fourth);
  return flip(select(magnitude < 1, small, large), signOf(x));
}

} // namespace

#define MLC_ELEMENTARY(NAME, FUNCTION)                                                                                 \
  Value build##NAME(OpBuilder &b, Location loc, Value x) { return FUNCTION(Expression(b, loc, x)); }
MLC_ELEMENTARY(Log, log)
MLC_ELEMENTARY(Log1P, log1p)
MLC_ELEMENTARY(Erf, erf)
MLC_ELEMENTARY(Sin, sin)
MLC_ELEMENTARY(Cos, cos)
MLC_ELEMENTARY(Tan, tan)
MLC_ELEMENTARY(Asin, asin)
MLC_ELEMENTARY(Acos, acos)
MLC_ELEMENTARY(Atan, atan)
MLC_ELEMENTARY(Sinh, sinh)
MLC_ELEMENTARY(Cosh, cosh)
MLC_ELEMENTARY(Tanh, tanh)
MLC_ELEMENTARY(Asinh, asinh)
MLC_ELEMENTARY(Acosh, acosh)
MLC_ELEMENTARY(Atanh, atanh)
#undef MLC_ELEMENTARY

Value buildExp(OpBuilder &b, Location loc, Value x) { return scaledExp(Expression(b, loc, x), 0); }

Value buildPow(OpBuilder &b, Location loc, Value base, Value exponent) {
  return power(Expression(b, loc, base), Expression(b, loc, exponent));
}

} // namespace mlc::elementary
