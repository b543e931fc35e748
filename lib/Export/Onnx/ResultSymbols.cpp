//===- ResultSymbols.cpp - which results have a size of the inputs -----------------------------------------------===//
//
// The shape functions of the ops say what the sizes of results are, as arithmetic on those of the arguments. Where that
// is a size of an argument unchanged, the result's axis has its name. The arithmetic is built, looked at and erased.
// Cost: linear in the ops.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/GraphExporter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mlc::onnxexport {

namespace {

/// Keeps what a builder makes, and erases it in the end.
struct Scratch final : OpBuilder::Listener {
  ~Scratch() override {
    for (Operation *op : llvm::reverse(made))
      op->erase();
  }
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override { made.push_back(op); }
  SmallVector<Operation *> made;
};

} // namespace

std::string symbolOf(func::FuncOp function, unsigned argument, int64_t axis) {
  if (!cast<RankedTensorType>(function.getArgument(argument).getType()).isDynamicDim(axis))
    return "";
  auto name = function.getArgAttrOfType<StringAttr>(argument, "mlc.name");
  auto symbols = function.getArgAttrOfType<ArrayAttr>(argument, "mlc.symbols");
  if (symbols && axis < static_cast<int64_t>(symbols.size()))
    if (StringRef symbol = cast<StringAttr>(symbols[axis]).getValue(); !symbol.empty())
      return symbol.str();
  return (name ? name.getValue().str() : "input" + std::to_string(argument)) + "_" + std::to_string(axis);
}

std::vector<std::vector<std::string>> findResultSymbols(func::FuncOp function) {
  Scratch scratch;
  OpBuilder b(function.getContext(), &scratch);
  Block &body = function.getBody().front();
  b.setInsertionPointToStart(&body);
  DenseMap<Value, graph::Shape> known;
  DenseMap<Value, std::string> symbols;
  std::map<std::string, graph::Size> sizeOfSymbol;
  for (BlockArgument argument : body.getArguments()) {
    graph::Shape shape = graph::SizeBuilder(b, argument.getLoc()).shape(argument);
    for (auto [axis, size] : llvm::enumerate(shape))
      if (std::string symbol = symbolOf(function, argument.getArgNumber(), axis); !symbol.empty()) {
        size = sizeOfSymbol.try_emplace(symbol, size).first->second;
        symbols[cast<Value>(size)] = symbol;
      }
    known[argument] = std::move(shape);
  }
  graph::SizeMemo memo;
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (auto dim = dyn_cast<tensor::DimOp>(op)) { // one that the model computes with
      std::optional<int64_t> axis = dim.getConstantIndex();
      auto shape = known.find(dim.getSource());
      if (axis && shape != known.end())
        if (auto size = dyn_cast_if_present<Value>(shape->second[*axis]))
          if (std::string symbol = symbols.lookup(size); !symbol.empty())
            symbols[dim.getResult()] = symbol;
      continue;
    }
    auto shaped = dyn_cast<graph::ShapeOpInterface>(op);
    if (!shaped)
      continue;
    b.setInsertionPoint(&op);
    graph::SizeBuilder sizes(b, op.getLoc());
    sizes.useKnown(&known);
    sizes.useMemo(&memo);
    SmallVector<graph::Shape> shapes;
    if (succeeded(shaped.inferShapes(sizes, shapes)))
      for (auto [result, shape] : llvm::zip(op.getResults(), shapes))
        known[result] = std::move(shape);
  }
  std::vector<std::vector<std::string>> found;
  for (Value result : body.getTerminator()->getOperands()) {
    auto type = cast<RankedTensorType>(result.getType());
    std::vector<std::string> &names = found.emplace_back(type.getRank());
    auto shape = known.find(result);
    for (int64_t axis = 0; axis < type.getRank(); ++axis) {
      graph::Size size = shape == known.end() ? graph::Size() : shape->second[axis];
      std::optional<int64_t> constant = graph::getConstant(size);
      if (!type.isDynamicDim(axis) || constant)
        names[axis] = std::to_string(type.isDynamicDim(axis) ? *constant : type.getDimSize(axis));
      else if (auto value = dyn_cast_if_present<Value>(size))
        names[axis] = symbols.lookup(value);
    }
  }
  return found;
}

} // namespace mlc::onnxexport
