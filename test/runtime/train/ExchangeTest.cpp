// Sums of processes in a fixed order, and buckets that leave as they come.
#include "runtime/train/Exchange.h"
#include "runtime/train/PairwiseSum.h"

#include <gtest/gtest.h>

#include <chrono>

using namespace mlc::train;

namespace {

/// The tree by its definition: the sum of 2^k vectors is that of their halves.
double tree(const std::vector<float> &values, size_t begin, size_t end) {
  if (end - begin == 1)
    return values[begin];
  size_t middle = (begin + end) / 2;
  return static_cast<float>(tree(values, begin, middle)) + static_cast<float>(tree(values, middle, end));
}

TEST(PairwiseSum, AddsNeighboursFirst) {
  std::vector<float> values;
  for (size_t i = 0; i < 8; ++i)
    values.push_back(i % 2 ? 1e8f : 1.1f + static_cast<float>(i));
  PairwiseSum<std::vector<float>> whole, halves;
  EXPECT_TRUE(whole.empty());
  for (float value : values)
    whole.add({value});
  // A process that owns four of them gives a node of the same tree.
  for (size_t half = 0; half < 2; ++half) {
    PairwiseSum<std::vector<float>> own;
    for (size_t i = 0; i < 4; ++i)
      own.add({values[4 * half + i]});
    halves.add(own.take());
  }
  float sum = whole.take()[0];
  EXPECT_TRUE(whole.empty());
  EXPECT_EQ(sum, static_cast<float>(tree(values, 0, 8)));
  EXPECT_EQ(sum, halves.take()[0]);
}

TEST(PairwiseSum, AddsInPlace) {
  std::vector<float> parts = {1, 2, 10, 20, 100, 200};
  PairwiseSum<std::span<float>> sum;
  for (size_t i = 0; i < 3; ++i)
    sum.add({parts.data() + 2 * i, 2});
  std::span<float> total = sum.take();
  EXPECT_EQ(total.data(), parts.data());
  EXPECT_EQ(total[0], 111);
  EXPECT_EQ(total[1], 222);
}

/// Of one process, which need not wait for others: the sums are what it gave, in several buckets, again and again.
TEST(Exchange, SumsOfOneProcess) {
  Communicator communicator;
  std::vector<float> large(2 * Exchange::kBucket + 17), small = {1, 2, 3}, none;
  Exchange exchange(communicator, {{small.data(), small.size()}, {none.data(), 0}, {large.data(), large.size()}});
  for (float step = 0; step < 3; ++step) {
    std::fill(large.begin(), large.end(), step);
    exchange.give(2);
    exchange.give(2);
    exchange.finish();
    EXPECT_EQ(large.front(), step);
    EXPECT_EQ(large.back(), step);
    EXPECT_EQ(small, (std::vector<float>{1, 2, 3}));
  }
}

TEST(Exchange, EndsWithoutAnEnd) {
  Communicator communicator;
  std::vector<float> values(10, 1);
  Exchange exchange(communicator, {{values.data(), values.size()}});
  exchange.give(0);
}

} // namespace
