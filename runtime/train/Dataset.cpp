//===- Dataset.cpp - samples of a file or folder -----------------------------------------------------------------===//
//
// Finds out what the files are and hands their arrays on by name.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Dataset.h"
#include "runtime/train/Csv.h"
#include "runtime/train/Idx.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Npy.h"
#include "runtime/train/Npz.h"

#include <algorithm>
#include <filesystem>

namespace mlc::train {

namespace {

namespace fs = std::filesystem;

using NamedArrays = std::vector<std::pair<std::string, Array>>;

/// The columns of a table that are the tensor `name`: NAME itself, or NAME.0, NAME.1 … in the order of the table.
std::vector<size_t> columnsOf(const Table &table, const std::string &name) {
  std::vector<size_t> columns;
  for (size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i] == name || table.columns[i].rfind(name + ".", 0) == 0)
      columns.push_back(i);
  return columns;
}

Array selected(const Table &table, const std::vector<size_t> &columns) {
  int64_t rows = table.values.sizes[0], width = table.values.sizes[1];
  Array array = Array::make(MLC_F64, {rows, static_cast<int64_t>(columns.size())});
  auto *to = reinterpret_cast<double *>(array.mutableData());
  auto *from = reinterpret_cast<const double *>(table.values.data);
  for (int64_t row = 0; row < rows; ++row)
    for (size_t column : columns)
      *to++ = from[row * width + static_cast<int64_t>(column)];
  return array;
}

/// The columns of an input, in its shape where they are as many as it has elements (the pixels of an image).
Array shaped(Array array, const mlc_tensor_info &input) {
  std::vector<int64_t> sizes{array.sizes[0]};
  int64_t elements = 1;
  for (uint32_t axis = 1; axis < input.rank; ++axis) {
    sizes.push_back(input.sizes[axis]);
    elements *= input.sizes[axis];
  }
  if (elements == array.sizes[1] && *std::min_element(sizes.begin(), sizes.end()) >= 0)
    array.sizes = sizes;
  return array;
}

/// Names the tensors of a table: the label's columns, and the rest for the input where there is one.
NamedArrays arraysOf(const Table &table, const Signature &signature) {
  NamedArrays arrays;
  std::vector<size_t> label;
  for (const std::string &name : {signature.labelName, std::string("label"), std::string("y")})
    if (label.empty())
      label = columnsOf(table, name);
  if (!label.empty())
    arrays.emplace_back(signature.labelName, selected(table, label));
  if (signature.inputs.size() == 1) {
    std::vector<size_t> rest;
    for (size_t i = 0; i < table.columns.size(); ++i)
      if (std::find(label.begin(), label.end(), i) == label.end())
        rest.push_back(i);
    arrays.emplace_back(signature.inputs[0].name, shaped(selected(table, rest), signature.inputs[0]));
  } else {
    for (const mlc_tensor_info &input : signature.inputs)
      if (std::vector<size_t> columns = columnsOf(table, input.name); !columns.empty())
        arrays.emplace_back(input.name, shaped(selected(table, columns), input));
  }
  return arrays;
}

/// Adds the arrays of one file.
void addFile(const std::string &path, const Signature &signature, NamedArrays &arrays) {
  std::string ending = fs::path(path).extension().string();
  if (ending == ".npz") {
    for (auto &[name, array] : readNpz(path))
      arrays.emplace_back(name, array);
  } else if (ending == ".npy") {
    arrays.emplace_back(fs::path(path).stem().string(), readNpy(mapFile(path), path));
  } else if (ending == ".csv") {
    for (auto &named : arraysOf(readCsv(path), signature))
      arrays.push_back(std::move(named));
  } else if (!fs::exists(path)) {
    throw InputError(path + ": no such file or folder");
  } else if (isIdx(path)) {
    Array array = readIdx(path);
    arrays.emplace_back(array.sizes.size() == 1 ? "y" : "x", array);
  } else {
    throw InputError(path + ": expected a .npz, .npy, .csv or IDX file, or a folder");
  }
}

} // namespace

Dataset openDataset(const std::vector<std::string> &paths, const Signature &signature, bool needsLabel,
                    bool asOneBatch) {
  NamedArrays arrays;
  std::string place;
  for (const std::string &path : paths) {
    place += (place.empty() ? "" : ", ") + path;
    if (!fs::is_directory(path)) {
      addFile(path, signature, arrays);
      continue;
    }
    std::vector<std::string> files;
    for (const auto &entry : fs::directory_iterator(path))
      if (entry.path().extension() == ".npy")
        files.push_back(entry.path().string());
    if (files.empty())
      return openImageFolder(path, signature, needsLabel);
    std::sort(files.begin(), files.end());
    for (const std::string &file : files)
      addFile(file, signature, arrays);
  }
  return asOneBatch ? bindBatch(place, std::move(arrays), signature, needsLabel)
                    : bindArrays(place, arrays, signature, needsLabel);
}

} // namespace mlc::train
