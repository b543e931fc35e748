//===- Machine.h - what the machine can do at most ---------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_PROFILE_MACHINE_H
#define MLC_RUNTIME_PROFILE_MACHINE_H

namespace mlc {

/// Measured peaks of some threads together.
struct MachinePeak {
  /// Operations a second of f32 multiply-adds, two each, in registers.
  double flops = 0;
  /// Bytes a second of arrays larger than the last cache (of at most 384 MiB), read and written as a[i] = b[i] + s c[i]
  /// does.
  double bytes = 0;
  /// The instructions that `flops` was measured with.
  const char *isa = "";
};

/// Measures for about a second at most. Needs twice the last cache, 96 to 768 MiB, for all threads together.
MachinePeak measurePeak(int threads);

} // namespace mlc

#endif
