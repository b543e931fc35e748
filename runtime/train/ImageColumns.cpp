//===- ImageColumns.cpp - samples of a folder of images ----------------------------------------------------------===//
//
// Images are decoded when they are read, on the threads that put batches together, and resized to what the model takes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Dataset.h"
#include "runtime/train/Images.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <filesystem>

namespace mlc::train {

namespace {

namespace fs = std::filesystem;

class ImageColumn final : public Column {
public:
  ImageColumn(std::vector<std::string> paths, uint32_t type, std::vector<int64_t> row, bool channelsLast)
      : paths(std::move(paths)), channelsLast(channelsLast) {
    dtype = type;
    sizes = std::move(row);
  }
  void read(int64_t row, void *to) const override {
    int64_t height = sizes[channelsLast ? 0 : 1], width = sizes[channelsLast ? 1 : 2],
            channels = sizes[channelsLast ? 2 : 0];
    Image image = resized(readImage(paths[static_cast<size_t>(row)], channels), height, width);
    if (!channelsLast && channels > 1) {
      std::vector<uint8_t> planes(image.pixels.size());
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < height * width; ++i)
          planes[static_cast<size_t>(c * height * width + i)] = image.pixels[static_cast<size_t>(i * channels + c)];
      image.pixels.swap(planes);
    }
    convertElements(MLC_U8, image.pixels.data(), dtype, to, static_cast<int64_t>(image.pixels.size()));
  }

private:
  std::vector<std::string> paths;
  bool channelsLast;
};

/// The number of the folder, as a class number or one-hot.
class FolderColumn final : public Column {
public:
  FolderColumn(std::vector<int32_t> classes, const Signature &signature) : classes(std::move(classes)) {
    dtype = signature.label.dtype;
    if (signature.form == LabelForm::OneHot) {
      oneHot = signature.classes;
      sizes = {oneHot};
    } else if (signature.label.rank == 2) {
      sizes = {1};
    }
  }
  void read(int64_t row, void *to) const override {
    int32_t number = classes[static_cast<size_t>(row)];
    if (oneHot == 0) {
      convertElements(MLC_I32, &number, dtype, to, 1);
      return;
    }
    std::vector<float> hot(static_cast<size_t>(oneHot), 0.0f);
    hot[static_cast<size_t>(number)] = 1;
    convertElements(MLC_F32, hot.data(), dtype, to, oneHot);
  }

private:
  std::vector<int32_t> classes;
  int64_t oneHot = 0;
};

bool isImage(const fs::path &path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

} // namespace

Dataset openImageFolder(const std::string &path, const Signature &signature, bool needsLabel) {
  std::vector<fs::path> folders;
  bool isFlat = false;
  for (const auto &entry : fs::directory_iterator(path)) {
    if (entry.is_directory())
      folders.push_back(entry.path());
    isFlat |= isImage(entry.path());
  }
  if (folders.empty() && isFlat && !needsLabel)
    folders.push_back(path);
  if (folders.empty())
    throw InputError(path + ": expected .npy files, or a folder of images for each class");
  std::sort(folders.begin(), folders.end());
  if (needsLabel && signature.form != LabelForm::Values && static_cast<int64_t>(folders.size()) > signature.classes)
    throw InputError(path + ": expected at most " + std::to_string(signature.classes) +
                     " folders, one for each class, but got " + std::to_string(folders.size()));
  if (signature.inputs.size() != 1 || signature.inputs[0].rank != 4)
    throw InputError(path + ": a folder of images is for a model of one input of rank 4");

  std::vector<std::string> paths;
  std::vector<int32_t> classes;
  for (size_t i = 0; i < folders.size(); ++i) {
    std::vector<std::string> files;
    for (const auto &entry : fs::directory_iterator(folders[i]))
      if (isImage(entry.path()))
        files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    paths.insert(paths.end(), files.begin(), files.end());
    classes.insert(classes.end(), files.size(), static_cast<int32_t>(i));
  }
  if (paths.empty())
    throw InputError(path + ": expected .png or .jpeg files in the folders, but there are none");

  const mlc_tensor_info &info = signature.inputs[0];
  auto isChannels = [](int64_t size) { return size == 1 || size == 3 || size == 4; };
  bool channelsLast = isChannels(info.sizes[3]);
  if (!channelsLast && !isChannels(info.sizes[1]))
    throw InputError(path + ": expected an input of 1, 3 or 4 channels for images, but '" + info.name + "' is " +
                     shapeText({info.sizes, info.sizes + 4}));
  std::vector<int64_t> sizes(info.sizes + 1, info.sizes + 4);
  if (std::find(sizes.begin(), sizes.end(), MLC_DYNAMIC_SIZE) != sizes.end()) { // as the first image is
    Image first = readImage(paths[0], 1);
    int64_t &height = sizes[channelsLast ? 0 : 1], &width = sizes[channelsLast ? 1 : 2];
    height = height < 0 ? first.height : height;
    width = width < 0 ? first.width : width;
  }
  Dataset dataset;
  dataset.count = static_cast<int64_t>(paths.size());
  dataset.isDecoded = true;
  dataset.inputs.push_back(std::make_unique<ImageColumn>(std::move(paths), info.dtype, sizes, channelsLast));
  if (needsLabel)
    dataset.label = std::make_unique<FolderColumn>(std::move(classes), signature);
  return dataset;
}

} // namespace mlc::train
