//===- DepthwiseWindow.h - what depthwise windows of both layouts share --------------------------------*- C++ -*-===//
//
// A depthwise window is a `bounded` contraction over the loops of its result (image, channel, y, x or image, y, x,
// channel) and those of the window. Tiles at a border of the image have bodies of their own, in which reads outside are
// left out or masked: sizes are static.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_DEPTHWISEWINDOW_H
#define MLC_PASSES_VECTOR_DEPTHWISEWINDOW_H

#include "passes/Vector/Strided.h"

namespace mlc {

/// The loops of a depthwise window, by what they are for.
struct WindowLoops {
  explicit WindowLoops(kernel::ContractOp op);

  bool channelsLast;
  unsigned image = 0, channel, y, x, tapY = 4, tapX = 5;
};

/// A window along one axis: pixel `p` and tap `t` read the input at `p * stride + t * dilation - low`.
struct WindowAxis {
  /// `axis` is 0 for the lines, 1 for the pixels of a line.
  WindowAxis(kernel::ContractOp op, const WindowLoops &loops, unsigned axis);

  int64_t size, input, taps, stride, dilation, low;

  /// The first and the last element that `count` pixels from `first` on read, in or out of the input.
  int64_t firstRead(int64_t first) const { return first * stride - low; }
  int64_t lastRead(int64_t first, int64_t count) const {
    return firstRead(first) + (count - 1) * stride + (taps - 1) * dilation;
  }
  bool contains(int64_t read) const { return read >= 0 && read < input; }
};

/// Pixels [at, at + count) of an axis.
struct WindowPart {
  Index at;
  int64_t count;
  /// The first pixel; nothing in a loop, where all read inside of the input.
  std::optional<int64_t> first;
};

/// Builds tiles of a depthwise window, with vectors of `lanes` elements.
class DepthwiseWindow {
protected:
  DepthwiseWindow(Arithmetic &arithmetic, kernel::ContractOp op, int64_t lanes);

  mlir::VectorType vectorOf(mlir::Type element) { return mlir::VectorType::get({lanes}, element); }
  /// The elements from one line (0) or pixel (1) of the input to the next.
  Index inputStride(unsigned axis) { return operands[0].strides[(loops.channelsLast ? 1 : 2) + axis]; }

  /// Cuts `axis` into parts of `step` pixels; `isInside(first)` tells for whole ones whether they read inside of the
  /// input. Those in a row that do are a loop within [begin, end), parts counted, others bodies of their own.
  void overParts(const WindowAxis &axis, int64_t step, llvm::function_ref<bool(int64_t)> isInside, Index begin,
                 Index end, llvm::function_ref<void(const WindowPart &)> body);
  /// All parts of an axis.
  void overParts(const WindowAxis &axis, int64_t step, llvm::function_ref<bool(int64_t)> isInside,
                 llvm::function_ref<void(const WindowPart &)> body);

  /// The place of every operand for channel `c` of image `n`; that of the input is what the first tap of the first
  /// pixel reads, inside or not.
  llvm::SmallVector<Index> placeOf(Index n, Index c);

  /// The lanes that exist; null: all.
  mlir::Value maskOf(llvm::function_ref<bool(int64_t)> exists);
  /// Lanes without `mask` are zero; null: all are read.
  mlir::Value load(unsigned operand, Index at, mlir::Value mask);

  /// Adds what tap (`i`, `j`) makes of `input` to a sum.
  void multiplyAdd(mlir::Value &sum, mlir::Value input, int64_t i, int64_t j);

  /// Reads what epilogues take of operands that do not move with the pixels, once for many tiles at `place`.
  void prepareExtras(llvm::ArrayRef<Index> place, mlir::Value mask);

  /// The epilogue of a tile: sums of `lines` by `pixels` vectors, from line `line` and pixel `pixel` on.
  void finish(llvm::ArrayRef<Index> place, Index line, Index pixel, int64_t lines, int64_t pixels,
              llvm::ArrayRef<mlir::Value> sums, mlir::Value mask);

  Arithmetic &a;
  kernel::ContractOp op;
  int64_t lanes;
  WindowLoops loops;
  WindowAxis rows, columns;
  llvm::SmallVector<Flat> operands;
  /// strides[operand][loop]; none for panels.
  llvm::SmallVector<llvm::SmallVector<Index>> strides;
  /// The filter, a vector a tap.
  llvm::SmallVector<mlir::Value> taps;
  /// By operand; null where it moves with the pixels.
  llvm::SmallVector<mlir::Value> extras;

private:
  mlir::Value extraAt(unsigned operand, Index at, mlir::Value mask);
  void finishOne(llvm::ArrayRef<Index> place, Index line, Index pixel, mlir::Value sum, mlir::Value mask);
};

} // namespace mlc

#endif
