//===- Session.h - one connection: its requests one after the other ----------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_HTTP_SESSION_H
#define MLC_RUNTIME_SERVE_HTTP_SESSION_H

#include "runtime/serve/http/Connection.h"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace mlc::serve::http {

/// Room behind a body for a parser that reads past its end (simdjson's SIMDJSON_PADDING, and more).
constexpr size_t bodyPadding = 64;

/// Reads a request, has it served on this thread, writes the answer, and so on until one side ends it. All of it is one
/// coroutine on the connection's strand. While a request waits for its answer, a second one reads ahead, to notice that
/// the client has gone. Stream is Socket, or a stream of TLS on it.
template <typename Stream> class Session final : public Connection {
public:
  /// `arguments` go to the stream.
  template <typename... Arguments>
  Session(std::shared_ptr<Core> core, std::string peer, bool refuse, Arguments &&...arguments)
      : core(std::move(core)), limits(this->core->options.limits), stream(std::forward<Arguments>(arguments)...),
        peer(std::move(peer)), refused(refuse), wake(stream.get_executor(), Clock::time_point::max()),
        buffer(limits.header + (64 << 10)) {}

  void start() override;
  void expire() override;
  void close(bool onlyIdle) override;

private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  enum class Phase { idle, reading, serving, writing };
  struct Answerer;
  /// Why a request is not served.
  struct Refusal final {
    int status;
    std::string message;
  };

  std::shared_ptr<Session> self() { return std::static_pointer_cast<Session>(shared_from_this()); }
  Socket &socket();
  void enter(Phase next, std::chrono::milliseconds time);

  Awaitable<void> run();
  Awaitable<bool> shakeHands();
  Awaitable<bool> awaitFirstByte();
  Awaitable<bool> serveRequest();
  std::optional<Refusal> judge(const Parser &parser) const;
  Awaitable<std::optional<Refusal>> readBody(Parser &parser, std::string &body);
  Awaitable<std::optional<Refusal>> readSized(uint64_t length, std::string &body);
  std::optional<Refusal> inflateBody(const Parser &parser, std::string &body);
  std::shared_ptr<Request> describe(Parser &parser) const;
  Awaitable<Response> ask(std::shared_ptr<const Request> request);
  Awaitable<void> watch(std::shared_ptr<std::atomic<bool>> cancelled);
  Awaitable<bool> write(Response response, const std::string &method, unsigned version, bool keep);
  Awaitable<bool> refuse(const Refusal &refusal);
  Awaitable<void> end();
  std::optional<Refusal> refusalOf(const boost::system::error_code &error) const;
  bool reserve(size_t bytes);

  const std::shared_ptr<Core> core;
  const Limits &limits;
  Stream stream;
  const std::string peer;
  const bool refused;
  boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, Strand> wake; // cancelled to wake run()
  boost::beast::flat_buffer buffer;
  Phase phase = Phase::reading;
  bool expired = false;  // the present phase has lasted too long
  bool watching = false; // watch() is reading
  bool gone = false;     // the client has closed its side
  size_t reserved = 0;   // of Core::bodies
  std::optional<Response> answer;
};

} // namespace mlc::serve::http

#endif
