//===- PackWeight.cpp - panels of a weight, computed at compile time
//-------------------------------------------------===//
//
// One walk over the result in its order, with the strides of the source for each of its axes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Support/PackWeight.h"

#include "dialects/Kernel/KernelDialect.h"

using namespace mlir;

namespace mlc {

namespace {

/// An axis of the result: its size, and the step of the source.
struct Axis final {
  int64_t size, step;
};

template <typename Element>
void walk(const Element *from, Element *&to, ArrayRef<Axis> axes, size_t panelAxis, int64_t columns) {
  const Axis &axis = axes.front();
  if (axes.size() == 1) { // the columns of a panel; zeros behind the last
    int64_t filled = std::clamp<int64_t>(columns, 0, axis.size);
    if (axis.step == 1)
      std::copy_n(from, filled, to);
    else
      for (int64_t i = 0; i < filled; ++i)
        to[i] = from[i * axis.step];
    std::fill(to + filled, to + axis.size, Element(0));
    to += axis.size;
    return;
  }
  for (int64_t i = 0; i < axis.size; ++i)
    walk(from + i * axis.step, to, axes.drop_front(), panelAxis - 1,
         panelAxis == 0 ? columns - i * axes.back().size : columns);
}

template <typename Element>
void packAs(ArrayRef<char> source, std::vector<char> &result, ArrayRef<Axis> axes, size_t panelAxis, int64_t columns) {
  auto *to = reinterpret_cast<Element *>(result.data());
  walk(reinterpret_cast<const Element *>(source.data()), to, axes, panelAxis, columns);
}

} // namespace

std::vector<char> packWeight(ArrayRef<char> source, RankedTensorType from, RankedTensorType to, DictionaryAttr pack) {
  AffineMap map = pack.getAs<AffineMapAttr>("map").getValue();
  auto list = [&](StringRef name) { return pack.getAs<DenseI64ArrayAttr>(name).asArrayRef(); };
  int64_t vector = pack.getAs<IntegerAttr>("vector").getInt();
  auto stepOf = [&](unsigned loop) {
    int64_t step = 0, stride = 1;
    for (int64_t axis = from.getRank(); axis-- > 0; stride *= from.getDimSize(axis))
      step += kernel::coefficientOf(map.getResult(axis), loop) * stride;
    return step;
  };
  SmallVector<Axis> axes;
  size_t next = 0;
  for (int64_t loop : list("outer"))
    axes.push_back({to.getDimSize(next++), stepOf(loop)});
  size_t panelAxis = next;
  int64_t width = to.getShape().back();
  axes.push_back({to.getDimSize(next++), width * stepOf(vector)});
  for (int64_t loop : list("inner"))
    axes.push_back({to.getDimSize(next++), stepOf(loop)});
  axes.push_back({width, stepOf(vector)});
  unsigned bytes = std::max(1u, to.getElementTypeBitWidth() / 8);
  std::vector<char> result(to.getNumElements() * bytes);
  int64_t columns = list("sizes")[vector];
  switch (bytes) {
  case 1:
    packAs<uint8_t>(source, result, axes, panelAxis, columns);
    break;
  case 2:
    packAs<uint16_t>(source, result, axes, panelAxis, columns);
    break;
  case 4:
    packAs<uint32_t>(source, result, axes, panelAxis, columns);
    break;
  default:
    packAs<uint64_t>(source, result, axes, panelAxis, columns);
  }
  return result;
}

} // namespace mlc
