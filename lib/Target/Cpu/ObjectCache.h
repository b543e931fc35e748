//===- ObjectCache.h - objects that were compiled before ----------------------------------------------------------===//
#ifndef MLC_LIB_TARGET_CPU_OBJECTCACHE_H
#define MLC_LIB_TARGET_CPU_OBJECTCACHE_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace mlc {

/// Objects by the hash of what they are compiled from, in a folder that several compilations may use at once. Whatever
/// goes wrong with the folder costs time, never a compilation. Calls from several threads are safe.
class ObjectCache final {
public:
  /// `folder` empty: nothing is found and nothing is kept.
  explicit ObjectCache(std::string folder);

  /// $MLC_CACHE_DIR, $XDG_CACHE_HOME/mlc or ~/.cache/mlc; empty where there is none of them.
  static std::string defaultFolder();

  /// The hash of `bitcode`, of `target` and of this compiler.
  std::string keyOf(llvm::StringRef bitcode, llvm::StringRef target) const;

  /// The object of `key`; nothing where it is not there or not intact.
  std::optional<std::string> find(const std::string &key) const;
  void store(const std::string &key, llvm::StringRef object) const;

  /// Removes the oldest objects beyond the size that the folder may have.
  void prune() const;

private:
  std::string folder, compiler;
};

} // namespace mlc

#endif
