//===- Options.h - the command line of a training executable ----------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_OPTIONS_H
#define MLC_RUNTIME_TRAIN_OPTIONS_H

#include "mlc/abi.h"
#include "runtime/train/Config.h"

#include <string>
#include <vector>

namespace mlc::train {

/// What the command line says, with the program's config where it says nothing.
struct Options final {
  std::string command = "train";
  std::vector<std::string> data, validationData, exports, freeze;
  int64_t epochs = 1, batch = 32, accumulate = 1, checkpointEvery = 0, keep = 3, seed = 0, shards = 0;
  double learningRate = 0.001, validationSplit = 0;
  std::string checkpointDir, log, tensorboard, output = "predictions.npz", weights, profile;
  bool resume = false, fullBatch = false;
  int threads = 0, verbose = 1;
};

/// Parses; prints help or errors. Returns whether to go on, otherwise `exitCode` is what to leave with.
bool parseOptions(const mlc_train_info &info, const Json &config, int argc, char **argv, Options &options,
                  int &exitCode);

} // namespace mlc::train

#endif
