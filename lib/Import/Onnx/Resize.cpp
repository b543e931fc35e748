//===- Resize.cpp - Resize and Upsample --------------------------------------------------------------------------===//
#include "lib/Import/Onnx/NodeImporter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// What Resize says in its inputs and attributes, spread over all axes of the input.
struct Request final {
  Value scales; // tensor<rank x f64>
  Shape sizes;
  Value roi; // tensor<2 rank x f64> or tensor<0 x f64>
};

/// Elements of a rank-1 tensor of f64, each a tensor of rank 1.
Value elementOf(NodeImporter &n, Value list, int64_t i) {
  return n.sliceAxis(list, 0, n.constantSize(i), n.constantSize(1));
}

bool isEmpty(NodeImporter &n, Value value) {
  return n.type(value).hasStaticShape() && n.type(value).getNumElements() == 0;
}

Value f64s(NodeImporter &n, ArrayRef<double> values) {
  return n.constant(
      DenseElementsAttr::get(RankedTensorType::get({static_cast<int64_t>(values.size())}, n.b.getF64Type()), values));
}

/// The values of a constant float tensor.
std::optional<SmallVector<double>> knownFloats(NodeImporter &n, Value value) {
  DenseElementsAttr attribute;
  if (!matchPattern(value, m_Constant(&attribute)) || !n.isFloat(value))
    return std::nullopt;
  return llvm::map_to_vector(attribute.getValues<APFloat>(), [](const APFloat &number) {
    APFloat copy = number;
    bool loses;
    copy.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
    return copy.convertToDouble();
  });
}

Value make(NodeImporter &n, ResizeMode mode, Value x, const Request &request, CoordinateMode coordinates,
           NearestMode nearest, double cubic, double extrapolation, bool antialias, bool excludeOutside) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> fixed;
  dispatchIndexOpFoldResults(request.sizes, dynamic, fixed);
  return n.make<ResizeOp>(mode, x, request.scales, request.roi, dynamic, fixed, coordinates, nearest,
                          llvm::APFloat(cubic), llvm::APFloat(extrapolation), antialias, excludeOutside);
}

/// floor(size * scale), for every axis
void sizesFromScales(NodeImporter &n, Value x, Value scales, ArrayRef<int64_t> axes, Request &request) {
  Shape shape = n.shape(x);
  request.sizes = shape;
  std::optional<SmallVector<double>> known = knownFloats(n, scales);
  SmallVector<double> all(shape.size(), 1.0);
  SmallVector<Value> parts(shape.size(), f64s(n, 1.0));
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (known) {
      n.require((*known)[i] > 0, "expected positive scales");
      all[axis] = (*known)[i];
      if (auto size = getConstant(shape[axis])) {
        request.sizes[axis] = n.constantSize(static_cast<int64_t>(std::floor(*size * (*known)[i])));
        continue;
      }
    }
    Value scale = known ? f64s(n, (*known)[i]) : elementOf(n, scales, i);
    parts[axis] = scale;
    if (known && (*known)[i] == 1)
      continue;
    Value size = n.unsqueeze(n.fromSize(shape[axis], n.b.getF64Type()), 0);
    request.sizes[axis] = n.sizes.element(n.cast(n.make<FloorOp>(n.mul(size, scale)), n.b.getI64Type()), 0);
  }
  request.scales = known ? f64s(n, all) : n.concat(parts, 0);
}

/// Scales as wanted / size; the aspect-ratio policies choose one scale for all axes.
void scalesFromSizes(NodeImporter &n, Value x, ArrayRef<Size> wanted, ArrayRef<int64_t> axes, StringRef policy,
                     Request &request) {
  Shape shape = n.shape(x);
  request.sizes = shape;
  Type f64 = n.b.getF64Type();
  auto real = [&](Size size) { return n.unsqueeze(n.fromSize(size, f64), 0); };
  bool known = llvm::all_of(axes, [&](int64_t axis) { return getConstant(shape[axis]).has_value(); }) &&
               llvm::all_of(wanted, [](Size size) { return getConstant(size).has_value(); });
  SmallVector<double> all(shape.size(), 1.0);
  SmallVector<Value> parts(shape.size(), f64s(n, 1.0));
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (known)
      all[axis] = static_cast<double>(*getConstant(wanted[i])) / static_cast<double>(*getConstant(shape[axis]));
    else
      parts[axis] = n.div(real(wanted[i]), real(shape[axis]));
    request.sizes[axis] = wanted[i];
  }
  if (policy != "stretch") {
    bool larger = policy == "not_smaller";
    if (known) {
      double chosen = all[axes[0]];
      for (int64_t axis : axes)
        chosen = larger ? std::max(chosen, all[axis]) : std::min(chosen, all[axis]);
      for (int64_t axis : axes) {
        all[axis] = chosen;
        request.sizes[axis] =
            n.constantSize(static_cast<int64_t>(std::floor(chosen * *getConstant(shape[axis]) + 0.5)));
      }
    } else {
      Value chosen = parts[axes[0]];
      for (int64_t axis : axes)
        chosen = larger ? n.maximum(chosen, parts[axis]) : n.minimum(chosen, parts[axis]);
      for (int64_t axis : axes) {
        parts[axis] = chosen;
        Value rounded = n.make<FloorOp>(n.add(n.mul(chosen, real(shape[axis])), n.scalar(f64, 0.5)));
        request.sizes[axis] = n.sizes.element(n.cast(rounded, n.b.getI64Type()), 0);
      }
    }
  }
  request.scales = known ? f64s(n, all) : n.concat(parts, 0);
}

Values resize(NodeImporter &n) {
  Value x = n.input(0);
  int64_t rank = n.rank(x);
  bool old = n.opset < 11;
  std::string modeName = n.stringAttr("mode", "nearest");
  std::optional<ResizeMode> mode = symbolizeResizeMode(modeName);
  if (!mode)
    n.fail("expected nearest, linear or cubic, but got '" + modeName + "'", "mode");
  std::string coordinateName = old ? "asymmetric" : n.stringAttr("coordinate_transformation_mode", "half_pixel");
  if (coordinateName == "tf_half_pixel_for_nn")
    n.unsupported("unsupported coordinate transformation of opset 11", "convert the model to opset 13",
                  "coordinate_transformation_mode");
  std::optional<CoordinateMode> coordinates = symbolizeCoordinateMode(coordinateName);
  if (!coordinates)
    n.fail("unknown coordinate transformation '" + coordinateName + "'", "coordinate_transformation_mode");
  std::string nearestName = old ? "floor" : n.stringAttr("nearest_mode", "round_prefer_floor");
  std::optional<NearestMode> nearest = symbolizeNearestMode(nearestName);
  if (!nearest)
    n.fail("unknown rounding '" + nearestName + "'", "nearest_mode");
  double cubic = n.floatAttr("cubic_coeff_a", -0.75), extrapolation = n.floatAttr("extrapolation_value", 0);
  bool antialias = n.intAttr("antialias", 0), excludeOutside = n.intAttr("exclude_outside", 0);
  std::string policy = n.stringAttr("keep_aspect_ratio_policy", "stretch");
  Ints axes;
  if (std::optional<Ints> listed = n.intsAttr("axes"))
    for (int64_t axis : *listed)
      axes.push_back(n.axis(axis, rank, "axes"));
  else
    for (int64_t i = 0; i < rank; ++i)
      axes.push_back(i);

  Request request;
  unsigned scaleInput = old ? 1 : 2;
  Value sizes = n.optionalInput(3), scales = n.optionalInput(scaleInput);
  if (scales && isEmpty(n, scales))
    scales = Value();
  if (sizes && isEmpty(n, sizes))
    sizes = Value();
  if (sizes) {
    Shape wanted = n.sizesFrom(sizes, "sizes", axes.size());
    n.require(wanted.size() == axes.size(), "expected one size an axis");
    scalesFromSizes(n, x, wanted, axes, policy, request);
  } else if (scales) {
    RankedTensorType type = n.type(scales);
    n.require(type.getRank() == 1 && (type.isDynamicDim(0) || type.getDimSize(0) == static_cast<int64_t>(axes.size())),
              "expected one scale an axis");
    sizesFromScales(n, x, n.cast(scales, n.b.getF64Type()), axes, request);
  } else {
    n.fail("requires scales or sizes");
  }
  request.roi = f64s(n, {});
  if (*coordinates == CoordinateMode::tf_crop_and_resize) {
    Value roi = n.cast(n.input(1), n.b.getF64Type());
    n.require(n.rank(roi) == 1 &&
                  (n.type(roi).isDynamicDim(0) || n.type(roi).getDimSize(0) == 2 * static_cast<int64_t>(axes.size())),
              "expected two entries of roi an axis");
    SmallVector<Value> parts(rank, f64s(n, 0.0));
    parts.append(rank, f64s(n, 1.0));
    for (auto [i, axis] : llvm::enumerate(axes)) {
      parts[axis] = elementOf(n, roi, i);
      parts[rank + axis] = elementOf(n, roi, axes.size() + i);
    }
    request.roi = n.concat(parts, 0);
  }
  return {make(n, *mode, x, request, *coordinates, *nearest, cubic, extrapolation, antialias, excludeOutside)};
}

Values upsample(NodeImporter &n) {
  Value x = n.input(0), scales;
  std::string modeName = n.stringAttr("mode", "nearest");
  std::optional<ResizeMode> mode = symbolizeResizeMode(modeName == "bilinear" ? "linear" : modeName);
  if (!mode)
    n.fail("expected nearest or linear, but got '" + modeName + "'", "mode");
  if (n.opset >= 9) {
    scales = n.cast(n.input(1), n.b.getF64Type());
  } else {
    const auto *attribute = n.attr("scales");
    n.require(attribute, "requires scales");
    scales = f64s(n, SmallVector<double>(attribute->floats().begin(), attribute->floats().end()));
  }
  Ints axes;
  for (int64_t i = 0; i < n.rank(x); ++i)
    axes.push_back(i);
  n.require(n.type(scales).isDynamicDim(0) || n.type(scales).getDimSize(0) == n.rank(x), "expected one scale an axis");
  Request request;
  sizesFromScales(n, x, scales, axes, request);
  request.roi = f64s(n, {});
  return {make(n, *mode, x, request, CoordinateMode::asymmetric, NearestMode::floor, -0.75, 0, false, false)};
}

} // namespace

void registerResize(Registry &r) {
  r.add("Resize", 10, resize);
  r.add("Upsample", 7, upsample);
}

} // namespace mlc::onnximport
