//===- Call.cpp - one call of a builtin --------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"

#include <algorithm>

using namespace mlir;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

Call::Call(Elaborator &elaborator, const Builtin &builtin, Bindings given, std::string path, Range range)
    : CheckedBuilder(elaborator.b, elaborator.locate(range, path), elaborator.shapes), elaborator(elaborator),
      builtin(builtin), path(std::move(path)), range(range), given(std::move(given)) {}

void Call::fail(const Twine &reason, StringRef argument) { fail(reason, argument, ""); }

void Call::fail(const Twine &reason, StringRef argument, const Twine &wayOut) {
  auto it = given.find(argument.str());
  throw Error{it == given.end() ? range : it->second.range, ("'" + builtin.name + "': " + reason).str(), wayOut.str()};
}

const Datum &Call::value(StringRef name) const {
  auto it = given.find(name.str());
  assert(it != given.end() && "the signature names every argument");
  return it->second.value;
}

mlir::Value Call::real(StringRef name) {
  mlir::Value x = tensor(name);
  if (!isFloat(x))
    fail("expected a tensor of floating-point numbers, but got " + elaborator.describe(x), name,
         "convert it with cast(x, f32)");
  return x;
}

graph::Values Call::tensors(StringRef name) {
  graph::Values all;
  for (const Datum &one : *value(name).list())
    all.push_back(one.tensor());
  return all;
}

Ints Call::integers(StringRef name) {
  const Datum &given = value(name);
  if (!given.list())
    return {*given.integer()};
  Ints all;
  for (const Datum &one : *given.list())
    all.push_back(*one.integer());
  return all;
}

Ints Call::perAxis(StringRef name, size_t count, int64_t least) {
  Ints all = integers(name);
  if (!value(name).list())
    all.resize(count, all[0]);
  if (all.size() != count)
    fail("expected " + Twine(count) + (count == 1 ? " number" : " numbers") + " for '" + name + "', but got " +
             Twine(all.size()),
         name);
  for (int64_t one : all)
    if (one < least || one > (int64_t(1) << 31))
      fail("expected numbers from " + Twine(least) + " to 2^31 for '" + name + "', but got " + Twine(one), name);
  return all;
}

int64_t Call::axisOf(StringRef name, int64_t rank) {
  int64_t value = integer(name);
  if (value < -rank || value >= rank)
    fail("expected an axis in [" + Twine(-rank) + ", " + Twine(rank) + "), but got " + Twine(value), name);
  return value < 0 ? value + rank : value;
}

Ints Call::axes(StringRef name, int64_t rank) {
  Ints all;
  if (!has(name)) {
    for (int64_t i = 0; i < rank; ++i)
      all.push_back(i);
    return all;
  }
  for (int64_t value : integers(name)) {
    if (value < -rank || value >= rank)
      fail("expected axes in [" + Twine(-rank) + ", " + Twine(rank) + "), but got " + Twine(value), name);
    all.push_back(value < 0 ? value + rank : value);
  }
  llvm::sort(all);
  if (std::adjacent_find(all.begin(), all.end()) != all.end())
    fail("expected each axis once", name);
  return all;
}

graph::Size Call::size(const Datum &value, StringRef name) {
  if (auto *symbol = value.get<Symbol>())
    return symbol->size;
  int64_t known = *value.integer();
  if (known < 0)
    fail("expected a size from 0 on, but got " + Twine(known), name);
  return constantSize(known);
}

graph::Shape Call::sizesOf(StringRef name) {
  graph::Shape all;
  for (const Datum &one : *value(name).list())
    all.push_back(size(one, name));
  return all;
}

void Call::expectRank(mlir::Value x, int64_t wanted, StringRef what) {
  if (rank(x) != wanted)
    fail("expected " + what + ", but got " + elaborator.describe(x), "x");
}

int64_t Call::knownSize(mlir::Value x, int64_t axis, StringRef what) {
  int64_t size = type(x).getDimSize(axis);
  if (ShapedType::isDynamic(size))
    fail("requires a known number of " + what + ", which is axis " + Twine(axis) + " of " + elaborator.describe(x), "x",
         "fix it with --dim, or by a number in the model's inputs");
  return size;
}

mlir::Value Call::weight(StringRef name, ArrayRef<int64_t> shape, DictionaryAttr initializer, Type element,
                         bool isStatistic) {
  return elaborator.weight(path + "." + name.str(), RankedTensorType::get(shape, element), initializer, isStatistic,
                           range, loc);
}

mlir::Value Call::weight(StringRef name, ArrayRef<int64_t> shape, StringRef argument, Type element, int64_t fanIn,
                         int64_t fanOut) {
  NamedAttrList settings(value(argument).get<Choice>()->settings);
  StringRef kind = cast<StringAttr>(settings.get("kind")).getValue();
  auto is = [&](std::initializer_list<StringRef> kinds) { return llvm::is_contained(kinds, kind); };
  if (is({"glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"})) {
    if (!fanIn)
      fanIn = shape.empty() ? 1 : shape[0];
    if (!fanOut)
      fanOut = shape.empty() ? 1 : shape.back();
    settings.set("fan_in", b.getI64IntegerAttr(fanIn));
    settings.set("fan_out", b.getI64IntegerAttr(fanOut));
  }
  if (is({"orthogonal", "identity"}) && shape.size() < 2)
    fail("the initializer '" + kind + "' requires at least two axes, but '" + name + "' has " + Twine(shape.size()),
         argument);
  return weight(name, shape, settings.getDictionary(b.getContext()), element);
}

DictionaryAttr Call::constantInitializer(double value) {
  if (value == 0 || value == 1)
    return b.getDictionaryAttr(b.getNamedAttr("kind", b.getStringAttr(value == 0 ? "zeros" : "ones")));
  return b.getDictionaryAttr(
      {b.getNamedAttr("kind", b.getStringAttr("constant")), b.getNamedAttr("value", b.getF64FloatAttr(value))});
}

mlir::Value Call::addBias(mlir::Value x, int64_t count, StringRef name) {
  const Datum &wanted = value("bias");
  if (wanted.is<None>() || (wanted.is<bool>() && !*wanted.get<bool>()))
    return x;
  mlir::Value bias = wanted.is<bool>() ? weight(name, {count}, constantInitializer(0), element(x))
                                       : weight(name, {count}, "bias", element(x), count, count);
  return add(x, bias);
}

Datum Call::activate(mlir::Value x, StringRef argument) {
  if (!has(argument))
    return x;
  return elaborator.applyTo(value(argument), x, given.find(argument.str())->second.range);
}

mlir::Value Call::activated(mlir::Value x, StringRef argument) {
  Datum result = activate(x, argument);
  if (result.isPoison())
    throw AlreadyReported{};
  if (!result.tensor())
    fail("expected '" + argument + "' to give a tensor, but got " + elaborator.describe(result), argument);
  return result.tensor();
}

} // namespace mlc::dsl
