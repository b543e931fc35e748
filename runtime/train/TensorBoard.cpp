//===- TensorBoard.cpp - event files -----------------------------------------------------------------------------===//
//
// Event{wall_time = 1, step = 2, file_version = 3, summary = 5}, Summary.value = 1{tag = 1, simple_value = 2} of
// tensorflow/core/util/event.proto.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/TensorBoard.h"
#include "runtime/train/InputError.h"
#include "runtime/train/TfRecord.h"

#include <protozero/pbf_writer.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace mlc::train {

namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

} // namespace

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
