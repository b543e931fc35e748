//===- DepthwiseLines.cpp - depthwise windows with vectors along the lines of an image ----------------------------===//
#include "passes/Vector/DepthwiseLines.h"

using namespace mlir;

namespace mlc {

void DepthwiseLines::build(Index plane) {
  auto [n, c] = a.divide(plane, op.getSizes()[loops.channel]);
  SmallVector<Index> place = placeOf(n, c);
  taps.clear();
  for (int64_t i = 0; i < rows.taps; ++i)
    for (int64_t j = 0; j < columns.taps; ++j) {
      Index at = a.add(place[1], a.add(a.mul(i, strides[1][loops.tapY]), a.mul(j, strides[1][loops.tapX])));
      Value tap = memref::LoadOp::create(a.b, a.loc, operands[1].buffer, ValueRange{a.value(at)});
      taps.push_back(vector::BroadcastOp::create(a.b, a.loc, vectorOf(tap.getType()), tap));
    }
  prepareExtras(place, nullptr);
  auto linesAreInside = [&](int64_t first) {
    return rows.contains(rows.firstRead(first)) && rows.contains(rows.lastRead(first, linesOfTile));
  };
  auto pixelsAreInside = [&](int64_t first) {
    return columns.contains(columns.firstRead(first)) && columns.contains(lastLoaded(first));
  };
  overParts(rows, linesOfTile, linesAreInside, [&](const WindowPart &lines) {
    overParts(columns, lanes, pixelsAreInside, [&](const WindowPart &pixels) { tile(place, lines, pixels); });
  });
}

/// The last element of the input that whole vectors of pixels from `first` on load.
int64_t DepthwiseLines::lastLoaded(int64_t first) const {
  if (columns.stride == 1)
    return columns.lastRead(first, lanes);
  int64_t shift = (columns.taps - 1) * columns.dilation, base = shift / lanes * lanes;
  return columns.firstRead(first) + base + (shift > 1 ? 3 : 2) * lanes - 1;
}

/// A vector of the input whose first lane is pixel `first` of its line; nothing: all lanes exist.
Value DepthwiseLines::loadInput(Index at, std::optional<int64_t> first) {
  if (!first)
    return load(0, at, nullptr);
  if (*first >= columns.input || *first + lanes <= 0)
    return arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(vectorOf(op.getSumType())));
  return load(0, at, maskOf([&](int64_t lane) { return columns.contains(*first + lane); }));
}

/// What `tap` of the pixels reads in the line of the input at `at`.
Value DepthwiseLines::inputOf(Index at, const WindowPart &pixels, int64_t tap, Line &line) {
  int64_t shift = tap * columns.dilation;
  auto vectorAt = [&](int64_t from) {
    Value &vector = line.shifted[from];
    if (!vector)
      vector = loadInput(a.add(at, a.mul(from, inputStride(1))),
                         pixels.first ? std::optional(columns.firstRead(*pixels.first) + from) : std::nullopt);
    return vector;
  };
  auto lanesFrom = [&](llvm::function_ref<int64_t(int64_t)> from) {
    return llvm::map_to_vector(llvm::seq<int64_t>(0, lanes), from);
  };
  if (columns.stride == 1)
    return vectorAt(shift);
  // The lanes of parity `odd` from `base` on, then moved on by fewer pixels than the third vector has.
  int64_t odd = shift % 2, base = shift / lanes * lanes, moved = (shift - base) / 2;
  Value &every = line.everySecond[base + odd];
  if (!every)
    every = vector::ShuffleOp::create(a.b, a.loc, vectorAt(base), vectorAt(base + lanes),
                                      lanesFrom([&](int64_t lane) { return 2 * lane + odd; }));
  if (moved == 0)
    return every;
  return vector::ShuffleOp::create(a.b, a.loc, every, vectorAt(base + 2 * lanes), lanesFrom([&](int64_t lane) {
                                     int64_t from = lane + moved;
                                     return from < lanes ? from : lanes + 2 * (from - lanes) + odd;
                                   }));
}

void DepthwiseLines::tile(ArrayRef<Index> place, const WindowPart &lines, const WindowPart &pixels) {
  Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(vectorOf(op.getSumType())));
  SmallVector<Value> sums(lines.count, zero);
  Index from = a.add(place[0], a.add(a.mul(lines.at, a.mul(rows.stride, inputStride(0))),
                                     a.mul(pixels.at, a.mul(columns.stride, inputStride(1)))));
  int64_t reach = (lines.count - 1) * rows.stride + (rows.taps - 1) * rows.dilation;
  for (int64_t read = 0; read <= reach; ++read) {
    if (lines.first && !rows.contains(rows.firstRead(*lines.first) + read))
      continue;
    Line line;
    for (int64_t j = 0; j < columns.taps; ++j) {
      Value input;
      for (int64_t r = 0; r < lines.count; ++r) {
        int64_t below = read - r * rows.stride, i = below / rows.dilation;
        if (below < 0 || below % rows.dilation || i >= rows.taps)
          continue;
        if (!input)
          input = inputOf(a.add(from, a.mul(read, inputStride(0))), pixels, j, line);
        multiplyAdd(sums[r], input, i, j);
      }
    }
  }
  finish(place, lines.at, pixels.at, lines.count, 1, sums, maskOf([&](int64_t lane) { return lane < pixels.count; }));
}

} // namespace mlc
