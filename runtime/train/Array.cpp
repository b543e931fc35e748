//===- Array.cpp - tensors of files ------------------------------------------------------------------------------===//
//
// Conversions go row by row while batches are put together, so the pairs that data really has (bytes to floats, equal
// types) are loops that vectorise; the rest goes through double.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Array.h"

#include "runtime/core/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace mlc::train {

namespace {

struct BFloat final {
  uint16_t bits;
  operator double() const {
    uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
  }
  BFloat(double value) {
    float narrow = static_cast<float>(value);
    uint32_t wide;
    std::memcpy(&wide, &narrow, 4);
    bits = narrow != narrow ? 0x7fc0 : static_cast<uint16_t>((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
  }
};

struct Bool final {
  uint8_t value;
  operator double() const { return value != 0; }
  Bool(double from) : value(from != 0) {}
};

/// Calls `function` with a null pointer to the type of `dtype`.
template <typename Function> void withType(uint32_t dtype, Function function) {
  switch (dtype) {
  case MLC_F32:
    return function(static_cast<float *>(nullptr));
  case MLC_F64:
    return function(static_cast<double *>(nullptr));
  case MLC_F16:
    return function(static_cast<_Float16 *>(nullptr));
  case MLC_BF16:
    return function(static_cast<BFloat *>(nullptr));
  case MLC_U8:
    return function(static_cast<uint8_t *>(nullptr));
  case MLC_I8:
    return function(static_cast<int8_t *>(nullptr));
  case MLC_U16:
    return function(static_cast<uint16_t *>(nullptr));
  case MLC_I16:
    return function(static_cast<int16_t *>(nullptr));
  case MLC_U32:
    return function(static_cast<uint32_t *>(nullptr));
  case MLC_I32:
    return function(static_cast<int32_t *>(nullptr));
  case MLC_U64:
    return function(static_cast<uint64_t *>(nullptr));
  case MLC_BOOL:
    return function(static_cast<Bool *>(nullptr));
  default:
    return function(static_cast<int64_t *>(nullptr));
  }
}

template <typename T> constexpr bool isInteger = std::is_integral_v<T>;

template <typename To, typename From> To converted(From from) {
  if constexpr (isInteger<To> && isInteger<From>)
    return static_cast<To>(from);
  else if constexpr (isInteger<To>) {
    // What does not fit is undefined in C++; it becomes 0.
    double value = static_cast<double>(from);
    return value > -9.3e18 && value < 9.2e18 ? static_cast<To>(static_cast<int64_t>(value)) : To(0);
  } else if constexpr (std::is_same_v<To, float> && (isInteger<From> || std::is_floating_point_v<From>))
    return static_cast<float>(from);
  else
    return To(static_cast<double>(from));
}

} // namespace

Array Array::make(mlc_dtype dtype, std::vector<int64_t> sizes) {
  Array array;
  array.dtype = dtype;
  array.sizes = std::move(sizes);
  // As kernels have theirs, so that no vector of a batch crosses a cache line.
  auto memory = std::shared_ptr<char[]>(static_cast<char *>(mlc_aligned_alloc(array.bytes())), std::free);
  if (!memory)
    throw std::bad_alloc();
  array.data = memory.get();
  array.owner = memory;
  return array;
}

int64_t Array::count() const {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

uint64_t Array::bytes() const { return static_cast<uint64_t>(count()) * elementBytes(dtype); }

size_t elementBytes(uint32_t dtype) {
  size_t bytes = 0;
  withType(dtype, [&](auto *type) { bytes = sizeof *type; });
  return bytes;
}

const char *dtypeName(uint32_t dtype) {
  switch (dtype) {
  case MLC_F32:
    return "f32";
  case MLC_U8:
    return "u8";
  case MLC_I8:
    return "i8";
  case MLC_U16:
    return "u16";
  case MLC_I16:
    return "i16";
  case MLC_I32:
    return "i32";
  case MLC_I64:
    return "i64";
  case MLC_BOOL:
    return "bool";
  case MLC_F16:
    return "f16";
  case MLC_F64:
    return "f64";
  case MLC_U32:
    return "u32";
  case MLC_U64:
    return "u64";
  case MLC_BF16:
    return "bf16";
  default:
    return "unknown";
  }
}

std::string shapeText(const std::vector<int64_t> &sizes) {
  std::string text;
  for (int64_t size : sizes)
    text += (text.empty() ? "" : ", ") + (size < 0 ? std::string("N") : std::to_string(size));
  return "[" + text + "]";
}

void convertElements(uint32_t fromType, const void *from, uint32_t toType, void *to, int64_t count) {
  if (fromType == toType) {
    std::memcpy(to, from, static_cast<size_t>(count) * elementBytes(toType));
    return;
  }
  withType(fromType, [&](auto *source) {
    using From = std::remove_pointer_t<decltype(source)>;
    withType(toType, [&](auto *target) {
      using To = std::remove_pointer_t<decltype(target)>;
      const char *in = static_cast<const char *>(from);
      char *out = static_cast<char *>(to);
      for (int64_t i = 0; i < count; ++i) { // files need not be aligned
        From element = From(0.0);
        std::memcpy(&element, in + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
        To result = converted<To>(element);
        std::memcpy(out + i * static_cast<int64_t>(sizeof(To)), &result, sizeof(To));
      }
    });
  });
}

} // namespace mlc::train
