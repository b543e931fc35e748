//===- Slices.cpp - steps and evaluations of batches that are cut ------------------------------------------------===//
//
// A batch that is not cut is one call of @step. Otherwise each slice's gradient is computed by @gradients on its own
// and all are added in a fixed tree: neighbours first, then pairs of them, and so on. Since a process owns 2^k slices
// that lie side by side, its sum is a node of that tree, and what the processes gather from each other is added along
// the rest of it: the same bits for any number of processes. Running statistics (batch normalization) begin anew for
// each slice, and the weighted mean of what the slices make of them is what the step leaves.
//
// Memory: log2(slices) sums of gradients, and one bucket a process while sums are exchanged.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Slices.h"
#include "runtime/train/InputError.h"

#include <cstring>

namespace mlc::train {

namespace {

void addTo(std::vector<float> &sum, const std::vector<float> &other) {
  for (size_t i = 0; i < sum.size(); ++i)
    sum[i] += other[i];
}

/// Adds vectors pairwise as they come: a binary counter, whose digits are sums of 1, 2, 4 … vectors.
class PairwiseSum final {
public:
  void add(std::vector<float> vector) {
    uint64_t height = 1;
    while (!sums.empty() && sums.back().first == height) {
      addTo(sums.back().second, vector);
      vector = std::move(sums.back().second);
      sums.pop_back();
      height *= 2;
    }
    sums.emplace_back(height, std::move(vector));
  }
  std::vector<float> take() {
    while (sums.size() > 1) {
      addTo(sums[sums.size() - 2].second, sums.back().second);
      sums.pop_back();
    }
    std::vector<float> result = std::move(sums.back().second);
    sums.clear();
    return result;
  }

private:
  std::vector<std::pair<uint64_t, std::vector<float>>> sums;
};

/// Floats that processes exchange at a time.
constexpr size_t kBucket = size_t(1) << 20;

template <typename T> void append(std::string &text, const T &value) {
  text.append(reinterpret_cast<const char *>(&value), sizeof value);
}

void append(std::string &text, const Array &array) {
  append(text, static_cast<int32_t>(array.dtype));
  append(text, static_cast<int32_t>(array.sizes.size()));
  for (int64_t size : array.sizes)
    append(text, size);
  text.append(array.data, array.bytes());
}

template <typename T> T read(const char *&at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

Array readArray(const char *&at) {
  Array array;
  array.dtype = static_cast<mlc_dtype>(read<int32_t>(at));
  array.sizes.resize(static_cast<size_t>(read<int32_t>(at)));
  for (int64_t &size : array.sizes)
    size = read<int64_t>(at);
  array.data = at;
  at += array.bytes();
  return array;
}

} // namespace

Slices::Slices(Program &program, State &state, Communicator &communicator, int64_t shards, int64_t pieces)
    : program(program), communicator(communicator), shards(shards), pieces(pieces) {
  int64_t processes = communicator.size(), each = shards / processes;
  if (shards % processes != 0 || (processes > 1 && (each & (each - 1)) != 0))
    throw UsageError("--shards: expected " + std::to_string(processes) +
                     " (the number of processes) times a power of two, but got " + std::to_string(shards));
  firstShard = each * communicator.rank();
  endShard = firstShard + each;
  gradients = state.floats(MLC_STATE_GRADIENT);
  statistics = state.floats(MLC_STATE_STATISTIC);
}

std::pair<int64_t, int64_t> Slices::own(int64_t samples) const {
  return {beginOf(samples, firstShard, shards), beginOf(samples, endShard, shards)};
}

void Slices::appendRecord(std::string &records, const Result &result, const Batch &piece) const {
  append(records, result.loss);
  append(records, piece.samples);
  append(records, result.outputs.at(0));
  append(records, piece.label);
}

double Slices::addRecords(const std::string &records, int64_t samples, Metrics &metrics, bool &stop) {
  std::string own;
  append(own, static_cast<char>(stop));
  own += records;
  double loss = 0;
  for (const std::string &text : communicator.gather(own)) {
    const char *at = text.data(), *end = at + text.size();
    stop |= *at++ != 0;
    while (at < end) {
      double ofPiece = read<double>(at);
      auto count = read<int64_t>(at);
      Array output = readArray(at), label = readArray(at);
      metrics.add(ofPiece, count, output, label);
      loss += ofPiece * static_cast<double>(count) / static_cast<double>(samples);
    }
  }
  return loss;
}

void Slices::addAcross(std::vector<float> &partial) {
  if (communicator.size() == 1)
    return;
  auto processes = static_cast<size_t>(communicator.size());
  std::vector<float> all(processes * kBucket);
  for (size_t begin = 0; begin < partial.size(); begin += kBucket) {
    size_t count = std::min(kBucket, partial.size() - begin);
    communicator.gather(&partial[begin], static_cast<int64_t>(count), all.data());
    PairwiseSum sum;
    for (size_t i = 0; i < processes; ++i)
      sum.add({all.begin() + static_cast<ptrdiff_t>(i * count), all.begin() + static_cast<ptrdiff_t>((i + 1) * count)});
    std::vector<float> total = sum.take();
    std::copy(total.begin(), total.end(), partial.begin() + static_cast<ptrdiff_t>(begin));
  }
}

double Slices::step(const Batch &batch, int64_t samples, float learningRate, int64_t iteration, int64_t seed,
                    Metrics &metrics, bool &stop) {
  if (shards * pieces == 1) {
    Result result = program.step(batch, learningRate, iteration, seed);
    metrics.add(result.loss, samples, result.outputs.at(0), batch.label);
    return result.loss;
  }
  int64_t offset = own(samples).first, all = shards * pieces;
  size_t payload = 0;
  for (const auto &[data, count] : gradients)
    payload += count;
  for (const auto &[data, count] : statistics)
    payload += count;
  std::vector<float> before;
  for (const auto &[data, count] : statistics)
    before.insert(before.end(), data, data + count);

  std::string records;
  PairwiseSum sum;
  for (int64_t shard = firstShard; shard < endShard; ++shard) {
    for (int64_t piece = shard * pieces; piece < (shard + 1) * pieces; ++piece) {
      int64_t begin = beginOf(samples, piece, all) - offset, end = beginOf(samples, piece + 1, all) - offset;
      if (begin == end)
        continue;
      Batch part = sliceOf(batch, begin, end);
      auto weight = static_cast<float>(static_cast<double>(end - begin) / static_cast<double>(samples));
      // Each piece draws its own dropout masks.
      Result result = program.gradients(
          part, weight, iteration,
          static_cast<int64_t>(static_cast<uint64_t>(seed) + static_cast<uint64_t>(piece) * 0x9E3779B97F4A7C15u));
      appendRecord(records, result, part);
    }
    if (shards == 1)
      break; // the gradients are where @apply reads them
    auto weight =
        static_cast<float>(static_cast<double>(beginOf(samples, shard + 1, shards) - beginOf(samples, shard, shards)) /
                           static_cast<double>(samples));
    std::vector<float> slice;
    slice.reserve(payload);
    for (const auto &[data, count] : gradients) {
      slice.insert(slice.end(), data, data + count);
      std::memset(data, 0, count * sizeof(float));
    }
    const float *old = before.data();
    for (const auto &[data, count] : statistics) {
      for (uint64_t i = 0; i < count; ++i)
        slice.push_back(weight * data[i]);
      std::memcpy(data, old, count * sizeof(float));
      old += count;
    }
    sum.add(std::move(slice));
  }
  if (shards > 1) {
    std::vector<float> total = sum.take();
    addAcross(total);
    const float *at = total.data();
    for (const auto *tensors : {&gradients, &statistics})
      for (const auto &[data, count] : *tensors) {
        std::memcpy(data, at, count * sizeof(float));
        at += count;
      }
  }
  double loss = addRecords(records, samples, metrics, stop);
  program.apply(learningRate, iteration);
  return loss;
}

void Slices::evaluate(const Batch &batch, int64_t samples, Metrics &metrics) {
  if (shards == 1) {
    Result result = program.evaluate(batch);
    metrics.add(result.loss, samples, result.outputs.at(0), batch.label);
    return;
  }
  std::string records;
  int64_t offset = own(samples).first;
  for (int64_t shard = firstShard; shard < endShard; ++shard) {
    int64_t begin = beginOf(samples, shard, shards) - offset, end = beginOf(samples, shard + 1, shards) - offset;
    if (begin == end)
      continue;
    Batch part = sliceOf(batch, begin, end);
    appendRecord(records, program.evaluate(part), part);
  }
  bool stop = false;
  addRecords(records, samples, metrics, stop);
}

} // namespace mlc::train
