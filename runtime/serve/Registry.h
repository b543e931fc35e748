//===- Registry.h - the models that are served, and their versions ------------------------------------ -*- C++ -*-===//
#ifndef MLC_RUNTIME_SERVE_REGISTRY_H
#define MLC_RUNTIME_SERVE_REGISTRY_H

#include "runtime/serve/Error.h"
#include "runtime/serve/Version.h"
#include "runtime/serve/VersionFolders.h"
#include "tensorflow_serving.pb.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlc::serve {

/// Numbers of ModelVersionStatus.State.
enum class State : int { start = 10, loading = 20, available = 30, unloading = 40, end = 50 };

struct VersionStatus final {
  int64_t number = 0;
  State state = State::start;
  Status status; ///< why it ended, or OK
};

/// Which version of which model; the latest one where neither number nor label is given.
struct ModelSpec final {
  std::string name;
  std::optional<int64_t> version;
  std::string label;
};

struct RegistryOptions final {
  std::chrono::milliseconds poll{1000}; ///< of the models' folders; 0: once, below 0: never
  int maxLoadRetries = 5;
  std::chrono::microseconds loadRetryInterval{60'000'000};
  int loadThreads = 0;               ///< 0: loads are done one by one on the registry's thread
  bool labelsForUnavailable = false; ///< whether new labels may point at versions that are not available
  LoadOptions load;
  Log log; ///< what an operator should know; null for standard error
};

/// The served models. A thread of its own looks at the folders, loads and unloads; `find` and what only asks see a
/// snapshot and never wait for it. Thread-safe.
///
/// A version is loaded before those that it replaces are taken out, and these are freed when their last request has
/// ended. Where nothing valid is left in a model's folder, what is loaded stays: who wants a model gone takes it out of
/// the configuration. A version that cannot be loaded does not count for the policy `latest`, so the one before it is
/// served. A folder whose manifest.json has changed is another version of the same number, and is loaded again.
class Registry final {
public:
  Registry(const RegistryOptions &options, Scheduler &scheduler);
  ~Registry();
  Registry(const Registry &) = delete;
  Registry &operator=(const Registry &) = delete;

  /// The version that a request means. Throws Error NOT_FOUND "Servable not found for request: Latest(NAME)" or
  /// "…Specific(NAME, N)", INVALID_ARGUMENT for an unknown label.
  std::shared_ptr<Version> find(const ModelSpec &spec) const;

  /// The versions of a model that are served, the lowest number first; none where there is no such model.
  std::vector<std::shared_ptr<Version>> available(const std::string &model) const;

  /// Versions that were ever aspired, newest first, also of models that are no longer configured; throws Error
  /// NOT_FOUND as TensorFlow Serving words it. Of those that ended, a few are kept.
  std::vector<VersionStatus> statuses(const std::string &model, std::optional<int64_t> version = std::nullopt) const;
  std::vector<std::string> models() const; ///< names, sorted, whether they have available versions or not
  std::map<std::string, int64_t> labels(const std::string &model) const;

  /// Whether all configured models have an available version; those that `unload` took out of service are not asked.
  bool ready() const;

  /// The first configuration: unlike `reload` it is installed although models cannot be loaded yet; they are tried
  /// again. Returns when everything has been tried once. Throws Error where the configuration is not valid.
  void start(const tensorflow::serving::ModelServerConfig &config);

  /// Waits until `ready`; returns false when `stop` says so before. Throws Error when a model has failed for good, or a
  /// label points at nothing.
  bool waitUntilReady(const std::function<bool()> &stop) const;

  /// Replaces the configuration; returns when every model has an available version. Throws Error and keeps the old
  /// one, all of it, where the new one is not valid, a label points at nothing, or a new model cannot be loaded. An
  /// empty configuration changes nothing, as in TensorFlow Serving; an empty list of models takes all of them out.
  void reload(const tensorflow::serving::ModelServerConfig &config);
  tensorflow::serving::ModelServerConfig config() const;

  /// Triton's explicit control: serves a configured model again, or takes it out of service. Throws Error NOT_FOUND, or
  /// why it cannot be loaded.
  void load(const std::string &model);
  void unload(const std::string &model);

  /// Looks at the folders now, and returns when what it started has ended. For tests and after `load`.
  void poll();

  /// Called after each change of a version's state, on the registry's thread; must not call what waits for it.
  void onChange(std::function<void(const std::string &model, const VersionStatus &status)> callback);

private:
  struct Models;
  std::unique_ptr<Models> served;
};

} // namespace mlc::serve

#endif
