//===- JsonObject.cpp - the object that a request's body is ------------------------------------------------------===//
#include "runtime/serve/rest/JsonObject.h"

#include "runtime/serve/EventThreads.h"

#include <openssl/evp.h>

#include <cstring>
#include <limits>
#include <memory>

namespace mlc::serve {

namespace ondemand = simdjson::ondemand;

namespace {

constexpr std::string_view whitespace = " \t\r\n";
constexpr size_t excerptBytes = 256;

/// A parser keeps memory for the largest text it has seen, about 6 bytes a byte; more than for this many is given back.
constexpr size_t keptCapacity = 4 << 20;

Error parseError(std::string_view message) {
  return Error(Code::invalidArgument, "JSON Parse error: " + std::string(message));
}

/// Where the object or list that a text begins with ends: behind its last bracket; npos where that is missing.
size_t endOfValue(std::string_view text) {
  size_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
    case '"':
      for (++i; i < text.size() && text[i] != '"'; ++i)
        i += text[i] == '\\';
      break;
    case '{':
    case '[':
      ++depth;
      break;
    case '}':
    case ']':
      if (depth <= 1)
        return i + 1;
      --depth;
    }
  }
  return text.npos;
}

void readOnce(std::string_view text, size_t readable, const std::function<void(ondemand::object object)> &read) {
  thread_local std::unique_ptr<ondemand::parser> parser;
  struct Shrink final {
    ~Shrink() {
      if (parser && parser->capacity() > keptCapacity)
        parser.reset();
    }
  } shrink;
  if (!parser)
    parser = std::make_unique<ondemand::parser>();
  ondemand::document document;
  checkJson(parser->iterate(simdjson::padded_string_view(text.data(), text.size(), readable)).get(document));
  ondemand::object object;
  checkJson(document.get_object().get(object));
  read(object);
}

std::string_view trimmed(std::string_view token) {
  size_t end = token.find_last_not_of(whitespace);
  return token.substr(0, end == token.npos ? 0 : end + 1);
}

/// The text of a scalar, or the bracket of a list or object. Texts end with a zero byte, and so do tokens: at the end
/// of a text that is cut, simdjson does not know their lengths.
std::string_view tokenOf(ondemand::value value) {
  std::string_view token = value.raw_json_token();
  return trimmed({token.data(), strnlen(token.data(), std::min<size_t>(token.size(), 4096))});
}

} // namespace

void readJsonObject(const std::string &body, const std::function<void(ondemand::object object)> &read) {
  std::string_view text = body;
  size_t start = text.find_first_not_of(whitespace), readable = body.capacity();
  if (start == text.npos)
    throw parseError("The document is empty");
  if (text[start] != '{')
    throw Error(Code::invalidArgument,
                "JSON Value: " + std::string(trimmed(text.substr(start, excerptBytes))) + " Is not object");
  if (text.size() >= longText)
    EventThreads::handOn();
  std::string copy;
  if (readable < text.size() + simdjson::SIMDJSON_PADDING) {
    copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    copy = text;
    text = copy;
    readable = copy.capacity();
  }
  try {
    readOnce(text, readable, read);
    return;
  } catch (const NotJson &failure) {
    size_t end = endOfValue(text);
    if (end == text.npos || text.find_first_not_of(whitespace, end) == text.npos)
      throw parseError(simdjson::error_message(failure.error));
    text = text.substr(0, end);
  }
  try {
    readOnce(text, readable, read);
  } catch (const NotJson &failure) {
    throw parseError(simdjson::error_message(failure.error));
  }
}

bool scalarWord(ondemand::value value, double &number) {
  std::string_view word = tokenOf(value);
  bool negative = word.starts_with('-');
  if (negative)
    word.remove_prefix(1);
  if (word == "NaN")
    number = std::numeric_limits<double>::quiet_NaN();
  else if (word == "Infinity" || word == "Inf")
    number = std::numeric_limits<double>::infinity();
  else
    return false;
  if (negative)
    number = -number;
  return true;
}

const char *jsonTypeName(ondemand::value value) {
  std::string_view token = tokenOf(value);
  double number;
  switch (token.empty() ? '\0' : token.front()) {
  case '{':
    return "Object";
  case '[':
    return "Array";
  case '"':
    return "String";
  case 'n':
    if (token == "null")
      return "Null";
    break;
  case 't':
    if (token == "true")
      return "True";
    break;
  case 'f':
    if (token == "false")
      return "False";
    break;
  default:
    // Also what is no number, but begins like one: whoever says that it is of the wrong type is not wrong.
    if (std::string_view("-0123456789").find(token.front()) != std::string_view::npos || scalarWord(value, number))
      return "Number";
  }
  throw NotJson{simdjson::TAPE_ERROR};
}

std::string jsonExcerpt(ondemand::value value) {
  std::string_view token = tokenOf(value);
  if (token.empty() || (token.front() != '{' && token.front() != '['))
    return std::string(token.substr(0, excerptBytes));
  // The text goes on behind the token.
  std::string text;
  size_t depth = 0;
  bool quoted = false;
  for (const char *at = token.data(); text.size() < excerptBytes && *at; ++at) {
    text += *at;
    if (quoted && *at == '\\' && at[1])
      text += *++at;
    else if (*at == '"')
      quoted = !quoted;
    else if (!quoted && (*at == '{' || *at == '['))
      ++depth;
    else if (!quoted && (*at == '}' || *at == ']') && --depth == 0)
      break;
  }
  return text;
}

bool decodeBase64(std::string_view text, std::string &bytes) {
  std::string padded(text);
  padded.erase(padded.find_last_not_of('=') + 1);
  size_t length = padded.size();
  if (length % 4 == 1 || padded.find('=') != padded.npos || padded.find_first_of(" \t\r\n") != padded.npos)
    return false;
  padded.append((4 - length % 4) % 4, '=');
  bytes.resize(padded.size() / 4 * 3);
  if (padded.empty())
    return true;
  int decoded = EVP_DecodeBlock(reinterpret_cast<unsigned char *>(bytes.data()),
                                reinterpret_cast<const unsigned char *>(padded.data()), padded.size());
  bytes.resize(length * 3 / 4);
  return decoded >= 0;
}

} // namespace mlc::serve
