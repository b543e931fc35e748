//===- Npy.cpp - NumPy's .npy files ------------------------------------------------------------------------------===//
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3, either byte order,
// C or Fortran order.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Npy.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <cstring>

namespace mlc::train {

namespace {

constexpr std::pair<const char *, mlc_dtype> kCodes[] = {
    {"f4", MLC_F32}, {"f8", MLC_F64}, {"f2", MLC_F16}, {"V2", MLC_BF16}, {"i1", MLC_I8},
    {"i2", MLC_I16}, {"i4", MLC_I32}, {"i8", MLC_I64}, {"u1", MLC_U8},   {"u2", MLC_U16},
    {"u4", MLC_U32}, {"u8", MLC_U64}, {"b1", MLC_BOOL}};

/// The header of a .npy file, a Python dictionary of three keys.
class Header final {
public:
  Header(std::string_view text, const std::string &name) : text(text), name(name) {}

  [[noreturn]] void fail(const std::string &reason) const { throw InputError(name + ": " + reason); }

  /// What is behind `'key':`.
  std::string_view field(std::string_view key) const {
    size_t at = text.find("'" + std::string(key) + "'");
    at = at == std::string_view::npos ? at : text.find(':', at + key.size() + 2);
    at = at == std::string_view::npos ? at : text.find_first_not_of(' ', at + 1);
    if (at == std::string_view::npos)
      fail("not a .npy file: the header has no '" + std::string(key) + "'");
    return text.substr(at);
  }

  std::string code() const {
    std::string_view descr = field("descr");
    size_t end = descr[0] == '\'' ? descr.find('\'', 1) : std::string_view::npos;
    if (end == std::string_view::npos || end < 3)
      fail("unsupported element type (a structure); an array of numbers is");
    return std::string(descr.substr(1, end - 1));
  }

  std::vector<int64_t> shape() const {
    std::string_view shape = field("shape");
    size_t close = shape.find(')');
    if (shape[0] != '(' || close == std::string_view::npos)
      fail("not a .npy file: the shape is malformed");
    std::vector<int64_t> sizes;
    for (size_t at = 1; at < close;) {
      if (shape[at] == ' ' || shape[at] == ',') {
        ++at;
        continue;
      }
      int64_t size = 0;
      size_t begin = at;
      for (; at < close && shape[at] >= '0' && shape[at] <= '9'; ++at)
        if (size > (int64_t(1) << 50))
          fail("the shape is too large");
        else
          size = 10 * size + (shape[at] - '0');
      if (at == begin)
        fail("not a .npy file: the shape is malformed");
      sizes.push_back(size);
    }
    return sizes;
  }

private:
  std::string_view text;
  const std::string &name;
};

/// The elements in this machine's byte order and in C order.
Array normalized(const Array &from, bool isSwapped, bool isFortran) {
  Array to = Array::make(from.dtype, from.sizes);
  size_t width = elementBytes(from.dtype), rank = from.sizes.size();
  std::vector<int64_t> index(rank, 0), strides(rank, 1);
  if (isFortran)
    for (size_t i = 1; i < rank; ++i)
      strides[i] = strides[i - 1] * from.sizes[i - 1];
  else
    for (size_t i = rank; i-- > 1;)
      strides[i - 1] = strides[i] * from.sizes[i];
  char *out = to.mutableData();
  for (int64_t place = 0, count = from.count(); place < count; ++place, out += width) {
    int64_t offset = 0;
    for (size_t i = 0; i < rank; ++i)
      offset += index[i] * strides[i];
    std::memcpy(out, from.data + static_cast<size_t>(offset) * width, width);
    if (isSwapped)
      std::reverse(out, out + width);
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < from.sizes[i])
        break;
      index[i] = 0;
    }
  }
  return to;
}

} // namespace

std::string npyHeader(const Array &array) {
  std::string code;
  for (const auto &[text, dtype] : kCodes)
    if (dtype == array.dtype)
      code = text;
  std::string header = "{'descr': '" +
                       std::string(elementBytes(array.dtype) == 1 || array.dtype == MLC_BF16 ? "|" : "<") + code +
                       "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < array.sizes.size(); ++i)
    header += std::to_string(array.sizes[i]) + (array.sizes.size() == 1 ? "," : i + 1 < array.sizes.size() ? ", " : "");
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string start = {'\x93',
                       'N',
                       'U',
                       'M',
                       'P',
                       'Y',
                       1,
                       0,
                       static_cast<char>(header.size() & 0xff),
                       static_cast<char>(header.size() >> 8)};
  return start + header;
}

Array readNpy(const MappedFile &file, const std::string &name) {
  auto fail = [&](const std::string &reason) { throw InputError(name + ": " + reason); };
  auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(file.data[at])); };
  if (file.size < 10 || std::memcmp(file.data, "\x93NUMPY", 6) != 0)
    fail("not a .npy file");
  if (byte(6) < 1 || byte(6) > 3)
    fail("expected version 1 to 3 of the .npy format, but got " + std::to_string(byte(6)));
  size_t start = byte(6) == 1 ? 10 : 12;
  if (file.size < start)
    fail("not a .npy file: the header is truncated");
  size_t length = byte(8) | byte(9) << 8;
  if (start == 12)
    length |= byte(10) << 16 | byte(11) << 24;
  if (file.size - start < length)
    fail("not a .npy file: the header is truncated");
  Header header({file.data + start, length}, name);

  Array array;
  std::string code = header.code();
  auto known = std::find_if(std::begin(kCodes), std::end(kCodes),
                            [&](const auto &each) { return code.compare(1, std::string::npos, each.first) == 0; });
  if (known == std::end(kCodes))
    fail("unsupported element type '" + code + "'; integers, floats and booleans are");
  array.dtype = known->second;
  array.sizes = header.shape();
  size_t expected = elementBytes(array.dtype), available = file.size - start - length;
  for (int64_t size : array.sizes)
    if (__builtin_mul_overflow(expected, static_cast<size_t>(size), &expected))
      fail("the shape is too large");
  if (available < expected)
    fail("truncated: expected " + std::to_string(expected) + " bytes of elements for " + shapeText(array.sizes) +
         ", but got " + std::to_string(available));
  array.data = file.data + start + length;
  array.owner = file.owner;
  bool isFortran = header.field("fortran_order").substr(0, 4) == "True" && array.sizes.size() > 1;
  return code[0] == '>' || isFortran ? normalized(array, code[0] == '>', isFortran) : array;
}

void writeNpy(const std::string &path, const Array &array, bool isDurable) {
  AtomicFile file(path);
  file.write(npyHeader(array));
  file.write(array.data, array.bytes());
  file.commit(isDurable);
}

} // namespace mlc::train
