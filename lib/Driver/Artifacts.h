//===- Artifacts.h - files that appear together or not at all ----------------------------------------------------===//
#ifndef MLC_LIB_DRIVER_ARTIFACTS_H
#define MLC_LIB_DRIVER_ARTIFACTS_H

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace mlc {

/// Files that appear together or not at all.
class Artifacts final {
public:
  ~Artifacts() {
    for (const auto &[temporary, path] : files) {
      llvm::sys::fs::remove(temporary);
      llvm::sys::DontRemoveFileOnSignal(temporary);
    }
  }
  /// A temporary file in the same folder that becomes `path`.
  std::string reserve(const std::string &path) {
    std::string temporary = path + ".tmp" + std::to_string(llvm::sys::Process::getProcessId());
    files.emplace_back(temporary, path);
    llvm::sys::RemoveFileOnSignal(temporary); // a kill leaves nothing behind
    return temporary;
  }
  llvm::Error writeText(const std::string &path, llvm::StringRef text) {
    return write(path, [&](llvm::raw_pwrite_stream &out) {
      out << text;
      return llvm::Error::success();
    });
  }
  llvm::Error write(const std::string &path, llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    return writeAt(reserve(path), path, body);
  }
  /// A file for this compilation only.
  llvm::Expected<std::string> scratch(const std::string &path,
                                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    std::string temporary = reserve(path);
    scratches.push_back(temporary);
    if (llvm::Error error = writeAt(temporary, path, body))
      return error;
    return temporary;
  }
  llvm::Error commit() {
    for (const auto &[temporary, path] : files) {
      if (llvm::is_contained(scratches, temporary))
        continue;
      if (std::error_code error = llvm::sys::fs::rename(temporary, path))
        return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    }
    return llvm::Error::success();
  }

private:
  llvm::Error writeAt(const std::string &temporary, const std::string &path,
                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> body) {
    std::error_code error;
    llvm::raw_fd_ostream out(temporary, error);
    if (error)
      return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    if (llvm::Error failed = body(out))
      return failed;
    out.close();
    if (out.has_error()) {
      error = out.error();
      out.clear_error();
      return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
    }
    return llvm::Error::success();
  }
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> scratches;
};

} // namespace mlc

#endif
