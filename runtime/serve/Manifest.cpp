//===- Manifest.cpp - what a version directory says of itself ----------------------------------------------------===//
//
// {"format": 1, "library": "libm.so", "files": {"libm.so": {"bytes": 1, "sha256": "…"}}, "compiler": "mlc 0.1.0",
//  "source": {"file": "m.onnx", "sha256": "…", "commit": "…"}, "created": "2026-01-31T12:00:00Z"}
// Keys that are not known are ignored, so that later versions may add some. Verifying reads every file once.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/Manifest.h"

#include "runtime/serve/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mlc::serve {

namespace {

using nlohmann::json;

class Sha256 final {
public:
  Sha256() : context(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
      throw Error(Code::internal, "cannot compute SHA-256");
  }
  void update(const void *data, size_t bytes) { EVP_DigestUpdate(context.get(), data, bytes); }
  std::string hexadecimal() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context.get(), digest, &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i)
      for (int shift : {4, 0})
        text += "0123456789abcdef"[digest[i] >> shift & 15];
    return text;
  }

private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX *)> context;
};

/// Reads members of an object and says what is wrong with them.
class Reader final {
public:
  Reader(const json &object, const std::string &where) : object(object), where(where) {
    if (!object.is_object())
      throw fail("expected an object, but got " + std::string(object.type_name()));
  }

  Error fail(const std::string &message) const { return Error(Code::dataLoss, where + ": " + message); }

  const json &member(const char *key, json::value_t type, const char *typeName) const {
    auto it = object.find(key);
    if (it == object.end())
      throw fail(std::string("expected a member '") + key + "', but there is none");
    if (it->type() != type)
      throw fail(std::string("expected ") + typeName + " for '" + key + "', but got " + it->type_name());
    return *it;
  }
  std::string text(const char *key) const { return member(key, json::value_t::string, "a string"); }
  uint64_t number(const char *key) const {
    return member(key, json::value_t::number_unsigned, "an integer of at least 0");
  }

private:
  const json &object;
  const std::string where;
};

/// Whether a name stays in the folder and is not the manifest.
bool isInside(const std::string &name) {
  if (name.empty() || name.front() == '/' || name == "manifest.json" || name.find('\0') != std::string::npos)
    return false;
  std::istringstream parts(name);
  for (std::string part; std::getline(parts, part, '/');)
    if (part.empty() || part == "." || part == "..")
      return false;
  return name.back() != '/';
}

bool isSha256(const std::string &text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

} // namespace

Manifest Manifest::read(const std::string &folder) {
  std::string path = folder + "/manifest.json";
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(Code::notFound, path + ": cannot be read: " + std::strerror(errno));
  std::string text(std::istreambuf_iterator<char>(file), {});
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    throw Error(Code::dataLoss, path + ": expected a JSON object, but got " +
                                    (text.empty() ? "an empty file" : "what is not JSON, or a part of it"));
  Reader reader(parsed, path);
  if (uint64_t format = reader.number("format"); format != 1)
    throw reader.fail("expected format 1, but got " + std::to_string(format));

  Manifest manifest;
  manifest.library = reader.text("library");
  for (const auto &[name, entry] : reader.member("files", json::value_t::object, "an object").items()) {
    if (!isInside(name))
      throw reader.fail("expected names of files in the folder, but got '" + name + "'");
    Reader file(entry, path + ": '" + name + "'");
    File &added = manifest.files[name];
    added = {file.number("bytes"), file.text("sha256")};
    if (!isSha256(added.sha256))
      throw file.fail("expected 64 hexadecimal digits, but got '" + added.sha256 + "'");
  }
  if (!manifest.files.count(manifest.library))
    throw reader.fail("expected the library '" + manifest.library + "' among the files");
  manifest.compiler = reader.text("compiler");
  Reader source(reader.member("source", json::value_t::object, "an object"), path + ": 'source'");
  manifest.source = source.text("file");
  manifest.sourceSha256 = source.text("sha256");
  manifest.commit = source.text("commit");
  manifest.created = reader.text("created");
  manifest.sha256 = sha256OfText(text);
  return manifest;
}

void Manifest::verify(const std::string &folder) const {
  // Sizes first: they show at once that a copy is not complete.
  for (const auto &[name, file] : files) {
    struct stat status;
    if (stat((folder + "/" + name).c_str(), &status) != 0 || !S_ISREG(status.st_mode))
      throw Error(Code::dataLoss, folder + ": '" + name + "' is missing");
    if (static_cast<uint64_t>(status.st_size) != file.bytes)
      throw Error(Code::dataLoss, folder + ": '" + name + "': expected " + std::to_string(file.bytes) +
                                      " bytes, but got " + std::to_string(status.st_size));
  }
  for (const auto &[name, file] : files)
    if (std::string hash = sha256OfFile(folder + "/" + name); hash != file.sha256)
      throw Error(Code::dataLoss, folder + ": '" + name + "': expected SHA-256 " + file.sha256 + ", but got " + hash);
}

std::string Manifest::toJson() const {
  nlohmann::ordered_json object = {{"format", 1}, {"library", library}};
  for (const auto &[name, file] : files)
    object["files"][name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  object["compiler"] = compiler;
  object["source"] = {{"file", source}, {"sha256", sourceSha256}, {"commit", commit}};
  object["created"] = created;
  return object.dump(2) + "\n";
}

std::string sha256OfFile(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    throw Error(Code::notFound, path + ": cannot be read: " + std::strerror(errno));
  Sha256 hash;
  std::vector<char> buffer(1 << 18);
  ssize_t got;
  while ((got = ::read(file, buffer.data(), buffer.size())) > 0)
    hash.update(buffer.data(), static_cast<size_t>(got));
  int error = errno;
  close(file);
  if (got < 0)
    throw Error(Code::dataLoss, path + ": cannot be read: " + std::strerror(error));
  return hash.hexadecimal();
}

std::string sha256OfText(std::string_view text) {
  Sha256 hash;
  hash.update(text.data(), text.size());
  return hash.hexadecimal();
}

} // namespace mlc::serve
