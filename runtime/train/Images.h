//===- Images.h - PNG and JPEG files ----------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_IMAGES_H
#define MLC_RUNTIME_TRAIN_IMAGES_H

#include <cstdint>
#include <string>
#include <vector>

namespace mlc::train {

/// Pixels of 8 bits a channel, [height][width][channels].
struct Image final {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// Decodes a .png or .jpeg file into 1 (grey), 3 (RGB) or 4 (RGBA) channels. Throws InputError that names the file.
Image readImage(const std::string &path, int64_t channels);

/// Bilinear, with centres of pixels at half numbers, no antialiasing, as Keras loads folders of images.
Image resized(const Image &image, int64_t height, int64_t width);

} // namespace mlc::train

#endif
