//===- Machine.h - what the machine can do at most ---------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_TOOLS_MLC_RUN_MACHINE_H
#define MLC_TOOLS_MLC_RUN_MACHINE_H

namespace mlc {

/// Measured peaks of some threads together.
struct MachinePeak {
  /// Operations a second of f32 multiply-adds, two each, in registers.
  double flops = 0;
  /// Bytes a second of memory that no cache holds, read and written as a[i] = b[i] + s c[i] does.
  double bytes = 0;
  /// The instructions that `flops` was measured with.
  const char *isa = "";
};

/// Measures for about a quarter of a second. Needs 96 MiB for all threads together.
MachinePeak measurePeak(int threads);

} // namespace mlc

#endif
