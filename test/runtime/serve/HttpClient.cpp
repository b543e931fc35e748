//===- HttpClient.cpp - a client of HTTP that may misbehave ------------------------------------------------------===//
#include "HttpClient.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace mlc::serve {

HttpClient::HttpClient(uint16_t port) : file(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(file, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
  int on = 1;
  setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  timeval time{20, 0};
  setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

HttpClient::HttpClient(const std::string &socketPath) : file(socket(AF_UNIX, SOCK_STREAM, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socketPath.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(file, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to " + socketPath);
}

HttpClient::~HttpClient() { close(file); }

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    bytes.remove_prefix(count);
  }
  return true;
}

std::string HttpClient::readMore() {
  std::string part(1 << 16, '\0');
  ssize_t count = recv(file, part.data(), part.size(), 0);
  part.resize(std::max<ssize_t>(count, 0));
  return part;
}

Answer HttpClient::read(bool withoutBody) {
  size_t end;
  while ((end = rest.find("\r\n\r\n")) == rest.npos) {
    std::string more = readMore();
    if (more.empty())
      return {};
    rest += more;
  }
  Answer answer;
  answer.status = std::atoi(rest.c_str() + rest.find(' '));
  for (size_t line = rest.find("\r\n") + 2; line < end;) {
    size_t next = std::min(rest.find("\r\n", line), end), colon = rest.find(':', line);
    std::string name = rest.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.headers[name] = rest.substr(colon + 2, next - colon - 2);
    line = next + 2;
  }
  rest.erase(0, end + 4);
  size_t length = answer.headers.contains("content-length") ? std::stoul(answer.headers["content-length"]) : 0;
  if (withoutBody)
    return answer;
  while (rest.size() < length) {
    std::string more = readMore();
    if (more.empty())
      return {};
    rest += more;
  }
  answer.body = rest.substr(0, length);
  rest.erase(0, length);
  return answer;
}

Answer HttpClient::ask(const std::string &method, const std::string &target, const std::string &body,
                       const std::string &headers) {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  send(text + "\r\n" + body);
  return read(method == "HEAD");
}

bool HttpClient::closed(std::chrono::milliseconds time) {
  pollfd descriptor{file, POLLIN, 0};
  return rest.empty() && poll(&descriptor, 1, int(time.count())) > 0 && readMore().empty();
}

void HttpClient::closeWriting() { shutdown(file, SHUT_WR); }

} // namespace mlc::serve
