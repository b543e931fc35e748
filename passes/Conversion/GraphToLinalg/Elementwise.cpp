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

/// A counter, mixed as in SplitMix64; its upper 24 bits are the number.
struct LowerRandom final : GraphPattern<RandomOp> {
  using GraphPattern::GraphPattern;
  static constexpr uint64_t kGamma = 0x9e3779b97f4a7c15, kFirst = 0xbf58476d1ce4e5b9, kSecond = 0x94d049bb133111eb;

  static Value number(OpBuilder &b, Location loc, uint64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(static_cast<int64_t>(value)));
  }
  /// x ^ (x >> amount)
  static Value fold(OpBuilder &b, Location loc, Value x, uint64_t amount) {
    return arith::XOrIOp::create(b, loc, x, Value(arith::ShRUIOp::create(b, loc, x, number(b, loc, amount))));
  }
  static Value mix(OpBuilder &b, Location loc, Value x) {
    x = arith::MulIOp::create(b, loc, fold(b, loc, x, 30), number(b, loc, kFirst));
    x = arith::MulIOp::create(b, loc, fold(b, loc, x, 27), number(b, loc, kSecond));
    return fold(b, loc, x, 31);
  }

  LogicalResult matchAndRewrite(RandomOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Lowering lower(rewriter, loc);
    ArrayRef<Size> shape = shapeOf(op);
    // Seeds and streams that differ by little give sequences that have nothing in common.
    Value seed = tensor::ExtractOp::create(rewriter, loc, adaptor.getSeed(), ValueRange{});
    Value stream = number(rewriter, loc, (static_cast<uint64_t>(op.getStream()) + 1) * kGamma);
    Value key = mix(rewriter, loc, arith::AddIOp::create(rewriter, loc, mix(rewriter, loc, seed), stream));
    SmallVector<Value> extents;
    for (Size size : shape)
      extents.push_back(lower.index(size));
    rewriter.replaceOp(op, lower.compute(convertedType(op), shape, [&](OpBuilder &b, Location loc, ValueRange indices) {
      Value place = lower.index(0);
      for (auto [index, extent] : llvm::zip(indices, extents))
        place = arith::AddIOp::create(b, loc, Value(arith::MulIOp::create(b, loc, place, extent)), index);
      Value counter = arith::IndexCastOp::create(b, loc, b.getI64Type(), place);
      counter = arith::MulIOp::create(b, loc, counter, number(b, loc, kGamma));
      Value bits = mix(b, loc, arith::AddIOp::create(b, loc, key, counter));
      bits = arith::ShRUIOp::create(b, loc, bits, number(b, loc, 40));
      Value integer = arith::TruncIOp::create(b, loc, b.getI32Type(), bits);
      Value scale = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0x1p-24f));
      return Value(
          arith::MulFOp::create(b, loc, Value(arith::SIToFPOp::create(b, loc, b.getF32Type(), integer)), scale));
    }));
    return success();
  }
};

} // namespace

void mlc::graph::populateElementwiseLowerings(RewritePatternSet &patterns, const TypeConverter &converter,
                                              const ResolvedShapes &shapes) {
  patterns.add<LowerElementwise, LowerConstant, LowerIota, LowerRandom>(converter, patterns.getContext(), shapes);
}
