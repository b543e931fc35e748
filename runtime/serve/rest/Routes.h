//===- Routes.h - which protocol serves a request ----------------------------------------------------- -*- C++ -*-===//
// The top of the HTTP port. Itself it answers whether the server is well, what version it is and what the OpenAPI
// document says; everything else is for the protocols.
#ifndef MLC_RUNTIME_SERVE_REST_ROUTES_H
#define MLC_RUNTIME_SERVE_REST_ROUTES_H

#include "runtime/serve/http/Message.h"

namespace mlc::serve {

/// An http::Handler. Protocols are added before it serves; then it is thread-safe.
class Routes final {
public:
  /// `ready`: whether the server should be sent requests.
  explicit Routes(std::function<bool()> ready) : ready(std::move(ready)) {}

  using Handles = std::function<bool(std::string_view target)>;
  /// The first one that handles a target, its path and query, serves the request.
  void add(Handles handles, http::Handler handler) { protocols.emplace_back(std::move(handles), std::move(handler)); }

  void operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond) const;

private:
  http::Response answer(const http::Request &request) const;

  const std::function<bool()> ready;
  std::vector<std::pair<Handles, http::Handler>> protocols;
};

} // namespace mlc::serve

#endif
