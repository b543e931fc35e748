//===- Registry.cpp - the models that are served, and their versions ---------------------------------------------===//
//
// All decisions are made on one thread, in turns: look at the folders, load what is missing, take out what was
// replaced. A reload is such a turn on a copy of the models, which becomes the state when it has succeeded; versions
// are shared by both, so the copy costs nothing and a failure leaves no trace. Readers see an immutable snapshot.
//
// What was taken out is freed by that thread when it is the last one that holds it. Memory then goes back to the
// system, and no request pays for it.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/Registry.h"

#include "runtime/serve/ModelConfigs.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <iostream>
#include <malloc.h>
#include <thread>
#include <unordered_map>

namespace mlc::serve {

using tensorflow::serving::ModelConfig;
using tensorflow::serving::ModelServerConfig;

namespace {

/// Versions that have ended and are still listed, of a model.
constexpr size_t maxEnded = 32;
/// How often it is asked whether the last request of a version has ended.
constexpr std::chrono::milliseconds reapInterval{10};

/// A version that is, was or should be served.
struct Slot final {
  VersionStatus status;
  std::shared_ptr<Version> version; // null unless it is available
  std::string hash;                 // of the manifest that was loaded last or tried last
  bool aspired = false;
  int attempts = 0; // that failed since the manifest is this one
  Clock::time_point retry{};
};
using Slots = std::map<int64_t, Slot, std::greater<>>; // newest first

struct Model final {
  ModelConfig config;
  VersionFolders folders;
  Slots slots;
  bool inService = true;
  std::string warning; // that was said last

  bool available() const {
    return std::any_of(slots.begin(), slots.end(), [](const auto &entry) { return entry.second.version != nullptr; });
  }
  bool aspiredAvailable() const {
    return std::any_of(slots.begin(), slots.end(),
                       [](const auto &entry) { return entry.second.aspired && entry.second.version; });
  }
};
using ModelMap = std::map<std::string, Model>;

/// What readers see of a model.
struct View final {
  std::map<int64_t, std::shared_ptr<Version>> versions;
  std::map<std::string, int64_t> labels;
  std::vector<VersionStatus> statuses;
  bool configured = true, inService = true;
};
struct Snapshot final {
  std::unordered_map<std::string, View> models;
  ModelServerConfig config;
};

struct Load final {
  std::string model;
  int64_t number;
  std::string folder;
  std::shared_ptr<const Manifest> manifest;
  std::shared_ptr<Version> version = nullptr;
  Status status = {};
};

/// Out of service, but perhaps with requests.
struct Retired final {
  std::string model;
  std::shared_ptr<Version> version;
  bool ends = false; // whether its number has ended with it, or another version has it now
};

/// Why a model has no version that it should have.
Error unavailable(const std::string &name, const Model &model) {
  Status why{Code::notFound, "no complete version under " + model.folders.base()};
  for (const auto &[number, slot] : model.slots)
    if (slot.aspired && !slot.status.status.ok()) {
      why = slot.status.status;
      break;
    }
  return Error(why.code, "model " + name + " did not become available: " + why.message);
}

Error labelUnavailable(const std::string &model, int64_t number) {
  return Error(Code::failedPrecondition, "Request to assign label to version " + std::to_string(number) + " of model " +
                                             model + ", which is not currently available for inference");
}

} // namespace

struct Registry::Models final {
  Models(const RegistryOptions &options, Scheduler &scheduler) : options(options), scheduler(scheduler) {
    if (!this->options.log)
      this->options.log = [](const std::string &message) { std::cerr << message + "\n"; };
    if (!this->options.load.log)
      this->options.load.log = this->options.log;
    thread = std::thread([this] { work(); });
  }
  ~Models() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    thread.join();
  }

  std::shared_ptr<const Snapshot> look() const {
    std::lock_guard lock(mutex);
    return snapshot;
  }
  void command(std::function<void()> action);
  void start(const ModelServerConfig &config);
  void reload(const ModelServerConfig &config);
  void load(const std::string &name);
  void unload(const std::string &name);
  void poll() { bring(models, /*visible=*/true); }

  RegistryOptions options;
  Scheduler &scheduler;
  mutable std::mutex mutex;
  mutable std::condition_variable changed; // the snapshot
  std::shared_ptr<const Snapshot> snapshot = std::make_shared<Snapshot>();
  std::function<void(const std::string &, const VersionStatus &)> callback;

private:
  using Events = std::vector<std::pair<std::string, VersionStatus>>;

  void work();
  Clock::time_point nextRetry() const;
  ModelMap prepare(const ModelServerConfig &config);
  void bring(ModelMap &models, bool visible);
  void aspire(Model &model, std::vector<Load> &due);
  void load(ModelMap &models, std::vector<Load> &due, bool visible);
  void loaded(ModelMap &models, const Load &load);
  void check(const ModelMap &prepared) const;
  std::shared_ptr<Version> served(const std::string &name, int64_t number) const;
  void takeOutReplaced(Model &model);
  void takeOut(const std::string &model, Slot &slot);
  void reap();
  void set(const std::string &model, Slot &slot, State state, Status status = {});
  void publish();
  void warn(Model &model, const std::string &warning);

  // Of the registry's thread.
  ModelMap models;
  std::map<std::string, Slots> departed; // of models that are not configured
  ModelServerConfig config;
  std::vector<Retired> retired;
  Events events; // since the last publish

  // Guarded by the mutex.
  std::condition_variable wake;
  std::deque<std::function<void()>> commands;
  bool stopping = false;

  std::thread thread;
};

/// Has something done on the registry's thread; waits, and throws what it throws.
void Registry::Models::command(std::function<void()> action) {
  std::packaged_task<void()> task(std::move(action));
  std::future<void> done = task.get_future();
  {
    std::lock_guard lock(mutex);
    if (stopping)
      throw Error(Code::unavailable, "the server is shutting down");
    commands.emplace_back([&task] { task(); });
  }
  wake.notify_all();
  done.get();
}

void Registry::Models::work() {
  Clock::time_point nextPoll = Clock::now() + options.poll;
  std::unique_lock lock(mutex);
  for (;;) {
    Clock::time_point when = options.poll.count() > 0 ? nextPoll : Clock::time_point::max();
    when = std::min(when, nextRetry());
    if (!retired.empty())
      when = std::min(when, Clock::now() + reapInterval);
    auto due = [&] { return stopping || !commands.empty(); };
    if (when == Clock::time_point::max())
      wake.wait(lock, due);
    else
      wake.wait_until(lock, when, due);
    if (stopping && commands.empty())
      return;
    std::function<void()> next;
    if (!commands.empty()) {
      next = std::move(commands.front());
      commands.pop_front();
    }
    lock.unlock();
    if (next) {
      next();
      next = nullptr;
    }
    Clock::time_point now = Clock::now();
    if ((options.poll.count() > 0 && now >= nextPoll) || now >= nextRetry()) {
      try {
        poll();
      } catch (...) {
        options.log("looking at the models failed: " + currentExceptionStatus().message);
      }
      nextPoll = Clock::now() + options.poll;
    }
    reap();
    lock.lock();
  }
}

/// When a version that failed is to be tried again.
Clock::time_point Registry::Models::nextRetry() const {
  Clock::time_point when = Clock::time_point::max();
  for (const auto &[name, model] : models)
    for (const auto &[number, slot] : model.slots)
      if (model.inService && slot.aspired && slot.attempts > 0 && slot.attempts <= options.maxLoadRetries)
        when = std::min(when, slot.retry);
  return when;
}

void Registry::Models::warn(Model &model, const std::string &warning) {
  if (!warning.empty() && warning != model.warning)
    options.log("model " + model.config.name() + ": " + warning);
  model.warning = warning;
}

void Registry::Models::set(const std::string &model, Slot &slot, State state, Status status) {
  slot.status.state = state;
  slot.status.status = std::move(status);
  events.emplace_back(model, slot.status);
}

/// Makes the state visible.
void Registry::Models::publish() {
  auto next = std::make_shared<Snapshot>();
  next->config = config;
  auto list = [](View &view, Slots &slots) {
    size_t ended = 0;
    std::erase_if(slots, [&](const auto &entry) {
      return !entry.second.aspired && entry.second.status.state == State::end && ++ended > maxEnded;
    });
    for (const auto &[number, slot] : slots) {
      view.statuses.push_back(slot.status);
      if (slot.version)
        view.versions.emplace(number, slot.version);
    }
  };
  for (auto &[name, slots] : departed) {
    View &view = next->models[name];
    view.configured = false;
    list(view, slots);
  }
  for (auto &[name, model] : models) {
    View &view = next->models[name];
    view = {};
    view.inService = model.inService;
    view.labels.insert(model.config.version_labels().begin(), model.config.version_labels().end());
    list(view, model.slots);
  }
  std::shared_ptr<const Snapshot> old;
  std::function<void(const std::string &, const VersionStatus &)> tell;
  {
    std::lock_guard lock(mutex);
    old = std::exchange(snapshot, std::move(next));
    tell = callback;
  }
  changed.notify_all();
  for (const auto &[model, status] : std::exchange(events, {}))
    if (tell)
      tell(model, status);
}

/// Decides which versions of a model should be served; adds those that are to be loaded now.
void Registry::Models::aspire(Model &model, std::vector<Load> &due) {
  using Policy = tensorflow::serving::FileSystemStoragePathSourceConfig::ServableVersionPolicy;
  const Policy &policy = model.config.model_version_policy();
  const std::string &name = model.config.name();
  std::vector<int64_t> wanted = model.inService ? model.folders.list() : std::vector<int64_t>();
  std::string missing;
  if (policy.has_specific() && model.inService) {
    std::vector<int64_t> present;
    for (int64_t version : policy.specific().versions())
      if (std::find(wanted.begin(), wanted.end(), version) != wanted.end())
        present.push_back(version);
      else
        missing += (missing.empty() ? "" : ", ") + std::to_string(version);
    wanted = std::move(present);
  }
  size_t most = wanted.size();
  if (!policy.has_specific() && !policy.has_all())
    most = std::max<size_t>(policy.latest().num_versions(), 1);

  std::map<int64_t, std::shared_ptr<const Manifest>> aspired;
  size_t good = 0;
  for (auto it = wanted.begin(); it != wanted.end() && good < most; ++it) {
    auto known = model.slots.find(*it);
    std::shared_ptr<const Manifest> manifest =
        model.folders.manifest(*it, known != model.slots.end() && known->second.version ? known->second.hash : "");
    if (!manifest)
      continue;
    aspired.emplace(*it, manifest);
    bool failed = known != model.slots.end() && !known->second.version && known->second.attempts > 0 &&
                  known->second.hash == manifest->sha256;
    good += !failed;
  }

  if (aspired.empty() && model.inService) {
    if (model.available())
      warn(model, "no complete version is left under " + model.folders.base() +
                      "; those that are loaded stay. To unload the model, take it out of the configuration");
    else if (!missing.empty())
      warn(model, "version " + missing + " was requested, but is not in " + model.folders.base());
    for (auto &[number, slot] : model.slots)
      slot.aspired = slot.aspired && slot.version;
    return;
  }
  warn(model, missing.empty() ? "" : "version " + missing + " was requested, but is not in " + model.folders.base());

  for (auto &[number, slot] : model.slots) {
    slot.aspired = aspired.count(number);
    if (!slot.aspired && !slot.version)
      slot.hash.clear(); // tried anew when it is aspired again
  }
  Clock::time_point now = Clock::now();
  for (const auto &[number, manifest] : aspired) {
    bool added = !model.slots.count(number);
    Slot &slot = model.slots[number];
    slot.aspired = true;
    slot.status.number = number;
    if (added || slot.hash != manifest->sha256 || (!slot.version && slot.attempts == 0)) {
      if (!slot.version)
        set(name, slot, State::start);
      slot.hash = manifest->sha256;
      slot.attempts = 0;
      due.push_back({name, number, model.folders.folder(number), manifest});
    } else if (slot.attempts > 0 && slot.attempts <= options.maxLoadRetries && slot.retry <= now) {
      due.push_back({name, number, model.folders.folder(number), manifest});
    }
  }
}

/// Loads, on the threads that are there for it, and takes over each result as it comes.
void Registry::Models::load(ModelMap &models, std::vector<Load> &due, bool visible) {
  for (Load &load : due)
    if (Slot &slot = models.at(load.model).slots.at(load.number); !slot.version)
      set(load.model, slot, State::loading);
  if (visible)
    publish();

  auto run = [&](Load &load) {
    try {
      load.version = Version::load(load.model, load.number, load.folder, *load.manifest, options.load, scheduler);
    } catch (...) {
      load.status = currentExceptionStatus();
    }
  };
  auto take = [&](Load &load) {
    loaded(models, load);
    load.version = nullptr;
    if (visible)
      publish();
  };
  size_t threads = std::min<size_t>(std::max(options.loadThreads, 0), due.size());
  if (threads == 0) {
    for (Load &load : due) {
      run(load);
      take(load);
    }
    return;
  }
  std::mutex resultsMutex;
  std::condition_variable ended;
  std::deque<Load *> results;
  std::atomic<size_t> next{0};
  std::vector<std::thread> loaders;
  for (size_t i = 0; i < threads; ++i)
    loaders.emplace_back([&] {
      for (size_t index; (index = next++) < due.size();) {
        run(due[index]);
        std::lock_guard lock(resultsMutex);
        results.push_back(&due[index]);
        ended.notify_one();
      }
    });
  for (size_t i = 0; i < due.size(); ++i) {
    std::unique_lock lock(resultsMutex);
    ended.wait(lock, [&] { return !results.empty(); });
    Load *load = results.front();
    results.pop_front();
    lock.unlock();
    take(*load);
  }
  for (std::thread &loader : loaders)
    loader.join();
}

/// Takes over how a load has ended.
void Registry::Models::loaded(ModelMap &models, const Load &load) {
  Slot &slot = models.at(load.model).slots.at(load.number);
  std::string what = "model " + load.model + ", version " + std::to_string(load.number);
  if (load.status.ok()) {
    if (slot.version)
      retired.push_back({load.model, std::move(slot.version)});
    slot.version = load.version;
    slot.attempts = 0;
    set(load.model, slot, State::available);
    options.log(what + ": loaded from " + load.folder);
    return;
  }
  ++slot.attempts;
  slot.retry = Clock::now() + options.loadRetryInterval;
  bool again = slot.attempts <= options.maxLoadRetries;
  options.log(what + ": cannot be loaded" + (slot.version ? ", the one that is loaded stays" : "") +
              (again ? ", will be tried again: " : ": ") + codeName(load.status.code) + ": " + load.status.message);
  if (!slot.version)
    set(load.model, slot, again ? State::loading : State::end, load.status);
}

/// Looks at the folders of models and loads until there is nothing left to load, then takes out what was replaced.
void Registry::Models::bring(ModelMap &models, bool visible) {
  for (;;) {
    std::vector<Load> due;
    for (auto &[name, model] : models)
      aspire(model, due);
    if (due.empty())
      break;
    load(models, due, visible);
  }
  if (!visible)
    return;
  for (auto &[name, model] : models)
    takeOutReplaced(model);
  if (!events.empty())
    publish();
  reap();
}

void Registry::Models::takeOutReplaced(Model &model) {
  for (auto &[number, slot] : model.slots) {
    if (slot.aspired)
      continue;
    if (slot.version && (model.aspiredAvailable() || !model.inService))
      takeOut(model.config.name(), slot);
    else if (!slot.version && (slot.status.state == State::start || slot.status.state == State::loading))
      set(model.config.name(), slot, State::end, slot.status.status);
  }
}

void Registry::Models::takeOut(const std::string &model, Slot &slot) {
  set(model, slot, State::unloading);
  retired.push_back({model, std::exchange(slot.version, nullptr), true});
  slot.hash.clear();
}

/// Frees what was taken out and is held by nobody else. It cannot be found any more, so nobody can begin to hold it.
void Registry::Models::reap() {
  bool freed = false;
  std::erase_if(retired, [&](Retired &entry) {
    if (entry.version.use_count() > 1)
      return false;
    int64_t number = entry.version->number;
    entry.version = nullptr;
    freed = true;
    options.log("model " + entry.model + ", version " + std::to_string(number) + ": unloaded");
    if (!entry.ends)
      return true;
    auto end = [&](Slots &slots) {
      auto slot = slots.find(number);
      if (slot != slots.end() && slot->second.status.state == State::unloading)
        set(entry.model, slot->second, State::end);
    };
    if (auto model = models.find(entry.model); model != models.end())
      end(model->second.slots);
    if (auto model = departed.find(entry.model); model != departed.end())
      end(model->second);
    return true;
  });
  if (!freed)
    return;
  malloc_trim(0);
  publish();
}

/// The models of a valid configuration, with the versions that are loaded.
ModelMap Registry::Models::prepare(const ModelServerConfig &next) {
  ModelMap prepared;
  for (ModelConfig &config : checkedModels(next, this->config)) {
    if (config.has_logging_config())
      options.log("model " + config.name() +
                  ": logging_config has no effect; --access_log logs the calls of all models");
    std::string base = localFolder(config.base_path());
    auto old = models.find(config.name());
    if (old == models.end() || old->second.folders.base() != base) {
      prepared.emplace(config.name(), Model{config, VersionFolders(base, options.log), {}, true, ""});
      continue;
    }
    Model &model = prepared.emplace(config.name(), old->second).first->second;
    if (model.config.model_version_policy().SerializeAsString() != config.model_version_policy().SerializeAsString())
      for (auto &[number, slot] : model.slots)
        slot.aspired = false; // not because of the old policy
    model.config = config;
  }
  return prepared;
}

void Registry::Models::start(const ModelServerConfig &next) {
  if (next.config_case() == ModelServerConfig::CONFIG_NOT_SET)
    return;
  models = prepare(next);
  config = next;
  publish();
  poll();
}

/// Throws unless models can be served as a new configuration says.
void Registry::Models::check(const ModelMap &prepared) const {
  for (const auto &[name, model] : prepared) {
    auto old = models.find(name);
    bool changed = old == models.end() || old->second.config.SerializeAsString() != model.config.SerializeAsString();
    if (changed && model.inService && !model.aspiredAvailable())
      throw unavailable(name, model);
    for (const auto &[label, number] : model.config.version_labels()) {
      auto slot = model.slots.find(number);
      if (slot != model.slots.end() && slot->second.version && slot->second.aspired)
        continue;
      bool isNew = old == models.end() || !old->second.config.version_labels().count(label);
      if (changed && !(options.labelsForUnavailable && isNew))
        throw labelUnavailable(name, number);
    }
  }
}

void Registry::Models::reload(const ModelServerConfig &next) {
  if (next.config_case() == ModelServerConfig::CONFIG_NOT_SET)
    return;
  ModelMap prepared = prepare(next);
  size_t retiredBefore = retired.size();
  try {
    bring(prepared, /*visible=*/false);
    check(prepared);
  } catch (...) {
    // What was replaced in the copy is still served; what was loaded for it goes.
    retired.resize(retiredBefore);
    events.clear();
    for (auto &[name, model] : prepared)
      for (auto &[number, slot] : model.slots)
        if (slot.version && slot.version != served(name, number))
          retired.push_back({name, std::move(slot.version)});
    throw;
  }

  ModelMap old = std::exchange(models, std::move(prepared));
  config = next;
  for (auto &[name, model] : models)
    if (auto back = departed.extract(name))
      model.slots.merge(back.mapped());
  for (auto &[name, model] : old) {
    auto now = models.find(name);
    if (now != models.end() && now->second.folders.base() == model.folders.base())
      continue; // its versions are in the copy
    Slots &slots = now == models.end() ? departed[name] : now->second.slots;
    for (auto &[number, slot] : model.slots) {
      slot.aspired = false;
      if (slot.version && slots.count(number))
        retired.push_back({name, std::move(slot.version)});
      else if (slot.version)
        takeOut(name, slot);
      else if (slot.status.state != State::unloading)
        slot.status.state = State::end;
      slots.emplace(number, std::move(slot));
    }
  }
  old.clear(); // lets go of the versions
  for (auto &[name, model] : models)
    takeOutReplaced(model);
  publish();
  reap();
}

/// The version that is available under a number, or null.
std::shared_ptr<Version> Registry::Models::served(const std::string &name, int64_t number) const {
  auto model = models.find(name);
  if (model == models.end())
    return nullptr;
  auto slot = model->second.slots.find(number);
  return slot == model->second.slots.end() ? nullptr : slot->second.version;
}

void Registry::Models::load(const std::string &name) {
  auto found = models.find(name);
  if (found == models.end())
    throw Error(Code::notFound, "Could not find any versions of model " + name);
  Model &model = found->second;
  model.inService = true;
  for (auto &[number, slot] : model.slots)
    if (!slot.version)
      slot.attempts = 0;
  bring(models, /*visible=*/true);
  if (!model.aspiredAvailable())
    throw unavailable(name, model);
}

void Registry::Models::unload(const std::string &name) {
  auto found = models.find(name);
  if (found == models.end())
    throw Error(Code::notFound, "Could not find any versions of model " + name);
  Model &model = found->second;
  model.inService = false;
  for (auto &[number, slot] : model.slots)
    slot.aspired = false;
  takeOutReplaced(model);
  publish();
  reap();
}

Registry::Registry(const RegistryOptions &options, Scheduler &scheduler)
    : served(std::make_unique<Models>(options, scheduler)) {}

Registry::~Registry() = default;

std::shared_ptr<Version> Registry::find(const ModelSpec &spec) const {
  std::shared_ptr<const Snapshot> now = served->look();
  auto model = now->models.find(spec.name);
  const std::map<int64_t, std::shared_ptr<Version>> *versions = nullptr;
  if (model != now->models.end())
    versions = &model->second.versions;
  std::optional<int64_t> number = spec.version;
  if (!number && !spec.label.empty()) {
    if (!versions || !model->second.labels.count(spec.label))
      throw Error(Code::invalidArgument, "Unrecognized servable version label: " + spec.label);
    number = model->second.labels.at(spec.label);
  }
  if (versions && !number && !versions->empty())
    return versions->rbegin()->second;
  if (versions && number)
    if (auto version = versions->find(*number); version != versions->end())
      return version->second;
  throw Error(Code::notFound, "Servable not found for request: " +
                                  (number ? "Specific(" + spec.name + ", " + std::to_string(*number) + ")"
                                          : "Latest(" + spec.name + ")"));
}

std::vector<std::shared_ptr<Version>> Registry::available(const std::string &model) const {
  std::shared_ptr<const Snapshot> now = served->look();
  std::vector<std::shared_ptr<Version>> versions;
  if (auto found = now->models.find(model); found != now->models.end())
    for (const auto &[number, version] : found->second.versions)
      versions.push_back(version);
  return versions;
}

std::vector<VersionStatus> Registry::statuses(const std::string &model, std::optional<int64_t> version) const {
  std::shared_ptr<const Snapshot> now = served->look();
  auto found = now->models.find(model);
  if (found == now->models.end() || found->second.statuses.empty())
    throw Error(Code::notFound, "Could not find any versions of model " + model);
  if (!version)
    return found->second.statuses;
  for (const VersionStatus &status : found->second.statuses)
    if (status.number == *version)
      return {status};
  throw Error(Code::notFound, "Could not find version " + std::to_string(*version) + " of model " + model);
}

std::vector<std::string> Registry::models() const {
  std::shared_ptr<const Snapshot> now = served->look();
  std::vector<std::string> names;
  for (const auto &[name, view] : now->models)
    if (view.configured)
      names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, int64_t> Registry::labels(const std::string &model) const {
  std::shared_ptr<const Snapshot> now = served->look();
  auto found = now->models.find(model);
  return found == now->models.end() ? std::map<std::string, int64_t>() : found->second.labels;
}

bool Registry::ready() const {
  std::shared_ptr<const Snapshot> now = served->look();
  return std::all_of(now->models.begin(), now->models.end(), [](const auto &entry) {
    const View &view = entry.second;
    return !view.configured || !view.inService || !view.versions.empty();
  });
}

bool Registry::waitUntilReady(const std::function<bool()> &stop) const {
  while (!ready()) {
    std::shared_ptr<const Snapshot> now = served->look();
    for (const auto &[name, view] : now->models) {
      bool failed = view.configured && view.inService && !view.statuses.empty() &&
                    std::all_of(view.statuses.begin(), view.statuses.end(), [](const VersionStatus &status) {
                      return status.state == State::end && !status.status.ok();
                    });
      if (failed)
        throw Error(view.statuses.front().status.code,
                    "model " + name + " did not become available: " + view.statuses.front().status.message);
    }
    if (stop())
      return false;
    std::unique_lock lock(served->mutex);
    served->changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return served->snapshot != now; });
  }
  std::shared_ptr<const Snapshot> now = served->look();
  if (!served->options.labelsForUnavailable)
    for (const auto &[name, view] : now->models)
      for (const auto &[label, number] : view.labels)
        if (!view.versions.count(number))
          throw labelUnavailable(name, number);
  return true;
}

void Registry::start(const ModelServerConfig &config) {
  served->command([&] { served->start(config); });
}
void Registry::reload(const ModelServerConfig &config) {
  served->command([&] { served->reload(config); });
}
ModelServerConfig Registry::config() const { return served->look()->config; }

void Registry::load(const std::string &model) {
  served->command([&] { served->load(model); });
}
void Registry::unload(const std::string &model) {
  served->command([&] { served->unload(model); });
}
void Registry::poll() {
  served->command([&] { served->poll(); });
}

void Registry::onChange(std::function<void(const std::string &model, const VersionStatus &status)> callback) {
  std::lock_guard lock(served->mutex);
  served->callback = std::move(callback);
}

} // namespace mlc::serve
