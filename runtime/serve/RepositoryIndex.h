//===- RepositoryIndex.h - the models and versions as Triton lists them -------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_REPOSITORYINDEX_H
#define MLC_RUNTIME_SERVE_REPOSITORYINDEX_H

#include "runtime/serve/Registry.h"

namespace mlc::serve {

/// A version that was ever aspired; a model without one has an entry whose other members are empty.
struct IndexEntry final {
  std::string model, version;
  std::string state;  ///< "READY", "LOADING", "UNLOADING" or "UNAVAILABLE"
  std::string reason; ///< why it is not ready
};

/// All configured models, by name; with `readyOnly` the versions that serve alone.
std::vector<IndexEntry> repositoryIndex(const Registry &registry, bool readyOnly);

} // namespace mlc::serve

#endif
