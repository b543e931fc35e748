//===- WeightStore.cpp - where the bytes of the weights are ------------------------------------------------------===//
#include "lib/Support/WeightStore.h"

#include <cassert>

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

} // namespace mlc
