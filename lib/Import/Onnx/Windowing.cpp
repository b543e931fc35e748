//===- Windowing.cpp - the attributes that convolutions and pools share ------------------------------------------===//
#include "lib/Import/Onnx/Windowing.h"

namespace mlc::onnximport {

Windowing::Windowing(NodeImporter &n, llvm::ArrayRef<Size> inputSpatial, llvm::ArrayRef<int64_t> filter) {
  size_t spatial = inputSpatial.size();
  auto list = [&](llvm::StringRef name, int64_t otherwise, size_t count) {
    return n.smallInts(name, otherwise, count);
  };
  std::optional<Ints> declared = n.intsAttr("kernel_shape");
  if (!declared && filter.empty())
    n.fail("requires kernel_shape", "kernel_shape");
  kernel = declared ? *declared : Ints(filter);
  if (kernel.size() != spatial)
    n.fail("expected " + llvm::Twine(spatial) + " entries, but got " + llvm::Twine(kernel.size()), "kernel_shape");
  for (int64_t size : kernel)
    if (!mlir::ShapedType::isDynamic(size) && size != static_cast<int32_t>(size))
      n.fail("expected a kernel below 2^31, but got " + llvm::Twine(size), "kernel_shape");
  for (auto [i, size] : llvm::enumerate(filter))
    if (!mlir::ShapedType::isDynamic(size) && size != kernel[i])
      n.fail("expected the filter's size " + llvm::Twine(size) + ", but got " + llvm::Twine(kernel[i]), "kernel_shape");
  strides = list("strides", 1, spatial);
  dilations = list("dilations", 1, spatial);
  for (int64_t i = 0; i < static_cast<int64_t>(spatial); ++i)
    if (strides[i] <= 0 || dilations[i] <= 0 || (kernel[i] <= 0 && !mlir::ShapedType::isDynamic(kernel[i])))
      n.fail("expected kernel_shape, strides and dilations that are positive");
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  Ints pads = list("pads", 0, 2 * spatial);
  same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!same && mode != "NOTSET" && mode != "VALID")
    n.fail("expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, but got '" + mode + "'", "auto_pad");
  for (size_t i = 0; i < spatial; ++i) {
    if (!same) {
      low.push_back(n.constantSize(mode == "VALID" ? 0 : pads[i]));
      high.push_back(n.constantSize(mode == "VALID" ? 0 : pads[spatial + i]));
      continue;
    }
    // total = max(0, (ceil(x / stride) - 1) * stride + reach - x)
    graph::SizeBuilder &s = n.sizes;
    Size stride = n.constantSize(strides[i]), x = inputSpatial[i],
         reach = n.constantSize((kernel[i] - 1) * dilations[i] + 1);
    Size total = n.constantSize(std::max<int64_t>(0, (kernel[i] - 1) * dilations[i]));
    if (strides[i] != 1) {
      Size last = s.mul(s.sub(s.ceilDiv(x, stride), n.constantSize(1)), stride);
      total = s.max(s.sub(s.add(last, reach), x), n.constantSize(0));
    }
    Size half = s.floorDiv(total, n.constantSize(2)), rest = s.sub(total, half);
    low.push_back(mode == "SAME_UPPER" ? half : rest);
    high.push_back(mode == "SAME_UPPER" ? rest : half);
  }
}

bool Windowing::hasStaticPads() const {
  auto isKnown = [](Size size) { return graph::getConstant(size).has_value(); };
  return llvm::all_of(low, isKnown) && llvm::all_of(high, isKnown);
}

Ints Windowing::staticPads() const {
  Ints pads;
  for (llvm::ArrayRef<Size> side : {llvm::ArrayRef<Size>(low), llvm::ArrayRef<Size>(high)})
    for (Size size : side)
      pads.push_back(*graph::getConstant(size));
  return pads;
}

Ints Windowing::padsFor(NodeImporter &n, Value &input, Value fill) const {
  if (hasStaticPads())
    return staticPads();
  Shape below(2, n.constantSize(0)), above(below);
  below.append(low);
  above.append(high);
  input = n.pad(graph::PadMode::constant, input, fill, below, above);
  return Ints(2 * strides.size(), 0);
}

} // namespace mlc::onnximport
