//===- main.cpp - mlc-run runs a compiled library ----------------------------------------------------------------===//
#include "Model.h"
#include "Profile.h"

#include "runtime/train/Npy.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <sched.h>

using mlc::train::Array;

namespace {

/// "NAME=VALUE" at the last '='.
std::pair<std::string, std::string> splitLast(const std::string &option, const std::string &text) {
  size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0)
    throw CLI::ValidationError(option, "expected NAME=VALUE, but got '" + text + "'");
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string fileName(const std::string &name) {
  std::string result = name;
  for (char &c : result)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != '.')
      c = '_';
  return result;
}

/// Warms up, then runs for `seconds`; times in milliseconds.
nlohmann::ordered_json bench(mlc::Model &model, const std::vector<Array> &inputs, double seconds, int threads) {
  using clock = std::chrono::steady_clock;
  auto since = [](clock::time_point start) { return std::chrono::duration<double>(clock::now() - start).count(); };
  auto start = clock::now();
  for (int i = 0; i < 3 || since(start) < std::min(0.2, seconds / 5); ++i)
    model.run(inputs);
  std::vector<double> times;
  for (start = clock::now(); times.size() < 5 || since(start) < seconds;) {
    auto one = clock::now();
    model.run(inputs);
    times.push_back(since(one) * 1e3);
  }
  std::sort(times.begin(), times.end());
  size_t middle = times.size() / 2;
  double median = times.size() % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  return {{"median_ms", median}, {"min_ms", times.front()}, {"runs", times.size()}, {"threads", threads}};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("mlc-run runs a library that mlc-opt compiled; inputs that are not given are random.");
  app.footer("Example: mlc-run libmnist_cnn.so --input image=digit.npy --output-dir out");
  app.set_version_flag("--version", "mlc 0.1.0");
  std::string library, outputDir, profileFormat;
  std::vector<std::string> inputFiles, dimTexts;
  bool signature = false, pin = false;
  int threads = 1;
  double benchSeconds = 0;
  uint64_t seed = 0;
  app.add_option("library", library, "compiled library")->required();
  app.add_option("--input", inputFiles, "NAME=FILE.npy")->expected(1)->take_all();
  app.add_option("--output-dir", outputDir, "folder for the outputs, as NAME.npy");
  app.add_option("--dim", dimTexts, "NAME=8, where no input fixes a size")->expected(1)->take_all();
  app.add_option("--seed", seed, "of the random inputs");
  app.add_option("--threads", threads, "threads of a run")->check(CLI::PositiveNumber);
  app.add_flag("--pin", pin, "stay on the first CPU that is allowed");
  app.add_flag("--signature", signature, "print names, types, shapes and metadata as JSON");
  auto *benchOption = app.add_option("--bench", benchSeconds, "measure for some seconds (default 2), print JSON")
                          ->expected(0, 1)
                          ->default_str("2");
  auto *profileOption =
      app.add_option("--profile", profileFormat, "measure each node for a second or --bench, print a table or json")
          ->expected(0, 1)
          ->default_str("table")
          ->check(CLI::IsMember({"table", "json"}));
  std::vector<std::string> arguments; // alone, these options take no value from what follows them
  for (int i = argc - 1; i > 0; --i) {
    std::string argument = argv[i];
    arguments.push_back(argument == "--bench" ? "--bench=2" : argument == "--profile" ? "--profile=table" : argument);
  }
  std::map<std::string, std::string> files;
  std::map<std::string, int64_t> dims;
  try {
    app.parse(arguments);
    for (const std::string &text : inputFiles)
      files.insert(splitLast("--input", text));
    for (const std::string &text : dimTexts) {
      auto [name, value] = splitLast("--dim", text);
      char *end = nullptr;
      int64_t size = std::strtoll(value.c_str(), &end, 10);
      if (value.empty() || *end || size < 0)
        throw CLI::ValidationError("--dim", "expected NAME=8, but got '" + text + "'");
      dims[name] = size;
    }
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (pin) {
      cpu_set_t allowed, first;
      CPU_ZERO(&first);
      sched_getaffinity(0, sizeof allowed, &allowed);
      for (int cpu = 0, left = threads; cpu < CPU_SETSIZE && left > 0; ++cpu)
        if (CPU_ISSET(cpu, &allowed)) {
          CPU_SET(cpu, &first);
          --left;
        }
      sched_setaffinity(0, sizeof first, &first);
    }
    mlc::Model model(library, threads);
    if (signature) {
      std::cout << model.signature() << "\n";
      return 0;
    }
    std::map<std::string, Array> given;
    for (const auto &[name, path] : files)
      given[name] = mlc::train::readNpy(mlc::train::mapFile(path), path);
    std::vector<Array> inputs = model.makeInputs(std::move(given), dims, seed);
    if (profileOption->count()) {
      std::cout << mlc::profileModel(model, inputs, benchOption->count() ? benchSeconds : 1, threads,
                                     profileFormat == "json");
      return 0;
    }
    if (benchOption->count()) {
      std::cout << bench(model, inputs, benchSeconds, threads).dump() << "\n";
      return 0;
    }
    model.run(inputs);
    std::vector<Array> outputs = model.outputs();
    if (!outputDir.empty())
      std::filesystem::create_directories(outputDir);
    for (uint32_t i = 0; i < outputs.size(); ++i) {
      if (!outputDir.empty())
        mlc::train::writeNpy(outputDir + "/" + fileName(model.api().outputs[i].name) + ".npy", outputs[i],
                             /*isDurable=*/false);
      std::cout << model.api().outputs[i].name << ": " << mlc::train::shapeText(outputs[i].sizes) << "\n";
    }
    return 0;
  } catch (const std::exception &error) {
    std::cerr << "mlc-run: " << error.what() << "\n";
    return 1;
  }
}
