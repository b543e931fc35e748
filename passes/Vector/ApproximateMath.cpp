//===- ApproximateMath.cpp - elementary functions of f32 by polynomials -------------------------------------------===//
#include "passes/Vector/Passes.h"

#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORAPPROXIMATEMATHPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

struct ApproximateMath final : mlc::impl::VectorApproximateMathPassBase<ApproximateMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    MathPolynomialApproximationOptions options;
    options.enableAvx2 = false;
    populateMathPolynomialApproximationPatterns(patterns, options);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
