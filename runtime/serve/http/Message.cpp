//===- Message.cpp - requests and responses of HTTP as the protocols see them ------------------------------------===//
#include "runtime/serve/http/Message.h"

#include <cctype>
#include <nlohmann/json.hpp>
#include <strings.h>

namespace mlc::serve::http {

namespace {

int hexDigit(char c) {
  return std::isdigit(static_cast<unsigned char>(c))    ? c - '0'
         : std::isxdigit(static_cast<unsigned char>(c)) ? (c | 0x20) - 'a' + 10
                                                        : -1;
}

} // namespace

bool sameName(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

std::string_view Request::header(std::string_view name) const {
  for (const auto &[itsName, value] : headers)
    if (sameName(itsName, name))
      return value;
  return {};
}

std::string_view Request::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string percentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    int high = text[i] == '%' && i + 2 < text.size() ? hexDigit(text[i + 1]) : -1;
    int low = high >= 0 ? hexDigit(text[i + 2]) : -1;
    decoded += low >= 0 ? static_cast<char>(high << 4 | low) : text[i];
    i += low >= 0 ? 2 : 0;
  }
  return decoded;
}

Response errorResponse(int status, std::string_view message) {
  Response response;
  response.status = status;
  // Messages may quote what a client sent, which need not be UTF-8.
  response.body = nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

} // namespace mlc::serve::http
