//===- WinogradFilter.h - filters of Winograd convolutions, computed at compile time
//---------------------------------===//
#ifndef MLC_LIB_SUPPORT_WINOGRADFILTER_H
#define MLC_LIB_SUPPORT_WINOGRADFILTER_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace mlc {

/// u[i, j, c, f] = sum over a, b of G[i, a] g[f, c, a, b] G[j, b] for the f32 filters g[filters, channels, 3, 3] in
/// `source`, with G of F(4×4, 3×3). 36 / 9 times as many bytes come out.
std::vector<char> transformWinogradFilter(llvm::ArrayRef<char> source, int64_t filters, int64_t channels);

} // namespace mlc

#endif
