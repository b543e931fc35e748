//===- Routes.cpp - which protocol serves a request --------------------------------------------------------------===//
#include "runtime/serve/rest/Routes.h"

#include "runtime/serve/rest/OpenApi.h"

namespace mlc::serve {

void Routes::operator()(const std::shared_ptr<const http::Request> &request, http::Respond respond) const {
  for (const auto &[handles, handler] : protocols)
    if (handles(request->target))
      return handler(request, std::move(respond));
  respond(answer(*request));
}

http::Response Routes::answer(const http::Request &request) const {
  enum class Page { none, live, ready, version, openApi };
  static constexpr std::pair<std::string_view, Page> pages[] = {
      {"/livez", Page::live}, // Kubernetes' names, also BentoML's
      {"/readyz", Page::ready},    {"/healthz", Page::ready},       {"/ping", Page::ready}, // SageMaker and MLflow
      {"/health", Page::ready},                                                             // MLflow
      {"/version", Page::version}, {"/openapi.json", Page::openApi}};
  Page page = Page::none;
  for (const auto &[path, itsPage] : pages)
    if (path == request.path())
      page = itsPage;
  if (page == Page::none)
    return http::errorResponse(404, "Not found: " + request.method + " " + request.target.substr(0, 1024));
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response response = http::errorResponse(405, "expected GET or HEAD, but got " + request.method);
    response.headers.emplace_back("Allow", "GET, HEAD");
    return response;
  }
  http::Response response;
  if (page == Page::openApi) {
    response.body = openApiDocument();
  } else if (page == Page::version) {
    response.body = std::string("{\"name\":\"mlc-serve\",\"version\":\"") + MLC_SERVE_VERSION + "\"}";
  } else {
    bool good = page == Page::live || ready();
    response.status = good ? 200 : 503;
    response.body = good ? R"({"status":"ok"})" : R"({"status":"not ready"})";
  }
  return response;
}

} // namespace mlc::serve
