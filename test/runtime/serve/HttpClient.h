//===- HttpClient.h - a client of HTTP that may misbehave --------------------------------------------- -*- C++ -*-===//
#ifndef MLC_TEST_RUNTIME_SERVE_HTTPCLIENT_H
#define MLC_TEST_RUNTIME_SERVE_HTTPCLIENT_H

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mlc::serve {

/// What came back: status 0 where the connection ended without an answer.
struct Answer final {
  int status = 0;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;
};

/// A connection that sends what it is told, byte for byte. Reads give up after 20 seconds.
class HttpClient final {
public:
  explicit HttpClient(uint16_t port);
  explicit HttpClient(const std::string &socketPath);
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  /// Returns false where the server has closed.
  bool send(std::string_view bytes);
  Answer read(bool withoutBody = false);
  Answer ask(const std::string &method, const std::string &target, const std::string &body = "",
             const std::string &headers = "");
  /// Whether the server closes within `time`, without sending more.
  bool closed(std::chrono::milliseconds time = std::chrono::seconds(5));
  void closeWriting();

private:
  std::string readMore();
  int file;
  std::string rest; // of what was read
};

} // namespace mlc::serve

#endif
