//===- Movement.cpp - reshaping, joining and taking apart --------------------------------------------------------===//
#include "lib/Import/Dsl/Elaborator.h"

using namespace mlir;
using namespace mlc::graph;
using llvm::StringRef;
using llvm::Twine;

namespace mlc::dsl {

namespace {

Datum flatten(Call &n) {
  mlir::Value x = n.tensor("x");
  if (n.rank(x) < 1)
    n.fail("expected at least one axis, but got " + n.elaborator.describe(x), "x");
  Shape shape = n.shape(x);
  return n.reshape(x, {shape[0], n.sizes.product(ArrayRef(shape).drop_front())});
}

/// One -1 stands for what is left.
Datum reshape(Call &n) {
  mlir::Value x = n.tensor("x");
  Shape old = n.shape(x), shape;
  std::optional<size_t> open;
  const List &wanted = *n.value("shape").list();
  for (auto [i, one] : llvm::enumerate(wanted)) {
    if (one.integer() == -1) {
      if (open)
        n.fail("expected one -1 at most", "shape");
      open = i;
      shape.push_back(n.constantSize(1));
    } else {
      shape.push_back(n.size(one, "shape"));
    }
  }
  // A symbol on both sides cancels, so that what is left is known.
  Shape before = old, after;
  for (auto [i, size] : llvm::enumerate(shape)) {
    if (open == i)
      continue;
    auto same = getConstant(size) ? before.end() : llvm::find(before, size);
    if (same != before.end())
      before.erase(same);
    else
      after.push_back(size);
  }
  Size total = n.sizes.product(before), rest = n.sizes.product(after);
  std::optional<int64_t> have = getConstant(total), want = getConstant(rest);
  auto mismatch = [&] {
    std::string text;
    for (auto [i, one] : llvm::enumerate(wanted))
      text += (i ? ", " : "") +
              (one.integer() ? std::to_string(*one.integer()) : n.elaborator.describe(one.get<Symbol>()->size));
    n.fail("cannot reshape " + n.elaborator.describe(x) + " to [" + text + "]: " +
               (have && want ? Twine(*have) + " elements do not fill " + Twine(*want) : Twine("the elements differ")),
           "shape");
  };
  if (open) {
    if (have && want && (*want == 0 || *have % *want))
      mismatch();
    if (want == 0)
      mismatch();
    shape[*open] = want == 1 ? total : n.sizes.floorDiv(total, rest);
  } else if (have && want && *have != *want) {
    mismatch();
  }
  return n.reshape(x, shape);
}

Datum transpose(Call &n) {
  mlir::Value x = n.tensor("x");
  int64_t rank = n.rank(x);
  Ints order;
  if (!n.has("order")) { // as for matrices
    if (rank < 2)
      n.fail("expected at least two axes, but got " + n.elaborator.describe(x), "x");
    for (int64_t i = 0; i < rank; ++i)
      order.push_back(i);
    std::swap(order[rank - 1], order[rank - 2]);
  } else {
    order = n.integers("order");
    Ints sorted = order;
    llvm::sort(sorted);
    for (auto [i, axis] : llvm::enumerate(sorted))
      if (axis != static_cast<int64_t>(i) || static_cast<int64_t>(sorted.size()) != rank)
        n.fail("expected each of the axes 0 to " + Twine(rank - 1) + " once", "order");
    if (static_cast<int64_t>(order.size()) != rank)
      n.fail("expected " + Twine(rank) + " axes, but got " + Twine(order.size()), "order");
  }
  return n.transpose(x, order);
}

void requireAlike(Call &n, const Values &all, std::optional<int64_t> but) {
  for (mlir::Value x : all) {
    if (n.rank(x) != n.rank(all[0]) || n.element(x) != n.element(all[0]))
      n.fail("expected tensors like " + n.elaborator.describe(all[0]) + ", but got " + n.elaborator.describe(x),
             "tensors");
    for (int64_t i = 0; i < n.rank(x); ++i) {
      int64_t a = n.type(all[0]).getDimSize(i), b = n.type(x).getDimSize(i);
      if (i != but && a != b && !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b))
        n.fail("axis " + Twine(i) + " differs between " + n.elaborator.describe(all[0]) + " and " +
                   n.elaborator.describe(x),
               "tensors");
    }
  }
}

Datum concat(Call &n) {
  Values all = n.tensors("tensors");
  int64_t axis = n.axisOf("axis", n.rank(all[0]));
  requireAlike(n, all, axis);
  return n.concat(all, axis);
}

Datum stack(Call &n) {
  Values all = n.tensors("tensors");
  int64_t axis = n.axisOf("axis", n.rank(all[0]) + 1);
  requireAlike(n, all, std::nullopt);
  for (mlir::Value &x : all)
    x = n.unsqueeze(x, {axis});
  return n.concat(all, axis);
}

Datum split(Call &n) {
  mlir::Value x = n.tensor("x");
  int64_t axis = n.axisOf("axis", n.rank(x)), parts = n.integer("parts"),
          size = n.knownSize(x, axis, "elements to split");
  if (size % parts)
    n.fail("expected an axis of " + Twine(size) + " in " + Twine(parts) + " equal parts", "parts");
  if (parts > 4096)
    n.fail("expected at most 4096 parts, but got " + Twine(parts), "parts");
  List all;
  for (int64_t i = 0; i < parts; ++i)
    all.push_back(n.sliceAxis(x, axis, n.constantSize(i * (size / parts)), n.constantSize(size / parts)));
  return makeList(std::move(all));
}

/// A number for both ends of all inner axes, or [low, high] for each axis from 1 on.
Datum pad(Call &n) {
  mlir::Value x = n.tensor("x");
  size_t rank = n.rank(x);
  Shape low(rank, n.constantSize(0)), high = low;
  const Datum &amount = n.value("amount");
  auto whole = [&](const Datum &value) {
    std::optional<int64_t> known = value.integer();
    if (!known || *known < 0 || *known > (int64_t(1) << 31))
      n.fail("expected amounts from 0 to 2^31, but got " + n.elaborator.describe(value), "amount");
    return n.constantSize(*known);
  };
  if (const List *pairs = amount.list()) {
    if (pairs->size() != rank)
      n.fail("expected " + Twine(rank) + " pairs [low, high], but got " + Twine(pairs->size()), "amount");
    for (auto [i, one] : llvm::enumerate(*pairs)) {
      if (!one.list() || one.list()->size() != 2)
        n.fail("expected pairs [low, high], but got " + n.elaborator.describe(one), "amount");
      low[i] = whole((*one.list())[0]);
      high[i] = whole((*one.list())[1]);
    }
  } else {
    for (size_t i = 1; i + 1 < rank; ++i)
      low[i] = high[i] = whole(amount);
  }
  std::string mode = n.text("mode");
  if (mode == "constant") {
    if (n.element(x).isInteger(1))
      n.fail("expected a tensor of numbers, but got " + n.elaborator.describe(x), "x");
    return n.pad(PadMode::constant, x, n.scalarLike(x, n.number("value")), low, high);
  }
  return n.pad(mode == "reflect" ? PadMode::reflect : PadMode::edge, x, {}, low, high);
}

Datum expandDims(Call &n) {
  mlir::Value x = n.tensor("x");
  return n.unsqueeze(x, {n.axisOf("axis", n.rank(x) + 1)});
}

Datum squeeze(Call &n) {
  mlir::Value x = n.tensor("x");
  Ints axes = n.axes("axis", n.rank(x));
  Shape shape, old = n.shape(x);
  for (auto [i, size] : llvm::enumerate(old)) {
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      shape.push_back(size);
    else if (std::optional<int64_t> known = getConstant(size); known && *known != 1)
      n.fail("expected size 1 in axis " + Twine(i) + ", but got " + n.elaborator.describe(x), "axis");
  }
  return n.reshape(x, shape);
}

Datum broadcastTo(Call &n) {
  mlir::Value x = n.tensor("x");
  return n.expand(x, n.sizesOf("shape"));
}

Datum gather(Call &n) {
  mlir::Value x = n.tensor("x"), indices = n.tensor("indices");
  if (!n.element(indices).isSignlessInteger(32) && !n.element(indices).isSignlessInteger(64))
    n.fail("expected i32 or i64, but got " + n.elaborator.describe(indices), "indices", "convert them with cast");
  return n.make<GatherOp>(x, indices, static_cast<uint64_t>(n.axisOf("axis", n.rank(x))));
}

Datum cast(Call &n) { return n.cast(n.tensor("x"), elementType(n.b.getContext(), n.text("dtype"))); }

Datum oneHot(Call &n) {
  mlir::Value x = n.tensor("x");
  if (n.isFloat(x) || n.element(x).isInteger(1))
    n.fail("expected a tensor of integers, but got " + n.elaborator.describe(x), "x");
  mlir::Value wide = n.cast(x, n.b.getI64Type());
  mlir::Value places = n.iota(0, {n.constantSize(n.integer("classes"))}, n.b.getI64Type());
  return n.cast(n.compare(CompareDirection::eq, n.unsqueeze(wide, {n.rank(wide)}), places), n.b.getF32Type());
}

Datum arange(Call &n) {
  return n.iota(0, {n.size(n.value("count"), "count")}, elementType(n.b.getContext(), n.text("dtype")));
}

Datum full(Call &n) {
  Type element = elementType(n.b.getContext(), n.text("dtype"));
  if (element.isInteger(1))
    n.fail("expected a type of numbers, but got bool", "dtype");
  return n.expand(n.scalar(element, n.number("value")), n.sizesOf("shape"));
}

} // namespace

void addMovement(Builtins &all) {
  all.family("Shapes");
  all.add("flatten(x: tensor)", "Makes one axis of all axes but the first.", flatten);
  all.add("reshape(x: tensor, shape: sizes)", "Gives the elements another shape; one size may be -1.", reshape);
  all.add("transpose(x: tensor, order: integers|none = none)",
          "Permutes the axes; without an order exchanges the last two.", transpose);
  all.add("concat(tensors: tensors, axis: integer = -1)", "Joins tensors along an axis.", concat);
  all.add("stack(tensors: tensors, axis: integer = 0)", "Joins tensors along a new axis.", stack);
  all.add("split(x: tensor, parts: count, axis: integer = -1)", "A list of equal parts of an axis.", split);
  all.add("pad(x: tensor, amount: any, mode: constant|reflect|edge = constant, value: number = 0)",
          "Adds elements at the ends: a number for all axes but the first and the last, or a pair [low, high] an axis.",
          pad);
  all.add("expand_dims(x: tensor, axis: integer)", "Adds an axis of size 1.", expandDims);
  all.add("squeeze(x: tensor, axis: integers)", "Removes axes of size 1.", squeeze);
  all.add("broadcast_to(x: tensor, shape: sizes)", "Stretches axes of size 1.", broadcastTo);
  all.add("gather(x: tensor, indices: tensor, axis: integer = 0)", "The entries of an axis at the places `indices`.",
          gather);
  all.add("cast(x: tensor, dtype: dtype)", "Converts to another element type.", cast);
  all.add("one_hot(x: tensor, classes: count)", "A new last axis: 1 at the place that the integer names, else 0.",
          oneHot);
  all.add("arange(count: size, dtype: dtype = f32)", "0, 1, 2, …", arange);
  all.add("full(shape: sizes, value: number, dtype: dtype = f32)", "A tensor of one number.", full);
}

} // namespace mlc::dsl
