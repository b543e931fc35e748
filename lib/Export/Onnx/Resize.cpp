//===- Resize.cpp - resize as an ONNX node -----------------------------------------------------------------------===//
//
// graph.resize has both what ONNX has one of: sizes, and the scales that coordinates are transformed by. Sizes say it
// all where the scales are their quotients; scales do where the sizes are the products, rounded down, as ONNX has it.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Export/Onnx/NodeExporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnxexport {
namespace {

enum class Given { sizes, scales, neither };

/// What an entry of the scales that only a run knows says: a quotient, a choice of one for several axes, or a scale.
Given givenBy(Value entry) {
  while (auto reshape = entry.getDefiningOp<ReshapeOp>())
    entry = reshape.getInput();
  Operation *op = entry.getDefiningOp();
  if (isa_and_present<DivOp, arith::DivFOp>(op))
    return Given::sizes;
  return isa_and_present<MaxOp, MinOp, arith::MaximumFOp, arith::MinimumFOp>(op) ? Given::neither : Given::scales;
}

Given givenBy(ResizeOp op) {
  auto input = llvm::cast<RankedTensorType>(op.getInput().getType());
  DenseElementsAttr known;
  if (!matchPattern(op.getScales(), m_Constant(&known))) {
    SmallVector<Value> entries(1, op.getScales());
    if (auto concat = op.getScales().getDefiningOp<ConcatOp>())
      entries.assign(concat.getInputs().begin(), concat.getInputs().end());
    else if (auto scalars = op.getScales().getDefiningOp<tensor::FromElementsOp>())
      entries.assign(scalars.getElements().begin(), scalars.getElements().end());
    for (Given given : {Given::neither, Given::sizes})
      if (llvm::any_of(entries, [&](Value entry) { return givenBy(entry) == given; }))
        return given;
    return Given::scales;
  }
  bool areQuotients = true, areProducts = true;
  for (auto [axis, scale] : llvm::enumerate(known.getValues<double>())) {
    std::optional<int64_t> size = getConstantIntValue(op.getMixedSizes()[axis]);
    if (input.isDynamicDim(axis) || !size) { // of the importer's two ways the one with constant scales
      areQuotients &= scale == 1;
      continue;
    }
    auto from = static_cast<double>(input.getDimSize(axis));
    areQuotients &= scale == static_cast<double>(*size) / from;
    areProducts &= std::floor(static_cast<float>(from) * static_cast<float>(scale)) == static_cast<double>(*size);
  }
  return areQuotients ? Given::sizes : areProducts ? Given::scales : Given::neither;
}

} // namespace

bool exportResize(NodeExporter &e) {
  auto op = dyn_cast<ResizeOp>(e.op);
  if (!op)
    return false;
  Type element = e.element(op.getInput()), compute = isByte(element) ? element : computeTypeOf(element);
  SmallVector<Name> inputs{e.in(op.getInput(), compute), ""};
  if (op.getCoordinates() == CoordinateMode::tf_crop_and_resize)
    inputs[1] = e.in(op.getRoi(), e.f32());
  switch (givenBy(op)) {
  case Given::sizes:
    inputs.append({"", e.sizes(op.getMixedSizes())});
    break;
  case Given::scales:
    inputs.push_back(e.in(op.getScales(), e.f32()));
    break;
  case Given::neither:
    e.fail("its sizes are neither what the scales give nor the scales what the sizes give");
    return true;
  }
  Name result = e.emit("Resize", inputs,
                       {{"mode", stringifyResizeMode(op.getMode())},
                        {"coordinate_transformation_mode", stringifyCoordinateMode(op.getCoordinates())},
                        {"nearest_mode", stringifyNearestMode(op.getNearest())},
                        {"cubic_coeff_a", op.getCubicCoefficient().convertToDouble()},
                        {"extrapolation_value", op.getExtrapolation().convertToDouble()},
                        {"antialias", int64_t(op.getAntialias())},
                        {"exclude_outside", int64_t(op.getExcludeOutside())}});
  e.finish(op.getResult(), result, compute);
  return true;
}

} // namespace mlc::onnxexport
