//===- OpenApi.h - the document that describes the HTTP interface ------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REST_OPENAPI_H
#define MLC_RUNTIME_SERVE_REST_OPENAPI_H

#include <span>
#include <string>

namespace mlc::serve {

/// A route as the document describes it; the document is made of these.
struct DocumentedRoute final {
  const char *method;
  const char *path; ///< {model}, {version} and {label} are parameters
  const char *tag;
  const char *summary;
  const char *request;  ///< schema of the body; null where there is none
  const char *response; ///< schema of the answer; null where it is not JSON
};

std::span<const DocumentedRoute> documentedRoutes();

/// The OpenAPI 3.1 document as JSON.
const std::string &openApiDocument();

} // namespace mlc::serve

#endif
