//===- Properties.cpp - what the passes ask of a processor, from what LLVM knows ----------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/TargetParser/Triple.h"

#include <unistd.h>

using namespace llvm;

namespace mlc {

TargetProperties describeTarget(const TargetMachine &machine, bool isNative) {
  TargetProperties target;
  const Triple &triple = machine.getTargetTriple();
  const MCSubtargetInfo &info = *machine.getMCSubtargetInfo();
  auto has = [&](StringRef features) { return info.checkFeatures(features.str()); };
  if (triple.isX86()) {
    target.family = TargetProperties::Family::x86;
    bool avx512 = has("+avx512f,+avx512vl,+avx512bw,+avx512dq");
    target.vectorBits = avx512 ? 512 : has("+avx2") ? 256 : 128;
    target.vectorRegisters = avx512 ? 32 : 16;
    target.fma = avx512 || has("+fma");
    target.masks = avx512;
    target.dotInt8 = avx512 ? has("+avx512vnni") : has("+avxvnni");
    target.dotBf16 = avx512 && has("+avx512bf16");
  } else if (triple.isAArch64()) {
    target.family = TargetProperties::Family::aarch64;
    target.vectorRegisters = 32;
    target.fma = true;
    target.dotInt8 = has("+dotprod");
    target.dotBf16 = has("+bf16");
    target.l1Bytes = 64 << 10;
  } else {
    target.family = TargetProperties::Family::other;
  }
  if (isNative) {
    auto cache = [](int name, uint64_t fallback) {
      long bytes = sysconf(name);
      return bytes > 0 ? static_cast<uint64_t>(bytes) : fallback;
    };
    target.l1Bytes = cache(_SC_LEVEL1_DCACHE_SIZE, target.l1Bytes);
    target.l2Bytes = cache(_SC_LEVEL2_CACHE_SIZE, target.l2Bytes);
    target.l3Bytes = cache(_SC_LEVEL3_CACHE_SIZE, target.l3Bytes);
  }
  return target;
}

} // namespace mlc
