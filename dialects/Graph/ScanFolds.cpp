//===- ScanFolds.cpp - canonicalization of graph.scan -------------------------------------------------------------===//
//
// What every step computes anew from captures alone is computed once before, what nobody reads is left out. Constants
// are in the body, where other folds see them.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->hasTrait<OpTrait::ConstantLike>();
}

/// A copy of a scan that loses operands and results, or captures more.
class Copy final {
public:
  Copy(PatternRewriter &rewriter, ScanOp op) : rewriter(rewriter), op(op), captures(op.getCaptures()) {
    IRMapping mapping;
    op.getBody().cloneInto(&body, mapping);
  }

  /// The argument for operand `i` of the op.
  Value argument(size_t i) { return body.getArgument(i); }
  /// Leaves operand `i` out; `instead` takes the place of its argument.
  void drop(size_t i, Value instead) {
    if (instead)
      argument(i).replaceAllUsesWith(instead);
    dropped.insert(i);
  }
  /// Leaves result `i` out; `instead` takes its place, where anything reads it.
  void dropResult(size_t i, Value instead) { results[i] = instead; }
  /// Captures `value` too; returns its argument.
  Value capture(Value value) {
    captures.push_back(value);
    return body.addArgument(value.getType(), value.getLoc());
  }
  /// A copy of a constant, in the body.
  Value bring(Value constant) {
    OpBuilder inside(op.getContext());
    inside.setInsertionPointToStart(&body.front());
    return inside.clone(*constant.getDefiningOp())->getResult(0);
  }

  /// Puts the copy in the place of the op.
  void finish() {
    auto yield = cast<YieldOp>(body.front().back());
    SmallVector<Value> values, lists[3];
    for (auto [i, value] : llvm::enumerate(yield.getValues()))
      if (!results.contains(i))
        values.push_back(value);
    yield->setOperands(values);
    SmallVector<Value> all(op.getOperands().drop_back(op.getCaptures().size()));
    llvm::append_range(all, captures);
    for (auto [i, operand] : llvm::enumerate(all))
      if (!dropped.contains(i))
        lists[i < op.getInits().size()                           ? 0
              : i < op.getInits().size() + op.getInputs().size() ? 1
                                                                 : 2]
            .push_back(operand);
    body.front().eraseArguments([&](BlockArgument argument) { return dropped.contains(argument.getArgNumber()); });
    auto copy = ScanOp::create(rewriter, op.getLoc(), lists[0], lists[1], lists[2], op.getReverse(), std::move(body));
    size_t next = 0;
    SmallVector<Value> replacements;
    for (auto [i, result] : llvm::enumerate(op.getResults())) {
      if (!results.contains(i))
        copy.getResult(next).setType(result.getType()); // which may know more than the operands say
      replacements.push_back(results.contains(i) ? results[i] : Value(copy.getResult(next++)));
    }
    rewriter.replaceOp(op, replacements);
  }

private:
  PatternRewriter &rewriter;
  ScanOp op;
  Region body;
  SmallVector<Value> captures;
  llvm::DenseSet<size_t> dropped;
  llvm::DenseMap<size_t, Value> results;
};

/// scan(constant, x, x, unused) -> scan(x), with the constant in the body, and without outputs that nobody reads or
/// that are there twice. A state that never changes is a capture.
struct SimplifyOperands final : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp op, PatternRewriter &rewriter) const override {
    size_t states = op.getInits().size(), inputs = op.getInputs().size();
    ValueRange yielded = op.getYield().getValues();
    for (size_t i = states; i < op.getNumResults(); ++i)
      for (size_t other = states; other < i && !op.getResult(i).use_empty(); ++other)
        if (yielded[other] == yielded[i] && op.getResult(other).getType() == op.getResult(i).getType())
          rewriter.replaceAllUsesWith(op.getResult(i), op.getResult(other));
    SmallVector<size_t> unchanged, repeated, constants, unread;
    SmallVector<std::optional<size_t>> others; // the operand before it that is the same
    for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
      size_t first = i < states + inputs ? states : states + inputs;
      others.emplace_back();
      for (size_t other = first; other < i && !others.back(); ++other)
        if (op->getOperand(other) == operand)
          others.back() = other;
      if (i < states && yielded[i] == op.getStateArguments()[i] && op.getResult(i).getType() == operand.getType())
        unchanged.push_back(i);
      else if (others.back())
        repeated.push_back(i);
      else if (i >= states + inputs && isConstant(operand))
        constants.push_back(i);
      else if (i >= states + inputs && op.getBody().getArgument(i).use_empty())
        unread.push_back(i);
    }
    llvm::erase_if(unread, [&](size_t i) { return llvm::is_contained(others, i); }); // what takes its place is read
    SmallVector<size_t> unused;
    for (size_t i = states; i < op.getNumResults(); ++i)
      if (op.getResult(i).use_empty())
        unused.push_back(i);
    if (unchanged.empty() && repeated.empty() && constants.empty() && unread.empty() && unused.empty())
      return rewriter.notifyMatchFailure(op, "everything is used, once");

    Copy copy(rewriter, op);
    for (size_t i : unchanged) {
      copy.drop(i, copy.capture(op.getInits()[i]));
      copy.dropResult(i, op.getInits()[i]);
    }
    for (size_t i : repeated)
      copy.drop(i, copy.argument(*others[i]));
    for (size_t i : constants)
      copy.drop(i, copy.bring(op->getOperand(i)));
    for (size_t i : unread)
      copy.drop(i, Value());
    for (size_t i : unused)
      copy.dropResult(i, Value());
    copy.finish();
    return success();
  }
};

/// scan { f(capture) } -> scan { capture' } of capture' = f(capture)
struct HoistInvariants final : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ScanOp op, PatternRewriter &rewriter) const override {
    llvm::SetVector<Operation *> invariant;
    for (Operation &inner : op.getBody().front().without_terminator())
      if (isInvariant(op, &inner, invariant))
        invariant.insert(&inner);
    if (invariant.empty())
      return rewriter.notifyMatchFailure(op, "all depends on the step");
    IRMapping outside;
    outside.map(op.getCaptureArguments(), op.getCaptures());
    for (Operation *inner : invariant) {
      for (Value operand : inner->getOperands())
        if (isConstant(operand) && !outside.contains(operand))
          rewriter.clone(*operand.getDefiningOp(), outside);
      rewriter.clone(*inner, outside);
    }
    // The argument takes the place of the result in the body; what computed it there is dead.
    SmallVector<Value> captures(op.getCaptures());
    rewriter.modifyOpInPlace(op, [&] {
      for (Operation *inner : invariant)
        for (Value result : inner->getResults()) {
          captures.push_back(outside.lookup(result));
          result.replaceAllUsesWith(op.getBody().addArgument(result.getType(), result.getLoc()));
        }
      op.getCapturesMutable().assign(captures);
    });
    for (Operation *inner : llvm::reverse(invariant))
      rewriter.eraseOp(inner);
    return success();
  }

  /// Whether an op reads captures, and otherwise constants and invariant values only, and what it gives can be
  /// captured.
  static bool isInvariant(ScanOp op, Operation *inner, const llvm::SetVector<Operation *> &invariant) {
    if (inner->getNumOperands() == 0 || inner->getNumRegions() || !isPure(inner) ||
        !llvm::all_of(inner->getResultTypes(), [](Type type) { return isa<RankedTensorType, IndexType>(type); }))
      return false;
    auto isOutside = [&](Value value) {
      if (auto argument = dyn_cast<BlockArgument>(value))
        return llvm::is_contained(op.getCaptureArguments(), argument);
      return invariant.contains(value.getDefiningOp());
    };
    return llvm::any_of(inner->getOperands(), isOutside) &&
           llvm::all_of(inner->getOperands(), [&](Value value) { return isConstant(value) || isOutside(value); });
  }
};

} // namespace

void ScanOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SimplifyOperands, HoistInvariants>(context);
}
