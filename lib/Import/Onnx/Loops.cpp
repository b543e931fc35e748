//===- Loops.cpp - Scan; Loop with a known number of steps
//---------------------------------------------------------===//
//
// Both become graph.scan. Loop walks along the numbers of its iterations; it can, where its condition stays true.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/GraphImporter.h"
#include "lib/Import/Onnx/NodeImporter.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// `value` with axis `from` at place `to`, the others in order.
Value moveAxis(NodeImporter &n, Value value, int64_t from, int64_t to) {
  if (from == to)
    return value;
  Ints permutation;
  for (int64_t axis = 0; axis < n.rank(value); ++axis)
    if (axis != from)
      permutation.push_back(axis);
  permutation.insert(permutation.begin() + to, from);
  return n.transpose(value, permutation);
}

/// `value` with axis 0 in the opposite order.
Value flip(NodeImporter &n, Value value) {
  Shape shape = n.shape(value), offsets(shape.size(), n.constantSize(0)), steps(shape.size(), n.constantSize(1));
  offsets[0] = n.sizes.max(n.sizes.sub(shape[0], n.constantSize(1)), n.constantSize(0));
  steps[0] = n.constantSize(-1);
  return n.slice(value, offsets, shape, steps);
}

Values importScan(NodeImporter &n) {
  const onnx::GraphProto &body = n.graphAttr("body");
  std::optional<int64_t> sequences = n.optionalInt("num_scan_inputs");
  if (!sequences || *sequences < 1 || *sequences > n.numInputs())
    n.fail("expected num_scan_inputs in [1, " + Twine(n.numInputs()) + "]", "num_scan_inputs");
  size_t inputs = *sequences, states = n.numInputs() - inputs;
  n.require(static_cast<size_t>(body.output_size()) >= states, "expected a body that gives every state");
  size_t outputs = body.output_size() - states;
  Ints inputDirections = n.smallInts("scan_input_directions", 0, inputs),
       outputDirections = n.smallInts("scan_output_directions", 0, outputs),
       inputAxes = n.smallInts("scan_input_axes", 0, inputs), outputAxes = n.smallInts("scan_output_axes", 0, outputs);
  // Where all sequences are walked from the end, the scan does it itself.
  auto isReversed = [](int64_t direction) { return direction != 0; };
  bool reverse = llvm::all_of(inputDirections, isReversed) && llvm::all_of(outputDirections, isReversed);

  Values all = n.inputs(), inits(all.begin(), all.begin() + states), slices;
  for (size_t i = 0; i < inputs; ++i) {
    Value input = all[states + i];
    input = moveAxis(n, input, n.axis(inputAxes[i], n.rank(input), "scan_input_axes"), 0);
    slices.push_back(isReversed(inputDirections[i]) && !reverse ? flip(n, input) : input);
  }
  Values results = n.scan(inits, slices, reverse, [&](ValueRange state, ValueRange slices) {
    Values arguments(state);
    arguments.append(slices.begin(), slices.end());
    return n.graph.importSubgraph(body, n.b, arguments);
  });
  for (size_t i = 0; i < outputs; ++i) {
    Value &output = results[states + i];
    if (isReversed(outputDirections[i]) && !reverse)
      output = flip(n, output);
    output = moveAxis(n, output, 0, n.axis(outputAxes[i], n.rank(output), "scan_output_axes"));
  }
  return results;
}

Values importLoop(NodeImporter &n) {
  const onnx::GraphProto &body = n.graphAttr("body");
  auto isTrue = [&](Value condition) {
    std::optional<Ints> known = n.knownInts(condition);
    return known && known->size() == 1 && (*known)[0];
  };
  if (!n.hasInput(0))
    n.unsupported("unsupported Loop without a trip count");
  Values inits;
  for (unsigned i = 2; i < n.numInputs(); ++i)
    inits.push_back(n.input(i));
  Size count = n.sizes.max(n.sizesFrom(n.asScalar(n.input(0)), "the trip count")[0], n.constantSize(0));
  // A condition that the body passes on tells whether there is any iteration.
  if (n.hasInput(1) && !isTrue(n.input(1))) {
    Value flag = n.cast(n.asScalar(n.input(1)), n.b.getI64Type());
    count = n.sizes.selectIfZero(n.sizesFrom(flag, "the condition")[0], n.constantSize(0), count);
  }
  Value numbers = n.iota(0, count, n.b.getI64Type());
  return n.scan(inits, numbers, /*reverse=*/false, [&](ValueRange state, ValueRange slices) {
    Values arguments{slices[0], n.scalar(n.b.getI1Type(), 1)};
    arguments.append(state.begin(), state.end());
    Values results = n.graph.importSubgraph(body, n.b, arguments);
    n.require(!results.empty(), "expected a body that gives a condition");
    if (!isTrue(results[0]))
      n.unsupported("unsupported Loop that may end before its trip count");
    results.erase(results.begin());
    return results;
  });
}

} // namespace

void registerLoops(Registry &r) {
  r.add("Scan", 9, importScan);
  r.add("Loop", 1, importLoop);
}

} // namespace mlc::onnximport
