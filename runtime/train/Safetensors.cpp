//===- Safetensors.cpp - named tensors in a file -----------------------------------------------------------------===//
//
// Format: https://github.com/huggingface/safetensors: a u64 length, a header in JSON, the elements row-major and
// little-endian, without holes. Types that mlc does not have (8-bit floats) are refused by name.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Safetensors.h"
#include "runtime/train/Config.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace mlc::train {

namespace {

constexpr std::pair<const char *, mlc_dtype> kDtypes[] = {
    {"F32", MLC_F32}, {"F64", MLC_F64}, {"F16", MLC_F16},  {"BF16", MLC_BF16}, {"I8", MLC_I8},
    {"I16", MLC_I16}, {"I32", MLC_I32}, {"I64", MLC_I64},  {"U8", MLC_U8},     {"U16", MLC_U16},
    {"U32", MLC_U32}, {"U64", MLC_U64}, {"BOOL", MLC_BOOL}};

constexpr uint64_t kMostHeader = 100'000'000;

} // namespace

Tensors readSafetensors(const std::string &path) {
  auto fail = [&](const std::string &reason) { throw InputError(path + ": " + reason); };
  MappedFile file = mapFile(path);
  uint64_t length = 0;
  if (file.size < 8)
    fail("not a .safetensors file: expected at least 8 bytes, but got " + std::to_string(file.size));
  std::memcpy(&length, file.data, 8);
  if (length > kMostHeader)
    fail("not a .safetensors file: expected a header of at most " + std::to_string(kMostHeader) + " bytes, but got " +
         std::to_string(length));
  if (file.size - 8 < length)
    fail("truncated: expected a header of " + std::to_string(length) + " bytes, but got " +
         std::to_string(file.size - 8));
  if (length == 0 || file.data[8] != '{')
    fail("not a .safetensors file: the header does not start with '{'");
  std::set<std::string> keys;
  std::string duplicate;
  Json header = Json::parse(
      file.data + 8, file.data + 8 + length,
      [&](int depth, Json::parse_event_t event, Json &value) {
        if (depth == 1 && event == Json::parse_event_t::key && !keys.insert(value.get<std::string>()).second)
          duplicate = value.get<std::string>();
        return true;
      },
      /*allow_exceptions=*/false);
  if (!header.is_object())
    fail("not a .safetensors file: the header is not a JSON object");
  if (!duplicate.empty())
    fail("the tensor '" + duplicate + "' is there twice");

  Tensors tensors;
  uint64_t available = file.size - 8 - length;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto &[name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object())
        fail("expected an object of texts as __metadata__");
      for (const auto &[key, text] : value.items()) {
        if (!text.is_string())
          fail("expected a text as __metadata__ '" + key + "'");
        tensors.metadata[key] = text.get<std::string>();
      }
      continue;
    }
    std::string where = "tensor '" + name + "': ";
    auto isSizes = [](const Json &json) {
      return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json &size) {
               return size.is_number_unsigned() && size.get<uint64_t>() < (uint64_t(1) << 60);
             });
    };
    if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() || !value.contains("shape") ||
        !isSizes(value["shape"]) || !value.contains("data_offsets") || !isSizes(value["data_offsets"]) ||
        value["data_offsets"].size() != 2)
      fail(where + "expected dtype, shape and data_offsets");
    std::string dtype = value["dtype"];
    auto known =
        std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const auto &each) { return dtype == each.first; });
    if (known == std::end(kDtypes))
      fail(where + "unsupported element type " + dtype);
    Array array;
    array.dtype = known->second;
    array.sizes = value["shape"].get<std::vector<int64_t>>();
    uint64_t expected = elementBytes(array.dtype), begin = value["data_offsets"][0], end = value["data_offsets"][1];
    for (int64_t size : array.sizes)
      if (__builtin_mul_overflow(expected, static_cast<uint64_t>(size), &expected))
        fail(where + "the shape is too large");
    if (end < begin || end - begin != expected)
      fail(where + "expected " + std::to_string(expected) + " bytes for " + dtype + " " + shapeText(array.sizes) +
           ", but the offsets are " + std::to_string(begin) + " and " + std::to_string(end));
    if (end > available)
      fail("truncated: " + where + "ends at byte " + std::to_string(end) + " of " + std::to_string(available));
    ranges.emplace_back(begin, end);
    array.data = file.data + 8 + length + begin;
    array.owner = file.owner;
    tensors.arrays[name] = std::move(array);
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t at = 0;
  for (const auto &[begin, end] : ranges) {
    if (begin != at)
      fail(begin > at ? "a hole in the data at byte " + std::to_string(at)
                      : "two tensors overlap at byte " + std::to_string(begin));
    at = end;
  }
  if (at != available)
    fail("expected " + std::to_string(at) + " bytes of data, but got " + std::to_string(available));
  return tensors;
}

void writeSafetensors(const std::string &path, const std::vector<std::pair<std::string, Array>> &arrays,
                      const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t at = 0;
  for (const auto &[name, array] : arrays) {
    std::string dtype;
    for (const auto &[text, each] : kDtypes)
      if (each == array.dtype)
        dtype = text;
    header[name] = {{"dtype", dtype}, {"shape", array.sizes}, {"data_offsets", {at, at + array.bytes()}}};
    at += array.bytes();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  AtomicFile file(path);
  file.write(&length, 8);
  file.write(text);
  for (const auto &[name, array] : arrays)
    file.write(array.data, array.bytes());
  file.commit();
}

} // namespace mlc::train
