//===- HttpStatus.cpp - what the codes of errors are in HTTP -----------------------------------------------------===//
#include "runtime/serve/rest/HttpStatus.h"

namespace mlc::serve {

int httpStatus(Code code) {
  switch (code) {
  case Code::ok:
    return 200;
  case Code::invalidArgument:
  case Code::failedPrecondition:
  case Code::outOfRange:
    return 400;
  case Code::unauthenticated:
    return 401;
  case Code::permissionDenied:
    return 403;
  case Code::notFound:
    return 404;
  case Code::alreadyExists:
  case Code::aborted:
    return 409;
  case Code::resourceExhausted:
    return 429;
  case Code::cancelled:
    return 499; // nginx's "client closed request"
  case Code::unknown:
  case Code::internal:
  case Code::dataLoss:
    return 500;
  case Code::unimplemented:
    return 501;
  case Code::unavailable:
    return 503;
  case Code::deadlineExceeded:
    return 504;
  }
  return 500;
}

} // namespace mlc::serve
