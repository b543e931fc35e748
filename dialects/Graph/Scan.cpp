//===- Scan.cpp - graph.scan: builder, accessors, constraints and shapes
//-------------------------------------------===//
//
// A size of a step's output is one of the body, and is needed outside of it, before the first step. It is computed
// there once more, from the sizes of what goes into the body: states keep theirs, slices and captures have those of
// their operands. What only a step itself can know (sizes that are read from a tensor) has no size outside.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

/// The values that the body yields; none where it does not end as it should, which the verifier says.
ValueRange yieldedBy(Region &body) {
  if (body.empty() || body.front().empty())
    return {};
  auto yield = dyn_cast<YieldOp>(body.front().back());
  return yield ? ValueRange(yield.getValues()) : ValueRange();
}

/// Sizes of values of the body, as they are outside of it.
class BodySizes final {
public:
  BodySizes(ScanOp::Adaptor scan, SizeBuilder &sizes) : scan(scan), outside(sizes), inside(sizes) {
    inside.useKnown(&shapes);
    Block &block = scan.getBody().front();
    size_t states = scan.getInits().size(), slices = scan.getInputs().size();
    for (BlockArgument argument : block.getArguments()) {
      size_t i = argument.getArgNumber();
      if (!isa<RankedTensorType>(argument.getType())) {
        indices[argument] = Size(scan.getCaptures()[i - states - slices]);
      } else if (i < states) {
        shapes[argument] = sizes.shape(scan.getInits()[i]);
      } else if (i < states + slices) {
        Shape shape = sizes.shape(scan.getInputs()[i - states]);
        shapes[argument] = Shape(ArrayRef(shape).drop_front());
      } else {
        shapes[argument] = sizes.shape(scan.getCaptures()[i - states - slices]);
      }
    }
    // The new state has the sizes of the old one; where that is not certain a run checks it.
    for (auto [value, init] : llvm::zip(yieldedBy(scan.getBody()), scan.getInits()))
      shapes.try_emplace(value, sizes.shape(init));
  }

  /// The sizes of a tensor; those that are not known outside are null.
  Shape shapeOf(Value tensor) {
    if (auto it = shapes.find(tensor); it != shapes.end())
      return it->second;
    auto type = cast<RankedTensorType>(tensor.getType());
    Shape shape(type.getRank());
    for (auto [axis, size] : llvm::enumerate(infer(tensor)))
      shape[axis] = size;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (!type.isDynamicDim(axis))
        shape[axis] = outside.constant(type.getDimSize(axis));
    return shapes[tensor] = shape;
  }

private:
  /// What the op that computes `tensor` says, or nothing.
  Shape infer(Value tensor) {
    Operation *op = tensor.getDefiningOp();
    if (!outside.canBuild() || cast<RankedTensorType>(tensor.getType()).hasStaticShape())
      return {}; // the type says what is known
    if (auto cast = dyn_cast<tensor::CastOp>(op))
      return shapeOf(cast.getSource());
    auto shaped = dyn_cast<ShapeOpInterface>(op);
    if (!shaped || isa<ReduceByMaskOp>(op)) // whose sizes are in a tensor
      return {};
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      if (isa<RankedTensorType>(operand.getType())) {
        bool isRead = !isa<ReshapeOp, ExpandOp>(op); // these two say all sizes themselves
        if (isRead && llvm::is_contained(shapeOf(operand), Size()))
          return {};
        continue;
      }
      Size size = sizeOf(operand);
      if (!size)
        return {};
      mapping.map(operand, outside.value(size));
    }
    // A copy of the op, with the sizes that it reads as they are outside.
    Operation *copy = op->clone(mapping);
    SmallVector<Shape> results;
    LogicalResult known = cast<ShapeOpInterface>(copy).inferShapes(inside, results);
    copy->destroy();
    return succeeded(known) ? results[cast<OpResult>(tensor).getResultNumber()] : Shape();
  }

  /// An index of the body, or a scalar that it is made of, as a value outside; null where there is none.
  Size sizeOf(Value scalar) {
    if (std::optional<int64_t> known = getConstant(Size(scalar)); known && scalar.getType().isIndex())
      return outside.constant(*known);
    if (!scan.getBody().isAncestor(scalar.getParentRegion()))
      return scalar; // a lowering has resolved what was captured
    if (auto it = indices.find(scalar); it != indices.end())
      return it->second;
    Operation *op = scalar.getDefiningOp();
    Size size;
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      if (std::optional<int64_t> axis = dim.getConstantIndex())
        size = shapeOf(dim.getSource())[*axis];
    } else if (isa<arith::ArithDialect>(op->getDialect())) {
      SmallVector<Value> operands;
      for (Value operand : op->getOperands())
        if (Size known = sizeOf(operand))
          operands.push_back(outside.value(known));
      if (operands.size() == op->getNumOperands())
        size = outside.again(op, operands);
    }
    return indices[scalar] = size;
  }

  ScanOp::Adaptor scan;
  SizeBuilder &outside;
  SizeBuilder inside;
  llvm::DenseMap<Value, Shape> shapes;
  llvm::DenseMap<Value, Size> indices;
};

} // namespace

void ScanOp::build(OpBuilder &builder, OperationState &state, ValueRange inits, ValueRange inputs, ValueRange captures,
                   bool reverse, Region &&body) {
  state.addOperands(inits);
  state.addOperands(inputs);
  state.addOperands(captures);
  auto &properties = state.getOrAddProperties<Properties>();
  llvm::copy(ArrayRef<int32_t>{static_cast<int32_t>(inits.size()), static_cast<int32_t>(inputs.size()),
                               static_cast<int32_t>(captures.size())},
             properties.operandSegmentSizes.begin());
  if (reverse)
    properties.reverse = builder.getUnitAttr();
  state.addRegion()->takeBody(body);
  SmallVector<Type> types;
  [[maybe_unused]] LogicalResult fits = inferReturnTypes(builder.getContext(), state.location, state.operands,
                                                         state.attributes.getDictionary(builder.getContext()),
                                                         state.getRawProperties(), state.regions, types);
  assert(succeeded(fits) && "operands and body of a scan fit together");
  state.addTypes(types);
}

Block::BlockArgListType ScanOp::getStateArguments() { return getBody().getArguments().take_front(getInits().size()); }
Block::BlockArgListType ScanOp::getSliceArguments() {
  return getBody().getArguments().slice(getInits().size(), getInputs().size());
}
Block::BlockArgListType ScanOp::getCaptureArguments() {
  return getBody().getArguments().take_back(getCaptures().size());
}

YieldOp ScanOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

Type ScanOp::elementType(Adaptor adaptor, unsigned result) {
  bool isState = result < adaptor.getInits().size();
  return getElementTypeOrSelf(isState ? adaptor.getInits()[result].getType()
                                      : yieldedBy(adaptor.getBody())[result].getType());
}

LogicalResult ScanOp::shapes(Adaptor adaptor, SizeBuilder &sizes, SmallVectorImpl<Shape> &shapes) {
  ValueRange yielded = yieldedBy(adaptor.getBody());
  if (adaptor.getInputs().empty() || yielded.size() < adaptor.getInits().size())
    return failure();
  Size steps;
  for (Value input : adaptor.getInputs()) {
    Size size = sizes.dim(input, 0);
    if (getConstant(steps) && getConstant(size) && getConstant(steps) != getConstant(size)) // (C4)
      return failure();
    if (!steps || (!getConstant(steps) && getConstant(size)))
      steps = size;
  }
  for (Value init : adaptor.getInits())
    shapes.push_back(sizes.shape(init));
  BodySizes inside(adaptor, sizes);
  for (Value output : yielded.drop_front(adaptor.getInits().size())) {
    Shape shape = inside.shapeOf(output);
    if (sizes.canBuild() && llvm::is_contained(shape, Size()))
      return failure();
    shape.insert(shape.begin(), steps);
    shapes.push_back(std::move(shape));
  }
  return success();
}

LogicalResult ScanOp::verify() {
  if (getInputs().empty()) // (C1)
    return emitOpError("requires an input");
  SmallVector<Type> expected(getInits().getTypes());
  for (Type type : getInputs().getTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    if (tensor.getRank() == 0) // (C1)
      return emitOpError("expected inputs of rank 1 or more, but got ") << tensor;
    expected.push_back(RankedTensorType::get(tensor.getShape().drop_front(), tensor.getElementType()));
  }
  llvm::append_range(expected, getCaptures().getTypes());
  if (getBody().getArgumentTypes() != TypeRange(expected)) // (C2)
    return emitOpError("expected a body of (")
           << TypeRange(expected) << "), but got (" << getBody().getArgumentTypes() << ")";
  Block &block = getBody().front();
  auto yield = block.empty() ? nullptr : dyn_cast<YieldOp>(block.back());
  if (!yield) // (C3)
    return emitOpError("requires a graph.yield at the end of its body");
  if (yield.getValues().size() != getNumResults()) // (C3)
    return yield.emitOpError("expected ") << getNumResults() << " values, but got " << yield.getValues().size();
  for (auto [init, next] : llvm::zip(getInits(), yield.getValues()))
    if (!detail::areCompatible(init.getType(), next.getType())) // (C3)
      return yield.emitOpError("expected a state of type ") << init.getType() << ", but got " << next.getType();
  return success();
}
