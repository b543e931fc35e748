//===- WinogradFilter.cpp - filters of Winograd convolutions, computed at compile time
//-------------------------------===//
#include "lib/Support/WinogradFilter.h"

using namespace llvm;

namespace mlc {

std::vector<char> transformWinogradFilter(ArrayRef<char> source, int64_t filters, int64_t channels) {
  static constexpr double g[6][3] = {{1.0 / 4, 0, 0},
                                     {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                     {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                     {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                     {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                     {0, 0, 1}};
  std::vector<char> result(36 * filters * channels * sizeof(float));
  const auto *from = reinterpret_cast<const float *>(source.data());
  auto *to = reinterpret_cast<float *>(result.data());
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t f = 0; f < filters; ++f) {
      const float *filter = from + (f * channels + c) * 9;
      double half[6][3];
      for (int i = 0; i < 6; ++i)
        for (int b = 0; b < 3; ++b)
          half[i][b] = g[i][0] * filter[b] + g[i][1] * filter[3 + b] + g[i][2] * filter[6 + b];
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j)
          to[((i * 6 + j) * channels + c) * filters + f] =
              static_cast<float>(half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2]);
    }
  return result;
}

} // namespace mlc
