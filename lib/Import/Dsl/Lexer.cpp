//===- Lexer.cpp - the tokens of the language --------------------------------------------------------------------===//
#include "lib/Import/Dsl/Lexer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using llvm::StringRef;

namespace mlc::dsl {

llvm::ArrayRef<std::string> keywords() {
  static const std::vector<std::string> words{"and", "block", "else", "false", "for", "frozen", "if",    "in",
                                              "let", "model", "none", "not",   "or",  "return", "train", "true"};
  return words;
}

namespace {

/// Longer ones first.
constexpr StringRef kPunctuation[] = {
    "...", "->", "**", "//", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "..", "(", ")", "[", "]",
    "{",   "}",  ",",  ":",  "=",  "+",  "-",  "*",  "/",  "%",  "@",  "<",  ">",  ".", "|", ";"};

bool startsName(char c) { return llvm::isAlpha(c) || c == '_'; }
bool isName(char c) { return llvm::isAlnum(c) || c == '_'; }

class Lexer final {
public:
  Lexer(const Source &source, Diagnostics &diagnostics) : text(source.text), diagnostics(diagnostics) {}

  std::vector<Token> run() {
    while (at < text.size())
      next();
    push(TokenKind::end, at, at);
    return std::move(tokens);
  }

private:
  void push(TokenKind kind, size_t begin, size_t end) {
    tokens.push_back({kind, {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}, text.slice(begin, end)});
  }
  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  void next();
  void number();
  void string();

  StringRef text;
  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  size_t at = 0;
  /// Open parentheses and brackets.
  unsigned depth = 0;
};

void Lexer::next() {
  char c = peek();
  if (c == '\n') {
    if (depth == 0 && !tokens.empty() && tokens.back().kind != TokenKind::newline)
      push(TokenKind::newline, at, at + 1);
    ++at;
    return;
  }
  if (c == ' ' || c == '\t' || c == '\r') {
    ++at;
    return;
  }
  if (c == '#') {
    at = std::min(text.find('\n', at), text.size());
    return;
  }
  if (startsName(c)) {
    size_t begin = at;
    while (at < text.size() && isName(text[at]))
      ++at;
    StringRef word = text.slice(begin, at);
    bool reserved = llvm::is_contained(keywords(), word);
    // A forgotten parenthesis does not swallow the rest of the file.
    if (depth && (word == "model" || word == "block" || word == "train" || word == "let" || word == "return")) {
      depth = 0;
      push(TokenKind::newline, begin, begin);
    }
    push(reserved ? TokenKind::keyword : TokenKind::name, begin, at);
    return;
  }
  if (llvm::isDigit(c))
    return number();
  if (c == '"' || c == '\'')
    return string();
  for (StringRef candidate : kPunctuation)
    if (text.substr(at).starts_with(candidate)) {
      if (candidate == "(" || candidate == "[")
        ++depth;
      else if (candidate == "{" || candidate == "}")
        depth = 0;
      else if ((candidate == ")" || candidate == "]") && depth)
        --depth;
      push(TokenKind::punctuation, at, at + candidate.size());
      at += candidate.size();
      return;
    }
  size_t begin = at++;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    ++at;
  Range range{static_cast<uint32_t>(begin), static_cast<uint32_t>(at)};
  bool printable = static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  diagnostics.error(range, "unexpected character" + (printable ? " '" + text.slice(begin, at).str() + "'" : ""));
}

void Lexer::number() {
  size_t begin = at;
  bool real = false;
  auto digits = [&] {
    while (llvm::isDigit(peek()) || (peek() == '_' && llvm::isDigit(peek(1))))
      ++at;
  };
  digits();
  if (peek() == '.' && peek(1) != '.') { // 0..4 is a range
    real = true;
    ++at;
    digits();
  }
  if ((peek() == 'e' || peek() == 'E') &&
      (llvm::isDigit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && llvm::isDigit(peek(2))))) {
    real = true;
    at += 2;
    digits();
  }
  if (startsName(peek())) {
    while (at < text.size() && isName(text[at]))
      ++at;
    Range range{static_cast<uint32_t>(begin), static_cast<uint32_t>(at)};
    diagnostics.error(range, "expected a number, but got '" + text.slice(begin, at) + "'");
  }
  push(real ? TokenKind::real : TokenKind::integer, begin, at);
}

void Lexer::string() {
  size_t begin = at;
  char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n')
    at += text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n' ? 2 : 1;
  if (peek() == quote) {
    ++at;
  } else {
    Range range{static_cast<uint32_t>(begin), static_cast<uint32_t>(at)};
    diagnostics.error(range, "the string does not end on its line");
  }
  push(TokenKind::string, begin, at);
}

} // namespace

std::vector<Token> tokenize(const Source &source, Diagnostics &diagnostics) { return Lexer(source, diagnostics).run(); }

std::string unquote(StringRef text) {
  std::string value;
  char quote = text.front();
  for (size_t i = 1; i < text.size() && text[i] != quote; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char c = text[++i];
      value += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else {
      value += text[i];
    }
  }
  return value;
}

} // namespace mlc::dsl
