//===- PairwiseSum.h - sums of vectors in a fixed order ----------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_PAIRWISESUM_H
#define MLC_RUNTIME_TRAIN_PAIRWISESUM_H

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mlc::train {

/// Adds vectors pairwise as they come: a binary counter, whose digits are sums of 1, 2, 4 … vectors. So the sum of the
/// first 2^k vectors of a longer list is a node of the tree of the whole. `Vector` is a std::vector<float>, or a
/// std::span<float>, which is added in place. All have one size.
template <typename Vector> class PairwiseSum final {
public:
  void add(Vector vector) {
    uint64_t height = 1;
    while (!sums.empty() && sums.back().first == height) {
      vector = takeLast(vector);
      height *= 2;
    }
    sums.emplace_back(height, std::move(vector));
  }

  bool empty() const { return sums.empty(); }

  /// The sum; there must have been a vector. Begins anew.
  Vector take() {
    Vector sum = std::move(sums.back().second);
    sums.pop_back();
    while (!sums.empty())
      sum = takeLast(sum);
    return sum;
  }

private:
  /// The last digit plus `vector`.
  Vector takeLast(const Vector &vector) {
    Vector sum = std::move(sums.back().second);
    sums.pop_back();
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += vector[i];
    return sum;
  }

  std::vector<std::pair<uint64_t, Vector>> sums;
};

} // namespace mlc::train

#endif
