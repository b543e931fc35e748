//===- DepthwisePixels.h - depthwise windows with vectors along the channels --------------------------*- C++ -*-===//
//
// For channels-last images, with the filter in panels. A tile is a vector of channels in each of several lines by
// several pixels; each vector of the input is loaded once and multiplied into all sums that take it.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_DEPTHWISEPIXELS_H
#define MLC_PASSES_VECTOR_DEPTHWISEPIXELS_H

#include "passes/Vector/DepthwiseWindow.h"

namespace mlc {

class DepthwisePixels final : DepthwiseWindow {
public:
  /// Tiles of `pixels` vectors at most.
  DepthwisePixels(Arithmetic &arithmetic, kernel::ContractOp op, int64_t lanes, int64_t pixels);

  /// The number of lines that one tile takes, and the number of tiles from the first line to the last.
  int64_t getLinesOfTile() const { return linesOfTile; }
  int64_t getTilesOfLines() const { return llvm::divideCeil(rows.size, linesOfTile); }

  /// The tiles [begin, end) of lines of image `n`, all pixels and channels.
  void build(Index n, Index begin, Index end);

private:
  /// The vectors of input that an image takes with tiles of `lines` by `pixels`.
  int64_t loadsOf(int64_t lines, int64_t pixels) const;
  void channels(Index n, Index vector, mlir::Value mask, Index begin, Index end);
  void tile(llvm::ArrayRef<Index> place, const WindowPart &lines, const WindowPart &pixels, mlir::Value mask);

  int64_t linesOfTile, pixelsOfTile;
};

} // namespace mlc

#endif
