//===- Options.h - how the HTTP server listens, and what it lets clients do --------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_HTTP_OPTIONS_H
#define MLC_RUNTIME_SERVE_HTTP_OPTIONS_H

#include "runtime/serve/Tokens.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlc::serve::http {

/// What a client may use of the server. A time is that of the whole step: a client that sends a byte now and then gains
/// nothing. Sizes are in bytes.
struct Limits final {
  size_t connections = 4096;                    ///< more are answered with 503 and closed
  size_t header = 64 << 10;                     ///< of the request line and all headers; 431
  size_t headers = 256;                         ///< lines; 431
  size_t body = size_t(256) << 20;              ///< as it comes; 413
  size_t inflated = size_t(100) << 20;          ///< of a compressed body when it has been inflated; 413
  size_t inflationRatio = 250;                  ///< of inflated to compressed bytes beyond the first 4 MiB; 413
  size_t bodies = size_t(2) << 30;              ///< of all requests at a time; 503
  std::chrono::milliseconds headerTime{10'000}; ///< from the first byte of a request, or the TLS handshake; 408
  std::chrono::milliseconds bodyTime{60'000};   ///< 408
  std::chrono::milliseconds idleTime{120'000};  ///< between requests; closed
  std::chrono::milliseconds writeTime{60'000};  ///< of a response; closed
  std::chrono::milliseconds lingerTime{1'000};  ///< for the client to read an answer that ends the connection
};

/// Certificates and keys as the text of PEM files.
struct TlsOptions final {
  std::string certificate; ///< the server's, and those between it and the root
  std::string key;
  std::string clientAuthorities; ///< who signs clients' certificates; empty: they are not asked for
  bool requireClientCertificate = false;
};

struct Options final {
  std::string address;    ///< empty: all, IPv6 and IPv4
  uint16_t port = 0;      ///< 0: one that is free
  bool listenTcp = true;  ///< false: on the socket file alone
  std::string socketPath; ///< of a Unix socket to listen on as well
  int threads = 0;        ///< 0: four a processor
  Limits limits;
  std::shared_ptr<const TlsOptions> tls; ///< null: without TLS. Not on Unix sockets
  std::shared_ptr<const Tokens> tokens;  ///< null: everyone may do everything
  /// Paths that need no token: those that ask whether the server is well, and the status page's files, which ask for
  /// one.
  std::vector<std::string> openPaths = {"/livez", "/readyz",         "/healthz",         "/health",   "/",
                                        "/ping",  "/v2/health/live", "/v2/health/ready", "/page.css", "/page.js"};
};

} // namespace mlc::serve::http

#endif
