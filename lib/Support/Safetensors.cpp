//===- Safetensors.cpp - reading a file of named tensors ---------------------------------------------------------===//
#include "lib/Support/Safetensors.h"

#include "dialects/Graph/GraphDialect.h"
#include "lib/Support/EditDistance.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"

#include <nlohmann/json.hpp>
#include <set>

using namespace llvm;

namespace mlc {

namespace {

constexpr uint64_t kMaxHeader = 100000000;

/// Bytes of an element; 0 for a dtype that is not known.
uint64_t elementSize(StringRef dtype) {
  return StringSwitch<uint64_t>(dtype)
      .Cases({"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"}, 1)
      .Cases({"U16", "I16", "F16", "BF16"}, 2)
      .Cases({"U32", "I32", "F32"}, 4)
      .Cases({"U64", "I64", "F64"}, 8)
      .Default(0);
}

/// The format's name of an element type.
std::string dtypeOf(mlir::Type element) {
  if (element.isInteger(1))
    return "BOOL";
  if (element.isBF16())
    return "BF16";
  std::string width = std::to_string(element.getIntOrFloatBitWidth());
  return (isa<mlir::FloatType>(element) ? "F" : element.isUnsignedInteger() ? "U" : "I") + width;
}

std::string spell(ArrayRef<int64_t> shape) {
  return "[" + join(map_range(shape, [](int64_t size) { return std::to_string(size); }), ", ") + "]";
}

} // namespace

Expected<Safetensors> Safetensors::open(StringRef path, WeightStore &weights) {
  Expected<ArrayRef<char>> mapped = weights.mapFile(path);
  if (!mapped)
    return mapped.takeError();
  auto wrong = [&](const Twine &why) { return createStringError("'" + path + "' is no safetensors file: " + why); };
  ArrayRef<char> bytes = *mapped;
  if (bytes.size() < 8)
    return wrong("expected at least 8 bytes, but got " + Twine(bytes.size()));
  uint64_t length = support::endian::read64le(bytes.data());
  if (length > kMaxHeader || length > bytes.size() - 8)
    return wrong("expected a header of at most " + Twine(std::min<uint64_t>(kMaxHeader, bytes.size() - 8)) +
                 " bytes, but its length is " + Twine(length));
  if (length == 0 || bytes[8] != '{')
    return wrong("the header does not begin with '{'");
  ArrayRef<char> data = bytes.drop_front(8 + length);

  std::string twice;
  std::set<std::string> names;
  nlohmann::json header = nlohmann::json::parse(
      bytes.data() + 8, bytes.data() + 8 + length,
      [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json &value) {
        if (event == nlohmann::json::parse_event_t::key && depth == 1 && !names.insert(value.get<std::string>()).second)
          twice = value.get<std::string>();
        return depth <= 4;
      },
      /*allow_exceptions=*/false);
  if (!header.is_object())
    return wrong("the header is no JSON object");
  if (!twice.empty())
    return wrong("the name '" + twice + "' is there twice");
  Safetensors file;
  file.file = path.str();
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__")
      continue;
    auto good = [&] {
      if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
          !entry["shape"].is_array() || !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
          entry["data_offsets"].size() != 2)
        return false;
      for (const char *key : {"shape", "data_offsets"})
        for (const auto &number : entry[key])
          if (!number.is_number_unsigned())
            return false;
      return true;
    };
    if (!good())
      return wrong("the tensor '" + name + "' lacks a dtype, a shape or its offsets");
    Tensor &tensor = file.tensors[name];
    tensor.dtype = entry["dtype"].get<std::string>();
    uint64_t size = elementSize(tensor.dtype), begin = entry["data_offsets"][0].get<uint64_t>(),
             end = entry["data_offsets"][1].get<uint64_t>();
    if (!size)
      return wrong("the tensor '" + name + "' has the unknown dtype '" + tensor.dtype + "'");
    for (const auto &number : entry["shape"]) {
      uint64_t extent = number.get<uint64_t>();
      tensor.shape.push_back(static_cast<int64_t>(extent));
      if (extent > (uint64_t(1) << 48) || __builtin_mul_overflow(size, extent, &size))
        return wrong("the tensor '" + name + "' is too large");
    }
    if (begin > end || end > data.size() || end - begin != size)
      return wrong("the tensor '" + name + "' takes " + Twine(size) + " bytes, but its offsets are " + Twine(begin) +
                   " and " + Twine(end) + " of " + Twine(data.size()));
    tensor.bytes = data.slice(begin, size);
    ranges.emplace_back(begin, end);
  }
  llvm::sort(ranges);
  uint64_t at = 0;
  for (const auto &[begin, end] : ranges) {
    if (begin != at)
      return wrong("the tensors " + Twine(begin < at ? "overlap" : "leave a hole") + " at byte " +
                   Twine(std::min(begin, at)));
    at = end;
  }
  if (at != data.size())
    return wrong(Twine(data.size() - at) + " bytes at its end belong to no tensor");
  return file;
}

const Safetensors::Tensor *Safetensors::find(StringRef name) const {
  auto it = tensors.find(name.str());
  return it == tensors.end() ? nullptr : &it->second;
}

std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> all;
  for (const auto &[name, tensor] : tensors)
    all.push_back(name);
  return all;
}

std::string Safetensors::mismatch(const Tensor &tensor, mlir::RankedTensorType type) {
  std::string dtype = dtypeOf(type.getElementType());
  if (tensor.dtype == dtype && ArrayRef(tensor.shape) == type.getShape())
    return "";
  return "expected " + dtype + " " + spell(type.getShape()) + ", but got " + tensor.dtype + " " + spell(tensor.shape);
}

std::optional<ArrayRef<char>> WeightMatcher::match(StringRef name, mlir::RankedTensorType type, bool required) {
  const Safetensors::Tensor *tensor = file.find(name);
  found.push_back(name.str());
  if (!tensor) {
    if (required)
      missing.push_back(name.str());
    return std::nullopt;
  }
  if (std::string why = Safetensors::mismatch(*tensor, type); !why.empty()) {
    wrong.push_back("the weight '" + name.str() + "' does not fit: " + why);
    return std::nullopt;
  }
  return tensor->bytes;
}

std::vector<std::string> WeightMatcher::problems() const {
  std::vector<std::string> all = wrong, extra;
  for (const std::string &name : file.names())
    if (!is_contained(found, name))
      extra.push_back(name);
  auto hint = [](const std::string &text) { return text.empty() ? text : "; " + text; };
  for (const std::string &name : missing)
    all.push_back("the weight '" + name + "' is missing in '" + file.path() + "'" + hint(suggestName(name, extra)));
  for (const std::string &name : extra)
    all.push_back("the tensor '" + name + "' of '" + file.path() + "' is no weight of the model" +
                  hint(suggestName(name, missing)));
  return all;
}

} // namespace mlc
