//===- Depthwise.cpp - depthwise windows: their tiles and their tasks ---------------------------------------------===//
#include "passes/Vector/Depthwise.h"

#include "passes/Vector/DepthwiseLines.h"
#include "passes/Vector/DepthwisePixels.h"

using namespace mlir;

namespace mlc {

using kernel::ContractOp;

namespace {

/// Lines of a tile of lines, and vectors of one of pixels: more share few further loads.
constexpr int64_t kMostLines = 8, kMostPixels = 16;
/// Products that a tile unrolls, which bounds the code.
constexpr int64_t kMostProducts = 144;
/// Operations that a task should have at least.
constexpr int64_t kWorkOfTask = 1 << 19;

bool lowerLines(Arithmetic &a, ContractOp op, const Kernel &kernel, int64_t vectorBits) {
  WindowLoops loops(op);
  ArrayRef<int64_t> sizes = op.getSizes();
  int64_t bits = op.getSumType().getIntOrFloatBitWidth();
  // Narrow vectors, where a line does not fill a wide one.
  int64_t lanes =
      std::min<int64_t>(vectorBits / bits, std::max<int64_t>(128 / bits, llvm::PowerOf2Ceil(sizes[loops.x])));
  int64_t planes = sizes[loops.image] * sizes[loops.channel];
  int64_t work = 2 * sizes[loops.y] * sizes[loops.x] * sizes[loops.tapY] * sizes[loops.tapX];
  int64_t grain = llvm::divideCeil(kWorkOfTask, work);
  Index begin = 0, end = planes;
  bool parallel = planes > grain && canRunAsTasks(op, kernel);
  if (parallel)
    std::tie(begin, end) = runAsTasks(op, kernel, grain, [&](Arithmetic &, ValueRange) { return Index(planes); });
  DepthwiseLines lines(a, op, lanes, op.getTile()->front());
  a.forEach(begin, end, 1, [&](Index plane) { lines.build(plane); });
  return parallel;
}

bool lowerPixels(Arithmetic &a, ContractOp op, const Kernel &kernel, int64_t vectorBits, int64_t l2Bytes) {
  WindowLoops loops(op);
  ArrayRef<int64_t> sizes = op.getSizes();
  int64_t bits = op.getSumType().getIntOrFloatBitWidth();
  DepthwisePixels pixels(a, op, vectorBits / bits, op.getTile()->front());
  // A task is a band of lines that stays in half of the second cache while the channels pass.
  int64_t tiles = pixels.getTilesOfLines(), lines = pixels.getLinesOfTile();
  auto input = cast<ShapedType>(op.getLhs().getType());
  int64_t bytes =
      llvm::divideCeil(input.getNumElements() / std::max<int64_t>(1, input.getDimSize(0)) * bits / 8, tiles);
  int64_t work = 2 * lines * sizes[loops.x] * sizes[loops.channel] * sizes[loops.tapY] * sizes[loops.tapX];
  int64_t wanted = std::clamp<int64_t>(work * tiles / kWorkOfTask, 1, tiles);
  int64_t band =
      std::min(std::max<int64_t>(1, l2Bytes / 2 / bytes), static_cast<int64_t>(llvm::divideCeil(tiles, wanted)));
  int64_t bands = llvm::divideCeil(tiles, band), tasks = sizes[loops.image] * bands;
  int64_t grain = std::max<int64_t>(1, kWorkOfTask / (work * band));
  Index begin = 0, end = tasks;
  bool parallel = tasks > grain && canRunAsTasks(op, kernel);
  if (parallel)
    std::tie(begin, end) = runAsTasks(op, kernel, grain, [&](Arithmetic &, ValueRange) { return Index(tasks); });
  a.forEach(begin, end, 1, [&](Index task) {
    auto [n, which] = a.divide(task, bands);
    Index first = a.mul(which, band);
    pixels.build(n, first, a.min(a.add(first, band), tiles));
  });
  return parallel;
}

} // namespace

int64_t chooseDepthwiseTile(ContractOp op, int64_t registers) {
  WindowLoops loops(op);
  ArrayRef<int64_t> sizes = op.getSizes();
  int64_t taps = sizes[loops.tapY] * sizes[loops.tapX];
  // Sums, the input in flight, and all taps where they fit.
  int64_t left = registers - (loops.channelsLast ? 2 : sizes[loops.tapX] + 1);
  if (taps < left - 1)
    left -= taps;
  int64_t most =
      std::clamp<int64_t>(std::min(left, kMostProducts / taps), 1, loops.channelsLast ? kMostPixels : kMostLines);
  if (loops.channelsLast)
    return most;
  // As many lines in each tile.
  return llvm::divideCeil(sizes[loops.y], llvm::divideCeil(sizes[loops.y], most));
}

bool lowerDepthwise(ContractOp op, const Kernel &kernel, int64_t vectorBits, int64_t l2Bytes) {
  OpBuilder b(op);
  Arithmetic a(b, op.getLoc());
  bool parallel = WindowLoops(op).channelsLast ? lowerPixels(a, op, kernel, vectorBits, l2Bytes)
                                               : lowerLines(a, op, kernel, vectorBits);
  op->erase();
  return parallel;
}

} // namespace mlc
