//===- Session.cpp - one connection: its requests one after the other --------------------------------------------===//
// What may be slow or large is bounded by Limits. Every step has a deadline, which the server looks at now and then
// (Connection::deadline): a request costs no timer. A body of known length is read straight into its string.
#include "runtime/serve/http/Session.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/EventThreads.h"
#include "runtime/serve/http/Inflate.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace mlc::serve::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr auto token = asio::as_tuple(asio::use_awaitable_t<Strand>());
constexpr const char *fullMessage = "the server holds as many requests as it may; try again later";
template <typename Stream> constexpr bool secure = !std::is_same_v<Stream, Socket>;

/// A value that cannot end its line.
std::string_view oneLine(std::string_view value) { return value.substr(0, value.find_first_of("\r\n")); }

bool contains(std::string_view text, std::string_view word) {
  for (size_t i = 0; i + word.size() <= text.size(); ++i)
    if (sameName(text.substr(i, word.size()), word))
      return true;
  return false;
}

/// The date as HTTP writes it; made once a second.
const std::string &date() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  if (std::time_t now = std::time(nullptr); now != made) {
    std::tm parts;
    char line[64];
    text.assign(line, std::strftime(line, sizeof line, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts)));
    made = now;
  }
  return text;
}

/// A request whose body's memory serves the next one of its thread: it is larger than what malloc keeps at hand.
struct ServedRequest final : Request {
  ServedRequest() { std::swap(body, spare()); }
  ~ServedRequest() {
    constexpr size_t most = 64 << 10;
    if (body.capacity() > most)
      return;
    body.clear();
    std::swap(body, spare());
  }
  static std::string &spare() {
    thread_local std::string memory;
    return memory;
  }
};

} // namespace

/// What the copies of a Respond share: gives the answer to the session, once.
template <typename Stream> struct Session<Stream>::Answerer final {
  explicit Answerer(std::shared_ptr<Session> session) : session(std::move(session)) {}
  ~Answerer() {
    if (!given.test())
      give(errorResponse(500, "the request was dropped without an answer"));
  }

  void give(Response response) {
    if (given.test_and_set())
      return;
    // At once where the handler answers before it returns.
    asio::dispatch(session->stream.get_executor(), [session = session, response = std::move(response)]() mutable {
      session->answer = std::move(response);
      session->wake.cancel();
    });
  }

  const std::shared_ptr<Session> session;
  std::atomic_flag given;
};

template <typename Stream> Socket &Session<Stream>::socket() {
  if constexpr (secure<Stream>)
    return stream.next_layer();
  else
    return stream;
}

template <typename Stream> void Session<Stream>::enter(Phase next, std::chrono::milliseconds time) {
  phase = next;
  deadline = time == std::chrono::milliseconds::max() ? Clock::time_point::max() : Clock::now() + time;
}

template <typename Stream> void Session<Stream>::start() {
  asio::co_spawn(stream.get_executor(), [self = self()] { return self->run(); }, asio::detached);
}

template <typename Stream> void Session<Stream>::expire() {
  asio::post(stream.get_executor(), [self = self()] {
    if (self->deadline.load() > Clock::now())
      return; // it has gone on meanwhile
    self->deadline = Clock::time_point::max();
    self->expired = true;
    boost::system::error_code ignored;
    // What is read can be answered with 408; not so with TLS, where a record may have been cut.
    if (!secure<Stream> && self->phase == Phase::reading)
      self->socket().cancel(ignored);
    else
      self->socket().close(ignored);
  });
}

template <typename Stream> void Session<Stream>::close(bool onlyIdle) {
  asio::post(stream.get_executor(), [self = self(), onlyIdle] {
    boost::system::error_code ignored;
    // A request that has come already is still served.
    if (!onlyIdle || (self->phase == Phase::idle && self->buffer.size() == 0 && self->socket().available(ignored) == 0))
      self->socket().close(ignored);
  });
}

template <typename Stream> Awaitable<void> Session<Stream>::run() {
  struct Removal final {
    ~Removal() {
      boost::system::error_code ignored;
      session.socket().close(ignored);
      session.core->bodies -= session.reserved;
      session.core->remove(session);
    }
    Session &session;
  } removal{*this};
  buffer.reserve(8 << 10);
  if (refused) {
    enter(Phase::writing, limits.lingerTime);
    co_await refuse({503, "expected at most " + std::to_string(limits.connections) + " connections, but got more"});
  } else if (co_await shakeHands()) {
    while (co_await awaitFirstByte() && co_await serveRequest()) {
    }
  }
  co_await end();
  boost::system::error_code ignored;
  socket().close(ignored);
  while (watching)
    co_await wake.async_wait(token);
}

template <typename Stream> Awaitable<bool> Session<Stream>::shakeHands() {
  if constexpr (secure<Stream>) {
    enter(Phase::reading, limits.headerTime);
    auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, token);
    gone = error.failed();
  }
  co_return !gone;
}

template <typename Stream> Awaitable<bool> Session<Stream>::awaitFirstByte() {
  enter(Phase::idle, core->closing ? limits.lingerTime : limits.idleTime);
  while (watching) // it reads, and nobody else may
    co_await wake.async_wait(token);
  if (buffer.size() == 0 && !gone) {
    auto [error, count] = co_await stream.async_read_some(buffer.prepare(buffer.capacity()), token);
    buffer.commit(count);
    gone = error.failed();
  }
  co_return buffer.size() > 0;
}

/// What a client is told whose request cannot be read; nothing where it has gone.
template <typename Stream>
std::optional<typename Session<Stream>::Refusal>
Session<Stream>::refusalOf(const boost::system::error_code &error) const {
  namespace http = beast::http;
  if (expired)
    return Refusal{408, "the request took too long to arrive"};
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return Refusal{431, "expected at most " + std::to_string(limits.header) + " bytes of headers, but got more"};
  if (error == http::error::body_limit)
    return Refusal{413, "expected a body of at most " + std::to_string(limits.body) + " bytes, but got more"};
  if (error == http::error::partial_message || error == asio::error::eof)
    return Refusal{400, "the request ends before it is complete"};
  if (error == http::error::end_of_stream || error.category() != make_error_code(http::error::bad_method).category())
    return std::nullopt;
  return Refusal{400, "malformed HTTP request: " + error.message()};
}

/// Takes `bytes` of what all requests together may hold, for as long as this one lasts.
template <typename Stream> bool Session<Stream>::reserve(size_t bytes) {
  if (bytes <= reserved)
    return true;
  size_t more = bytes - reserved;
  if (core->bodies.fetch_add(more) + more > limits.bodies) {
    core->bodies -= more;
    return false;
  }
  reserved = bytes;
  return true;
}

/// Looks at the headers of a request: why it is not served, if it is not.
template <typename Stream>
std::optional<typename Session<Stream>::Refusal> Session<Stream>::judge(const Parser &parser) const {
  namespace http = beast::http;
  const auto &head = parser.get();
  if (size_t count = std::distance(head.begin(), head.end()); count > limits.headers)
    return Refusal{431,
                   "expected at most " + std::to_string(limits.headers) + " headers, but got " + std::to_string(count)};
  auto [first, last] = head.equal_range(http::field::transfer_encoding);
  if (first != last && (head.version() < 11 || std::next(first) != last || head.count(http::field::content_length)))
    return Refusal{400, "malformed HTTP request: Transfer-Encoding is not expected here"};
  if (first != last && !sameName(first->value(), "chunked"))
    return Refusal{501, "unsupported Transfer-Encoding; chunked is"};
  if (head.method() != http::verb::options && core->options.tokens &&
      !core->options.tokens->accept(head[http::field::authorization])) {
    std::string_view path = head.target();
    path = path.substr(0, path.find('?'));
    const std::vector<std::string> &open = core->options.openPaths;
    if (std::find(open.begin(), open.end(), path) == open.end())
      return Refusal{401, "expected a bearer token that is known here"};
  }
  std::string_view coding = head[http::field::content_encoding];
  if (!coding.empty() && !contains(coding, "gzip") && !sameName(coding, "deflate") && !sameName(coding, "identity"))
    return Refusal{415, "unsupported Content-Encoding; gzip and deflate are"};
  if (std::string_view expect = head[http::field::expect]; !expect.empty() && !sameName(expect, "100-continue"))
    return Refusal{417, "unsupported Expect; 100-continue is"};
  return std::nullopt;
}

/// Reads `length` bytes. Memory grows with what has come, whatever was announced.
template <typename Stream>
Awaitable<std::optional<typename Session<Stream>::Refusal>> Session<Stream>::readSized(uint64_t length,
                                                                                       std::string &body) {
  size_t have = 0;
  while (have < length) {
    size_t next = std::min<uint64_t>(length, std::max<uint64_t>(2 * have, 1 << 20));
    if (!reserve(next))
      co_return Refusal{503, fullMessage};
    body.reserve(next + bodyPadding);
    body.resize(next);
    if (have == 0) {
      have = std::min(buffer.size(), next);
      std::memcpy(body.data(), buffer.data().data(), have);
      buffer.consume(have);
    }
    if (have < next) { // nothing to read would still be a turn through the queue of events
      auto [error, count] = co_await asio::async_read(stream, asio::buffer(body.data() + have, next - have), token);
      if (error)
        co_return refusalOf(error).value_or(Refusal{0, ""});
    }
    have = next;
  }
  co_return std::nullopt;
}

template <typename Stream>
Awaitable<std::optional<typename Session<Stream>::Refusal>> Session<Stream>::readBody(Parser &parser,
                                                                                      std::string &body) {
  namespace http = beast::http;
  if (!parser.chunked() && parser.content_length().value_or(0) == 0)
    co_return std::nullopt;
  enter(Phase::reading, limits.bodyTime);
  if (!parser.get()[http::field::expect].empty() && buffer.size() == 0) {
    constexpr std::string_view goOn = "HTTP/1.1 100 Continue\r\n\r\n";
    auto [error, count] = co_await asio::async_write(stream, asio::buffer(goOn), token);
    if (error)
      co_return Refusal{0, ""};
  }
  std::optional<Refusal> refusal;
  if (!parser.chunked()) {
    refusal = co_await readSized(*parser.content_length(), body);
  } else {
    buffer.reserve(64 << 10);
    while (!parser.is_done()) {
      auto [error, count] = co_await http::async_read_some(stream, buffer, parser, token);
      if (error)
        co_return refusalOf(error).value_or(Refusal{0, ""});
      if (!reserve(parser.get().body().size()))
        co_return Refusal{503, fullMessage};
    }
    body = std::move(parser.get().body());
    body.reserve(body.size() + bodyPadding);
  }
  if (!refusal)
    refusal = inflateBody(parser, body);
  co_return refusal;
}

template <typename Stream>
std::optional<typename Session<Stream>::Refusal> Session<Stream>::inflateBody(const Parser &parser, std::string &body) {
  std::string_view coding = parser.get()[beast::http::field::content_encoding];
  if (coding.empty() || sameName(coding, "identity"))
    return std::nullopt;
  EventThreads::handOn();
  std::string inflated;
  switch (inflate(body, limits.inflated, limits.inflationRatio, bodyPadding, inflated)) {
  case Inflation::tooLarge:
    return Refusal{413, "the body is too large when it is inflated"};
  case Inflation::malformed:
    return Refusal{400, "the body is not what its Content-Encoding says"};
  case Inflation::done:
    break;
  }
  body = std::move(inflated);
  return reserve(body.size()) ? std::nullopt : std::optional(Refusal{503, fullMessage});
}

template <typename Stream> std::shared_ptr<Request> Session<Stream>::describe(Parser &parser) const {
  auto request = std::make_shared<ServedRequest>();
  const auto &head = parser.get();
  request->method = head.method_string();
  std::string_view target = head.target();
  // The absolute form, as proxies are asked.
  if (size_t scheme = target.find("://"); !target.starts_with('/') && scheme != target.npos) {
    size_t path = target.find('/', scheme + 3);
    target = path == target.npos ? "/" : target.substr(path);
  }
  request->target = target;
  request->headers.reserve(std::distance(head.begin(), head.end()));
  for (const auto &field : head)
    request->headers.emplace_back(field.name_string(), field.value());
  request->peer = peer;
  request->cancelled = std::make_shared<std::atomic<bool>>(false);
  return request;
}

/// Reads one request, has it served and answers it. Returns whether the connection goes on.
template <typename Stream> Awaitable<bool> Session<Stream>::serveRequest() {
  enter(Phase::reading, limits.headerTime);
  Parser parser;
  parser.header_limit(limits.header);
  parser.body_limit(limits.body);
  // What has come already may be all of them, and nothing to read would still be a turn through the queue of events.
  boost::system::error_code error;
  buffer.consume(parser.put(buffer.data(), error));
  if (error == beast::http::error::need_more)
    error = std::get<0>(co_await beast::http::async_read_header(stream, buffer, parser, token));
  if (error) {
    std::optional<Refusal> refusal = refusalOf(error);
    co_return refusal ? co_await refuse(*refusal) : false;
  }
  std::optional<Refusal> refusal = judge(parser);
  if (refusal)
    co_return co_await refuse(*refusal);
  std::shared_ptr<Request> request = describe(parser);
  refusal = co_await readBody(parser, request->body);
  if (refusal)
    co_return refusal->status ? co_await refuse(*refusal) : false;

  if (request->body.size() >= longMessage)
    EventThreads::handOn();
  enter(Phase::serving, std::chrono::milliseconds::max());
  std::string method = request->method;
  Response response = co_await ask(std::move(request));
  core->bodies -= reserved;
  reserved = 0;
  enter(Phase::writing, limits.writeTime);
  bool keep = parser.keep_alive() && !gone && !core->closing;
  co_return co_await write(std::move(response), method, parser.get().version(), keep);
}

/// Has a request served. While it waits, the client is watched.
template <typename Stream> Awaitable<Response> Session<Stream>::ask(std::shared_ptr<const Request> request) {
  answer.reset();
  std::shared_ptr<std::atomic<bool>> cancelled = request->cancelled;
  {
    auto answerer = std::make_shared<Answerer>(self());
    try {
      core->handler(request, [answerer](Response response) { answerer->give(std::move(response)); });
    } catch (...) {
      answerer->give(errorResponse(500, currentExceptionStatus().message));
    }
  }
  if (answer) {
    request.reset();
    // The requests that came with it are served first, and then all answers leave: a client of several connections, or
    // a proxy, would be woken by each of them otherwise, which costs more than a small model.
    co_await asio::post(stream.get_executor(), asio::use_awaitable_t<Strand>());
  } else if (!watching && !gone && buffer.size() == 0) {
    watching = true;
    asio::co_spawn(
        stream.get_executor(), [self = self(), cancelled] { return self->watch(cancelled); }, asio::detached);
  }
  while (!answer)
    co_await wake.async_wait(token);
  Response response = std::move(*answer);
  answer.reset();
  co_return response;
}

/// Reads ahead once: the next request, or the news that the client has closed its side.
template <typename Stream> Awaitable<void> Session<Stream>::watch(std::shared_ptr<std::atomic<bool>> cancelled) {
  auto [error, count] = co_await stream.async_read_some(buffer.prepare(buffer.capacity()), token);
  buffer.commit(count);
  watching = false;
  if (error) {
    gone = true;
    *cancelled = true;
  }
  wake.cancel();
}

/// Writes a response; returns whether another request may follow.
template <typename Stream>
Awaitable<bool> Session<Stream>::write(Response response, const std::string &method, unsigned version, bool keep) {
  namespace http = beast::http;
  http::response<http::string_body> message;
  message.result(response.status);
  message.version(std::min(version, 11u));
  message.set(http::field::date, date());
  if (!response.type.empty())
    message.set(http::field::content_type, oneLine(response.type));
  for (const auto &[name, value] : response.headers)
    message.insert(name, oneLine(value));
  message.keep_alive(keep);
  bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless)
    message.content_length(response.body.size());
  if (!bodiless && method != "HEAD")
    message.body() = std::move(response.body);
  boost::system::error_code error;
  http::response_serializer<http::string_body> serializer(message);
  if constexpr (!secure<Stream>) { // most answers find room, and need no turn through the queue of events
    http::write_some(stream, serializer, error);
    if (error == asio::error::would_block)
      error.clear();
  }
  if (!error && !serializer.is_done())
    error = std::get<0>(co_await http::async_write(stream, serializer, token));
  co_return !error && keep;
}

/// Answers a request that is not served; the connection ends, since the rest of it is not read.
template <typename Stream> Awaitable<bool> Session<Stream>::refuse(const Refusal &refusal) {
  expired = false;
  enter(Phase::writing, std::max(limits.lingerTime, std::chrono::milliseconds(100)));
  Response response = errorResponse(refusal.status, refusal.message);
  if (refusal.status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (refusal.status == 503)
    response.headers.emplace_back("Retry-After", "1");
  co_return co_await write(std::move(response), "", 11, false);
}

/// Ends the connection so that the client gets to read the last answer: a socket that is closed with unread bytes
/// resets the connection, and what was sent is lost.
template <typename Stream> Awaitable<void> Session<Stream>::end() {
  if (gone || expired || !socket().is_open())
    co_return;
  enter(Phase::writing, limits.lingerTime);
  boost::system::error_code ignored;
  if constexpr (secure<Stream>) {
    if (!watching)
      co_await stream.async_shutdown(token);
  } else {
    socket().shutdown(Socket::shutdown_send, ignored);
    while (watching)
      co_await wake.async_wait(token);
    buffer.clear();
    while (!gone && socket().is_open()) {
      auto [error, count] = co_await stream.async_read_some(buffer.prepare(buffer.capacity()), token);
      gone = error.failed();
    }
  }
}

std::shared_ptr<Connection> connect(std::shared_ptr<Core> core, Socket socket, std::string peer, bool withTls,
                                    bool refuse) {
  if (!withTls)
    return std::make_shared<Session<Socket>>(core, std::move(peer), refuse, std::move(socket));
  asio::ssl::context &context = *core->tls;
  return std::make_shared<Session<asio::ssl::stream<Socket>>>(core, std::move(peer), refuse, std::move(socket),
                                                              context);
}

} // namespace mlc::serve::http
