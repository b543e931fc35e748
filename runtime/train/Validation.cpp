//===- Validation.cpp - metrics over data, and predictions -------------------------------------------------------===//
#include "runtime/train/Validation.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/InputError.h"
#include "runtime/train/JsonLog.h"
#include "runtime/train/Npz.h"
#include "runtime/train/Training.h"

#include <algorithm>
#include <cstring>

namespace mlc::train {

namespace {

int64_t batchesOf(int64_t samples, int64_t batch) { return (samples + batch - 1) / batch; }

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> rows;
  for (int64_t row = begin; row < end; ++row)
    rows.push_back(row);
  return rows;
}

/// The weights that the user names, or the best ones of the checkpoints, or those in the executable.
void takeWeights(State &state, const Options &options) {
  std::string path = options.weights;
  if (path.empty() && !options.checkpointDir.empty()) {
    path = Checkpoints::weightsOf(options.checkpointDir);
    if (path.empty())
      throw InputError(options.checkpointDir + ": expected a checkpoint, but there is none");
  }
  if (!path.empty()) {
    loadWeights(state, path);
    return;
  }
  for (uint32_t i = 0; i < state.size(); ++i)
    if (state[i].role == MLC_STATE_PARAMETER && !state[i].data)
      throw UsageError(options.command + " requires --weights or --checkpoint-dir: the weights in this executable are "
                                         "not trained");
}

int64_t batchOf(const Options &options, const Program &program, const Dataset &dataset) {
  int64_t fixed = dataset.isWhole ? 0 : program.fixedSamples(), samples = dataset.count;
  if (fixed > 0 && samples % fixed != 0)
    throw InputError("the model was compiled for batches of " + std::to_string(fixed) +
                     "; expected a multiple of that many samples, but got " + std::to_string(samples));
  return fixed > 0 ? fixed : options.fullBatch ? samples : std::min(options.batch, samples);
}

} // namespace

int64_t shardsOf(const Options &options, const Communicator &communicator) {
  if (options.shards > 0 || !communicator.isParallel())
    return std::max<int64_t>(1, options.shards);
  return 4 % communicator.size() == 0 ? 4 : communicator.size();
}

int loaderThreads(const Dataset &dataset, int threads) { return dataset.isDecoded ? std::clamp(threads, 1, 8) : 1; }

void evaluateRows(Slices &slices, const Rows &rows, int64_t batch, int threads, Metrics &metrics,
                  const std::function<void(int64_t)> &done) {
  int64_t batches = batchesOf(rows.count(), batch);
  auto sizeOf = [&](int64_t i) { return std::min(batch, rows.count() - i * batch); };
  Loader loader(
      *rows.dataset, 0, batches,
      [&](int64_t i) {
        auto [begin, end] = slices.own(sizeOf(i));
        int64_t first = rows.begin + i * batch;
        return range(first + begin, first + end);
      },
      loaderThreads(*rows.dataset, threads));
  metrics.reset();
  for (int64_t i = 0; i < batches; ++i) {
    Batch part = loader.next();
    slices.evaluate(part, sizeOf(i), metrics);
    loader.giveBack(std::move(part));
    done(i + 1);
  }
}

void evaluate(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator) {
  State state(info, static_cast<uint64_t>(options.seed));
  takeWeights(state, options);
  Program program(info, state, options.threads);
  bool asOneBatch = options.fullBatch && shardsOf(options, communicator) == 1;
  Dataset dataset = openDataset(options.data, program.signature(), /*needsLabel=*/true, asOneBatch);
  Slices slices(program, state, communicator, shardsOf(options, communicator), 1);
  Metrics metrics(config, program.signature());
  int64_t batch = batchOf(options, program, dataset);
  Progress progress(stdout, communicator.rank() == 0 ? options.verbose : 0);
  progress.begin("", batchesOf(dataset.count, batch), 0);
  evaluateRows(slices, {&dataset, 0, dataset.count}, batch, options.threads, metrics,
               [&](int64_t done) { progress.update(done, [&] { return metrics.values(); }); });
  progress.end(metrics.values());
  std::vector<std::vector<double>> confusion = metrics.confusion();
  if (communicator.rank() != 0)
    return;
  if (!confusion.empty() && options.verbose > 0) {
    std::printf("confusion matrix (rows are labels, columns predictions):\n");
    for (const auto &row : confusion) {
      for (double count : row)
        std::printf(" %6.0f", count);
      std::printf("\n");
    }
  }
  if (!options.log.empty()) {
    nlohmann::ordered_json line = {{"samples", dataset.count}};
    for (const auto &[name, value] : metrics.values())
      line[name] = value;
    if (!confusion.empty())
      line["confusion_matrix"] = confusion;
    JsonLog(options.log, 0).write(line);
  }
}

void predict(const mlc_train_info &info, const Options &options) {
  State state(info, static_cast<uint64_t>(options.seed));
  takeWeights(state, options);
  Program program(info, state, options.threads);
  Dataset dataset = openDataset(options.data, program.signature(), /*needsLabel=*/false, options.fullBatch);
  int64_t batch = batchOf(options, program, dataset), batches = batchesOf(dataset.count, batch);
  Loader loader(
      dataset, 0, batches, [&](int64_t i) { return range(i * batch, std::min(dataset.count, (i + 1) * batch)); },
      loaderThreads(dataset, options.threads));
  const mlc_api &api = *info.predict->api;
  std::vector<std::pair<std::string, Array>> outputs(api.num_outputs);
  Progress progress(stdout, options.verbose);
  progress.begin("", batches, 0);
  for (int64_t i = 0; i < batches; ++i) {
    Batch part = loader.next();
    Result result = program.predict(part);
    for (size_t k = 0; k < outputs.size(); ++k) {
      const Array &from = result.outputs[k];
      Array &to = outputs[k].second;
      if (dataset.isWhole) {
        outputs[k] = {api.outputs[k].name, Array::make(from.dtype, from.sizes)};
        std::memcpy(to.mutableData(), from.data, from.bytes());
        continue;
      }
      if (i == 0) {
        std::vector<int64_t> sizes = from.sizes;
        if (sizes.empty() || sizes[0] != part.samples)
          throw InputError("cannot put the outputs '" + std::string(api.outputs[k].name) +
                           "' of batches together because axis 0 does not count the samples; it is " +
                           shapeText(from.sizes) + " for " + std::to_string(part.samples));
        sizes[0] = dataset.count;
        outputs[k] = {api.outputs[k].name, Array::make(from.dtype, sizes)};
      }
      uint64_t row = from.bytes() / static_cast<uint64_t>(from.sizes[0]);
      if (from.sizes[0] != part.samples || row * static_cast<uint64_t>(dataset.count) != to.bytes())
        throw InputError("output '" + outputs[k].first + "': expected the same size for every batch, but got " +
                         shapeText(from.sizes));
      std::memcpy(to.mutableData() + static_cast<uint64_t>(i * batch) * row, from.data, from.bytes());
    }
    loader.giveBack(std::move(part));
    progress.update(i + 1, [] { return Logs(); });
  }
  writeArrays(options.output, outputs);
  progress.end({});
}

} // namespace mlc::train
