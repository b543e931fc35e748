//===- Parser.h - from tokens to the syntax ----------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_PARSER_H
#define MLC_LIB_IMPORT_DSL_PARSER_H

#include "lib/Import/Dsl/Ast.h"

namespace mlc::dsl {

/// The items of a text. What cannot be read is reported, and reading goes on behind the statement.
File parse(const Source &source, Diagnostics &diagnostics);

/// The name and the parameters in `dense(x: tensor, units: count)`, as the tables of what is built in write them.
Block parseSignature(const Source &source, Diagnostics &diagnostics);

} // namespace mlc::dsl

#endif
