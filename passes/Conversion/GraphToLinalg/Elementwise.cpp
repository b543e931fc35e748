//===- Elementwise.cpp - element-wise ops, constants and iota become linalg.generic -------------------------------===//
//
// One pattern for every element-wise op: the op says what it computes for one element. Halves are computed in f32.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Conversion/GraphToLinalg/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlc::graph;

namespace {

struct LowerElementwise final : OpInterfaceConversionPattern<ElementwiseOpInterface> {
  LowerElementwise(const TypeConverter &converter, MLIRContext *context, const ResolvedShapes &shapes)
      : OpInterfaceConversionPattern(converter, context), shapes(shapes) {}

  LogicalResult matchAndRewrite(ElementwiseOpInterface op, ArrayRef<Value> operands,
                                ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    Value result = op->getResult(0);
    auto type = cast<RankedTensorType>(getTypeConverter()->convertType(result.getType()));
    const Shape &shape = shapes.find(result)->second;
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (auto [operand, original] : llvm::zip(operands, op->getOperands())) {
      inputs.push_back(lower.alignForBroadcast(operand, shapes.find(original)->second, shape));
      maps.push_back(lower.broadcastMap(cast<RankedTensorType>(inputs.back().getType()), type.getShape()));
    }
    maps.push_back(rewriter.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    auto generic =
        linalg::GenericOp::create(rewriter, op.getLoc(), type, inputs, lower.empty(type, shape), maps, iterators,
                                  [&](OpBuilder &b, Location loc, ValueRange args) {
                                    SmallVector<Value> scalars;
                                    for (Value arg : args.drop_back())
                                      scalars.push_back(widen(b, loc, arg));
                                    Value scalar = op.buildScalar(b, scalars);
                                    linalg::YieldOp::create(b, loc, narrow(b, loc, scalar, type.getElementType()));
                                  });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }

private:
  const ResolvedShapes &shapes;
};

struct LowerConstant final : GraphPattern<ConstantOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(ConstantOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    auto type = convertedType(op);
    auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
    if (!elements)
      return op.emitOpError("cannot lower a constant that is not dense");
    if (elements.getType() != type)
      elements = elements.bitcast(type.getElementType());
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, type, elements);
    return success();
  }
};

struct LowerIota final : GraphPattern<IotaOp> {
  using GraphPattern::GraphPattern;
  LogicalResult matchAndRewrite(IotaOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    Lowering lower(rewriter, op.getLoc());
    RankedTensorType type = convertedType(op);
    Type element = type.getElementType();
    rewriter.replaceOp(op,
                       lower.compute(type, shapeOf(op), [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
                         Value i = arith::IndexCastOp::create(b, loc, b.getI64Type(), indices[op.getAxis()]);
                         if (isa<FloatType>(element))
                           return arith::SIToFPOp::create(b, loc, element, i);
                         if (element.isInteger(64))
                           return i;
                         return arith::TruncIOp::create(b, loc, element, i);
                       }));
    return success();
  }
};

} // namespace

void mlc::graph::populateElementwiseLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                              const ResolvedShapes &shapes) {
  patterns.add<LowerElementwise, LowerConstant, LowerIota>(converter, patterns.getContext(), shapes);
}
