//===- TensorBoard.cpp - event files -----------------------------------------------------------------------------===//
//
// Event{wall_time = 1, step = 2, file_version = 3, summary = 5}, Summary.value = 1{tag = 1, simple_value = 2} of
// tensorflow/core/util/event.proto.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/TensorBoard.h"
#include "runtime/train/InputError.h"

#include <protozero/pbf_writer.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <unistd.h>

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

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

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

TensorBoard::TensorBoard(const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  path = folder + "/events.out.tfevents." + std::to_string(static_cast<long long>(now())) + "." + host + "." +
         std::to_string(getpid()) + ".0.v2";
  file = std::fopen(path.c_str(), "ab");
  if (!file)
    throw InputError(path + ": cannot write: " + std::strerror(errno));
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(1, now());
  writer.add_string(3, "brain.Event:2");
  write(event);
}

TensorBoard::~TensorBoard() { std::fclose(file); }

void TensorBoard::scalar(const std::string &tag, int64_t step, double value) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(1, now());
  writer.add_int64(2, step);
  {
    protozero::pbf_writer summary(writer, 5), entry(summary, 1);
    entry.add_string(1, tag);
    entry.add_float(2, static_cast<float>(value));
  }
  write(event);
}

void TensorBoard::write(std::string_view event) {
  std::string record = tfRecord(event);
  if (std::fwrite(record.data(), 1, record.size(), file) != record.size() || std::fflush(file) != 0)
    throw InputError(path + ": cannot write: " + std::strerror(errno));
}

} // namespace mlc::train
