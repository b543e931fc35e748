//===- Images.cpp - PNG and JPEG files ---------------------------------------------------------------------------===//
//
// libpng's simplified interface and libjpeg(-turbo); both decode from the mapped file. libjpeg reports errors by a
// callback that may not return, so what lives across the setjmp is made before it.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Images.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <cstdio>

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>

namespace mlc::train {

namespace {

/// Larger images are damaged or hostile.
constexpr int64_t kMostPixels = int64_t(1) << 28;

Image decodePng(const MappedFile &file, const std::string &path, int64_t channels) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, file.data, file.size))
    throw InputError(path + ": cannot decode: " + png.message);
  Image image{png.height, png.width, channels, {}};
  if (image.height * image.width > kMostPixels) {
    png_image_free(&png);
    throw InputError(path + ": the image is too large");
  }
  png.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  png_color black = {};
  if (!png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr))
    throw InputError(path + ": cannot decode: " + png.message);
  return image;
}

struct JpegErrors final {
  jpeg_error_mgr manager;
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

void leave(j_common_ptr info) {
  auto *errors = reinterpret_cast<JpegErrors *>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->escape, 1);
}

Image decodeJpeg(const MappedFile &file, const std::string &path, int64_t channels) {
  jpeg_decompress_struct info = {};
  JpegErrors errors;
  Image image;
  std::vector<uint8_t> row;
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave;
  // A warning is damage too: a truncated file would be grey below.
  errors.manager.emit_message = [](j_common_ptr info, int level) {
    if (level < 0)
      leave(info);
  };
  if (setjmp(errors.escape)) {
    jpeg_destroy_decompress(&info);
    throw InputError(path + ": cannot decode: " + errors.message);
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char *>(file.data), file.size);
  jpeg_read_header(&info, TRUE);
  info.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  image.height = info.output_height;
  image.width = info.output_width;
  image.channels = channels;
  image.pixels.resize(static_cast<size_t>(image.height * image.width * channels));
  row.resize(static_cast<size_t>(info.output_width) * static_cast<size_t>(info.output_components));
  while (info.output_scanline < info.output_height) {
    uint8_t *to = &image.pixels[static_cast<size_t>(info.output_scanline * image.width * channels)];
    JSAMPROW rows[1] = {row.data()};
    jpeg_read_scanlines(&info, rows, 1);
    if (channels != 4) {
      std::copy(row.begin(), row.end(), to);
      continue;
    }
    for (int64_t x = 0; x < image.width; ++x) { // opaque
      std::copy_n(&row[static_cast<size_t>(3 * x)], 3, to + 4 * x);
      to[4 * x + 3] = 255;
    }
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return image;
}

} // namespace

Image readImage(const std::string &path, int64_t channels) {
  MappedFile file = mapFile(path);
  std::string_view text = file.text();
  if (text.substr(0, 4) == "\x89PNG")
    return decodePng(file, path, channels);
  if (text.substr(0, 3) == "\xFF\xD8\xFF")
    return decodeJpeg(file, path, channels);
  throw InputError(path + ": not a PNG or JPEG file");
}

Image resized(const Image &image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width)
    return image;
  Image result{height, width, image.channels, {}};
  result.pixels.resize(static_cast<size_t>(height * width * image.channels));
  // The neighbours of a place and the weight of the second.
  auto neighbours = [](int64_t place, int64_t to, int64_t from, int64_t &low, int64_t &high) {
    double at = (static_cast<double>(place) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    at = std::clamp(at, 0.0, static_cast<double>(from - 1));
    low = static_cast<int64_t>(at);
    high = std::min(low + 1, from - 1);
    return at - static_cast<double>(low);
  };
  for (int64_t y = 0; y < height; ++y) {
    int64_t top, bottom;
    double down = neighbours(y, height, image.height, top, bottom);
    for (int64_t x = 0; x < width; ++x) {
      int64_t left, right;
      double across = neighbours(x, width, image.width, left, right);
      for (int64_t c = 0; c < image.channels; ++c) {
        auto pixel = [&](int64_t row, int64_t column) {
          return static_cast<double>(
              image.pixels[static_cast<size_t>((row * image.width + column) * image.channels + c)]);
        };
        double value = (1 - down) * ((1 - across) * pixel(top, left) + across * pixel(top, right)) +
                       down * ((1 - across) * pixel(bottom, left) + across * pixel(bottom, right));
        result.pixels[static_cast<size_t>((y * width + x) * image.channels + c)] =
            static_cast<uint8_t>(std::lround(value));
      }
    }
  }
  return result;
}

} // namespace mlc::train
