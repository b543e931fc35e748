//===- ConvertGraphToLinalg.cpp - the graph dialect becomes linalg on tensors ------------------------------------===//
//
// Precondition: every value of the graph is a ranked tensor. First the sizes of all values are built as index
// arithmetic, then every op is replaced by loops over its result; types lose their signs. The patterns are in one file
// a family.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Train/TrainDialect.h"
#include "passes/Conversion/GraphToLinalg/Lowering.h"
#include "passes/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlc {
#define GEN_PASS_DEF_CONVERTGRAPHTOLINALGPASS
#include "passes/Conversion/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Ops of upstream dialects on tensors only change their types.
struct ConvertTypes final : ConversionPattern {
  ConvertTypes(const TypeConverter &converter, MLIRContext *context)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                                ConversionPatternRewriter &rewriter) const override {
    if (!isa_and_present<tensor::TensorDialect, arith::ArithDialect, mlc::train::TrainDialect>(op->getDialect()) ||
        op->getNumRegions())
      return rewriter.notifyMatchFailure(op, "not a plain op on tensors");
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertTypes(op->getResultTypes(), types)))
      return failure();
    OperationState state(op->getLoc(), op->getName(), operands, types, op->getAttrs());
    rewriter.replaceOp(op, rewriter.create(state)->getResults());
    return success();
  }
};

struct ConvertWeight final : OpConversionPattern<WeightOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(WeightOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    Type type = getTypeConverter()->convertType(op.getType());
    rewriter.replaceOpWithNewOp<WeightOp>(op, type, op.getParameterAttr());
    return success();
  }
};

struct ConvertGraphToLinalg final : mlc::impl::ConvertGraphToLinalgPassBase<ConvertGraphToLinalg> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    TypeConverter converter;
    converter.addConversion([](Type type) { return type; });
    converter.addConversion([](RankedTensorType type) { return type.clone(getStorageType(type.getElementType())); });

    ResolvedShapes shapes = resolveShapes(module);
    ConversionTarget target(*context);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) { return converter.isLegal(op); });
    target.addIllegalDialect<GraphDialect>();
    // What is computed at compile time stays as it is, in its own types.
    for (auto parameter : module.getOps<ParameterOp>())
      parameter.setTypeAttr(TypeAttr::get(converter.convertType(parameter.getType())));
    for (auto state : module.getOps<mlc::train::StateOp>())
      state.setTypeAttr(TypeAttr::get(converter.convertType(state.getType())));
    target.addLegalOp<ParameterOp>();
    target.markOpRecursivelyLegal<ParameterOp>();
    target.addDynamicallyLegalOp<WeightOp>([&](WeightOp op) { return converter.isLegal(op.getType()); });
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter.isSignatureLegal(op.getFunctionType()) && converter.isLegal(&op.getBody());
    });
    RewritePatternSet patterns(context);
    populateElementwiseLowerings(patterns, converter, shapes);
    populateMovementLowerings(patterns, converter, shapes);
    populateIndexingLowerings(patterns, converter, shapes);
    populateContractionLowerings(patterns, converter, shapes);
    populateWindowLowerings(patterns, converter, shapes);
    populateReductionLowerings(patterns, converter, shapes);
    populateRecurrenceLowering(patterns, converter, shapes);
    populateScanLowerings(patterns, converter, shapes);
    populateWinogradLowering(patterns, converter, shapes);
    populateResizeLowering(patterns, converter, shapes);
    patterns.add<ConvertTypes, ConvertWeight>(converter, context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns, converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns, target);
    ConversionConfig config;
    config.foldingMode = DialectConversionFoldingMode::Never; // a folded value would have no resolved sizes
    if (failed(applyFullConversion(module, target, std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
