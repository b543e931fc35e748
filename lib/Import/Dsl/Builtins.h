//===- Builtins.h - what the language comes with -----------------------------------------------------------------===//
//
// Layers and functions are entries of one table: a signature in the syntax of the language, which is checked, shown in
// errors and in the reference, and a function that makes ops. Groups (initializers, optimizers, losses …) are tables of
// signatures alone; a call of theirs is a dictionary.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_BUILTINS_H
#define MLC_LIB_IMPORT_DSL_BUILTINS_H

#include "lib/Import/Dsl/Datum.h"

namespace mlc::dsl {

class Call;

struct Builtin {
  std::string name;
  /// As it is written, for the reference.
  std::string signature;
  /// A sentence for the reference.
  std::string summary;
  /// The chapter of the reference.
  std::string family;
  std::vector<Parameter> parameters;
  /// Whether it has weights, so that `name` and `frozen` may be given.
  bool hasWeights = false;
  Datum (*make)(Call &) = nullptr;
};

/// A member of a group.
struct Member {
  std::string name, signature;
  std::vector<Parameter> parameters;
};

/// All that is built in.
class Builtins {
public:
  static const Builtins &get();

  const Builtin *find(llvm::StringRef name) const;
  /// In the order of the tables.
  llvm::ArrayRef<std::unique_ptr<Builtin>> all() const { return builtins; }
  const Member *find(llvm::StringRef group, llvm::StringRef name) const;
  bool isGroup(llvm::StringRef group) const { return groups.count(group.str()); }
  const std::map<std::string, std::vector<Member>> &allGroups() const { return groups; }
  /// Whether a name stands for something without a variable of it.
  bool isWord(llvm::StringRef name) const { return words.count(name.str()); }
  /// The names of functions and members, for suggestions.
  std::vector<std::string> names() const;
  std::vector<std::string> names(llvm::StringRef group) const;

  // For the tables. A problem in a signature is a bug, and ends the program.
  void family(llvm::StringRef name) { current = name.str(); }
  void add(llvm::StringRef signature, llvm::StringRef summary, Datum (*make)(Call &), bool hasWeights = false);
  void addMember(llvm::StringRef group, llvm::StringRef signature);

private:
  Builtins();
  std::vector<Parameter> parameters(llvm::StringRef signature, std::string &name);

  std::vector<std::unique_ptr<Builtin>> builtins;
  std::map<std::string, const Builtin *> byName;
  std::map<std::string, std::vector<Member>> groups;
  std::set<std::string> words;
  std::string current;
};

// The tables, one file a family.
void addActivations(Builtins &);
void addArithmetic(Builtins &);
void addAttention(Builtins &);
void addContractions(Builtins &);
void addMovement(Builtins &);
void addNormalizations(Builtins &);
void addWindows(Builtins &);
void addRecurrence(Builtins &);
void addTraining(Builtins &);

/// Element types by their names in the language, or null.
mlir::Type elementType(mlir::MLIRContext *context, llvm::StringRef name);
std::vector<std::string> elementTypeNames();
std::string nameOf(mlir::Type element);

} // namespace mlc::dsl

#endif
