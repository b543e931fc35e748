//===- Recurrence.cpp - graph.scan as Scan -----------------------------------------------------------------------===//
//
// The body is a subgraph whose inputs are the states and the slices. What it captures it reads under the name that the
// value has outside, as ONNX allows.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

using namespace mlir;

namespace mlc::onnxexport {

bool exportRecurrence(NodeExporter &e) {
  auto scan = dyn_cast<graph::ScanOp>(e.op);
  if (!scan)
    return false;
  for (auto [argument, captured] : llvm::zip(scan.getCaptureArguments(), scan.getCaptures()))
    e.bind(argument, e.name(captured));
  Names operands;
  for (Value operand : scan.getOperands().drop_back(scan.getCaptures().size()))
    operands.push_back(e.name(operand));
  NodeAttributes attributes{{"body", e.graph.exportBlock(scan.getBody().front(), "step")},
                            {"num_scan_inputs", static_cast<int64_t>(scan.getInputs().size())}};
  if (scan.getReverse()) {
    SmallVector<int64_t> inputs(scan.getInputs().size(), 1), outputs(scan.getOutputs().size(), 1);
    attributes.push_back({"scan_input_directions", inputs});
    if (!outputs.empty())
      attributes.push_back({"scan_output_directions", outputs});
  }
  Names results = e.emitAll("Scan", operands, attributes, scan.getNumResults());
  for (auto [result, name] : llvm::zip(scan.getResults(), results))
    e.bind(result, name);
  return true;
}

} // namespace mlc::onnxexport
