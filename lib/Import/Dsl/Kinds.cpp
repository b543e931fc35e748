//===- Kinds.cpp - what arguments may be -------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Kinds.h"

#include "lib/Import/Dsl/Builtins.h"

#include <cmath>

using namespace mlir;
using llvm::StringRef;

namespace mlc::dsl {

namespace {

constexpr int64_t kLargest = int64_t(1) << 40;

struct Kind final {
  StringRef name, description;
};
constexpr Kind kKinds[] = {
    {"tensor", "a tensor"},
    {"tensors", "a list of tensors"},
    {"count", "a whole number from 1 on"},
    {"natural", "a whole number from 0 on"},
    {"integer", "a whole number"},
    {"number", "a number"},
    {"positive", "a number above 0"},
    {"fraction", "a number in [0, 1]"},
    {"rate", "a number in [0, 1)"},
    {"counts", "a whole number from 1 on, or a list of them"},
    {"integers", "a whole number, or a list of them"},
    {"numbers", "a list of numbers"},
    {"size", "a size"},
    {"sizes", "a list of sizes"},
    {"bool", "true or false"},
    {"string", "a string"},
    {"none", "none"},
    {"any", "a value"},
    {"function", "a layer or a function"},
    {"dtype", "an element type such as f32"},
};

bool isSize(const Datum &value) {
  std::optional<int64_t> known = value.integer();
  return value.is<Symbol>() || (known && std::abs(*known) <= kLargest);
}

template <typename Matches> bool isListOf(const Datum &value, Matches matches) {
  return value.list() && llvm::all_of(*value.list(), matches);
}

/// A whole number in [least, kLargest].
std::optional<Datum> whole(const Datum &value, int64_t least) {
  std::optional<int64_t> known = value.integer();
  if (!known || *known < least || *known > kLargest)
    return std::nullopt;
  return Datum(*known);
}

std::optional<Datum> wholes(const Datum &value, int64_t least) {
  if (!value.list())
    return whole(value, least);
  List all;
  for (const Datum &element : *value.list()) {
    std::optional<Datum> one = whole(element, least);
    if (!one)
      return std::nullopt;
    all.push_back(*one);
  }
  return makeList(std::move(all));
}

std::optional<Datum> numberIn(const Datum &value, double low, double high, bool openLow, bool openHigh) {
  std::optional<double> known = value.number();
  if (!known || !std::isfinite(*known) || *known < low || *known > high || (openLow && *known == low) ||
      (openHigh && *known == high))
    return std::nullopt;
  return Datum(*known);
}

} // namespace

bool isGeneralKind(StringRef kind) {
  return llvm::any_of(kKinds, [&](const Kind &one) { return one.name == kind; });
}

bool isListOfGroup(StringRef kind) { return kind.ends_with("s") && Builtins::get().isGroup(kind.drop_back()); }

bool takesTensor(const Parameter &parameter) {
  return llvm::any_of(parameter.kinds,
                      [](const Name &kind) { return kind.text == "tensor" || kind.text == "tensors"; });
}

std::optional<Datum> matchKind(const Datum &value, StringRef kind) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  auto when = [&](bool matches) { return matches ? std::optional(value) : std::nullopt; };
  if (kind == "tensor")
    return when(bool(value.tensor()));
  if (kind == "tensors")
    return when(isListOf(value, [](const Datum &one) { return bool(one.tensor()); }) && !value.list()->empty());
  if (kind == "count")
    return whole(value, 1);
  if (kind == "natural")
    return whole(value, 0);
  if (kind == "integer")
    return whole(value, -kLargest);
  if (kind == "number")
    return numberIn(value, -kInfinity, kInfinity, false, false);
  if (kind == "positive")
    return numberIn(value, 0, kInfinity, true, false);
  if (kind == "fraction")
    return numberIn(value, 0, 1, false, false);
  if (kind == "rate")
    return numberIn(value, 0, 1, false, true);
  if (kind == "counts")
    return wholes(value, 1);
  if (kind == "integers")
    return wholes(value, -kLargest);
  if (kind == "numbers")
    return when(isListOf(value, [](const Datum &one) { return one.number().has_value(); }));
  if (kind == "size")
    return when(isSize(value));
  if (kind == "sizes")
    return when(isListOf(value, isSize));
  if (kind == "bool")
    return when(value.is<bool>());
  if (kind == "string")
    return when(value.is<std::string>());
  if (kind == "none")
    return when(value.is<None>());
  if (kind == "any")
    return value;
  if (kind == "function")
    return when(value.layer() != nullptr || value.is<Word>());
  std::optional<std::string> text = value.text();
  if (kind == "dtype") {
    if (text && llvm::is_contained(elementTypeNames(), *text))
      return Datum(Word{*text});
    return std::nullopt;
  }
  auto isOf = [](const Datum &value, StringRef group) {
    auto *choice = value.get<Choice>();
    return choice && choice->group == group;
  };
  if (Builtins::get().isGroup(kind))
    return when(isOf(value, kind));
  if (isListOfGroup(kind))
    return when(isListOf(value, [&](const Datum &one) { return isOf(one, kind.drop_back()); }));
  if (text && *text == kind)
    return Datum(*text);
  return std::nullopt;
}

std::string describeKinds(ArrayRef<Name> kinds) {
  std::vector<std::string> parts;
  for (const Name &kind : kinds) {
    auto known = llvm::find_if(kKinds, [&](const Kind &one) { return one.name == kind.text; });
    if (known != std::end(kKinds))
      parts.push_back(known->description.str());
    else if (Builtins::get().isGroup(kind.text))
      parts.push_back((StringRef("aeiou").contains(kind.text[0]) ? "an " : "a ") + kind.text);
    else if (isListOfGroup(kind.text))
      parts.push_back("a list of " + kind.text);
    else
      parts.push_back("'" + kind.text + "'");
  }
  std::string text;
  for (auto [i, part] : llvm::enumerate(parts))
    text += (i == 0 ? "" : i + 1 == parts.size() ? " or " : ", ") + part;
  return text;
}

std::vector<Parameter> universalParameters() {
  std::vector<Parameter> all(2);
  all[0].name.text = "name";
  all[0].kinds.push_back({"string", {}});
  all[1].name.text = "frozen";
  all[1].kinds.push_back({"bool", {}});
  return all;
}

Attribute toAttribute(const Datum &value, const Parameter &parameter, Builder &b) {
  bool isReal = llvm::any_of(parameter.kinds, [](const Name &kind) {
    return kind.text == "number" || kind.text == "positive" || kind.text == "fraction" || kind.text == "rate" ||
           kind.text == "numbers";
  });
  if (auto *flag = value.get<bool>())
    return b.getBoolAttr(*flag);
  if (isReal && value.number())
    return b.getF64FloatAttr(*value.number());
  if (std::optional<int64_t> known = value.integer())
    return b.getI64IntegerAttr(*known);
  if (std::optional<double> known = value.number())
    return b.getF64FloatAttr(*known);
  if (std::optional<std::string> text = value.text())
    return b.getStringAttr(*text);
  if (auto *choice = value.get<Choice>())
    return choice->settings;
  if (const List *list = value.list()) {
    SmallVector<Attribute> elements;
    for (const Datum &element : *list)
      if (Attribute attribute = toAttribute(element, parameter, b))
        elements.push_back(attribute);
    return b.getArrayAttr(elements);
  }
  return {};
}

//===------------------------------------------------------------------------------------------------------------===//
// Data
//===------------------------------------------------------------------------------------------------------------===//

std::optional<double> Datum::number() const {
  if (auto *whole = get<int64_t>())
    return static_cast<double>(*whole);
  if (auto *real = get<double>())
    return *real;
  return std::nullopt;
}

std::optional<int64_t> Datum::integer() const {
  if (auto *whole = get<int64_t>())
    return *whole;
  if (auto *real = get<double>(); real && std::floor(*real) == *real && std::abs(*real) < 9e15)
    return static_cast<int64_t>(*real);
  return std::nullopt;
}

std::optional<std::string> Datum::text() const {
  if (auto *string = get<std::string>())
    return *string;
  if (auto *word = get<Word>())
    return word->text;
  return std::nullopt;
}

Datum makeList(List elements) { return std::make_shared<const List>(std::move(elements)); }

const std::string &Layer::name() const { return block ? block->name.text : builtin->name; }

} // namespace mlc::dsl
