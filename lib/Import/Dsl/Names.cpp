//===- Names.cpp - checking the names of what is not executed ----------------------------------------------------===//
#include "lib/Import/Dsl/Names.h"

#include "lib/Import/Dsl/Builtins.h"

namespace mlc::dsl {

namespace {

class NameChecker final {
public:
  NameChecker(const File &file, Diagnostics &diagnostics) : diagnostics(diagnostics) {
    for (const Statement &constant : file.constants)
      names.insert(constant.targets[0].text);
    for (const Block &block : file.blocks)
      names.insert(block.name.text);
  }

  void define(const std::string &name) { names.insert(name); }

  void body(const Body &statements) {
    for (const Statement &statement : statements) {
      for (const ExprPtr &value : statement.values)
        expression(*value);
      for (const Name &target : statement.targets)
        define(target.text);
      body(statement.body);
      body(statement.otherwise);
    }
  }

  void expression(const Expr &expr) {
    if (expr.kind == ExprKind::name && !names.count(expr.text) && !Builtins::get().isWord(expr.text)) {
      std::vector<std::string> candidates(names.begin(), names.end());
      for (const std::string &name : Builtins::get().names())
        candidates.push_back(name);
      diagnostics.error(expr.range, "unknown name '" + expr.text + "'", suggestName(expr.text, candidates));
    }
    for (const ExprPtr &operand : expr.operands)
      if (operand)
        expression(*operand);
    for (const Argument &argument : expr.arguments)
      expression(*argument.value);
  }

private:
  Diagnostics &diagnostics;
  std::set<std::string> names;
};

} // namespace

void checkNames(const File &file, const Block &block, Diagnostics &diagnostics) {
  NameChecker checker(file, diagnostics);
  for (const Parameter &parameter : block.parameters) {
    auto isOtherwise = [&](const Name &kind) { return kind.text == parameter.otherwise->text; };
    // A default may be one of the words that the parameter may be.
    if (parameter.otherwise &&
        !(parameter.otherwise->kind == ExprKind::name && llvm::any_of(parameter.kinds, isOtherwise)))
      checker.expression(*parameter.otherwise);
    checker.define(parameter.name.text);
  }
  checker.body(block.body);
}

} // namespace mlc::dsl
