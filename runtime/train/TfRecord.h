//===- TfRecord.h - TensorFlow's files of records ---------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_TFRECORD_H
#define MLC_RUNTIME_TRAIN_TFRECORD_H

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace mlc::train {

/// CRC-32C (Castagnoli).
uint32_t crc32c(std::string_view data);

/// A TFRecord: length, its masked checksum, data, its masked checksum.
std::string tfRecord(std::string_view data);

/// Reads the records of a file one after the other. Throws InputError that names the file where it cannot be read, is
/// cut off or a checksum differs.
class TfRecordReader final {
public:
  explicit TfRecordReader(const std::string &path);
  ~TfRecordReader();
  TfRecordReader(const TfRecordReader &) = delete;
  TfRecordReader &operator=(const TfRecordReader &) = delete;
  /// The next record; false at the end.
  bool next(std::string &data);

private:
  [[noreturn]] void fail(const std::string &reason) const;
  std::string path;
  FILE *file;
  uint64_t offset = 0, size = 0;
};

} // namespace mlc::train

#endif
