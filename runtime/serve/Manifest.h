//===- Manifest.h - what a version directory says of itself ------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_MANIFEST_H
#define MLC_RUNTIME_SERVE_MANIFEST_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mlc::serve {

/// manifest.json of a version directory. It is written last, so a folder without one is not complete.
struct Manifest final {
  struct File final {
    uint64_t bytes = 0;
    std::string sha256; // hexadecimal
  };
  std::string library;               ///< file name of the compiled model
  std::map<std::string, File> files; ///< by name relative to the folder; all but manifest.json
  std::string compiler;              ///< version of mlc
  std::string source;                ///< file name of the model's source
  std::string sourceSha256;
  std::string commit;  ///< git commit of the source; empty where it is not in a repository
  std::string created; ///< RFC 3339, UTC
  std::string sha256;  ///< of manifest.json itself, by which two versions of the same number are told apart

  /// Reads it; throws Error NOT_FOUND where there is none, DATA_LOSS where it is not valid.
  static Manifest read(const std::string &folder);
  /// Throws Error DATA_LOSS that names the file that is missing, of another size or of another hash.
  void verify(const std::string &folder) const;
  /// The text of manifest.json; without `sha256`, which is of this text.
  std::string toJson() const;
};

/// SHA-256 of a file as hexadecimal; throws Error NOT_FOUND.
std::string sha256OfFile(const std::string &path);
std::string sha256OfText(std::string_view text);

} // namespace mlc::serve

#endif
