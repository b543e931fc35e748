//===- Masking.cpp - what may be logged of a request's inputs ----------------------------------------------------===//
#include "runtime/serve/Masking.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/JsonText.h"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <filesystem>
#include <fnmatch.h>
#include <fstream>
#include <iterator>

namespace mlc::serve {

namespace {

constexpr size_t mostValues = 4096, leastKeyBytes = 16;

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(Code::notFound, "cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Error wrong(const std::string &expected, const std::string &got) {
  return Error(Code::invalidArgument, "masking rules: expected " + expected + ", but got " + got);
}

Masking::Action actionOf(const std::string &name) {
  if (name == "drop")
    return Masking::Action::drop;
  if (name == "hash")
    return Masking::Action::hash;
  if (name == "truncate")
    return Masking::Action::truncate;
  if (name == "keep")
    return Masking::Action::keep;
  throw wrong("the action drop, hash, truncate or keep", "'" + name + "'");
}

/// A misspelt member would silently log too much or too little.
void checkMembers(const nlohmann::json &object, std::initializer_list<std::string_view> known, const char *where) {
  if (!object.is_object())
    throw wrong(std::string("an object for ") + where, object.dump());
  for (const auto &[name, value] : object.items())
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw wrong(std::string("the members of ") + where, "'" + name + "'");
}

void appendHmac(std::string &text, const std::string &key, const Tensor &tensor) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!HMAC(EVP_sha256(), key.data(), int(key.size()), static_cast<const unsigned char *>(tensor.data), tensor.bytes,
            digest, &length))
    throw Error(Code::internal, "cannot compute the HMAC of an input");
  static constexpr char hex[] = "0123456789abcdef";
  text += "{\"hmac_sha256\":\"";
  for (unsigned i = 0; i < length; ++i)
    text += hex[digest[i] >> 4], text += hex[digest[i] & 15];
  text += "\"}";
}

} // namespace

Masking Masking::read(const std::string &path) {
  return parse(readFile(path), std::filesystem::path(path).parent_path().string());
}

Masking Masking::parse(const std::string &text, const std::string &folder) {
  Masking masking;
  try {
    nlohmann::json json = nlohmann::json::parse(text);
    checkMembers(json, {"key_file", "rules"}, "the file");
    if (json.contains("key_file")) {
      std::string path = (std::filesystem::path(folder) / json["key_file"].get<std::string>()).string();
      masking.key = readFile(path);
      while (!masking.key.empty() && masking.key.back() == '\n')
        masking.key.pop_back();
      if (masking.key.size() < leastKeyBytes)
        throw wrong("a key of at least " + std::to_string(leastKeyBytes) + " bytes in " + path,
                    std::to_string(masking.key.size()));
    }
    for (const nlohmann::json &entry : json.at("rules")) {
      checkMembers(entry, {"model", "field", "action", "length"}, "a rule");
      Rule rule;
      rule.model = entry.value("model", "*");
      rule.field = entry.value("field", "*");
      rule.action = actionOf(entry.at("action").get<std::string>());
      if (rule.action == Action::hash && masking.key.empty())
        throw wrong("a key_file where fields are hashed", "none");
      if (rule.action == Action::truncate)
        rule.length = entry.at("length").get<size_t>();
      else if (entry.contains("length"))
        throw wrong("a length with the action truncate alone", entry.dump());
      masking.rules.push_back(std::move(rule));
    }
  } catch (const nlohmann::json::exception &error) {
    throw Error(Code::invalidArgument, std::string("masking rules: ") + error.what());
  }
  return masking;
}

std::string Masking::apply(const std::string &model, std::span<const Tensor> inputs) const {
  std::string text;
  for (const Tensor &input : inputs) {
    auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule &rule) {
      return fnmatch(rule.model.c_str(), model.c_str(), 0) == 0 &&
             fnmatch(rule.field.c_str(), input.name.c_str(), 0) == 0;
    });
    if (rule == rules.end() || rule->action == Action::drop)
      continue;
    text += text.empty() ? '{' : ',';
    appendJsonString(text, input.name);
    text += ':';
    if (rule->action == Action::hash) {
      appendHmac(text, key, input);
      continue;
    }
    size_t count = input.bytes / elementSize(input.dtype);
    size_t most = rule->action == Action::keep ? mostValues : std::min(rule->length, mostValues);
    text += "{\"datatype\":\"" + std::string(openInferenceName(input.dtype)) + "\",\"shape\":" + sizesText(input.sizes);
    text += ",\"data\":[";
    appendJsonValues(text, input, std::min(count, most));
    text += count > most ? "],\"truncated\":true}" : "]}";
  }
  return text.empty() ? text : text + '}';
}

} // namespace mlc::serve
