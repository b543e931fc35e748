//===- Expressions.cpp - what expressions are worth --------------------------------------------------------------===//
//
// Numbers are computed here, tensors by ops, and sizes by index arithmetic that folds where they are known. A number
// beside a tensor becomes a constant of the tensor's element type.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"
#include "lib/Import/Dsl/Kinds.h"

#include <cmath>

using namespace mlir;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

constexpr unsigned kMaxEvaluations = 600;
constexpr size_t kMaxList = 100000, kMaxString = 4096;

/// Makes ops for an expression.
class ExpressionMaker final : public CheckedBuilder {
public:
  ExpressionMaker(Elaborator &elaborator, Range range)
      : CheckedBuilder(elaborator.b, elaborator.locate(range, name(elaborator)), elaborator.shapes), range(range) {}
  [[noreturn]] void fail(const Twine &reason, StringRef) override { throw Error{range, reason.str(), ""}; }

private:
  static std::string name(Elaborator &elaborator) {
    StringRef path = elaborator.scope().path;
    return path.empty() ? "expression" : path.drop_back().str();
  }
  Range range;
};

std::string spell(double number) {
  char buffer[32];
  snprintf(buffer, sizeof buffer, "%g", number);
  return buffer;
}

} // namespace

std::string Elaborator::describe(const graph::Size &size) const {
  if (std::optional<int64_t> known = graph::getConstant(size))
    return std::to_string(*known);
  if (auto value = dyn_cast_if_present<mlir::Value>(size))
    if (auto it = symbolNames.find(value); it != symbolNames.end())
      return it->second;
  return "?";
}

std::string Elaborator::describe(mlir::Value tensor) const {
  auto type = cast<RankedTensorType>(tensor.getType());
  std::string text = nameOf(type.getElementType()) + "[";
  auto known = shapes.find(tensor);
  for (int64_t i = 0; i < type.getRank(); ++i) {
    text += i ? ", " : "";
    if (!type.isDynamicDim(i))
      text += std::to_string(type.getDimSize(i));
    else
      text += known == shapes.end() ? "?" : describe(known->second[i]);
  }
  return text + "]";
}

std::string Elaborator::describe(RankedTensorType type) const {
  std::string text = nameOf(type.getElementType()) + "[";
  for (int64_t i = 0; i < type.getRank(); ++i)
    text += (i ? ", " : "") + (type.isDynamicDim(i) ? "?" : std::to_string(type.getDimSize(i)));
  return text + "]";
}

std::string Elaborator::describe(const Datum &value) const {
  if (mlir::Value tensor = value.tensor())
    return "the tensor " + describe(tensor);
  if (value.is<None>())
    return "none";
  if (auto *flag = value.get<bool>())
    return *flag ? "true" : "false";
  if (auto *whole = value.get<int64_t>())
    return std::to_string(*whole);
  if (auto *real = value.get<double>())
    return spell(*real);
  if (auto *symbol = value.get<Symbol>())
    return "the size " + describe(symbol->size);
  if (auto *string = value.get<std::string>())
    return "the string \"" + (string->size() > 40 ? string->substr(0, 40) + "…" : *string) + "\"";
  if (auto *word = value.get<Word>())
    return "'" + word->text + "'";
  if (auto *choice = value.get<Choice>())
    return "the " + choice->group + " '" + cast<StringAttr>(choice->settings.get("kind")).getValue().str() + "'";
  if (const List *list = value.list())
    return "a list of " + std::to_string(list->size());
  if (std::shared_ptr<Layer> layer = value.layer())
    return "the layer '" + layer->name() + "'";
  return "nothing";
}

Datum Elaborator::coerce(Datum value, const Parameter &parameter, Range range, StringRef callee) {
  if (value.isPoison())
    throw AlreadyReported{};
  if (parameter.kinds.empty())
    return value;
  for (const Name &kind : parameter.kinds)
    if (std::optional<Datum> matched = matchKind(value, kind.text))
      return *matched;
  std::string wayOut;
  if (std::optional<std::string> text = value.text()) {
    std::vector<std::string> words;
    for (const Name &kind : parameter.kinds)
      if (Builtins::get().isGroup(kind.text))
        for (const std::string &name : Builtins::get().names(kind.text))
          words.push_back(name);
      else if (kind.text == "dtype")
        llvm::append_range(words, elementTypeNames());
      else if (!isGeneralKind(kind.text))
        words.push_back(kind.text);
    wayOut = suggestName(*text, words);
  }
  fail(range,
       "expected " + describeKinds(parameter.kinds) + " for '" + parameter.name.text + "' of '" + callee +
           "', but got " + describe(value),
       wayOut);
}

Datum Elaborator::evaluateAs(const Expr &expr, ArrayRef<Name> kinds) {
  const Builtins &builtins = Builtins::get();
  const Expr *named = expr.kind == ExprKind::call ? expr.operands[0].get() : &expr;
  if (named->kind == ExprKind::name || (expr.kind == ExprKind::string && named == &expr)) {
    bool variable =
        named->kind == ExprKind::name && (scope().names.count(named->text) || scopes.front().names.count(named->text));
    for (const Name &kind : kinds) {
      const Member *member = variable ? nullptr : builtins.find(kind.text, named->text);
      if (!member)
        continue;
      Bindings given;
      if (expr.kind == ExprKind::call)
        given = bind(member->parameters, member->name, expr, false);
      return makeChoice(kind.text, *member, given, expr.range);
    }
    bool isWord = !variable && llvm::any_of(kinds, [&](const Name &kind) { return kind.text == named->text; });
    if (isWord && expr.kind == ExprKind::name)
      return Word{named->text};
    // A name that is unknown is most likely one of the group, misspelt.
    for (const Name &kind : kinds)
      if (builtins.isGroup(kind.text) && !variable && named->kind == ExprKind::name && !builtins.isWord(named->text))
        fail(named->range, "unknown " + kind.text + " '" + named->text + "'",
             suggestName(named->text, builtins.names(kind.text)));
    bool wordsAlone = !kinds.empty() && llvm::none_of(kinds, [&](const Name &kind) {
      return (isGeneralKind(kind.text) && kind.text != "none") || builtins.isGroup(kind.text);
    });
    if (wordsAlone && expr.kind == ExprKind::name && !variable)
      return Word{named->text};
  }
  for (const Name &kind : kinds) {
    if (!isListOfGroup(kind.text))
      continue;
    // One alone is a list too.
    std::vector<Name> element;
    element.push_back({StringRef(kind.text).drop_back().str(), {}});
    List all;
    if (expr.kind == ExprKind::list)
      for (const ExprPtr &one : expr.operands)
        all.push_back(evaluateAs(*one, element));
    else
      all.push_back(evaluateAs(expr, element));
    return makeList(std::move(all));
  }
  return evaluate(expr);
}

Datum Elaborator::evaluate(const Expr &expr) {
  struct Deeper {
    unsigned &n;
    ~Deeper() { --n; }
  } deeper{++depth};
  if (depth > kMaxEvaluations)
    fail(expr.range, "calls and expressions are nested too deeply");
  if (expr.kind != ExprKind::call)
    target.clear();
  switch (expr.kind) {
  case ExprKind::name:
    return lookup(expr);
  case ExprKind::integer:
    return expr.integer;
  case ExprKind::real:
    return expr.number;
  case ExprKind::string:
    return expr.text;
  case ExprKind::boolean:
    return expr.integer != 0;
  case ExprKind::none:
    return None{};
  case ExprKind::list: {
    List all;
    for (const ExprPtr &operand : expr.operands)
      all.push_back(evaluate(*operand));
    return makeList(std::move(all));
  }
  case ExprKind::unary:
    return unary(expr);
  case ExprKind::binary:
    return binary(expr);
  case ExprKind::range: {
    Datum begin = evaluate(*expr.operands[0]), end = evaluate(*expr.operands[1]);
    std::optional<int64_t> first = begin.integer(), last = end.integer();
    if (begin.isPoison() || end.isPoison())
      throw AlreadyReported{};
    if (!first || !last)
      fail(expr.range, "expected whole numbers at both ends of a range, but got " + describe(first ? end : begin));
    if (*first > *last || *last - *first > static_cast<int64_t>(kMaxList) || *first < -static_cast<int64_t>(kMaxList))
      fail(expr.range, "expected a range that goes up by at most " + Twine(kMaxList) + ", but got " + Twine(*first) +
                           ".." + Twine(*last));
    List all;
    for (int64_t i = *first; i < *last; ++i)
      all.push_back(i);
    return makeList(std::move(all));
  }
  case ExprKind::condition:
    return evaluate(*expr.operands[condition(*expr.operands[1]) ? 0 : 2]);
  case ExprKind::call:
    return call(expr);
  case ExprKind::index:
    return index(expr);
  case ExprKind::attribute:
    return attribute(expr);
  case ExprKind::slice:
  case ExprKind::ellipsis:
    break;
  }
  fail(expr.range, "expected an expression");
}

Datum Elaborator::unary(const Expr &expr) {
  Datum value = evaluate(*expr.operands[0]);
  if (value.isPoison())
    throw AlreadyReported{};
  if (mlir::Value tensor = value.tensor()) {
    ExpressionMaker n(*this, expr.range);
    bool isBool = n.element(tensor).isInteger(1);
    if (expr.text == "not") {
      if (isBool)
        return n.make<graph::NotOp>(tensor);
      fail(expr.range, "expected a tensor of bool, but got " + describe(tensor));
    }
    if (isBool)
      fail(expr.range, "expected a tensor of numbers, but got " + describe(tensor));
    return expr.text == "-" ? n.make<graph::NegOp>(tensor) : tensor;
  }
  if (expr.text == "not") {
    if (auto *flag = value.get<bool>())
      return !*flag;
    fail(expr.range, "expected true or false, but got " + describe(value));
  }
  if (value.is<Symbol>())
    return expr.text == "-" ? sizeBinary("-", int64_t(0), value, expr.range) : value;
  if (!value.number())
    fail(expr.range, "expected a number or a tensor, but got " + describe(value));
  return expr.text == "-" ? numberBinary("-", int64_t(0), value, expr.range) : value;
}

Datum Elaborator::binary(const Expr &expr) {
  Datum lhs = evaluate(*expr.operands[0]);
  // What is known on the left alone may settle it.
  if (auto *flag = lhs.get<bool>(); flag && (expr.text == "and" || expr.text == "or"))
    if (*flag == (expr.text == "or"))
      return *flag;
  Datum rhs = evaluate(*expr.operands[1]);
  return binary(expr.text, lhs, rhs, expr.range);
}

Datum Elaborator::binary(StringRef op, const Datum &lhs, const Datum &rhs, Range range) {
  if (lhs.isPoison() || rhs.isPoison())
    throw AlreadyReported{};
  auto isValue = [](const Datum &value) { return value.tensor() || value.number() || value.is<Symbol>(); };
  if ((lhs.tensor() || rhs.tensor()) && isValue(lhs) && isValue(rhs))
    return tensorBinary(op, lhs, rhs, range);
  auto isSize = [](const Datum &value) { return value.integer() || value.is<Symbol>(); };
  if ((lhs.is<Symbol>() || rhs.is<Symbol>()) && isSize(lhs) && isSize(rhs))
    return sizeBinary(op, lhs, rhs, range);
  if (lhs.number() && rhs.number())
    return numberBinary(op, lhs, rhs, range);
  if (op == "==" || op == "!=") {
    std::optional<bool> same;
    if (lhs.text() && rhs.text())
      same = *lhs.text() == *rhs.text();
    else if (lhs.is<bool>() && rhs.is<bool>())
      same = *lhs.get<bool>() == *rhs.get<bool>();
    else if (lhs.is<None>() || rhs.is<None>())
      same = lhs.is<None>() && rhs.is<None>();
    if (same)
      return *same == (op == "==");
  }
  if ((op == "and" || op == "or") && lhs.is<bool>() && rhs.is<bool>())
    return op == "and" ? *lhs.get<bool>() && *rhs.get<bool>() : *lhs.get<bool>() || *rhs.get<bool>();
  if (op == "+" && lhs.list() && rhs.list()) {
    List all = *lhs.list();
    if (all.size() + rhs.list()->size() > kMaxList)
      fail(range, "the list is longer than " + Twine(kMaxList));
    llvm::append_range(all, *rhs.list());
    return makeList(std::move(all));
  }
  if (op == "+" && (lhs.is<std::string>() || rhs.is<std::string>())) {
    auto spelled = [&](const Datum &value) -> std::optional<std::string> {
      return value.text() ? value.text() : value.number() ? std::optional(describe(value)) : std::nullopt;
    };
    std::optional<std::string> left = spelled(lhs), right = spelled(rhs);
    if (left && right && left->size() + right->size() <= kMaxString)
      return *left + *right;
  }
  fail(range, "cannot compute " + describe(lhs) + " " + op + " " + describe(rhs));
}

Datum Elaborator::numberBinary(StringRef op, const Datum &lhs, const Datum &rhs, Range range) {
  double x = *lhs.number(), y = *rhs.number();
  if (op == "==")
    return x == y;
  if (op == "!=")
    return x != y;
  if (op == "<")
    return x < y;
  if (op == "<=")
    return x <= y;
  if (op == ">")
    return x > y;
  if (op == ">=")
    return x >= y;
  if ((op == "/" || op == "//" || op == "%") && y == 0)
    fail(range, "cannot divide " + describe(lhs) + " by 0");
  if (auto *a = lhs.get<int64_t>(), *b = rhs.get<int64_t>(); a && b) {
    int64_t result = 0;
    bool overflows = false, whole = true;
    if (op == "+")
      overflows = __builtin_add_overflow(*a, *b, &result);
    else if (op == "-")
      overflows = __builtin_sub_overflow(*a, *b, &result);
    else if (op == "*")
      overflows = __builtin_mul_overflow(*a, *b, &result);
    else if ((op == "/" || op == "//" || op == "%") && *b == -1)
      overflows = __builtin_sub_overflow(0, op == "%" ? 0 : *a, &result);
    else if (op == "/" && *a % *b == 0)
      result = *a / *b; // 64 / 4 is a size again
    else if (op == "//")
      result = llvm::divideFloorSigned(*a, *b);
    else if (op == "%")
      result = *a - llvm::divideFloorSigned(*a, *b) * *b;
    else if (op == "**" && *b >= 0 && std::abs(std::pow(x, y)) < 9e15)
      result = static_cast<int64_t>(std::pow(x, y));
    else
      whole = false;
    if (overflows)
      fail(range, describe(lhs) + " " + op + " " + describe(rhs) + " is too large");
    if (whole)
      return result;
  }
  double result = op == "+"    ? x + y
                  : op == "-"  ? x - y
                  : op == "*"  ? x * y
                  : op == "/"  ? x / y
                  : op == "//" ? std::floor(x / y)
                  : op == "%"  ? x - std::floor(x / y) * y
                  : op == "**" ? std::pow(x, y)
                               : std::nan("");
  if (!std::isfinite(result))
    fail(range, "cannot compute " + describe(lhs) + " " + op + " " + describe(rhs));
  return result;
}

Datum Elaborator::sizeBinary(StringRef op, const Datum &lhs, const Datum &rhs, Range range) {
  graph::SizeBuilder sizes(b, locate(range));
  sizes.useKnown(&shapes);
  auto toSize = [&](const Datum &value) {
    return value.is<Symbol>() ? value.get<Symbol>()->size : sizes.constant(*value.integer());
  };
  graph::Size x = toSize(lhs), y = toSize(rhs), result;
  std::optional<int64_t> divisor = graph::getConstant(y);
  if (op == "+")
    result = sizes.add(x, y);
  else if (op == "-")
    result = sizes.sub(x, y);
  else if (op == "*")
    result = sizes.mul(x, y);
  else if ((op == "//" || op == "%") && (!divisor || *divisor > 0)) {
    result = sizes.floorDiv(x, y);
    if (op == "%")
      result = sizes.sub(x, sizes.mul(result, y));
  } else if (op == "/")
    fail(range, "sizes that are known only at run time divide with '//'");
  else if (op == "==" && x == y)
    return true;
  else
    fail(range,
         "cannot compute " + describe(lhs) + " " + op + " " + describe(rhs) +
             ", because the size is known only at run time",
         "fix it with --dim, or by a number in the model's inputs");
  if (std::optional<int64_t> known = graph::getConstant(result))
    return *known;
  return Symbol{result};
}

Datum Elaborator::tensorBinary(StringRef op, const Datum &lhs, const Datum &rhs, Range range) {
  ExpressionMaker n(*this, range);
  mlir::Value like = lhs.tensor() ? lhs.tensor() : rhs.tensor();
  Type element = n.element(like);
  auto toTensor = [&](const Datum &value) -> mlir::Value {
    if (mlir::Value tensor = value.tensor())
      return tensor;
    if (element.isInteger(1))
      fail(range, "cannot compute " + describe(lhs) + " " + op + " " + describe(rhs),
           "convert the tensor with cast(x, f32)");
    if (auto *symbol = value.get<Symbol>())
      return n.fromSize(symbol->size, element);
    if (!isa<FloatType>(element) && !value.integer())
      fail(range, "cannot compute " + describe(lhs) + " " + op + " " + describe(rhs) + " in " + nameOf(element),
           "convert the tensor with cast(x, f32)");
    return n.scalar(element, *value.number());
  };
  // x ** 2 is a product, which is exact and cheap.
  if (op == "**" && rhs.integer() == 2 && lhs.tensor())
    return n.mul(lhs.tensor(), lhs.tensor());
  mlir::Value x = toTensor(lhs), y = toTensor(rhs);
  auto wrong = [&](const Twine &why, const Twine &wayOut = "") {
    fail(range, "cannot compute " + describe(x) + " " + op + " " + describe(y) + ": " + why, wayOut);
  };
  if (n.element(x) != n.element(y))
    wrong("the element types differ", "convert one of them with cast");
  bool isBool = element.isInteger(1), isFloat = isa<FloatType>(element);
  if (op == "@") {
    if (n.rank(x) < 2 || n.rank(y) < 2)
      wrong("a product of matrices requires at least two axes");
    int64_t inner = n.type(x).getShape().back(), other = n.type(y).getDimSize(n.rank(y) - 2);
    if (!ShapedType::isDynamic(inner) && !ShapedType::isDynamic(other) && inner != other)
      wrong("the last axis on the left has size " + Twine(inner) + ", but the last but one on the right " +
            Twine(other));
    return n.make<graph::MatMulOp>(x, y);
  }
  ArrayRef<int64_t> left = n.type(x).getShape(), right = n.type(y).getShape();
  for (size_t i = 1; i <= std::min(left.size(), right.size()); ++i) {
    int64_t a = left[left.size() - i], b = right[right.size() - i];
    if (!ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b && a != 1 && b != 1)
      wrong("sizes " + Twine(a) + " and " + Twine(b) + " do not fit together");
  }
  using Direction = graph::CompareDirection;
  if (op == "==" || op == "!=") {
    mlir::Value same = n.compare(Direction::eq, x, y);
    return op == "==" ? same : n.make<graph::NotOp>(same);
  }
  if (op == "and" || op == "or") {
    if (!isBool)
      wrong("expected tensors of bool");
    return op == "and" ? n.make<graph::AndOp>(x, y) : n.make<graph::OrOp>(x, y);
  }
  if (isBool)
    wrong("expected tensors of numbers", "convert them with cast(x, f32)");
  if (op == "<")
    return n.compare(Direction::lt, x, y);
  if (op == "<=")
    return n.compare(Direction::le, x, y);
  if (op == ">")
    return n.compare(Direction::gt, x, y);
  if (op == ">=")
    return n.compare(Direction::ge, x, y);
  if (op == "+")
    return n.add(x, y);
  if (op == "-")
    return n.sub(x, y);
  if (op == "*")
    return n.mul(x, y);
  if (op == "**")
    return n.make<graph::PowOp>(x, y);
  if (op == "%")
    return n.make<graph::ModOp>(x, y, false);
  if (!isFloat)
    wrong("integers do not divide", "convert them with cast(x, f32)");
  mlir::Value quotient = n.div(x, y);
  return op == "//" ? n.make<graph::FloorOp>(quotient) : quotient;
}

//===------------------------------------------------------------------------------------------------------------===//
// Indexing and attributes
//===------------------------------------------------------------------------------------------------------------===//

Datum Elaborator::attribute(const Expr &expr) {
  Datum value = evaluate(*expr.operands[0]);
  if (value.isPoison())
    throw AlreadyReported{};
  if (mlir::Value tensor = value.tensor()) {
    if (expr.text == "rank")
      return cast<RankedTensorType>(tensor.getType()).getRank();
    if (expr.text == "dtype")
      return Word{nameOf(cast<RankedTensorType>(tensor.getType()).getElementType())};
    if (expr.text == "shape") {
      ExpressionMaker n(*this, expr.range);
      List sizes;
      for (graph::Size size : n.shape(tensor))
        sizes.push_back(graph::getConstant(size) ? Datum(*graph::getConstant(size)) : Datum(Symbol{size}));
      return makeList(std::move(sizes));
    }
    fail(expr.range, "a tensor has no '" + expr.text + "'", "it has shape, rank and dtype");
  }
  if (std::shared_ptr<Layer> layer = value.layer()) {
    std::vector<std::string> names;
    std::string prefix = layer->path + ".";
    if (!layer->path.empty())
      for (const auto &[name, op] : weights)
        if (StringRef(name).starts_with(prefix))
          names.push_back(name.substr(prefix.size()));
    if (names.empty())
      fail(expr.range, "the layer '" + layer->name() + "' has no weights yet",
           "apply it before '" + expr.text + "' is used");
    auto found = weights.find(prefix + expr.text);
    if (found == weights.end())
      fail(expr.range, "the layer '" + layer->path + "' has no weight '" + expr.text + "'",
           suggestName(expr.text, names));
    return weight(found->first, cast<RankedTensorType>(found->second.getType()), {}, false, expr.range,
                  locate(expr.range, found->first));
  }
  fail(expr.range, "expected a tensor or a layer before '." + expr.text + "', but got " + describe(value));
}

Datum Elaborator::index(const Expr &expr) {
  Datum value = evaluate(*expr.operands[0]);
  if (value.isPoison())
    throw AlreadyReported{};
  if (mlir::Value tensor = value.tensor())
    return indexTensor(expr, tensor);
  const List *list = value.list();
  if (!list)
    fail(expr.range, "expected a tensor or a list before '[', but got " + describe(value));
  if (expr.operands.size() != 2)
    fail(expr.range, "a list has one index");
  int64_t count = static_cast<int64_t>(list->size());
  auto whole = [&](const ExprPtr &part, int64_t otherwise) {
    if (!part)
      return otherwise;
    Datum given = evaluate(*part);
    std::optional<int64_t> known = given.integer();
    if (!known)
      fail(part->range, "expected a whole number as an index, but got " + describe(given));
    return *known < 0 ? *known + count : *known;
  };
  const ExprPtr &entry = expr.operands[1];
  if (entry->kind == ExprKind::slice) {
    if (entry->operands[2])
      fail(entry->range, "a slice of a list has no step");
    int64_t begin = std::clamp<int64_t>(whole(entry->operands[0], 0), 0, count);
    int64_t end = std::clamp<int64_t>(whole(entry->operands[1], count), begin, count);
    return makeList(List(list->begin() + begin, list->begin() + end));
  }
  int64_t at = whole(entry, 0);
  if (at < 0 || at >= count)
    fail(entry->range,
         "expected an index in [" + Twine(-count) + ", " + Twine(count) + "), but got " + describe(evaluate(*entry)));
  return (*list)[at];
}

Datum Elaborator::indexTensor(const Expr &expr, mlir::Value tensor) {
  ExpressionMaker n(*this, expr.range);
  // An ellipsis stands for the axes that the others leave.
  size_t given = 0, rank = n.rank(tensor);
  bool hasEllipsis = false;
  for (const ExprPtr &entry : llvm::drop_begin(expr.operands)) {
    bool ellipsis = entry->kind == ExprKind::ellipsis;
    if (ellipsis && hasEllipsis)
      fail(entry->range, "expected one '...' at most");
    hasEllipsis |= ellipsis;
    given += !ellipsis && entry->kind != ExprKind::none;
  }
  if (given > rank)
    fail(expr.range,
         "expected at most " + Twine(rank) + " indices for " + describe(tensor) + ", but got " + Twine(given));
  graph::Shape extents = n.shape(tensor), offsets(rank, n.constantSize(0)), steps(rank, n.constantSize(1)),
               sizes = extents;
  struct Pick {
    size_t axis;
    int64_t index;
  };
  std::vector<bool> dropped(rank, false);
  std::vector<Pick> picks;      // from axes whose size is known only at run time
  std::vector<size_t> inserted; // before these axes
  size_t axis = 0;
  auto toSize = [&](const Expr &part) -> graph::Size {
    Datum value = evaluate(part);
    if (value.isPoison())
      throw AlreadyReported{};
    if (auto *symbol = value.get<Symbol>())
      return symbol->size;
    std::optional<int64_t> known = value.integer();
    if (!known)
      fail(part.range, "expected a whole number or a size as an index, but got " + describe(value),
           value.tensor() ? "take entries at places of a tensor with gather(x, indices, axis=0)" : "");
    return n.constantSize(*known);
  };
  for (const ExprPtr &entry : llvm::drop_begin(expr.operands)) {
    if (entry->kind == ExprKind::none) {
      inserted.push_back(axis);
      continue;
    }
    if (entry->kind == ExprKind::ellipsis) {
      axis += rank - given;
      continue;
    }
    graph::Size extent = extents[axis];
    std::optional<int64_t> known = graph::getConstant(extent);
    if (entry->kind != ExprKind::slice) {
      graph::Size at = toSize(*entry);
      std::optional<int64_t> place = graph::getConstant(at);
      if (!place)
        fail(entry->range, "an index that is known only at run time needs a tensor",
             "use gather(x, indices, axis=" + Twine(axis) + ")");
      if (known && (*place < -*known || *place >= *known))
        fail(entry->range,
             "expected an index in [" + Twine(-*known) + ", " + Twine(*known) + "), but got " + Twine(*place));
      dropped[axis] = true;
      if (known) {
        offsets[axis] = n.constantSize(*place < 0 ? *place + *known : *place);
        sizes[axis] = n.constantSize(1);
      } else {
        picks.push_back({axis, *place}); // the run checks it
      }
      ++axis;
      continue;
    }
    // [begin, end), clamped to the axis as Python does.
    auto bound = [&](const ExprPtr &part, graph::Size otherwise) {
      if (!part)
        return otherwise;
      graph::Size at = toSize(*part);
      if (std::optional<int64_t> place = graph::getConstant(at); place && *place < 0)
        at = n.sizes.max(n.sizes.add(extent, at), n.constantSize(0));
      return at == extent ? at : n.sizes.min(n.sizes.max(at, n.constantSize(0)), extent);
    };
    int64_t step = 1;
    if (entry->operands[2]) {
      Datum value = evaluate(*entry->operands[2]);
      if (!value.integer() || *value.integer() == 0 || std::abs(*value.integer()) > (int64_t(1) << 40))
        fail(entry->operands[2]->range, "expected a step other than 0, but got " + describe(value));
      step = *value.integer();
    }
    if (step < 0) {
      if (entry->operands[0] || entry->operands[1])
        fail(entry->range, "a slice with a negative step takes the whole axis",
             "slice first, then reverse with [::-1]");
      offsets[axis] = n.sizes.sub(extent, n.constantSize(1));
      sizes[axis] = n.sizes.ceilDiv(extent, n.constantSize(-step));
    } else {
      graph::Size begin = bound(entry->operands[0], n.constantSize(0)), end = bound(entry->operands[1], extent);
      graph::Size length = n.sizes.max(n.sizes.sub(end, begin), n.constantSize(0));
      if (graph::getConstant(begin) == 0)
        length = end;
      offsets[axis] = begin;
      sizes[axis] = n.sizes.ceilDiv(length, n.constantSize(step));
      // Nothing is taken behind the end.
      if (graph::getConstant(sizes[axis]) == 0)
        offsets[axis] = n.constantSize(0);
    }
    steps[axis] = n.constantSize(step);
    ++axis;
  }
  mlir::Value result = tensor;
  if (sizes != extents || llvm::any_of(steps, [](graph::Size s) { return graph::getConstant(s) != 1; }))
    result = n.slice(result, offsets, sizes, steps);
  for (const Pick &pick : llvm::reverse(picks))
    result = n.make<graph::GatherOp>(result, n.scalar(b.getI64Type(), static_cast<double>(pick.index)),
                                     static_cast<uint64_t>(pick.axis));
  // What is dropped and known has size 1 now.
  graph::Shape shape, current = n.shape(result);
  size_t at = 0;
  bool reshapes = !inserted.empty();
  for (size_t i = 0; i <= rank; ++i) {
    for (size_t before : inserted)
      if (before == i)
        shape.push_back(n.constantSize(1));
    if (i == rank)
      break;
    bool picked = llvm::any_of(picks, [&](const Pick &pick) { return pick.axis == i; });
    if (picked)
      continue;
    if (dropped[i])
      reshapes = true;
    else
      shape.push_back(current[at]);
    ++at;
  }
  return reshapes ? n.reshape(result, shape) : result;
}

} // namespace mlc::dsl
