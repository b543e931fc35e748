//===- LayoutRegions.cpp - which convolutions keep their channels first -------------------------------------------===//
//
// A region is what transpositions can sink through: convolutions, pools, element-wise ops and the like, connected by
// values. With the channels last, a region pays for the transposition of every value at its border; with the channels
// first, for every convolution that vectorises columns of the image instead of channels:
//
//   1×1         a product of the filter with all pixels; lanes behind the last pixel are lost, and with strides the
//               pixels are gathered first
//   depthwise   vectors lie along the lines of the image; lanes behind the end of every line are lost
//   any other   has no good loops for it, nor have pools: the region runs with the channels last
//   of bytes    or bf16, the same: dot products take channels that lie side by side
//
// All in multiply-adds, the unit of passes/Vector/TileModel.h. The target is not known yet: vectors count as 16 lanes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "passes/Graph/LayoutRegions.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace mlc::graph {

namespace {

/// Multiply-adds in the time that an element takes to be transposed, about 8 bytes at 40 GB/s where a core computes 60
/// in a nanosecond.
constexpr double kTransposition = 12;
constexpr int64_t kLanes = 16;
/// Taps of the largest window that is unrolled.
constexpr int64_t kLargestWindow = 64;

/// Whether transpositions sink through `op`, or `op` is what they are for.
bool isPartOfRegion(Operation *op) {
  return isa<ConvOp, PoolOp, ConcatOp, ReduceOp, PadOp, SliceOp, ElementwiseOpInterface>(op);
}

double elementsOf(Value value) { return static_cast<double>(cast<RankedTensorType>(value.getType()).getNumElements()); }

/// Vectors of `size` elements over what they hold: 1.5 where a third of the lanes is lost.
double fill(int64_t size) { return static_cast<double>(llvm::alignTo(size, kLanes)) / static_cast<double>(size); }

/// Whether the filter reads one pixel for each of the result.
bool isPointwise(ConvOp op) {
  auto isOne = [](int64_t value) { return value == 1; };
  auto isZero = [](int64_t value) { return value == 0; };
  ArrayRef<int64_t> filter = cast<RankedTensorType>(op.getFilter().getType()).getShape();
  return llvm::all_of(filter.drop_front(2), isOne) && llvm::all_of(op.getPads(), isZero);
}

/// Whether `op` has a window of its own in each channel, of static sizes.
bool isDepthwiseOfImages(ConvOp op) {
  auto input = cast<RankedTensorType>(op.getInput().getType()), result = cast<RankedTensorType>(op.getType()),
       filter = cast<RankedTensorType>(op.getFilter().getType());
  auto isNegative = [](int64_t pad) { return pad < 0; };
  Type element = input.getElementType();
  return input.getRank() == 4 && (element.isF32() || element.isF64()) && input.hasStaticShape() &&
         result.hasStaticShape() && filter.hasStaticShape() && op.getGroups() > 1 &&
         filter.getDimSize(0) == static_cast<int64_t>(op.getGroups()) && filter.getDimSize(1) == 1 &&
         filter.getDimSize(2) * filter.getDimSize(3) <= kLargestWindow && llvm::none_of(op.getPads(), isNegative);
}

/// What `op` loses, in multiply-adds, when its channels are first; nothing where it should not.
std::optional<double> lossChannelsFirst(Operation *op) {
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv)
    return isa<PoolOp>(op) ? std::nullopt : std::optional(0.0);
  if (conv.getChannelsLast())
    return std::nullopt;
  auto input = cast<RankedTensorType>(conv.getInput().getType()), result = cast<RankedTensorType>(conv.getType()),
       filter = cast<RankedTensorType>(conv.getFilter().getType());
  auto isOne = [](int64_t value) { return value == 1; };
  Type element = input.getElementType();
  if (element.isBF16() || (isa<IntegerType>(element) && element.getIntOrFloatBitWidth() == 8))
    return std::nullopt;
  if (isDepthwiseAlongLines(conv)) {
    double products = elementsOf(conv.getResult());
    for (int64_t size : filter.getShape().drop_front(2))
      products *= static_cast<double>(size);
    return products * (fill(result.getShape().back()) - fill(result.getDimSize(1)));
  }
  if (conv.getGroups() != 1 || !input.hasStaticShape() || !filter.hasStaticShape() || !result.hasStaticShape() ||
      !isPointwise(conv))
    return std::nullopt;
  int64_t pixels = 1;
  for (int64_t size : result.getShape().drop_front(2))
    pixels *= size;
  double images = static_cast<double>(result.getDimSize(0)), in = static_cast<double>(filter.getDimSize(1));
  double products = images * static_cast<double>(pixels * filter.getDimSize(0)) * in;
  double loss = products * (fill(pixels) - fill(filter.getDimSize(0)));
  if (!llvm::all_of(conv.getStrides(), isOne))
    loss += kTransposition * images * in * static_cast<double>(pixels);
  return loss;
}

/// The elements of the values that enter or leave `region` and have to be transposed there. One that is transposed
/// already, the other way round, counts against: that transposition would vanish.
double transposedElements(const llvm::SetVector<Operation *> &region) {
  double elements = 0;
  llvm::SmallPtrSet<Value, 8> seen;
  auto count = [&](Value value, bool isTransposed) {
    if (seen.insert(value).second && cast<RankedTensorType>(value.getType()).hasStaticShape())
      elements += isTransposed ? -elementsOf(value) : elementsOf(value);
  };
  for (Operation *op : region) {
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && !region.contains(operand.getDefiningOp()) &&
          !isFreeToTranspose(operand))
        count(operand, isa_and_present<TransposeOp>(operand.getDefiningOp()));
    for (Operation *user : op->getUsers())
      if (!region.contains(user) && !isFreeToTranspose(op->getResult(0)))
        count(op->getResult(0), isa<TransposeOp>(user));
  }
  return elements;
}

} // namespace

bool isFreeToTranspose(Value value, unsigned depth) {
  auto type = cast<RankedTensorType>(value.getType());
  if (llvm::count_if(type.getShape(), [](int64_t size) { return size != 1; }) <= 1)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || depth > 6)
    return false;
  if (isa<WeightOp, ConstantOp>(op))
    return true;
  return isa<GraphDialect>(op->getDialect()) && op->getNumOperands() && isMemoryEffectFree(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return isa<RankedTensorType>(operand.getType()) && isFreeToTranspose(operand, depth + 1) &&
                  operand.getDefiningOp();
         });
}

bool isDepthwiseAlongLines(ConvOp op) {
  return isDepthwiseOfImages(op) && cast<RankedTensorType>(op.getType()).getDimSize(3) > 1 && op.getStrides()[1] <= 2;
}

bool isDepthwiseAlongChannels(ConvOp op) { return isDepthwiseOfImages(op) && op.getFilter().getDefiningOp<WeightOp>(); }

llvm::DenseSet<Operation *> chooseChannelsFirst(func::FuncOp function) {
  llvm::EquivalenceClasses<Operation *> classes;
  function.walk([&](Operation *op) {
    if (!isPartOfRegion(op) || isFreeToTranspose(op->getResult(0)))
      return;
    classes.insert(op);
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp(); producer && classes.contains(producer))
        classes.unionSets(op, producer);
  });
  llvm::DenseSet<Operation *> result;
  for (const auto *leader : classes) {
    if (!leader->isLeader())
      continue;
    llvm::SetVector<Operation *> region(llvm::from_range, classes.members(*leader));
    std::optional<double> loss = 0.0;
    for (Operation *op : region)
      if (std::optional<double> here = lossChannelsFirst(op); loss)
        loss = here ? std::optional(*loss + *here) : std::nullopt;
    if (!loss || *loss >= kTransposition * transposedElements(region))
      continue;
    for (Operation *op : region)
      if (isa<ConvOp>(op))
        result.insert(op);
  }
  return result;
}

} // namespace mlc::graph
