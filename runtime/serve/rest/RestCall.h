//===- RestCall.h - what is told of a call that came by HTTP ------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_REST_RESTCALL_H
#define MLC_RUNTIME_SERVE_REST_RESTCALL_H

#include "runtime/serve/Services.h"
#include "runtime/serve/http/Message.h"

namespace mlc::serve {

/// What a request says of itself; `path` is what is logged of its target.
Call beginCall(const http::Request &request, std::string_view path);

/// Adds the headers of the client's trace to the answer, tells of the call and sends it.
void endCall(const Services &services, Call &call, http::Response response, const http::Respond &respond);

} // namespace mlc::serve

#endif
