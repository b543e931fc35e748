//===- File.h - files that are mapped, and files that appear whole ----------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_FILE_H
#define MLC_RUNTIME_TRAIN_FILE_H

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mlc::train {

/// The bytes of a file, mapped; valid as long as `owner` lives.
struct MappedFile final {
  const char *data = nullptr;
  size_t size = 0;
  std::shared_ptr<const void> owner;
  std::string_view text() const { return {data, size}; }
};

/// Maps a file; throws InputError that names it.
MappedFile mapFile(const std::string &path);

/// A file that is written under a temporary name and appears, complete, at `commit`: if it is durable, on the disk by
/// then, the folder's entry too. Throws InputError that names the file and says why (a full disk); what was there
/// before stays.
class AtomicFile final {
public:
  explicit AtomicFile(const std::string &path);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  void write(const void *data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit(bool isDurable = true);

private:
  [[noreturn]] void fail();
  std::string path, temporary;
  int descriptor;
};

} // namespace mlc::train

#endif
