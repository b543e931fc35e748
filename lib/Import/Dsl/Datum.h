//===- Datum.h - what an expression of the language is worth -----------------------------------------------------===//
//
// A model is executed once, when it is compiled: numbers, strings and layers are values of this execution, tensors are
// values of the program that it makes. Sizes are in between: numbers where they are known, symbols otherwise.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_DATUM_H
#define MLC_LIB_IMPORT_DSL_DATUM_H

#include "dialects/Graph/GraphBuilder.h"
#include "lib/Import/Dsl/Ast.h"

#include <map>
#include <variant>

namespace mlc::dsl {

struct Datum;
struct Layer;

/// A value that could not be computed; the reason has been reported.
struct Poison {};
struct None {};
/// The name of something built in or of a block, where no variable has it: `relu`, `same`, `glorot_uniform`.
struct Word {
  std::string text;
};
/// A size that is known only at run time, as an index value.
struct Symbol {
  graph::Size size;
};
/// `normal(stddev=0.02)`: what a group (initializer, optimizer …) has made of its arguments.
struct Choice {
  std::string group;
  mlir::DictionaryAttr settings;
};
using List = std::vector<Datum>;

struct Datum {
  using Storage = std::variant<None, Poison, bool, int64_t, double, Symbol, std::string, Word, Choice,
                               std::shared_ptr<const List>, mlir::Value, std::shared_ptr<Layer>>;
  Storage storage;

  Datum() = default;
  template <typename T>
    requires(!std::is_same_v<std::decay_t<T>, Datum>)
  Datum(T &&value) : storage(std::forward<T>(value)) {}

  template <typename T> const T *get() const { return std::get_if<T>(&storage); }
  template <typename T> bool is() const { return get<T>() != nullptr; }

  /// The elements of a list, or null.
  const List *list() const {
    auto *shared = get<std::shared_ptr<const List>>();
    return shared ? shared->get() : nullptr;
  }
  mlir::Value tensor() const {
    auto *value = get<mlir::Value>();
    return value ? *value : mlir::Value();
  }
  std::shared_ptr<Layer> layer() const {
    auto *value = get<std::shared_ptr<Layer>>();
    return value ? *value : nullptr;
  }
  /// A number, whole or not.
  std::optional<double> number() const;
  /// A whole number; 2.0 is one.
  std::optional<int64_t> integer() const;
  /// A string or a word.
  std::optional<std::string> text() const;
  bool isPoison() const { return is<Poison>(); }
};

Datum makeList(List elements);

/// What is given for a parameter, and where.
struct Given {
  Datum value;
  Range range;
};
using Bindings = std::map<std::string, Given>;

struct Builtin;

/// Something callable with a part of its arguments; its parameters are made when it is applied first, and shared by all
/// applications.
struct Layer {
  /// One of the two.
  const Builtin *builtin = nullptr;
  const Block *block = nullptr;
  Bindings given;
  /// Before its parameters: "block_2.attention"; empty until it is bound to a name or applied.
  std::string path;

  const std::string &name() const;
};

} // namespace mlc::dsl

#endif
