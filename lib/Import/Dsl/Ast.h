//===- Ast.h - the syntax of the language ------------------------------------------------------------------------===//
//
// What the parser makes of a text: items (model, block, train, let), statements and expressions. Every node has the
// range of the text it stands for. Names are resolved and everything else is checked later.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_AST_H
#define MLC_LIB_IMPORT_DSL_AST_H

#include "lib/Import/Dsl/Source.h"

#include <memory>

namespace mlc::dsl {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Name {
  std::string text;
  Range range;
};

/// `value`, or `name=value`.
struct Argument {
  Name name;
  ExprPtr value;
};

enum class ExprKind {
  name,    // text
  integer, // integer
  real,    // number
  string,  // text
  boolean, // integer: 0 or 1
  none,
  list,      // operands
  unary,     // text: operator; operands: 1
  binary,    // text: operator; operands: 2
  range,     // operands: begin, end
  condition, // operands: value, condition, otherwise
  call,      // operands: callee; arguments
  index,     // operands: what is indexed, then an entry an axis
  slice,     // operands: begin, end, step; each may be null
  ellipsis,
  attribute, // operands: 1; text
};

struct Expr {
  ExprKind kind;
  Range range;
  std::string text;
  int64_t integer = 0;
  double number = 0;
  std::vector<ExprPtr> operands;
  std::vector<Argument> arguments;
  /// Of the tree below; limited, so that whoever walks it may recurse.
  unsigned depth = 1;
};

enum class StatementKind { assign, evaluate, giveBack, loop, branch, frozen };

struct Statement;
using Body = std::vector<Statement>;

struct Statement {
  StatementKind kind;
  Range range;
  /// Of an assignment, or the variable of a loop.
  std::vector<Name> targets;
  /// "=" or "+=" and the like.
  std::string op;
  /// What is assigned, evaluated, given back, looped over or branched on.
  std::vector<ExprPtr> values;
  Body body, otherwise;
};

/// `f32[N, 28, 28, 1]`.
struct TensorType {
  Name element;
  std::vector<ExprPtr> sizes;
  Range range;
};

struct TensorDeclaration {
  Name name;
  TensorType type;
};

/// Of a block, or of what is built in: `padding: valid|same = valid`.
struct Parameter {
  Name name;
  /// What it may be; empty: anything.
  std::vector<Name> kinds;
  /// Null: it has to be given.
  ExprPtr otherwise;
};

struct Model {
  Name name;
  std::vector<TensorDeclaration> inputs, outputs;
  Body body;
};

struct Block {
  Name name;
  std::vector<Parameter> parameters;
  Body body;
};

/// `key = value` of a train block.
struct Setting {
  Name key;
  ExprPtr value;
};

struct Train {
  Name model;
  std::vector<Setting> settings;
};

struct File {
  std::vector<Model> models;
  std::vector<Block> blocks;
  std::vector<Train> trains;
  /// Constants, in order; each an assignment.
  Body constants;
};

} // namespace mlc::dsl

#endif
