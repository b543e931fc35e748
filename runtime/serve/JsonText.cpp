//===- JsonText.cpp - pieces of JSON, appended to a string -------------------------------------------------------===//
#include "runtime/serve/JsonText.h"

#include "runtime/serve/EventThreads.h"
#include "runtime/serve/HalfFloat.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mlc::serve {

namespace {

template <typename T> void appendFloat(std::string &text, T value) {
  if (!std::isfinite(value)) {
    text += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  char digits[40];
  char *end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  text.append(digits, end);
  if (std::none_of(digits, end, [](char c) { return c == '.' || c == 'e'; }))
    text += ".0";
}

template <typename T, typename Append>
void appendEach(std::string &text, const void *data, size_t count, Append append) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, static_cast<const std::byte *>(data) + i * sizeof(T), sizeof(T));
    if (i)
      text += ',';
    append(value);
  }
}

template <typename T> void appendNumbers(std::string &text, const void *data, size_t count) {
  appendEach<T>(text, data, count, [&](T value) { appendJsonNumber(text, value); });
}

} // namespace

void appendJsonNumber(std::string &text, float value) { appendFloat(text, value); }
void appendJsonNumber(std::string &text, double value) { appendFloat(text, value); }

void appendJsonString(std::string &text, std::string_view value) {
  static constexpr char hex[] = "0123456789abcdef";
  bool high = std::any_of(value.begin(), value.end(), [](unsigned char c) { return c >= 0x80; });
  bool utf8 = !high || simdjson::validate_utf8(value.data(), value.size());
  text += '"';
  for (unsigned char c : value) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += char(c);
    } else if (c == '\n') {
      text += "\\n";
    } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
      text += "\\u00";
      text += hex[c >> 4];
      text += hex[c & 15];
    } else {
      text += char(c);
    }
  }
  text += '"';
}

void appendJsonValues(std::string &text, const Tensor &tensor, size_t count) {
  if (count * elementSize(tensor.dtype) >= longText)
    EventThreads::handOn();
  const void *data = tensor.data;
  switch (tensor.dtype) {
  case MLC_F32:
    return appendNumbers<float>(text, data, count);
  case MLC_F64:
    return appendNumbers<double>(text, data, count);
  case MLC_U8:
    return appendNumbers<uint8_t>(text, data, count);
  case MLC_I8:
    return appendNumbers<int8_t>(text, data, count);
  case MLC_U16:
    return appendNumbers<uint16_t>(text, data, count);
  case MLC_I16:
    return appendNumbers<int16_t>(text, data, count);
  case MLC_U32:
    return appendNumbers<uint32_t>(text, data, count);
  case MLC_I32:
    return appendNumbers<int32_t>(text, data, count);
  case MLC_U64:
    return appendNumbers<uint64_t>(text, data, count);
  case MLC_I64:
    return appendNumbers<int64_t>(text, data, count);
  case MLC_BOOL:
    return appendEach<uint8_t>(text, data, count, [&](uint8_t value) { text += value ? "true" : "false"; });
  case MLC_F16:
    return appendEach<uint16_t>(text, data, count, [&](uint16_t bits) { appendFloat(text, fromFloat16(bits)); });
  case MLC_BF16:
    return appendEach<uint16_t>(text, data, count, [&](uint16_t bits) { appendFloat(text, fromBfloat16(bits)); });
  }
}

} // namespace mlc::serve
