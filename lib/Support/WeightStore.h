//===- WeightStore.h - where the bytes of the weights are --------------------------------------------------------===//
//
// Weights never travel through the IR: an op names a weight, and the store knows its bytes. They stay in the mapped
// model file (or in a buffer that an importer decoded) until the target writes them into the artifact.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_WEIGHTSTORE_H
#define MLC_LIB_SUPPORT_WEIGHTSTORE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mlc {

/// Named, read-only byte ranges, and the ownership of the files and buffers they lie in.
class WeightStore {
public:
  /// Maps `path` read-only; the mapping lives as long as the store, and a second call gives the same mapping.
  /// Fails with the system's message when the file cannot be read.
  llvm::Expected<llvm::ArrayRef<char>> mapFile(llvm::StringRef path);

  /// Takes `bytes` over and gives a stable view of them.
  llvm::ArrayRef<char> keep(std::vector<char> bytes);

  /// Keeps `owner` as long as the store lives: some weights are views of what it owns.
  void keepAlive(std::shared_ptr<void> owner) { owners.push_back(std::move(owner)); }

  /// Names a range that the store owns (mapFile, keep) or that outlives it. Redefinition is a bug of the caller.
  void define(llvm::StringRef name, llvm::ArrayRef<char> bytes);

  /// The bytes of a weight, or nullopt for an unknown name.
  std::optional<llvm::ArrayRef<char>> lookup(llvm::StringRef name) const;

  /// Forgets all weights and frees what holds them; whoever has a view must be done with it.
  void clear();

private:
  std::map<std::string, std::unique_ptr<llvm::MemoryBuffer>> files;
  std::vector<std::unique_ptr<std::vector<char>>> buffers;
  std::vector<std::shared_ptr<void>> owners;
  llvm::StringMap<llvm::ArrayRef<char>> weights;
};

/// Bytes that `owner` holds; without one they are the store's.
struct WeightBytes {
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<std::vector<char>> owner;
};

/// One weight at its place in the blob that a compiled model reads.
struct WeightSegment {
  /// Byte offset in the blob, a multiple of 64.
  uint64_t offset;
  uint64_t size;
  /// Gives the `size` bytes when they are written, so that of what is computed only one weight is in memory.
  std::function<WeightBytes()> produce;
};

} // namespace mlc

#endif
