//===- Error.cpp - why a request or a load failed ----------------------------------------------------------------===//
#include "runtime/serve/Error.h"

#include <new>

namespace mlc::serve {

const char *codeName(Code code) {
  switch (code) {
  case Code::ok:
    return "OK";
  case Code::cancelled:
    return "CANCELLED";
  case Code::unknown:
    return "UNKNOWN";
  case Code::invalidArgument:
    return "INVALID_ARGUMENT";
  case Code::deadlineExceeded:
    return "DEADLINE_EXCEEDED";
  case Code::notFound:
    return "NOT_FOUND";
  case Code::alreadyExists:
    return "ALREADY_EXISTS";
  case Code::permissionDenied:
    return "PERMISSION_DENIED";
  case Code::resourceExhausted:
    return "RESOURCE_EXHAUSTED";
  case Code::failedPrecondition:
    return "FAILED_PRECONDITION";
  case Code::aborted:
    return "ABORTED";
  case Code::outOfRange:
    return "OUT_OF_RANGE";
  case Code::unimplemented:
    return "UNIMPLEMENTED";
  case Code::internal:
    return "INTERNAL";
  case Code::unavailable:
    return "UNAVAILABLE";
  case Code::dataLoss:
    return "DATA_LOSS";
  case Code::unauthenticated:
    return "UNAUTHENTICATED";
  }
  return "UNKNOWN";
}

Status currentExceptionStatus() {
  try {
    throw;
  } catch (const Error &error) {
    return error.status();
  } catch (const std::bad_alloc &) {
    return {Code::resourceExhausted, "memory is exhausted"};
  } catch (const std::exception &error) {
    return {Code::internal, error.what()};
  } catch (...) {
    return {Code::internal, "unknown exception"};
  }
}

} // namespace mlc::serve
