//===- CompileOptions.h - what a compilation is asked to do ---------------------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_DRIVER_COMPILEOPTIONS_H
#define MLC_LIB_DRIVER_COMPILEOPTIONS_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mlc {

inline constexpr const char *kVersion = "mlc 0.1.0";

/// What comes out.
enum class EmitKind { mlir, llvm, assembly, object, library, archive, executable, onnx };

enum class ReportKind { none, text, json };

struct CompileOptions {
  std::string input;
  std::string output;
  EmitKind emit = EmitKind::library;
  /// C identifier of the model; empty: from the output's name.
  std::string name;
  unsigned optLevel = 3;
  /// Convolutions are computed as the model says, not by Winograd's tiles.
  bool exact = false;
  std::string cpu = "native";
  std::string triple;
  /// Threads of the compiler; 0: as many as there are processors.
  unsigned threads = 0;
  /// Folder of objects compiled before; empty: the default one.
  std::string cache;
  bool noCache = false;
  bool externalWeights = false;
  /// A file of weights that replaces those of the model (.safetensors); empty: none.
  std::string loadWeights;
  /// Names of classes, one a line, for a version directory; empty: none.
  std::string labels;
  std::map<std::string, std::vector<int64_t>> shapes;
  std::map<std::string, int64_t> dims;
  /// The library computes gradients by its inputs, too.
  bool withGradient = false;
  /// The model becomes a training program.
  bool training = false;
  /// How the model is trained, beyond what it says itself: keys of a `train` block and their values, as
  /// "adam(beta1=0.95)"; and `lr`.
  std::map<std::string, std::string> trainingConfig;
  /// Parameters start anew instead of from the model's weights.
  bool reinitialize = false;
  /// Parameters whose names match one of these patterns (* and ?) are not trained.
  std::vector<std::string> frozen;
  /// Bytes that the states and a training step may take; 0: as many as they take.
  uint64_t trainMemory = 0;
  ReportKind report = ReportKind::none;
  /// Stop after this phase and print the IR.
  std::string compileTo;
  /// Write the IR after each phase into this folder.
  std::string dumpPhasesTo;
  /// Print how long passes take.
  bool timing = false;
};

/// Exit codes of all programs.
enum ExitCode { exitDone = 0, exitBadInput = 1, exitUsage = 2, exitBug = 70 };

/// Reads the command line of mlc-opt. Returns -1 to go on, or the exit code of --help, --version and usage errors.
int parseCommandLine(int argc, char **argv, CompileOptions &options);

/// Whether the command line asks for an ordinary mlir-opt: MLIR comes in and no artifact goes out.
bool isMlirOptCommandLine(int argc, char **argv);

/// Runs a compilation; messages go to standard error. `program` is the path of the running program.
ExitCode compile(const CompileOptions &options, const std::string &program);

} // namespace mlc

#endif
