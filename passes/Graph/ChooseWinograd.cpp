//===- ChooseWinograd.cpp - 3×3 convolutions by fewer products ----------------------------------------------------===//
//
// F(4×4, 3×3): a tile of 4×4 results takes 36 products a pair of channels instead of 144, and transformations of the
// input and the result whose cost does not grow with the number of channels on the other side. It pays where tiles are
// many enough for the transformed filters, four times as large, to be read once for several of them. Results differ
// from the direct sum by rounding, about 1e-6 of the largest term; `--exact` keeps the direct sum.
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

struct ChooseWinograd final : mlc::impl::GraphChooseWinogradPassBase<ChooseWinograd> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<ConvOp> ops;
    getOperation().walk([&](ConvOp op) { ops.push_back(op); });
    DenseMap<Attribute, FlatSymbolRefAttr> transformed;
    for (ConvOp op : ops) {
      if (!pays(op))
        continue;
      auto weight = op.getFilter().getDefiningOp<WeightOp>();
      auto from = cast<RankedTensorType>(weight.getType());
      auto type = RankedTensorType::get({6, 6, from.getDimSize(1), from.getDimSize(0)}, from.getElementType());
      FlatSymbolRefAttr &name = transformed[weight.getParameterAttr()];
      if (!name) {
        auto source = symbols.lookup<ParameterOp>(weight.getParameter());
        OpBuilder before(source);
        before.setInsertionPointAfter(source);
        auto parameter =
            ParameterOp::create(before, source.getLoc(), (weight.getParameter() + ".winograd").str(), type);
        parameter->setAttr("graph.winograd", weight.getParameterAttr());
        name = FlatSymbolRefAttr::get(symbols.insert(parameter));
      }
      OpBuilder b(op);
      Value filter = WeightOp::create(b, weight.getLoc(), type, name);
      Value result = WinogradConvOp::create(b, op.getLoc(), op.getType(), op.getInput(), filter, op.getPads());
      op.replaceAllUsesWith(result);
      op.erase();
      if (weight->use_empty())
        weight.erase();
      ++numChosen;
    }
  }

  static bool pays(ConvOp op) {
    auto filter = cast<RankedTensorType>(op.getFilter().getType()), result = cast<RankedTensorType>(op.getType());
    auto isOne = [](int64_t value) { return value == 1; };
    if (!op.getChannelsLast() || filter.getRank() != 4 || !filter.getElementType().isF32() || op.getGroups() != 1 ||
        filter.getShape().take_back(2) != ArrayRef<int64_t>{3, 3} || !llvm::all_of(op.getStrides(), isOne) ||
        !llvm::all_of(op.getDilations(), isOne) || !op.getFilter().getDefiningOp<WeightOp>() ||
        llvm::any_of(op.getPads(), [](int64_t pad) { return pad < 0; }))
      return false;
    int64_t height = result.getDimSize(1), width = result.getDimSize(2), images = result.getDimSize(0);
    if (ShapedType::isDynamic(height) || ShapedType::isDynamic(width) ||
        std::min(filter.getDimSize(0), filter.getDimSize(1)) < kFewestChannels)
      return false;
    int64_t tiles = llvm::divideCeil(height, 4) * llvm::divideCeil(width, 4);
    if (tiles * (ShapedType::isDynamic(images) ? 1 : images) < kFewestTiles)
      return false;
    // Products of the tiles, and what the transformations cost as if they were products, against the direct sum.
    double in = static_cast<double>(filter.getDimSize(1)), out = static_cast<double>(filter.getDimSize(0));
    double byTiles = static_cast<double>(tiles) * 36 * (in * out + 20 * (in + out));
    double direct = static_cast<double>(height * width) * 9 * in * out;
    return byTiles < 0.8 * direct;
  }
};

} // namespace
