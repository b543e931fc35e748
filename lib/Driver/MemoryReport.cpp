//===- MemoryReport.cpp - how a training step fits into its memory ------------------------------------------------===//
#include "lib/Driver/MemoryReport.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace mlc {

namespace {

std::string mebibytes(int64_t bytes) { return llvm::formatv("{0:f1} MiB", static_cast<double>(bytes) / (1 << 20)); }

/// "32x26x26x64 f32"; '?' where the batch counts.
std::string shapeOf(MemRefType type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    stream << (axis ? "x" : "") << (ShapedType::isDynamic(size) ? "?" : std::to_string(size));
  stream << (type.getRank() ? " " : "") << type.getElementType();
  return text;
}

} // namespace

std::string formatMemory(func::FuncOp entry) {
  auto memory = entry->getAttrOfType<DictionaryAttr>("rt.memory");
  if (!memory)
    return "";
  auto number = [](DictionaryAttr from, StringRef key) { return from.getAs<IntegerAttr>(key).getInt(); };
  int64_t states = number(memory, "states"), arena = number(memory, "arena");
  auto recomputed = memory.getAs<ArrayAttr>("recomputed");
  std::string text =
      llvm::formatv("memory of {0}: {1} of {2} ({3} of states, {4} within a step; {5} with all values kept)\n",
                    entry.getName(), mebibytes(states + arena), mebibytes(number(memory, "budget")), mebibytes(states),
                    mebibytes(arena), mebibytes(number(memory, "before")));
  if (!recomputed.empty())
    text += llvm::formatv("  {0,-36} {1,-24} {2,12} {3,-24} {4,12}\n", "computed twice", "shape", "size", "by",
                          "operations");
  int64_t flops = 0;
  for (auto value : recomputed.getAsRange<DictionaryAttr>()) {
    flops += number(value, "flops");
    text += llvm::formatv("  {0,-36} {1,-24} {2,12} {3,-24} {4,12}\n", value.getAs<StringAttr>("name").getValue(),
                          shapeOf(cast<MemRefType>(value.getAs<TypeAttr>("type").getValue())),
                          mebibytes(number(value, "bytes")), value.getAs<StringAttr>("by").getValue(),
                          number(value, "flops"));
  }
  if (!recomputed.empty())
    text += llvm::formatv("  {0} values, {1} operations\n", recomputed.size(), flops);
  return text;
}

} // namespace mlc
