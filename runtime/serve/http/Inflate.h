//===- Inflate.h - bodies that came compressed -------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_HTTP_INFLATE_H
#define MLC_RUNTIME_SERVE_HTTP_INFLATE_H

#include <cstddef>
#include <string>
#include <string_view>

namespace mlc::serve::http {

/// How inflating a body ended.
enum class Inflation { done, malformed, tooLarge };

/// Inflates gzip, also of several members, or zlib's format. Gives up with tooLarge before `output` is larger than
/// `limit` or, beyond the first 4 MiB, than `ratio` times the input; `output` has `padding` bytes of room behind its
/// end.
Inflation inflate(std::string_view input, size_t limit, size_t ratio, size_t padding, std::string &output);

} // namespace mlc::serve::http

#endif
