//===- File.cpp - files that are mapped, and files that appear whole ---------------------------------------------===//
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mlc::train {

MappedFile mapFile(const std::string &path) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw InputError(path + ": cannot open: " + std::strerror(errno));
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    throw InputError(path + ": expected a file");
  }
  MappedFile file;
  file.size = static_cast<size_t>(status.st_size);
  file.data = "";
  if (file.size > 0) {
    void *mapping = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapping == MAP_FAILED) {
      int reason = errno;
      close(descriptor);
      throw InputError(path + ": cannot map: " + std::strerror(reason));
    }
    file.data = static_cast<const char *>(mapping);
    file.owner = std::shared_ptr<const void>(
        mapping, [size = file.size](const void *address) { munmap(const_cast<void *>(address), size); });
  }
  close(descriptor);
  return file;
}

AtomicFile::AtomicFile(const std::string &path) : path(path), temporary(path + ".tmp") {
  descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    throw InputError(path + ": cannot write: " + std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor < 0)
    return;
  close(descriptor);
  unlink(temporary.c_str());
}

void AtomicFile::fail() { throw InputError(path + ": cannot write: " + std::strerror(errno)); }

void AtomicFile::write(const void *data, size_t bytes) {
  for (const char *at = static_cast<const char *>(data); bytes > 0;) {
    ssize_t written = ::write(descriptor, at, std::min(bytes, size_t(1) << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail();
    at += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit(bool isDurable) {
  if (isDurable && fsync(descriptor) != 0)
    fail();
  int closed = close(descriptor);
  descriptor = -1;
  if (closed != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
    int reason = errno;
    unlink(temporary.c_str());
    errno = reason;
    fail();
  }
  if (!isDurable)
    return;
  std::string folder = std::filesystem::path(path).parent_path().string();
  int entry = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (entry >= 0) { // where folders cannot be synchronised, the rename has to do
    fsync(entry);
    close(entry);
  }
}

} // namespace mlc::train
