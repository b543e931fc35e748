//===- ChooseWinograd.cpp - 3×3 convolutions by fewer products ----------------------------------------------------===//
//
// F(4×4, 3×3): a tile of 4×4 results takes 36 products a pair of channels instead of 144, and transformations of the
// input and the result whose cost does not grow with the number of channels on the other side. It pays where tiles are
// many enough for the transformed filters, four times as large, to be read once for several of them; a filter that
// only a run knows is transformed there, which costs as much as some tiles. The gradient of a filter is a sum over the
// same tiles: F(3×3, 4×4), with 36 products instead of 144, too. Results differ from the direct sum by rounding, about
// 1e-6 of the largest term; `--exact` keeps the direct sum.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Graph/Passes.h"

#include "mlir/IR/SymbolTable.h"

namespace mlc {
#define GEN_PASS_DEF_GRAPHCHOOSEWINOGRADPASS
#include "passes/Graph/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc::graph;

namespace {

/// Tiles that read a transformed filter once, and channels that carry the transformations.
constexpr int64_t kFewestTiles = 8, kFewestChannels = 16;
/// What a transformed element costs, as if it were so many products: moving it counts, not computing it.
constexpr double kTransformation = 20;
/// Images of a run, where only the run knows, and filters are not transformed before it: those of a small batch.
constexpr int64_t kImagesOfBatch = 32;

bool isOne(int64_t value) { return value == 1; }

struct ChooseWinograd final : mlc::impl::GraphChooseWinogradPassBase<ChooseWinograd> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<ConvOp, ConvFilterGradientOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder b(op);
      Value result;
      if (auto gradient = dyn_cast<ConvFilterGradientOp>(op)) {
        if (runtimeFilters && pays(gradient))
          result = WinogradFilterGradientOp::create(b, op->getLoc(), gradient.getType(), gradient.getInput(),
                                                    gradient.getCotangent(), gradient.getPads());
      } else {
        auto conv = cast<ConvOp>(op);
        if (pays(conv))
          result = WinogradConvOp::create(b, op->getLoc(), conv.getType(), conv.getInput(),
                                          transformedFilter(b, conv, symbols), conv.getPads());
      }
      if (!result)
        continue;
      SmallVector<Value> operands(op->getOperands());
      op->replaceAllUsesWith(ValueRange(result));
      op->erase();
      for (Value operand : operands)
        if (auto weight = operand.getDefiningOp<WeightOp>(); weight && weight->use_empty())
          weight.erase();
      ++numChosen;
    }
  }

private:
  Value transformedFilter(OpBuilder &b, ConvOp op, SymbolTable &symbols) {
    Value filter = op.getFilter();
    if (auto weight = filter.getDefiningOp<WeightOp>())
      return transformedWeight(b, weight, symbols);
    if (Value source = turnedSource(filter))
      return createFilter(b, op.getLoc(), source, /*turned=*/true);
    return createFilter(b, op.getLoc(), filter, /*turned=*/false);
  }

  /// The weight that is the transformed one, made where there is none yet.
  Value transformedWeight(OpBuilder &b, WeightOp weight, SymbolTable &symbols) {
    auto from = cast<RankedTensorType>(weight.getType());
    auto type = RankedTensorType::get({6, 6, from.getDimSize(1), from.getDimSize(0)}, from.getElementType());
    FlatSymbolRefAttr &name = transformed[weight.getParameterAttr()];
    if (!name) {
      auto source = symbols.lookup<ParameterOp>(weight.getParameter());
      OpBuilder before(source);
      before.setInsertionPointAfter(source);
      auto parameter = ParameterOp::create(before, source.getLoc(), (weight.getParameter() + ".winograd").str(), type);
      parameter->setAttr("graph.winograd", weight.getParameterAttr());
      name = FlatSymbolRefAttr::get(symbols.insert(parameter));
    }
    return WeightOp::create(b, weight.getLoc(), type, name);
  }

  static Value createFilter(OpBuilder &b, Location loc, Value filter, bool turned) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(filter.getType()).getShape();
    auto type = RankedTensorType::get({6, 6, shape[turned ? 0 : 1], shape[turned ? 1 : 0]}, b.getF32Type());
    return WinogradFilterOp::create(b, loc, type, filter, turned);
  }

  /// The filter that `filter` is with the taps reversed and the channels exchanged, as input gradients read it.
  static Value turnedSource(Value filter) {
    auto transpose = filter.getDefiningOp<TransposeOp>();
    if (!transpose || transpose.getPermutation() != ArrayRef<int64_t>{1, 0, 2, 3})
      return nullptr;
    auto flip = transpose.getInput().getDefiningOp<SliceOp>();
    if (!flip || flip.getType() != flip.getInput().getType() ||
        flip.getStaticSteps() != ArrayRef<int64_t>{1, 1, -1, -1})
      return nullptr;
    return flip.getInput();
  }

  bool pays(ConvOp op) const {
    auto filter = cast<RankedTensorType>(op.getFilter().getType());
    bool isWeight = op.getFilter().getDefiningOp<WeightOp>() != nullptr;
    return op.getChannelsLast() && (isWeight || runtimeFilters) && filter.getRank() == 4 &&
           filter.getElementType().isF32() && filter.getShape().take_back(2) == ArrayRef<int64_t>{3, 3} &&
           fits(op.getStrides(), op.getDilations(), op.getPads(), op.getGroups()) &&
           pays(cast<RankedTensorType>(op.getType()), filter.getDimSize(1), filter.getDimSize(0), !isWeight);
  }

  bool pays(ConvFilterGradientOp op) const {
    auto input = cast<RankedTensorType>(op.getInput().getType()),
         cotangent = cast<RankedTensorType>(op.getCotangent().getType());
    return op.getChannelsLast() && op.getKernel() == ArrayRef<int64_t>{3, 3} && input.getElementType().isF32() &&
           fits(op.getStrides(), op.getDilations(), op.getPads(), op.getGroups()) &&
           pays(cotangent, input.getDimSize(3), cotangent.getDimSize(3), /*isTransformed=*/true);
  }

  static bool fits(ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations, ArrayRef<int64_t> pads, int64_t groups) {
    return groups == 1 && llvm::all_of(strides, isOne) && llvm::all_of(dilations, isOne) &&
           llvm::none_of(pads, [](int64_t pad) { return pad < 0; });
  }

  /// Whether tiles of `result`, with so many channels `in` and `out`, cost less than the direct sum; `isTransformed` in
  /// the run is the filter, or its gradient.
  static bool pays(RankedTensorType result, int64_t in, int64_t out, bool isTransformed) {
    int64_t images = result.getDimSize(0), height = result.getDimSize(1), width = result.getDimSize(2);
    if (ShapedType::isDynamic(height) || ShapedType::isDynamic(width) || std::min(in, out) < kFewestChannels)
      return false;
    if (ShapedType::isDynamic(images))
      images = isTransformed ? kImagesOfBatch : 1;
    int64_t tiles = images * llvm::divideCeil(height, 4) * llvm::divideCeil(width, 4);
    if (tiles < kFewestTiles)
      return false;
    double products = static_cast<double>(in) * static_cast<double>(out),
           moved = kTransformation * static_cast<double>(in + out);
    double byTiles = 36 * (static_cast<double>(tiles) * (products + moved) +
                           (isTransformed ? kTransformation * products : 0)),
           direct = 9 * static_cast<double>(images * height * width) * products;
    return byTiles < 0.8 * direct;
  }

  /// The transformed weights, by what they are transformed from.
  DenseMap<Attribute, FlatSymbolRefAttr> transformed;
};

} // namespace
