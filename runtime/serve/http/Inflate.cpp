//===- Inflate.cpp - bodies that came compressed -----------------------------------------------------------------===//
#include "runtime/serve/http/Inflate.h"

#include <algorithm>
#include <memory>
#include <zlib.h>

namespace mlc::serve::http {

namespace {

/// Output that any ratio is allowed for: a short body of zeros is not an attack.
constexpr size_t freely = 4 << 20;
/// Largest part of input or output that zlib is given at a time; it counts with 32 bits.
constexpr size_t part = 1 << 30;

} // namespace

Inflation inflate(std::string_view input, size_t limit, size_t ratio, size_t padding, std::string &output) {
  limit = std::min(limit, std::max(freely, input.size() * ratio));
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + 32) != Z_OK) // gzip or zlib, by their headers
    throw std::bad_alloc();
  std::unique_ptr<z_stream, int (*)(z_stream *)> end(&stream, inflateEnd);
  size_t read = 0, written = 0;
  output.clear();
  while (true) {
    if (written == output.size()) {
      if (written >= limit + 1)
        return Inflation::tooLarge;
      // One byte more than allowed, so that what fits exactly is told from what does not.
      size_t next = std::min(limit + 1, std::max({2 * written, 3 * input.size(), size_t(16) << 10}));
      output.reserve(next + padding);
      output.resize(next);
    }
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(input.data() + read));
    stream.avail_in = std::min(part, input.size() - read);
    stream.next_out = reinterpret_cast<Bytef *>(output.data() + written);
    stream.avail_out = std::min(part, output.size() - written);
    int result = ::inflate(&stream, Z_NO_FLUSH);
    size_t nowRead = reinterpret_cast<const char *>(stream.next_in) - input.data();
    size_t nowWritten = reinterpret_cast<char *>(stream.next_out) - output.data();
    bool stuck = nowRead == read && nowWritten == written;
    read = nowRead;
    written = nowWritten;
    if (result == Z_STREAM_END) {
      if (read < input.size()) { // another member
        if (inflateReset(&stream) != Z_OK)
          return Inflation::malformed;
        continue;
      }
      if (written > limit)
        return Inflation::tooLarge;
      output.resize(written);
      return Inflation::done;
    }
    if (result != Z_OK && result != Z_BUF_ERROR)
      return Inflation::malformed;
    if (stuck && written < output.size()) // it wants input that is not there
      return Inflation::malformed;
  }
}

} // namespace mlc::serve::http
