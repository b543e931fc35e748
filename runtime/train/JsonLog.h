//===- JsonLog.h - a line of JSON an epoch ----------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_JSONLOG_H
#define MLC_RUNTIME_TRAIN_JSONLOG_H

#include "runtime/train/Config.h"

#include <string>

namespace mlc::train {

/// A file of JSON lines, each with a "step". A run that goes on at `step` drops the lines behind it, so that no epoch
/// is there twice. Throws InputError where it cannot write.
class JsonLog final {
public:
  JsonLog(const std::string &path, int64_t step);
  ~JsonLog();
  JsonLog(const JsonLog &) = delete;
  JsonLog &operator=(const JsonLog &) = delete;
  void write(const nlohmann::ordered_json &line);

private:
  std::string path;
  FILE *file;
};

} // namespace mlc::train

#endif
