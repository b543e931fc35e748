//===- TfRecord.cpp - TensorFlow's files of records --------------------------------------------------------------===//
#include "runtime/train/TfRecord.h"
#include "runtime/train/InputError.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace mlc::train {

namespace {

constexpr std::array<uint32_t, 256> makeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}

std::string littleEndian(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i)
    text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::string maskedCrc(std::string_view data) {
  uint32_t crc = crc32c(data);
  return littleEndian(((crc >> 15 | crc << 17) + 0xa282ead8u) & 0xffffffffu, 4);
}

} // namespace

uint32_t crc32c(std::string_view data) {
  static constexpr std::array<uint32_t, 256> table = makeTable();
  uint32_t crc = ~uint32_t(0);
  for (unsigned char byte : data)
    crc = crc >> 8 ^ table[(crc ^ byte) & 0xff];
  return ~crc;
}

std::string tfRecord(std::string_view data) {
  std::string length = littleEndian(data.size(), 8);
  return length + maskedCrc(length) + std::string(data) + maskedCrc(data);
}

TfRecordReader::TfRecordReader(const std::string &path) : path(path), file(std::fopen(path.c_str(), "rb")) {
  if (!file)
    throw InputError(path + ": cannot open: " + std::strerror(errno));
  struct stat status;
  if (fstat(fileno(file), &status) == 0)
    size = static_cast<uint64_t>(status.st_size);
}

TfRecordReader::~TfRecordReader() { std::fclose(file); }

void TfRecordReader::fail(const std::string &reason) const {
  throw InputError(path + ": the record at byte " + std::to_string(offset) + " " + reason);
}

bool TfRecordReader::next(std::string &data) {
  if (offset == size)
    return false;
  char head[12], tail[4];
  if (std::fread(head, 1, sizeof head, file) != sizeof head)
    fail("is cut off");
  if (maskedCrc({head, 8}) != std::string_view(head + 8, 4))
    fail("has a damaged length");
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<unsigned char>(head[i]);
  uint64_t left = size - offset - sizeof head;
  if (left < sizeof tail || length > left - sizeof tail)
    fail("is cut off");
  data.resize(length);
  if (std::fread(data.data(), 1, length, file) != length || std::fread(tail, 1, sizeof tail, file) != sizeof tail)
    fail("is cut off");
  if (maskedCrc(data) != std::string_view(tail, 4))
    fail("has damaged data");
  offset += sizeof head + length + sizeof tail;
  return true;
}

} // namespace mlc::train
