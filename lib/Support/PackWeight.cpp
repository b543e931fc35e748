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

/// An axis of the result: its size, and the step of the source. Steps of `panel` and `depth` have to stay inside.
struct Axis final {
  enum Kind { free, panel, depth } kind;
  int64_t size, step;
};

/// Elements that are left of the columns and of the loop that granules are cut from.
struct Left final {
  int64_t columns, depth;
};

/// The columns of a panel, `granule` elements of each; zeros behind the ends.
template <typename Element> void fill(const Element *from, Element *&to, Axis columns, Axis granule, Left left) {
  int64_t filled = std::clamp<int64_t>(left.columns, 0, columns.size);
  int64_t deep = std::clamp<int64_t>(left.depth, 0, granule.size);
  std::fill(to, to + columns.size * granule.size, Element(0));
  if (granule.size == 1 && columns.step == 1)
    std::copy_n(from, deep ? filled : 0, to);
  else
    for (int64_t i = 0; i < filled; ++i)
      for (int64_t j = 0; j < deep; ++j)
        to[i * granule.size + j] = from[i * columns.step + j * granule.step];
  to += columns.size * granule.size;
}

template <typename Element> void walk(const Element *from, Element *&to, ArrayRef<Axis> axes, Left left) {
  if (axes.size() == 2)
    return fill(from, to, axes[0], axes[1], left);
  const Axis &axis = axes.front();
  int64_t width = axes[axes.size() - 2].size, granule = axes.back().size;
  for (int64_t i = 0; i < axis.size; ++i) {
    walk(from + i * axis.step, to, axes.drop_front(), left);
    left.columns -= axis.kind == Axis::panel ? width : 0;
    left.depth -= axis.kind == Axis::depth ? granule : 0;
  }
}

template <typename Element>
void packAs(ArrayRef<char> source, std::vector<char> &result, ArrayRef<Axis> axes, Left left) {
  auto *to = reinterpret_cast<Element *>(result.data());
  walk(reinterpret_cast<const Element *>(source.data()), to, axes, left);
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
  ArrayRef<int64_t> sizes = list("sizes");
  auto granules = pack.getAs<IntegerAttr>("granule_loop");
  int64_t granule = granules ? to.getShape().back() : 1;
  int64_t width = granules ? to.getDimSize(to.getRank() - 2) : to.getShape().back();
  for (int64_t loop : list("outer"))
    axes.push_back({Axis::free, sizes[loop], stepOf(loop)});
  axes.push_back({Axis::panel, to.getDimSize(axes.size()), width * stepOf(vector)});
  for (int64_t loop : list("inner"))
    axes.push_back({Axis::free, sizes[loop], stepOf(loop)});
  int64_t depth = granules ? sizes[granules.getInt()] : 1, deepStep = granules ? stepOf(granules.getInt()) : 0;
  if (granules)
    axes.push_back({Axis::depth, (depth + granule - 1) / granule, granule * deepStep});
  axes.push_back({Axis::free, width, stepOf(vector)});
  axes.push_back({Axis::free, granule, deepStep});
  unsigned bytes = std::max(1u, to.getElementTypeBitWidth() / 8);
  std::vector<char> result(to.getNumElements() * bytes);
  Left left{sizes[vector], depth};
  switch (bytes) {
  case 1:
    packAs<uint8_t>(source, result, axes, left);
    break;
  case 2:
    packAs<uint16_t>(source, result, axes, left);
    break;
  case 4:
    packAs<uint32_t>(source, result, axes, left);
    break;
  default:
    packAs<uint64_t>(source, result, axes, left);
  }
  return result;
}

} // namespace mlc
