//===- Slices.cpp - steps and evaluations of batches that are cut ------------------------------------------------===//
//
// A batch that is not cut is one call of @step. Otherwise each slice's gradient is computed by @gradients on its own
// and all are added in a fixed tree: neighbours first, then pairs of them, and so on. Since a process owns 2^k slices
// that lie side by side, its sum is a node of that tree, and what the processes gather from each other is added along
// the rest of it: the same bits for any number of processes. Running statistics (batch normalization) begin anew for
// each slice, and the weighted mean of what the slices make of them is what the step leaves.
//
// The gradients of a process are complete one after the other while its last piece is computed, and are exchanged as
// they come. Memory: log2(slices) sums of gradients.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Slices.h"
#include "runtime/train/InputError.h"

#include <algorithm>
#include <cstring>

namespace mlc::train {

namespace {

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
    : program(program), communicator(communicator), memory(static_cast<char *>(state.memory())), shards(shards),
      pieces(pieces) {
  int64_t processes = communicator.size(), each = shards / processes;
  if (shards % processes != 0 || (processes > 1 && (each & (each - 1)) != 0))
    throw UsageError("--shards: expected " + std::to_string(processes) +
                     " (the number of processes) times a power of two, but got " + std::to_string(shards));
  firstShard = each * communicator.rank();
  endShard = firstShard + each;
  tensors = state.floats(MLC_STATE_STATISTIC);
  numStatistics = tensors.size();
  std::vector<std::pair<float *, uint64_t>> gradients = state.floats(MLC_STATE_GRADIENT);
  tensors.insert(tensors.end(), gradients.begin(), gradients.end());
  sums.resize(tensors.size());
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

void Slices::complete(size_t i) {
  isComplete[i] = true;
  auto [data, count] = tensors[i];
  if (!sums[i].empty()) {
    sums[i].add({data, data + count});
    std::vector<float> sum = sums[i].take();
    std::copy(sum.begin(), sum.end(), data);
  }
  if (exchange)
    exchange->give(i);
}

void Slices::completeAt(uint64_t offset) {
  auto *data = reinterpret_cast<float *>(memory + offset);
  for (size_t i = numStatistics; i < tensors.size(); ++i)
    if (tensors[i].first == data)
      return complete(i);
}

double Slices::step(const Batch &batch, int64_t samples, float learningRate, int64_t iteration, int64_t seed,
                    Metrics &metrics, bool &stop) {
  if (shards * pieces == 1) {
    Result result = program.step(batch, learningRate, iteration, seed);
    metrics.add(result.loss, samples, result.outputs.at(0), batch.label);
    return result.loss;
  }
  if (communicator.size() > 1 && !exchange)
    exchange.emplace(communicator, tensors);
  int64_t offset = own(samples).first, all = shards * pieces;
  std::vector<float> before; // the running statistics
  for (size_t i = 0; i < numStatistics; ++i)
    before.insert(before.end(), tensors[i].first, tensors[i].first + tensors[i].second);
  isComplete.assign(tensors.size(), false);
  mlc_listener listener = {
      [](void *user, uint64_t stateOffset) noexcept { static_cast<Slices *>(user)->completeAt(stateOffset); }, this};

  std::string records;
  for (int64_t shard = firstShard; shard < endShard; ++shard) {
    for (int64_t piece = shard * pieces; piece < (shard + 1) * pieces; ++piece) {
      int64_t begin = beginOf(samples, piece, all) - offset, end = beginOf(samples, piece + 1, all) - offset;
      if (begin == end)
        continue;
      Batch part = sliceOf(batch, begin, end);
      auto weight = static_cast<float>(static_cast<double>(end - begin) / static_cast<double>(samples));
      bool isLast = piece + 1 == endShard * pieces;
      // Each piece draws its own dropout masks.
      Result result = program.gradients(
          part, weight, iteration,
          static_cast<int64_t>(static_cast<uint64_t>(seed) + static_cast<uint64_t>(piece) * 0x9E3779B97F4A7C15u),
          isLast && exchange ? &listener : nullptr);
      appendRecord(records, result, part);
    }
    if (shards == 1)
      break; // all is where @apply reads it
    auto weight =
        static_cast<float>(static_cast<double>(beginOf(samples, shard + 1, shards) - beginOf(samples, shard, shards)) /
                           static_cast<double>(samples));
    const float *old = before.data();
    for (size_t i = 0; i < tensors.size(); ++i) {
      auto [data, count] = tensors[i];
      if (i < numStatistics)
        std::for_each(data, data + count, [&](float &value) { value = weight * value; });
      if (shard + 1 == endShard) {
        if (!isComplete[i])
          complete(i);
        continue;
      }
      sums[i].add({data, data + count});
      if (i < numStatistics) {
        std::copy_n(old, count, data);
        old += count;
      } else {
        std::memset(data, 0, count * sizeof(float));
      }
    }
  }
  if (exchange)
    exchange->finish();
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
