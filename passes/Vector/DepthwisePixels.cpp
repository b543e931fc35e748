//===- DepthwisePixels.cpp - depthwise windows with vectors along the channels ------------------------------------===//
#include "passes/Vector/DepthwisePixels.h"

using namespace mlir;

namespace mlc {

namespace {

/// What a tile costs beside its loads and products, in loads.
constexpr int64_t kOverhead = 4;

} // namespace

DepthwisePixels::DepthwisePixels(Arithmetic &a, kernel::ContractOp op, int64_t lanes, int64_t pixels)
    : DepthwiseWindow(a, op, lanes), linesOfTile(1), pixelsOfTile(std::min(pixels, columns.size)) {
  for (int64_t lines = 1; lines <= std::min(pixels, rows.size); ++lines) {
    int64_t width = std::min(pixels / lines, columns.size);
    if (loadsOf(lines, width) < loadsOf(linesOfTile, pixelsOfTile)) {
      linesOfTile = lines;
      pixelsOfTile = width;
    }
  }
}

int64_t DepthwisePixels::loadsOf(int64_t lines, int64_t pixels) const {
  // Along one axis: what its tiles read, and their number.
  auto along = [](const WindowAxis &axis, int64_t step) {
    int64_t tiles = llvm::divideCeil(axis.size, step), reach = (axis.taps - 1) * axis.dilation + 1;
    return std::pair(tiles, axis.size * axis.stride + tiles * (reach - axis.stride));
  };
  auto [down, high] = along(rows, lines);
  auto [across, wide] = along(columns, pixels);
  return high * wide + kOverhead * down * across;
}

void DepthwisePixels::build(Index n, Index begin, Index end) {
  int64_t size = op.getSizes()[loops.channel], rest = size % lanes;
  a.forEach(0, size / lanes, 1, [&](Index vector) { channels(n, vector, nullptr, begin, end); });
  if (rest)
    channels(n, size / lanes, maskOf([&](int64_t lane) { return lane < rest; }), begin, end);
}

/// A vector of channels.
void DepthwisePixels::channels(Index n, Index vector, Value mask, Index begin, Index end) {
  SmallVector<Index> place = placeOf(n, a.mul(vector, lanes));
  // Panels are padded: their last vectors can be read whole.
  const SmallVector<Index> &panel = operands[1].strides;
  Index from = a.add(place[1], a.mul(vector, panel[0]));
  taps.clear();
  for (int64_t i = 0; i < rows.taps; ++i)
    for (int64_t j = 0; j < columns.taps; ++j)
      taps.push_back(load(1, a.add(from, a.add(a.mul(i, panel[1]), a.mul(j, panel[2]))), nullptr));
  prepareExtras(place, mask);
  auto isInside = [](const WindowAxis &axis, int64_t count) {
    return [&axis, count](int64_t first) {
      return axis.contains(axis.firstRead(first)) && axis.contains(axis.lastRead(first, count));
    };
  };
  overParts(rows, linesOfTile, isInside(rows, linesOfTile), begin, end, [&](const WindowPart &lines) {
    overParts(columns, pixelsOfTile, isInside(columns, pixelsOfTile),
              [&](const WindowPart &pixels) { tile(place, lines, pixels, mask); });
  });
}

void DepthwisePixels::tile(ArrayRef<Index> place, const WindowPart &lines, const WindowPart &pixels, Value mask) {
  Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(vectorOf(op.getSumType())));
  SmallVector<Value> sums(lines.count * pixels.count, zero);
  Index from = a.add(place[0], a.add(a.mul(lines.at, a.mul(rows.stride, inputStride(0))),
                                     a.mul(pixels.at, a.mul(columns.stride, inputStride(1)))));
  auto reach = [](const WindowAxis &axis, int64_t count) {
    return (count - 1) * axis.stride + (axis.taps - 1) * axis.dilation;
  };
  auto isOutside = [](const WindowAxis &axis, const WindowPart &part, int64_t read) {
    return part.first && !axis.contains(axis.firstRead(*part.first) + read);
  };
  // The tap of pixel `p` that reads what lies `read` behind the first element of the tile; -1: none does.
  auto tapOf = [](const WindowAxis &axis, int64_t p, int64_t read) {
    int64_t behind = read - p * axis.stride;
    return behind >= 0 && behind % axis.dilation == 0 && behind / axis.dilation < axis.taps ? behind / axis.dilation
                                                                                            : -1;
  };
  for (int64_t down = 0; down <= reach(rows, lines.count); ++down) {
    if (isOutside(rows, lines, down))
      continue;
    for (int64_t across = 0; across <= reach(columns, pixels.count); ++across) {
      if (isOutside(columns, pixels, across))
        continue;
      Value input;
      for (int64_t r = 0; r < lines.count; ++r)
        for (int64_t q = 0; q < pixels.count; ++q) {
          int64_t i = tapOf(rows, r, down), j = tapOf(columns, q, across);
          if (i < 0 || j < 0)
            continue;
          if (!input)
            input = load(0, a.add(from, a.add(a.mul(down, inputStride(0)), a.mul(across, inputStride(1)))), mask);
          multiplyAdd(sums[r * pixels.count + q], input, i, j);
        }
    }
  }
  finish(place, lines.at, pixels.at, lines.count, pixels.count, sums, mask);
}

} // namespace mlc
