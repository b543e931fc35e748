//===- Connection.h - what a server and its connections know of each other ---------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_HTTP_CONNECTION_H
#define MLC_RUNTIME_SERVE_HTTP_CONNECTION_H

#include "runtime/serve/http/Message.h"
#include "runtime/serve/http/Options.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/strand.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_set>

namespace mlc::serve::http {

/// Where the code of one connection runs: on one thread at a time.
using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Strand>;
template <typename Result> using Awaitable = boost::asio::awaitable<Result, Strand>;

/// A connection as the server sees it. It keeps itself alive until it has ended.
class Connection : public std::enable_shared_from_this<Connection> {
public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  /// What the connection does has lasted too long, if it still has: it answers 408 or closes. Thread-safe.
  virtual void expire() = 0;
  /// Closes the connection, or only if it waits for a request. A request that is served is waited for. Thread-safe.
  virtual void close(bool onlyIdle) = 0;

  /// When the present step of the connection has to have ended.
  std::atomic<Clock::time_point> deadline = Clock::time_point::max();
};

/// What the connections of a server share. It lives as long as one of them, or an answer that is still to be given.
struct Core final {
  Core(Options options, Handler handler) : options(std::move(options)), handler(std::move(handler)) {}

  void add(const std::shared_ptr<Connection> &connection);
  void remove(Connection &connection);
  size_t count();
  std::vector<std::shared_ptr<Connection>> all();

  boost::asio::io_context io;
  const Options options;
  const Handler handler;
  std::optional<boost::asio::ssl::context> tls;
  std::atomic<bool> closing = false; // answers end their connections
  std::atomic<size_t> bodies = 0;    // bytes of the requests that are being read or served
  std::mutex mutex;
  std::condition_variable ended;
  std::unordered_set<std::shared_ptr<Connection>> connections;
};

/// A connection of a client at `peer`. With `refuse` it is told that there are too many.
std::shared_ptr<Connection> connect(std::shared_ptr<Core> core, Socket socket, std::string peer, bool withTls,
                                    bool refuse);

} // namespace mlc::serve::http

#endif
