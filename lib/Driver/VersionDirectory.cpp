//===- VersionDirectory.cpp - a compiled model as servers take it ------------------------------------------------===//
//
// Everything is written into a hidden folder beside the one that is asked for, reaches the disk, and gets its name by
// one rename; a server that looks meanwhile sees nothing, or the version that was there. What manifest.json says is in
// docs/Serving.md. The commit is read from the files of git, which need not be installed.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Driver/VersionDirectory.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <iostream>
#include <map>
#include <stdio.h>
#include <unistd.h>

using namespace llvm;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace mlc {

namespace {

Error failed(const Twine &what, StringRef file, std::error_code error) {
  return createStringError(error, what + " '" + file + "': " + error.message());
}

StringRef withoutSlashes(StringRef output) { return output.rtrim('/'); }

Expected<std::string> sha256(const std::string &file) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(file, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return failed("cannot read", file, buffer.getError());
  return toHex(SHA256::hash(arrayRefFromStringRef((*buffer)->getBuffer())), /*LowerCase=*/true);
}

/// The text of a small file without white space around it, or nothing.
std::string readLine(const Twine &file) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(file);
  return buffer ? (*buffer)->getBuffer().trim().str() : "";
}

bool isCommit(StringRef text) { return (text.size() == 40 || text.size() == 64) && all_of(text, isHexDigit); }

/// The commit that a repository is at, or nothing where it has none yet.
std::string commitOf(const std::string &git) {
  std::string head = readLine(git + "/HEAD");
  StringRef reference(head);
  if (!reference.consume_front("ref: "))
    return isCommit(head) ? head : "";
  // A work tree beside the main one has its HEAD alone; branches are the main one's.
  std::string common = readLine(git + "/commondir");
  SmallString<256> shared(git);
  if (path::is_absolute(common))
    shared = common;
  else if (!common.empty())
    path::append(shared, common);
  for (const std::string &place : {git, shared.str().str()})
    if (std::string commit = readLine(place + "/" + reference); isCommit(commit))
      return commit;
  std::string packed = readLine(shared + "/packed-refs");
  for (StringRef line : split(packed, '\n')) {
    auto [commit, name] = line.split(' ');
    if (name == reference && isCommit(commit))
      return commit.str();
  }
  return "";
}

/// The commit of the repository that a file is in, or nothing.
std::string commitOfSource(StringRef source) {
  SmallString<256> folder(source);
  if (fs::make_absolute(folder))
    return "";
  path::remove_dots(folder, /*remove_dot_dot=*/true);
  for (StringRef place = path::parent_path(folder); !place.empty(); place = path::parent_path(place)) {
    std::string git = place.str() + "/.git";
    if (fs::is_directory(git))
      return commitOf(git);
    std::string pointer = readLine(git); // of a work tree or a submodule
    StringRef target(pointer);
    if (target.consume_front("gitdir: "))
      return commitOf(path::is_absolute(target) ? target.str() : place.str() + "/" + target.str());
  }
  return "";
}

/// The time of the build, in UTC; SOURCE_DATE_EPOCH sets it for builds that are to be the same bytes.
std::string now() {
  std::time_t time = std::time(nullptr);
  if (std::optional<std::string> fixed = sys::Process::GetEnv("SOURCE_DATE_EPOCH"))
    time = static_cast<std::time_t>(std::strtoll(fixed->c_str(), nullptr, 10));
  std::tm parts;
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// Returns when a file, or the entries of a folder, are on the disk.
Error sync(const std::string &file) {
  int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  int code = descriptor < 0 || fsync(descriptor) != 0 ? errno : 0;
  if (descriptor >= 0)
    close(descriptor);
  return code ? failed("cannot write", file, std::error_code(code, std::generic_category())) : Error::success();
}

/// The folder in which a version comes to be; removed at the end of its life.
class Staging final {
public:
  explicit Staging(StringRef output) : output(withoutSlashes(output)) {
    StringRef parent = path::parent_path(this->output);
    folder = (parent.empty() ? "." : parent).str() + "/." + path::filename(this->output).str() + ".tmp" +
             std::to_string(sys::Process::getProcessId());
  }
  ~Staging() { fs::remove_directories(folder); }

  Error make() {
    if (std::error_code error = fs::create_directories(folder, /*IgnoreExisting=*/true, fs::perms::all_all))
      return failed("cannot make the folder", folder, error);
    return Error::success();
  }

  /// Makes it the version directory; one that is there is exchanged, so that there always is one.
  Error commit() {
    bool replaces = fs::is_directory(output);
    if (renameat2(AT_FDCWD, folder.c_str(), AT_FDCWD, output.c_str(), replaces ? RENAME_EXCHANGE : 0) != 0)
      return failed("cannot write", output, std::error_code(errno, std::generic_category()));
    return sync(path::parent_path(folder).str());
  }

  const std::string output;
  std::string folder;
};

/// Writes manifest.json for the files of a folder.
Error writeManifest(const std::string &folder, const std::string &library, const std::string &source) {
  std::map<std::string, std::pair<uint64_t, std::string>> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    Expected<std::string> hash = sha256(it->path());
    if (!hash)
      return hash.takeError();
    uint64_t bytes = 0;
    if (std::error_code unknown = fs::file_size(it->path(), bytes))
      return failed("cannot read", it->path(), unknown);
    files[path::filename(it->path()).str()] = {bytes, *hash};
    if (Error unwritten = sync(it->path()))
      return unwritten;
  }
  Expected<std::string> sourceHash = sha256(source);
  if (!sourceHash)
    return sourceHash.takeError();

  std::string manifest = folder + "/manifest.json";
  raw_fd_ostream out(manifest, error);
  if (error)
    return failed("cannot write", manifest, error);
  json::OStream json(out, 2);
  json.object([&] {
    json.attribute("format", 1);
    json.attribute("library", library);
    json.attributeObject("files", [&] {
      for (const auto &[name, file] : files)
        json.attributeObject(name, [&] {
          json.attribute("bytes", static_cast<int64_t>(file.first));
          json.attribute("sha256", file.second);
        });
    });
    json.attribute("compiler", kVersion);
    json.attributeObject("source", [&] {
      json.attribute("file", path::filename(source));
      json.attribute("sha256", *sourceHash);
      json.attribute("commit", commitOfSource(source));
    });
    json.attribute("created", now());
  });
  json.flush();
  out << "\n";
  out.close();
  if (out.has_error()) {
    error = out.error();
    out.clear_error();
    return failed("cannot write", manifest, error);
  }
  if (Error unwritten = sync(manifest))
    return unwritten;
  return sync(folder);
}

} // namespace

bool hasVersionNumber(StringRef output) {
  int64_t number;
  StringRef name = path::filename(withoutSlashes(output));
  return all_of(name, isDigit) && !name.getAsInteger(10, number);
}

bool isVersionDirectory(StringRef output) {
  return output.ends_with("/") || (hasVersionNumber(output) && fs::is_directory(output));
}

ExitCode compileVersionDirectory(const CompileOptions &options,
                                 function_ref<ExitCode(const CompileOptions &)> compileLibrary) {
  auto fail = [&](Error error) {
    std::cerr << "mlc-opt: " << options.input << ": " << toString(std::move(error)) << "\n";
    return exitBadInput;
  };
  Staging staging(options.output);
  if (Error error = staging.make())
    return fail(std::move(error));
  std::string library = "lib" + path::stem(options.input).str() + ".so";
  CompileOptions inner = options;
  inner.output = staging.folder + "/" + library;
  if (ExitCode code = compileLibrary(inner); code != exitDone)
    return code;
  // A server needs no header.
  std::error_code error;
  for (fs::directory_iterator it(staging.folder, error), end; !error && it != end; it.increment(error))
    if (StringRef extension = path::extension(it->path()); extension != ".so" && extension != ".weights")
      fs::remove(it->path());
  if (!options.labels.empty())
    if (std::error_code problem = fs::copy_file(options.labels, staging.folder + "/labels.txt"))
      return fail(failed("cannot copy", options.labels, problem));
  if (Error problem = writeManifest(staging.folder, library, options.input))
    return fail(std::move(problem));
  if (Error problem = staging.commit())
    return fail(std::move(problem));
  return exitDone;
}

} // namespace mlc
