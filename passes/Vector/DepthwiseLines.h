//===- DepthwiseLines.h - depthwise windows with vectors along the lines of an image ------------------*- C++ -*-===//
//
// For channels-first images. A tile is a vector of pixels in each of several lines next to each other. For every line
// of the input that they read, from above, each shifted vector is loaded once and multiplied into all sums that take
// it; the taps of the filter are broadcast once an image. With a stride of 2 two vectors are loaded and their even or
// odd lanes taken; further taps move those lanes on and take the next ones from a third.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_DEPTHWISELINES_H
#define MLC_PASSES_VECTOR_DEPTHWISELINES_H

#include "passes/Vector/DepthwiseWindow.h"

namespace mlc {

class DepthwiseLines final : DepthwiseWindow {
public:
  /// Tiles of `lines` lines.
  DepthwiseLines(Arithmetic &arithmetic, kernel::ContractOp op, int64_t lanes, int64_t lines)
      : DepthwiseWindow(arithmetic, op, lanes), linesOfTile(lines) {}

  /// All of image `plane`, counted over images and channels.
  void build(Index plane);

private:
  /// What was made of a line of the input so far: vectors by their shift, those of every second lane by their first.
  struct Line {
    llvm::SmallDenseMap<int64_t, mlir::Value> shifted, everySecond;
  };

  int64_t lastLoaded(int64_t first) const;
  mlir::Value loadInput(Index at, std::optional<int64_t> first);
  mlir::Value inputOf(Index at, const WindowPart &pixels, int64_t tap, Line &line);
  void tile(llvm::ArrayRef<Index> place, const WindowPart &lines, const WindowPart &pixels);

  int64_t linesOfTile;
};

} // namespace mlc

#endif
