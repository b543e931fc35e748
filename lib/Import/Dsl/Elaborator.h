//===- Elaborator.h - executing a model so that ops come out -----------------------------------------------------===//
//
// Walks the syntax once: blocks are expanded where they are called, loops are unrolled, and what remains is a function
// of graph ops. A statement that fails is reported and poisons what it defines, so that one run finds every problem.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_ELABORATOR_H
#define MLC_LIB_IMPORT_DSL_ELABORATOR_H

#include "lib/Import/Dsl/Builtins.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlc::dsl {

using Ints = llvm::SmallVector<int64_t, 8>;

/// Thrown where a poisoned value is needed.
struct AlreadyReported final {};

/// Thrown when a text asks for more than there is time for; ends the import.
struct TooLong final {
  Range range;
};
/// Makes ops; what they have to say against their operands is an error of the text.
class CheckedBuilder : public graph::GraphBuilder {
public:
  using GraphBuilder::GraphBuilder;
  [[noreturn]] virtual void fail(const llvm::Twine &reason, llvm::StringRef argument = "") = 0;

private:
  void settle(mlir::Operation *op) override {
    if (std::string reason = trySettle(op); !reason.empty())
      fail(reason);
  }
};

class Elaborator {
public:
  Elaborator(const File &file, Diagnostics &diagnostics, mlir::ModuleOp module);

  // -- Execution.
  Datum evaluate(const Expr &expr);
  /// Evaluates with a kind in mind: the names of a group are looked up there first.
  Datum evaluateAs(const Expr &expr, llvm::ArrayRef<Name> kinds);
  /// What the body gives back, or nothing where it ends without.
  std::optional<Datum> execute(const Body &body);
  void defineConstants();
  /// The value of `name`, made to be of one of the kinds.
  Datum coerce(Datum value, const Parameter &parameter, Range range, llvm::StringRef callee);

  // -- Calls.
  /// Arguments of a call by parameter, positions before names; those of `known` are given already.
  Bindings bind(const std::vector<Parameter> &parameters, llvm::StringRef callee, const Expr &call, bool hasWeights,
                const Bindings &known = {});
  Datum apply(std::shared_ptr<Layer> layer, Bindings given, Range range);
  /// Applies what an argument such as `activation` says to one tensor.
  Datum applyTo(const Datum &callee, mlir::Value x, Range range);
  Datum makeChoice(llvm::StringRef group, const Member &member, const Bindings &given, Range range);

  // -- Names of layers.
  std::string claimPath(llvm::StringRef kind, const Given *name, Range range);

  /// A weight by its whole name; made where there is none yet, and of the same type otherwise.
  mlir::Value weight(const std::string &name, mlir::RankedTensorType type, mlir::DictionaryAttr initializer,
                     bool isStatistic, Range range, mlir::Location loc);

  mlir::Location locate(Range range, llvm::StringRef name = "") const;
  std::string describe(const Datum &value) const;
  std::string describe(mlir::Value tensor) const;
  std::string describe(mlir::RankedTensorType type) const;
  std::string describe(const graph::Size &size) const;

  [[noreturn]] void fail(Range range, const llvm::Twine &reason, const llvm::Twine &wayOut = "") const {
    throw Error{range, reason.str(), wayOut.str()};
  }

  const File &file;
  Diagnostics &diagnostics;
  mutable mlir::ModuleOp module;
  mlir::OpBuilder b;
  llvm::DenseMap<mlir::Value, graph::Shape> shapes;
  /// Names of symbolic sizes, by the index value.
  llvm::DenseMap<mlir::Value, std::string> symbolNames;
  /// The weights that layers have made.
  std::map<std::string, graph::ParameterOp> weights;

  struct Scope {
    std::map<std::string, Datum> names;
    std::string path;
    /// Names of layers in it, and how many of a kind there are.
    std::set<std::string> claimed;
    std::map<std::string, unsigned> counters;
  };
  /// The scope of the file's constants, then one a call of a block.
  std::vector<Scope> scopes;
  Scope &scope() { return scopes.back(); }
  unsigned frozen = 0;
  /// The blocks that were called.
  std::set<const Block *> called;
  /// The name that the statement gives to its value, for layers that are bound.
  std::string target;

private:
  friend class Call;
  std::vector<std::string> visibleNames() const;
  std::shared_ptr<Layer> layerOf(const Datum &what, Range range);
  Datum lookup(const Expr &expr);
  Datum call(const Expr &expr);
  Datum unary(const Expr &expr);
  Datum binary(const Expr &expr);
  Datum binary(llvm::StringRef op, const Datum &lhs, const Datum &rhs, Range range);
  Datum tensorBinary(llvm::StringRef op, const Datum &lhs, const Datum &rhs, Range range);
  Datum sizeBinary(llvm::StringRef op, const Datum &lhs, const Datum &rhs, Range range);
  Datum numberBinary(llvm::StringRef op, const Datum &lhs, const Datum &rhs, Range range);
  Datum index(const Expr &expr);
  Datum indexTensor(const Expr &expr, mlir::Value tensor);
  Datum attribute(const Expr &expr);
  bool condition(const Expr &expr);
  void executeStatement(const Statement &statement, std::optional<Datum> &result);
  void assign(const Statement &statement);
  void define(const Name &name, Datum value);
  Datum callBlock(const Block &block, const std::shared_ptr<Layer> &layer, Bindings given, Range range);

  std::vector<std::pair<std::string, Range>> calls;
  mlir::Operation *lastWeight = nullptr;
  uint64_t steps = 0;
  unsigned depth = 0;
};

/// One call of a builtin: its arguments, and the making of ops.
class Call final : public CheckedBuilder {
public:
  Call(Elaborator &elaborator, const Builtin &builtin, Bindings given, std::string path, Range range);

  [[noreturn]] void fail(const llvm::Twine &reason, llvm::StringRef argument = "") override;
  [[noreturn]] void fail(const llvm::Twine &reason, llvm::StringRef argument, const llvm::Twine &wayOut);

  // -- Arguments; their kinds have been checked.
  const Datum &value(llvm::StringRef name) const;
  bool has(llvm::StringRef name) const { return !value(name).is<None>(); }
  mlir::Value tensor(llvm::StringRef name) const { return value(name).tensor(); }
  /// A floating-point tensor.
  mlir::Value real(llvm::StringRef name);
  graph::Values tensors(llvm::StringRef name);
  int64_t integer(llvm::StringRef name) const { return *value(name).integer(); }
  double number(llvm::StringRef name) const { return *value(name).number(); }
  bool flag(llvm::StringRef name) const { return *value(name).get<bool>(); }
  std::string text(llvm::StringRef name) const { return *value(name).text(); }
  /// One number for all of `count` axes, or one for each; at least `least`.
  Ints perAxis(llvm::StringRef name, size_t count, int64_t least = 1);
  Ints integers(llvm::StringRef name);
  /// Axes of a tensor of rank `rank`, sorted and without repetition.
  Ints axes(llvm::StringRef name, int64_t rank);
  int64_t axisOf(llvm::StringRef name, int64_t rank);
  /// A size, or a list of them.
  graph::Size size(const Datum &value, llvm::StringRef name);
  graph::Shape sizesOf(llvm::StringRef name);
  void expectRank(mlir::Value x, int64_t rank, llvm::StringRef what);
  /// The size of an axis that has to be known now.
  int64_t knownSize(mlir::Value x, int64_t axis, llvm::StringRef what);

  // -- Weights.
  /// The weight `<path>.<name>` with the initializer that the argument gives. Fans of 0 are those of a matrix.
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, llvm::StringRef argument, mlir::Type element,
                     int64_t fanIn = 0, int64_t fanOut = 0);
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, mlir::DictionaryAttr initializer,
                     mlir::Type element, bool isStatistic = false);
  mlir::DictionaryAttr constantInitializer(double value);
  /// Adds `<path>.<name>`, one number an entry of the last axis, where the argument `bias` wants it.
  mlir::Value addBias(mlir::Value x, int64_t count, llvm::StringRef name = "bias");
  /// Applies the argument `activation`.
  Datum activate(mlir::Value x, llvm::StringRef argument = "activation");
  mlir::Value activated(mlir::Value x, llvm::StringRef argument = "activation");

  mlir::Location where() const { return loc; }
  Elaborator &elaborator;
  const Builtin &builtin;
  const std::string path;
  const Range range;

private:
  Bindings given;
};

} // namespace mlc::dsl

#endif
