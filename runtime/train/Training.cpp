//===- Training.cpp - epochs, steps and all that happens between them --------------------------------------------===//
//
// A step is one update of the parameters by batch * accumulate samples. All that decides what a step computes is the
// state, the position and the seed, so a run that goes on from a checkpoint makes the same bits as one that was never
// interrupted. Under MPI every process computes the same numbers and decides the same; the first one writes.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Training.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/EarlyStopping.h"
#include "runtime/train/Export.h"
#include "runtime/train/InputError.h"
#include "runtime/train/JsonLog.h"
#include "runtime/train/Permutation.h"
#include "runtime/train/TensorBoard.h"
#include "runtime/train/Validation.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <fnmatch.h>

namespace mlc::train {

namespace {

std::atomic<bool> wantsToStop{false};

/// The first SIGINT or SIGTERM asks, the second one ends.
void listenToSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { wantsToStop.store(true); };
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// Parameters that patterns name, with their bytes.
class FrozenParameters final {
public:
  FrozenParameters(State &state, const std::vector<std::string> &patterns) : state(state) {
    std::vector<bool> used(patterns.size());
    for (uint32_t i = 0; i < state.size(); ++i)
      for (size_t k = 0; k < patterns.size(); ++k)
        if (state[i].role == MLC_STATE_PARAMETER && fnmatch(patterns[k].c_str(), state[i].name, 0) == 0) {
          used[k] = true;
          kept.emplace_back(i, std::vector<char>(state.data(i), state.data(i) + state.bytes(i)));
          break;
        }
    for (size_t k = 0; k < patterns.size(); ++k)
      if (!used[k])
        throw UsageError("--freeze: expected a pattern of parameters, but '" + patterns[k] + "' names none");
  }
  void restore() {
    for (const auto &[i, bytes] : kept)
      std::memcpy(state.data(i), bytes.data(), bytes.size());
  }

private:
  State &state;
  std::vector<std::pair<uint32_t, std::vector<char>>> kept;
};

/// One run of `train`.
class Trainer final {
public:
  Trainer(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator);
  void run();

private:
  void openData();
  void resume();
  void step(Loader &loader);
  /// Whether to stop.
  bool endEpoch();
  void save();
  void say(const std::string &text) const;
  void keepBest();
  int64_t samplesOf(int64_t batch) const { return std::min(updateSamples, training.count() - batch * updateSamples); }
  std::vector<int64_t> rowsOf(int64_t step) const;

  const mlc_train_info &info;
  const Options &options;
  Communicator &communicator;
  State state;
  Program program;
  Slices slices;
  Metrics metrics, validationMetrics;
  Schedule schedule;
  Dataset data, validationData;
  Rows training, validation;
  int64_t batch = 0, updateSamples = 0, stepsOfEpoch = 0;
  bool isWriter, isShuffled, stop = false;
  RunState position;
  std::optional<EarlyStopping> watch;
  std::optional<FrozenParameters> frozen;
  std::optional<Checkpoints> checkpoints;
  std::optional<JsonLog> log;
  std::optional<TensorBoard> trainBoard, validationBoard;
  Progress progress;
};

Trainer::Trainer(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator)
    : info(info), options(options), communicator(communicator), state(info, static_cast<uint64_t>(options.seed)),
      program(info, state, options.threads),
      slices(program, state, communicator, shardsOf(options, communicator), options.accumulate),
      metrics(config, program.signature()), validationMetrics(config, program.signature()),
      schedule(objectOf(config, "schedule"), options.learningRate), isWriter(communicator.rank() == 0),
      isShuffled(valueOf(config, "shuffle", true)), progress(stdout, isWriter ? options.verbose : 0) {
  if (!options.weights.empty())
    loadWeights(state, options.weights);
  openData();
  watch.emplace(objectOf(config, "early_stopping"),
                config.contains("early_stopping") && !config["early_stopping"].is_null(), validation.count() > 0);
  position.settings = {{"batch", batch},
                       {"accumulate", options.accumulate},
                       {"shards", shardsOf(options, communicator)},
                       {"seed", options.seed},
                       {"learning_rate", options.learningRate},
                       {"samples", training.count()},
                       {"validation_samples", validation.count()}};
  if (!options.checkpointDir.empty()) {
    checkpoints.emplace(options.checkpointDir, options.keep, programHash(info));
    if (options.resume)
      resume();
    else if (std::string old = Checkpoints::weightsOf(options.checkpointDir); !old.empty())
      throw InputError(options.checkpointDir + ": expected a folder without checkpoints, but there is " + old +
                       "; --resume goes on from it");
  }
  frozen.emplace(state, options.freeze);
  if (isWriter && !options.log.empty())
    log.emplace(options.log, position.step);
  if (isWriter && !options.tensorboard.empty()) {
    trainBoard.emplace(options.tensorboard + "/train");
    if (validation.count() > 0)
      validationBoard.emplace(options.tensorboard + "/validation");
  }
}

void Trainer::say(const std::string &text) const {
  if (isWriter && options.verbose > 0) {
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
  }
}

void Trainer::openData() {
  bool isCut = options.accumulate * shardsOf(options, communicator) > 1;
  bool asOneBatch = options.fullBatch && !isCut && (options.validationSplit == 0 || !options.validationData.empty());
  data = openDataset(options.data, program.signature(), /*needsLabel=*/true, asOneBatch);
  int64_t split = static_cast<int64_t>(static_cast<double>(data.count) * options.validationSplit);
  training = {&data, 0, data.count - split};
  if (!options.validationData.empty()) {
    validationData = openDataset(options.validationData, program.signature(), /*needsLabel=*/true, asOneBatch);
    validation = {&validationData, 0, validationData.count};
    training.end = data.count;
  } else if (split > 0) {
    validation = {&data, training.end, data.count};
  }
  if (training.count() <= 0)
    throw InputError("expected samples to train with, but --validation-split " +
                     std::to_string(options.validationSplit) + " leaves none of " + std::to_string(data.count));
  batch = options.fullBatch ? training.count() : std::min(options.batch, training.count());
  if (int64_t fixed = program.fixedSamples(); fixed > 0 && !data.isWhole) {
    if (isCut)
      throw UsageError("the model was compiled for batches of " + std::to_string(fixed) +
                       ", so they cannot be cut for --accumulate or --shards; compile it with an open size");
    for (int64_t count : {training.count(), validation.count()})
      if (count % fixed != 0)
        throw InputError("the model was compiled for batches of " + std::to_string(fixed) +
                         "; expected a multiple of that many samples, but got " + std::to_string(count));
    batch = fixed;
  }
  updateSamples = batch * options.accumulate;
  stepsOfEpoch = (training.count() + updateSamples - 1) / updateSamples;
}

void Trainer::resume() {
  std::optional<RunState> found = checkpoints->load(state, [&](const std::string &text) {
    if (isWriter)
      std::fprintf(stderr, "warning: %s\n", text.c_str());
  });
  if (!found) {
    say(options.checkpointDir + ": no checkpoint yet; starting anew");
    return;
  }
  for (const auto &[key, value] : position.settings.items())
    if (found->settings.value(key, Json()) != value)
      throw InputError(checkpoints->last() + ": expected a run with " + key + " = " + value.dump() +
                       ", but it was made with " + found->settings.value(key, Json()).dump());
  position = std::move(*found);
  metrics.load(position.metrics);
  schedule.load(position.schedule);
  watch->load(position.earlyStopping);
  say("resuming from " + checkpoints->last() + " at step " + std::to_string(position.step));
}

void Trainer::save() {
  if (!checkpoints || !isWriter)
    return;
  // A checkpoint that begins with NaN is of no use, and would push out good ones.
  if (std::string name = state.firstNotFinite(); !name.empty())
    throw InputError("'" + name + "' is not finite after step " + std::to_string(position.step) + " (epoch " +
                     std::to_string(position.epoch + 1) + "); " +
                     (checkpoints->last().empty() ? "there is no checkpoint"
                                                  : "the last good checkpoint is " + checkpoints->last()));
  position.metrics = metrics.save();
  position.schedule = schedule.save();
  position.earlyStopping = watch->save();
  try {
    checkpoints->save(state, position);
  } catch (const InputError &error) {
    throw InputError("step " + std::to_string(position.step) + ": " + error.what() +
                     "; the checkpoints before it are intact");
  }
}

std::vector<int64_t> Trainer::rowsOf(int64_t step) const {
  int64_t epoch = step / stepsOfEpoch, first = step % stepsOfEpoch * updateSamples;
  auto [begin, end] = slices.own(samplesOf(step % stepsOfEpoch));
  Permutation order(static_cast<uint64_t>(training.count()), static_cast<uint64_t>(options.seed),
                    static_cast<uint64_t>(epoch));
  std::vector<int64_t> rows;
  for (int64_t place = first + begin; place < first + end; ++place)
    rows.push_back(training.begin + (isShuffled ? static_cast<int64_t>(order(static_cast<uint64_t>(place))) : place));
  return rows;
}

void Trainer::step(Loader &loader) {
  Batch part = loader.next();
  auto rate = static_cast<float>(schedule.at(position.step));
  stop = wantsToStop.load();
  double loss = slices.step(part, samplesOf(position.batch), rate, position.step, options.seed, metrics, stop);
  loader.giveBack(std::move(part));
  frozen->restore();
  if (!std::isfinite(loss))
    throw InputError(
        "the loss is " + std::to_string(loss) + " at step " + std::to_string(position.step + 1) + " (epoch " +
        std::to_string(position.epoch + 1) + ", learning rate " + std::to_string(rate) + "); " +
        (checkpoints && !checkpoints->last().empty() ? "the last good checkpoint is " + checkpoints->last()
                                                     : "there is no checkpoint; a smaller --lr or clipping may help"));
  ++position.step;
  ++position.batch;
}

void Trainer::keepBest() {
  if (!watch->isBest())
    return;
  if (watch->restoresBest())
    for (uint32_t i = 0; i < state.size(); ++i)
      if (State::isWeight(state[i].role) || state[i].role == MLC_STATE_AVERAGE)
        position.best[state[i].name].assign(state.data(i), state.data(i) + state.bytes(i));
  if (checkpoints && isWriter)
    checkpoints->saveBest(state, position.epoch, watch->monitored(), watch->bestValue());
}

bool Trainer::endEpoch() {
  Logs logs = metrics.values();
  if (validation.count() > 0) {
    AveragedWeights averages(state);
    evaluateRows(slices, validation, std::min(batch, validation.count()), options.threads, validationMetrics,
                 [](int64_t) {});
    for (const auto &[name, value] : validationMetrics.values())
      logs.emplace_back("val_" + name, value);
  }
  progress.end(logs);
  double rate = schedule.at(position.step - 1);
  if (trainBoard)
    trainBoard->scalar("epoch_learning_rate", position.epoch, rate);
  for (const auto &[name, value] : logs) {
    bool isValidation = name.rfind("val_", 0) == 0;
    if (auto &board = isValidation ? validationBoard : trainBoard)
      board->scalar("epoch_" + name.substr(isValidation ? 4 : 0), position.epoch, value);
  }
  bool ends = watch->endEpoch(position.epoch, logs);
  schedule.endEpoch(logs);
  keepBest();
  position.stopped = ends ? watch->reason() : "";
  int64_t epoch = position.epoch++;
  position.batch = 0;
  // Before the checkpoint: a run that is killed in between drops the line and writes it again.
  if (log) {
    nlohmann::ordered_json line = {{"epoch", epoch + 1}, {"step", position.step}, {"learning_rate", rate}};
    for (const auto &[name, value] : logs)
      line[name] = value;
    log->write(line);
  }
  metrics.reset();
  save();
  return ends;
}

void Trainer::run() {
  listenToSignals();
  int64_t last = options.epochs * stepsOfEpoch;
  if (position.step < last && position.stopped.empty()) {
    Loader loader(
        data, position.step, last, [this](int64_t step) { return rowsOf(step); }, loaderThreads(data, options.threads));
    for (bool isFirst = true; position.step < last && !stop && position.stopped.empty(); isFirst = false) {
      if (position.batch == 0 || isFirst)
        progress.begin("Epoch " + std::to_string(position.epoch + 1) + "/" + std::to_string(options.epochs),
                       stepsOfEpoch, position.batch);
      step(loader);
      if (isFirst && !options.profile.empty())
        program.startProfile();
      progress.update(position.batch, [&] { return metrics.values(); });
      if (position.batch == stepsOfEpoch)
        endEpoch();
      else if (stop || (options.checkpointEvery > 0 && position.step % options.checkpointEvery == 0))
        save();
    }
  }
  if (!options.profile.empty() && isWriter) {
    std::fputs(program.profile(options.threads, options.profile == "json").c_str(), stdout);
    std::fflush(stdout);
  }
  if (stop && position.step < last) {
    say("stopped at step " + std::to_string(position.step) +
        (checkpoints ? "; --resume goes on from " + checkpoints->last() : "; without --checkpoint-dir it is lost"));
    return;
  }
  if (!position.stopped.empty())
    say("stopped early after epoch " + std::to_string(position.epoch) + ": " + position.stopped);
  for (uint32_t i = 0; i < state.size(); ++i)
    if (auto best = position.best.find(state[i].name); best != position.best.end())
      std::memcpy(state.data(i), best->second.data(), best->second.size());
  if (!position.best.empty())
    say("the weights are those of epoch " + std::to_string(watch->bestEpoch() + 1) + ", the best by " +
        watch->monitored());
  if (isWriter)
    for (const std::string &path : options.exports)
      exportWeights(info, state, path);
}

} // namespace

void train(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator) {
  Trainer(info, config, options, communicator).run();
}

} // namespace mlc::train
