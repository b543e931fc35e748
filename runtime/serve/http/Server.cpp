//===- Server.cpp - an HTTP server -------------------------------------------------------------------------------===//
#include "runtime/serve/http/Server.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/EventThreads.h"
#include "runtime/serve/http/Connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mlc::serve::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

void Core::add(const std::shared_ptr<Connection> &connection) {
  std::lock_guard lock(mutex);
  connections.insert(connection);
}

void Core::remove(Connection &connection) {
  std::shared_ptr<Connection> last = connection.shared_from_this(); // does not end under the lock
  std::lock_guard lock(mutex);
  connections.erase(last);
  ended.notify_all();
}

size_t Core::count() {
  std::lock_guard lock(mutex);
  return connections.size();
}

std::vector<std::shared_ptr<Connection>> Core::all() {
  std::lock_guard lock(mutex);
  return {connections.begin(), connections.end()};
}

namespace {

constexpr auto token = asio::as_tuple(asio::use_awaitable_t<Strand>());
template <typename Protocol> using Acceptor = asio::basic_socket_acceptor<Protocol, Strand>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Strand>;

/// Connections beyond the limit that are told so at a time; others are only closed.
constexpr size_t mostRefusals = 64;

Error cannotListen(const std::string &where, const error_code &error) {
  return Error(Code::unavailable, "cannot listen on " + where + ": " + error.message());
}

/// Binds and listens; an error leaves the acceptor closed.
template <typename Protocol>
error_code open(Acceptor<Protocol> &acceptor, const typename Protocol::endpoint &endpoint, bool dualStack) {
  error_code error, ignored;
  acceptor.open(endpoint.protocol(), error);
  if (!error && std::is_same_v<Protocol, Tcp>)
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && dualStack)
    acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error)
    acceptor.bind(endpoint, error);
  if (!error)
    acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    acceptor.close(ignored);
  return error;
}

void listenTcp(Acceptor<Tcp> &acceptor, const Options &options) {
  error_code error;
  std::string port = std::to_string(options.port);
  if (options.address.empty()) {
    error = open(acceptor, Tcp::endpoint(Tcp::v6(), options.port), true);
    if (error && error != asio::error::address_in_use && error != asio::error::access_denied)
      error = open(acceptor, Tcp::endpoint(Tcp::v4(), options.port), false);
    if (error)
      throw cannotListen("port " + port, error);
    return;
  }
  asio::ip::basic_resolver<Tcp, Strand> resolver(acceptor.get_executor());
  auto found = resolver.resolve(options.address, port, error);
  if (error || found.empty())
    throw Error(Code::invalidArgument, "expected an address to listen on, but got '" + options.address + "'");
  if (error = open(acceptor, found.begin()->endpoint(), false); error)
    throw cannotListen(options.address + " port " + port, error);
}

void listenLocal(Acceptor<Local> &acceptor, const std::string &path) {
  struct stat status;
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode))
    unlink(path.c_str()); // of a server that has ended
  if (error_code error = open(acceptor, Local::endpoint(path), false))
    throw cannotListen(path, error);
}

std::string name(const Tcp::endpoint &endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  std::string text = address.to_string();
  return (address.is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(endpoint.port());
}
std::string name(const Local::endpoint &) { return "unix"; }

asio::ssl::context tlsContext(const TlsOptions &options) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  error_code error;
  auto check = [&](const char *what) {
    if (error)
      throw Error(Code::invalidArgument, std::string("cannot use the ") + what + " of TLS: " + error.message());
  };
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                          asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1,
                      error);
  check("options");
  context.use_certificate_chain(asio::buffer(options.certificate), error);
  check("certificate");
  context.use_private_key(asio::buffer(options.key), asio::ssl::context::pem, error);
  check("key");
  if (SSL_CTX_check_private_key(context.native_handle()) != 1)
    throw Error(Code::invalidArgument, "the key of TLS does not belong to the certificate");
  if (!options.clientAuthorities.empty()) {
    context.add_certificate_authority(asio::buffer(options.clientAuthorities), error);
    check("client authorities");
  }
  if (options.requireClientCertificate)
    context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  else if (!options.clientAuthorities.empty())
    context.set_verify_mode(asio::ssl::verify_peer);
  return context;
}

/// How often deadlines are looked at: often enough for the shortest, and for those who wait for a 408.
std::chrono::milliseconds sweepPeriod(const Limits &limits) {
  auto shortest = std::min({limits.headerTime, limits.bodyTime, limits.idleTime, limits.writeTime, limits.lingerTime});
  return std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(500));
}

} // namespace

struct Server::Running final {
  Running(Options options, Handler handler);
  ~Running();

  template <typename Protocol> Awaitable<void> accept(Acceptor<Protocol> &acceptor);
  template <typename Protocol>
  void begin(asio::basic_stream_socket<Protocol, Strand> socket, const typename Protocol::endpoint &peer);
  template <typename Protocol> void stopAccepting(Acceptor<Protocol> &acceptor);
  void stopAccepting();
  Awaitable<void> sweep();
  bool wait(std::optional<Clock::time_point> until);

  const std::shared_ptr<Core> core;
  uint16_t port = 0;
  Acceptor<Tcp> tcp;
  Acceptor<Local> local;
  Timer sweeper;
  bool sweeping = true;           // of the sweeper's strand
  std::atomic<int> accepting = 0; // coroutines
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::optional<EventThreads> threads;
};

Server::Running::Running(Options options, Handler handler)
    : core(std::make_shared<Core>(std::move(options), std::move(handler))), tcp(asio::make_strand(core->io)),
      local(asio::make_strand(core->io)), sweeper(asio::make_strand(core->io)), work(core->io.get_executor()) {
  const Options &chosen = core->options;
  if (chosen.tls)
    core->tls.emplace(tlsContext(*chosen.tls));
  if (chosen.listenTcp) {
    listenTcp(tcp, chosen);
    port = tcp.local_endpoint().port();
  }
  if (!chosen.socketPath.empty())
    listenLocal(local, chosen.socketPath);
  accepting = tcp.is_open() + local.is_open();
  if (tcp.is_open())
    asio::co_spawn(tcp.get_executor(), [this] { return accept(tcp); }, asio::detached);
  if (local.is_open())
    asio::co_spawn(local.get_executor(), [this] { return accept(local); }, asio::detached);
  asio::co_spawn(sweeper.get_executor(), [this] { return sweep(); }, asio::detached);
  int count = chosen.threads > 0 ? chosen.threads : 4 * std::max(1u, std::thread::hardware_concurrency());
  threads.emplace([core = core] { return core->io.run_one() > 0; }, [core = core] { return core->io.poll_one() > 0; },
                  count);
}

Server::Running::~Running() {
  stopAccepting();
  for (const std::shared_ptr<Connection> &connection : core->all())
    connection->close(false);
  wait(std::nullopt);
  // What is left runs to its end: a coroutine that was given up in the middle would keep the core, and the core it.
  asio::post(sweeper.get_executor(), [this] {
    sweeping = false;
    sweeper.cancel();
  });
  work.reset();
  threads.reset();
  if (!core->options.socketPath.empty())
    unlink(core->options.socketPath.c_str());
}

template <typename Protocol>
void Server::Running::begin(asio::basic_stream_socket<Protocol, Strand> socket,
                            const typename Protocol::endpoint &peer) {
  constexpr bool isTcp = std::is_same_v<Protocol, Tcp>;
  size_t count = core->count(), most = core->options.limits.connections;
  if (count >= most + mostRefusals)
    return;
  error_code ignored;
  if constexpr (isTcp)
    socket.set_option(Tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored); // of what Session does without waiting
  std::shared_ptr<Connection> connection =
      connect(core, Socket(std::move(socket)), name(peer), isTcp && core->tls && count < most, count >= most);
  core->add(connection);
  connection->start();
}

template <typename Protocol> Awaitable<void> Server::Running::accept(Acceptor<Protocol> &acceptor) {
  while (acceptor.is_open()) {
    typename Protocol::endpoint peer;
    auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(core->io), peer, token);
    try {
      if (!error)
        begin<Protocol>(std::move(socket), peer);
    } catch (const std::bad_alloc &) { // the client finds the connection closed
    }
    if (!error || !acceptor.is_open())
      continue;
    // Files or memory ran out, perhaps: some connection has to end first.
    Timer pause(acceptor.get_executor(), std::chrono::milliseconds(20));
    co_await pause.async_wait(token);
  }
  if (--accepting == 0) {
    std::lock_guard lock(core->mutex);
    core->ended.notify_all();
  }
}

/// Closes an acceptor, after it has taken those who have connected already.
template <typename Protocol> void Server::Running::stopAccepting(Acceptor<Protocol> &acceptor) {
  asio::post(acceptor.get_executor(), [this, &acceptor] {
    error_code error;
    if (!acceptor.is_open())
      return;
    acceptor.non_blocking(true, error);
    while (!error) {
      typename Protocol::endpoint peer;
      asio::basic_stream_socket<Protocol, Strand> socket(asio::make_strand(core->io));
      acceptor.accept(socket, peer, error);
      if (!error)
        begin<Protocol>(std::move(socket), peer);
    }
    acceptor.close(error);
  });
}

void Server::Running::stopAccepting() {
  core->closing = true;
  stopAccepting(tcp);
  stopAccepting(local);
  std::unique_lock lock(core->mutex);
  core->ended.wait(lock, [&] { return accepting == 0; });
}

/// Ends what has lasted too long.
Awaitable<void> Server::Running::sweep() {
  while (sweeping) {
    sweeper.expires_after(sweepPeriod(core->options.limits));
    co_await sweeper.async_wait(token);
    Clock::time_point now = Clock::now();
    std::lock_guard lock(core->mutex);
    for (const std::shared_ptr<Connection> &connection : core->connections)
      if (connection->deadline.load(std::memory_order_relaxed) <= now)
        connection->expire();
  }
}

/// Until no connection is left; returns whether that came to be.
bool Server::Running::wait(std::optional<Clock::time_point> until) {
  std::unique_lock lock(core->mutex);
  auto none = [&] { return core->connections.empty(); };
  if (until)
    return core->ended.wait_until(lock, *until, none);
  core->ended.wait(lock, none);
  return true;
}

Server::Server(Options options, Handler handler)
    : running(std::make_unique<Running>(std::move(options), std::move(handler))) {}
Server::~Server() = default;

uint16_t Server::port() const { return running->port; }

size_t Server::connections() const { return running->core->count(); }

void Server::closeAfterAnswers() { running->core->closing = true; }

bool Server::drain(std::chrono::milliseconds within) {
  Clock::time_point until = Clock::now() + within;
  running->stopAccepting();
  for (const std::shared_ptr<Connection> &connection : running->core->all())
    connection->close(true);
  return running->wait(until);
}

} // namespace mlc::serve::http
