//===- Tokens.cpp - bearer tokens that let a client in -----------------------------------------------------------===//
#include "runtime/serve/Tokens.h"

#include "runtime/serve/Error.h"

#include <fstream>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

namespace mlc::serve {

namespace {

std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == text.npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

} // namespace

Tokens::Hash Tokens::hash(std::string_view token) {
  Hash hash;
  SHA256(reinterpret_cast<const unsigned char *>(token.data()), token.size(), hash.data());
  return hash;
}

Tokens::Tokens(const std::vector<std::string> &tokens) {
  for (const std::string &token : tokens)
    hashes.push_back(hash(token));
}

Tokens Tokens::read(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    throw Error(Code::notFound, "cannot read the file of tokens " + path);
  std::vector<std::string> tokens;
  for (std::string line; std::getline(file, line);)
    if (std::string_view token = trim(line); !token.empty() && token.front() != '#')
      tokens.emplace_back(token);
  if (tokens.empty())
    throw Error(Code::failedPrecondition, "expected a token a line in " + path + ", but got none");
  return Tokens(tokens);
}

bool Tokens::accept(std::string_view authorization) const {
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.size() <= scheme.size() || strncasecmp(authorization.data(), scheme.data(), scheme.size()) != 0)
    return false;
  Hash given = hash(trim(authorization.substr(scheme.size())));
  bool found = false;
  for (const Hash &hash : hashes)
    found |= CRYPTO_memcmp(given.data(), hash.data(), hash.size()) == 0;
  return found;
}

} // namespace mlc::serve
