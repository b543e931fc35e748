//===- Checkpoint.h - where a run can go on ---------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_CHECKPOINT_H
#define MLC_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/train/Config.h"
#include "runtime/train/State.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mlc::train {

/// Bytes of the best weights, one vector a state that they need; empty before there are any.
using KeptWeights = std::map<std::string, std::vector<char>>;

/// What a checkpoint holds beside the states: where the run is, and what the loop keeps.
struct RunState final {
  int64_t step = 0;  ///< updates that are done
  int64_t epoch = 0; ///< the epoch that runs, from 0
  int64_t batch = 0; ///< updates of it that are done
  Json metrics, schedule, earlyStopping, settings;
  std::string stopped; ///< why training has ended early, if it has
  KeptWeights best;
};

/// The checkpoints of a folder: step-N.safetensors, of which the last few are kept, and best.safetensors, weights
/// alone.
class Checkpoints final {
public:
  /// Makes the folder. `program` identifies the compiled program.
  Checkpoints(std::string folder, int64_t keep, std::string program);

  /// Throws InputError where the disk is full; the older checkpoints are intact then.
  void save(State &state, const RunState &run);
  void saveBest(State &state, int64_t epoch, const std::string &monitor, double value);

  /// The newest checkpoint that is whole; `warn` hears of those that are not. Nothing where there is none.
  std::optional<RunState> load(State &state, const std::function<void(const std::string &)> &warn);

  /// "run/step-00000100.safetensors" of the last one that was saved or loaded; empty before.
  const std::string &last() const { return lastPath; }

  /// The file to evaluate with, best.safetensors or else the newest; empty where there is none.
  static std::string weightsOf(const std::string &folder);

private:
  RunState read(const std::string &path, State &state) const;

  std::string folder;
  int64_t keep;
  std::string program, lastPath;
};

/// Identifies a program: its config, and names, types and sizes of its states.
std::string programHash(const mlc_train_info &info);

/// Weights (and statistics) of a .safetensors file become those of the state. Throws InputError that lists what is
/// missing or of another type or size; further tensors are ignored.
void loadWeights(State &state, const std::string &path);

} // namespace mlc::train

#endif
