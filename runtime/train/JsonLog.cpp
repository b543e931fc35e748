//===- JsonLog.cpp - a line of JSON an epoch ---------------------------------------------------------------------===//
#include "runtime/train/JsonLog.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace mlc::train {

namespace {

/// The lines of `path` up to `step`.
std::string linesUpTo(const std::string &path, int64_t step) {
  std::string kept, line;
  std::ifstream in(path);
  while (std::getline(in, line)) {
    Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && valueOf<int64_t>(json, "step", 0) <= step)
      kept += line + "\n";
  }
  return kept;
}

} // namespace

JsonLog::JsonLog(const std::string &path, int64_t step) : path(path) {
  if (step > 0 && std::filesystem::is_regular_file(path)) {
    AtomicFile old(path);
    old.write(linesUpTo(path, step));
    old.commit();
  }
  file = std::fopen(path.c_str(), step > 0 ? "a" : "w");
  if (!file)
    throw InputError(path + ": cannot write: " + std::strerror(errno));
}

JsonLog::~JsonLog() { std::fclose(file); }

void JsonLog::write(const nlohmann::ordered_json &line) {
  if (std::fprintf(file, "%s\n", line.dump().c_str()) < 0 || std::fflush(file) != 0)
    throw InputError(path + ": cannot write: " + std::strerror(errno));
}

} // namespace mlc::train
