//===- VersionFolders.cpp - the version directories of a model ---------------------------------------------------===//
#include "runtime/serve/VersionFolders.h"

#include "runtime/serve/Error.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace mlc::serve {

namespace {

/// Names, sizes and times of the files in a folder; equal as long as nobody writes there.
std::string describe(const std::filesystem::path &folder) {
  std::vector<std::string> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    struct stat status;
    if (stat(it->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      files.push_back(it->path().string() + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) +
                      " " + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec));
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const std::string &file : files)
    text += file + "\n";
  return text;
}

/// Hashes the files on a thread that yields to all others.
void verifyInBackground(const Manifest &manifest, const std::string &folder) {
  Status status;
  std::thread([&] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);
    try {
      manifest.verify(folder);
    } catch (...) {
      status = currentExceptionStatus();
    }
  }).join();
  if (!status.ok())
    throw Error(status);
}

} // namespace

std::optional<int64_t> versionNumber(const std::string &name) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || name.front() == '-')
    return std::nullopt;
  return number;
}

void VersionFolders::say(const std::string &text) {
  if (!text.empty() && text != problem)
    log(text);
  problem = text;
}

std::vector<int64_t> VersionFolders::list() {
  names.clear();
  std::vector<std::string> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(itsBase, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored))
      entries.push_back(it->path().filename());
  }
  std::string text;
  if (error)
    text = itsBase + ": cannot be read: " + error.message();
  std::sort(entries.begin(), entries.end()); // of two names for a number always the same one
  for (const std::string &name : entries)
    if (std::optional<int64_t> number = versionNumber(name); number && !names.emplace(*number, name).second)
      text = itsBase + ": '" + name + "' and '" + names[*number] + "' are the same version; the first is ignored";
  if (text.empty() && names.empty())
    text = "No versions of servable found under base path " + itsBase +
           ". Did you forget to name your leaf directory as a number (eg. '/1/')?";
  say(text);
  std::erase_if(seen, [&](const auto &entry) { return !names.count(entry.first); });
  std::vector<int64_t> numbers;
  for (auto it = names.rbegin(); it != names.rend(); ++it)
    numbers.push_back(it->first);
  return numbers;
}

std::shared_ptr<const Manifest> VersionFolders::manifest(int64_t number, const std::string &loaded) {
  std::string path = folder(number), files = describe(path);
  Seen &last = seen[number];
  if (!last.files.empty() && last.files == files)
    return last.manifest;
  last.files = files;
  last.manifest = nullptr;
  std::string problem;
  try {
    auto manifest = std::make_shared<Manifest>(Manifest::read(path));
    if (manifest->sha256 != loaded)
      verifyInBackground(*manifest, path);
    // What was written meanwhile is looked at again.
    if (describe(path) != files)
      last.files.clear();
    else
      last.manifest = manifest;
  } catch (const Error &error) {
    problem = std::string(error.what()) + "; the version is ignored until it is complete";
  }
  if (!problem.empty() && last.problem.empty())
    log(problem);
  last.problem = problem;
  return last.manifest;
}

} // namespace mlc::serve
