//===- Server.h - an HTTP server ----------------------------------------------------------------------- -*- C++
//-*-===//
// HTTP/1.1 and 1.0 on Boost.Beast. Requests are served on the server's threads by one handler, directly: what it does
// at once costs no change of thread. docs/Serving.md says what clients may do (Limits).
#ifndef MLC_RUNTIME_SERVE_HTTP_SERVER_H
#define MLC_RUNTIME_SERVE_HTTP_SERVER_H

#include "runtime/serve/http/Message.h"
#include "runtime/serve/http/Options.h"

#include <memory>

namespace mlc::serve::http {

class Server final {
public:
  /// Listens and serves. Throws Error: UNAVAILABLE where the address is taken, INVALID_ARGUMENT where it is none, or
  /// where certificates and keys are not valid.
  Server(Options options, Handler handler);
  /// Closes all connections, and waits for the requests that are being served.
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  uint16_t port() const; ///< of TCP; 0 where it does not listen there
  size_t connections() const;

  /// From now on answers end their connections ("Connection: close"), so that clients go elsewhere; new ones are still
  /// welcome.
  void closeAfterAnswers();
  /// Accepts no more connections, closes those that are idle, and waits until the others have got their answers.
  /// Returns whether that was within the given time; what has not ended goes on.
  bool drain(std::chrono::milliseconds within);

private:
  struct Running;
  std::unique_ptr<Running> running;
};

} // namespace mlc::serve::http

#endif
