//===- LowerPacks.cpp - operands that are packed in a run ---------------------------------------------------------===//
//
// A granule of g elements a column is g vectors of one row each, interleaved; without granules rows are copied. A panel
// is a task. Vectors are masked in the last panel, where the source ends; rows behind the end of the reduction are
// zeros.
//
// Precondition: the op is alone in a kernel function (buffer-outline-kernels) on memory, and its source is contiguous
// along the columns.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/Passes.h"
#include "passes/Vector/Tasks.h"

namespace mlc {
#define GEN_PASS_DEF_VECTORLOWERPACKSPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;
using mlc::kernel::PackOp;

namespace {

/// Elements that are worth waking a thread for: some ten microseconds.
constexpr int64_t kWorkOfThread = 1 << 16;

/// Builds the panels of one op.
class Packer final {
public:
  Packer(Arithmetic &a, PackOp op, unsigned vectorBits)
      : a(a), op(op), source(flatten(a, op.getSource())), panels(flatten(a, op.getInit())) {
    ArrayRef<int64_t> shape = op.getPanels().getShape();
    granule = op.getGranules() ? shape.back() : 1;
    width = shape[shape.size() - (op.getGranules() ? 2 : 1)];
    element = op.getPanels().getElementType();
    lanes = vectorBits / (granule * element.getIntOrFloatBitWidth());
    while (width % lanes) // a narrower vector, where the panels are no multiple of a register
      lanes /= 2;
    for (unsigned loop = 0; loop < op.getSizes().size(); ++loop)
      strides.push_back(strideOf(a, source, op.getMap(), loop));
  }

  int64_t getNumTasks() {
    int64_t tasks = op.getPanels().getDimSize(op.getOuter().size());
    for (int64_t loop : op.getOuter())
      tasks *= op.getSizes()[loop];
    return tasks;
  }

  void pack(Index task) {
    int64_t columns = op.getSizes()[op.getVector()], numPanels = llvm::divideCeil(columns, width);
    auto [batch, panel] = a.divide(task, numPanels);
    unsigned panelAxis = op.getOuter().size();
    Index from = a.add(source.offset, a.mul(a.mul(panel, width), strides[op.getVector()]));
    Index to = a.add(panels.offset, a.mul(panel, panels.strides[panelAxis]));
    for (unsigned axis = panelAxis; axis-- > 0;) {
      int64_t loop = op.getOuter()[axis];
      auto [rest, at] = a.divide(batch, op.getSizes()[loop]);
      from = a.add(from, a.mul(at, strides[loop]));
      to = a.add(to, a.mul(at, panels.strides[axis]));
      batch = rest;
    }
    int64_t rest = columns % width;
    if (rest == 0)
      return packInner(0, from, to, width);
    a.ifLess(panel, numPanels - 1, [&] { packInner(0, from, to, width); });
    a.ifNotLess(panel, numPanels - 1, [&] { packInner(0, from, to, rest); });
  }

private:
  /// The loops of `inner` from the given one on, then the granules.
  void packInner(unsigned next, Index from, Index to, int64_t columns) {
    unsigned axis = op.getOuter().size() + 1 + next;
    if (next < op.getInner().size()) {
      int64_t loop = op.getInner()[next];
      a.forEach(0, op.getSizes()[loop], 1, [&](Index at) {
        packInner(next + 1, a.add(from, a.mul(at, strides[loop])), a.add(to, a.mul(at, panels.strides[axis])), columns);
      });
      return;
    }
    if (!op.getGranules())
      return packGranule(from, to, columns, 1);
    Index stride = strides[*op.getGranules()];
    int64_t depth = op.getSizes()[*op.getGranules()], whole = depth / granule;
    auto build = [&](Index block, int64_t rows) {
      packGranule(a.add(from, a.mul(block, a.mul(granule, stride))), a.add(to, a.mul(block, panels.strides[axis])),
                  columns, rows);
    };
    a.forEach(0, whole, 1, [&](Index block) { build(block, granule); });
    if (depth % granule)
      build(whole, depth % granule);
  }

  /// `columns` columns of a granule of which `rows` elements exist.
  void packGranule(Index from, Index to, int64_t columns, int64_t rows) {
    auto type = VectorType::get({lanes}, element);
    Index stride = op.getGranules() ? strides[*op.getGranules()] : Index(0);
    for (int64_t first = 0; first < columns; first += lanes) {
      SmallVector<Value> vectors;
      for (int64_t row = 0; row < granule; ++row)
        vectors.push_back(row < rows ? load(a.add(a.add(from, first), a.mul(row, stride)), columns - first)
                                     : Value(arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(type))));
      // Even rows with even rows, odd with odd: [0, 2], [1, 3] -> [0, 1, 2, 3].
      while (vectors.size() > 1) {
        SmallVector<Value> pairs;
        size_t half = vectors.size() / 2;
        for (size_t i = 0; i < half; ++i)
          pairs.push_back(vector::InterleaveOp::create(a.b, a.loc, vectors[i], vectors[i + half]));
        vectors = pairs;
      }
      vector::StoreOp::create(a.b, a.loc, vectors.front(), panels.buffer,
                              ValueRange{a.value(a.add(to, first * granule))});
    }
  }

  Value load(Index offset, int64_t left) {
    auto type = VectorType::get({lanes}, element);
    if (left >= lanes)
      return vector::LoadOp::create(a.b, a.loc, type, source.buffer, ValueRange{a.value(offset)});
    SmallVector<bool> flags;
    for (int64_t lane = 0; lane < lanes; ++lane)
      flags.push_back(lane < left);
    Value mask =
        arith::ConstantOp::create(a.b, a.loc, DenseElementsAttr::get(VectorType::get({lanes}, a.b.getI1Type()), flags));
    Value zero = arith::ConstantOp::create(a.b, a.loc, a.b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(a.b, a.loc, type, source.buffer, ValueRange{a.value(offset)}, mask, zero);
  }

  Arithmetic &a;
  PackOp op;
  Flat source, panels;
  SmallVector<Index> strides; // of the source, one a loop
  int64_t granule, width, lanes;
  Type element;
};

struct LowerPacks final : mlc::impl::VectorLowerPacksPassBase<LowerPacks> {
  using VectorLowerPacksPassBase::VectorLowerPacksPassBase;

  void runOnOperation() override {
    auto calls = callsOf(getOperation());
    SmallVector<PackOp> ops;
    getOperation().walk([&](PackOp op) { ops.push_back(op); });
    for (PackOp op : ops) {
      auto function = op->getParentOfType<func::FuncOp>();
      lower(op, {function, calls.lookup(function)});
      ++numLowered;
    }
  }

  void lower(PackOp op, const Kernel &kernel) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    Packer packer(a, op, vectorBits);
    int64_t tasks = packer.getNumTasks(), work = op.getPanels().getNumElements();
    Index begin = 0, end = tasks;
    if (tasks > 1 && work >= 2 * kWorkOfThread && canRunAsTasks(op, kernel)) {
      std::tie(begin, end) = runAsTasks(op, kernel, std::max<int64_t>(1, tasks * kWorkOfThread / work),
                                        [&](Arithmetic &, ValueRange) { return Index(tasks); });
      ++numParallel;
    }
    a.forEach(begin, end, 1, [&](Index task) { packer.pack(task); });
    op->erase();
  }
};

} // namespace
