//===- WeightMatcher.cpp - the weights of a model in a file of named tensors -------------------------------------===//
#include "lib/Support/WeightMatcher.h"

#include "lib/Support/EditDistance.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace mlc {

namespace {

/// The element type as runtime/train names it: "f32", "u8", "bool".
std::string nameOf(mlir::Type element) {
  if (element.isInteger(1))
    return "bool";
  if (element.isBF16())
    return "bf16";
  std::string width = std::to_string(element.getIntOrFloatBitWidth());
  return (isa<mlir::FloatType>(element) ? "f" : element.isUnsignedInteger() ? "u" : "i") + width;
}

/// "f32 [64, 10]"
std::string describe(const std::string &dtype, const std::vector<int64_t> &shape) {
  return dtype + " " + train::shapeText(shape);
}

} // namespace

Expected<WeightMatcher> WeightMatcher::open(StringRef path, WeightStore &weights) {
  WeightMatcher matcher;
  matcher.path = path.str();
  try {
    matcher.tensors = train::readSafetensors(matcher.path).arrays;
  } catch (const std::runtime_error &error) {
    return createStringError(error.what());
  }
  for (const auto &[name, array] : matcher.tensors)
    weights.keepAlive(std::const_pointer_cast<void>(array.owner));
  return matcher;
}

std::optional<ArrayRef<char>> WeightMatcher::match(StringRef name, mlir::RankedTensorType type, bool required) {
  auto tensor = tensors.find(name.str());
  found.push_back(name.str());
  if (tensor == tensors.end()) {
    if (required)
      missing.push_back(name.str());
    return std::nullopt;
  }
  const train::Array &array = tensor->second;
  std::string expected = describe(nameOf(type.getElementType()), type.getShape().vec()),
              got = describe(train::dtypeName(array.dtype), array.sizes);
  if (expected != got) {
    wrong.push_back("the weight '" + name.str() + "' does not fit: expected " + expected + ", but got " + got);
    return std::nullopt;
  }
  return ArrayRef(array.data, array.bytes());
}

std::vector<std::string> WeightMatcher::problems() const {
  std::vector<std::string> all = wrong, extra;
  for (const auto &[name, array] : tensors)
    if (!is_contained(found, name))
      extra.push_back(name);
  auto hint = [](const std::string &text) { return text.empty() ? text : "; " + text; };
  for (const std::string &name : missing)
    all.push_back("the weight '" + name + "' is missing in '" + path + "'" + hint(suggestName(name, extra)));
  for (const std::string &name : extra)
    all.push_back("the tensor '" + name + "' of '" + path + "' is no weight of the model" +
                  hint(suggestName(name, missing)));
  return all;
}

} // namespace mlc
