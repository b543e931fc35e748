//===- TensorFlowPath.cpp - the paths of TensorFlow Serving's REST API -------------------------------------------===//
#include "runtime/serve/rest/TensorFlowPath.h"

#include "runtime/serve/http/Message.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace mlc::serve {

namespace {

/// Takes `prefix`, in any case, from the start of a text.
bool skip(std::string_view &text, std::string_view prefix) {
  if (!http::sameName(text.substr(0, prefix.size()), prefix))
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// Takes a name, [^/:]+; an empty one where there is none.
std::string_view takeName(std::string_view &text) {
  std::string_view name = text.substr(0, text.find_first_of("/:"));
  text.remove_prefix(name.size());
  return name;
}

} // namespace

bool TensorFlowPath::handles(std::string_view target) { return skip(target, "/v1/"); }

bool TensorFlowPath::parse(std::string_view target) {
  if (!skip(target, "/v1/models"))
    return false;
  if (target.empty())
    return list = true;
  if (!skip(target, "/"))
    return false;
  model.name = http::percentDecoded(takeName(target));
  if (model.name.empty())
    return false;
  if (std::string_view from = target; skip(from, "/versions/")) {
    std::string_view digits = takeName(from);
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c); }))
      return false;
    int64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc())
      throw Error(Code::invalidArgument,
                  "Failed to convert version: " + std::string(digits.substr(0, 256)) + " to numeric.");
    model.version = number;
    target = from;
  } else if (std::string_view from = target; skip(from, "/labels/")) {
    model.label = http::percentDecoded(takeName(from));
    if (model.label.empty())
      return false;
    target = from;
  }
  rest = target;
  std::transform(rest.begin(), rest.end(), rest.begin(), [](unsigned char c) { return std::tolower(c); });
  return true;
}

} // namespace mlc::serve
