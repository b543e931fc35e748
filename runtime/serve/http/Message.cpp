//===- Message.cpp - requests and responses of HTTP as the protocols see them ------------------------------------===//
#include "runtime/serve/http/Message.h"

#include <nlohmann/json.hpp>
#include <strings.h>

namespace mlc::serve::http {

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

Response errorResponse(int status, std::string_view message) {
  Response response;
  response.status = status;
  // Messages may quote what a client sent, which need not be UTF-8.
  response.body = nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

} // namespace mlc::serve::http
