//===- Parser.cpp - from tokens to the syntax --------------------------------------------------------------------===//
//
// Recursive descent; operators by precedence climbing. An error ends its statement: the parser goes on behind the
// line, or at the brace that closes the body, so that one run finds the errors of all statements.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Dsl/Parser.h"

#include "lib/Import/Dsl/Lexer.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"

using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

/// How deep expressions nest, and how much of it a body counts for; whoever walks them recurses.
constexpr unsigned kMaxDepth = 200, kBodyDepth = 10;

/// How tight a binary operator binds; 0 for what is none.
unsigned precedence(const Token &token) {
  if (token.kind != TokenKind::punctuation && token.kind != TokenKind::keyword)
    return 0;
  return llvm::StringSwitch<unsigned>(token.text)
      .Case("..", 1)
      .Case("or", 2)
      .Case("and", 3)
      .Cases({"==", "!=", "<", "<=", ">", ">="}, 5)
      .Cases({"+", "-"}, 6)
      .Cases({"*", "/", "//", "%", "@"}, 7)
      .Case("**", 9)
      .Default(0);
}
constexpr unsigned kNot = 4, kSign = 8;

class Parser final {
public:
  Parser(const Source &source, Diagnostics &diagnostics)
      : diagnostics(diagnostics), tokens(tokenize(source, diagnostics)) {}

  File file();
  Block signature();

private:
  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  const Token &take() {
    const Token &token = peek();
    if (at + 1 < tokens.size())
      ++at;
    return token;
  }
  bool is(StringRef text) const { return peek().is(text); }
  bool accept(StringRef text) {
    if (!is(text))
      return false;
    take();
    return true;
  }
  Range last() const { return tokens[at ? at - 1 : 0].range; }
  Range since(Range begin) const { return {begin.begin, std::max(begin.begin, last().end)}; }
  static std::string describe(const Token &token);
  [[noreturn]] void unexpected(const Twine &wanted) {
    throw Error{peek().range, ("expected " + wanted + ", but got " + describe(peek())).str(), ""};
  }
  void expect(StringRef text, const Twine &where = "") {
    if (!accept(text))
      unexpected("'" + text + "'" + where);
  }
  /// A comma that goes on, on the next line as well.
  bool acceptComma() {
    if (!accept(","))
      return false;
    while (peek().kind == TokenKind::newline)
      take();
    return true;
  }
  void skipNewlines() {
    while (peek().kind == TokenKind::newline || is(";"))
      take();
  }
  Name name(const Twine &what);
  void skipStatement();
  void skipItem();

  void item(File &file);
  Model model();
  Block block();
  std::vector<Parameter> parameters();
  Train train();
  TensorDeclaration tensor();
  Body body();
  Statement statement();
  Statement branch();
  Statement assignment();

  ExprPtr make(ExprKind kind, Range range, std::vector<ExprPtr> operands = {});
  ExprPtr expression();
  ExprPtr binary(unsigned least);
  ExprPtr operand();
  ExprPtr primary();
  ExprPtr indexEntry();
  std::vector<Argument> arguments();

  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  size_t at = 0;
  unsigned depth = 0;

  /// One more level of nesting, while it lives.
  struct Deeper final {
    explicit Deeper(Parser &parser, unsigned by = 1) : parser(parser), by(by) {
      if (parser.depth + by > kMaxDepth)
        throw Error{parser.peek().range, "this is nested too deeply", ""};
      parser.depth += by;
    }
    ~Deeper() { parser.depth -= by; }
    Parser &parser;
    unsigned by;
  };
};

std::string Parser::describe(const Token &token) {
  switch (token.kind) {
  case TokenKind::end:
    return "the end of the file";
  case TokenKind::newline:
    return "the end of the line";
  case TokenKind::string:
    return "the string " + token.text.str();
  case TokenKind::keyword:
    return "the keyword '" + token.text.str() + "'";
  default:
    return "'" + token.text.str() + "'";
  }
}

Name Parser::name(const Twine &what) {
  if (peek().kind != TokenKind::name)
    unexpected(what);
  const Token &token = take();
  return {token.text.str(), token.range};
}

/// Behind the line, over what it opens; not over the brace that closes the body.
void Parser::skipStatement() {
  unsigned open = 0;
  while (peek().kind != TokenKind::end) {
    if (open == 0 &&
        (peek().kind == TokenKind::newline || is("}") || is(";") || is("model") || is("block") || is("train")))
      return;
    if (is("{"))
      ++open;
    else if (is("}"))
      --open;
    take();
  }
}

/// To the next item.
void Parser::skipItem() {
  while (peek().kind != TokenKind::end && !is("model") && !is("block") && !is("train") &&
         !(is("let") && at && tokens[at - 1].kind == TokenKind::newline))
    take();
}

File Parser::file() {
  File file;
  skipNewlines();
  while (peek().kind != TokenKind::end) {
    size_t before = at;
    try {
      item(file);
      if (peek().kind != TokenKind::end && peek().kind != TokenKind::newline)
        unexpected("the end of the line");
    } catch (const Error &error) {
      diagnostics.error(error, {});
      if (at == before)
        take();
      skipItem();
    }
    skipNewlines();
  }
  return file;
}

void Parser::item(File &file) {
  if (is("model"))
    file.models.push_back(model());
  else if (is("block"))
    file.blocks.push_back(block());
  else if (is("train"))
    file.trains.push_back(train());
  else if (is("let"))
    file.constants.push_back(assignment());
  else {
    std::string hint =
        peek().kind == TokenKind::name ? suggestName(peek().text, {"model", "block", "train", "let"}) : "";
    throw Error{peek().range, "expected 'model', 'block', 'train' or 'let', but got " + describe(peek()), hint};
  }
}

TensorDeclaration Parser::tensor() {
  TensorDeclaration declared;
  declared.name = name("the name of a tensor");
  expect(":", " and the type of '" + Twine(declared.name.text) + "'");
  TensorType &type = declared.type;
  type.element = name("an element type such as f32");
  expect("[", " and sizes");
  while (!is("]")) {
    type.sizes.push_back(expression());
    if (!accept(","))
      break;
  }
  expect("]");
  type.range = since(type.element.range);
  return declared;
}

Model Parser::model() {
  Model model;
  take();
  model.name = name("the model's name");
  expect("(", " and the inputs");
  while (!is(")")) {
    model.inputs.push_back(tensor());
    if (!accept(","))
      break;
  }
  expect(")");
  expect("->", " and the outputs");
  do
    model.outputs.push_back(tensor());
  while (acceptComma());
  model.body = body();
  return model;
}

std::vector<Parameter> Parser::parameters() {
  std::vector<Parameter> all;
  expect("(", " and parameters");
  while (!is(")")) {
    Parameter &parameter = all.emplace_back();
    parameter.name = name("the name of a parameter");
    if (accept(":"))
      do {
        // `none` and the like are kinds too.
        if (peek().kind == TokenKind::keyword || peek().kind == TokenKind::string) {
          const Token &token = take();
          parameter.kinds.push_back(
              {token.kind == TokenKind::string ? unquote(token.text) : token.text.str(), token.range});
        } else {
          parameter.kinds.push_back(name("what '" + Twine(parameter.name.text) + "' may be"));
        }
      } while (accept("|"));
    if (accept("="))
      parameter.otherwise = expression();
    if (!accept(","))
      break;
  }
  expect(")");
  return all;
}

Block Parser::block() {
  Block block;
  take();
  block.name = name("the block's name");
  block.parameters = parameters();
  block.body = body();
  return block;
}

Block Parser::signature() {
  Block block;
  block.name = name("a name");
  block.parameters = parameters();
  return block;
}

Train Parser::train() {
  Train train;
  take();
  train.model = name("the name of a model");
  expect("{");
  skipNewlines();
  while (!is("}")) {
    if (peek().kind == TokenKind::end)
      unexpected("'}' at the end of the train block");
    size_t before = at;
    try {
      Setting setting;
      setting.key = name("a key such as 'loss' or 'optimizer'");
      expect("=", " behind '" + Twine(setting.key.text) + "'");
      setting.value = expression();
      train.settings.push_back(std::move(setting));
      if (!is("}") && !is(",") && !is(";") && peek().kind != TokenKind::newline)
        unexpected("the end of the line");
      accept(",");
    } catch (const Error &error) {
      diagnostics.error(error, {});
      skipStatement();
      if (is("model") || is("block") || is("train") || at == before)
        break;
    }
    skipNewlines();
  }
  accept("}");
  return train;
}

Body Parser::body() {
  Deeper deeper(*this, kBodyDepth);
  Range open = peek().range;
  expect("{");
  Body statements;
  skipNewlines();
  while (!is("}")) {
    // Items start in the first column, so a brace is missing.
    if (peek().kind == TokenKind::end || is("model") || is("block") || is("train"))
      throw Error{open, "expected '}' for this '{' before " + describe(peek()), ""};
    size_t before = at;
    try {
      statements.push_back(statement());
      if (!is("}") && !is(";") && peek().kind != TokenKind::newline && peek().kind != TokenKind::end)
        unexpected("the end of the line");
    } catch (const Error &error) {
      diagnostics.error(error, {});
      skipStatement();
      if (at == before && !is("}") && peek().kind != TokenKind::newline && !is("model") && !is("block") && !is("train"))
        take();
    }
    skipNewlines();
  }
  take();
  return statements;
}

Statement Parser::assignment() {
  Statement statement{StatementKind::assign, peek().range, {}, "=", {}, {}, {}};
  take();
  statement.targets.push_back(name("a name"));
  expect("=", " and a value");
  statement.values.push_back(expression());
  statement.range = since(statement.range);
  return statement;
}

Statement Parser::branch() {
  Statement statement{StatementKind::branch, peek().range, {}, "", {}, {}, {}};
  take();
  statement.values.push_back(expression());
  statement.range = since(statement.range);
  statement.body = body();
  // `else` may stand on the next line.
  size_t before = at;
  skipNewlines();
  if (!accept("else")) {
    at = before;
    return statement;
  }
  if (is("if")) {
    Deeper deeper(*this);
    statement.otherwise.push_back(branch());
  } else {
    statement.otherwise = body();
  }
  return statement;
}

Statement Parser::statement() {
  Range begin = peek().range;
  if (is("let"))
    return assignment();
  if (is("if"))
    return branch();
  Statement statement{StatementKind::evaluate, begin, {}, "", {}, {}, {}};
  if (accept("return")) {
    statement.kind = StatementKind::giveBack;
    do
      statement.values.push_back(expression());
    while (acceptComma());
  } else if (accept("for")) {
    statement.kind = StatementKind::loop;
    statement.targets.push_back(name("the name of the loop's variable"));
    expect("in", " and what the loop runs over");
    statement.values.push_back(expression());
    statement.body = body();
    return statement;
  } else if (is("frozen") && peek(1).is("{")) {
    take();
    statement.kind = StatementKind::frozen;
    statement.body = body();
    return statement;
  } else {
    // `a, b = …` has names alone on the left.
    size_t before = at;
    while (peek().kind == TokenKind::name) {
      statement.targets.push_back(name("a name"));
      if (!accept(","))
        break;
    }
    bool compound = is("+=") || is("-=") || is("*=") || is("/=");
    if (!statement.targets.empty() && (is("=") || compound)) {
      if (compound && statement.targets.size() > 1)
        unexpected("'='");
      statement.kind = StatementKind::assign;
      statement.op = take().text.str();
      statement.values.push_back(expression());
    } else {
      statement.targets.clear();
      at = before;
      statement.values.push_back(expression());
    }
  }
  statement.range = since(begin);
  return statement;
}

ExprPtr Parser::make(ExprKind kind, Range range, std::vector<ExprPtr> operands) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->range = range;
  for (const ExprPtr &operand : operands)
    if (operand)
      expr->depth = std::max(expr->depth, operand->depth + 1);
  if (expr->depth > kMaxDepth)
    throw Error{range, "the expression is nested too deeply", ""};
  expr->operands = std::move(operands);
  return expr;
}

namespace {
std::vector<ExprPtr> pack(ExprPtr a, ExprPtr b = nullptr) {
  std::vector<ExprPtr> all;
  all.push_back(std::move(a));
  if (b)
    all.push_back(std::move(b));
  return all;
}
} // namespace

ExprPtr Parser::expression() {
  Deeper deeper(*this);
  ExprPtr value = binary(1);
  if (is("if")) { // a if condition else b
    take();
    ExprPtr condition = binary(1);
    expect("else", " of the condition");
    ExprPtr otherwise = expression();
    Range range{value->range.begin, otherwise->range.end};
    std::vector<ExprPtr> operands = pack(std::move(value), std::move(condition));
    operands.push_back(std::move(otherwise));
    value = make(ExprKind::condition, range, std::move(operands));
  }
  return value;
}

ExprPtr Parser::binary(unsigned least) {
  Deeper deeper(*this);
  ExprPtr left = operand();
  while (unsigned binds = precedence(peek())) {
    if (binds < least)
      break;
    std::string op = take().text.str();
    // ** binds to the right, all others to the left; comparisons do not chain.
    ExprPtr right = binary(op == "**" ? binds : binds + 1);
    Range range{left->range.begin, right->range.end};
    left = make(op == ".." ? ExprKind::range : ExprKind::binary, range, pack(std::move(left), std::move(right)));
    left->text = op;
  }
  return left;
}

ExprPtr Parser::operand() {
  if (is("-") || is("+") || is("not")) {
    const Token &token = take();
    ExprPtr value = binary(token.is("not") ? kNot : kSign);
    Range range{token.range.begin, value->range.end};
    ExprPtr expr = make(ExprKind::unary, range, pack(std::move(value)));
    expr->text = token.text.str();
    return expr;
  }
  ExprPtr value = primary();
  while (true) {
    Range begin = value->range;
    if (is("(")) {
      std::vector<Argument> given = arguments();
      value = make(ExprKind::call, since(begin), pack(std::move(value)));
      for (const Argument &argument : given)
        value->depth = std::max(value->depth, argument.value->depth + 1);
      if (value->depth > kMaxDepth)
        throw Error{begin, "the expression is nested too deeply", ""};
      value->arguments = std::move(given);
    } else if (accept("[")) {
      std::vector<ExprPtr> operands = pack(std::move(value));
      while (!is("]")) {
        operands.push_back(indexEntry());
        if (!accept(","))
          break;
      }
      expect("]");
      value = make(ExprKind::index, since(begin), std::move(operands));
    } else if (is(".") && peek(1).kind == TokenKind::name) {
      take();
      std::string attribute = take().text.str();
      value = make(ExprKind::attribute, since(begin), pack(std::move(value)));
      value->text = attribute;
    } else {
      return value;
    }
  }
}

ExprPtr Parser::indexEntry() {
  Range begin = peek().range;
  if (accept("..."))
    return make(ExprKind::ellipsis, begin);
  std::vector<ExprPtr> parts(3);
  bool colon = false;
  for (size_t i = 0; i < 3; ++i) {
    if (!is(":") && !is(",") && !is("]"))
      parts[i] = expression();
    if (i == 2 || !accept(":"))
      break;
    colon = true;
  }
  if (!colon) {
    if (!parts[0])
      unexpected("an index");
    return std::move(parts[0]);
  }
  return make(ExprKind::slice, since(begin), std::move(parts));
}

std::vector<Argument> Parser::arguments() {
  std::vector<Argument> all;
  expect("(");
  while (!is(")")) {
    Argument argument;
    // `block` and `frozen` are keywords, but also the names of arguments.
    if ((peek().kind == TokenKind::name || peek().kind == TokenKind::keyword) && peek(1).is("=")) {
      const Token &token = take();
      argument.name = {token.text.str(), token.range};
      take();
    }
    argument.value = expression();
    all.push_back(std::move(argument));
    if (!accept(","))
      break;
  }
  expect(")", " or ',' behind the argument");
  return all;
}

ExprPtr Parser::primary() {
  const Token &token = peek();
  Range begin = token.range;
  auto leaf = [&](ExprKind kind) {
    take();
    return make(kind, begin);
  };
  switch (token.kind) {
  case TokenKind::name: {
    std::string text = token.text.str();
    ExprPtr expr = leaf(ExprKind::name);
    expr->text = text;
    return expr;
  }
  case TokenKind::integer: {
    std::string digits = token.text.str();
    llvm::erase(digits, '_');
    ExprPtr expr = leaf(ExprKind::integer);
    if (StringRef(digits).getAsInteger(10, expr->integer))
      throw Error{begin, "expected a number below 2^63, but got " + digits, ""};
    return expr;
  }
  case TokenKind::real: {
    std::string digits = token.text.str();
    llvm::erase(digits, '_');
    ExprPtr expr = leaf(ExprKind::real);
    expr->number = std::strtod(digits.c_str(), nullptr);
    return expr;
  }
  case TokenKind::string: {
    std::string text = unquote(token.text);
    ExprPtr expr = leaf(ExprKind::string);
    expr->text = text;
    return expr;
  }
  default:
    break;
  }
  if (is("true") || is("false")) {
    bool value = is("true");
    ExprPtr expr = leaf(ExprKind::boolean);
    expr->integer = value;
    return expr;
  }
  if (is("none"))
    return leaf(ExprKind::none);
  if (accept("(")) {
    ExprPtr value = expression();
    expect(")");
    value->range = since(begin);
    return value;
  }
  if (accept("[")) {
    std::vector<ExprPtr> operands;
    while (!is("]")) {
      operands.push_back(expression());
      if (!accept(","))
        break;
    }
    expect("]", " or ',' in the list");
    return make(ExprKind::list, since(begin), std::move(operands));
  }
  unexpected("an expression");
}

} // namespace

File parse(const Source &source, Diagnostics &diagnostics) { return Parser(source, diagnostics).file(); }

Block parseSignature(const Source &source, Diagnostics &diagnostics) { return Parser(source, diagnostics).signature(); }

} // namespace mlc::dsl
