//===- Repository.h - publishing, withdrawing and listing the versions of a model ----------------------- -*- C++
//-*-===//
//
// A model's folder holds version directories by number, as servers read it. A version that was withdrawn keeps its
// files under N.withdrawn, which no server takes for a version. So a server that follows the policy `latest` follows
// every publish and rollback, and both become visible by one rename: a kill at any moment leaves the state before it or
// the state behind it. What a killed publish has copied is removed by the next one. history.jsonl says what was done.
// Commands exclude each other by a lock on the folder, which ends with the process.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_RUNTIME_SERVE_REPOSITORY_H
#define MLC_RUNTIME_SERVE_REPOSITORY_H

#include "runtime/serve/Manifest.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mlc::serve {

struct PublishOptions final {
  std::optional<int64_t> version;               ///< the next number where it is not said
  std::map<std::string, std::string> additions; ///< further files: paths by their names in the version directory
  bool check = true; ///< whether the version is loaded, warmed up and compared with its golden outputs before
};

/// A version directory.
struct PublishedVersion final {
  int64_t number = 0;
  std::string folder;
  bool withdrawn = false;
  std::string problem; ///< why it is not complete, or empty
  Manifest manifest;   ///< where it is complete
};

/// A line of history.jsonl.
struct HistoryEntry final {
  std::string time;               ///< RFC 3339, UTC
  std::string action;             ///< publish or rollback
  int64_t version = 0;            ///< that was published, or that is the latest since
  std::vector<int64_t> withdrawn; ///< by the rollback
  std::string sha256;             ///< of the version's manifest
};

class Repository final {
public:
  /// `folder`: of a model; need not be there yet.
  explicit Repository(const std::string &folder);

  /// Copies a version directory, or a compiled library with its weights, and makes it a version; returns its number.
  /// Throws Error with what is wrong with the source; ALREADY_EXISTS for a number that was used.
  int64_t publish(const std::string &source, const PublishOptions &options);

  /// Makes an earlier version the latest: the one before, or `version`, which may have been withdrawn itself. Returns
  /// its number. Throws Error FAILED_PRECONDITION or NOT_FOUND where there is none that is complete.
  int64_t rollback(std::optional<int64_t> version);

  /// Highest first.
  std::vector<PublishedVersion> versions() const;
  /// Oldest first; lines that are cut off by a crash are left out.
  std::vector<HistoryEntry> history() const;

private:
  std::vector<PublishedVersion> scan() const; // without reading them
  void record(const HistoryEntry &entry) const;

  std::string folder;
};

} // namespace mlc::serve

#endif
