//===- OpenInferencePath.cpp - the parts of a path below /v2 -----------------------------------------------------===//
#include "runtime/serve/rest/OpenInferencePath.h"

#include "runtime/serve/http/Message.h"

#include <algorithm>
#include <charconv>

namespace mlc::serve {

namespace {

std::string_view takePart(std::string_view &path) {
  std::string_view part = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(path.size(), part.size() + 1));
  return part;
}

} // namespace

OpenInferencePath OpenInferencePath::parse(std::string_view path) {
  OpenInferencePath parsed;
  path.remove_prefix(std::min<size_t>(path.size(), 4)); // "/v2/"
  // The statistics of all models are where those of a model "stats" would be described.
  if (path.starts_with("models/") && path.size() > 7 && path != "models/stats") {
    path.remove_prefix(7);
    parsed.model.name = http::percentDecoded(takePart(path));
    if (path.starts_with("versions/") && path.size() > 9) {
      path.remove_prefix(9);
      std::string version = http::percentDecoded(takePart(path));
      if (version.find_first_not_of("0123456789") != version.npos) {
        parsed.model.label = version;
      } else {
        int64_t number = 0;
        if (std::from_chars(version.data(), version.data() + version.size(), number).ec != std::errc())
          throw Error(Code::invalidArgument,
                      "failed to get model version from specified version string '" + version.substr(0, 64) + "'");
        parsed.model.version = number;
      }
    }
  }
  parsed.rest = path;
  if (parsed.rest.ends_with('/'))
    parsed.rest.pop_back();
  return parsed;
}

std::shared_ptr<Version> findVersion(const Registry &registry, const ModelSpec &spec) {
  try {
    return registry.find(spec);
  } catch (const Error &error) {
    if (error.code != Code::notFound)
      throw;
    std::string prefix = "Request for unknown model: '" + spec.name.substr(0, 256) + "'";
    std::vector<std::string> models = registry.models();
    if (std::find(models.begin(), models.end(), spec.name) == models.end())
      throw Error(Code::notFound, prefix + " is not found");
    if (!spec.version)
      throw Error(Code::notFound, prefix + " has no available versions");
    std::string version = " version " + std::to_string(*spec.version);
    try {
      for (const VersionStatus &status : registry.statuses(spec.name, spec.version))
        if (status.state != State::end)
          throw Error(Code::unavailable, prefix + version + " is not at ready state");
    } catch (const Error &unknown) {
      if (unknown.code == Code::unavailable)
        throw;
    }
    throw Error(Code::notFound, prefix + version + " is not found");
  }
}

} // namespace mlc::serve
