//===- ModelFolder.cpp - version directories of fake models, for tests -------------------------------------------===//
#include "ModelFolder.h"

#include "runtime/serve/Manifest.h"
#include "runtime/train/TfRecord.h"
#include "tensorflow_serving.pb.h"

#include <fstream>
#include <stdexcept>
#include <stdlib.h>

namespace mlc::serve::test {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = fs::temp_directory_path() / "mlc-serve-test-XXXXXX";
  if (!mkdtemp(pattern.data()))
    throw std::runtime_error("cannot make a temporary folder");
  folder = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

std::string warmUpRecords(int count) {
  tensorflow::serving::PredictionLog log;
  tensorflow::TensorProto &tensor = (*log.mutable_predict_log()->mutable_request()->mutable_inputs())["x"];
  tensor.set_dtype(tensorflow::DT_FLOAT);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.mutable_tensor_shape()->add_dim()->set_size(1);
  tensor.add_float_val(1);
  std::string records;
  for (int i = 0; i < count; ++i)
    records += mlc::train::tfRecord(log.SerializeAsString());
  return records;
}

void writeFile(const std::string &path, const std::string &text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void writeIncompleteVersion(const std::string &folder, const std::string &fake) {
  fs::create_directories(folder);
  fs::copy_file(std::string(FAKE_MODELS "/lib") + fake + ".so", folder + "/libmodel.so",
                fs::copy_options::overwrite_existing);
}

void writeVersion(const std::string &folder, const std::string &fake, const std::map<std::string, std::string> &files) {
  std::string staging = folder + ".staging";
  writeIncompleteVersion(staging, fake);
  Manifest manifest;
  manifest.library = "libmodel.so";
  for (const auto &[name, text] : files) {
    writeFile(staging + "/" + name, text);
    manifest.files[name];
  }
  manifest.files["libmodel.so"];
  for (auto &[name, file] : manifest.files)
    file = {fs::file_size(staging + "/" + name), sha256OfFile(staging + "/" + name)};
  manifest.compiler = "mlc test";
  manifest.source = fake + ".onnx";
  manifest.sourceSha256 = sha256OfText(fake);
  manifest.created = "2026-01-31T12:00:00Z";
  writeFile(staging + "/manifest.json", manifest.toJson());
  fs::remove_all(folder);
  fs::rename(staging, folder);
}

} // namespace mlc::serve::test
