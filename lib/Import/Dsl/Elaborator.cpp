//===- Elaborator.cpp - statements, calls and the names of layers ------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"

#include "lib/Import/Dsl/Kinds.h"

using namespace mlir;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// What a small text may grow to.
constexpr uint64_t kMaxSteps = 200000;
constexpr unsigned kMaxCalls = 48;

/// Keras's names of some parameters, for people who know them.
StringRef canonical(StringRef name) {
  return llvm::StringSwitch<StringRef>(name)
      .Case("lr", "learning_rate")
      .Case("kernel_size", "kernel")
      .Case("pool_size", "size")
      .Case("stride", "strides")
      .Case("kernel_initializer", "init")
      .Case("num_heads", "heads")
      .Case("eps", "epsilon")
      .Case("input_dim", "vocab")
      .Case("output_dim", "dim")
      .Case("beta_1", "beta1")
      .Case("beta_2", "beta2")
      .Default(name);
}

} // namespace

Elaborator::Elaborator(const File &file, Diagnostics &diagnostics, ModuleOp module)
    : file(file), diagnostics(diagnostics), module(module), b(module.getContext()) {
  scopes.emplace_back();
}

Location Elaborator::locate(Range range, StringRef name) const {
  Source::Place place = diagnostics.source.locate(range.begin);
  Location there = FileLineColLoc::get(module.getContext(), diagnostics.source.path, place.line, place.column);
  return name.empty() ? there : Location(NameLoc::get(StringAttr::get(module.getContext(), name), there));
}

//===------------------------------------------------------------------------------------------------------------===//
// Statements
//===------------------------------------------------------------------------------------------------------------===//

void Elaborator::defineConstants() {
  for (const Statement &statement : file.constants) {
    std::optional<Datum> nothing;
    executeStatement(statement, nothing);
  }
}

std::optional<Datum> Elaborator::execute(const Body &body) {
  std::optional<Datum> result;
  for (const Statement &statement : body) {
    executeStatement(statement, result);
    if (result)
      break;
  }
  return result;
}

void Elaborator::executeStatement(const Statement &statement, std::optional<Datum> &result) {
  if (++steps > kMaxSteps)
    throw TooLong{statement.range};
  size_t before = calls.size(), scopesBefore = scopes.size();
  unsigned depthBefore = depth, frozenBefore = frozen;
  try {
    switch (statement.kind) {
    case StatementKind::assign:
      return assign(statement);
    case StatementKind::evaluate:
      evaluate(*statement.values[0]);
      return;
    case StatementKind::giveBack: {
      List values;
      for (const ExprPtr &value : statement.values)
        values.push_back(evaluate(*value));
      result = values.size() == 1 ? values[0] : makeList(std::move(values));
      return;
    }
    case StatementKind::loop: {
      const Expr &over = *statement.values[0];
      Datum sequence = evaluate(over);
      if (sequence.isPoison())
        throw AlreadyReported{};
      if (!sequence.list())
        fail(over.range, "expected a range such as 0..4 or a list, but got " + describe(sequence));
      for (const Datum &value : *sequence.list()) {
        if (++steps > kMaxSteps)
          throw TooLong{statement.range};
        define(statement.targets[0], value);
        if ((result = execute(statement.body)))
          return;
      }
      return;
    }
    case StatementKind::branch:
      result = execute(condition(*statement.values[0]) ? statement.body : statement.otherwise);
      return;
    case StatementKind::frozen:
      ++frozen;
      result = execute(statement.body);
      --frozen;
      return;
    }
  } catch (const Error &error) {
    diagnostics.error(error, calls);
  } catch (const AlreadyReported &) {
  }
  calls.resize(before);
  scopes.resize(scopesBefore);
  depth = depthBefore;
  frozen = frozenBefore;
  if (statement.kind == StatementKind::giveBack)
    result = Poison{};
  for (const Name &target : statement.targets)
    scope().names[target.text] = Poison{};
}

bool Elaborator::condition(const Expr &expr) {
  Datum value = evaluate(expr);
  if (value.isPoison())
    throw AlreadyReported{};
  if (value.tensor() || value.is<Symbol>())
    fail(expr.range, "the condition is known only when the model runs",
         "choose between values with where(condition, a, b)");
  if (auto *flag = value.get<bool>())
    return *flag;
  fail(expr.range, "expected true or false, but got " + describe(value));
}

void Elaborator::define(const Name &name, Datum value) { scope().names[name.text] = std::move(value); }

void Elaborator::assign(const Statement &statement) {
  const Expr &expr = *statement.values[0];
  if (statement.targets.size() == 1) {
    const Name &name = statement.targets[0];
    if (statement.op != "=") {
      auto old = scope().names.find(name.text);
      if (old == scope().names.end())
        fail(name.range, "'" + name.text + "' has no value yet");
      Datum lhs = old->second;
      define(name, binary(StringRef(statement.op).drop_back(), lhs, evaluate(expr), statement.range));
      return;
    }
    target = expr.kind == ExprKind::call ? name.text : "";
    Datum value = evaluate(expr);
    target.clear();
    if (value.is<None>() && expr.kind == ExprKind::call)
      fail(expr.range, "the call gives nothing back");
    define(name, std::move(value));
    return;
  }
  Datum value = evaluate(expr);
  if (value.isPoison())
    throw AlreadyReported{};
  if (!value.list() || value.list()->size() != statement.targets.size())
    fail(expr.range, "expected " + Twine(statement.targets.size()) + " values, but got " +
                         (value.list() ? Twine(value.list()->size()).str() : describe(value)));
  for (auto [name, element] : llvm::zip(statement.targets, *value.list()))
    define(name, element);
}

//===------------------------------------------------------------------------------------------------------------===//
// Calls
//===------------------------------------------------------------------------------------------------------------===//

Datum Elaborator::lookup(const Expr &expr) {
  if (auto it = scope().names.find(expr.text); it != scope().names.end())
    return it->second;
  if (auto it = scopes.front().names.find(expr.text); it != scopes.front().names.end())
    return it->second;
  for (const Block &block : file.blocks)
    if (block.name.text == expr.text)
      return Word{expr.text};
  if (Builtins::get().isWord(expr.text))
    return Word{expr.text};
  fail(expr.range, "unknown name '" + expr.text + "'", suggestName(expr.text, visibleNames()));
}

std::vector<std::string> Elaborator::visibleNames() const {
  std::vector<std::string> names;
  for (const Scope *scope : {&scopes.back(), &scopes.front()})
    for (const auto &[name, value] : scope->names)
      names.push_back(name);
  for (const Block &block : file.blocks)
    names.push_back(block.name.text);
  for (const std::string &name : Builtins::get().names())
    names.push_back(name);
  return names;
}

Bindings Elaborator::bind(const std::vector<Parameter> &parameters, StringRef callee, const Expr &call, bool hasWeights,
                          const Bindings &known) {
  Bindings given = known;
  auto take = [&](const Parameter &parameter, const Argument &argument) {
    Datum value = evaluateAs(*argument.value, parameter.kinds);
    if (value.isPoison())
      throw AlreadyReported{};
    given[parameter.name.text] = {coerce(std::move(value), parameter, argument.value->range, callee),
                                  argument.value->range};
  };
  static const std::vector<Parameter> universal = universalParameters();
  std::set<std::string> named;
  size_t position = 0;
  for (const Argument &argument : call.arguments) {
    if (argument.name.text.empty()) {
      if (!named.empty())
        fail(argument.value->range, "expected a named argument behind named ones");
      while (position < parameters.size() && known.count(parameters[position].name.text))
        ++position;
      if (position >= parameters.size())
        fail(argument.value->range, "'" + callee + "' takes " + Twine(parameters.size()) +
                                        (parameters.size() == 1 ? " argument" : " arguments"));
      take(parameters[position++], argument);
      continue;
    }
    auto called = [&](StringRef name) {
      return llvm::find_if(parameters, [&](const Parameter &parameter) { return parameter.name.text == name; });
    };
    auto found = called(argument.name.text);
    if (found == parameters.end())
      found = called(canonical(argument.name.text));
    const Parameter *parameter = found == parameters.end() ? nullptr : &*found;
    bool byPosition = parameter && found - parameters.begin() < static_cast<ptrdiff_t>(position) &&
                      !known.count(parameter->name.text);
    if (!parameter && hasWeights)
      for (const Parameter &one : universal)
        if (one.name.text == argument.name.text)
          parameter = &one;
    if (!parameter) {
      std::vector<std::string> names;
      for (const Parameter &one : parameters)
        names.push_back(one.name.text);
      if (hasWeights)
        for (const Parameter &one : universal)
          names.push_back(one.name.text);
      fail(argument.name.range, "'" + callee + "' has no argument '" + argument.name.text + "'",
           suggestName(argument.name.text, names));
    }
    if (!named.insert(parameter->name.text).second || byPosition)
      fail(argument.name.range, "the argument '" + parameter->name.text + "' is given twice");
    take(*parameter, argument);
  }
  return given;
}

Datum Elaborator::call(const Expr &expr) {
  std::string bound = std::exchange(target, "");
  const Expr &callee = *expr.operands[0];
  const Builtins &builtins = Builtins::get();
  Datum what;
  if (callee.kind == ExprKind::name && !scope().names.count(callee.text) && !scopes.front().names.count(callee.text)) {
    bool known = builtins.find(callee.text) ||
                 llvm::any_of(file.blocks, [&](const Block &block) { return block.name.text == callee.text; });
    if (!known) {
      for (const auto &[group, members] : builtins.allGroups())
        if (const Member *member = builtins.find(group, callee.text))
          return makeChoice(group, *member, bind(member->parameters, member->name, expr, false), expr.range);
      std::vector<std::string> names = visibleNames();
      fail(callee.range, "unknown function '" + callee.text + "'", suggestName(callee.text, names));
    }
    what = Word{callee.text};
  } else {
    what = evaluate(callee);
  }
  if (what.isPoison())
    throw AlreadyReported{};
  std::shared_ptr<Layer> layer = what.layer();
  bool fresh = !layer;
  if (!layer)
    layer = layerOf(what, callee.range);
  const std::vector<Parameter> &parameters = layer->block ? layer->block->parameters : layer->builtin->parameters;
  bool hasWeights = layer->block || layer->builtin->hasWeights;
  Bindings given = bind(parameters, layer->name(), expr, hasWeights && fresh, layer->given);
  // What lacks its first argument is a layer to be applied later.
  if (!parameters.empty() && !parameters[0].otherwise && !given.count(parameters[0].name.text) &&
      (layer->block || takesTensor(parameters[0]))) {
    for (const Parameter &parameter : llvm::drop_begin(parameters))
      if (!parameter.otherwise && !given.count(parameter.name.text) && layer->builtin)
        fail(expr.range, "'" + layer->name() + "' needs the argument '" + parameter.name.text + "'");
    auto partial = std::make_shared<Layer>(*layer);
    partial->given = std::move(given);
    auto name = partial->given.find("name");
    if (hasWeights && fresh && (!bound.empty() || name != partial->given.end()))
      partial->path = claimPath(bound, name == partial->given.end() ? nullptr : &name->second, expr.range);
    return partial;
  }
  // What is applied to nothing, a weight of its own, is named as the variable.
  if (fresh && layer->builtin && hasWeights && !takesTensor(parameters[0]) && !bound.empty() && !given.count("name"))
    layer->path = claimPath(bound, nullptr, expr.range);
  return apply(layer, std::move(given), expr.range);
}

/// What a word or a layer that is called stands for.
std::shared_ptr<Layer> Elaborator::layerOf(const Datum &what, Range range) {
  if (std::shared_ptr<Layer> layer = what.layer())
    return layer;
  auto layer = std::make_shared<Layer>();
  if (std::optional<std::string> name = what.text()) {
    for (const Block &block : file.blocks)
      if (block.name.text == *name)
        layer->block = &block;
    if (!layer->block)
      layer->builtin = Builtins::get().find(*name);
  }
  if (!layer->block && !layer->builtin)
    fail(range, "expected a layer or a function, but got " + describe(what));
  return layer;
}

Datum Elaborator::applyTo(const Datum &callee, mlir::Value x, Range range) {
  std::shared_ptr<Layer> layer = layerOf(callee, range);
  const std::vector<Parameter> &parameters = layer->block ? layer->block->parameters : layer->builtin->parameters;
  if (parameters.empty() || (layer->builtin && !takesTensor(parameters[0])))
    fail(range, "expected a function of a tensor, but got '" + layer->name() + "'");
  Bindings given = layer->given;
  given[parameters[0].name.text] = {coerce(Datum(x), parameters[0], range, layer->name()), range};
  return apply(layer, std::move(given), range);
}

Datum Elaborator::apply(std::shared_ptr<Layer> layer, Bindings given, Range range) {
  if (++steps > kMaxSteps)
    throw TooLong{range};
  const std::vector<Parameter> &parameters = layer->block ? layer->block->parameters : layer->builtin->parameters;
  for (const Parameter &parameter : parameters) {
    if (given.count(parameter.name.text))
      continue;
    if (!parameter.otherwise)
      fail(range, "'" + layer->name() + "' needs the argument '" + parameter.name.text + "'");
    Datum value = evaluateAs(*parameter.otherwise, parameter.kinds);
    if (value.isPoison())
      throw AlreadyReported{};
    given[parameter.name.text] = {coerce(std::move(value), parameter, range, layer->name()), range};
  }
  std::string path = layer->path;
  if (path.empty() && (layer->block || layer->builtin->hasWeights)) {
    auto name = given.find("name");
    path = layer->path = claimPath(layer->name(), name == given.end() ? nullptr : &name->second, range);
  }
  unsigned before = frozen;
  if (auto it = given.find("frozen"); it != given.end() && *it->second.value.get<bool>())
    ++frozen;
  Datum result;
  if (layer->block) {
    result = callBlock(*layer->block, layer, std::move(given), range);
  } else {
    if (path.empty())
      path = scope().path + layer->name();
    Call making(*this, *layer->builtin, std::move(given), path, range);
    result = layer->builtin->make(making);
  }
  frozen = before;
  return result;
}

Datum Elaborator::callBlock(const Block &block, const std::shared_ptr<Layer> &layer, Bindings given, Range range) {
  if (calls.size() >= kMaxCalls)
    fail(range,
         "blocks call each other more than " + Twine(kMaxCalls) + " deep; does '" + block.name.text + "' call itself?");
  called.insert(&block);
  calls.emplace_back(block.name.text, range);
  Scope inner;
  inner.path = layer->path + ".";
  for (auto &[name, argument] : given)
    if (name != "name" && name != "frozen")
      inner.names[name] = argument.value;
  scopes.push_back(std::move(inner));
  std::optional<Datum> result = execute(block.body);
  scopes.pop_back();
  calls.pop_back();
  return result.value_or(Datum(None{}));
}

std::string Elaborator::claimPath(StringRef kind, const Given *name, Range range) {
  Scope &here = scope();
  std::string local = kind.str();
  if (name) {
    local = *name->value.text();
    if (local.empty() || local.find_first_of(" \t\n\"/@") != std::string::npos)
      fail(name->range, "expected a name of letters, digits, '_', '-' and '.', but got '" + local + "'");
    if (!here.claimed.insert(local).second)
      fail(name->range, "the name '" + here.path + local + "' is taken by another layer");
    return here.path + local;
  }
  while (!here.claimed.insert(local).second)
    local = kind.str() + "_" + std::to_string(++here.counters[kind.str()]);
  return here.path + local;
}

//===------------------------------------------------------------------------------------------------------------===//
// Weights
//===------------------------------------------------------------------------------------------------------------===//

mlir::Value Elaborator::weight(const std::string &name, RankedTensorType type, DictionaryAttr initializer,
                               bool isStatistic, Range range, Location loc) {
  int64_t count = 1;
  for (int64_t size : type.getShape())
    if (__builtin_mul_overflow(count, size, &count) || count > (int64_t(1) << 40))
      fail(range, "the weight '" + name + "' is too large to address");
  auto found = weights.find(name);
  if (found == weights.end()) {
    OpBuilder top(module.getContext());
    top.setInsertionPointToStart(module.getBody());
    if (lastWeight)
      top.setInsertionPointAfter(lastWeight);
    auto op = graph::ParameterOp::create(top, loc, name, type);
    op.setInitializerAttr(initializer);
    op.setFrozen(frozen && !isStatistic);
    op.setStatistic(isStatistic);
    lastWeight = op;
    found = weights.emplace(name, op).first;
  }
  if (found->second.getType() != type)
    fail(range, "the weight '" + name + "' is " + describe(cast<RankedTensorType>(found->second.getType())) +
                    " where it is used first, but " + describe(type) + " here");
  return graph::WeightOp::create(b, loc, type, FlatSymbolRefAttr::get(module.getContext(), name));
}

Datum Elaborator::makeChoice(StringRef group, const Member &member, const Bindings &given, Range range) {
  SmallVector<NamedAttribute> settings{b.getNamedAttr("kind", b.getStringAttr(member.name))};
  for (const Parameter &parameter : member.parameters) {
    auto it = given.find(parameter.name.text);
    Datum value;
    if (it != given.end())
      value = it->second.value;
    else if (parameter.otherwise)
      value = coerce(evaluateAs(*parameter.otherwise, parameter.kinds), parameter, range, member.name);
    else
      fail(range, "'" + member.name + "' needs the argument '" + parameter.name.text + "'");
    if (Attribute attribute = toAttribute(value, parameter, b))
      settings.push_back(b.getNamedAttr(parameter.name.text, attribute));
  }
  return Choice{group.str(), b.getDictionaryAttr(settings)};
}

} // namespace mlc::dsl
