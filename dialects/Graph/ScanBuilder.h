//===- ScanBuilder.h - making graph.scan of a body that reads from outside --------------------------*- C++ -*---===//
//
// A body is written as if it saw all that is around it; what it read there becomes captured operands in the end.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_SCANBUILDER_H
#define MLC_DIALECTS_GRAPH_SCANBUILDER_H

#include "dialects/Graph/GraphBuilder.h"

namespace mlc::graph {

/// A scan whose body is being made, in an op of its own at the builder's place: so what is read from outside can be
/// told from what is inside. Goes away, body and all, where it is not finished.
class ScanBuilder final {
public:
  explicit ScanBuilder(GraphBuilder &g);
  ~ScanBuilder();
  ScanBuilder(const ScanBuilder &) = delete;
  ScanBuilder &operator=(const ScanBuilder &) = delete;

  /// The body. Its arguments are the states, then the slices, of the types that operands give them (`sliceType`).
  mlir::Block &block() { return probe->getRegion(0).front(); }
  static mlir::RankedTensorType sliceType(mlir::Value input);

  /// The scan, when its body ends with a graph.yield.
  Values finish(mlir::ValueRange inits, mlir::ValueRange inputs, bool reverse);

private:
  void forgetSizes();

  GraphBuilder &g;
  mlir::Operation *probe;
};

/// Makes operands of what the scans in `root` read from outside as if they were loops, which is what `resolveShapes`
/// turns them into.
void isolateScans(mlir::Operation *root);

} // namespace mlc::graph

#endif
