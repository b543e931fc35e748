//===- TileModel.cpp - what a register tile costs -----------------------------------------------------------------===//
#include "passes/Vector/TileModel.h"

#include "mlir/IR/BuiltinTypeInterfaces.h"

#include <algorithm>

namespace mlc {

namespace {

/// Independent multiply-adds that keep the pipelines full: two of four cycles.
constexpr double kLatency = 8;
/// What a tile costs once, in steps of its reduction: setting sums to zero, the epilogue, the loops around.
constexpr double kOverhead = 6;
/// Beyond it nothing is gained: a row alone streams its panel at the bandwidth of memory.
constexpr int64_t kMostVectors = 8;

/// Rows where lhs is read in vectors: the reduction is unrolled, and its vectors of rhs stay in registers beside the
/// sums.
constexpr int64_t kMostVectorRows = 8;

double costOfTile(const TileProblem &problem, int64_t rows, int64_t vectors) {
  double sums = static_cast<double>(rows * vectors), loads = vectors + rows / 2.0, bandwidth = 0;
  if (problem.lhsIsVector)
    loads = static_cast<double>(vectors + rows * vectors);
  if (vectors * problem.lanes * problem.elementBytes * problem.reduction > problem.l1Bytes / 2)
    bandwidth = 2.0 * static_cast<double>(vectors);
  double step = std::max({sums, kLatency, loads, bandwidth}) + 0.02 * loads;
  return step * static_cast<double>(problem.reduction) + kOverhead * sums;
}

} // namespace

Tile chooseTile(const TileProblem &given) {
  TileProblem problem = given;
  auto sizeOf = [](int64_t size) { return mlir::ShapedType::isDynamic(size) ? 1 << 10 : std::max<int64_t>(1, size); };
  problem.rows = sizeOf(problem.rows);
  problem.columns = sizeOf(problem.columns);
  problem.reduction = sizeOf(problem.reduction);
  int64_t allVectors = (problem.columns + problem.lanes - 1) / problem.lanes;
  Tile best{1, 1};
  double bestCost = -1;
  int64_t lines = problem.lines < 1 ? 1 : problem.lines;
  for (int64_t vectors = 1; vectors <= std::min(problem.lhsIsVector ? 1 : kMostVectors, allVectors); ++vectors)
    for (int64_t rows = 1; rows <= problem.rows * lines; rows += rows < problem.rows ? 1 : problem.rows) {
      // The sums, a vector of rhs each, and a broadcast or a vector of lhs.
      if (rows * vectors + vectors + 1 > problem.registers || (problem.lhsIsVector && rows > kMostVectorRows))
        break;
      bool wholeLines = rows > problem.rows;
      int64_t size = wholeLines ? problem.rows * lines : problem.rows, times = wholeLines ? 1 : lines;
      int64_t tiles = size / rows * times, rest = size % rows;
      int64_t panels = allVectors / vectors, narrow = allVectors % vectors;
      auto column = [&](int64_t width) {
        return static_cast<double>(tiles) * costOfTile(problem, rows, width) +
               (rest ? static_cast<double>(times) * costOfTile(problem, rest, width) : 0);
      };
      double cost = static_cast<double>(panels) * column(vectors) + (narrow ? column(narrow) : 0);
      if (bestCost < 0 || cost < bestCost * 0.999 || (cost <= bestCost && vectors > best.vectors)) {
        bestCost = cost;
        best = {rows, vectors};
      }
    }
  return best;
}

} // namespace mlc
