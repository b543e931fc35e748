//===- WeightEvaluation.cpp - weights that are computed from others -----------------------------------------------===//
//
// An interpreter of the ops that graph::isEvaluable admits. A value is a strided view of bytes, so that movements cost
// nothing until a dense copy is needed. Element-wise ops go over the innermost axis in chunks that are widened to the
// type that is computed in: float (also for halves), double, or 64-bit integers.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Support/WeightEvaluation.h"

#include "lib/Support/PackWeight.h"
#include "lib/Support/WinogradFilter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mlc::graph;

namespace mlc {

namespace {

using Sizes = SmallVector<int64_t, 6>;

/// A strided view; steps are in bytes and may be 0 or negative.
struct View final {
  RankedTensorType type;
  const char *start = nullptr;
  Sizes steps;
  std::shared_ptr<std::vector<char>> owner;

  ArrayRef<int64_t> sizes() const { return type.getShape(); }
  Type element() const { return type.getElementType(); }
};

int64_t widthOf(Type element) { return std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8); }

Sizes denseSteps(RankedTensorType type) {
  Sizes steps(type.getRank());
  int64_t step = widthOf(type.getElementType());
  for (int64_t axis = type.getRank(); axis-- > 0; step *= type.getDimSize(axis))
    steps[axis] = step;
  return steps;
}

View viewOf(RankedTensorType type, ArrayRef<char> bytes, std::shared_ptr<std::vector<char>> owner = nullptr) {
  return {type, bytes.data(), denseSteps(type), std::move(owner)};
}

/// A dense tensor to be written.
View allocate(RankedTensorType type) {
  auto owner = std::make_shared<std::vector<char>>(getByteSize(type));
  return viewOf(type, *owner, owner);
}

//===----------------------------------------------------------------------------------------------------------===//
// Walks over several views at once
//===----------------------------------------------------------------------------------------------------------===//

/// The axes of one or more views of the same sizes: `steps[v][axis]`. Axes of size 1 go, and those that every view
/// walks through as one are one, so that the innermost is as long as it can be.
struct Axes final {
  Sizes sizes;
  SmallVector<Sizes, 3> steps;

  Axes(ArrayRef<int64_t> shape, ArrayRef<Sizes> from) : steps(from.size()) {
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == 1)
        continue;
      bool joins = !sizes.empty();
      for (size_t v = 0; v < from.size(); ++v)
        joins = joins && steps[v].back() == from[v][axis] * shape[axis];
      if (joins)
        sizes.back() *= shape[axis];
      else
        sizes.push_back(shape[axis]);
      for (size_t v = 0; v < from.size(); ++v) {
        if (joins)
          steps[v].back() = from[v][axis];
        else
          steps[v].push_back(from[v][axis]);
      }
    }
    if (sizes.empty()) {
      sizes.push_back(1);
      for (Sizes &step : steps)
        step.push_back(0);
    }
  }
};

/// Calls `body` with the byte offset of each view for every place in the axes [0, count); an odometer.
template <typename Body> void forEachPlace(const Axes &axes, size_t count, Body body) {
  SmallVector<int64_t, 3> at(axes.steps.size(), 0);
  Sizes place(count, 0);
  while (true) {
    body(at);
    size_t axis = count;
    for (; axis > 0; --axis) {
      for (size_t v = 0; v < at.size(); ++v)
        at[v] += axes.steps[v][axis - 1];
      if (++place[axis - 1] < axes.sizes[axis - 1])
        break;
      for (size_t v = 0; v < at.size(); ++v)
        at[v] -= axes.steps[v][axis - 1] * axes.sizes[axis - 1];
      place[axis - 1] = 0;
    }
    if (axis == 0)
      return;
  }
}

bool isEmpty(ArrayRef<int64_t> sizes) { return llvm::is_contained(sizes, 0); }

//===----------------------------------------------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------------------------------------------===//

/// rows × columns elements, where the result has the columns innermost, the source maybe the rows. A tile is read row
/// by row and written column by column: nothing is fetched twice, even where the steps are powers of two.
template <typename Element>
void copyPlane(char *to, const char *from, int64_t rows, int64_t columns, int64_t toRow, int64_t toColumn,
               int64_t fromRow, int64_t fromColumn) {
  constexpr int64_t tile = 32, width = sizeof(Element);
  Element lines[tile][tile], line[tile];
  for (int64_t r0 = 0; r0 < rows; r0 += tile)
    for (int64_t c0 = 0; c0 < columns; c0 += tile) {
      int64_t high = std::min(tile, rows - r0), wide = std::min(tile, columns - c0);
      for (int64_t c = 0; c < wide; ++c) {
        const char *start = from + r0 * fromRow + (c0 + c) * fromColumn;
        if (fromRow == width)
          std::memcpy(lines[c], start, high * width);
        else
          for (int64_t r = 0; r < high; ++r)
            std::memcpy(&lines[c][r], start + r * fromRow, width);
      }
      for (int64_t r = 0; r < high; ++r) {
        char *start = to + (r0 + r) * toRow + c0 * toColumn;
        for (int64_t c = 0; c < wide; ++c)
          line[c] = lines[c][r];
        if (toColumn == width)
          std::memcpy(start, line, wide * width);
        else
          for (int64_t c = 0; c < wide; ++c)
            std::memcpy(start + c * toColumn, &line[c], width);
      }
    }
}

template <typename Element> void copyAs(char *to, ArrayRef<int64_t> toSteps, const View &from) {
  Axes axes(from.sizes(), {Sizes(toSteps), from.steps});
  size_t inner = axes.sizes.size() - 1;
  constexpr int64_t width = sizeof(Element);
  if (axes.steps[0][inner] == width && axes.steps[1][inner] == width) {
    forEachPlace(axes, inner,
                 [&](ArrayRef<int64_t> at) { std::memcpy(to + at[0], from.start + at[1], axes.sizes[inner] * width); });
    return;
  }
  // The axis that the source has innermost makes a plane with the one of the result.
  size_t other = inner;
  for (size_t axis = 0; axis < inner; ++axis)
    if (axes.steps[1][axis] == width)
      other = axis;
  int64_t rows = 1, toRow = 0, fromRow = 0;
  if (other != inner) {
    rows = axes.sizes[other];
    toRow = axes.steps[0][other];
    fromRow = axes.steps[1][other];
    axes.sizes.erase(axes.sizes.begin() + other);
    for (Sizes &steps : axes.steps)
      steps.erase(steps.begin() + other);
    --inner;
  }
  forEachPlace(axes, inner, [&](ArrayRef<int64_t> at) {
    copyPlane<Element>(to + at[0], from.start + at[1], rows, axes.sizes[inner], toRow, axes.steps[0][inner], fromRow,
                       axes.steps[1][inner]);
  });
}

/// Writes the elements of `from` to places `toSteps` apart.
void copyTo(char *to, ArrayRef<int64_t> toSteps, const View &from) {
  if (isEmpty(from.sizes()))
    return;
  switch (widthOf(from.element())) {
  case 1:
    return copyAs<uint8_t>(to, toSteps, from);
  case 2:
    return copyAs<uint16_t>(to, toSteps, from);
  case 4:
    return copyAs<uint32_t>(to, toSteps, from);
  default:
    return copyAs<uint64_t>(to, toSteps, from);
  }
}

View makeDense(const View &view) {
  Sizes dense = denseSteps(view.type);
  bool isDense = true;
  for (size_t axis = 0; axis < dense.size(); ++axis)
    isDense = isDense && (dense[axis] == view.steps[axis] || view.sizes()[axis] == 1);
  if (isDense || isEmpty(view.sizes()))
    return {view.type, view.start, dense, view.owner};
  View result = allocate(view.type);
  copyTo(result.owner->data(), result.steps, view);
  return result;
}

/// Aligned at the right, a size of 1 stretches.
View expand(const View &view, RankedTensorType type) {
  View result{type, view.start, Sizes(type.getRank(), 0), view.owner};
  int64_t added = type.getRank() - view.type.getRank();
  for (int64_t axis = added; axis < type.getRank(); ++axis)
    if (view.sizes()[axis - added] != 1)
      result.steps[axis] = view.steps[axis - added];
  return result;
}

View slice(const View &view, SliceOp op, RankedTensorType type) {
  View result{type, view.start, view.steps, view.owner};
  for (auto [axis, offset, step] : llvm::enumerate(op.getStaticOffsets(), op.getStaticSteps())) {
    result.start += offset * view.steps[axis];
    result.steps[axis] = step * view.steps[axis];
  }
  return result;
}

View concat(ArrayRef<View> views, int64_t axis, RankedTensorType type) {
  View result = allocate(type);
  char *to = result.owner->data();
  for (const View &view : views) {
    copyTo(to, result.steps, view);
    to += view.sizes()[axis] * result.steps[axis];
  }
  return result;
}

/// Constant padding; negative amounts crop.
View pad(const View &input, const View &value, PadOp op, RankedTensorType type) {
  View result = allocate(type);
  copyTo(result.owner->data(), result.steps, expand(value, type));
  char *to = result.owner->data();
  View inside = input;
  Sizes sizes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    int64_t low = op.getStaticLow()[axis], high = op.getStaticHigh()[axis];
    sizes.push_back(std::max<int64_t>(0, input.sizes()[axis] + std::min<int64_t>(0, low) + std::min<int64_t>(0, high)));
    to += std::max<int64_t>(0, low) * result.steps[axis];
    inside.start -= std::min<int64_t>(0, low) * input.steps[axis];
  }
  inside.type = RankedTensorType::get(sizes, type.getElementType());
  copyTo(to, result.steps, inside);
  return result;
}

//===----------------------------------------------------------------------------------------------------------===//
// Element-wise
//===----------------------------------------------------------------------------------------------------------===//

constexpr int64_t chunkSize = 1024;

template <typename Stored, typename Compute> void loadAs(const char *from, int64_t step, int64_t count, Compute *to) {
  if (step == sizeof(Stored)) { // where the compiler knows the step, it vectorises
    for (int64_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
      to[i] = static_cast<Compute>(value);
    }
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, from + i * step, sizeof(Stored));
    to[i] = static_cast<Compute>(value);
  }
}

struct BF16 final {
  uint16_t bits;
  BF16() = default;
  explicit BF16(float value) {
    uint32_t all = llvm::bit_cast<uint32_t>(value);
    if (std::isnan(value))
      bits = static_cast<uint16_t>((all >> 16) | 0x40);
    else
      bits = static_cast<uint16_t>((all + 0x7fff + ((all >> 16) & 1)) >> 16); // to nearest, halves to even
  }
  template <typename T> explicit BF16(T value) : BF16(static_cast<float>(value)) {}
  template <typename T> explicit operator T() const {
    return static_cast<T>(llvm::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  }
};

/// A conversion that is defined for every value.
template <typename To, typename From> To convert(From value) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (std::is_same_v<To, bool>)
      return value != 0;
    double wide = static_cast<double>(value);
    if (wide >= -9223372036854775808.0 && wide < 9223372036854775808.0)
      return static_cast<To>(static_cast<int64_t>(wide));
    if (wide >= 0 && wide < 18446744073709551616.0)
      return static_cast<To>(static_cast<uint64_t>(wide));
    return 0;
  } else {
    return static_cast<To>(value);
  }
}

template <typename Stored, typename Compute> void storeAs(const Compute *from, int64_t count, char *to) {
  for (int64_t i = 0; i < count; ++i) {
    Stored value = convert<Stored>(from[i]);
    std::memcpy(to + i * sizeof(Stored), &value, sizeof(Stored));
  }
}

/// Calls `body` with a value of the C++ type that holds `element`.
template <typename Body> void dispatch(Type element, Body body) {
  if (element.isF32())
    return body(float());
  if (element.isF64())
    return body(double());
  if (element.isF16())
    return body(static_cast<_Float16>(0));
  if (element.isBF16())
    return body(BF16(0.0f));
  unsigned width = element.getIntOrFloatBitWidth();
  bool isUnsigned = element.isUnsignedInteger();
  if (width == 1)
    return body(bool());
  if (width == 8)
    return isUnsigned ? body(uint8_t()) : body(int8_t());
  if (width == 16)
    return isUnsigned ? body(uint16_t()) : body(int16_t());
  if (width == 32)
    return isUnsigned ? body(uint32_t()) : body(int32_t());
  return isUnsigned ? body(uint64_t()) : body(int64_t());
}

template <typename Compute> void load(Type element, const char *from, int64_t step, int64_t count, Compute *to) {
  dispatch(element, [&](auto stored) { loadAs<decltype(stored)>(from, step, count, to); });
}

template <typename Compute> void store(Type element, const Compute *from, int64_t count, char *to) {
  dispatch(element, [&](auto stored) { storeAs<decltype(stored)>(from, count, to); });
}

/// Computes result[i] = body(operands[i]…) chunk by chunk: `body(Compute *lhs, const Compute *rhs, count)` works in
/// place on the left operand; `rhs` is meaningless with one operand.
template <typename Compute, typename Body> void mapChunks(const View &result, ArrayRef<View> operands, Body body) {
  if (isEmpty(result.sizes()))
    return;
  RankedTensorType type = result.type;
  SmallVector<Sizes, 3> steps{result.steps};
  for (const View &operand : operands)
    steps.push_back(expand(operand, type.clone(operand.element())).steps);
  Axes axes(result.sizes(), steps);
  size_t inner = axes.sizes.size() - 1;
  Compute lhs[chunkSize], rhs[chunkSize] = {};
  forEachPlace(axes, inner, [&](ArrayRef<int64_t> at) {
    for (int64_t i = 0; i < axes.sizes[inner]; i += chunkSize) {
      int64_t count = std::min(chunkSize, axes.sizes[inner] - i);
      auto read = [&](size_t v, Compute *to) {
        load(operands[v].element(), operands[v].start + at[1 + v] + i * axes.steps[1 + v][inner],
             axes.steps[1 + v][inner], count, to);
      };
      read(0, lhs);
      if (operands.size() > 1)
        read(1, rhs);
      body(lhs, rhs, count);
      store(result.element(), lhs, count, result.owner->data() + at[0] + i * axes.steps[0][inner]);
    }
  });
}

/// Integers wrap, which signed C++ integers do not.
template <typename T, typename Function> T wrapping(T a, T b, Function f) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  else
    return f(a, b);
}

template <typename T> T divide(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0)
      return 0;
    if constexpr (std::is_signed_v<T>)
      if (b == -1)
        return static_cast<T>(-static_cast<uint64_t>(a));
  }
  return a / b;
}

template <typename T> T power(T base, T exponent) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>)
      if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    uint64_t result = 1, factor = static_cast<uint64_t>(base);
    for (auto left = static_cast<uint64_t>(exponent); left; left >>= 1, factor *= factor)
      if (left & 1)
        result *= factor;
    return static_cast<T>(result);
  } else {
    return std::pow(base, exponent);
  }
}

/// The maximum, or with `sign` -1 the minimum; NaN if either is.
template <typename T> T extremum(T a, T b, bool isMax) {
  if (a != a || b != b)
    return a != a ? a : b;
  return (isMax ? a < b : b < a) ? b : a;
}

template <typename T> void computeAs(Operation *op, const View &result, ArrayRef<View> operands) {
  auto each = [&](auto f) {
    mapChunks<T>(result, operands, [&](T *lhs, const T *rhs, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        lhs[i] = f(lhs[i], rhs[i]);
    });
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](AddOp) { each([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x + y; }); }); })
      .Case([&](SubOp) { each([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x - y; }); }); })
      .Case([&](MulOp) { each([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x * y; }); }); })
      .Case([&](NegOp) { each([](T a, T b) { return wrapping(a, b, [](auto x, auto) { return -x; }); }); })
      .Case([&](DivOp) { each(divide<T>); })
      .Case([&](PowOp) { each(power<T>); })
      .Case([&](MaxOp) { each([](T a, T b) { return extremum(a, b, true); }); })
      .Case([&](MinOp) { each([](T a, T b) { return extremum(a, b, false); }); })
      .Case([&](CastOp) { each([](T a, T) { return a; }); })
      .Case([&](AbsOp) {
        each([](T a, T b) {
          if constexpr (std::is_floating_point_v<T>)
            return std::fabs(a);
          else
            return a < T(0) ? wrapping(a, b, [](auto x, auto) { return -x; }) : a;
        });
      })
      .Case([&](SqrtOp) {
        if constexpr (std::is_floating_point_v<T>)
          each([](T a, T) { return std::sqrt(a); });
      })
      .Case([&](ExpOp) {
        if constexpr (std::is_floating_point_v<T>)
          each([](T a, T) { return std::exp(a); });
      })
      .Default([](Operation *) { llvm_unreachable("the verifier of graph.parameter admits only what is evaluated"); });
}

View compute(Operation *op, ArrayRef<View> operands, RankedTensorType type) {
  View result = allocate(type);
  Type element = operands[0].element();
  if (element.isF64())
    computeAs<double>(op, result, operands);
  else if (isa<FloatType>(element))
    computeAs<float>(op, result, operands);
  else if (element.isUnsignedInteger(64))
    computeAs<uint64_t>(op, result, operands);
  else
    computeAs<int64_t>(op, result, operands);
  return result;
}

/// (input - zero point) * scale
View dequantize(ArrayRef<View> operands, RankedTensorType type) {
  View centred = allocate(type.clone(IntegerType::get(type.getContext(), 32)));
  mapChunks<int64_t>(centred, {operands[0], operands[2]}, [](int64_t *lhs, const int64_t *rhs, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      lhs[i] -= rhs[i];
  });
  View result = allocate(type);
  auto multiply = [](auto *lhs, const auto *rhs, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      lhs[i] *= rhs[i];
  };
  if (type.getElementType().isF64())
    mapChunks<double>(result, {centred, operands[1]}, multiply);
  else
    mapChunks<float>(result, {centred, operands[1]}, multiply);
  return result;
}

/// The sum of integers over `axes`, which the result has with a size of 1 or not at all; wraps.
View sumIntegers(const View &input, ArrayRef<int64_t> axes, RankedTensorType type) {
  View result = allocate(type);
  Sizes spread; // the steps of the result along the axes of the input
  for (int64_t axis = 0, next = 0; axis < input.type.getRank(); ++axis) {
    bool summed = llvm::is_contained(axes, axis);
    spread.push_back(summed ? 0 : result.steps[next]);
    next += !summed || type.getRank() == input.type.getRank();
  }
  if (isEmpty(input.sizes()))
    return result;
  Axes walk(input.sizes(), {input.steps, spread});
  forEachPlace(walk, walk.sizes.size(), [&](ArrayRef<int64_t> at) {
    int64_t sum, term;
    char *to = result.owner->data() + at[1];
    load(input.element(), input.start + at[0], 0, 1, &term);
    load(type.getElementType(), to, 0, 1, &sum);
    sum = wrapping(sum, term, [](auto x, auto y) { return x + y; });
    store(type.getElementType(), &sum, 1, to);
  });
  return result;
}

View constant(ConstantOp op) {
  View result = allocate(cast<RankedTensorType>(op.getType()));
  auto elements = cast<DenseElementsAttr>(op.getValue());
  ArrayRef<char> raw = elements.getRawData();
  int64_t width = widthOf(result.element());
  if (result.element().isInteger(1)) { // packed in the attribute
    for (auto [i, bit] : llvm::enumerate(elements.getValues<bool>()))
      (*result.owner)[i] = bit;
  } else if (elements.isSplat()) {
    for (size_t at = 0; at < result.owner->size(); at += width)
      std::memcpy(result.owner->data() + at, raw.data(), width);
  } else {
    std::memcpy(result.owner->data(), raw.data(), result.owner->size());
  }
  return result;
}

//===----------------------------------------------------------------------------------------------------------===//
// The ops of a body
//===----------------------------------------------------------------------------------------------------------===//

View evaluate(Operation *op, ArrayRef<View> operands, const WeightStore &weights) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return llvm::TypeSwitch<Operation *, View>(op)
      .Case([&](WeightOp weight) {
        auto parameter = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(weight, weight.getParameterAttr());
        WeightBytes bytes = evaluateWeight(parameter, weights);
        return viewOf(type, bytes.bytes, bytes.owner);
      })
      .Case([&](ConstantOp op) { return constant(op); })
      .Case([&](TransposeOp op) {
        View result{type, operands[0].start, {}, operands[0].owner};
        for (int64_t axis : op.getPermutation())
          result.steps.push_back(operands[0].steps[axis]);
        return result;
      })
      .Case([&](ReshapeOp) {
        View dense = makeDense(operands[0]);
        return View{type, dense.start, denseSteps(type), dense.owner};
      })
      .Case([&](ExpandOp) { return expand(operands[0], type); })
      .Case([&](SliceOp op) { return slice(operands[0], op, type); })
      .Case([&](ConcatOp op) { return concat(operands, op.getAxis(), type); })
      .Case([&](PadOp op) { return pad(operands[0], operands[1], op, type); })
      .Case([&](ReduceOp op) { return sumIntegers(operands[0], op.getAxes(), type); })
      .Case([&](DequantizeOp) { return dequantize(operands, type); })
      .Default([&](Operation *op) { return compute(op, operands, type); });
}

WeightBytes evaluateBody(Block &body, const WeightStore &weights) {
  DenseMap<Value, View> values;
  DenseMap<Value, unsigned> readsLeft;
  for (Operation &op : body.without_terminator())
    readsLeft[op.getResult(0)] = llvm::range_size(op.getResult(0).getUses());
  for (Operation &op : body.without_terminator()) {
    SmallVector<View> operands;
    for (Value operand : op.getOperands())
      operands.push_back(values.lookup(operand));
    for (Value operand : op.getOperands())
      if (--readsLeft[operand] == 0)
        values.erase(operand);
    values[op.getResult(0)] = evaluate(&op, operands, weights);
  }
  View result = makeDense(values.lookup(cast<YieldOp>(body.back()).getValues()[0]));
  return {ArrayRef<char>(result.start, getByteSize(result.type)), result.owner};
}

/// The parameters that `parameter` is computed from.
SmallVector<ParameterOp> sourcesOf(ParameterOp parameter) {
  SmallVector<ParameterOp> sources;
  auto add = [&](FlatSymbolRefAttr name) {
    sources.push_back(SymbolTable::lookupNearestSymbolFrom<ParameterOp>(parameter, name));
  };
  if (auto pack = parameter->getAttrOfType<DictionaryAttr>("kernel.pack"))
    add(pack.getAs<FlatSymbolRefAttr>("source"));
  if (auto name = parameter->getAttrOfType<FlatSymbolRefAttr>("graph.winograd"))
    add(name);
  parameter.getBody().walk([&](WeightOp weight) { add(weight.getParameterAttr()); });
  return sources;
}

} // namespace

bool areSameWeights(ParameterOp a, ParameterOp b) {
  return a.getSymName() == b.getSymName() &&
         OperationEquivalence::isEquivalentTo(a, b, OperationEquivalence::IgnoreLocations) &&
         llvm::equal(sourcesOf(a), sourcesOf(b), areSameWeights);
}

WeightBytes evaluateWeight(ParameterOp parameter, const WeightStore &weights) {
  if (!parameter.getBody().empty())
    return evaluateBody(parameter.getBody().front(), weights);
  if (auto pack = parameter->getAttrOfType<DictionaryAttr>("kernel.pack")) {
    auto source = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(parameter, pack.getAs<FlatSymbolRefAttr>("source"));
    WeightBytes from = evaluateWeight(source, weights);
    auto packed = std::make_shared<std::vector<char>>(packWeight(from.bytes, cast<RankedTensorType>(source.getType()),
                                                                 cast<RankedTensorType>(parameter.getType()), pack));
    return {*packed, packed};
  }
  if (auto name = parameter->getAttrOfType<FlatSymbolRefAttr>("graph.winograd")) {
    auto source = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(parameter, name);
    auto shape = cast<RankedTensorType>(source.getType()).getShape();
    WeightBytes from = evaluateWeight(source, weights);
    auto result = std::make_shared<std::vector<char>>(transformWinogradFilter(from.bytes, shape[0], shape[1]));
    return {*result, result};
  }
  std::optional<ArrayRef<char>> bytes = weights.lookup(parameter.getSymName());
  assert(bytes && "importers define every weight");
  return {*bytes, nullptr};
}

} // namespace mlc
