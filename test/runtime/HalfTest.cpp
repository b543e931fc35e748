//===- HalfTest.cpp - conversions of half-precision floats, against the compiler's own ---------------------------===//
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

// Calls that go to runtime/core/half.c by name.
extern "C" _Float16 __truncsfhf2(float);
extern "C" _Float16 __truncdfhf2(double);
extern "C" float __extendhfsf2(_Float16);
extern "C" __bf16 __truncsfbf2(float);
extern "C" __bf16 __truncdfbf2(double);

namespace {

uint16_t bits(_Float16 value) {
  uint16_t word;
  std::memcpy(&word, &value, sizeof word);
  return word;
}
_Float16 half(uint16_t word) {
  _Float16 value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

/// The value of a half by its definition: (-1)^s 2^(e-15) (1 + m/1024).
double defined(uint16_t word) {
  int exponent = word >> 10 & 31, mantissa = word & 1023;
  double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return word & 0x8000 ? -magnitude : magnitude;
}

TEST(Half, WidensEveryValue) {
  for (uint32_t word = 0; word < 0x10000; ++word) {
    float value = __extendhfsf2(half(static_cast<uint16_t>(word)));
    if ((word & 0x7c00) != 0x7c00)
      ASSERT_EQ(static_cast<double>(value), defined(static_cast<uint16_t>(word))) << word;
    else
      ASSERT_EQ(std::isnan(value), (word & 0x3ff) != 0) << word;
  }
}

TEST(Half, NarrowingReturnsEveryValue) {
  for (uint32_t word = 0; word < 0x10000; ++word)
    if ((word & 0x7c00) != 0x7c00 || (word & 0x3ff) == 0)
      ASSERT_EQ(bits(__truncsfhf2(__extendhfsf2(half(static_cast<uint16_t>(word))))), word);
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t word = 0; word < 0x7bff; ++word) {
    double low = defined(static_cast<uint16_t>(word)), high = defined(static_cast<uint16_t>(word + 1)),
           middle = (low + high) / 2;
    uint16_t even = word & 1 ? word + 1 : word;
    ASSERT_EQ(bits(__truncsfhf2(static_cast<float>(middle))), even) << word;
    ASSERT_EQ(bits(__truncdfhf2(std::nextafter(middle, high))), word + 1) << word;
    ASSERT_EQ(bits(__truncdfhf2(std::nextafter(middle, low))), word) << word;
  }
  EXPECT_EQ(bits(__truncsfhf2(65520.0f)), 0x7c00);
  EXPECT_EQ(bits(__truncsfhf2(65519.0f)), 0x7bff);
  EXPECT_TRUE(std::isnan(__extendhfsf2(__truncsfhf2(std::nanf("")))));
}

uint16_t brainBits(__bf16 value) {
  uint16_t word;
  std::memcpy(&word, &value, sizeof word);
  return word;
}
/// The value of a bf16: a float whose other bits are zero.
float brain(uint32_t word) {
  uint32_t bits = word << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t word = 0; word < 0x7f7f; ++word) {
    double low = brain(word), high = brain(word + 1), middle = (low + high) / 2;
    uint16_t even = word & 1 ? word + 1 : word;
    ASSERT_EQ(brainBits(__truncsfbf2(brain(word))), word);
    ASSERT_EQ(brainBits(__truncsfbf2(-brain(word))), word | 0x8000);
    if (word) // half of the least one is no float
      ASSERT_EQ(brainBits(__truncsfbf2(static_cast<float>(middle))), even) << word;
    ASSERT_EQ(brainBits(__truncdfbf2(std::nextafter(middle, high))), word + 1) << word;
    ASSERT_EQ(brainBits(__truncdfbf2(std::nextafter(middle, low))), word) << word;
  }
  EXPECT_EQ(brainBits(__truncsfbf2(std::numeric_limits<float>::max())), 0x7f80);
  EXPECT_EQ(brainBits(__truncsfbf2(std::numeric_limits<float>::infinity())), 0x7f80);
  EXPECT_EQ(brainBits(__truncsfbf2(std::nanf(""))) & 0x7fff, 0x7fc0);
  EXPECT_EQ(brainBits(__truncsfbf2(brain(0x7f81))), 0x7fc1); // signalling
}

} // namespace
