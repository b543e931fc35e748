//===- JsonText.h - pieces of JSON, appended to a string ----------------------------------------------- -*- C++
//-*-===//
// For what is written at every call: answers and the access log. Everything else uses nlohmann's library.
#ifndef MLC_RUNTIME_SERVE_JSONTEXT_H
#define MLC_RUNTIME_SERVE_JSONTEXT_H

#include "runtime/serve/Tensor.h"

#include <charconv>
#include <concepts>
#include <span>
#include <string>
#include <string_view>

namespace mlc::serve {

/// A string in quotes. Bytes that are not UTF-8 are written as the code points of their numbers.
void appendJsonString(std::string &text, std::string_view value);

template <std::integral T> void appendJsonNumber(std::string &text, T value) {
  char digits[24];
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

/// The shortest text that reads back as the same number; whole ones end in ".0". NaN and Infinity are bare words, which
/// JSON does not have, but the servers that clients know write.
void appendJsonNumber(std::string &text, float value);
void appendJsonNumber(std::string &text, double value);

/// The first `count` values of a tensor, with commas between. Booleans are true and false; halves are written as what
/// they are in f32.
void appendJsonValues(std::string &text, const Tensor &tensor, size_t count);

} // namespace mlc::serve

#endif
