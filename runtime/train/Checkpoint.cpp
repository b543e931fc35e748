//===- Checkpoint.cpp - where a run can go on --------------------------------------------------------------------===//
//
// A checkpoint is a .safetensors file of the states under their names (gradients are zero between updates and not
// there), the best weights as "best/NAME", and a JSON text a key in its metadata. A CRC-32 over all of that is in the
// metadata too, so a damaged file is known as such and the one before is taken.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "runtime/train/Checkpoint.h"
#include "runtime/train/InputError.h"
#include "runtime/train/Safetensors.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace mlc::train {

namespace {

namespace fs = std::filesystem;

constexpr const char *kFormat = "mlc-checkpoint-1";
constexpr const char *kBestPrefix = "best/";

std::string hex(uint64_t value, const char *format) {
  char text[24];
  std::snprintf(text, sizeof text, format, static_cast<unsigned long long>(value));
  return text;
}

/// Over names, values and elements in the order of the names.
std::string checksumOf(const std::map<std::string, Array> &arrays, const std::map<std::string, std::string> &metadata) {
  uLong crc = crc32(0, nullptr, 0);
  auto add = [&](const void *data, size_t bytes) { crc = crc32_z(crc, static_cast<const Bytef *>(data), bytes); };
  for (const auto &[key, value] : metadata)
    if (key != "checksum") {
      add(key.c_str(), key.size() + 1);
      add(value.c_str(), value.size() + 1);
    }
  for (const auto &[name, array] : arrays) {
    add(name.c_str(), name.size() + 1);
    add(array.data, array.bytes());
  }
  return hex(crc, "%08llx");
}

/// The checkpoints of a folder, the newest first.
std::vector<std::string> checkpointsOf(const std::string &folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".safetensors")
      paths.push_back(entry.path().string());
  }
  std::sort(paths.rbegin(), paths.rend());
  return paths;
}

/// The tensor `name`, which is as state `i` says, or why it is not.
const Array *find(const std::map<std::string, Array> &arrays, State &state, uint32_t i, std::string &problem) {
  std::string name = state[i].name;
  auto found = arrays.find(name);
  if (found == arrays.end()) {
    problem = "expected a tensor '" + name + "', but there is none";
    return nullptr;
  }
  const Array &array = found->second;
  if (array.dtype != static_cast<mlc_dtype>(state[i].dtype) || array.sizes != state.sizes(i)) {
    problem = "tensor '" + name + "': expected " + dtypeName(state[i].dtype) + " " + shapeText(state.sizes(i)) +
              ", but got " + dtypeName(array.dtype) + " " + shapeText(array.sizes);
    return nullptr;
  }
  return &array;
}

} // namespace

Checkpoints::Checkpoints(std::string folder, int64_t keep, std::string program)
    : folder(std::move(folder)), keep(keep), program(std::move(program)) {
  std::error_code error;
  fs::create_directories(this->folder, error);
  if (!fs::is_directory(this->folder))
    throw InputError(this->folder + ": cannot make the folder: " + error.message());
}

void Checkpoints::save(State &state, const RunState &run) {
  std::map<std::string, Array> arrays;
  for (uint32_t i = 0; i < state.size(); ++i) {
    if (state[i].role == MLC_STATE_GRADIENT)
      continue;
    Array array;
    array.dtype = static_cast<mlc_dtype>(state[i].dtype);
    array.sizes = state.sizes(i);
    array.data = state.data(i);
    arrays[state[i].name] = array;
    if (auto kept = run.best.find(state[i].name); kept != run.best.end()) {
      array.data = kept->second.data();
      arrays[kBestPrefix + kept->first] = array;
    }
  }
  std::map<std::string, std::string> metadata{{"format", kFormat},
                                              {"program", program},
                                              {"step", std::to_string(run.step)},
                                              {"epoch", std::to_string(run.epoch)},
                                              {"batch", std::to_string(run.batch)},
                                              {"metrics", run.metrics.dump()},
                                              {"schedule", run.schedule.dump()},
                                              {"early_stopping", run.earlyStopping.dump()},
                                              {"settings", run.settings.dump()},
                                              {"stopped", run.stopped}};
  metadata["checksum"] = checksumOf(arrays, metadata);
  std::string path = folder + "/step-" + hex(static_cast<uint64_t>(run.step), "%012llu") + ".safetensors";
  writeSafetensors(path, {arrays.begin(), arrays.end()}, metadata);
  lastPath = path;
  int64_t kept = 0;
  std::error_code error;
  // One of a later step is damaged, since otherwise the run would have gone on from it.
  for (const std::string &each : checkpointsOf(folder))
    if (each > path || ++kept > keep)
      fs::remove(each, error);
}

void Checkpoints::saveBest(State &state, int64_t epoch, const std::string &monitor, double value) {
  writeSafetensors(folder + "/best.safetensors", state.weights(),
                   {{"epoch", std::to_string(epoch + 1)}, {"monitor", monitor}, {"value", std::to_string(value)}});
}

RunState Checkpoints::read(const std::string &path, State &state) const {
  Tensors tensors = readSafetensors(path);
  auto &metadata = tensors.metadata;
  if (metadata["format"] != kFormat)
    throw InputError(path + ": expected a checkpoint (" + kFormat + ")");
  if (std::string sum = checksumOf(tensors.arrays, metadata); sum != metadata["checksum"])
    throw InputError(path + ": damaged: expected the checksum " + metadata["checksum"] + ", but got " + sum);
  RunState run;
  run.step = std::stoll(metadata["step"]);
  run.epoch = std::stoll(metadata["epoch"]);
  run.batch = std::stoll(metadata["batch"]);
  run.metrics = Json::parse(metadata["metrics"]);
  run.schedule = Json::parse(metadata["schedule"]);
  run.earlyStopping = Json::parse(metadata["early_stopping"]);
  run.settings = Json::parse(metadata["settings"]);
  run.stopped = metadata["stopped"];
  run.settings["program"] = metadata["program"];
  if (metadata["program"] != program)
    return run; // whoever asked says so
  for (uint32_t i = 0; i < state.size(); ++i) {
    if (state[i].role == MLC_STATE_GRADIENT) {
      std::memset(state.data(i), 0, state.bytes(i));
      continue;
    }
    std::string problem;
    const Array *array = find(tensors.arrays, state, i, problem);
    if (!array)
      throw InputError(path + ": " + problem);
    std::memcpy(state.data(i), array->data, array->bytes());
    if (auto best = tensors.arrays.find(kBestPrefix + std::string(state[i].name)); best != tensors.arrays.end())
      run.best[state[i].name].assign(best->second.data, best->second.data + best->second.bytes());
  }
  return run;
}

std::optional<RunState> Checkpoints::load(State &state, const std::function<void(const std::string &)> &warn) {
  for (const std::string &path : checkpointsOf(folder)) {
    RunState run;
    try {
      run = read(path, state);
    } catch (const InputError &error) {
      warn(std::string(error.what()) + "; taking the checkpoint before it");
      continue;
    }
    if (run.settings["program"] != program)
      throw InputError(path + ": expected a checkpoint of this program (" + program + "), but it is of another (" +
                       run.settings["program"].get<std::string>() + ")");
    run.settings.erase("program");
    lastPath = path;
    return run;
  }
  return std::nullopt;
}

std::string Checkpoints::weightsOf(const std::string &folder) {
  if (fs::exists(folder + "/best.safetensors"))
    return folder + "/best.safetensors";
  std::vector<std::string> all = checkpointsOf(folder);
  return all.empty() ? "" : all[0];
}

std::string programHash(const mlc_train_info &info) {
  std::string text = info.config;
  for (uint32_t i = 0; i < info.num_states; ++i) {
    const mlc_state_info &state = info.states[i];
    text += std::string("\n") + state.name + " " + dtypeName(state.dtype) + " " +
            shapeText({state.sizes, state.sizes + state.rank});
  }
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text)
    hash = (hash ^ c) * 0x100000001b3;
  return hex(hash, "%016llx");
}

void loadWeights(State &state, const std::string &path) {
  Tensors tensors = readSafetensors(path);
  std::vector<std::pair<uint32_t, const Array *>> found;
  std::string first;
  size_t problems = 0;
  for (uint32_t i = 0; i < state.size(); ++i) {
    if (!State::isWeight(state[i].role))
      continue;
    std::string problem;
    const Array *array = find(tensors.arrays, state, i, problem);
    found.emplace_back(i, array);
    if (!array && problems++ == 0)
      first = problem;
  }
  if (problems > 0)
    throw InputError(path + ": " + first +
                     (problems > 1 ? " (and " + std::to_string(problems - 1) + " more problems)" : ""));
  for (const auto &[i, array] : found)
    std::memcpy(state.data(i), array->data, array->bytes());
  state.resetAverages();
}

} // namespace mlc::train
