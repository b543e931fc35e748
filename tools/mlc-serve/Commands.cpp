//===- Commands.cpp - mlc-serve publish, rollback and list -------------------------------------------------------===//
#include "Commands.h"

#include "runtime/serve/Error.h"
#include "runtime/serve/Repository.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

using namespace mlc::serve;

namespace {

std::string shortHash(const std::string &hash) { return hash.empty() ? "-" : hash.substr(0, 12); }

std::string orDash(const std::string &text) { return text.empty() ? "-" : text; }

void printRow(const std::vector<std::string> &cells) {
  constexpr size_t widths[] = {8, 10, 20, 12, 12, 12, 0};
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size())
      line += std::string(cells[i].size() < widths[i] ? widths[i] - cells[i].size() : 0, ' ') + "  ";
  }
  std::cout << line << "\n";
}

void listModel(const std::string &folder) {
  Repository repository(folder);
  std::cout << folder << "\n";
  printRow({"VERSION", "STATE", "CREATED", "MANIFEST", "SOURCE", "COMMIT", "FILE"});
  bool isLatest = true;
  for (const PublishedVersion &version : repository.versions()) {
    std::string state = version.withdrawn ? "withdrawn" : "kept";
    if (!version.problem.empty()) {
      printRow({std::to_string(version.number), "incomplete", version.problem});
      continue;
    }
    if (!version.withdrawn && std::exchange(isLatest, false))
      state = "latest";
    const Manifest &manifest = version.manifest;
    printRow({std::to_string(version.number), state, orDash(manifest.created), shortHash(manifest.sha256),
              shortHash(manifest.sourceSha256), shortHash(manifest.commit), orDash(manifest.source)});
  }
  std::vector<HistoryEntry> history = repository.history();
  if (!history.empty())
    std::cout << "History\n";
  for (const HistoryEntry &entry : history) {
    std::cout << "  " << entry.time << "  " << entry.action << " " << entry.version;
    for (size_t i = 0; i < entry.withdrawn.size(); ++i)
      std::cout << (i ? ", " : ", withdrawn: ") << entry.withdrawn[i];
    std::cout << "\n";
  }
}

/// A model's folder, or one of several.
void list(const std::string &folder) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(folder))
    throw Error(Code::notFound, "'" + folder + "' is not there");
  if (!Repository(folder).versions().empty())
    return listModel(folder);
  std::vector<std::string> models;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !Repository(entry.path()).versions().empty())
      models.push_back(entry.path());
  std::sort(models.begin(), models.end());
  if (models.empty())
    throw Error(Code::notFound, "'" + folder + "' has no versions of a model");
  for (const std::string &model : models)
    listModel(model);
}

} // namespace

bool isRepositoryCommand(int argc, char **argv) {
  return argc > 1 &&
         (std::string(argv[1]) == "publish" || std::string(argv[1]) == "rollback" || std::string(argv[1]) == "list");
}

int runRepositoryCommand(int argc, char **argv) {
  CLI::App app("Maintains a folder of versions, which servers may read at the same time.", "mlc-serve");
  app.require_subcommand(1);
  std::string source, folder, labels, warmUp;
  std::vector<std::string> golden;
  int64_t version = -1;
  bool noCheck = false;

  CLI::App *publish =
      app.add_subcommand("publish", "make a version directory, or a library, the next version of a model");
  publish->add_option("source", source, "a folder that mlc-opt wrote, or a compiled library (its weights beside it)")
      ->required();
  publish->add_option("model", folder, "the model's folder: REPOSITORY/MODEL; is made where it is not there")
      ->required();
  publish->add_option("--version", version, "its number (default: the next one)")->check(CLI::NonNegativeNumber);
  publish->add_option("--labels", labels, "names of the classes, one a line");
  publish->add_option("--warm-up", warmUp, "TFRecords of PredictionLog that are run before it serves");
  publish->add_option("--golden", golden, "inputs and outputs that it must reproduce (.safetensors)");
  publish->add_flag("--no-check", noCheck, "do not load it here, for another processor");
  publish->footer("Example: mlc-serve publish build/3 /models/mnist_cnn");

  CLI::App *rollback = app.add_subcommand("rollback", "make an earlier version the latest; no data is deleted");
  rollback->add_option("model", folder, "the model's folder: REPOSITORY/MODEL")->required();
  rollback
      ->add_option("--version", version, "the version to go to, also one that was withdrawn (default: the one before)")
      ->check(CLI::NonNegativeNumber);
  rollback->footer("Example: mlc-serve rollback /models/mnist_cnn");

  CLI::App *listing = app.add_subcommand("list", "print versions and history");
  listing->add_option("folder", folder, "a model's folder, or the folder of several models")->required();
  listing->footer("Example: mlc-serve list /models");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::optional<int64_t> wanted;
  if (version >= 0)
    wanted = version;
  try {
    if (*publish) {
      PublishOptions options{wanted, {}, !noCheck};
      if (!labels.empty())
        options.additions["labels.txt"] = labels;
      if (!warmUp.empty())
        options.additions["assets.extra/tf_serving_warmup_requests"] = warmUp;
      for (const std::string &file : golden)
        options.additions["assets.extra/golden/" + std::filesystem::path(file).filename().string()] = file;
      std::cout << Repository(folder).publish(source, options) << "\n";
    } else if (*rollback) {
      std::cout << Repository(folder).rollback(wanted) << "\n";
    } else {
      list(folder);
    }
  } catch (const Error &error) {
    std::cerr << "mlc-serve: " << error.what() << "\n";
    return 1;
  } catch (const std::filesystem::filesystem_error &error) {
    std::cerr << "mlc-serve: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
