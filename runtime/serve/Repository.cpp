//===- Repository.cpp - publishing, withdrawing and listing the versions of a model ------------------------------===//
#include "runtime/serve/Repository.h"

#include "runtime/serve/Version.h"
#include "runtime/serve/VersionFolders.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

namespace mlc::serve {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view withdrawnSuffix = ".withdrawn";
constexpr std::string_view stagingPrefix = ".publish-";

Error cannot(const std::string &what, const std::string &path, int error = errno) {
  return Error(error == EACCES || error == EPERM || error == EROFS ? Code::permissionDenied : Code::internal,
               "cannot " + what + " '" + path + "': " + std::strerror(error));
}

/// An open file or folder.
class Descriptor final {
public:
  Descriptor(const std::string &path, int flags) : value(open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (value < 0)
      throw cannot("open", path);
  }
  ~Descriptor() { close(value); }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  const int value;
};

/// Excludes other commands on the folder until the end of its life, or of the process.
class Lock final {
public:
  explicit Lock(const std::string &folder) : file(folder + "/.lock", O_RDWR | O_CREAT) {
    while (flock(file.value, LOCK_EX) != 0)
      if (errno != EINTR)
        throw cannot("lock", folder);
  }

private:
  Descriptor file;
};

/// Returns when a file, or the entries of a folder, are on the disk.
void sync(const std::string &path) {
  Descriptor file(path, O_RDONLY);
  if (fsync(file.value) != 0)
    throw cannot("write", path);
}

void syncAll(const std::string &folder) {
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_symlink())
      sync(entry.path());
  sync(folder);
}

void rename(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw cannot("rename", from);
}

void copyFile(const std::string &from, const std::string &to) {
  std::error_code error;
  fs::create_directories(fs::path(to).parent_path(), error);
  if (!error)
    fs::copy_file(from, to, error);
  if (error)
    throw Error(error == std::errc::no_such_file_or_directory ? Code::notFound : Code::internal,
                "cannot copy '" + from + "': " + error.message());
}

std::string now() {
  std::time_t time = std::time(nullptr);
  std::tm parts;
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Manifest::File describe(const std::string &path) { return {fs::file_size(path), sha256OfFile(path)}; }

/// Copies a library and the weights beside it; the manifest says no more than that.
Manifest copyLibrary(const fs::path &library, const std::string &staging) {
  Manifest manifest;
  manifest.library = library.filename();
  copyFile(library, staging + "/" + manifest.library);
  std::string stem = library.stem();
  fs::path weights = library.parent_path() / ((stem.starts_with("lib") ? stem.substr(3) : stem) + ".weights");
  manifest.files[manifest.library];
  if (fs::exists(weights)) {
    copyFile(weights, staging + "/" + weights.filename().string());
    manifest.files[weights.filename()];
  }
  for (auto &[name, file] : manifest.files)
    file = describe(staging + "/" + name);
  manifest.created = now();
  return manifest;
}

/// Copies a complete version directory, and checks the copy.
Manifest copyVersion(const std::string &source, const std::string &staging) {
  Manifest manifest = Manifest::read(source);
  for (const auto &[name, file] : manifest.files)
    copyFile(source + "/" + name, staging + "/" + name);
  manifest.verify(staging);
  return manifest;
}

/// Removes what publishes that were killed have left.
void removeLeftovers(const std::string &folder) {
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with(stagingPrefix))
      fs::remove_all(entry.path());
}

/// Reads and verifies a version; whether it is complete.
bool inspect(PublishedVersion &version) {
  try {
    version.manifest = Manifest::read(version.folder);
    version.manifest.verify(version.folder);
  } catch (const Error &problem) {
    version.problem = problem.what();
  }
  return version.problem.empty();
}

} // namespace

Repository::Repository(const std::string &folder) : folder(folder) {
  while (this->folder.size() > 1 && this->folder.back() == '/')
    this->folder.pop_back();
}

std::vector<PublishedVersion> Repository::scan() const {
  std::vector<PublishedVersion> versions;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename();
    PublishedVersion version;
    version.folder = it->path();
    if (name.ends_with(withdrawnSuffix)) {
      version.withdrawn = true;
      name.resize(name.size() - withdrawnSuffix.size());
    }
    std::optional<int64_t> number = versionNumber(name);
    std::error_code ignored;
    if (!number || !it->is_directory(ignored))
      continue;
    version.number = *number;
    versions.push_back(std::move(version));
  }
  std::sort(versions.begin(), versions.end(), [](const PublishedVersion &left, const PublishedVersion &right) {
    return left.number != right.number ? left.number > right.number : left.withdrawn < right.withdrawn;
  });
  return versions;
}

std::vector<PublishedVersion> Repository::versions() const {
  std::vector<PublishedVersion> versions = scan();
  for (PublishedVersion &version : versions)
    inspect(version);
  return versions;
}

int64_t Repository::publish(const std::string &source, const PublishOptions &options) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(Code::internal, "cannot make the folder '" + folder + "': " + error.message());
  if (!fs::exists(source))
    throw Error(Code::notFound, "'" + source + "' is not there");
  Lock lock(folder);
  removeLeftovers(folder);

  int64_t next = 1;
  for (const PublishedVersion &version : scan()) {
    if (version.number == options.version)
      throw Error(Code::alreadyExists, folder + ": version " + std::to_string(version.number) + " is there" +
                                           (version.withdrawn ? ", and was withdrawn" : ""));
    next = std::max(next, version.number + 1);
  }
  int64_t number = options.version.value_or(next);

  std::string staging = folder + "/" + std::string(stagingPrefix) + std::to_string(getpid());
  fs::create_directory(staging);
  try {
    Manifest manifest =
        fs::is_directory(source) ? copyVersion(source, staging) : copyLibrary(fs::absolute(source), staging);
    for (const auto &[name, from] : options.additions) {
      if (manifest.files.count(name))
        throw Error(Code::alreadyExists, "'" + source + "' has a file '" + name + "' of its own");
      copyFile(from, staging + "/" + name);
      manifest.files[name] = describe(staging + "/" + name);
    }
    std::ofstream(staging + "/manifest.json", std::ios::binary) << manifest.toJson();
    manifest = Manifest::read(staging);
    if (options.check) {
      Scheduler scheduler(1);
      Version::load(fs::path(folder).filename(), number, staging, manifest, LoadOptions(), scheduler);
    }
    syncAll(staging);
    rename(staging, folder + "/" + std::to_string(number));
    sync(folder);
    record({now(), "publish", number, {}, manifest.sha256});
  } catch (...) {
    fs::remove_all(staging, error);
    throw;
  }
  return number;
}

int64_t Repository::rollback(std::optional<int64_t> wanted) {
  if (!fs::is_directory(folder))
    throw Error(Code::notFound, "'" + folder + "' is not there");
  Lock lock(folder);
  std::vector<PublishedVersion> all = scan();
  const PublishedVersion *latest = nullptr, *target = nullptr;
  for (PublishedVersion &version : all) {
    bool candidate = wanted ? version.number == *wanted : latest && !version.withdrawn;
    if ((latest || version.withdrawn) && (target || !candidate))
      continue; // which need not be read
    if (!inspect(version))
      continue;
    if (candidate && !target)
      target = &version;
    if (!version.withdrawn && !latest)
      latest = &version;
  }
  if (!target && wanted)
    throw Error(Code::notFound, folder + ": no complete version " + std::to_string(*wanted));
  if (!latest && !target)
    throw Error(Code::notFound, folder + ": no complete version");
  if (!target)
    throw Error(Code::failedPrecondition,
                folder + ": no complete version before " + std::to_string(latest->number) + " to go back to");
  if (target == latest)
    throw Error(Code::failedPrecondition, folder + ": version " + std::to_string(target->number) + " is the latest");

  // The target first. Then lower ones before higher ones, so that the latest stays the latest until the last rename.
  if (target->withdrawn)
    rename(target->folder, target->folder.substr(0, target->folder.size() - withdrawnSuffix.size()));
  std::vector<int64_t> withdrawn;
  for (auto version = all.rbegin(); version != all.rend(); ++version)
    if (!version->withdrawn && version->number > target->number) {
      rename(version->folder, version->folder + std::string(withdrawnSuffix));
      withdrawn.push_back(version->number);
    }
  sync(folder);
  record({now(), "rollback", target->number, withdrawn, target->manifest.sha256});
  return target->number;
}

void Repository::record(const HistoryEntry &entry) const {
  nlohmann::ordered_json line = {{"time", entry.time}, {"action", entry.action}, {"version", entry.version}};
  if (!entry.withdrawn.empty())
    line["withdrawn"] = entry.withdrawn;
  line["sha256"] = entry.sha256;
  std::string path = folder + "/history.jsonl", text = line.dump() + "\n";
  Descriptor file(path, O_RDWR | O_CREAT | O_APPEND);
  // Behind a line that a crash has cut off, a new one begins.
  char last = '\n';
  off_t size = lseek(file.value, 0, SEEK_END);
  if (size > 0 && pread(file.value, &last, 1, size - 1) == 1 && last != '\n')
    text = "\n" + text;
  if (write(file.value, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(file.value) != 0)
    throw cannot("write", path);
}

std::vector<HistoryEntry> Repository::history() const {
  std::vector<HistoryEntry> entries;
  std::ifstream file(folder + "/history.jsonl");
  for (std::string line; std::getline(file, line);) {
    nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object())
      continue;
    HistoryEntry entry;
    try {
      entry.time = parsed.value("time", "");
      entry.action = parsed.value("action", "");
      entry.version = parsed.value("version", int64_t(0));
      entry.withdrawn = parsed.value("withdrawn", std::vector<int64_t>());
      entry.sha256 = parsed.value("sha256", "");
    } catch (const nlohmann::json::exception &) {
      continue; // somebody else's line
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

} // namespace mlc::serve
