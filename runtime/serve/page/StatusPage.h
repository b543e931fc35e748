//===- StatusPage.h - a page that shows what is served ------------------------------------------------- -*- C++
//-*-===//
// The page's files are part of the program; a browser asks for `/status.json` each second and draws what has changed.
// The form on the page sends requests by the Open Inference Protocol.
#ifndef MLC_RUNTIME_SERVE_PAGE_STATUSPAGE_H
#define MLC_RUNTIME_SERVE_PAGE_STATUSPAGE_H

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"

namespace mlc::serve {

/// An http::Handler for `/`, its style and script, and `/status.json`. Thread-safe.
class StatusPage final {
public:
  explicit StatusPage(Services &services) : services(services) {}

  static bool handles(std::string_view target);
  void operator()(const std::shared_ptr<const http::Request> &request, const http::Respond &respond) const;

private:
  std::string statusJson() const;

  Services &services;
  const Clock::time_point start = Clock::now();
};

} // namespace mlc::serve

#endif
