//===- VersionFolders.h - the version directories of a model ------------------------------------------ -*- C++ -*-===//
//
// A version directory counts only when its manifest.json is complete and all that it names is there with its hash. A
// folder that is being copied is therefore not seen until the copy has ended. Hashing is done once: again only when a
// file has another size or time. It has a thread of its own with the lowest priority, so that requests do not feel it.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_SERVE_VERSIONFOLDERS_H
#define MLC_RUNTIME_SERVE_VERSIONFOLDERS_H

#include "runtime/serve/Log.h"
#include "runtime/serve/Manifest.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlc::serve {

class VersionFolders final {
public:
  VersionFolders(std::string base, Log log) : itsBase(std::move(base)), log(std::move(log)) {}

  const std::string &base() const { return itsBase; }

  /// Looks at the folder again; returns the numbers in it, highest first, whether they are complete or not.
  std::vector<int64_t> list();

  /// The manifest of a complete version, or null; says once why it is not complete. `loaded` is the hash of a manifest
  /// that was verified before, when that version was loaded.
  std::shared_ptr<const Manifest> manifest(int64_t number, const std::string &loaded);

  /// The folder of a number that `list` has returned.
  std::string folder(int64_t number) const { return itsBase + "/" + names.at(number); }

private:
  struct Seen final {
    std::string files; // what the folder looked like: names, sizes, times
    std::shared_ptr<const Manifest> manifest;
    std::string problem; // that was said
  };
  void say(const std::string &problem);

  std::string itsBase;
  Log log;
  std::map<int64_t, std::string> names; // of folders
  std::map<int64_t, Seen> seen;
  std::string problem; // that was said of the base path
};

/// The number that the name of a version directory means: decimal digits of an int64.
std::optional<int64_t> versionNumber(const std::string &name);

} // namespace mlc::serve

#endif
