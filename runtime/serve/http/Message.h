//===- Message.h - requests and responses of HTTP as the protocols see them ---------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_HTTP_MESSAGE_H
#define MLC_RUNTIME_SERVE_HTTP_MESSAGE_H

#include "runtime/serve/Request.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlc::serve::http {

struct Request {
  std::string method; ///< "GET"
  std::string target; ///< path and query as they came
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body; ///< inflated; what the server fills in has room behind it for a parser to read past the end
  std::string peer; ///< "127.0.0.1:51234"
  Clock::time_point start = Clock::now();
  std::shared_ptr<std::atomic<bool>> cancelled; ///< becomes true when the client closes the connection

  /// The value of a header, whatever its case; empty where there is none.
  std::string_view header(std::string_view name) const;
  /// The target without its query.
  std::string_view path() const;
};

struct Response final {
  int status = 200;
  std::string type = "application/json"; ///< no Content-Type where it is empty
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// Sends the answer; called once, from any thread. A request that is dropped without an answer gets a 500.
using Respond = std::function<void(Response)>;

/// Serves a request; may answer later. The request lives until the answer has been given.
using Handler = std::function<void(const std::shared_ptr<const Request> &request, Respond respond)>;

/// Whether two names of headers are the same, whatever their case.
bool sameName(std::string_view left, std::string_view right);

/// %41 becomes A; what is not valid stays as it is.
std::string percentDecoded(std::string_view text);

/// {"error": message}, as all protocols answer.
Response errorResponse(int status, std::string_view message);

} // namespace mlc::serve::http

#endif
