//===- Npy.cpp - NumPy's .npy files ------------------------------------------------------------------------------===//
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "Npy.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

namespace mlc {

namespace {

const std::map<std::string, mlc_dtype> kDtypes{{"f4", MLC_F32}, {"f8", MLC_F64}, {"f2", MLC_F16}, {"V2", MLC_BF16},
                                               {"i1", MLC_I8},  {"i2", MLC_I16}, {"i4", MLC_I32}, {"i8", MLC_I64},
                                               {"u1", MLC_U8},  {"u2", MLC_U16}, {"u4", MLC_U32}, {"u8", MLC_U64},
                                               {"b1", MLC_BOOL}};

[[noreturn]] void fail(const std::string &path, const std::string &reason) {
  throw std::runtime_error(path + ": " + reason);
}

/// The text behind `'key':` in the header.
std::string field(const std::string &path, const std::string &header, const std::string &key) {
  size_t at = header.find("'" + key + "':");
  if (at == std::string::npos)
    fail(path, "not a .npy file: the header has no '" + key + "'");
  at = header.find_first_not_of(' ', at + key.size() + 3);
  return at == std::string::npos ? "" : header.substr(at);
}

/// Elements in column-major order become row-major.
std::vector<char> transposed(const std::vector<char> &from, const std::vector<int64_t> &sizes, size_t width) {
  std::vector<char> to(from.size());
  std::vector<int64_t> index(sizes.size(), 0), strides(sizes.size(), 1);
  for (size_t i = 1; i < sizes.size(); ++i)
    strides[i] = strides[i - 1] * sizes[i - 1];
  int64_t count = elementCount(sizes);
  for (int64_t place = 0; place < count; ++place) {
    int64_t offset = 0;
    for (size_t i = 0; i < sizes.size(); ++i)
      offset += index[i] * strides[i];
    std::memcpy(&to[place * width], &from[offset * width], width);
    for (size_t i = sizes.size(); i-- > 0;) {
      if (++index[i] < sizes[i])
        break;
      index[i] = 0;
    }
  }
  return to;
}

} // namespace

size_t elementBytes(mlc_dtype dtype) {
  switch (dtype) {
  case MLC_U8:
  case MLC_I8:
  case MLC_BOOL:
    return 1;
  case MLC_U16:
  case MLC_I16:
  case MLC_F16:
  case MLC_BF16:
    return 2;
  case MLC_F32:
  case MLC_I32:
  case MLC_U32:
    return 4;
  default:
    return 8;
  }
}

int64_t elementCount(const std::vector<int64_t> &sizes) {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

Array readNpy(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    fail(path, std::string("cannot open: ") + std::strerror(errno));
  unsigned char start[12] = {};
  in.read(reinterpret_cast<char *>(start), 8);
  if (!in || std::memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3)
    fail(path, "not a .npy file");
  unsigned lengthBytes = start[6] == 1 ? 2 : 4;
  in.read(reinterpret_cast<char *>(start + 8), lengthBytes);
  uint32_t length = start[8] | start[9] << 8;
  if (lengthBytes == 4)
    length |= static_cast<uint32_t>(start[10]) << 16 | static_cast<uint32_t>(start[11]) << 24;
  if (!in || length > (1u << 20))
    fail(path, "not a .npy file: the header is truncated");
  std::string header(length, '\0');
  if (!in.read(header.data(), length))
    fail(path, "not a .npy file: the header is truncated");

  Array array;
  std::string descr = field(path, header, "descr");
  size_t end = descr.size() > 1 ? descr.find(descr[0], 1) : std::string::npos;
  if (descr.empty() || (descr[0] != '\'' && descr[0] != '"') || end == std::string::npos || end < 3)
    fail(path, "unsupported element type (a structure)");
  std::string code = descr.substr(1, end - 1);
  auto known = kDtypes.find(code.substr(1));
  if (known == kDtypes.end() || code[0] == '>')
    fail(path, "unsupported element type '" + code + "'");
  array.dtype = known->second;
  bool fortran = field(path, header, "fortran_order").rfind("True", 0) == 0;
  std::string shape = field(path, header, "shape");
  size_t close = shape.find(')');
  if (shape.empty() || shape[0] != '(' || close == std::string::npos)
    fail(path, "not a .npy file: the shape is malformed");
  size_t count = 1;
  for (size_t at = 1; at < close;) {
    size_t used = shape.find_first_of("0123456789", at);
    if (used >= close)
      break;
    size_t digits = 0;
    unsigned long long size = 0;
    try {
      size = std::stoull(shape.substr(used, close - used), &digits);
    } catch (const std::exception &) {
      fail(path, "not a .npy file: the shape is malformed");
    }
    if (__builtin_mul_overflow(count, static_cast<size_t>(size), &count) || count > (size_t(1) << 50))
      fail(path, "the shape is too large");
    array.sizes.push_back(static_cast<int64_t>(size));
    at = used + digits;
  }
  size_t width = elementBytes(array.dtype);
  std::streampos here = in.tellg();
  in.seekg(0, std::ios::end);
  size_t available = static_cast<size_t>(in.tellg() - here);
  in.seekg(here);
  if (available < count * width)
    fail(path, "truncated: expected " + std::to_string(count * width) + " bytes of elements, but got " +
                   std::to_string(available));
  array.bytes.resize(count * width);
  in.read(array.bytes.data(), static_cast<std::streamsize>(array.bytes.size()));
  if (fortran && array.sizes.size() > 1)
    array.bytes = transposed(array.bytes, array.sizes, width);
  return array;
}

void writeNpy(const std::string &path, mlc_dtype dtype, const std::vector<int64_t> &sizes, const void *data) {
  std::string code;
  for (const auto &[name, value] : kDtypes)
    if (value == dtype)
      code = name;
  std::string header = "{'descr': '" + std::string(elementBytes(dtype) == 1 || dtype == MLC_BF16 ? "|" : "<") + code +
                       "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < sizes.size(); ++i)
    header += std::to_string(sizes[i]) + (sizes.size() == 1 || i + 1 < sizes.size() ? "," : "") +
              (i + 1 < sizes.size() ? " " : "");
  header += "), }";
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header += '\n';
  std::string temporary = path + ".tmp";
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    const char version[] = {'\x93',
                            'N',
                            'U',
                            'M',
                            'P',
                            'Y',
                            1,
                            0,
                            static_cast<char>(header.size() & 0xff),
                            static_cast<char>(header.size() >> 8)};
    out.write(version, sizeof version);
    out << header;
    out.write(static_cast<const char *>(data),
              static_cast<std::streamsize>(elementCount(sizes) * static_cast<int64_t>(elementBytes(dtype))));
    out.flush();
    if (!out) {
      std::remove(temporary.c_str());
      fail(path, std::string("cannot write: ") + std::strerror(errno));
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    fail(path, std::string("cannot write: ") + std::strerror(errno));
}

} // namespace mlc
