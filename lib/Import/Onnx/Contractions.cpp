//===- Contractions.cpp - MatMul, Gemm, Conv, ConvTranspose ------------------------------------------------------===//
#include "lib/Import/Onnx/Windowing.h"

using namespace mlir;
using namespace mlc::graph;

namespace mlc::onnximport {
namespace {

/// As numpy.matmul: a rank-1 operand is a row, or a column, whose axis goes away again.
Values matMul(NodeImporter &n) {
  Value lhs = n.input(0), rhs = n.input(1);
  n.require(n.rank(lhs) > 0 && n.rank(rhs) > 0, "expected operands of rank 1 at least");
  bool row = n.rank(lhs) == 1, column = n.rank(rhs) == 1;
  if (row)
    lhs = n.unsqueeze(lhs, 0);
  if (column)
    rhs = n.unsqueeze(rhs, 1);
  Value result = n.cast(n.make<MatMulOp>(lhs, rhs), n.element(lhs));
  Shape shape = n.shape(result);
  if (column)
    shape.pop_back();
  if (row)
    shape.erase(shape.end() - (column ? 1 : 2));
  return {row || column ? n.reshape(result, shape) : result};
}

/// alpha A' B' + beta C
Values gemm(NodeImporter &n) {
  Value a = n.input(0), b = n.input(1);
  n.require(n.rank(a) == 2 && n.rank(b) == 2, "expected matrices");
  if (n.intAttr("transA", 0))
    a = n.transpose(a, {1, 0});
  if (n.intAttr("transB", 0))
    b = n.transpose(b, {1, 0});
  if (n.opset < 7)
    n.ignoreAttr("broadcast"); // C broadcasts when it has to
  double alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 1);
  Value result = n.make<MatMulOp>(a, b);
  if (alpha != 1)
    result = n.mul(result, n.scalarLike(result, alpha));
  if (Value c = n.optionalInput(2)) {
    if (beta != 1)
      c = n.mul(c, n.scalarLike(c, beta));
    Value sum = n.add(result, c);
    n.require(n.rank(sum) == 2, "C does not broadcast to the product");
    result = sum;
  }
  return {result};
}

/// Adds one number a channel.
Value addBias(NodeImporter &n, Value x, Value bias) {
  n.require(n.rank(bias) == 1, "expected a bias of rank 1");
  Ints axes;
  for (int64_t i = 0; i < n.rank(x) - 2; ++i)
    axes.push_back(1 + i);
  return n.add(x, n.unsqueeze(bias, axes));
}

Values conv(NodeImporter &n) {
  Value x = n.input(0), filter = n.input(1);
  n.require(n.rank(x) >= 3 && n.rank(filter) == n.rank(x), "expected input and filter of one rank, 3 at least");
  Shape shape = n.shape(x);
  Windowing w(n, ArrayRef<Size>(shape).drop_front(2), n.type(filter).getShape().drop_front(2));
  int64_t groups = n.intAttr("group", 1);
  Ints pads = w.padsFor(n, x, n.scalarLike(x, 0));
  Value result = n.make<ConvOp>(x, filter, w.strides, pads, w.dilations, static_cast<uint64_t>(groups));
  if (Value bias = n.optionalInput(2))
    result = addBias(n, result, bias);
  return {result};
}

Values convTranspose(NodeImporter &n) {
  Value x = n.input(0), filter = n.input(1);
  n.require(n.rank(x) >= 3 && n.rank(filter) == n.rank(x), "expected input and filter of one rank, 3 at least");
  size_t spatial = n.rank(x) - 2;
  ArrayRef<int64_t> kernel = n.type(filter).getShape().drop_front(2);
  auto list = [&](StringRef name, int64_t otherwise, size_t count) { return n.smallInts(name, otherwise, count); };
  for (int64_t size : kernel)
    n.require(ShapedType::isDynamic(size) || size == static_cast<int32_t>(size), "expected a kernel below 2^31");
  if (std::optional<Ints> declared = n.intsAttr("kernel_shape"))
    for (size_t i = 0; i < spatial; ++i)
      n.require(declared->size() == spatial && (ShapedType::isDynamic(kernel[i]) || (*declared)[i] == kernel[i]),
                "expected kernel_shape to be the filter's");
  Ints strides = list("strides", 1, spatial), dilations = list("dilations", 1, spatial);
  Ints outputPadding = list("output_padding", 0, spatial), pads = list("pads", 0, 2 * spatial);
  int64_t groups = n.intAttr("group", 1);
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  std::optional<Ints> outputShape = n.intsAttr("output_shape");
  bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (outputShape || same) {
    // total = stride (x - 1) + output_padding + reach - y; y = x stride for SAME.
    if (outputShape && outputShape->size() == spatial + 2)
      outputShape->erase(outputShape->begin(), outputShape->begin() + 2);
    n.require(!outputShape || outputShape->size() == spatial, "expected one entry of output_shape a spatial axis");
    for (int64_t size : outputShape.value_or(Ints()))
      n.require(size >= 0 && size < (int64_t(1) << 40), "expected an output_shape that can be addressed");
    for (size_t i = 0; i < spatial; ++i) {
      int64_t size = n.type(x).getDimSize(2 + i), reach = (kernel[i] - 1) * dilations[i] + 1, total;
      if (ShapedType::isDynamic(kernel[i]) || (outputShape && ShapedType::isDynamic(size)))
        n.unsupported("padding that depends on sizes known only at run time", "fix the sizes with --shape");
      if (outputShape)
        total = strides[i] * (size - 1) + outputPadding[i] + reach - (*outputShape)[i];
      else
        total = outputPadding[i] + reach - strides[i];
      if (total < 0) { // more than the sum reaches: zeros above
        outputPadding[i] -= total;
        total = 0;
      }
      int64_t half = total / 2;
      pads[i] = mode == "SAME_UPPER" ? half : total - half;
      pads[spatial + i] = total - pads[i];
    }
  } else if (mode == "VALID") {
    pads.assign(2 * spatial, 0);
  } else if (mode != "NOTSET") {
    n.fail("expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, but got '" + mode + "'", "auto_pad");
  }
  Value result =
      n.make<ConvTransposeOp>(x, filter, strides, pads, dilations, outputPadding, static_cast<uint64_t>(groups));
  if (Value bias = n.optionalInput(2))
    result = addBias(n, result, bias);
  return {result};
}

} // namespace

void registerContractions(Registry &r) {
  r.add("MatMul", 1, matMul);
  r.add("Gemm", 6, gemm);
  r.add("Conv", 1, conv);
  r.add("ConvTranspose", 1, convTranspose);
}

} // namespace mlc::onnximport
