//===- Options.cpp - the command line of a training executable ---------------------------------------------------===//
#include "runtime/train/Options.h"
#include "runtime/train/Communicator.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>
#include <sched.h>
#include <sstream>

namespace mlc::train {

namespace {

/// The processors that this process may use.
int availableThreads() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

std::string shapeOf(const mlc_api &api, const mlc_tensor_info &info) {
  std::string text;
  for (uint32_t axis = 0; axis < info.rank; ++axis) {
    text += axis ? ", " : "";
    if (info.sizes[axis] != MLC_DYNAMIC_SIZE)
      text += std::to_string(info.sizes[axis]);
    else
      text += info.symbols[axis] >= 0 ? api.symbols[info.symbols[axis]] : "?";
  }
  return "[" + text + "]";
}

/// What an .npz for this model holds.
std::string arraysText(const mlc_train_info &info) {
  const mlc_api &api = *info.evaluate->api;
  std::string text;
  for (uint32_t i = 0; i < api.num_inputs; ++i)
    text += "  " + std::string(api.inputs[i].name) + " " + shapeOf(api, api.inputs[i]) + "\n";
  return text;
}

} // namespace

bool parseOptions(const mlc_train_info &info, const Json &config, int argc, char **argv, Options &options,
                  int &exitCode) {
  options.epochs = valueOf(config, "epochs", options.epochs);
  options.batch = valueOf(config, "batch", options.batch);
  options.accumulate = valueOf(config, "accumulate", options.accumulate);
  options.seed = valueOf(config, "seed", options.seed);
  options.validationSplit = valueOf(config, "validation_split", options.validationSplit);
  options.learningRate = valueOf(objectOf(config, "optimizer"), "learning_rate", options.learningRate);
  options.threads = availableThreads();

  std::string program = std::filesystem::path(argv[0]).filename().string();
  CLI::App app(std::string(info.name) +
                   ": trains, evaluates and predicts. The data holds, by these names (x and y do "
                   "where there is one input):\n" +
                   arraysText(info),
               program);
  app.footer("Example: " + program +
             " --data train.npz --validation-split 0.1 --epochs 5 --checkpoint-dir run --export weights.safetensors");
  app.option_defaults()->always_capture_default();
  app.add_option("command", options.command, "train, evaluate or predict")
      ->check(CLI::IsMember({"train", "evaluate", "predict"}));
  auto files = [&](const char *name, std::vector<std::string> &to, const char *text) {
    return app.add_option(name, to, text)->expected(1, -1)->default_str("");
  };
  auto *data = files("--data", options.data, "FILE.npz, FILE.csv, .npy or IDX files, or a folder of images by class");
  files("--validation-data", options.validationData, "the same, to evaluate after every epoch");
  app.add_option("--epochs", options.epochs, "passes over the data")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "samples of a step")->check(CLI::PositiveNumber);
  app.add_flag("--full-batch", options.fullBatch, "the arrays of the data are one batch, whatever their axes")
      ->always_capture_default(false);
  app.add_option("--accumulate", options.accumulate, "batches whose gradients make one update")
      ->check(CLI::PositiveNumber);
  app.add_option("--lr", options.learningRate, "learning rate, where the schedule begins")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--validation-split", options.validationSplit, "share at the end of the data to evaluate with")
      ->check(CLI::Range(0.0, 0.999999));
  auto text = [&](const char *name, std::string &to, const char *what) {
    return app.add_option(name, to, what)->always_capture_default(!to.empty());
  };
  auto *folder = text("--checkpoint-dir", options.checkpointDir, "folder of checkpoints");
  app.add_option("--checkpoint-every", options.checkpointEvery,
                 "steps between checkpoints, besides one an epoch; 0 for none")
      ->check(CLI::NonNegativeNumber)
      ->needs(folder);
  app.add_option("--keep", options.keep, "checkpoints to keep, besides the best")->check(CLI::PositiveNumber);
  app.add_flag("--resume", options.resume, "go on from the newest checkpoint, if there is one")
      ->needs(folder)
      ->always_capture_default(false);
  text("--weights", options.weights, "FILE.safetensors to start, evaluate or predict with");
  files("--freeze", options.freeze, "patterns (conv*) of parameters that stay as they are");
  files("--export", options.exports, "FILE.safetensors or FILE.onnx to write when training ends");
  text("--output", options.output, "FILE.npz or FILE.npy of predictions");
  app.add_option("--threads", options.threads, "threads of a step")->check(CLI::PositiveNumber);
  app.add_option("--shards", options.shards,
                 "slices of a batch whose gradients are summed; equal numbers give equal bits on any number of "
                 "processes; 0 for 1, or 4 under mpirun")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options.seed, "of weights, order and dropout")->check(CLI::NonNegativeNumber);
  text("--log", options.log, "FILE.jsonl, a line an epoch");
  text("--tensorboard", options.tensorboard, "folder of event files");
  text("--profile", options.profile,
       "measure each node of the steps but the first, and print a table or json at the end")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_option("--verbose", options.verbose, "0 for nothing, 1 for a bar, 2 for a line an epoch")
      ->check(CLI::Range(0, 2));

  try {
    app.parse(argc, argv);
    if (data->count() == 0)
      throw CLI::RequiredError("--data");
    for (const std::string &path : options.exports) {
      std::string ending = std::filesystem::path(path).extension().string();
      if (ending != ".safetensors" && ending != ".onnx")
        throw CLI::ValidationError("--export", "expected FILE.safetensors or FILE.onnx, but got " + path);
      if (ending == ".onnx" && !info.onnx)
        throw CLI::ValidationError(
            "--export", "cannot write ONNX because " +
                            std::string(info.onnx_reason ? info.onnx_reason : "it is not in this executable"));
    }
    std::string ending = std::filesystem::path(options.output).extension().string();
    if (ending != ".npz" && ending != ".npy")
      throw CLI::ValidationError("--output", "expected FILE.npz or FILE.npy, but got " + options.output);
    if (ending == ".npy" && info.predict->api->num_outputs != 1)
      throw CLI::ValidationError("--output", "expected FILE.npz, because the model has " +
                                                 std::to_string(info.predict->api->num_outputs) + " outputs");
  } catch (const CLI::ParseError &error) {
    std::ostringstream out, err;
    exitCode = app.exit(error, out, err) == 0 ? 0 : 2;
    if (Communicator::isFirst()) {
      std::cout << out.str();
      std::cerr << err.str();
    }
    return false;
  }
  return true;
}

} // namespace mlc::train
