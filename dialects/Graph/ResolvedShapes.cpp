//===- ResolvedShapes.cpp - the sizes of all values of a function ------------------------------------------------===//
#include "dialects/Graph/ResolvedShapes.h"

#include "dialects/Graph/GraphDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace mlc::graph {

ResolvedShapes resolveShapes(Operation *root) {
  ResolvedShapes shapes;
  llvm::DenseMap<Block *, SizeMemo> memos;
  auto ofArguments = [&](Block &block) {
    OpBuilder builder = OpBuilder::atBlockBegin(&block);
    auto function = dyn_cast<FunctionOpInterface>(block.getParentOp());
    // Axes of one symbol have one size; the runtime has checked it.
    llvm::StringMap<Size> symbols;
    for (BlockArgument argument : block.getArguments()) {
      if (!isa<RankedTensorType>(argument.getType()))
        continue;
      Shape shape = SizeBuilder(builder, argument.getLoc()).shape(argument);
      auto names =
          function ? function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "mlc.symbols") : ArrayAttr();
      for (size_t axis = 0; names && axis < names.size() && axis < shape.size(); ++axis)
        if (StringRef name = cast<StringAttr>(names[axis]).getValue(); !name.empty() && !getConstant(shape[axis]))
          shape[axis] = symbols.try_emplace(name, shape[axis]).first->second;
      shapes[argument] = std::move(shape);
    }
  };
  // The body of a scan sees what is outside: states keep their sizes, and the loop is not isolated any more.
  auto ofScan = [&](ScanOp scan) {
    for (auto [argument, operand] : llvm::zip(scan.getBody().getArguments(), scan.getOperands())) {
      if (!isa<RankedTensorType>(argument.getType())) {
        argument.replaceAllUsesWith(operand);
        continue;
      }
      Shape shape = shapes.at(operand);
      if (llvm::is_contained(scan.getSliceArguments(), argument))
        shape.erase(shape.begin());
      shapes[argument] = std::move(shape);
    }
  };
  SmallVector<Operation *> ops;
  root->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<ParameterOp>(op)) // computed at compile time
      return WalkResult::skip();
    ops.push_back(op);
    return WalkResult::advance();
  });
  for (Operation *op : ops) {
    OpBuilder builder(op);
    // A size that is known already is the same value everywhere.
    if (auto dim = dyn_cast<tensor::DimOp>(op))
      if (std::optional<int64_t> axis = dim.getConstantIndex())
        if (auto it = shapes.find(dim.getSource());
            it != shapes.end() && *axis < static_cast<int64_t>(it->second.size())) {
          Value size = SizeBuilder(builder, op->getLoc()).value(it->second[*axis]);
          if (size != dim.getResult())
            dim.getResult().replaceAllUsesWith(size);
          continue;
        }
    if (auto scan = dyn_cast<ScanOp>(op))
      ofScan(scan);
    if (auto shaped = dyn_cast<ShapeOpInterface>(op)) {
      SizeBuilder sizes(builder, op->getLoc());
      sizes.useKnown(&shapes);
      sizes.useMemo(&memos[op->getBlock()]);
      SmallVector<Shape> results;
      if (succeeded(shaped.inferShapes(sizes, results))) {
        for (auto [result, shape] : llvm::zip(op->getResults(), results)) {
          auto type = cast<RankedTensorType>(result.getType());
          for (auto [axis, size] : llvm::enumerate(shape))
            if (!type.isDynamicDim(axis))
              size = sizes.constant(type.getDimSize(axis));
          shapes[result] = std::move(shape);
        }
        continue;
      }
    }
    builder.setInsertionPointAfter(op);
    for (Value result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        shapes[result] = SizeBuilder(builder, op->getLoc()).shape(result);
    if (isa<ScanOp>(op))
      continue;
    for (Region &region : op->getRegions())
      for (Block &block : region)
        ofArguments(block);
  }
  return shapes;
}

ArrayAttr getSymbols(FunctionOpInterface function, Value value, const ResolvedShapes &shapes) {
  auto type = cast<RankedTensorType>(value.getType());
  Builder b(value.getContext());
  SmallVector<Attribute> symbols(type.getRank(), b.getStringAttr(""));
  auto known = shapes.find(value);
  if (known == shapes.end())
    return b.getArrayAttr(symbols);
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    auto size = type.isDynamicDim(axis) ? dyn_cast<Value>(known->second[axis]) : Value();
    auto dim = size ? size.getDefiningOp<tensor::DimOp>() : nullptr;
    auto argument = dim ? dyn_cast<BlockArgument>(dim.getSource()) : nullptr;
    if (!argument || !dim.getConstantIndex())
      continue;
    auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "mlc.symbols");
    if (names && *dim.getConstantIndex() < static_cast<int64_t>(names.size()))
      symbols[axis] = names[*dim.getConstantIndex()];
  }
  return b.getArrayAttr(symbols);
}

} // namespace mlc::graph
