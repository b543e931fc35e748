//===- Tokens.h - bearer tokens that let a client in --------------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_TOKENS_H
#define MLC_RUNTIME_SERVE_TOKENS_H

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::serve {

/// The tokens of a file, one a line; empty lines and those that begin with '#' do not count. Kept as hashes, so that
/// how long a comparison takes says nothing about them.
class Tokens final {
public:
  /// Throws Error NOT_FOUND where the file cannot be read, FAILED_PRECONDITION where it has no token.
  static Tokens read(const std::string &path);
  explicit Tokens(const std::vector<std::string> &tokens);

  /// Whether the value of an Authorization header, "Bearer TOKEN", has one of the tokens.
  bool accept(std::string_view authorization) const;

private:
  using Hash = std::array<unsigned char, 32>;
  static Hash hash(std::string_view token);
  std::vector<Hash> hashes;
};

} // namespace mlc::serve

#endif
