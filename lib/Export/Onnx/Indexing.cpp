//===- Indexing.cpp - gathers and scatters as ONNX nodes ---------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

StringRef reductionOf(ScatterKind kind) { return stringifyScatterKind(kind); }

} // namespace

bool exportIndexing(NodeExporter &e) {
  Type i64 = e.signless(64); // the only indices of tuples
  return llvm::TypeSwitch<Operation *, bool>(e.op)
      .Case([&](GatherOp op) {
        Name result =
            e.emit("Gather", {e.name(op.getInput()), e.name(op.getIndices())}, {{"axis", int64_t(op.getAxis())}});
        return e.bind(op.getResult(), result), true;
      })
      .Case([&](GatherElementsOp op) {
        Name result = e.emit("GatherElements", {e.name(op.getInput()), e.name(op.getIndices())},
                             {{"axis", int64_t(op.getAxis())}});
        return e.bind(op.getResult(), result), true;
      })
      .Case([&](GatherNDOp op) {
        Name result = e.emit("GatherND", {e.name(op.getInput()), e.in(op.getIndices(), i64)},
                             {{"batch_dims", int64_t(op.getBatchDims())}});
        return e.bind(op.getResult(), result), true;
      })
      .Case([&](ScatterElementsOp op) {
        Name result =
            e.emit("ScatterElements", {e.name(op.getInput()), e.name(op.getIndices()), e.name(op.getUpdates())},
                   {{"axis", int64_t(op.getAxis())}, {"reduction", reductionOf(op.getKind())}});
        return e.bind(op.getResult(), result), true;
      })
      .Case([&](ScatterNDOp op) {
        Name result = e.emit("ScatterND", {e.name(op.getInput()), e.in(op.getIndices(), i64), e.name(op.getUpdates())},
                             {{"reduction", reductionOf(op.getKind())}});
        return e.bind(op.getResult(), result), true;
      })
      .Default([](Operation *) { return false; });
}

} // namespace mlc::onnxexport
