//===- FormatsTest.cpp - files of samples, good and bad ----------------------------------------------------------===//
#include "Scratch.h"
#include "runtime/train/Csv.h"
#include "runtime/train/Dataset.h"
#include "runtime/train/Idx.h"
#include "runtime/train/Images.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Loader.h"
#include "runtime/train/Safetensors.h"

#include <gtest/gtest.h>

#include <cstdio>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

using namespace mlc::train;

namespace {

std::string npy(const std::string &version, const std::string &header, const std::string &elements) {
  std::string length;
  for (size_t i = 0; i < (version[0] == 1 ? 2 : 4); ++i)
    length += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return "\x93NUMPY" + version + length + header + elements;
}

const std::string kVersion1("\x01\x00", 2), kVersion3("\x03\x00", 2);

Array read(const Scratch &scratch, const std::string &bytes) {
  writeFile(scratch / "a.npy", bytes);
  return readNpy(mapFile(scratch / "a.npy"), "a.npy");
}

TEST(Npy, ReadsVersionsOrdersAndBytes) {
  Scratch scratch;
  std::string elements("\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00", 12);
  for (const std::string &version : {kVersion1, kVersion3}) {
    Array array =
        read(scratch, npy(version, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n", elements));
    EXPECT_EQ(array.sizes, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(elementOf<int16_t>(array, 5), 6);
  }
  Array fortran =
      read(scratch, npy(kVersion1, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", elements));
  std::vector<int16_t> values(reinterpret_cast<const int16_t *>(fortran.data),
                              reinterpret_cast<const int16_t *>(fortran.data) + 6);
  EXPECT_EQ(values, (std::vector<int16_t>{1, 3, 5, 2, 4, 6}));
  Array big = read(scratch, npy(kVersion1, "{'descr': '>i2', 'fortran_order': False, 'shape': (6,), }\n", elements));
  EXPECT_EQ(elementOf<int16_t>(big, 0), 256);
  Array scalar = read(scratch, npy(kVersion1, "{'descr': '<i2', 'fortran_order': False, 'shape': (), }\n", elements));
  EXPECT_EQ(scalar.count(), 1);
}

TEST(Npy, RefusesWhatIsMalformed) {
  Scratch scratch;
  auto message = [&](const std::string &bytes) { return messageOf([&] { read(scratch, bytes); }); };
  EXPECT_EQ(message("hello, world"), "a.npy: not a .npy file");
  EXPECT_EQ(message(npy(std::string("\x04\x00", 2), "{}", "")),
            "a.npy: expected version 1 to 3 of the .npy format, but got 4");
  EXPECT_EQ(message(npy(kVersion1, "{'fortran_order': False, 'shape': (1,), }", "12345678")),
            "a.npy: not a .npy file: the header has no 'descr'");
  EXPECT_EQ(message(npy(kVersion1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "12345678")),
            "a.npy: unsupported element type '<c8'; integers, floats and booleans are");
  EXPECT_EQ(message(npy(kVersion1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "12345678")),
            "a.npy: truncated: expected 12 bytes of elements for [3], but got 8");
  EXPECT_NE(
      message(npy(kVersion1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 99), }", "")),
      "");
}

/// Whatever is cut off or changed, a reader says so or reads it: it never leaves the bytes. The last `unread` bytes are
/// of no use to the reader.
template <typename Function> void mangle(const std::string &path, Function readIt, size_t unread = 0) {
  std::string whole = readFile(path);
  for (size_t length = 0; length + unread < whole.size(); length += length < 200 ? 1 : 37) {
    writeFile(path, whole.substr(0, length));
    EXPECT_NE(messageOf(readIt), "") << "cut to " << length << " bytes";
  }
  uint32_t random = 1;
  for (int i = 0; i < 400; ++i) {
    std::string changed = whole;
    random = random * 1664525 + 1013904223;
    changed[random % whole.size()] = static_cast<char>(random >> 24);
    writeFile(path, changed);
    messageOf(readIt);
  }
}

TEST(Npy, SurvivesDamage) {
  Scratch scratch;
  writeArrays(scratch / "a.npy", {{"a", arrayOf<float>(MLC_F32, {2, 2}, {1, 2, 3, 4})}});
  mangle(scratch / "a.npy", [&] { readNpy(mapFile(scratch / "a.npy"), "a"); });
}

TEST(Npz, WritesAndReads) {
  Scratch scratch;
  writeArrays(scratch / "a.npz",
              {{"x", arrayOf<float>(MLC_F32, {2, 2}, {1, 2, 3, 4})}, {"y", arrayOf<int64_t>(MLC_I64, {2}, {7, 8})}});
  auto arrays = readNpz(scratch / "a.npz");
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(elementOf<float>(arrays["x"], 3), 4);
  EXPECT_EQ(elementOf<int64_t>(arrays["y"], 1), 8);
  mangle(scratch / "a.npz", [&] { readNpz(scratch / "a.npz"); });
}

TEST(Idx, ReadsPlainAndCompressed) {
  Scratch scratch;
  std::string bytes("\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
                    "abcdef",
                    18);
  writeFile(scratch / "images", bytes);
  gzFile gz = gzopen((scratch / "images.gz").c_str(), "wb");
  gzwrite(gz, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(gz);
  for (const char *name : {"images", "images.gz"}) {
    ASSERT_TRUE(isIdx(scratch / name));
    Array array = readIdx(scratch / name);
    EXPECT_EQ(array.sizes, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(std::string(array.data, 6), "abcdef");
    mangle(scratch / name, [&] { readIdx(scratch / name); });
  }
  writeFile(scratch / "shorts", std::string("\0\0\x0B\x01\0\0\0\x01\x01\x02", 10));
  EXPECT_EQ(*reinterpret_cast<const int16_t *>(readIdx(scratch / "shorts").data), 0x0102);
}

TEST(Csv, ReadsQuotesAndNamesWhatIsWrong) {
  Scratch scratch;
  writeFile(scratch / "a.csv", "\xEF\xBB\xBF"
                               "a,\"b\",label\r\n1,-2.5e1,\"3\"\r\n\r\n4, 5 ,6\r\n");
  Table table = readCsv(scratch / "a.csv");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"a", "b", "label"}));
  EXPECT_EQ(table.values.sizes, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(elementOf<double>(table.values, 1), -25);
  writeFile(scratch / "a.csv", "a,b\n1,2\n3,x\n");
  EXPECT_EQ(messageOf([&] { readCsv(scratch / "a.csv"); }),
            scratch / "a.csv:3: column 'b': expected a number, but got 'x'");
  writeFile(scratch / "a.csv", "a,b\n1\n");
  EXPECT_EQ(messageOf([&] { readCsv(scratch / "a.csv"); }), scratch / "a.csv:2: expected 2 columns, but got 1");
}

void writePng(const std::string &path, int width, int height, const std::vector<uint8_t> &grey) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<uint32_t>(width);
  image.height = static_cast<uint32_t>(height);
  image.format = PNG_FORMAT_GRAY;
  ASSERT_TRUE(png_image_write_to_file(&image, path.c_str(), 0, grey.data(), 0, nullptr));
}

void writeJpeg(const std::string &path, int width, int height, uint8_t grey) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  FILE *file = std::fopen(path.c_str(), "wb");
  jpeg_stdio_dest(&info, file);
  info.image_width = static_cast<unsigned>(width);
  info.image_height = static_cast<unsigned>(height);
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> row(static_cast<size_t>(width), grey);
  JSAMPROW rows[] = {row.data()};
  for (int y = 0; y < height; ++y)
    jpeg_write_scanlines(&info, rows, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::fclose(file);
}

TEST(Images, DecodesResizesAndRefuses) {
  Scratch scratch;
  writePng(scratch / "a.png", 2, 2, {0, 100, 100, 200});
  Image grey = readImage(scratch / "a.png", 1), colour = readImage(scratch / "a.png", 3);
  EXPECT_EQ(grey.pixels, (std::vector<uint8_t>{0, 100, 100, 200}));
  EXPECT_EQ(colour.pixels.size(), 12u);
  EXPECT_EQ(resized(grey, 1, 1).pixels, (std::vector<uint8_t>{100}));
  EXPECT_EQ(resized(grey, 2, 4).pixels, (std::vector<uint8_t>{0, 25, 75, 100, 100, 125, 175, 200}));
  writeJpeg(scratch / "a.jpeg", 16, 8, 77);
  Image jpeg = readImage(scratch / "a.jpeg", 3);
  EXPECT_EQ(jpeg.height, 8);
  EXPECT_EQ(jpeg.width, 16);
  EXPECT_NEAR(jpeg.pixels[0], 77, 2);
  mangle(scratch / "a.jpeg", [&] { readImage(scratch / "a.jpeg", 1); });
  mangle(scratch / "a.png", [&] { readImage(scratch / "a.png", 1); }, /*unread, the end chunk=*/12);
}

int64_t imageSizes[] = {-1, 2, 2, 1}, classSizes[] = {-1}, hotSizes[] = {-1, 3};
int32_t imageSymbols[] = {0, -1, -1, -1};

Signature imageSignature() {
  Signature signature;
  signature.inputs = {{"image", imageSizes, imageSymbols, MLC_F32, 4}};
  signature.label = {"label", classSizes, imageSymbols, MLC_I32, 1};
  signature.form = LabelForm::Classes;
  signature.classes = 3;
  return signature;
}

TEST(Dataset, BindsByNameAddsChannelsAndConvertsLabels) {
  Signature signature = imageSignature();
  Array images = arrayOf<uint8_t>(MLC_U8, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  Array numbers = arrayOf<int64_t>(MLC_I64, {2, 1}, {2, 0}), hot = arrayOf<double>(MLC_F64, {2, 3}, {0, 0, 1, 1, 0, 0});
  for (const Array &label : {numbers, hot}) {
    Dataset dataset = bindArrays("d", {{"x", images}, {"y", label}}, signature, true);
    EXPECT_EQ(dataset.count, 2);
    EXPECT_EQ(dataset.inputs[0]->sizes, (std::vector<int64_t>{2, 2, 1}));
    float pixels[4];
    int32_t number;
    dataset.inputs[0]->read(1, pixels);
    dataset.label->read(0, &number);
    EXPECT_EQ(pixels[3], 8);
    EXPECT_EQ(number, 2);
    signature.label = {"label", hotSizes, imageSymbols, MLC_F32, 2};
    signature.form = LabelForm::OneHot;
    dataset = bindArrays("d", {{"image", images}, {"label", label}}, signature, true);
    float row[3];
    dataset.label->read(0, row);
    EXPECT_EQ((std::vector<float>{row, row + 3}), (std::vector<float>{0, 0, 1}));
    signature = imageSignature();
  }
}

TEST(Dataset, NamesWhatIsWrong) {
  Signature signature = imageSignature();
  Array images = arrayOf<uint8_t>(MLC_U8, {2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  auto message = [&](const std::vector<std::pair<std::string, Array>> &arrays) {
    return messageOf([&] { bindArrays("d.npz", arrays, signature, true); });
  };
  EXPECT_EQ(message({{"pixels", images}}), "d.npz: expected an array 'image' or 'x', but got pixels");
  EXPECT_EQ(message({{"x", images}}), "d.npz: expected an array 'label' or 'y', but got x");
  EXPECT_EQ(message({{"x", images}, {"y", arrayOf<int32_t>(MLC_I32, {3}, {0, 1, 2})}}),
            "d.npz: expected as many samples in 'y' as in 'x', 2, but got 3");
  EXPECT_EQ(message({{"x", images}, {"y", arrayOf<int32_t>(MLC_I32, {2}, {0, 3})}}),
            "d.npz: array 'y': expected class numbers in [0, 3), but got 3 at index 1 (1 of 2 are out of range)");
  EXPECT_EQ(message({{"x", images}, {"y", arrayOf<float>(MLC_F32, {2}, {0.5f, -1})}}),
            "d.npz: array 'y': expected class numbers in [0, 3), but got 0.5 at index 0 (2 of 2 are out of range)");
  EXPECT_EQ(message({{"x", arrayOf<uint8_t>(MLC_U8, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}}),
            "d.npz: array 'x': expected f32 [N, 2, 2, 1], but got u8 [2, 4]");
  EXPECT_EQ(
      message({{"x", images}, {"y", arrayOf<int32_t>(MLC_I32, {2, 2}, {0, 1, 0, 1})}}),
      "d.npz: array 'y': expected i32 [N] of class numbers, or one-hot with a last axis of 3, but got i32 [2, 2]");
}

TEST(Dataset, TakesArraysAsOneBatch) {
  // The second axis counts the samples.
  int64_t sizes[] = {-1, -1, 2}, labelSizes[] = {-1};
  int32_t symbols[] = {0, 1, -1}, labelSymbols[] = {1};
  Signature signature;
  signature.inputs = {{"steps", sizes, symbols, MLC_F32, 3}};
  signature.label = {"label", labelSizes, labelSymbols, MLC_I32, 1};
  signature.form = LabelForm::Classes;
  signature.classes = 4;
  Array steps = arrayOf<uint8_t>(MLC_U8, {2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  Array label = arrayOf<int64_t>(MLC_I64, {3}, {3, 0, 1});
  EXPECT_NE(messageOf([&] { bindArrays("d", {{"steps", steps}, {"label", label}}, signature, true); }), "");
  Dataset dataset = bindBatch("d", {{"steps", steps}, {"label", label}}, signature, true);
  EXPECT_TRUE(dataset.isWhole);
  EXPECT_EQ(dataset.count, 1);
  Loader loader(dataset, 0, 1, [](int64_t) { return std::vector<int64_t>{0}; }, 1);
  Batch batch = loader.next();
  EXPECT_EQ(batch.inputs[0].sizes, (std::vector<int64_t>{2, 3, 2}));
  EXPECT_EQ(reinterpret_cast<const float *>(batch.inputs[0].data)[11], 12);
  EXPECT_EQ(batch.label.sizes, (std::vector<int64_t>{3}));
  EXPECT_EQ(reinterpret_cast<const int32_t *>(batch.label.data)[2], 1);
  EXPECT_NE(messageOf([&] { bindBatch("d", {{"steps", steps}, {"label", steps}}, signature, true); }), "");
}

TEST(Dataset, ReadsATable) {
  Scratch scratch;
  writeFile(scratch / "d.csv", "label,a,b,c,d\n2,1,2,3,4\n0,5,6,7,8\n");
  Dataset dataset = openDataset({scratch / "d.csv"}, imageSignature(), true);
  ASSERT_EQ(dataset.count, 2);
  EXPECT_EQ(dataset.inputs[0]->sizes, (std::vector<int64_t>{2, 2, 1}));
  float pixels[4];
  int32_t number;
  dataset.inputs[0]->read(1, pixels);
  dataset.label->read(0, &number);
  EXPECT_EQ(pixels[2], 7);
  EXPECT_EQ(number, 2);
  EXPECT_EQ(messageOf([&] { openDataset({scratch / "nothing"}, imageSignature(), true); }),
            scratch / "nothing: no such file or folder");
}

TEST(Dataset, ReadsAFolderOfImages) {
  Scratch scratch;
  std::filesystem::create_directories(scratch / "train/cats");
  std::filesystem::create_directories(scratch / "train/dogs");
  writePng(scratch / "train/cats/1.png", 2, 2, {1, 2, 3, 4});
  writeJpeg(scratch / "train/dogs/1.JPG", 8, 8, 9);
  Dataset dataset = openDataset({scratch / "train"}, imageSignature(), true);
  ASSERT_EQ(dataset.count, 2);
  float pixels[4];
  int32_t number;
  dataset.inputs[0]->read(0, pixels);
  dataset.label->read(1, &number);
  EXPECT_EQ(pixels[1], 2);
  EXPECT_EQ(number, 1);
  writeFile(scratch / "train/cats/1.png", "not an image");
  EXPECT_EQ(messageOf([&] { dataset.inputs[0]->read(0, pixels); }),
            scratch / "train/cats/1.png: not a PNG or JPEG file");
}

std::string safetensors(const std::string &header, const std::string &data) {
  std::string length;
  for (size_t i = 0; i < 8; ++i)
    length += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return length + header + data;
}

TEST(Safetensors, WritesReadsAndRefuses) {
  Scratch scratch;
  std::string path = scratch / "w.safetensors";
  writeSafetensors(path, {{"b", arrayOf<float>(MLC_F32, {2}, {1, 2})}, {"a", arrayOf<int8_t>(MLC_I8, {}, {5})}},
                   {{"k", "v"}});
  Tensors tensors = readSafetensors(path);
  EXPECT_EQ(tensors.metadata["k"], "v");
  EXPECT_EQ(elementOf<float>(tensors.arrays["b"], 1), 2);
  EXPECT_EQ(tensors.arrays["a"].data[0], 5);
  mangle(path, [&] { readSafetensors(path); });

  auto message = [&](const std::string &header, const std::string &data) {
    writeFile(path, safetensors(header, data));
    return messageOf([&] { readSafetensors(path); }).substr(path.size() + 2);
  };
  EXPECT_EQ(
      message(
          R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
          "1234"),
      "a hole in the data at byte 2");
  EXPECT_EQ(
      message(
          R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
          "123"),
      "two tensors overlap at byte 1");
  EXPECT_EQ(
      message(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          "1"),
      "the tensor 'a' is there twice");
  EXPECT_EQ(message(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", "1"),
            "tensor 'a': unsupported element type F8_E4M3");
  EXPECT_EQ(message(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2]}})", "12"),
            "tensor 'a': expected 4 bytes for F32 [1], but the offsets are 0 and 2");
  EXPECT_EQ(message(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "12"),
            "expected 1 bytes of data, but got 2");
  EXPECT_EQ(message(" {}", ""), "not a .safetensors file: the header does not start with '{'");
}

} // namespace
