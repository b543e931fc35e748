//===- Lexer.h - the tokens of the language ----------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_LEXER_H
#define MLC_LIB_IMPORT_DSL_LEXER_H

#include "lib/Import/Dsl/Source.h"

namespace mlc::dsl {

enum class TokenKind { end, newline, name, keyword, integer, real, string, punctuation };

struct Token {
  TokenKind kind;
  Range range;
  /// As it is written.
  llvm::StringRef text;

  bool is(llvm::StringRef wanted) const {
    return text == wanted && (kind == TokenKind::punctuation || kind == TokenKind::keyword);
  }
};

/// The words that are no names, in alphabetical order.
llvm::ArrayRef<std::string> keywords();

/// The tokens of a text; the last one is `end`. Newlines count only outside of parentheses and brackets, and several
/// are one. What is no token is reported and left out.
std::vector<Token> tokenize(const Source &source, Diagnostics &diagnostics);

/// The value of a string token. Escapes are \n, \t, \" and \\.
std::string unquote(llvm::StringRef text);

} // namespace mlc::dsl

#endif
