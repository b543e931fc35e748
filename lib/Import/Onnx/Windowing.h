//===- Windowing.h - the attributes that convolutions and pools share --------------------------------------------===//
#ifndef MLC_LIB_IMPORT_ONNX_WINDOWING_H
#define MLC_LIB_IMPORT_ONNX_WINDOWING_H

#include "lib/Import/Onnx/NodeImporter.h"

namespace mlc::onnximport {

/// kernel_shape, strides, dilations, pads and auto_pad, one entry a spatial axis.
struct Windowing final {
  Ints kernel, strides, dilations;
  /// Amounts below, then above each axis. They are sizes because SAME_* depends on the input's size.
  Shape low, high;
  bool same = false;

  /// `kernel` is the filter's spatial shape where there is one (kernel_shape must agree), otherwise empty.
  Windowing(NodeImporter &n, llvm::ArrayRef<Size> inputSpatial, llvm::ArrayRef<int64_t> filter);

  bool hasStaticPads() const;
  /// Static pads: low, then high.
  Ints staticPads() const;
  /// The pads of an op on `input`, a tensor [N, C, x…]. Where only a run knows them, they are zeros, and `input`
  /// becomes one that is padded with `fill`, a scalar.
  Ints padsFor(NodeImporter &n, mlir::Value &input, mlir::Value fill) const;
};

} // namespace mlc::onnximport

#endif
