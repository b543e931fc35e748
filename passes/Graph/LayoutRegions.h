//===- LayoutRegions.h - which convolutions keep their channels first ----------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_GRAPH_LAYOUTREGIONS_H
#define MLC_PASSES_GRAPH_LAYOUTREGIONS_H

#include "dialects/Graph/GraphDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace mlc::graph {

/// Whether the value costs nothing to transpose: it is a weight, a constant, computed from them, or has one element in
/// all axes but one.
bool isFreeToTranspose(mlir::Value value, unsigned depth = 0);

/// Whether `op` is a depthwise convolution of images, of static size in f32 or f64, whose vectors can lie along the
/// lines of the image (passes/Vector/DepthwiseLines.h): lines of several pixels, strides of 1 or 2 in them.
bool isDepthwiseAlongLines(ConvOp op);

/// Whether its vectors can lie along the channels (passes/Vector/DepthwisePixels.h): the filter is a weight.
bool isDepthwiseAlongChannels(ConvOp op);

/// The convolutions that are cheaper with the channels first, because those around them do not make up for the
/// transpositions at the border of their region.
llvm::DenseSet<mlir::Operation *> chooseChannelsFirst(mlir::func::FuncOp function);

} // namespace mlc::graph

#endif
