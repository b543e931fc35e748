//===- Recurrence.cpp - the derivative of graph.scan -------------------------------------------------------------===//
//
// Another scan, in the other direction. Its states are the cotangents of the states, its inputs the cotangents of the
// outputs and what steps computed that their derivatives read. Its body is the reverse of the body, its outputs are the
// cotangents of the inputs.
//
// What derivatives read is stored by the steps, not computed again: a product costs as much as reading hundreds of its
// elements, a sigmoid or tanh tens, and memory grows with the number of steps either way. Only sums, products, choices
// and movements of values that are there anyway are repeated.
//
// A matrix that every step multiplies by gets one product in the end, instead of one a step and their sum:
//
//   y[t] = x[t] W   =>   dW = [x[0]; x[1]; …]' [dy[0]; dy[1]; …]
//
// The cotangents of other captures are states that sum up.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/Gradients/Reverse.h"
#include "dialects/Graph/ScanBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Whether repeating an op costs no more than reading what it gives.
bool isCheap(Operation *op) {
  return isa<AddOp, SubOp, MulOp, NegOp, MaxOp, MinOp, CompareOp, SelectOp, NotOp, AndOp, OrOp, CastOp, ReshapeOp,
             ExpandOp, SliceOp, TransposeOp, IotaOp, tensor::CastOp, tensor::FromElementsOp>(op);
}

/// What the steps of the other direction read of the values of these steps.
class Residuals final {
public:
  Residuals(ScanOp scan, Block &backward)
      : scan(scan), forward(scan.getBody().front()), backward(backward), clones(OpBuilder::atBlockBegin(&backward)) {}

  /// Makes a step store a value; gives its place among the stored ones.
  size_t store(Value value) {
    stored.insert(value);
    return llvm::find(stored, value) - stored.begin();
  }

  /// Gives the backward steps all that they read; what they get as slices is in `slices`, of inputs where there is one,
  /// else of stored values.
  void connect() {
    SmallVector<Value> reads = getReads();
    for (Value value : reads) // what is stored in any case,
      if (!isa<RankedTensorType>(value.getType()) || isThere(value))
        continue;
      else if (isa<BlockArgument>(value) || !isCheap(value.getDefiningOp()))
        store(value);
    decided.clear();
    for (Value value : reads) // and the rest
      value.replaceUsesWithIf(provide(value), [&](OpOperand &use) {
        return backward.getParent()->isAncestor(use.getOwner()->getParentRegion());
      });
  }

  /// A slice for the backward steps: of an input of the scan, or of what was stored.
  struct Slice final {
    Value input;
    size_t stored;
  };
  ArrayRef<Slice> getSlices() const { return slices; }
  ArrayRef<Value> getStored() const { return stored.getArrayRef(); }

private:
  /// The values of the body that are read in the backward steps, in the order of the body.
  SmallVector<Value> getReads() {
    llvm::SetVector<Value> reads;
    backward.walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        if (operand.getParentBlock() == &forward)
          reads.insert(operand);
    });
    SmallVector<Value> sorted = reads.takeVector();
    llvm::sort(sorted, [](Value lhs, Value rhs) {
      Operation *a = lhs.getDefiningOp(), *b = rhs.getDefiningOp();
      if (a && b && a != b)
        return a->isBeforeInBlock(b);
      if (!a != !b)
        return !a;
      return a ? cast<OpResult>(lhs).getResultNumber() < cast<OpResult>(rhs).getResultNumber()
               : cast<BlockArgument>(lhs).getArgNumber() < cast<BlockArgument>(rhs).getArgNumber();
    });
    return sorted;
  }

  /// The operand behind a slice or a capture of the body, or null.
  Value operandOf(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getArgNumber() < scan.getInits().size())
      return nullptr;
    return scan->getOperand(argument.getArgNumber());
  }

  /// Whether a value can be had without storing anything more.
  bool isThere(Value value) {
    if (value.getParentBlock() != &forward || mapping.contains(value) || stored.contains(value) || operandOf(value))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (auto it = decided.find(value); it != decided.end())
      return it->second;
    bool isRepeated = op->hasTrait<OpTrait::ConstantLike>() || !isa<RankedTensorType>(value.getType()) || isCheap(op);
    bool is = isRepeated && llvm::all_of(mlc::graph::getReads(op), [&](Value read) { return isThere(read); });
    return decided[value] = is;
  }

  /// A value of the body as the backward steps have it.
  Value provide(Value value) {
    if (value.getParentBlock() != &forward)
      return value;
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Value operand = operandOf(value), result;
    if (operand && !llvm::is_contained(scan.getSliceArguments(), value)) {
      result = operand;
    } else if (operand) {
      result = slice(value, {operand, 0});
    } else if (bool isScalar = !isa<RankedTensorType>(value.getType());
               isScalar || (!stored.contains(value) && isThere(value))) {
      // A size is made again even where that means to store the tensor that it is of.
      Operation *op = value.getDefiningOp();
      for (Value read : mlc::graph::getReads(op))
        if (read.getParentBlock() == &forward)
          mapping.map(read, provide(read));
      result = clones.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
    } else {
      result = slice(value, {Value(), store(value)});
    }
    mapping.map(value, result);
    return result;
  }

  Value slice(Value value, Slice source) {
    slices.push_back(source);
    return backward.addArgument(value.getType(), value.getLoc());
  }

  ScanOp scan;
  Block &forward, &backward;
  OpBuilder clones;
  IRMapping mapping;
  llvm::SetVector<Value> stored;
  DenseMap<Value, bool> decided;
  SmallVector<Slice> slices;
};

class ScanGradient final {
public:
  ScanGradient(ScanOp scan, GradientBuilder &g)
      : scan(scan), g(g), loc(scan.getLoc()), states(scan.getInits().size()), inputs(scan.getInputs().size()) {}

  LogicalResult build() {
    findLeaves();
    ScanBuilder backward(g);
    Block &block = backward.block();
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    Reverse reverse(inside, g.getShapes());
    GraphBuilder body(inside, loc, g.getShapes());
    seed(block, reverse);

    // One matrix for all steps waits for the end.
    auto isDeferred = [&](OpOperand &operand, Value cotangent) {
      auto product = dyn_cast<MatMulOp>(operand.getOwner());
      if (!product || &operand != &product.getRhsMutable() || GraphBuilder::rank(operand.get()) != 2 ||
          !isCapture(operand.get()) || GraphBuilder::rank(product.getLhs()) < 2 || isCapture(product.getLhs()) ||
          product.getLhs().getParentBlock() != forward())
        return false;
      products.push_back({product, cotangent});
      return true;
    };
    if (failed(reverse.run(forward(), forward()->getTerminator()->getIterator(), leaves, isDeferred)))
      return failure();

    Values yields;
    for (size_t i : activeStates)
      yields.push_back(reverse.finish(forward()->getArgument(i), loc));
    SmallVector<size_t> summed, sequences;
    for (size_t i = states + inputs; i < scan->getNumOperands(); ++i) {
      Value argument = forward()->getArgument(i), cotangent = g.needs(i) ? reverse.lookup(argument) : Value();
      if (!cotangent)
        continue;
      inits.push_back(g.zerosLike(scan->getOperand(i)));
      BlockArgument sum = block.insertArgument(inits.size() - 1, inits.back().getType(), loc);
      g.assume(sum, g.shape(scan->getOperand(i)));
      yields.push_back(body.add(sum, cotangent));
      summed.push_back(i);
    }
    for (size_t i = states; i < states + inputs; ++i)
      if (g.needs(i)) {
        yields.push_back(reverse.finish(forward()->getArgument(i), loc));
        sequences.push_back(i);
      }
    for (const Product &product : products)
      yields.push_back(product.cotangent);
    YieldOp::create(inside, loc, yields);

    Residuals residuals(scan, block);
    for (Product &product : products) {
      product.input = inputOf(product.op.getLhs());
      if (!product.input)
        product.stored = residuals.store(product.op.getLhs());
    }
    residuals.connect();
    Values stored = extend(residuals.getStored());
    for (const Residuals::Slice &slice : residuals.getSlices())
      sources.push_back(slice.input ? slice.input : stored[slice.stored]);
    if (sources.empty()) { // which says how many steps there are
      sources.push_back(scan.getInputs()[0]);
      block.addArgument(ScanBuilder::sliceType(sources[0]), loc);
    }
    Values results = backward.finish(inits, sources, !scan.getReverse());

    auto next = results.begin();
    auto take = [&](size_t i) {
      g.assume(*next, g.shape(scan->getOperand(i)));
      return *next++;
    };
    for (size_t i : activeStates) {
      Value result = take(i);
      g.give(i, [&] { return result; });
    }
    DenseMap<size_t, Value> ofCaptures;
    auto add = [&](size_t i, Value cotangent) {
      Value &sum = ofCaptures[i];
      sum = sum ? g.add(sum, cotangent) : cotangent;
    };
    for (size_t i : summed)
      add(i, take(i));
    for (size_t i : sequences) {
      Value result = take(i);
      g.give(i, [&] { return result; });
    }
    for (const Product &product : products)
      add(product.capture, g.matrixGradient(product.input ? product.input : stored[product.stored], *next++));
    for (size_t i = states + inputs; i < scan->getNumOperands(); ++i)
      if (Value cotangent = ofCaptures.lookup(i))
        g.give(i, [&] { return cotangent; });
    return success();
  }

private:
  /// A product with a captured matrix, and the cotangent of its result.
  struct Product final {
    Product(MatMulOp op, Value cotangent)
        : op(op), cotangent(cotangent), capture(cast<BlockArgument>(op.getRhs()).getArgNumber()) {}
    MatMulOp op;
    Value cotangent;
    size_t capture;
    /// All rows that the matrix was multiplied by: of an input of the scan, else stored.
    Value input;
    size_t stored = 0;
  };

  Block *forward() { return &scan.getBody().front(); }
  ValueRange yielded() { return scan.getYield().getValues(); }
  bool isCapture(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == forward() && argument.getArgNumber() >= states + inputs;
  }
  /// The input that a value of the body is a slice of, or null.
  Value inputOf(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getArgNumber() >= states ? scan->getOperand(argument.getArgNumber()) : Value();
  }

  /// What cotangents are wanted of: the slices and captures asked for, and the states that come to depend on those.
  void findLeaves() {
    for (BlockArgument argument : forward()->getArguments())
      if (g.needs(argument.getArgNumber()))
        leaves.push_back(argument);
    for (bool isChanged = true; isChanged;) {
      isChanged = false;
      DenseSet<Value> active = Reverse::findActive(forward(), forward()->getTerminator()->getIterator(), leaves);
      for (size_t i = 0; i < states; ++i)
        if (Value argument = forward()->getArgument(i);
            isDifferentiable(argument) && active.contains(yielded()[i]) && !llvm::is_contained(leaves, argument)) {
          leaves.push_back(argument);
          isChanged = true;
        }
    }
    for (size_t i = 0; i < states; ++i)
      if (llvm::is_contained(leaves, forward()->getArgument(i)))
        activeStates.push_back(i);
  }

  /// The cotangents that a step starts from: of the states after it, and of its outputs.
  void seed(Block &block, Reverse &reverse) {
    for (size_t i : activeStates) {
      Value init = scan.getInits()[i];
      inits.push_back(g.cotangent(i) ? g.cotangent(i) : g.zerosLike(init));
      BlockArgument argument = block.addArgument(inits.back().getType(), loc);
      g.assume(argument, g.shape(init));
      reverse.add(yielded()[i], argument, loc);
    }
    for (size_t i = states; i < scan.getNumResults(); ++i) {
      Value cotangent = g.cotangent(i);
      if (!cotangent)
        continue;
      sources.push_back(cotangent);
      BlockArgument argument = block.addArgument(ScanBuilder::sliceType(cotangent), loc);
      Shape shape = g.shape(scan.getResult(i));
      g.assume(argument, Shape(ArrayRef(shape).drop_front()));
      reverse.add(yielded()[i], argument, loc);
    }
  }

  /// Makes the scan give all steps' values of `stored` too, and gives those.
  Values extend(ArrayRef<Value> stored) {
    if (stored.empty())
      return {};
    YieldOp yield = scan.getYield();
    yield->insertOperands(yield->getNumOperands(), stored);
    OpBuilder b(scan);
    GraphBuilder before(b, loc, g.getShapes());
    size_t count = scan.getNumResults();
    auto extended = ScanOp::create(b, loc, scan.getInits(), scan.getInputs(), scan.getCaptures(), scan.getReverse(),
                                   std::move(scan.getBody()));
    extended->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
    Values results = before.finish(extended);
    for (auto [from, to] : llvm::zip(scan.getResults(), results))
      to.setType(from.getType()); // which may know more than the operands say
    g.replaceOp(ValueRange(results).take_front(count));
    return Values(results.begin() + static_cast<int64_t>(count), results.end());
  }

  ScanOp scan;
  GradientBuilder &g;
  Location loc;
  size_t states, inputs;
  SmallVector<Value> leaves;
  SmallVector<size_t> activeStates;
  SmallVector<Product> products;
  Values inits, sources;
};

} // namespace

LogicalResult ScanOp::buildGradients(GradientBuilder &g) { return ScanGradient(*this, g).build(); }
