//===- RestCall.cpp - what is told of a call that came by HTTP ---------------------------------------------------===//
#include "runtime/serve/rest/RestCall.h"

namespace mlc::serve {

Call beginCall(const http::Request &request, std::string_view path) {
  Call call;
  call.start = request.start;
  call.entrypoint = "REST";
  call.method = request.method;
  call.path = path;
  call.peer = request.peer;
  call.traceParent = request.header("traceparent");
  call.requestId = request.header("X-Request-Id");
  call.requestBytes = request.body.size();
  return call;
}

void endCall(const Services &services, Call &call, http::Response response, const http::Respond &respond) {
  for (auto &header : answerHeaders(call))
    response.headers.push_back(std::move(header));
  call.httpStatus = response.status;
  call.responseBytes = response.body.size();
  services.telemetry.finished(call);
  respond(std::move(response));
}

} // namespace mlc::serve
