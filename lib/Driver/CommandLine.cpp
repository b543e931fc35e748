//===- CommandLine.cpp - the options of mlc-opt ------------------------------------------------------------------===//
#include "lib/Driver/CompileOptions.h"
#include "lib/Driver/VersionDirectory.h"
#include "lib/Import/Dsl/ImportDsl.h"
#include "passes/Pipelines.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Path.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>

using namespace llvm;

namespace mlc {

namespace {

const std::map<std::string, EmitKind> kEmitKinds{{"mlir", EmitKind::mlir},      {"llvm", EmitKind::llvm},
                                                 {"asm", EmitKind::assembly},   {"obj", EmitKind::object},
                                                 {"lib", EmitKind::library},    {"archive", EmitKind::archive},
                                                 {"exe", EmitKind::executable}, {"onnx", EmitKind::onnx}};

std::optional<EmitKind> kindOf(StringRef path) {
  return StringSwitch<std::optional<EmitKind>>(sys::path::extension(path))
      .Case(".mlir", EmitKind::mlir)
      .Case(".ll", EmitKind::llvm)
      .Case(".s", EmitKind::assembly)
      .Case(".o", EmitKind::object)
      .Case(".so", EmitKind::library)
      .Case(".a", EmitKind::archive)
      .Case(".onnx", EmitKind::onnx)
      .Default(std::nullopt);
}

/// "input=1x3x224x224": the name up to the last '='; ? or -1 leaves a size open.
void parseShape(const std::string &text, std::map<std::string, std::vector<int64_t>> &shapes) {
  size_t at = text.rfind('=');
  std::vector<int64_t> sizes;
  bool good = at != std::string::npos && at > 0;
  if (good && at + 1 < text.size()) {
    SmallVector<StringRef> parts;
    StringRef(text).substr(at + 1).split(parts, 'x');
    for (StringRef part : parts) {
      int64_t size = -1;
      good &= part == "?" || (!part.getAsInteger(10, size) && size >= -1);
      sizes.push_back(size);
    }
  }
  if (!good)
    throw CLI::ValidationError("--shape", "expected NAME=1x3x224x224, but got '" + text + "'");
  shapes[text.substr(0, at)] = sizes;
}

void parseDim(const std::string &text, std::map<std::string, int64_t> &dims) {
  size_t at = text.rfind('=');
  int64_t size = -1;
  if (at == std::string::npos || at == 0 || StringRef(text).substr(at + 1).getAsInteger(10, size) || size < 0)
    throw CLI::ValidationError("--dim", "expected NAME=8, but got '" + text + "'");
  dims[text.substr(0, at)] = size;
}

/// A number of bytes with a suffix K, M or G, which are powers of 1024 as KiB, MiB and GiB are.
uint64_t parseBytes(const std::string &text) {
  double number = 0;
  StringRef rest(text);
  StringRef digits = rest.take_while([](char c) { return llvm::isDigit(c) || c == '.'; });
  rest = rest.drop_front(digits.size());
  unsigned shift = rest == "K" || rest == "KiB" ? 10 : rest == "M" || rest == "MiB" ? 20 : 30;
  bool good = !digits.getAsDouble(number) && number > 0 && number < 1e9 &&
              (shift < 30 || rest == "G" || rest == "GiB" || rest.empty());
  auto bytes = static_cast<uint64_t>(std::ldexp(number, rest.empty() ? 0 : shift));
  if (!good || bytes == 0)
    throw CLI::ValidationError("--train-memory", "expected bytes as 512M, 1.5G or 4096K, but got '" + text + "'");
  return bytes;
}

} // namespace

bool isMlirOptCommandLine(int argc, char **argv) {
  bool mlirIn = argc == 1, artifact = false, ours = false, hasInput = false;
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    if (argument == "-o" && i + 1 < argc) {
      std::optional<EmitKind> kind = kindOf(argv[++i]);
      artifact |= (kind && *kind != EmitKind::mlir) || isVersionDirectory(argv[i]);
    } else if (argument.starts_with("--emit") || argument.starts_with("--compile-to") ||
               argument.starts_with("--dump-phases-to")) {
      artifact = true;
    } else if (argument.starts_with("--help") || argument == "-h" || argument.starts_with("--version") ||
               argument == "--language" || argument.starts_with("--report")) {
      ours = true;
    } else if (argument.ends_with(".onnx") || argument.ends_with(".mlc")) {
      ours = true;
    } else if (argument.ends_with(".mlir") || argument == "-") {
      mlirIn = hasInput = true;
    } else if (!argument.starts_with("-")) {
      hasInput = true;
    } else if (argument.starts_with("--show-dialects") || argument.starts_with("--list-passes")) {
      mlirIn = true;
    }
  }
  // Without a file, MLIR comes in on standard input.
  return (mlirIn || !hasInput) && !artifact && !ours;
}

/// "--early-stopping" for the key `early_stopping`.
static std::string optionOf(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

/// What comes out, by --emit, the ending of the output, or of --train.
static EmitKind chooseEmit(const std::string &emit, const CompileOptions &options) {
  if (!emit.empty())
    return kEmitKinds.at(emit);
  return kindOf(options.output).value_or(options.training ? EmitKind::executable : EmitKind::library);
}

/// Throws for options that do not go together.
static void checkTraining(const CompileOptions &options) {
  bool isExecutable = options.emit == EmitKind::executable;
  if (!options.training &&
      (!options.trainingConfig.empty() || options.reinitialize || !options.frozen.empty() || options.trainMemory))
    throw CLI::ValidationError("--train", "is needed by the options of training, or --emit=exe");
  if (options.training && !isExecutable && options.emit != EmitKind::mlir && options.compileTo.empty())
    throw CLI::ValidationError("--train", "makes an executable (--emit=exe), nothing else");
  if (isExecutable && options.cpu == "multi")
    throw CLI::ValidationError("--mcpu", "expected one processor for a training executable, but got multi");
  if (options.training && options.withGradient)
    throw CLI::ValidationError("--with-gradient", "is for a library, not for a training program");
  if (isExecutable && options.externalWeights)
    throw CLI::ValidationError("--weights", "expected embed for a training executable, but got external");
}

static void checkVersionDirectory(const CompileOptions &options) {
  if (!isVersionDirectory(options.output)) {
    if (!options.labels.empty())
      throw CLI::ValidationError("--labels", "requires a version directory as output: -o BASE/NUMBER/");
    return;
  }
  if (!hasVersionNumber(options.output))
    throw CLI::ValidationError("-o", "expected a version directory to be called by a number, but got '" +
                                         options.output + "'");
  if (options.emit != EmitKind::library)
    throw CLI::ValidationError("-o", "expected --emit=lib for a version directory");
}

int parseCommandLine(int argc, char **argv, CompileOptions &options) {
  CLI::App app("mlc-opt compiles a model to a native library.\n"
               "With MLIR in and no artifact asked for, it is an ordinary mlir-opt (mlc-opt FILE.mlir --help).");
  app.footer("Example: mlc-opt resnet50.onnx -o libresnet50.so --dim N=1");
  app.set_version_flag("--version", kVersion);
  std::string emit, level = "3", report;
  std::vector<std::string> shapes, dims;
  app.add_option("input", options.input, "model: .onnx, .mlc or .mlir")->required();
  app.add_option("-o,--output", options.output,
                 "artifact; its ending says what it is, and BASE/NUMBER/ is a version directory for a server");
  app.add_option("--emit", emit, "mlir, llvm, asm, obj, lib (default), archive, onnx, or exe, a training executable")
      ->check(CLI::IsMember(kEmitKinds));
  app.add_option("--name", options.name, "C name of the model (default: from the output; of a .mlc file its own)");
  app.add_flag_callback(
      "--language",
      [] {
        std::cout << describeLanguage();
        throw CLI::Success();
      },
      "print as JSON what the language of .mlc files comes with, and stop");
  app.add_option("--mcpu", options.cpu,
                 "CPU to generate code for (default: native); multi: x86-64-v2, -v3 and -v4, chosen when it runs");
  app.add_option("--mtriple", options.triple, "target triple (default: this machine's)");
  app.add_option("--threads", options.threads, "threads to compile on (default: as many as there are processors)");
  app.add_option("--cache", options.cache, "folder of kernels compiled before (default: ~/.cache/mlc)");
  app.add_flag("--no-cache", options.noCache, "compile every kernel again and keep none");
  app.add_option("-O", level, "0 (plain loops, the oracle) to 3 (default)")->check(CLI::IsMember({"0", "1", "2", "3"}));
  app.add_flag("--exact", options.exact, "compute convolutions as written, not by Winograd tiles (other rounding)");
  app.add_option("--shape", shapes, "fix an input's shape: NAME=1x3x224x224")->expected(1)->take_all();
  app.add_option("--dim", dims, "fix a symbolic size: NAME=8")->expected(1)->take_all();
  app.add_flag("--with-gradient", options.withGradient,
               "the library also computes gradients by its inputs, for explanations");
  app.add_flag("--train", options.training, "make a training program of the model (implied by --emit=exe)");
  for (auto [key, what] :
       {std::pair("loss", "loss, as in a train block: mse, 'huber(delta=2)'"),
        std::pair("optimizer", "optimizer: adam, 'sgd(momentum=0.9)'"),
        std::pair("lr", "learning rate of the optimizer"),
        std::pair("schedule", "learning rate schedule: 'exponential(decay_steps=100, decay_rate=0.9)'"),
        std::pair("metrics", "metrics to report: '[accuracy, top_k(k=5)]'"),
        std::pair("clip", "clip gradients: 'global_norm(limit=1)'"),
        std::pair("ema", "moving average of the weights: 'ema(decay=0.99)'"),
        std::pair("early_stopping", "when to end early: 'early_stopping(patience=3)'"),
        std::pair("shuffle", "false keeps the order of the data"),
        std::pair("precision", "f32 (default), or bf16: products and activations in bf16, weights in f32"),
        std::pair("batch", "samples of a step where the program is not told another number"),
        std::pair("epochs", "passes over the data, likewise")})
    app.add_option(optionOf(key), options.trainingConfig[key], what)->group("Training");
  std::string memory;
  app.add_option("--train-memory", memory,
                 "bytes that weights, optimizer and a step may take, as 512M: what does not fit is computed again")
      ->group("Training");
  app.add_flag("--reinit", options.reinitialize, "train from new weights, not from the model's")->group("Training");
  app.add_option("--freeze", options.frozen, "do not train parameters of these names (* and ? match)")
      ->expected(1)
      ->take_all()
      ->group("Training");
  std::string weights = "embed";
  app.add_option("--weights", weights, "embed (default) or external: a file beside the library or the ONNX model")
      ->check(CLI::IsMember({"embed", "external"}));
  app.add_option("--load-weights", options.loadWeights, "take the weights' values by name from FILE.safetensors");
  app.add_option("--labels", options.labels, "names of the classes, one a line, for a version directory")
      ->check(CLI::ExistingFile);
  app.add_option("--report", report, "say which nodes are not supported, then stop: --report or --report=json")
      ->expected(0, 1)
      ->default_str("text");
  app.add_option("--compile-to", options.compileTo,
                 "stop after a phase and print the IR: import, graph, train, compress, linalg, vector, buffer, llvm");
  app.add_option("--dump-phases-to", options.dumpPhasesTo, "write the IR after each phase into a folder");
  app.add_flag("--mlir-timing", options.timing, "print how long the passes take");
  // --report takes its value only with '=', so that the model may follow it.
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i)
    arguments.push_back(std::string(argv[i]) == "--report" ? "--report=text" : argv[i]);
  try {
    app.parse(arguments);
    for (const std::string &shape : shapes)
      parseShape(shape, options.shapes);
    for (const std::string &dim : dims)
      parseDim(dim, options.dims);
    if (!report.empty()) {
      if (report != "text" && report != "json")
        throw CLI::ValidationError("--report", "expected text or json, but got '" + report + "'");
      options.report = report == "json" ? ReportKind::json : ReportKind::text;
    }
    bool known = options.compileTo.empty();
    for (const Phase &phase : getPhases())
      known |= phase.name == options.compileTo;
    if (!known)
      throw CLI::ValidationError("--compile-to", "unknown phase '" + options.compileTo + "'");
    std::erase_if(options.trainingConfig, [](const auto &entry) { return entry.second.empty(); });
    options.externalWeights = weights == "external";
    if (!memory.empty())
      options.trainMemory = parseBytes(memory);
    options.emit = chooseEmit(emit, options);
    options.training |= options.emit == EmitKind::executable;
    checkTraining(options);
    checkVersionDirectory(options);
  } catch (const CLI::ParseError &error) {
    int code = app.exit(error, std::cout, std::cerr);
    return code == 0 ? exitDone : exitUsage;
  }
  options.optLevel = static_cast<unsigned>(std::stoi(level));
  return -1;
}

} // namespace mlc
