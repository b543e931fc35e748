//===- Error.h - why a request or a load failed ------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_ERROR_H
#define MLC_RUNTIME_SERVE_ERROR_H

#include <stdexcept>
#include <string>

namespace mlc::serve {

/// Codes of gRPC; what they are in HTTP is in rest/HttpStatus.h.
enum class Code : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalidArgument = 3,
  deadlineExceeded = 4,
  notFound = 5,
  alreadyExists = 6,
  permissionDenied = 7,
  resourceExhausted = 8,
  failedPrecondition = 9,
  aborted = 10,
  outOfRange = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  dataLoss = 15,
  unauthenticated = 16
};

/// The name of a code as gRPC and TensorFlow write it: "INVALID_ARGUMENT".
const char *codeName(Code code);

/// How something ended; what is passed to callbacks and kept of versions that failed.
struct Status final {
  Code code = Code::ok;
  std::string message;
  bool ok() const { return code == Code::ok; }
};

/// What a call throws that cannot do what was asked. The message is for the client.
struct Error final : std::runtime_error {
  Error(Code code, const std::string &message) : std::runtime_error(message), code(code) {}
  explicit Error(const Status &status) : Error(status.code, status.message) {}
  Status status() const { return {code, what()}; }
  Code code;
};

/// The exception that is being handled, as a status: an Error's own, RESOURCE_EXHAUSTED for bad_alloc, else INTERNAL.
Status currentExceptionStatus();

} // namespace mlc::serve

#endif
