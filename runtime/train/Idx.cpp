//===- Idx.cpp - the format of MNIST -----------------------------------------------------------------------------===//
//
// zlib's gzread reads compressed and plain files alike; a file of bytes that is not compressed is mapped instead.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Idx.h"
#include "runtime/train/File.h"
#include "runtime/train/InputError.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace mlc::train {

namespace {

using GzFile = std::unique_ptr<gzFile_s, int (*)(gzFile)>;

GzFile openGz(const std::string &path) {
  GzFile file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file)
    throw InputError(path + ": cannot open: " + std::strerror(errno));
  gzbuffer(file.get(), 1 << 17);
  return file;
}

/// The type of a type byte; 0 for none.
uint32_t dtypeOf(unsigned char code) {
  switch (code) {
  case 0x08:
    return MLC_U8;
  case 0x09:
    return MLC_I8;
  case 0x0B:
    return MLC_I16;
  case 0x0C:
    return MLC_I32;
  case 0x0D:
    return MLC_F32;
  case 0x0E:
    return MLC_F64;
  default:
    return 0;
  }
}

} // namespace

bool isIdx(const std::string &path) {
  GzFile file(gzopen(path.c_str(), "rb"), gzclose);
  unsigned char start[4];
  return file && gzread(file.get(), start, 4) == 4 && start[0] == 0 && start[1] == 0 && dtypeOf(start[2]) != 0;
}

Array readIdx(const std::string &path) {
  GzFile file = openGz(path);
  unsigned char start[4] = {}, extent[4];
  if (gzread(file.get(), start, 4) != 4 || start[0] != 0 || start[1] != 0 || dtypeOf(start[2]) == 0)
    throw InputError(path + ": not an IDX file");
  Array array;
  array.dtype = static_cast<mlc_dtype>(dtypeOf(start[2]));
  uint64_t expected = elementBytes(array.dtype);
  for (int i = 0; i < start[3]; ++i) {
    if (gzread(file.get(), extent, 4) != 4)
      throw InputError(path + ": truncated in the header");
    array.sizes.push_back(int64_t(extent[0]) << 24 | extent[1] << 16 | extent[2] << 8 | extent[3]);
    if (__builtin_mul_overflow(expected, static_cast<uint64_t>(array.sizes.back()), &expected) ||
        expected > (uint64_t(1) << 50))
      throw InputError(path + ": the extents " + shapeText(array.sizes) + " are too large");
  }
  auto truncated = [&](uint64_t got) {
    throw InputError(path + ": truncated: expected " + std::to_string(expected) + " bytes of elements for " +
                     shapeText(array.sizes) + ", but got " + std::to_string(got));
  };
  if (gzdirect(file.get()) && elementBytes(array.dtype) == 1) {
    MappedFile mapped = mapFile(path);
    uint64_t header = 4 + 4 * uint64_t(start[3]);
    if (mapped.size - header < expected)
      truncated(mapped.size - header);
    array.data = mapped.data + header;
    array.owner = mapped.owner;
    return array;
  }
  // In parts, so that a header that lies cannot ask for memory that no data fills.
  std::vector<char> bytes;
  while (bytes.size() < expected) {
    size_t done = bytes.size(), part = static_cast<size_t>(std::min<uint64_t>(expected - done, 1u << 24));
    bytes.resize(done + part);
    int got = gzread(file.get(), bytes.data() + done, static_cast<unsigned>(part));
    if (got < static_cast<int>(part))
      truncated(done + static_cast<uint64_t>(std::max(got, 0)));
  }
  // The checksum of gzip stands behind the elements.
  char end;
  int code = Z_OK;
  int more = gzread(file.get(), &end, 1);
  gzerror(file.get(), &code);
  if (more < 0 || (code != Z_OK && code != Z_STREAM_END))
    throw InputError(path + ": truncated or damaged behind the elements");
  Array result = Array::make(array.dtype, array.sizes);
  std::memcpy(result.mutableData(), bytes.data(), bytes.size());
  size_t width = elementBytes(array.dtype);
  if (width > 1)
    for (char *at = result.mutableData(), *end = at + bytes.size(); at < end; at += width)
      std::reverse(at, at + width);
  return result;
}

} // namespace mlc::train
