//===- RepositoryIndex.cpp - the models and versions as Triton lists them ----------------------------------------===//
#include "runtime/serve/RepositoryIndex.h"

namespace mlc::serve {

namespace {

const char *stateName(State state) {
  switch (state) {
  case State::available:
    return "READY";
  case State::start:
  case State::loading:
    return "LOADING";
  case State::unloading:
    return "UNLOADING";
  case State::end:
    break;
  }
  return "UNAVAILABLE";
}

/// None for a model that has no versions yet, which the registry calls an error.
std::vector<VersionStatus> statuses(const Registry &registry, const std::string &model) {
  try {
    return registry.statuses(model);
  } catch (const Error &) {
    return {};
  }
}

} // namespace

std::vector<IndexEntry> repositoryIndex(const Registry &registry, bool readyOnly) {
  std::vector<IndexEntry> index;
  for (const std::string &model : registry.models()) {
    std::vector<VersionStatus> versions = statuses(registry, model);
    if (versions.empty() && !readyOnly)
      index.push_back({model, "", "", ""});
    for (const VersionStatus &version : versions) {
      if (readyOnly && version.state != State::available)
        continue;
      bool unloaded = version.state == State::end && version.status.ok();
      index.push_back({model, std::to_string(version.number), stateName(version.state),
                       unloaded ? "unloaded" : version.status.message});
    }
  }
  return index;
}

} // namespace mlc::serve
