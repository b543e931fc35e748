//===- TargetProperties.h - what code generation asks of a processor ---------------------------------*- C++ -*-===//
//
// The passes choose register tiles, vector widths and cache blocks from these numbers alone, never from the name of a
// processor, so that every choice can be reproduced on another machine. lib/Target/Cpu fills them in.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_TARGETPROPERTIES_H
#define MLC_PASSES_TARGETPROPERTIES_H

#include <cstdint>

namespace mlc {

/// A CPU as the passes see it. The defaults are those of any x86-64.
struct TargetProperties {
  enum class Family { x86, aarch64, other };
  Family family = Family::x86;
  /// Width of the widest vector register that code should use, in bits.
  unsigned vectorBits = 128;
  /// Architectural vector registers.
  unsigned vectorRegisters = 16;
  /// Fused multiply-add of vectors.
  bool fma = false;
  /// Loads and stores with a mask cost no more than those without (AVX-512).
  bool masks = false;
  /// Dot products of four 8-bit integers into 32 bits: u8 by s8 (AVX512-VNNI, AVX-VNNI), or s8 by s8 (NEON sdot).
  bool dotInt8 = false;
  /// Dot products of two bf16 into f32 (AVX512-BF16, or bfdot of AArch64).
  bool dotBf16 = false;
  /// Bytes of the data caches that one core can use.
  uint64_t l1Bytes = 32 << 10, l2Bytes = 512 << 10, l3Bytes = 4 << 20;
};

} // namespace mlc

#endif
