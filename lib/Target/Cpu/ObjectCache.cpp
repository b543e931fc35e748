//===- ObjectCache.cpp - objects that were compiled before --------------------------------------------------------===//
//
// One file an object: its BLAKE3 hash, then its bytes. Files appear complete, by rename; one that was damaged later
// does not match its hash, and is written again. The oldest go when the folder has more than 1 GiB.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/ObjectCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cstdlib>
#include <dlfcn.h>

using namespace llvm;

namespace mlc {

namespace {

constexpr uint64_t kMaxBytes = 1ull << 30;
constexpr size_t kHashBytes = 32;

std::string hashOf(StringRef bytes) {
  auto hash = BLAKE3::hash<kHashBytes>(ArrayRef(bytes.bytes_begin(), bytes.size()));
  return std::string(hash.begin(), hash.end());
}

/// Tells builds apart: size and time of the file that holds `symbol`.
std::string identify(void *symbol) {
  Dl_info info;
  sys::fs::file_status status;
  if (!dladdr(symbol, &info) || !info.dli_fname || sys::fs::status(info.dli_fname, status))
    return "";
  return std::to_string(status.getSize()) + "." +
         std::to_string(status.getLastModificationTime().time_since_epoch().count());
}

} // namespace

ObjectCache::ObjectCache(std::string folder) : folder(std::move(folder)) {
  compiler = std::string("mlc 1 LLVM " LLVM_VERSION_STRING " ") +
             identify(reinterpret_cast<void *>(&ObjectCache::defaultFolder)) + " " +
             identify(reinterpret_cast<void *>(&sys::fs::create_directories));
}

std::string ObjectCache::defaultFolder() {
  if (const char *own = std::getenv("MLC_CACHE_DIR"))
    return own;
  SmallString<128> path;
  if (const char *caches = std::getenv("XDG_CACHE_HOME"); caches && *caches)
    path = caches;
  else if (const char *home = std::getenv("HOME"); home && *home)
    sys::path::append(path, home, ".cache");
  else
    return "";
  sys::path::append(path, "mlc");
  return path.str().str();
}

std::string ObjectCache::keyOf(StringRef bitcode, StringRef target) const {
  BLAKE3 hasher;
  for (StringRef part : {StringRef(compiler), target, bitcode}) {
    uint64_t size = part.size(); // so that parts cannot run into each other
    hasher.update(StringRef(reinterpret_cast<const char *>(&size), sizeof size));
    hasher.update(part);
  }
  return toHex(hasher.final<kHashBytes>(), /*LowerCase=*/true);
}

// pruneCache() removes only files of this name.
static std::string pathOf(StringRef folder, StringRef key) {
  SmallString<128> path(folder);
  sys::path::append(path, "llvmcache-" + key);
  return path.str().str();
}

std::optional<std::string> ObjectCache::find(const std::string &key) const {
  if (folder.empty())
    return std::nullopt;
  int file = -1;
  if (sys::fs::openFileForRead(pathOf(folder, key), file))
    return std::nullopt;
  auto buffer = MemoryBuffer::getOpenFile(file, key, /*FileSize=*/-1, /*RequiresNullTerminator=*/false,
                                          /*IsVolatile=*/true);
  std::optional<std::string> object;
  if (buffer && (*buffer)->getBufferSize() > kHashBytes) {
    StringRef bytes = (*buffer)->getBuffer(), content = bytes.drop_front(kHashBytes);
    if (bytes.take_front(kHashBytes) == hashOf(content))
      object = content.str();
  }
  if (object) // used now, so that it is not the oldest
    (void)sys::fs::setLastAccessAndModificationTime(file, std::chrono::system_clock::now());
  sys::fs::file_t handle = sys::fs::convertFDToNativeFile(file);
  (void)sys::fs::closeFile(handle);
  return object;
}

void ObjectCache::store(const std::string &key, StringRef object) const {
  if (folder.empty() || sys::fs::create_directories(folder))
    return;
  SmallString<128> model(folder);
  sys::path::append(model, "llvmcache-%%%%%%%%%%.tmp"); // pruned like the others, should it stay
  Expected<sys::fs::TempFile> file = sys::fs::TempFile::create(model, sys::fs::owner_read | sys::fs::owner_write);
  if (!file) {
    consumeError(file.takeError());
    return;
  }
  bool good;
  {
    raw_fd_ostream out(file->FD, /*shouldClose=*/false);
    out << hashOf(object) << object;
    out.flush();
    good = !out.has_error();
    out.clear_error();
  }
  consumeError(good ? file->keep(pathOf(folder, key)) : file->discard());
}

void ObjectCache::prune() const {
  if (folder.empty() || !sys::fs::is_directory(folder))
    return;
  CachePruningPolicy policy;
  policy.Interval = std::chrono::seconds(60);
  policy.Expiration = std::chrono::hours(24 * 30);
  policy.MaxSizeBytes = kMaxBytes;
  (void)pruneCache(folder, policy);
}

} // namespace mlc
