//===- BindEntry.cpp - the entry function reads from a frame and writes into the caller's buffers -----------------===//
//
// Precondition: one public function with a body, on signless tensors; no graph op but parameters and weights.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "passes/Buffer/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlc {
#define GEN_PASS_DEF_BUFFERBINDENTRYPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct BindEntry final : mlc::impl::BufferBindEntryPassBase<BindEntry> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        entries.push_back(function);
    for (func::FuncOp entry : entries) {
      if (!llvm::hasSingleElement(entry.getBody())) {
        entry.emitError("requires an entry function of one block");
        return signalPassFailure();
      }
      Value frame = bindArguments(entry);
      bindWeights(entry, frame);
      bindResults(entry, frame);
      bindStates(entry, frame);
    }
  }

  /// Arguments become rt.input, their sizes rt.input_size.
  Value bindArguments(func::FuncOp entry) {
    Block &block = entry.getBody().front();
    OpBuilder b = OpBuilder::atBlockBegin(&block);
    unsigned count = block.getNumArguments();
    auto frameType = mlc::rt::FrameType::get(&getContext());
    Value frame = block.addArgument(frameType, entry.getLoc());
    for (unsigned i = 0; i < count; ++i) {
      BlockArgument argument = block.getArgument(i);
      auto type = cast<RankedTensorType>(argument.getType());
      SmallVector<Value> sizes;
      for (int64_t axis = 0; axis < type.getRank(); ++axis)
        if (type.isDynamicDim(axis))
          sizes.push_back(mlc::rt::InputSizeOp::create(b, argument.getLoc(), b.getIndexType(), frame, i, axis));
      Value input = mlc::rt::InputOp::create(b, argument.getLoc(), type, frame, i, sizes);
      // Sizes are read from the frame, not from the buffer.
      for (Operation *user : llvm::make_early_inc_range(argument.getUsers()))
        if (auto dim = dyn_cast<tensor::DimOp>(user))
          if (std::optional<int64_t> axis = dim.getConstantIndex(); axis && type.isDynamicDim(*axis)) {
            unsigned position =
                llvm::count_if(llvm::seq<int64_t>(0, *axis), [&](int64_t i) { return type.isDynamicDim(i); });
            dim.getResult().replaceAllUsesWith(sizes[position]);
            dim.erase();
          }
      argument.replaceAllUsesWith(input);
    }
    block.eraseArguments(0, count);
    entry.setFunctionType(FunctionType::get(&getContext(), frameType, {}));
    entry.setAllArgAttrs(ArrayRef<Attribute>{});
    return frame;
  }

  /// Weights get their offsets in the blob.
  void bindWeights(func::FuncOp entry, Value frame) {
    llvm::StringMap<int64_t> offsets;
    int64_t total = 0;
    for (mlc::graph::PlacedWeight weight : mlc::graph::placeWeights(getOperation())) {
      offsets[weight.parameter.getSymName()] = weight.offset;
      total = weight.offset + weight.bytes;
    }
    entry.walk([&](mlc::graph::WeightOp op) {
      OpBuilder b(op);
      Value weight = mlc::rt::WeightOp::create(b, op.getLoc(), op.getType(), frame, op.getParameterAttr(),
                                               b.getI64IntegerAttr(offsets.lookup(op.getParameter())));
      op.replaceAllUsesWith(weight);
      op.erase();
    });
    // How weights are computed was the driver's business; from here on they are bytes.
    for (auto parameter : getOperation().getOps<mlc::graph::ParameterOp>()) {
      parameter.getBody().dropAllReferences();
      parameter.getBody().getBlocks().clear();
    }
    entry->setAttr("rt.weights_bytes", Builder(&getContext()).getI64IntegerAttr(total));
  }

  /// Results are written into rt.output. Where the size is static its buffer is there from the start, so that results
  /// can be computed in it.
  void bindResults(func::FuncOp entry, Value frame) {
    auto terminator = cast<func::ReturnOp>(entry.getBody().front().getTerminator());
    OpBuilder b(terminator);
    OpBuilder first = OpBuilder::atBlockBegin(&entry.getBody().front());
    for (auto [i, result] : llvm::enumerate(terminator.getOperands())) {
      auto type = cast<RankedTensorType>(result.getType());
      SmallVector<Value> sizes;
      for (int64_t axis = 0; axis < type.getRank(); ++axis)
        if (type.isDynamicDim(axis))
          sizes.push_back(tensor::DimOp::create(b, terminator.getLoc(), result, axis));
      auto bufferType = MemRefType::get(type.getShape(), type.getElementType());
      Value buffer = mlc::rt::OutputOp::create(bufferType.hasStaticShape() ? first : b, terminator.getLoc(), bufferType,
                                               frame, static_cast<int64_t>(i), sizes);
      bufferization::MaterializeInDestinationOp::create(b, terminator.getLoc(), Type(), result, buffer,
                                                        /*restrict=*/true,
                                                        /*writable=*/true);
    }
    terminator->setOperands({});
    entry.setAllResultAttrs(ArrayRef<Attribute>{});
  }

  /// States are read where they are. What is written goes there when everything else is done, or where it is computed
  /// if nothing else reads the state, unless the op that computes it can do so in place: it is offered the state as its
  /// destination, and bufferization decides by who reads the state after it.
  void bindStates(func::FuncOp entry, Value frame) {
    llvm::StringMap<int64_t> offsets;
    for (mlc::train::PlacedState placed : mlc::train::placeStates(getOperation()))
      offsets[placed.state.getSymName()] = placed.offset;
    OpBuilder first = OpBuilder::atBlockBegin(&entry.getBody().front());
    llvm::DenseMap<StringAttr, Value> states;
    auto stateOf = [&](FlatSymbolRefAttr name, Type type) {
      Value &state = states[name.getAttr()];
      if (!state)
        state = mlc::rt::StateOp::create(first, entry.getLoc(), type, frame, name,
                                         first.getI64IntegerAttr(offsets.lookup(name.getValue())), UnitAttr());
      return state;
    };
    entry.walk([&](mlc::train::ReadOp op) {
      op.replaceAllUsesWith(stateOf(op.getStateAttr(), op.getType()));
      op.erase();
    });
    Operation *terminator = entry.getBody().front().getTerminator();
    OpBuilder last(terminator);
    for (auto op : llvm::make_early_inc_range(entry.getOps<mlc::train::WriteOp>())) {
      auto type = cast<RankedTensorType>(op.getValue().getType());
      Value value = op.getValue();
      Value state = stateOf(op.getStateAttr(), type);
      last.setInsertionPoint(terminator);
      if (offerDestination(value, state))
        cast<mlc::rt::StateOp>(state.getDefiningOp()).setWritable(true);
      if (Operation *definition = value.getDefiningOp<DestinationStyleOpInterface>()) {
        if (definition->getBlock() == op->getBlock() &&
            llvm::all_of(state.getUsers(), [&](Operation *user) { return user == definition; }))
          last.setInsertionPoint(op);
      } else {
        value = copied(last, op.getLoc(), value); // a state or an input as it is, which another write may change first
      }
      auto buffer =
          mlc::rt::StateOp::create(last, op.getLoc(), MemRefType::get(type.getShape(), type.getElementType()), frame,
                                   op.getStateAttr(), last.getI64IntegerAttr(offsets.lookup(op.getState())),
                                   cast<mlc::rt::StateOp>(state.getDefiningOp()).getWritableAttr());
      bufferization::MaterializeInDestinationOp::create(last, op.getLoc(), Type(), value, buffer, /*restrict=*/true,
                                                        /*writable=*/true);
      op.erase();
    }
  }

  /// Makes `state` what the op of `value` writes into instead of a new tensor.
  static bool offerDestination(Value value, Value state) {
    auto op = value.getDefiningOp<DestinationStyleOpInterface>();
    if (!op || op->getBlock() != state.getParentBlock())
      return false;
    OpOperand *destination = op.getTiedOpOperand(cast<OpResult>(value));
    if (!destination->get().getDefiningOp<tensor::EmptyOp>() || destination->get().getType() != state.getType())
      return false;
    destination->set(state);
    return true;
  }

  static Value copied(OpBuilder &b, Location loc, Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return bufferization::AllocTensorOp::create(b, loc, type, ValueRange{}, value);
  }
};

} // namespace
