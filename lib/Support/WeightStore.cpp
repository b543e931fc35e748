//===- WeightStore.cpp - where the bytes of the weights are ------------------------------------------------------===//
#include "lib/Support/WeightStore.h"

#include <cassert>
#include <sys/mman.h>

using namespace llvm;

namespace mlc {

Expected<ArrayRef<char>> WeightStore::mapFile(StringRef path) {
  std::unique_ptr<MemoryBuffer> &file = files[path.str()];
  if (!file) {
    auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!buffer) {
      files.erase(path.str());
      return createStringError(buffer.getError(), "cannot read '%s': %s", path.str().c_str(),
                               buffer.getError().message().c_str());
    }
    file = std::move(*buffer);
  }
  return ArrayRef<char>(file->getBufferStart(), file->getBufferSize());
}

ArrayRef<char> WeightStore::keep(std::vector<char> bytes) {
  buffers.push_back(std::make_unique<std::vector<char>>(std::move(bytes)));
  return *buffers.back();
}

void WeightStore::define(StringRef name, ArrayRef<char> bytes) {
  [[maybe_unused]] bool inserted = weights.try_emplace(name, bytes).second;
  assert(inserted && "a weight is defined once");
}

std::optional<ArrayRef<char>> WeightStore::lookup(StringRef name) const {
  auto it = weights.find(name);
  if (it == weights.end())
    return std::nullopt;
  return it->second;
}

void WeightStore::clear() {
  weights.clear();
  buffers.clear();
  files.clear();
  owners.clear();
}

void WeightStore::releasePages() {
  for (auto &[path, file] : files) {
    if (file->getBufferKind() != MemoryBuffer::MemoryBuffer_MMap)
      continue;
    // madvise wants whole pages; the first and last partial page are left alone.
    uintptr_t page = 4096, begin = reinterpret_cast<uintptr_t>(file->getBufferStart());
    uintptr_t end = (begin + file->getBufferSize()) & ~(page - 1);
    begin = (begin + page - 1) & ~(page - 1);
    if (begin < end)
      madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
  }
}

} // namespace mlc
