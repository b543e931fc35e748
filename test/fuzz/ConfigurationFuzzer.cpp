//===- ConfigurationFuzzer.cpp - files that come with models, by the server's readers ----------------------------===//
//
// The first character says what the rest is. Whatever it is, it is read, or refused with an Error.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/serve/BatchingFiles.h"
#include "runtime/serve/Error.h"
#include "runtime/serve/Manifest.h"
#include "runtime/serve/ModelConfigs.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Safetensors.h"
#include "runtime/train/TfRecord.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace mlc::serve;

namespace {

/// A folder for the process, removed at its end.
struct Folder final {
  Folder() : path(std::filesystem::temp_directory_path() / "mlc-fuzz-XXXXXX") {
    if (!mkdtemp(path.data()))
      std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

void readAs(char kind, const std::string &folder, const std::string &file) {
  switch (kind) {
  case 'b':
    readBatchingParameters(file);
    return;
  case 't':
    readTritonConfig(file, QueuePolicy(), [](const std::string &) {});
    return;
  case 'c': {
    tensorflow::serving::ModelServerConfig config;
    readTextFile(file, config);
    checkedModels(config, {});
    return;
  }
  case 'm':
    Manifest::read(folder).verify(folder);
    return;
  case 's':
    mlc::train::readSafetensors(file);
    return;
  case 'r': {
    mlc::train::TfRecordReader reader(file);
    for (std::string record; reader.next(record);)
      ;
    return;
  }
  default:
    return;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Folder folder;
  if (size == 0)
    return 0;
  std::string file = folder.path + "/manifest.json";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char *>(data) + 1, static_cast<std::streamsize>(size - 1));
  try {
    readAs(static_cast<char>(data[0]), folder.path, file);
  } catch (const Error &) {
  } catch (const mlc::train::InputError &) {
  }
  return 0;
}
