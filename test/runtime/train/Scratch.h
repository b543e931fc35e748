//===- Scratch.h - a folder for the files of one test ------------------------------------------------ -*- C++ -*-===//
#ifndef MLC_TEST_RUNTIME_TRAIN_SCRATCH_H
#define MLC_TEST_RUNTIME_TRAIN_SCRATCH_H

#include "runtime/train/Array.h"
#include "runtime/train/Npy.h"
#include "runtime/train/Npz.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

/// A folder that ends with the test.
class Scratch final {
public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mlc-train-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~Scratch() { std::filesystem::remove_all(folder); }
  std::string operator/(const std::string &name) const { return folder + "/" + name; }

private:
  std::string folder;
};

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string readFile(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// An array of these elements.
template <typename T>
mlc::train::Array arrayOf(mlc_dtype dtype, std::vector<int64_t> sizes, const std::vector<T> &elements) {
  mlc::train::Array array = mlc::train::Array::make(dtype, std::move(sizes));
  std::memcpy(array.mutableData(), elements.data(), elements.size() * sizeof(T));
  return array;
}

/// Element `i`; arrays of files need not be aligned.
template <typename T> T elementOf(const mlc::train::Array &array, int64_t i) {
  T element;
  std::memcpy(&element, array.data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return element;
}

/// The message of the exception that `function` throws; empty where it throws none.
template <typename Function> std::string messageOf(Function function) {
  try {
    function();
  } catch (const std::exception &error) {
    return error.what();
  }
  return "";
}

#endif
