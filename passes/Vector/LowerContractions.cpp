//===- LowerContractions.cpp - contractions as loops over register tiles ------------------------------------------===//
//
// All operands are linear in the loops, so a contraction is a few strides a loop (Strided.h has the arithmetic). Loops
// whose strides join up are joined first. Then, from the outside in:
//
//   tasks       batch loops × blocks of row units × chunks of panels; a parallel loop where there is enough work
//   panels      of rhs, `vectors` registers wide: one panel stays in the first cache while the rows pass
//   rows        tiles of `rows` rows; a unit is a tile, or where rows are not evenly spaced, all tiles of one line
//   reductions  with rows * vectors sums in registers
//
// Where lhs is read across its rows, as in gradients of weights, a long sum touches as many pages of both operands.
// Then a task cuts the reductions into blocks, and the sums wait in the result from one block to the next; of each
// block it copies its rows of lhs by tiles, where several panels read them. A panel of rhs whose rows push each other
// out of a cache is copied before its tiles pass.
//
// Of a triangle, a tile takes the steps of the reduction that one of its sums has, or none.
//
// Preconditions: the op is alone in a kernel function (buffer-outline-kernels) on memory, with a tile. A sum is always
// computed in the order of the reductions, whatever the tasks are, so results do not depend on threads.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Vector/CacheSets.h"
#include "passes/Vector/Depthwise.h"
#include "passes/Vector/Passes.h"
#include "passes/Vector/RegisterTile.h"
#include "passes/Vector/Strided.h"
#include "passes/Vector/Tasks.h"

#include <cmath>

namespace mlc {
#define GEN_PASS_DEF_VECTORLOWERCONTRACTIONSPASS
#include "passes/Vector/Passes.h.inc"
} // namespace mlc

using namespace mlir;
using namespace mlc;
using mlc::kernel::ContractOp;
using mlc::kernel::LoopKind;

namespace {

/// Operations that a task should have at least, and that are worth waking a thread for: some ten microseconds.
constexpr int64_t kWorkOfTask = 1 << 19, kWorkOfThread = 1 << 20;
/// Rows that are computed in the time in which a panel is read.
constexpr int64_t kRowsOfBandwidth = 4;
/// More tasks than this help no number of threads that a model of this size would run on.
constexpr int64_t kMostTasks = 64;
/// Steps of a block of reductions, and tasks of such a contraction: each lays out panels of its own. The fewer where it
/// copies tiles of lhs, too.
constexpr int64_t kDepth = 256, kMostDeepTasks = 24, kFewDeepTasks = 8;
/// Tiles that read a panel for its copy to pay, and the largest one on the stack.
constexpr int64_t kTilesToCopy = 8, kLargestPanel = 128 << 10;
/// Multiply-adds of a step that take no longer than a line from the second cache: such a tile wants its operands in the
/// first one.
constexpr int64_t kShortStep = 16;
/// Panels that read a block of lhs for its copy to pay, and the largest one on the stack.
constexpr int64_t kPanelsToCopy = 2, kLargestTiles = 256 << 10;

/// How the work of a contraction is cut, before anything is built. Numbers of units and panels may be unknown.
struct Blocks final {
  int64_t unitsOfTask, panelsOfTask;
  bool parallel;
  int64_t grain;
  /// Whether reductions are cut, and what is copied: panels of rhs, tiles of a block of lhs.
  bool isDeep, copiesPanels, copiesTiles;
};

struct LowerContractions final : mlc::impl::VectorLowerContractionsPassBase<LowerContractions> {
  using VectorLowerContractionsPassBase::VectorLowerContractionsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto calls = callsOf(module);
    SmallVector<ContractOp> ops;
    module.walk([&](ContractOp op) { ops.push_back(op); });
    for (ContractOp op : ops) {
      auto kernel = op->getParentOfType<func::FuncOp>();
      Kernel around{kernel, calls.lookup(kernel)};
      if (op.getBounded())
        numParallel += lowerDepthwise(op, around, vectorBits, static_cast<int64_t>(l2Bytes));
      else
        lower(op, around);
      ++numLowered;
    }
  }

  /// The loops of `op` with their sizes and strides; `operands` stand for those of the op.
  Nest buildNest(Arithmetic &a, ContractOp op, ValueRange operands) {
    OpBuilder &b = a.b;
    Nest nest;
    nest.kinds = kernel::classifyLoops(op);
    nest.vector = kernel::getVectorLoop(op);
    nest.packed = op.getPacked();
    if (auto triangle = kernel::toTriangle(op.getTriangle()); triangle && !op.hasDots())
      nest.triangle = {static_cast<unsigned>(triangle->row), static_cast<unsigned>(triangle->column), triangle->offset};
    for (Value operand : operands)
      nest.operands.push_back(flatten(a, operand));
    auto panels = op.getPacked() ? std::optional<unsigned>(1) : std::nullopt; // their axes are not those of the map
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      Loop entry{sizeOfLoop(a, op.getSizes(), op.getMaps(), operands, loop, panels), {}};
      for (auto [i, map] : llvm::enumerate(op.getMaps().getAsValueRange<AffineMapAttr>()))
        entry.strides.push_back(i == panels ? Index(0) : strideOf(a, nest.operands[i], map, loop));
      nest.loops.push_back(entry);
    }
    // What the maps add without a loop.
    for (auto [i, map] : llvm::enumerate(op.getMaps().getAsValueRange<AffineMapAttr>())) {
      if (i == 1 && op.getPacked())
        continue;
      SmallVector<AffineExpr> zeros(op.getNumLoops(), b.getAffineConstantExpr(0));
      for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
        auto constant = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(expr.replaceDims(zeros), 0, 0));
        assert(constant && "indices of contractions are sums of loops");
        nest.operands[i].offset =
            a.add(nest.operands[i].offset, a.mul(constant.getValue(), nest.operands[i].strides[axis]));
      }
    }
    if (op.getPacked()) {
      // Panels: [outer…, panel, inner…, width], loops in order but for the vectorised one and that of granules.
      unsigned axis = 0;
      auto isGranules = [&](unsigned loop) { return op.hasDots() && loop == kernel::getGranuleLoop(op); };
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
        if (loop == op.getParallel())
          nest.panelStride = nest.operands[1].strides[axis++];
        if (loop != nest.vector && !isGranules(loop) && op.getRhsMap().isFunctionOfDim(loop))
          nest.loops[loop].strides[1] = nest.operands[1].strides[axis++];
      }
      nest.loops[nest.vector].strides[1] = op.getGranule();
      if (op.hasDots())
        cutGranules(a, op, nest, nest.operands[1].strides[axis]);
    } else {
      nest.panelStride = a.mul(op.getTile()->back() * lanesOf(op), nest.loops[nest.vector].strides[1]);
    }
    return nest;
  }

  /// Makes the granule loop one over granules, `stride` apart in the panels.
  static void cutGranules(Arithmetic &a, ContractOp op, Nest &nest, Index stride) {
    unsigned index = kernel::getGranuleLoop(op);
    Loop &loop = nest.loops[index];
    int64_t granule = op.getGranule();
    Index whole = a.floorDiv(loop.size, granule);
    nest.granuleRest = a.sub(loop.size, a.mul(whole, granule));
    nest.granuleStep = loop.strides[0];
    if (!nest.granuleRest.is(0))
      nest.granules = index;
    loop.size = whole;
    loop.strides[0] = a.mul(loop.strides[0], granule);
    loop.strides[1] = stride;
  }

  int64_t lanesOf(ContractOp op) { return vectorBits / op.getSumType().getIntOrFloatBitWidth(); }

  /// Whether lhs moves by more than an element in the inner loop of a sum that is long, or may be, and the result can
  /// hold the sums in between.
  static bool isDeep(ContractOp op, const Nest &nest) {
    if (nest.reductions.empty() || op.hasDots() || !op.getExtras().empty() ||
        !llvm::hasSingleElement(op.getEpilogue().front()) || op.getLhsMap().isFunctionOfDim(nest.vector) ||
        getElementTypeOrSelf(op.getInit().getType()) != op.getSumType())
      return false;
    int64_t depth = 1;
    for (unsigned loop : nest.reductions) {
      const Index &size = nest.loops[loop].size;
      depth = size.isConstant() && depth <= kDepth ? depth * size.constant() : kDepth + 1;
    }
    return depth > kDepth && !nest.loops[nest.reductions.back()].strides[0].is(1);
  }

  /// Whether a step of the tile is over before a line comes from the second cache.
  static bool isShort(ContractOp op) { return op.getTile()->front() * op.getTile()->back() <= kShortStep; }

  /// Whether the steps of a block read rows of lhs that push each other out: the second cache keeps no more of them
  /// than a block has steps, which leaves no place for the other operand, or all of them meet in one set of the first.
  bool losesRows(const Nest &nest, int64_t bytes) const {
    const Index &stride = nest.loops[nest.reductions.back()].strides[0];
    if (!stride.isConstant())
      return false;
    int64_t apart = stride.constant() * bytes;
    return rowsThatStay(apart, static_cast<int64_t>(l2Bytes)) <= kDepth ||
           apart % bytesOfWay(static_cast<int64_t>(l1Bytes)) == 0;
  }

  /// Whether the rows of a panel push each other out of a cache, and enough tiles read it.
  bool copiesPanels(ContractOp op, const Nest &nest, int64_t width, bool isDeep, int64_t depth, int64_t tiles) const {
    if (nest.reductions.empty() || op.hasDots() || op.getPacked() || op.getLhsMap().isFunctionOfDim(nest.vector) ||
        tiles < kTilesToCopy)
      return false;
    auto isKnown = [&](unsigned loop) { return nest.loops[loop].size.isConstant(); };
    if (!isDeep && !llvm::all_of(nest.reductions, isKnown))
      return false;
    int64_t bytes = getElementTypeOrSelf(op.getRhs().getType()).getIntOrFloatBitWidth() / 8;
    Index stride = nest.loops[nest.reductions.back()].strides[1];
    if (!stride.isConstant() || stride.is(0) || depth * width * bytes > kLargestPanel)
      return false;
    uint64_t cache = isDeep && isShort(op) ? l1Bytes : l2Bytes;
    return shareSets(stride.constant() * bytes, static_cast<int64_t>(l1Bytes)) ||
           depth > rowsThatStay(stride.constant() * bytes, static_cast<int64_t>(cache));
  }

  /// How the work is cut: `known` numbers are of loops, where they are static.
  Blocks chooseBlocks(ContractOp op, const Nest &nest, int64_t rows, int64_t width) {
    auto known = [](const Index &size) { return size.isConstant() ? std::max<int64_t>(1, size.constant()) : 256; };
    int64_t outer = 1, lines = 1, inner = 1, reduction = 1;
    for (unsigned loop : nest.outer)
      outer *= known(nest.loops[loop].size);
    int64_t nested = 1;
    for (unsigned loop : nest.nested)
      nested *= known(nest.loops[loop].size);
    for (unsigned loop : nest.lines)
      lines *= known(nest.loops[loop].size);
    if (nest.row)
      inner = known(nest.loops[*nest.row].size) * (nest.line ? known(nest.loops[*nest.line].size) : 1);
    for (unsigned loop : nest.reductions)
      reduction *= known(nest.loops[loop].size);
    int64_t columns = known(nest.loops[nest.vector].size), panels = llvm::divideCeil(columns, width);
    int64_t units = nest.lines.empty() ? llvm::divideCeil(inner, rows) : lines;
    int64_t rowsOfUnit = nest.lines.empty() ? rows : inner;
    if (nest.granules)
      reduction *= known(nest.loops[*nest.granules].size);
    Blocks result;
    result.isDeep = isDeep(op, nest);
    // A granule takes as long as an element.
    int64_t bytes = op.getGranule() * getElementTypeOrSelf(op.getLhs().getType()).getIntOrFloatBitWidth() / 8;
    int64_t work = 2 * outer * nested * lines * inner * columns * reduction;
    // A row alone takes as long as four: it waits for the panels, which come at the bandwidth of the second cache.
    if (!op.getLhsMap().isFunctionOfDim(nest.vector))
      work = std::max(work, kRowsOfBandwidth * 2 * outer * columns * reduction);
    // The rows of a block stay in half of the second cache while the panels pass; each panel of a depthwise window
    // reads other channels of the same lines.
    if (op.getLhsMap().isFunctionOfDim(nest.vector))
      reduction = 2 * columns;
    if (result.isDeep)
      reduction = kDepth;
    bool hasTiles = result.isDeep && (isShort(op) || losesRows(nest, bytes)) && nest.row && nest.lines.empty() &&
                    !nest.line && nest.loops[*nest.row].strides[0].is(1);
    int64_t cachedRows = rowsOfUnit;
    int64_t cachedBytes = static_cast<int64_t>(l2Bytes) / 2;
    if (hasTiles)
      cachedBytes = std::min(cachedBytes, kLargestTiles);
    int64_t cached = std::max<int64_t>(1, cachedBytes / std::max<int64_t>(1, cachedRows * reduction * bytes));
    int64_t tasks = std::clamp<int64_t>(work / kWorkOfTask, 1, kMostTasks);
    int64_t wanted = llvm::divideCeil(tasks, outer);
    int64_t blocks = std::max<int64_t>(llvm::divideCeil(units, cached), std::min(wanted, units));
    if (result.isDeep) {
      // As many rows as columns, so that a task reads least of both.
      wanted = std::min(wanted, kMostDeepTasks);
      double share = static_cast<double>(units * rowsOfUnit) / static_cast<double>(columns);
      int64_t square = std::llround(std::sqrt(static_cast<double>(wanted) * share));
      blocks = std::clamp<int64_t>(square, llvm::divideCeil(units, cached), units);
    }
    result.unitsOfTask = llvm::divideCeil(units, blocks);
    blocks = llvm::divideCeil(units, result.unitsOfTask);
    if (hasTiles) // as many panels as possible read a copy
      wanted = std::min(wanted, std::max(blocks, kFewDeepTasks));
    result.panelsOfTask = llvm::divideCeil(panels, std::clamp<int64_t>(llvm::divideCeil(wanted, blocks), 1, panels));
    int64_t all = outer * blocks * llvm::divideCeil(panels, result.panelsOfTask);
    result.copiesPanels = copiesPanels(op, nest, width, result.isDeep, reduction,
                                       result.unitsOfTask * llvm::divideCeil(rowsOfUnit, rows));
    result.copiesTiles = hasTiles && result.panelsOfTask >= kPanelsToCopy;
    result.parallel = all > 1 && work >= 2 * kWorkOfThread;
    result.grain = std::max<int64_t>(1, llvm::divideCeil(all * kWorkOfThread, std::max<int64_t>(1, work)));
    return result;
  }

  struct Counts final {
    Index units, panels, blocks, chunks, tasks;
  };

  Counts count(Arithmetic &a, const Nest &nest, const Blocks &blocks, int64_t rows, int64_t width) {
    Counts counts;
    counts.units = 1;
    if (nest.lines.empty())
      counts.units = nest.row ? a.ceilDiv(nest.rowCount(a), rows) : Index(1);
    for (unsigned loop : nest.lines)
      counts.units = a.mul(counts.units, nest.loops[loop].size);
    counts.panels = a.ceilDiv(nest.loops[nest.vector].size, width);
    counts.blocks = a.ceilDiv(counts.units, blocks.unitsOfTask);
    counts.chunks = a.ceilDiv(counts.panels, blocks.panelsOfTask);
    counts.tasks = a.mul(counts.blocks, counts.chunks);
    for (unsigned loop : nest.outer)
      counts.tasks = a.mul(counts.tasks, nest.loops[loop].size);
    return counts;
  }

  /// The rows of the tile. It was chosen where lines seemed to continue each other; in a part of a larger buffer they
  /// do not, and a tile takes whole ones.
  static int64_t fitLines(ContractOp op, const Nest &nest) {
    int64_t rows = op.getTile()->front();
    if (!nest.row || nest.lines.empty() || !nest.loops[*nest.row].size.isConstant())
      return rows;
    int64_t line = nest.loops[*nest.row].size.constant();
    if (rows > line && rows % line != 0) {
      rows -= rows % line;
      op.setTile(std::array{rows, op.getTile()->back()});
    }
    return rows;
  }

  void lower(ContractOp op, const Kernel &kernel) {
    OpBuilder b(op);
    Arithmetic a(b, op.getLoc());
    Nest nest = buildNest(a, op, op.getOperands());
    nest.join();
    int64_t rows = fitLines(op, nest), vectors = op.getTile()->back(), width = vectors * lanesOf(op);
    nest.takeLines(rows);
    nest.checkTriangle();
    nest.nestOuter(kMostTasks);
    Blocks blocks = chooseBlocks(op, nest, rows, width);
    Counts counts = count(a, nest, blocks, rows, width);
    Index begin = 0, end = counts.tasks;
    // Tasks become ranges of the kernel's callers, which know the sizes by their own operands.
    if (blocks.parallel && canRunAsTasks(op, kernel)) {
      std::tie(begin, end) = runAsTasks(op, kernel, blocks.grain, [&](Arithmetic &outside, ValueRange operands) {
        Nest same = buildNest(outside, op, operands);
        same.join();
        same.takeLines(rows);
        same.nestOuter(kMostTasks);
        return count(outside, same, blocks, rows, width).tasks;
      });
      ++numParallel;
    }

    auto onStack = [&](Value operand, int64_t elements) -> Value {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&op->getParentOfType<func::FuncOp>().getBody().front());
      auto type = MemRefType::get({elements}, getElementTypeOrSelf(operand.getType()));
      return memref::AllocaOp::create(b, a.loc, type, b.getI64IntegerAttr(64));
    };
    Value panelCopy, tilesCopy;
    if (blocks.copiesTiles)
      tilesCopy = onStack(op.getLhs(), blocks.unitsOfTask * strideOfTiles(op, rows));
    if (blocks.copiesPanels) {
      int64_t depth = kDepth;
      if (!blocks.isDeep) {
        depth = 1;
        for (unsigned loop : nest.reductions)
          depth *= nest.loops[loop].size.constant();
      }
      panelCopy = onStack(op.getRhs(), depth * width);
    }
    a.forEach(begin, end, 1, [&](Index task) {
      // Blocks of rows change first, so that threads next to each other share panels; then chunks, then batches.
      Place place(nest.operands.size());
      for (unsigned i = 0; i < nest.operands.size(); ++i)
        place.offsets[i] = nest.operands[i].offset;
      auto [rest, block] = a.divide(task, counts.blocks);
      auto [batch, chunk] = a.divide(rest, counts.chunks);
      for (unsigned loop : llvm::reverse(nest.outer)) {
        auto [next, at] = a.divide(batch, nest.loops[loop].size);
        place = nest.advance(a, place, loop, at);
        batch = next;
      }
      Index firstPanel = a.mul(chunk, blocks.panelsOfTask);
      Index lastPanel = a.min(a.add(firstPanel, blocks.panelsOfTask), counts.panels);
      Index firstUnit = a.mul(block, blocks.unitsOfTask);
      Index lastUnit = a.min(a.add(firstUnit, blocks.unitsOfTask), counts.units);
      auto buildPanels = [&](Nest nest, Place place, Value continues) {
        Nest tiled = nest;
        RegisterTile tile(a, op, tiled, lanesOf(op), isX86, continues);
        if (tilesCopy)
          copyTiles(a, op, tile, nest, place, tilesCopy, firstUnit, lastUnit, rows);
        a.forEach(firstPanel, lastPanel, 1, [&](Index panel) {
          Place there = nest.advance(a, place, nest.vector, a.mul(panel, width), /*skip=*/1);
          there.offsets[1] = a.add(there.offsets[1], a.mul(panel, nest.panelStride));
          Index left = a.sub(nest.loops[nest.vector].size, a.mul(panel, width));
          tile.forWidths(left, vectors, [&](int64_t here, ArrayRef<Value> masks) {
            tiled = nest;
            Place from = there;
            if (panelCopy)
              copyPanel(a, tile, tiled, from, panelCopy, width, masks);
            lowerRows(a, tiled, tile, from, firstUnit, lastUnit, rows, a.mul(panel, width), here * lanesOf(op), masks);
          });
        });
      };
      forEachNested(a, nest, nest.nested, place, [&](const Place &place) {
        if (blocks.isDeep)
          forEachDepth(a, nest, place, buildPanels);
        else
          buildPanels(nest, place, Value());
      });
    });
    op->erase();
  }

  /// Calls `body` with blocks of the reductions: the nest and the place of one, and whether there was one before.
  static void forEachDepth(Arithmetic &a, const Nest &nest, const Place &place,
                           llvm::function_ref<void(Nest, Place, Value)> body) {
    OpBuilder &b = a.b;
    auto atLeastOne = [&](Index size) {
      return size.isConstant() ? Index(std::max<int64_t>(1, size.constant())) : a.selectNotLess(size, 1, size, 1);
    };
    // As much of each loop as goes with whole loops inside: all of the inner ones where they are short, and one step of
    // those around a long one.
    ArrayRef<unsigned> reductions = nest.reductions;
    SmallVector<Index> steps(reductions.size(), Index(1));
    Index inside = 1;
    for (size_t i = reductions.size(); i-- > 0;) {
      Index size = atLeastOne(nest.loops[reductions[i]].size);
      steps[i] = i + 1 == reductions.size() ? a.min(size, kDepth) : atLeastOne(a.floorDiv(kDepth, inside));
      inside = a.mul(inside, size);
    }
    auto cut = [&](auto &&cut, size_t next, const Nest &nest, const Place &place, Index before) -> void {
      if (next == reductions.size()) {
        Value continues = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::ne, a.value(before), a.value(0));
        body(nest, place, continues);
        return;
      }
      unsigned loop = reductions[next];
      Index size = nest.loops[loop].size, step = steps[next];
      // A sum of nothing is a block, too.
      a.forEach(0, a.ceilDiv(atLeastOne(size), step), 1, [&](Index block) {
        Index at = a.mul(block, step);
        Nest inside = nest;
        inside.loops[loop].size = a.min(step, a.sub(size, at));
        inside.beginReduction(a, loop, at);
        Place there = place;
        for (unsigned operand : {0u, 1u})
          there.offsets[operand] = a.add(there.offsets[operand], a.mul(at, nest.loops[loop].strides[operand]));
        cut(cut, next + 1, inside, there, a.add(before, at));
      });
    };
    cut(cut, 0, nest, place, 0);
  }

  /// The distances of a copy's steps of the reductions, the inner ones `width` elements each.
  static SmallVector<Index> stridesOfCopy(Arithmetic &a, const Nest &nest, int64_t width) {
    SmallVector<Index> strides;
    Index stride = width;
    for (unsigned loop : llvm::reverse(nest.reductions)) {
      strides.push_back(stride);
      stride = a.mul(stride, nest.loops[loop].size);
    }
    std::reverse(strides.begin(), strides.end());
    return strides;
  }

  /// Copies the panel at `place`, a row of `width` for each step of the reductions; then `nest` and `place` are those
  /// of the copy.
  static void copyPanel(Arithmetic &a, RegisterTile &tile, Nest &nest, Place &place, Value copy, int64_t width,
                        ArrayRef<Value> masks) {
    SmallVector<Index> strides = stridesOfCopy(a, nest, width);
    tile.copyRows(place, copy, strides, masks);
    for (auto [loop, stride] : llvm::zip(nest.reductions, strides))
      nest.loops[loop].strides[1] = stride;
    nest.loops[nest.vector].strides[1] = 1;
    nest.operands[1].buffer = copy;
    place.offsets[1] = 0;
  }

  /// Elements from one copied tile to the next: whole lines, and one more, so that not all tiles begin in one set. The
  /// last step writes a whole vector.
  int64_t strideOfTiles(ContractOp op, int64_t rows) {
    int64_t bytes = getElementTypeOrSelf(op.getLhs().getType()).getIntOrFloatBitWidth() / 8, line = kCacheLine / bytes;
    return llvm::alignTo(kDepth * rows + lanesOf(op), line) + line;
  }

  /// Copies the units [first, last) of lhs, `rows` rows each, by tiles of a block of the reductions; then `nest` and
  /// `place` are those of the copy.
  void copyTiles(Arithmetic &a, ContractOp op, RegisterTile &tile, Nest &nest, Place &place, Value copy, Index first,
                 Index last, int64_t rows) {
    Index stride = strideOfTiles(op, rows), firstRow = a.mul(first, rows);
    SmallVector<Index> strides = stridesOfCopy(a, nest, rows);
    strides.push_back(stride);
    tile.copyTiles(nest.advanceRows(a, place, firstRow), copy, strides, a.sub(last, first), rows,
                   a.sub(nest.rowCount(a), firstRow));
    for (auto [loop, step] : llvm::zip(nest.reductions, strides))
      nest.loops[loop].strides[0] = step;
    nest.lhsTiles = {rows, stride};
    nest.operands[0].buffer = copy;
    place.offsets[0] = a.sub(0, a.mul(first, stride));
  }

  /// Calls `body` with the places of all iterations of `loops`.
  static void forEachNested(Arithmetic &a, const Nest &nest, ArrayRef<unsigned> loops, const Place &place,
                            llvm::function_ref<void(const Place &)> body) {
    if (loops.empty())
      return body(place);
    a.forEach(0, nest.loops[loops.front()].size, 1, [&](Index at) {
      forEachNested(a, nest, loops.drop_front(), nest.advance(a, place, loops.front(), at), body);
    });
  }

  /// The steps of a reduction that a tile takes of a triangle: `rows` rows from `row` on, `columns` columns from
  /// `column`.
  static std::optional<RegisterTile::Range> rangeOf(Arithmetic &a, const Nest &nest, Index row, int64_t rows,
                                                    Index column, int64_t columns) {
    if (!nest.triangle)
      return std::nullopt;
    auto [larger, smaller, offset] = *nest.triangle; // smaller <= larger + offset
    auto isReduction = [&](unsigned loop) { return llvm::is_contained(nest.reductions, loop); };
    Index first = smaller == nest.vector ? column : row;
    Index last = larger == nest.vector ? a.add(column, columns - 1) : a.add(row, rows - 1);
    Index limit = a.add(last, offset);
    if (isReduction(larger)) {
      const Index &size = nest.loops[larger].size;
      return RegisterTile::Range{larger, a.clamp(a.sub(first, offset), size), size};
    }
    if (isReduction(smaller))
      return RegisterTile::Range{smaller, 0, a.clamp(a.add(limit, 1), nest.loops[smaller].size)};
    unsigned outermost = nest.reductions.front();
    return RegisterTile::Range{outermost, 0, a.selectNotLess(limit, first, nest.loops[outermost].size, 0)};
  }

  /// The tiles of the units [first, last) on the panel of `columns` columns from `column` on, a vector for each mask.
  void lowerRows(Arithmetic &a, const Nest &nest, RegisterTile &tile, const Place &place, Index first, Index last,
                 int64_t rows, Index column, int64_t columns, ArrayRef<Value> masks) {
    auto build = [&](const Place &there, Index row, int64_t count) {
      tile.build(there, count, static_cast<int64_t>(masks.size()), masks,
                 rangeOf(a, nest, row, count, column, columns));
    };
    if (!nest.row) {
      build(place, 0, 1);
      return;
    }
    Index size = nest.rowCount(a);
    auto tiles = [&](const Place &line, Index from, Index to) {
      Index whole = a.add(from, a.mul(a.floorDiv(a.sub(to, from), rows), rows));
      a.forEach(from, whole, rows, [&](Index row) { build(nest.advanceRows(a, line, row), row, rows); });
      // What is left of a static size is one body; of another, bodies of 8, 4, 2 and 1 rows.
      if (size.isConstant()) {
        int64_t rest = size.constant() % rows;
        if (rest == 0)
          return;
        auto buildRest = [&] { build(nest.advanceRows(a, line, whole), whole, rest); };
        if (from.isConstant() && to.isConstant())
          buildRest();
        else
          a.ifLess(whole, to, buildRest);
        return;
      }
      Index at = whole;
      for (int64_t step = llvm::bit_floor(static_cast<uint64_t>(std::max<int64_t>(1, rows - 1))); step > 0 && rows > 1;
           step /= 2) {
        Index next = a.add(at, step);
        a.ifNotLess(to, next, [&] { build(nest.advanceRows(a, line, at), at, step); });
        at = a.selectNotLess(to, next, next, at);
      }
    };
    if (nest.lines.empty()) {
      tiles(place, a.mul(first, rows), a.min(a.mul(last, rows), size));
      return;
    }
    a.forEach(first, last, 1, [&](Index unit) {
      Place line = place;
      for (unsigned loop : llvm::reverse(nest.lines)) {
        auto [next, at] = a.divide(unit, nest.loops[loop].size);
        line = nest.advance(a, line, loop, at);
        unit = next;
      }
      tiles(line, 0, size);
    });
  }
};

} // namespace
