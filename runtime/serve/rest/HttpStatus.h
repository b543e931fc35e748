//===- HttpStatus.h - what the codes of errors are in HTTP -------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REST_HTTPSTATUS_H
#define MLC_RUNTIME_SERVE_REST_HTTPSTATUS_H

#include "runtime/serve/Error.h"

namespace mlc::serve {

/// The status that TensorFlow Serving answers with.
int httpStatus(Code code);

} // namespace mlc::serve

#endif
