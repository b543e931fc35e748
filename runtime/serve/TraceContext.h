//===- TraceContext.h - W3C trace context: the client's trace goes through us -------------------------- -*- C++
//-*-===//
// https://www.w3.org/TR/trace-context: the trace's id is kept, our span gets a new one, and the answer carries both, so
// that a client finds the line of our log.
#ifndef MLC_RUNTIME_SERVE_TRACECONTEXT_H
#define MLC_RUNTIME_SERVE_TRACECONTEXT_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlc::serve {

struct Call;

/// Our place in a trace; empty ids where there is none. Ids are hexadecimal.
struct TraceContext final {
  std::string traceId;  ///< 32 digits
  std::string spanId;   ///< 16 digits: this call
  std::string parentId; ///< 16 digits: the client's span; empty where we begin the trace
  bool sampled = false; ///< whether the client records the trace

  /// Continues the trace of a `traceparent` header; begins one where it is not valid, as the standard asks for.
  static TraceContext continued(std::string_view traceParent);
  /// The `traceparent` header of our span.
  std::string header() const;
};

/// What an answer carries so that the client finds the call again: `traceparent` with our span where the request had
/// one, and the client's own `X-Request-Id`. Sets `call.trace`. gRPC sends them as metadata, in lower case.
std::vector<std::pair<std::string, std::string>> answerHeaders(Call &call);

} // namespace mlc::serve

#endif
